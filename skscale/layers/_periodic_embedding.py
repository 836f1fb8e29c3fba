"""Waves of each feature beside the feature, whose frequencies and phases are trained."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras

from skscale._keras.initializers import periodic_initializers
from skscale._limits import PERIODIC_LIMIT
from skscale.layers._arguments import count, positions
from skscale.layers._vector_weights import (
    Choice,
    Shape,
    add_option_weight,
    keras_initializer,
    keras_regularizer,
    option_configs,
)

_WEIGHTS = ("frequency", "phase", "kernel", "bias")

# The limit where the largest number is 65504.
_FLOAT16_LIMIT = 1e3

# What Keras cannot fill a weight with, by its number of axes. STFT by name, because it is younger
# than Keras 3 itself; it makes kernels of convolutions alone.
_NO_CUBE = ("Identity", "STFT")
_NO_MATRIX = ("STFT",)


@keras.saving.register_keras_serializable(package="skscale")
class PeriodicEmbedding(keras.layers.Layer):
    """Features and, behind them, waves of each: ``e_j = cos(2 pi (h_j w_j + b_j)) A_j + c_j``.

    Each embedded feature ``h_j`` has frequencies ``w_j``, phases ``b_j``, a kernel ``A_j`` and a
    bias ``c_j`` of its own. The output is ``[h_1, ..., h_n, e_1, ..., e_m]`` along the last axis,
    with `units` numbers in each ``e_j``: ``n_features + n_embedded * units`` in all.

    Parameters
    ----------
    n_frequencies : int, default=16
        Number of waves of each embedded feature, at least 1.
    units : int, default=3
        Number of outputs of each embedded feature, at least 1.
    frequency_scale : float, default=0.1
        Standard deviation of the frequencies at the start, in cycles per unit of the input; above
        0 and finite. Not used where `frequency_initializer` is given.
    indices : sequence of int or None, default=None
        Positions of the embedded features, counted from 0, each at most once; their embeddings
        come in this order. None embeds all.
    frequency_initializer : str, dict, callable or None, default=None
        Where the frequencies start, as Keras takes it: a name, a config, an instance, or a
        function of shape and dtype. None is a normal distribution around 0 of standard deviation
        `frequency_scale`.
    phase_initializer : str, dict, callable or None, default=None
        Where the phases start, in cycles, as Keras takes it. None is uniform over the whole cycle
        from -0.5 to 0.5.
    kernel_initializer : str, dict, callable or None, default=None
        Where ``A_j`` starts, as Keras takes it. None is a normal distribution around 0 of
        variance ``1 / n_frequencies``.
    bias_initializer : str, dict, callable or None, default=None
        Where ``c_j`` starts, as Keras takes it. None is zeros.
    frequency_regularizer, phase_regularizer : str, dict, callable or None, default=None
        Penalties on the frequencies and the phases, added to the loss of the model, as Keras
        takes them.
    kernel_regularizer, bias_regularizer : str, dict, callable or None, default=None
        Penalties on ``A`` and ``c``, as Keras takes them.
    frequency_constraint, phase_constraint : str, dict, callable or None, default=None
        Projections of the frequencies and the phases after each optimizer step, as Keras takes
        them.
    kernel_constraint, bias_constraint : str, dict, callable or None, default=None
        Projections of ``A`` and ``c`` after each optimizer step, as Keras takes them. The axis of
        a norm counts those of the whole weight, whose first one is that of the features.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``, ``trainable``,
        ``activity_regularizer``.

    Attributes
    ----------
    indices : tuple of int or None
        The positions of the embedded features; None if all are.
    frequency : keras.Variable of shape (n_embedded, n_frequencies) or None
        ``w``, in cycles per unit of the input, in the variable dtype of the layer's dtype policy;
        None until the layer is built.
    phase : keras.Variable of shape (n_embedded, n_frequencies) or None
        ``b``, in cycles; None until the layer is built.
    kernel : keras.Variable of shape (n_embedded, n_frequencies, units) or None
        ``A``; None until the layer is built.
    bias : keras.Variable of shape (n_embedded, units) or None
        ``c``; None until the layer is built.

    Raises
    ------
    ValueError
        If `n_frequencies` or `units` is below 1; if `frequency_scale` is not above 0 and finite;
        if `indices` is empty, holds a negative number or one twice; if an initializer,
        regularizer or constraint is unknown, or cannot fill or measure a weight of this shape
        (``"identity"`` for the kernel); if the layer is built on an unknown number of features,
        or on fewer than `indices` counts.
    TypeError
        If `n_frequencies`, `units` or an index is no whole number, or `frequency_scale` is no
        number.

    See Also
    --------
    SineDense : A Dense layer whose activation is a sine of trained frequency.
    ScalingLayer : One trained factor for each feature, which may stand in front.

    Notes
    -----
    A network of smooth units is slow to bend along one feature; waves of that feature, one by
    one, are quicker [1]_. Cosines with a phase, linear outputs and the feature itself beside them
    are those of [2]_.

    Inputs are best of order one, as standardized features are: a frequency of 0.1 cycles is then
    a period of ten standard deviations, a gentle curve. Higher frequencies follow finer detail and
    overfit easily. Frequencies and phases are sensitive: a tenth of the other weights' learning
    rate suits them.

    Behind a `ScalingLayer`, a factor of zero makes the embedding of its feature constant: a
    feature that a penalty has dropped stays dropped.

    The waves of a feature beyond 1e30 (1e3 in float16) are those at 1e30, so that they stay finite.

    Initializers of Keras that depend on the size of a layer count the features in, as if ``A``
    were that of a convolution: ``"glorot_uniform"`` starts smaller the more features there are.

    References
    ----------
    .. [1] Gorishniy, Rubachev & Babenko (2022). On embeddings for numerical features in tabular
       deep learning. NeurIPS 35. https://arxiv.org/abs/2203.05556
    .. [2] Holzmüller, Grinsztajn & Steinwart (2024). Better by default: strong pre-tuned MLPs and
       boosted trees on tabular data. NeurIPS 37. https://arxiv.org/abs/2407.04491

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import PeriodicEmbedding
    >>> layer = PeriodicEmbedding(
    ...     n_frequencies=1,
    ...     units=1,
    ...     indices=[1],
    ...     frequency_initializer=keras.initializers.Constant(0.25),
    ...     phase_initializer="zeros",
    ...     kernel_initializer="ones",
    ... )
    >>> x = np.array([[5.0, 0.0], [6.0, 2.0], [7.0, 4.0]])
    >>> keras.ops.convert_to_numpy(layer(x)).round(6).tolist()
    [[5.0, 0.0, 1.0], [6.0, 2.0, -1.0], [7.0, 4.0, 1.0]]

    In front of a network, three waves beside each of ten inputs:

    >>> model = keras.Sequential([keras.Input((10,)), PeriodicEmbedding()])
    >>> model.output_shape
    (None, 40)
    >>> [(weight.name, tuple(weight.shape)) for weight in model.weights]
    [('frequency', (10, 16)), ('phase', (10, 16)), ('kernel', (10, 16, 3)), ('bias', (10, 3))]
    """

    def __init__(
        self,
        n_frequencies: int = 16,
        units: int = 3,
        frequency_scale: float = 0.1,
        *,
        indices: Sequence[int] | None = None,
        frequency_initializer: Choice = None,
        phase_initializer: Choice = None,
        kernel_initializer: Choice = None,
        bias_initializer: Choice = None,
        frequency_regularizer: Choice = None,
        phase_regularizer: Choice = None,
        kernel_regularizer: Choice = None,
        bias_regularizer: Choice = None,
        frequency_constraint: Choice = None,
        phase_constraint: Choice = None,
        kernel_constraint: Choice = None,
        bias_constraint: Choice = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.n_frequencies = count("n_frequencies", n_frequencies, "wave")
        self.units = count("units", units, "output")
        self.frequency_scale = _check_scale(frequency_scale)
        self.indices = None if indices is None else _distinct(indices)
        # Objects also where the user gave None: the config of one has the seed that it draws by.
        defaults = periodic_initializers(self.n_frequencies, self.frequency_scale)
        self.frequency_initializer = _initializer("frequency", frequency_initializer, defaults)
        self.phase_initializer = _initializer("phase", phase_initializer, defaults)
        self.kernel_initializer = _initializer("kernel", kernel_initializer, defaults)
        self.bias_initializer = _initializer("bias", bias_initializer, defaults)
        self.frequency_regularizer = keras_regularizer(frequency_regularizer)
        self.phase_regularizer = keras_regularizer(phase_regularizer)
        self.kernel_regularizer = _cube_regularizer(kernel_regularizer)
        self.bias_regularizer = keras_regularizer(bias_regularizer)
        self.frequency_constraint = keras.constraints.get(frequency_constraint)
        self.phase_constraint = keras.constraints.get(phase_constraint)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.frequency = self.phase = self.kernel = self.bias = None
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=1)

    def build(self, input_shape: Shape) -> None:
        """Create the weights: frequency, phase, kernel, bias."""
        n_features, n_embedded = self._count_features(input_shape)
        self.frequency = add_option_weight(self, "frequency", (n_embedded, self.n_frequencies))
        self.phase = add_option_weight(self, "phase", (n_embedded, self.n_frequencies))
        self.kernel = add_option_weight(
            self, "kernel", (n_embedded, self.n_frequencies, self.units)
        )
        self.bias = add_option_weight(self, "bias", (n_embedded, self.units))
        self.input_spec = keras.layers.InputSpec(min_ndim=1, axes={-1: n_features})

    def _count_features(self, input_shape: Shape) -> tuple[int, int]:
        """Count all features, and those that are embedded."""
        n_features = input_shape[-1] if input_shape else None
        if n_features is None:
            raise ValueError(
                f"PeriodicEmbedding {self.name!r} has waves of its own for each feature and needs "
                f"to know the length of the last axis of its input. Got input shape {input_shape}. "
                "Give the number of features, for example keras.Input((n_features,))."
            )
        if self.indices is None:
            return n_features, n_features
        if max(self.indices) >= n_features:
            raise ValueError(
                f"PeriodicEmbedding {self.name!r} embeds feature {max(self.indices)}, counted from "
                f"0, and needs a last axis that is longer than that. Got input shape {input_shape}."
                f" Give indices below {n_features}, or None for all features."
            )
        return n_features, len(self.indices)

    def call(self, inputs: Any) -> Any:
        """Return the features and behind them their embeddings, in the compute dtype."""
        ops = keras.ops
        inputs = ops.cast(inputs, self.compute_dtype)
        embedded = inputs
        if self.indices is not None:
            embedded = ops.take(inputs, list(self.indices), axis=-1)
        limit = _FLOAT16_LIMIT if self.compute_dtype == "float16" else PERIODIC_LIMIT
        embedded = ops.clip(embedded, -limit, limit)
        cycles = ops.expand_dims(embedded, -1) * self.frequency + self.phase
        waves = ops.cos(2 * math.pi * cycles)
        # By letters, as not every reader of an exported graph knows the three dots.
        rows = string.ascii_uppercase[: len(inputs.shape) - 1]
        outputs = ops.einsum(f"{rows}jk,jku->{rows}ju", waves, self.kernel) + self.bias
        n_outputs = outputs.shape[-2] * self.units
        outputs = ops.reshape(outputs, (*ops.shape(inputs)[:-1], n_outputs))
        return ops.concatenate([inputs, outputs], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` with a last axis that holds the embeddings too."""
        n_features, n_embedded = self._count_features(input_shape)
        return (*input_shape[:-1], n_features + n_embedded * self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, Keras objects as their serialized configs."""
        config = {
            **super().get_config(),
            "n_frequencies": self.n_frequencies,
            "units": self.units,
            "frequency_scale": self.frequency_scale,
            "indices": None if self.indices is None else list(self.indices),
        }
        return {**config, **option_configs(self, _WEIGHTS)}


def _initializer(weight: str, value: Choice, defaults: dict[str, Choice]) -> Any:
    initializer = keras_initializer(defaults[weight] if value is None else value)
    is_cube = weight == "kernel"
    for name in _NO_CUBE if is_cube else _NO_MATRIX:
        if isinstance(initializer, getattr(keras.initializers, name, ())):
            shape = _SHAPES[weight]
            raise ValueError(
                f"{weight}_initializer={value!r} cannot fill a weight of shape {shape}. Use an "
                "initializer that fills any shape, for example 'zeros', 'glorot_uniform' or "
                "keras.initializers.RandomNormal(stddev=0.1), or None."
            )
    return initializer


def _cube_regularizer(value: Choice) -> Any:
    regularizer = keras_regularizer(value)
    if isinstance(regularizer, keras.regularizers.OrthogonalRegularizer):
        raise ValueError(
            f"kernel_regularizer={value!r} measures a matrix, but the weight has the shape "
            f"{_SHAPES['kernel']}. Use a regularizer that takes any shape, for example 'l1', "
            "'l2', 'l1_l2', or None."
        )
    return regularizer


_SHAPES = {
    "frequency": "(n_embedded, n_frequencies)",
    "phase": "(n_embedded, n_frequencies)",
    "kernel": "(n_embedded, n_frequencies, units)",
    "bias": "(n_embedded, units)",
}


def _check_scale(scale: float) -> float:
    allowed = "Give a finite number above 0: the standard deviation of the first frequencies."
    if isinstance(scale, bool) or not isinstance(scale, Real):
        raise TypeError(f"frequency_scale={scale!r} is no number. {allowed}")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"frequency_scale={scale!r} spreads no frequencies. {allowed}")
    return float(scale)


def _distinct(indices: Sequence[int]) -> tuple[int, ...]:
    distinct = positions(indices)
    if not distinct:
        raise ValueError(
            "indices is empty and would embed no feature. Give at least one int, or None for all "
            "features."
        )
    if len({*distinct}) < len(distinct):
        raise ValueError(
            f"indices={list(distinct)!r} holds a feature twice. Give each feature once; "
            "n_frequencies and units make an embedding larger."
        )
    return distinct
