"""Weights of classes, as weights of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np

from skscale._normalization.sample_weight import relative_weights

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
"""Weight of each label; the inverse of its share; or one for all."""


def class_factors(class_weight: ClassWeight, classes: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Weight of each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A dict gives weights by label, one for labels that it does not name. "balanced" gives
        ``n / (n_classes * n_of_class)`` (King and Zeng 2001, Political Analysis 9:137), where n
        counts samples by their weight: a weight of two is the sample twice.
    classes : ndarray of shape (n_classes,)
        The labels.
    totals : ndarray of shape (n_classes,)
        Weight of the samples of each class, of earlier chunks too.

    Returns
    -------
    ndarray of float64 of shape (n_classes,)
        The weights, divided by a power of two.

    Raises
    ------
    ValueError
        If a weight is no finite number of at least zero, or if labels that the dict names are not
        in y while labels of y are not in the dict.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._target.class_weight import class_factors
    >>> class_factors("balanced", np.array(["no", "yes"]), np.array([3.0, 1.0])).round(2)
    array([0.67, 2.  ])
    """
    if class_weight is None or len(class_weight) == 0:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        shares = totals / totals.sum()
        # A class without weight has no samples to weight.
        return np.divide(1 / len(classes), shares, out=np.zeros(len(classes)), where=shares > 0)
    return _by_label(class_weight, classes)


def class_weighted(
    sample_weight: np.ndarray,
    factors: np.ndarray,
    codes: np.ndarray,
    class_weight: ClassWeight,
    *,
    n_needed: int = 2,
) -> np.ndarray:
    """Multiply the weights of samples by those of their classes.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of the samples.
    factors : ndarray of shape (n_classes,)
        Weight of each class.
    codes : ndarray of int of shape (n_samples,)
        Class of each sample.
    class_weight : dict, "balanced" or None
        The parameter, for the message.
    n_needed : int, default=2
        Samples of positive weight that must be left.

    Returns
    -------
    ndarray of float64 of shape (n_samples,)
        The products.

    Raises
    ------
    ValueError
        If fewer than `n_needed` samples are left.
    """
    weights = sample_weight * factors[codes]
    n_used = int(np.count_nonzero(weights))
    if n_used < n_needed:
        raise ValueError(
            f"class_weight={class_weight!r} and sample_weight leave {n_used} of {len(weights)} "
            f"samples a positive weight, but at least {n_needed} must keep one."
        )
    return weights


def class_totals(sample_weight: np.ndarray, codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Sum the weights of the samples of each class, of shape (n_classes,)."""
    return np.bincount(codes, weights=sample_weight, minlength=n_classes)


def _by_label(class_weight: Mapping[Any, float], classes: np.ndarray) -> np.ndarray:
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not math.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight gives {label!r} the weight {weight!r}, but finite numbers of at "
                "least zero are needed."
            )
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    missing = [label for label in labels if label not in class_weight]
    # A dict for all labels serves subsets of the samples too, which may lack some of them.
    if unknown and missing:
        raise ValueError(
            f"class_weight names {unknown!r}, which are no labels of y, and leaves out "
            f"{missing!r}, which are. Use the labels as they stand in y."
        )
    # Only their ratios matter: by a power of two, so that sums of them are finite.
    return relative_weights(np.array([float(class_weight.get(label, 1.0)) for label in labels]))
