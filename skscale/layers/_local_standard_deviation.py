"""The standard deviation in a window that moves along the steps of a signal."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import keras

from skscale.layers._vector_weights import Shape


@keras.saving.register_keras_serializable(package="skscale")
class LocalStandardDeviation(keras.layers.Layer):
    """Moving standard deviation along the last but one axis, in a centred window.

    Inputs have shape ``(..., n_steps, n_features)``; so have the outputs. The window around step
    ``i`` is ``i - half_window, ..., i + half_window``, clipped to the signal:
    ``2 * half_window + 1`` steps inside, as few as ``half_window + 1`` at the ends.

    Parameters
    ----------
    half_window : int
        The number of steps *on either side* of the middle one, at least 1. It is not the length of
        the window.
    ddof : int, default=0
        Degrees of freedom that the mean takes, from 0 to `half_window`: sums of squares are divided
        by the number of steps in the window less `ddof`, as `numpy.std` does. 0 is the standard
        deviation of the population, 1 that of a sample.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``.

    Attributes
    ----------
    half_window : int
        Steps on either side of the middle one.
    ddof : int
        Degrees of freedom that the mean takes.

    Raises
    ------
    ValueError
        If `half_window` is below 1; if `ddof` is below 0 or above `half_window`, where it would
        leave nothing to divide by at the ends of a signal; if the input has no axis of steps.
    TypeError
        If `half_window` or `ddof` is no whole number.

    See Also
    --------
    keras.layers.AveragePooling1D : Moving means.
    keras.layers.LayerNormalization : Divides by a standard deviation over the features.

    Notes
    -----
    Steps that a Keras mask leaves out are in no window, and the mask goes on to the next layer.
    Because of a mask, or in a signal of few steps, a window may hold `ddof` steps or fewer. These
    say nothing about a spread, and their result is 0, as that of a single step is; the NaN of
    `numpy.std` would spoil every weight behind it.

    The middle of each window is subtracted, then the mean of what is left, then comes the largest
    deviation as a divisor, and only then are squares taken (two passes; Chan, Golub & LeVeque
    1983, The American Statistician 37:242): a ripple of 1e-20, or one on top of 1e6, keeps its
    digits. Where all steps of a window are equal the result is exactly 0, and so is the gradient,
    which is the subgradient of least norm: the square root has no derivative there.

    The windows are taken apart in memory, ``2 * half_window + 1`` times the input.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import LocalStandardDeviation
    >>> signal = np.array([4.0, 8.0, 1.0, 1.0, 1.0, 7.0, 9.0, 3.0]).reshape(1, 8, 1)
    >>> deviations = LocalStandardDeviation(half_window=1, ddof=1)(signal)
    >>> keras.ops.convert_to_numpy(deviations).ravel().round(4).tolist()
    [2.8284, 3.5119, 4.0415, 0.0, 3.4641, 4.1633, 3.0551, 4.2426]
    """

    def __init__(self, half_window: int, ddof: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.half_window = _check_half_window(half_window)
        self.ddof = _check_ddof(ddof, self.half_window)
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the standard deviations, of the shape of `inputs` and in the compute dtype."""
        ops = keras.ops
        inputs = ops.cast(inputs, self.compute_dtype)
        n_steps = ops.shape(inputs)[-2]
        # A window far longer than the signal would be mostly empty.
        half = ops.minimum(self.half_window, n_steps - 1)
        middle = ops.arange(n_steps)
        steps = middle[:, None] + ops.arange(-half, half + 1)
        inside = ops.logical_and(steps >= 0, steps < n_steps)[..., None]
        # Without a row to point at, a step outside the signal repeats the last one inside.
        steps = ops.clip(steps, 0, n_steps - 1)
        # A mask of another rank leaves out something other than steps.
        if mask is not None and len(mask.shape) == len(inputs.shape) - 1:
            inside = ops.logical_and(inside, ops.take(mask, steps, axis=-1)[..., None])
        zero = ops.zeros((), self.compute_dtype)
        count = ops.sum(ops.cast(inside, self.compute_dtype), axis=-2, keepdims=True)

        windows = ops.take(inputs, steps, axis=-2)
        # Equal numbers leave exact zeros, which they would not under their rounded mean.
        windows = ops.where(inside, windows - ops.expand_dims(inputs, -2), zero)
        means = ops.sum(windows, axis=-2, keepdims=True) / count
        # All steps of a window may be masked: its mean is 0 / 0, and stays outside.
        deviations = ops.where(inside, windows - means, zero)
        # The result does not depend on it: no gradient goes through.
        largest = ops.stop_gradient(ops.max(ops.abs(deviations), axis=-2, keepdims=True))
        # What is not finite shows even in a window of few steps.
        too_few = ops.logical_and(count <= self.ddof, ops.isfinite(largest))
        no_spread = ops.logical_or(largest == 0, too_few)
        divisor = ops.where(largest == 0, ops.ones_like(largest), largest)
        freedom = ops.maximum(count - self.ddof, ops.ones_like(count))
        squares = ops.sum(ops.square(deviations / divisor), axis=-2, keepdims=True) / freedom
        # Where squares are not all zero they include a one. A root of zero has no gradient.
        root = ops.sqrt(ops.where(no_spread, ops.ones_like(squares), squares))
        result = ops.where(no_spread, ops.zeros_like(root), divisor * root)
        return ops.squeeze(result, axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` as a tuple: the layer keeps the shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "half_window": self.half_window, "ddof": self.ddof}


def _check_half_window(half_window: int) -> int:
    if isinstance(half_window, bool) or not isinstance(half_window, Integral):
        raise TypeError(
            f"half_window={half_window!r} is no number of steps. Give an int of at least 1: the "
            "steps on either side of the middle one."
        )
    if half_window < 1:
        raise ValueError(
            f"half_window={half_window} leaves one step in each window, whose standard deviation "
            "is 0. Give an int of at least 1: the steps on either side of the middle one."
        )
    return int(half_window)


def _check_ddof(ddof: int, half_window: int) -> int:
    if isinstance(ddof, bool) or not isinstance(ddof, Integral):
        raise TypeError(
            f"ddof={ddof!r} is no whole number. Give 0 for the standard deviation of the "
            "population, or 1 for that of a sample."
        )
    if ddof < 0:
        raise ValueError(
            f"ddof={ddof} is below 0. Give 0 for the standard deviation of the population, or 1 "
            "for that of a sample."
        )
    if ddof > half_window:
        raise ValueError(
            f"ddof={ddof} leaves nothing to divide by at the ends of a signal, whose windows hold "
            f"half_window + 1 = {half_window + 1} steps. Give a ddof of at most {half_window}, or "
            f"a half_window of at least {ddof}."
        )
    return int(ddof)
