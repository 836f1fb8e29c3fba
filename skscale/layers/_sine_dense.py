"""A Dense layer that ends in a sine, whose frequencies are trained."""

from __future__ import annotations

from typing import Any

import keras

from skscale.layers._arguments import count
from skscale.layers._vector_weights import (
    Choice,
    Shape,
    add_option_weight,
    keras_initializer,
    keras_regularizer,
    option_configs,
    vector_initializer,
    vector_regularizer,
)


@keras.saving.register_keras_serializable(package="skscale")
class SineDense(keras.layers.Layer):
    """Dense layer with a sine of trained frequency: ``y = sin(a * (x W + b))``.

    Each unit has a frequency ``a`` of its own. Among the weights come ``W``, then ``b`` if there
    is one, then ``a``.

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    frequency_initializer : str, dict, callable or None, default="ones"
        Where the frequencies start, as Keras takes it: a name, a config, an instance, or a
        function of shape and dtype. None leaves the choice to Keras, which is
        ``"glorot_uniform"``.
    use_bias : bool, default=True
        Whether the layer adds ``b``, a phase of ``a * b`` radians.
    kernel_initializer : str, dict, callable or None, default="glorot_uniform"
        Where ``W`` starts, as Keras takes it.
    bias_initializer : str, dict, callable or None, default="zeros"
        Where ``b`` starts, as Keras takes it.
    kernel_regularizer, bias_regularizer : str, dict, callable or None, default=None
        Penalties on ``W`` and ``b``, added to the loss of the model, as Keras takes them.
    kernel_constraint, bias_constraint : str, dict, callable or None, default=None
        Projections of ``W`` and ``b`` after each optimizer step, as Keras takes them.
    frequency_regularizer : str, dict, callable or None, default=None
        Penalty on the frequencies, as Keras takes it.
    frequency_constraint : str, dict, callable or None, default=None
        Projection of the frequencies after each optimizer step, as Keras takes it.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``, ``trainable``,
        ``activity_regularizer``.

    Attributes
    ----------
    kernel : keras.Variable of shape (n_features, units) or None
        ``W``, in the variable dtype of the layer's dtype policy; None until the layer is built.
    bias : keras.Variable of shape (units,) or None
        ``b``; None until the layer is built, and without bias.
    frequency : keras.Variable of shape (units,) or None
        ``a``, in radians for each unit of ``x W + b``; None until the layer is built.

    Raises
    ------
    ValueError
        If `units` is below 1; if an initializer, regularizer or constraint is unknown, or one of
        the bias or the frequencies needs a matrix (``"identity"``, ``"orthogonal"``); if the
        layer is built on an unknown number of features.
    TypeError
        If `units` is no whole number.

    See Also
    --------
    keras.layers.Dense : The same with an activation that has no weight of its own.
    ScalingLayer : One trained factor for each input feature.

    Notes
    -----
    A network of sines represents signals and their derivatives in fine detail [1]_. There the
    frequency is a constant, 30 in the first layer; here it is trained, as the slope of any
    activation can be [2]_. A frequency that starts high learns fast and overfits easily; for
    tables, whose features are standardized, one is a good start, which is the default.

    References
    ----------
    .. [1] Sitzmann, Martel, Bergman, Lindell & Wetzstein (2020). Implicit neural representations
       with periodic activation functions. NeurIPS 33. https://arxiv.org/abs/2006.09661
    .. [2] Jagtap, Kawaguchi & Karniadakis (2020). Adaptive activation functions accelerate
       convergence in deep and physics-informed neural networks. Journal of Computational
       Physics 404:109136. https://doi.org/10.1016/j.jcp.2019.109136

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import SineDense
    >>> layer = SineDense(1, keras.initializers.Constant(np.pi / 2), kernel_initializer="ones")
    >>> keras.ops.convert_to_numpy(layer(np.array([[0.0], [1.0], [3.0]]))).round(6).tolist()
    [[0.0], [1.0], [-1.0]]
    >>> [weight.name for weight in layer.weights]
    ['kernel', 'bias', 'frequency']
    """

    def __init__(
        self,
        units: int,
        frequency_initializer: Choice = "ones",
        use_bias: bool = True,
        kernel_initializer: Choice = "glorot_uniform",
        bias_initializer: Choice = "zeros",
        kernel_regularizer: Choice = None,
        bias_regularizer: Choice = None,
        kernel_constraint: Choice = None,
        bias_constraint: Choice = None,
        frequency_regularizer: Choice = None,
        frequency_constraint: Choice = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = count("units", units, "output")
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras_initializer(kernel_initializer)
        self.kernel_regularizer = keras_regularizer(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_initializer = vector_initializer(
            "bias_initializer", bias_initializer, each="unit"
        )
        self.bias_regularizer = vector_regularizer(
            "bias_regularizer", bias_regularizer, each="unit"
        )
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.frequency_initializer = vector_initializer(
            "frequency_initializer", frequency_initializer, each="unit"
        )
        self.frequency_regularizer = vector_regularizer(
            "frequency_regularizer", frequency_regularizer, each="unit"
        )
        self.frequency_constraint = keras.constraints.get(frequency_constraint)
        self.kernel = self.bias = self.frequency = None
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        """Create the weights: kernel, bias if there is one, frequency."""
        n_features = input_shape[-1] if input_shape else None
        if n_features is None:
            raise ValueError(
                f"SineDense {self.name!r} has one row of weights for each feature and needs to "
                f"know the length of the last axis of its input. Got input shape {input_shape}. "
                "Give the number of features, for example keras.Input((n_features,))."
            )
        self.kernel = add_option_weight(self, "kernel", (n_features, self.units))
        if self.use_bias:
            self.bias = add_option_weight(self, "bias", (self.units,))
        self.frequency = add_option_weight(self, "frequency", (self.units,))
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: n_features})

    def call(self, inputs: Any) -> Any:
        """Return ``sin(a * (inputs W + b))``, in the compute dtype."""
        outputs = keras.ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            outputs = keras.ops.add(outputs, self.bias)
        return keras.ops.sin(keras.ops.multiply(self.frequency, outputs))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` with the last axis replaced by the number of units."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, Keras objects as their serialized configs."""
        config = {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
        return {**config, **option_configs(self, ("kernel", "bias", "frequency"))}
