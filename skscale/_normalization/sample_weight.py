"""Sample weights: which rows count, and weights relative to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skscale._normalization.affine import Float64Array

# In a sum with a weight of one, anything this small is lost to rounding.
_LEAST_WEIGHT = 2.0**-500


def drop_zero_weights(
    X: Any, sample_weight: ArrayLike | None = None
) -> tuple[Any, Float64Array | None]:
    """Leave out the rows that weigh nothing, so that they touch no statistic at all.

    Parameters
    ----------
    X : array-like or sparse CSR of shape (n_samples, n_features)
        Data.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row, not negative. None and all ones are the same.

    Returns
    -------
    X : ndarray or sparse CSR of shape (n_kept, n_features)
        The rows of positive weight; not a copy where all are kept.
    sample_weight : ndarray of shape (n_kept,) or None
        Their weights as float64, None if all are one.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or has no row, if the lengths differ, or if a weight is
        negative or not finite, or all are zero.
    """
    X = X if issparse(X) else np.asarray(X)
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(
            f"X must have shape (n_samples, n_features) and at least one row, got {X.shape}."
        )
    if sample_weight is None:
        return X, None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != X.shape[:1]:
        raise ValueError(
            f"sample_weight must have shape ({X.shape[0]},), one weight per row of X, "
            f"got {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError(
            "sample_weight must be finite and not negative, got values from "
            f"{weights.min()} to {weights.max()}."
        )
    kept = weights > 0.0
    if not kept.any():
        raise ValueError("All sample weights are zero, so no row is left; give one of them weight.")
    if not kept.all():
        X, weights = X[kept], weights[kept]
    return X, None if (weights == 1.0).all() else weights


def cover_zero_weights(rows: Any, sample_weight: Float64Array) -> Any:
    """Put the first row of positive weight in the place of those that weigh nothing.

    They keep their place, by which folds count, but what they hold is seen nowhere: it may stand
    for a value that is missing.

    Parameters
    ----------
    rows : ndarray or sparse CSR of shape (n_samples, n_columns)
        Data.
    sample_weight : ndarray of shape (n_samples,)
        Weight of each row, not negative, not all zero.

    Returns
    -------
    rows : ndarray or sparse CSR of shape (n_samples, n_columns)
        A copy, unless all weigh something.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._normalization.sample_weight import cover_zero_weights
    >>> cover_zero_weights(np.array([[-1e99], [2.0], [3.0]]), np.array([0, 1, 1])).tolist()
    [[2.0], [2.0], [3.0]]
    """
    used = sample_weight > 0.0
    if used.all():
        return rows
    return rows[np.where(used, np.arange(len(used)), np.argmax(used))]


def relative_weights(weights: Float64Array) -> Float64Array:
    """Divide weights by a power of two, so that the largest lies in [0.5, 1).

    Their sums then neither over- nor underflow, and weights times a power of two are the same to
    the bit. A weight too small to count beside the largest stays positive.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Finite and not negative, not all zero.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights in other units.
    """
    _, exponent = np.frexp(weights.max(initial=0.0))
    # In two steps: a power of two beyond 2**1023 is not a float.
    scaled = np.ldexp(np.ldexp(weights, -(exponent // 2)), -(exponent - exponent // 2))
    return np.where(weights > 0.0, np.maximum(scaled, _LEAST_WEIGHT), 0.0)


def weights_about_one(weights: Float64Array) -> Float64Array:
    """Divide weights by a power of two, so that their mean lies in [0.5, 1)."""
    relative = relative_weights(weights)
    _, exponent = np.frexp(relative.mean())
    return np.ldexp(relative, -exponent)
