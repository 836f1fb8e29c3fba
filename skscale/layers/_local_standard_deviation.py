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
    ``i`` is ``i - window, ..., i + window``, clipped to the signal: ``2 * window + 1`` steps
    inside, as few as ``window + 1`` at the ends.

    Parameters
    ----------
    window : int
        Half-width: the number of steps *on either side* of the middle one, at least 1. It is not
        the length of the window.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``.

    Attributes
    ----------
    window : int
        The half-width.

    Raises
    ------
    ValueError
        If `window` is below 1; if the input has no axis of steps.
    TypeError
        If `window` is no whole number.

    See Also
    --------
    keras.layers.AveragePooling1D : Moving means.
    keras.layers.LayerNormalization : Divides by a standard deviation over the features.

    Notes
    -----
    The standard deviation is that of the population: the mean of squares is over the steps that
    are in the window, so that a single step has 0. Steps that a Keras mask leaves out are in no
    window, and the mask goes on to the next layer.

    The middle of each window is subtracted, then the mean of what is left, then comes the largest
    deviation as a divisor, and only then are squares taken (two passes; Chan, Golub & LeVeque
    1983, The American Statistician 37:242): a ripple of 1e-20, or one on top of 1e6, keeps its
    digits. Where all steps of a window are equal the result is exactly 0, and so is the gradient,
    which is the subgradient of least norm: the square root has no derivative there.

    The windows are taken apart in memory, ``2 * window + 1`` times the input.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import LocalStandardDeviation
    >>> signal = np.array([4.0, 8.0, 1.0, 1.0, 1.0, 7.0, 9.0, 3.0]).reshape(1, 8, 1)
    >>> deviations = LocalStandardDeviation(window=1)(signal)
    >>> keras.ops.convert_to_numpy(deviations).ravel().round(3).tolist()
    [2.0, 2.867, 3.3, 0.0, 2.828, 3.399, 2.494, 3.0]
    """

    def __init__(self, window: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = _half_width(window)
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the standard deviations, of the shape of `inputs` and in the compute dtype."""
        ops = keras.ops
        inputs = ops.cast(inputs, self.compute_dtype)
        n_steps = ops.shape(inputs)[-2]
        # A window far longer than the signal would be mostly empty.
        half = ops.minimum(self.window, n_steps - 1)
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
        divisor = ops.where(largest == 0, ops.ones_like(largest), largest)
        squares = ops.sum(ops.square(deviations / divisor), axis=-2, keepdims=True) / count
        # Where squares are not all zero they include a one. A root of zero has no gradient.
        root = ops.sqrt(ops.where(largest == 0, ops.ones_like(squares), squares))
        result = ops.where(largest == 0, ops.zeros_like(root), divisor * root)
        return ops.squeeze(result, axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` as a tuple: the layer keeps the shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "window": self.window}


def _half_width(window: int) -> int:
    if isinstance(window, bool) or not isinstance(window, Integral):
        raise TypeError(
            f"window={window!r} is no number of steps. Give an int of at least 1: the steps on "
            "either side of the middle one."
        )
    if window < 1:
        raise ValueError(
            f"window={window} leaves one step in each window, whose standard deviation is 0. Give "
            "an int of at least 1: the steps on either side of the middle one."
        )
    return int(window)
