"""The inverse of Keras' Normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from skscale.layers._moments import fixed_moments, representable
from skscale.layers._vector_weights import Shape


@keras.saving.register_keras_serializable(package="skscale")
class Denormalization(keras.layers.Layer):
    """Undo `keras.layers.Normalization`: ``x = z * max(sd, epsilon) + mean``.

    The layer takes what ``Normalization`` takes, mean and variance or data to `adapt` to, and
    makes of its outputs the inputs again. It turns a network that learns a normalized target into
    a model that predicts in the units of the target.

    Parameters
    ----------
    axis : int, sequence of int or None, default=-1
        The axis or axes that have a mean and a variance for each index; None for one mean and one
        variance of everything.
    mean : float, array-like or None, default=None
        The mean that was subtracted: of the shape of the axes in `axis`, or broadcastable to it.
        None leaves it to `adapt`.
    variance : float, array-like or None, default=None
        The variance, not negative, of the shape of `mean`. Give both or none.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``.

    Attributes
    ----------
    mean, variance : keras.Variable of the shape of the axes in `axis`, or None
        The numbers, not trainable, in the variable dtype of the layer's dtype policy; NaN until
        they are known, None until the layer is built.

    Raises
    ------
    ValueError
        If one of `mean` and `variance` is given without the other, if their shapes differ or do
        not fit the input, or if they hold numbers that are not finite, or negative variances; if
        the layer is called on data before its mean is known.
    TypeError
        If `mean` or `variance` hold something other than real numbers.

    See Also
    --------
    keras.layers.Normalization : The layer that is undone; its ``invert=True`` has the same
        formula, but applies mean 0 and variance 1 before it is adapted.
    AffineNormalization : Without a smallest standard deviation; for other centres and scales.

    Notes
    -----
    ``Normalization`` divides by ``max(sd, epsilon)``, where epsilon is
    ``keras.config.epsilon()``, 1e-7 unless it was set. This layer multiplies by that very number
    and not by the standard deviation. So ``Denormalization()(Normalization()(x))`` is ``x``, but
    for rounding, on any data: for features that are constant, whose normalized value is 0, and
    for those with standard deviations below epsilon, whose normalized values are small. What a
    network predicts for a constant feature is its constant, within 1e-7 of the network's output.

    A mean or variance of Python floats is rounded to ``keras.config.floatx()`` also in a float64
    layer, because ``Normalization`` rounds it: give both layers arrays of float64.

    Two layers share their numbers when both adapt to the same data, both get the same `mean` and
    `variance`, or by ``denormalization.set_weights(normalization.get_weights()[:2])``, once both
    are built.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import Denormalization
    >>> data = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> normalization, denormalization = keras.layers.Normalization(), Denormalization()
    >>> normalization.adapt(data)
    >>> denormalization.adapt(data)
    >>> z = normalization(data)
    >>> keras.ops.convert_to_numpy(z).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    >>> keras.ops.convert_to_numpy(denormalization(z)).tolist()
    [[1.0, 5.0], [3.0, 5.0]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis if axis is None or isinstance(axis, int) else tuple(axis)
        self._axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self._moments = fixed_moments(mean, variance, self.variable_dtype)
        self._is_known = False
        self.mean: Any = None
        self.variance: Any = None
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create mean and variance, NaN unless they were given, for the kept axes."""
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self._axes):
            raise ValueError(
                f"Denormalization {self.name!r} has axis={self.axis}, but input shape "
                f"{tuple(input_shape)} has {ndim} axes. Give axes in [-{ndim}, {ndim})."
            )
        lengths = tuple(input_shape[axis] for axis in self._kept(ndim))
        if None in lengths:
            raise ValueError(
                f"Denormalization {self.name!r} has a mean for each index of axis={self.axis} and "
                f"needs to know its length. Got input shape {tuple(input_shape)}. Give the length, "
                "for example keras.Input((n_features,))."
            )
        for name, value in self._initial(lengths).items():
            # An initializer, because Keras may build while it traces and assign nothing then.
            start = keras.initializers.Constant(value)
            weight = self.add_weight(name=name, shape=lengths, initializer=start, trainable=False)
            setattr(self, name, weight)
        self.input_spec = keras.layers.InputSpec(
            min_ndim=max((axis + 1 if axis >= 0 else -axis for axis in self._axes), default=0),
            axes={axis: input_shape[axis] for axis in self._axes},
        )

    def adapt(self, data: Any) -> None:
        """Take mean and variance of `data`, as `keras.layers.Normalization` does.

        Parameters
        ----------
        data : ndarray, tensor, tf.data.Dataset or keras.utils.PyDataset
            The numbers before they are normalized; a dataset in batches, of inputs or of tuples
            that begin with them. Earlier data are forgotten.

        Raises
        ------
        ValueError
            If the layer was given its mean and variance; if the data have another shape than
            the layer was built on; if their mean or variance is NaN or too large for the dtype.
        """
        if self._moments is not None:
            raise ValueError(
                f"Denormalization {self.name!r} was given its mean and variance and does not adapt "
                "to data. Leave both out: Denormalization().adapt(data)."
            )
        # Keras computes, so that both layers have the same numbers to the last bit.
        twin = keras.layers.Normalization(axis=self.axis, dtype=self.dtype_policy)
        with np.errstate(over="ignore"):
            twin.adapt(data)
        if not self.built:
            self.build(twin.get_build_config()["input_shape"])
        for name, value in zip(("mean", "variance"), twin.get_weights(), strict=False):
            weight = getattr(self, name)
            if value.shape != tuple(weight.shape):
                raise ValueError(
                    f"Denormalization {self.name!r} was built for a {name} of shape "
                    f"{tuple(weight.shape)}; the data have one of shape {value.shape}. Adapt a new "
                    "layer to them."
                )
            weight.assign(representable(name, value, self.variable_dtype))

    def call(self, inputs: Any) -> Any:
        """Return ``inputs * max(sd, epsilon) + mean``, in the compute dtype."""
        self._check_known()
        ops = keras.ops
        shape = [1] * len(inputs.shape)
        for position, length in zip(self._kept(len(shape)), self.mean.shape, strict=True):
            shape[position] = length
        # The operations of Normalization in its order, so that they cancel.
        variance = ops.cast(ops.reshape(self.variance, shape), self.compute_dtype)
        mean = ops.cast(ops.reshape(self.mean, shape), self.compute_dtype)
        deviation = ops.maximum(ops.sqrt(variance), keras.config.epsilon())
        return ops.add(mean, ops.multiply(ops.cast(inputs, self.compute_dtype), deviation))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` as a tuple: the layer keeps the shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, arrays as lists; what was adapted is in the weights."""
        moments = {name: value.tolist() for name, value in (self._moments or {}).items()}
        axis = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        return {**super().get_config(), "axis": axis, "mean": None, "variance": None, **moments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Denormalization:
        """Make the layer that `get_config` described, to the last bit."""
        # A list of floats would be rounded; what the config holds is rounded already.
        moments = {
            name: np.asarray(config[name], dtype=np.float64)
            for name in ("mean", "variance")
            if config.get(name) is not None
        }
        return super().from_config({**config, **moments})

    def _kept(self, ndim: int) -> list[int]:
        return sorted(axis % ndim for axis in self._axes)

    def _initial(self, lengths: tuple[int | None, ...]) -> dict[str, Any]:
        if self._moments is None:
            return dict.fromkeys(("mean", "variance"), np.nan)
        shape = self._moments["mean"].shape
        pairs = zip(reversed(shape), reversed(lengths), strict=False)
        if len(shape) > len(lengths) or any(size not in (1, length) for size, length in pairs):
            raise ValueError(
                f"Denormalization {self.name!r} was given a mean and a variance of shape {shape}, "
                f"but axis={self.axis} of its input has shape {lengths}. Give one number, or one "
                "for each index."
            )
        return dict(self._moments)

    def _check_known(self) -> None:
        # Read once; weights may have come from anywhere, so no method is there to note them.
        if not self._is_known and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Also while a function is traced, where variables have no value otherwise.
            with tf.init_scope():
                self._is_known = bool(np.isfinite(keras.ops.convert_to_numpy(self.variance)).all())
            if not self._is_known:
                raise ValueError(
                    f"Denormalization {self.name!r} does not know its mean and variance yet. Call "
                    "adapt(data) on the layer first, give it mean= and variance=, or load weights."
                )
