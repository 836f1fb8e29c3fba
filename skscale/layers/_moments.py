"""A fixed mean and variance, as Keras' Normalization takes them."""

from __future__ import annotations

from contextlib import suppress

import keras
import numpy as np
from numpy.typing import ArrayLike


def fixed_moments(
    mean: ArrayLike | None, variance: ArrayLike | None, dtype: str
) -> dict[str, np.ndarray] | None:
    """Check a mean and a variance, and round them as Keras does.

    Parameters
    ----------
    mean, variance : float, array-like or None
        What the user gave.
    dtype : str
        Dtype of the weights that will hold them.

    Returns
    -------
    dict of ndarray or None
        ``"mean"`` and ``"variance"`` in float64; None if there are none.

    Raises
    ------
    ValueError
        If only one is given, if their shapes differ, if a number is not finite or beyond `dtype`,
        or if a variance is negative.
    TypeError
        If they hold something other than real numbers.
    """
    if mean is None and variance is None:
        return None
    if mean is None or variance is None:
        raise ValueError(
            f"Got mean={mean!r} and variance={variance!r}. Give both, or none and call adapt(data)."
        )
    arrays = {name: _numbers(name, x) for name, x in (("mean", mean), ("variance", variance))}
    if arrays["mean"].shape != arrays["variance"].shape:
        raise ValueError(
            f"mean has shape {arrays['mean'].shape} and variance {arrays['variance'].shape}. Give "
            "two of one shape."
        )
    if (arrays["variance"] < 0).any():
        raise ValueError(f"variance={arrays['variance'].tolist()!r} holds a negative number.")
    if dtype == "float64":
        # Keras rounds Python floats to floatx first; narrower weights round further anyway.
        for name, value in (("mean", mean), ("variance", variance)):
            # What it cannot round, Normalization does not take either.
            with suppress(ValueError):
                tensor = keras.ops.convert_to_tensor(value)
                arrays[name] = keras.ops.convert_to_numpy(tensor).astype(np.float64)
    return {name: representable(name, array, dtype) for name, array in arrays.items()}


def representable(name: str, value: np.ndarray, dtype: str) -> np.ndarray:
    """Return `value` if all of it is finite in `dtype`.

    Parameters
    ----------
    name : {"mean", "variance"}
        What it is, for the error.
    value : ndarray
        The numbers.
    dtype : str
        Dtype of the weight that will hold them.

    Returns
    -------
    ndarray
        `value` itself.

    Raises
    ------
    ValueError
        If a number is NaN or infinite, or becomes infinite in `dtype`.
    """
    with np.errstate(over="ignore"):
        rounded = value.astype(dtype)
    if not np.isfinite(rounded).all():
        raise ValueError(
            f"A {name} of {rounded.tolist()} in {dtype} has no inverse. Leave NaN and infinity out "
            "of the data; for numbers beyond 3.4e38, squared ones in a variance, use "
            "dtype='float64' and arrays of float64."
        )
    return value


def _numbers(name: str, value: ArrayLike) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}={array.tolist()!r} is not made of real numbers.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}={array.tolist()!r} is not finite. Give finite numbers.")
    return array.astype(np.float64)
