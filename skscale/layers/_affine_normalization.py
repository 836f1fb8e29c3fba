"""A fixed affine map of each feature, exact on any scale, and its inverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from skscale.layers._vector_weights import Shape


@keras.saving.register_keras_serializable(package="skscale")
class AffineNormalization(keras.layers.Layer):
    """Bring each feature to another unit: ``z = (x - center) * scale + shift``, or back.

    The features are the last axis of the input. The centre is subtracted before anything is
    multiplied, so a feature far from zero keeps its digits, and no scale is raised to a minimum.
    Nothing is trained.

    Parameters
    ----------
    center : array-like of shape (n_features,)
        What is subtracted first, in the units of ``x``.
    scale : array-like of shape (n_features,)
        The factors; they multiply. A feature with factor 0 becomes its `shift`.
    shift : array-like of shape (n_features,) or None, default=None
        What is added last, in the units of ``z``; None adds nothing.
    invert : bool, default=False
        Whether inputs are ``z`` and outputs ``x = (z - shift) / scale + center``. A feature with
        factor 0 becomes its `center`.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``.

    Attributes
    ----------
    center, scale : keras.Variable of shape (n_features,) or None
        The vectors, not trainable, in the variable dtype of the layer's dtype policy; None until
        the layer is built.
    shift : keras.Variable of shape (n_features,) or None
        The same for `shift`; None without one.

    Raises
    ------
    ValueError
        If the vectors are not one-dimensional, differ in length, are empty, hold NaN or infinity,
        or numbers that the dtype of the layer cannot; if the layer is built on another number of
        features.
    TypeError
        If the vectors hold something other than real numbers.

    See Also
    --------
    keras.layers.Normalization : Takes its numbers from data, and no standard deviation below
        ``keras.config.epsilon()``.
    keras.layers.Rescaling : One factor and one offset, multiplied before it adds.
    CenteringScalingLayer : Factors and offsets that are trained.

    Notes
    -----
    The map is that of a scikit-learn scaler: for a fitted ``StandardScaler``, ``center=mean_`` and
    ``scale=1 / scale_``. The vectors are weights, so ``model.save`` and ``model.export`` keep them
    to the last bit; they are in the config as well, so the layer can be made again from that.

    In float32 ``x`` and `center` are rounded to 7 digits each, which a small difference of the two
    feels: use ``dtype="float64"`` for features far from zero.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import AffineNormalization
    >>> to_celsius = AffineNormalization(center=[32.0], scale=[5 / 9], dtype="float64")
    >>> keras.ops.convert_to_numpy(to_celsius(np.array([[212.0], [32.0]]))).round(6).tolist()
    [[100.0], [0.0]]
    >>> to_fahrenheit = AffineNormalization([32.0], [5 / 9], invert=True, dtype="float64")
    >>> keras.ops.convert_to_numpy(to_fahrenheit(np.array([[100.0], [0.0]]))).round(6).tolist()
    [[212.0], [32.0]]
    """

    def __init__(
        self,
        center: ArrayLike,
        scale: ArrayLike,
        shift: ArrayLike | None = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        vectors = {"center": center, "scale": scale, "shift": shift}
        self._vectors = _checked_vectors(
            {name: vector for name, vector in vectors.items() if vector is not None},
            self.variable_dtype,
        )
        self.invert = bool(invert)
        self.center = self.scale = self.shift = None
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=1)

    def build(self, input_shape: Shape) -> None:
        """Create the weights, after a check that there is one of each for each feature."""
        n_features = input_shape[-1] if input_shape else None
        length = len(self._vectors["center"])
        if n_features != length:
            raise ValueError(
                f"AffineNormalization {self.name!r} was given a center and a scale for {length} "
                f"features, counted along the last axis. Got input shape {input_shape}. Give "
                "vectors with one number for each feature."
            )
        for name, vector in self._vectors.items():
            # An initializer, because Keras may build while it traces and assign nothing then.
            start = keras.initializers.Constant(vector)
            weight = self.add_weight(name=name, shape=(length,), initializer=start, trainable=False)
            setattr(self, name, weight)
        self.input_spec = keras.layers.InputSpec(min_ndim=1, axes={-1: length})

    def call(self, inputs: Any) -> Any:
        """Return the mapped features, in the compute dtype."""
        ops = keras.ops
        inputs = ops.cast(inputs, self.compute_dtype)
        if not self.invert:
            outputs = ops.multiply(ops.subtract(inputs, self.center), self.scale)
            return outputs if self.shift is None else ops.add(outputs, self.shift)
        outputs = inputs if self.shift is None else ops.subtract(inputs, self.shift)
        scale = ops.convert_to_tensor(self.scale)
        # Dividing by infinity is what leaves the centre.
        divisor = ops.where(scale == 0, ops.full_like(scale, np.inf), scale)
        return ops.add(ops.divide(outputs, divisor), self.center)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` as a tuple: the layer keeps the shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, the vectors as lists of floats."""
        vectors = {name: vector.tolist() for name, vector in self._vectors.items()}
        return {**super().get_config(), "shift": None, **vectors, "invert": self.invert}


def _checked_vectors(values: Mapping[str, ArrayLike], dtype: str) -> dict[str, np.ndarray]:
    vectors = {name: _vector(name, value) for name, value in values.items()}
    shapes = {name: vector.shape for name, vector in vectors.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"AffineNormalization takes vectors of one length, one number for each feature. Got "
            f"shapes {shapes}."
        )
    limits = _limits(dtype)
    largest, smallest = float(limits.max), float(limits.tiny)
    for name, vector in vectors.items():
        # A factor that is rounded to zero would make the feature constant.
        lost = (np.abs(vector) > largest) | (
            (name == "scale") & (vector != 0) & (np.abs(vector) < smallest)
        )
        if lost.any():
            where = int(np.flatnonzero(lost)[0])
            raise ValueError(
                f"{name}[{where}]={vector[where]} is beyond {dtype}, which holds magnitudes from "
                f"{smallest:.2g} to {largest:.2g}. Use dtype='float64', or give the feature in a "
                "unit of more usual magnitude."
            )
    return vectors


def _limits(dtype: str) -> Any:
    # NumPy does not know bfloat16, whose largest and smallest are those of float32 to a part in
    # a hundred.
    return np.finfo("float32" if dtype == "bfloat16" else dtype)


def _vector(name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}={value!r} is no vector of real numbers: give one float a feature.")
    if array.ndim != 1 or not array.size:
        raise ValueError(
            f"{name} must have shape (n_features,): one number for each feature, at least one. "
            f"Got shape {array.shape}."
        )
    if not np.isfinite(array).all():
        where = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name}[{where}] is {array[where]}. Give finite numbers.")
    # A copy: the caller may go on to change theirs.
    return np.array(array, dtype=np.float64)
