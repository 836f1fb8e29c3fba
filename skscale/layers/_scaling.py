"""A factor, and an offset, for each feature that are trained."""

from __future__ import annotations

from typing import Any

import keras

from skscale.layers._vector_weights import Choice, Shape, vector_initializer, vector_regularizer


@keras.saving.register_keras_serializable(package="skscale")
class ScalingLayer(keras.layers.Layer):
    """Multiply each feature by a factor that is trained: ``h = s * x``.

    The features are the last axis of the input; ``s`` is one vector of shape ``(n_features,)``,
    shared by all leading axes.

    Parameters
    ----------
    scale_initializer : str, dict, callable or None, default="ones"
        Where the factors start, as Keras takes it: a name, a config, an instance, or a function of
        shape and dtype. None leaves the choice to Keras, which is ``"glorot_uniform"``.
    scale_regularizer : str, dict, callable or None, default=None
        Penalty on the factors, added to the loss of the model, as Keras takes it.
    scale_constraint : str, dict, callable or None, default=None
        Projection of the factors after each optimizer step, as Keras takes it. A norm is that of
        the whole vector: ``"max_norm"`` bounds all factors together.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``, ``trainable``,
        ``activity_regularizer``.

    Attributes
    ----------
    scale : keras.Variable of shape (n_features,) or None
        The factors, in the variable dtype of the layer's dtype policy; None until the layer is
        built.

    Raises
    ------
    ValueError
        If an initializer or regularizer is unknown, or needs a matrix (``"identity"``,
        ``"orthogonal"``); if the layer is built on an unknown number of features.

    See Also
    --------
    CenteringScalingLayer : The same with a trained offset.
    keras.layers.Normalization : Factors and offsets from statistics of the data, not trained.

    Notes
    -----
    Initializers that depend on the size of a layer take both fans of a vector to be its length
    (``compute_fans`` in Keras' ``random_initializers``): ``"glorot_uniform"`` draws the factors
    from ``[-sqrt(3 / n_features), sqrt(3 / n_features)]``, of either sign.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import ScalingLayer
    >>> layer = ScalingLayer(scale_initializer=keras.initializers.Constant(0.5))
    >>> keras.ops.convert_to_numpy(layer(np.array([[1.0, 2.0, 4.0]]))).tolist()
    [[0.5, 1.0, 2.0]]

    In front of a network, one trained factor for each of ten inputs:

    >>> hidden = [keras.layers.Dense(10, activation="tanh") for _ in range(3)]
    >>> model = keras.Sequential([keras.Input((10,)), ScalingLayer(), *hidden])
    >>> model.count_params()
    340
    """

    def __init__(
        self,
        *,
        scale_initializer: Choice = "ones",
        scale_regularizer: Choice = None,
        scale_constraint: Choice = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scale_initializer = vector_initializer("scale_initializer", scale_initializer)
        self.scale_regularizer = vector_regularizer("scale_regularizer", scale_regularizer)
        self.scale_constraint = keras.constraints.get(scale_constraint)
        self.scale = None
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=1)

    def build(self, input_shape: Shape) -> None:
        """Create the factors, one for each entry of the last axis of `input_shape`."""
        n_features = input_shape[-1] if input_shape else None
        if n_features is None:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} has one factor for each feature and needs to "
                "know the length of the last axis of its input. Got input shape "
                f"{input_shape}. Give the number of features, for example "
                "keras.Input((n_features,))."
            )
        self.scale = self.add_weight(
            name="scale",
            shape=(n_features,),
            initializer=self.scale_initializer,
            regularizer=self.scale_regularizer,
            constraint=self.scale_constraint,
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=1, axes={-1: n_features})

    def call(self, inputs: Any) -> Any:
        """Return ``s * inputs``, of the shape of `inputs` and in the compute dtype."""
        return keras.ops.multiply(inputs, self.scale)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` as a tuple: the layer keeps the shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, Keras objects as their serialized configs."""
        return {
            **super().get_config(),
            "scale_initializer": keras.initializers.serialize(self.scale_initializer),
            "scale_regularizer": keras.regularizers.serialize(self.scale_regularizer),
            "scale_constraint": keras.constraints.serialize(self.scale_constraint),
        }


@keras.saving.register_keras_serializable(package="skscale")
class CenteringScalingLayer(ScalingLayer):
    """Multiply each feature by a factor and add an offset, both trained: ``h = s * x + t``.

    The features are the last axis of the input; ``s`` and ``t`` are vectors of shape
    ``(n_features,)``, shared by all leading axes. Among the weights ``s`` comes first.

    Parameters
    ----------
    scale_initializer, scale_regularizer, scale_constraint : str, dict, callable or None
        Start, penalty and projection of the factors, as in `ScalingLayer`; the defaults are
        ``"ones"``, None and None.
    center_initializer : str, dict, callable or None, default="zeros"
        Where the offsets start, as Keras takes it: a name, a config, an instance, or a function of
        shape and dtype. None leaves the choice to Keras, which is ``"glorot_uniform"``.
    center_regularizer : str, dict, callable or None, default=None
        Penalty on the offsets, added to the loss of the model, as Keras takes it.
    center_constraint : str, dict, callable or None, default=None
        Projection of the offsets after each optimizer step, as Keras takes it. A norm is that of
        the whole vector.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``, ``trainable``,
        ``activity_regularizer``.

    Attributes
    ----------
    scale : keras.Variable of shape (n_features,) or None
        The factors, in the variable dtype of the layer's dtype policy; None until the layer is
        built.
    center : keras.Variable of shape (n_features,) or None
        The offsets, in units of the output; None until the layer is built.

    Raises
    ------
    ValueError
        If an initializer or regularizer is unknown, or needs a matrix (``"identity"``,
        ``"orthogonal"``); if the layer is built on an unknown number of features.

    See Also
    --------
    ScalingLayer : The same without an offset.
    keras.layers.BatchNormalization : Factors and offsets behind statistics of each batch.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import CenteringScalingLayer
    >>> layer = CenteringScalingLayer(center_initializer=keras.initializers.Constant(-2.0))
    >>> keras.ops.convert_to_numpy(layer(np.array([[1.0, 2.0, 4.0]]))).tolist()
    [[-1.0, 0.0, 2.0]]
    >>> [weight.name for weight in layer.weights]
    ['scale', 'center']

    In front of a network, one trained factor and one offset for each of ten inputs:

    >>> hidden = [keras.layers.Dense(10, activation="tanh") for _ in range(3)]
    >>> model = keras.Sequential([keras.Input((10,)), CenteringScalingLayer(), *hidden])
    >>> model.count_params()
    350
    """

    def __init__(
        self,
        *,
        scale_initializer: Choice = "ones",
        scale_regularizer: Choice = None,
        scale_constraint: Choice = None,
        center_initializer: Choice = "zeros",
        center_regularizer: Choice = None,
        center_constraint: Choice = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            scale_initializer=scale_initializer,
            scale_regularizer=scale_regularizer,
            scale_constraint=scale_constraint,
            **kwargs,
        )
        self.center_initializer = vector_initializer("center_initializer", center_initializer)
        self.center_regularizer = vector_regularizer("center_regularizer", center_regularizer)
        self.center_constraint = keras.constraints.get(center_constraint)
        self.center = None

    def build(self, input_shape: Shape) -> None:
        """Create the factors and the offsets, one of each for each entry of the last axis."""
        super().build(input_shape)
        self.center = self.add_weight(
            name="center",
            shape=(input_shape[-1],),
            initializer=self.center_initializer,
            regularizer=self.center_regularizer,
            constraint=self.center_constraint,
        )

    def call(self, inputs: Any) -> Any:
        """Return ``s * inputs + t``, of the shape of `inputs` and in the compute dtype."""
        return keras.ops.add(super().call(inputs), self.center)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, Keras objects as their serialized configs."""
        return {
            **super().get_config(),
            "center_initializer": keras.initializers.serialize(self.center_initializer),
            "center_regularizer": keras.regularizers.serialize(self.center_regularizer),
            "center_constraint": keras.constraints.serialize(self.center_constraint),
        }
