"""The network in TensorFlow: of one network, or of several along a leading axis."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from skscale._compiled.periodic import waves
from skscale._compiled.scaling import Scaling
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec, LayerSpec
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import BATCH_EPSILON, NetworkSpec
from skscale._network.stateless_call import stateless_call

# Keras' default of BatchNormalization.
_MOMENTUM = 0.99


@dataclass(frozen=True)
class Batch:
    """What a training step knows besides the inputs.

    Parameters
    ----------
    row_weights : tensor of shape (..., n_rows)
        Weights of the rows.
    seeds : tensor of int32 of shape (...,)
        One for each network; decides what is dropped.
    step : scalar tensor of int32
        Number of steps done before.
    """

    row_weights: Any
    seeds: Any
    step: Any


@dataclass(frozen=True)
class Outputs:
    """What a pass through the network gives.

    Parameters
    ----------
    values : tensor of shape (..., n_rows, n_outputs)
        After the output's activation.
    statistics : list of tensor
        As `NetworkSpec.statistics`, after the pass.
    penalty : tensor or None
        What Keras layers add to the loss.
    """

    values: Any
    statistics: list[Any]
    penalty: Any = None


class Layers(Protocol):
    """The layers behind the scaling layer, on tensors.

    Attributes
    ----------
    constraints : sequence of (callable or None)
        What the layers bring along for each of their trained weights, besides the constraints of
        the spec.
    """

    constraints: Sequence[Callable[[Any], Any] | None]

    def __call__(
        self,
        weights: Sequence[Any],
        statistics: Sequence[Any],
        inputs: Any,
        scaling: Scaling,
        batch: Batch | None,
    ) -> Outputs:
        """Compute outputs from normalized features, with the statistics of the layers alone."""


class Forward:
    """A network as a function of tensors.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    dtype : {"float32", "float64"}
        Precision.

    Attributes
    ----------
    constraints : sequence of (callable or None)
        As in `Layers`.
    """

    def __init__(self, spec: NetworkSpec, dtype: str):
        self._spec = spec
        self._layers = _layers(spec, dtype)
        self.constraints = self._layers.constraints

    def __call__(
        self, weights: Sequence[Any], inputs: Any, *, batch: Batch | None = None
    ) -> Outputs:
        """Run the network.

        Parameters
        ----------
        weights : sequence of tensor
            In the order of `NetworkSpec.arrays`, with or without a leading network axis.
        inputs : tensor of shape (..., n_rows, n_features)
            Normalized rows, with the same leading axis.
        batch : Batch or None, default=None
            What training knows; None at inference.

        Returns
        -------
        outputs : Outputs
            Values, statistics and penalty.
        """
        arrays = self._spec.split(weights)
        moving = list(arrays.moving)
        if self._spec.batch_normalization:
            inputs, moving = _normalized(inputs, moving, batch)
        scaling = Scaling(arrays.scaling[0], arrays.scaling[1] if self._spec.center else None)
        outputs = self._layers(arrays.layers, arrays.statistics, inputs, scaling, batch)
        return Outputs(outputs.values, [*moving, *outputs.statistics], outputs.penalty)


@functools.singledispatch
def _layers(spec: NetworkSpec, dtype: str) -> Layers:
    """Return the layers behind the scaling layer, for each kind of spec."""
    raise NotImplementedError(type(spec))


class _DenseCall:
    """Dense layers of one network, or of several along a leading axis."""

    def __init__(self, spec: DenseSpec, dtype: str):
        self._spec = spec
        self.constraints: Sequence[Callable[[Any], Any] | None] = ()

    def __call__(
        self,
        weights: Sequence[Any],
        statistics: Sequence[Any],
        inputs: Any,
        scaling: Scaling,
        batch: Batch | None,
    ) -> Outputs:
        remaining, spec = iter(weights), self._spec
        hidden, embedded = inputs, None
        if isinstance(spec.embedding, PeriodicSpec):
            arrays = [next(remaining) for _ in range(spec.embedding.n_weights)]
            embedded = waves(spec.embedding, arrays, inputs, scaling)
        for i, layer in enumerate(spec.layers):
            arrays = [next(remaining) for _ in range(layer.n_weights)]
            first = {} if i else {"scaling": scaling, "embedded": embedded}
            hidden = _layer(layer, hidden, arrays, **first)
            if spec.dropout and batch is not None and i < len(spec.hidden_layer_sizes):
                hidden = _dropped(hidden, spec.dropout, batch, i)
        return Outputs(hidden, [])


class _CustomCall:
    """Custom layers of one network."""

    def __init__(self, spec: CustomSpec, dtype: str):
        self._call = stateless_call(spec.custom_layers, dtype)
        self.constraints: Sequence[Callable[[Any], Any] | None] = self._call.constraints

    def __call__(
        self,
        weights: Sequence[Any],
        statistics: Sequence[Any],
        inputs: Any,
        scaling: Scaling,
        batch: Batch | None,
    ) -> Outputs:
        hidden = scaling.apply(inputs)
        training: dict[str, Any] = {}
        if batch is not None:
            training = {"row_weights": batch.row_weights, "seed": batch.seeds, "step": batch.step}
        return Outputs(*self._call(list(weights), statistics, hidden, **training))


_layers.register(DenseSpec, _DenseCall)
_layers.register(CustomSpec, _CustomCall)


def _layer(
    layer: LayerSpec,
    inputs: Any,
    weights: Sequence[Any],
    *,
    scaling: Scaling | None = None,
    embedded: Any | None = None,
) -> Any:
    """Compute a layer; the first one reads normalized features, and what they are embedded in."""
    import keras
    import tensorflow as tf

    kernel, *others = weights
    bias = others.pop(0) if layer.use_bias else None
    n_features, hidden = inputs.shape[-1], 0.0
    if embedded is not None:
        hidden = tf.matmul(embedded, kernel[..., n_features:, :], transpose_a=True)
        kernel = kernel[..., :n_features, :]
    if scaling is not None:
        kernel, bias = scaling.fold(kernel, bias)
    hidden += inputs @ kernel
    if bias is not None:
        hidden += bias[..., None, :]
    if layer.kind == "sine":
        return keras.ops.sin(hidden * others[0][..., None, :])
    return keras.activations.get(layer.activation)(hidden)


def _normalized(inputs: Any, moving: Sequence[Any], batch: Batch | None) -> tuple[Any, list[Any]]:
    """Batch normalization (Ioffe and Szegedy 2015) by the weighted rows, as Keras does it."""
    import tensorflow as tf

    mean, variance = moving
    if batch is not None:
        weights = batch.row_weights[..., None]
        total = tf.reduce_sum(weights, -2)
        mean = tf.math.divide_no_nan(tf.reduce_sum(weights * inputs, -2), total)
        squares = weights * (inputs - mean[..., None, :]) ** 2
        variance = tf.math.divide_no_nan(tf.reduce_sum(squares, -2), total)
        new = [
            old * _MOMENTUM + of_batch * (1 - _MOMENTUM)
            for old, of_batch in zip(moving, (mean, variance), strict=True)
        ]
        # A batch without any weight says nothing.
        moving = [tf.where(total > 0, n, o) for n, o in zip(new, moving, strict=True)]
    spread = tf.sqrt(variance[..., None, :] + BATCH_EPSILON)
    return (inputs - mean[..., None, :]) / spread, list(moving)


def _dropped(hidden: Any, rate: float, batch: Batch, layer: int) -> Any:
    """Inverted dropout (Srivastava et al. 2014), by draws that depend on seed, step and layer."""
    import tensorflow as tf

    shape = hidden.shape[-2:]
    # One stream for each network, so that a stack drops what its networks would drop alone.
    draws = [
        tf.random.stateless_uniform(shape, tf.stack([seed, batch.step * 64 + layer]))
        for seed in tf.unstack(tf.reshape(batch.seeds, [-1]))
    ]
    draw = draws[0] if len(hidden.shape) == 2 else tf.stack(draws)
    kept = tf.cast(draw >= rate, hidden.dtype)
    return hidden * kept / (1 - rate)
