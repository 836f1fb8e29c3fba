"""Labels as the numbers that a network is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from skscale._errors import listed
from skscale._target.target import Target, TargetEncoding
from skscale._target.target_type import (
    read_target,
    resolve_classes,
    resolve_target_type,
)

_NAME_ALL = "Name all classes in the first call of partial_fit: partial_fit(X, y, classes=...)."


def encode_target(y: Any, target_type: str = "auto") -> Target:
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
    target : Target
        Quantities in their own units, or classes.

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
    >>> target.encoding.target_type, target.encoding.classes.tolist(), target.values.tolist()
    ('binary', ['no', 'yes'], [[0.0], [1.0], [1.0]])
    """
    array, is_category = read_target(y, warn=True)
    return _encode(array, *resolve_target_type(array, is_category, target_type))


def encode_classes(y: Any) -> Target:
    """Turn class labels of any type into what the network is trained on.

    Unlike "auto", a classifier takes whole numbers of any dtype and any count as labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels. A single column is taken as such, with scikit-learn's
        DataConversionWarning.

    Returns
    -------
    target : Target
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


def encode_known(y: Any, classes: np.ndarray, *, cure: str = _NAME_ALL) -> Target:
    """Turn labels into what the network is trained on, for classes that are known before.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels; not every class need be among them.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    cure : str
        What to do where y holds others, for the error.

    Returns
    -------
    target : Target
        Of type "binary" or "multiclass".

    Raises
    ------
    ValueError
        If y holds a label that is not among the classes.
    """
    array, _ = read_target(y, warn=True)
    labels = np.unique(array)
    unknown = labels[~np.isin(labels, classes)]
    if array.ndim > 1 or len(unknown):
        what = f"the labels {listed(unknown)}" if len(unknown) else f"shape {array.shape}"
        raise ValueError(
            f"y has {what}, but one column of the classes {listed(classes)} is needed. {cure}"
        )
    encoding = TargetEncoding.from_classes(classes)
    return _encode(array, encoding.target_type, classes, np.searchsorted(classes, array))


def known_classes(classes: Any) -> np.ndarray:
    """Read the `classes` of a first chunk: sorted labels, at least two of them."""
    return resolve_classes(*read_target(classes), name="classes")[1]


def _encode(
    array: np.ndarray, target_type: str, classes: np.ndarray | None, codes: np.ndarray | None
) -> Target:
    if classes is None or codes is None:
        # Extended precision can overflow here, which the check says; it looks for infinity by a
        # sum, which numbers near the largest spoil.
        with np.errstate(over="ignore", invalid="ignore"):
            values = array.astype(np.float64).reshape(len(array), -1)
            assert_all_finite(values, input_name="y")
        return Target(values, y=values[:, 0] if values.shape[1] == 1 else values)
    if target_type == "binary":
        values = codes[:, np.newaxis].astype(np.float64)
    else:
        values = np.eye(len(classes))[codes]
    return Target(values, TargetEncoding(target_type, classes), codes)
