"""What y is, numbers or classes, and how the network sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from skscale._errors import listed
from skscale._keras.objects import KerasConfig
from skscale._target.target_type import (
    DEFAULT_LOSSES,
    read_target,
    resolve_classes,
    resolve_target_type,
)


@dataclass(frozen=True)
class EncodedTarget:
    """A target as the network is trained on it.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_samples, n_outputs)
        The numbers themselves, in their own units, if continuous; a column of 0 and 1 for two
        classes; one-hot rows for more.
    target_type : {"continuous", "binary", "multiclass"}
        What y is.
    classes : ndarray of shape (n_classes,) or None
        The labels in sorted order, None if continuous.
    codes : ndarray of int of shape (n_samples,) or None
        Position of each row's label in `classes`, None if continuous.
    """

    values: np.ndarray
    target_type: str
    classes: np.ndarray | None = None
    codes: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Width of the network's output."""
        return int(self.values.shape[1])

    @property
    def loss(self) -> KerasConfig:
        """Default Keras loss, by name or config."""
        return DEFAULT_LOSSES[self.target_type]


def encode_target(y: Any, target_type: str = "auto") -> EncodedTarget:
    """Decide what y is and turn it into what the network is trained on.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target as the user gave it. A single column is taken as one target, with scikit-learn's
        DataConversionWarning.
    target_type : {"auto", "continuous", "binary", "multiclass"}, default="auto"
        With "auto", floating dtypes are continuous; strings, booleans and categories are classes;
        integers are classes while there are at most 20 distinct values. Several columns of
        numbers are several continuous targets. The other values are checked against y.

    Returns
    -------
    target : EncodedTarget
        Values, classes and default loss.

    Raises
    ------
    InvalidParameterError
        If `target_type` is unknown.
    ValueError
        If y holds NaN, infinity or a single class, if it does not fit `target_type`, or if it
        has several columns of classes.
    TypeError
        If y holds neither numbers nor strings, or both.

    Examples
    --------
    >>> from skscale._target.encoding import encode_target
    >>> target = encode_target(["no", "yes", "yes"])
    >>> target.target_type, target.classes.tolist(), target.values.tolist()
    ('binary', ['no', 'yes'], [[0.0], [1.0], [1.0]])
    """
    array, is_category = read_target(y, warn=True)
    return _encode(array, *resolve_target_type(array, is_category, target_type))


def encode_classes(y: Any) -> EncodedTarget:
    """Turn class labels of any type into what the network is trained on.

    Unlike "auto", a classifier takes whole numbers of any dtype and any count as labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels. A single column is taken as such, with scikit-learn's
        DataConversionWarning.

    Returns
    -------
    target : EncodedTarget
        Of type "binary" or "multiclass".

    Raises
    ------
    ValueError
        If y holds NaN, infinity, fractions or a single class, or has several columns.
    TypeError
        If y holds neither numbers nor strings, or both.
    """
    array, is_category = read_target(y, warn=True)
    return _encode(array, *resolve_classes(array, is_category))


def encode_known(y: Any, classes: np.ndarray) -> EncodedTarget:
    """Turn labels into what the network is trained on, for classes that are known before.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels; not every class need be among them.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.

    Returns
    -------
    target : EncodedTarget
        Of type "binary" or "multiclass".

    Raises
    ------
    ValueError
        If y holds a label that is not among the classes.
    """
    array, _ = read_target(y, warn=True)
    found = np.unique(array)
    unknown = found[~np.isin(found, classes)]
    if array.ndim > 1 or len(unknown):
        what = f"the labels {listed(unknown)}" if len(unknown) else f"shape {array.shape}"
        raise ValueError(
            f"y has {what}, but one column of the classes {listed(classes)} is needed. Name all "
            "classes in the first call of partial_fit: partial_fit(X, y, classes=...)."
        )
    target_type = "binary" if len(classes) == 2 else "multiclass"
    return _encode(array, target_type, classes, np.searchsorted(classes, array))


def known_classes(classes: Any) -> np.ndarray:
    """Read the `classes` of a first chunk: sorted labels, at least two of them."""
    return resolve_classes(*read_target(classes))[1]


def _encode(
    array: np.ndarray, target_type: str, classes: np.ndarray | None, codes: np.ndarray | None
) -> EncodedTarget:
    if classes is None or codes is None:
        # Only extended precision can overflow here, and is told so.
        with np.errstate(over="ignore"):
            values = array.astype(np.float64).reshape(len(array), -1)
        assert_all_finite(values, input_name="y")
    elif target_type == "binary":
        values = codes[:, np.newaxis].astype(np.float64)
    else:
        values = np.eye(len(classes))[codes]
    return EncodedTarget(values, target_type, classes, codes)
