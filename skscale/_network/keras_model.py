"""A network as named Keras layers, and as one Keras model."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from skscale._keras.objects import keras_object
from skscale._keras.seeds import KerasSeeds, is_known
from skscale._network.custom_layers import build_model, custom_variables
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.embedding import embedding_layer
from skscale._network.hidden_layers import hidden_and_output
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import BATCH_EPSILON, NetworkSpec

# Names that layers around a network have; a user's layer of such a name gets another one.
LAYER_NAMES = (
    "features",
    "selection",
    "normalization",
    "batch_normalization",
    "scaling",
    "embedding",
    "logit_0",
    "logit_1",
    "logits",
    "probabilities",
    "average",
    "denormalization",
)


def network_layers(
    spec: NetworkSpec,
    weights: Sequence[np.ndarray] | None = None,
    *,
    dtype: str | None = None,
    suffix: str = "",
    seeds: KerasSeeds | None = None,
) -> list[Any]:
    """Build a network in Keras, from normalized features to its outputs.

    Initializers, regularizers, constraints and activations are those of the spec, so that the
    layers can go on to be trained.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of ndarray or None, default=None
        Its weights, in the order of `spec.arrays`. None leaves them to be drawn.
    dtype : {"float32", "float64"} or None, default=None
        Precision; None is that of Keras.
    suffix : str, default=""
        End of the names of the layers.
    seeds : KerasSeeds or None, default=None
        Seeds of what has none, as `explicit_seeds` gives them; None lets Keras draw them from
        Python's generator.

    Returns
    -------
    layers : list of keras.layers.Layer
        Batch statistics if there are any, the scaling layer, hidden layers, the output. They are
        built where there are weights.
    """
    front = [_scaling_layer(spec, dtype, suffix, seeds)]
    if spec.batch_normalization:
        front.insert(0, _batch_normalization(dtype, suffix))
    layer_weights = None
    if weights is not None:
        arrays = spec.split(weights)
        _assign(front, [*arrays.moving, *arrays.scaling], spec.n_features)
        layer_weights = [*arrays.layers, *arrays.statistics]
    return [*front, *_layers_behind(spec, layer_weights, dtype, suffix, seeds)]


@contextmanager
def explicit_seeds(spec: NetworkSpec) -> Iterator[KerasSeeds]:
    """Give seeds for the model of a network, behind a guard if it runs code of the user's own."""
    seeds = KerasSeeds(0)
    with seeds.guard(needed=not is_known(asdict(spec))):
        yield seeds


@functools.singledispatch
def _layers_behind(
    spec: NetworkSpec,
    weights: Sequence[np.ndarray] | None,
    dtype: str | None,
    suffix: str,
    seeds: KerasSeeds | None,
) -> list[Any]:
    """Build what stands behind the scaling layer, with its weights if there are any."""
    raise NotImplementedError(type(spec))


@_layers_behind.register
def _(
    spec: DenseSpec,
    weights: Sequence[np.ndarray] | None,
    dtype: str | None,
    suffix: str,
    seeds: KerasSeeds | None,
) -> list[Any]:
    layers = hidden_and_output(
        spec.hidden_layer_sizes,
        spec.n_outputs,
        hidden_layer=spec.hidden_layer,
        dropout=spec.dropout,
        use_bias=spec.use_bias,
        activations=(spec.activation, spec.output_activation),
        initializers=spec.initializers,
        regularizers=spec.regularizers,
        constraints=spec.constraints,
        dtype=dtype,
        suffix=suffix,
        seeds=seeds,
    )
    if isinstance(spec.embedding, PeriodicSpec):
        named = {"name": f"embedding{suffix}", "dtype": dtype}
        layers.insert(0, embedding_layer(spec.embedding, seeds=seeds, **named))
    if weights is not None:
        _assign(layers, weights, spec.n_features)
    return layers


@_layers_behind.register
def _(
    spec: CustomSpec,
    weights: Sequence[np.ndarray] | None,
    dtype: str | None,
    suffix: str,
    seeds: KerasSeeds | None,
) -> list[Any]:
    import keras

    # One layer after the other, with names that are free in a larger model.
    config = copy.deepcopy(spec.custom_layers.config)
    for layer in config["config"]["layers"]:
        name = layer["config"].get("name")
        if name is not None:
            prefix = "network_" if name in LAYER_NAMES else ""
            layer["config"]["name"] = f"{prefix}{name}{suffix}"
    model = build_model(config, dtype or keras.config.floatx(), seeds=seeds)
    if weights is not None:
        for variable, array in zip(custom_variables(model), weights, strict=True):
            variable.assign(array)
    return model.layers


def _batch_normalization(dtype: str | None, suffix: str) -> Any:
    import keras

    return keras.layers.BatchNormalization(
        center=False,
        scale=False,
        epsilon=BATCH_EPSILON,
        name=f"batch_normalization{suffix}",
        dtype=dtype,
    )


def _scaling_layer(
    spec: NetworkSpec, dtype: str | None, suffix: str, seeds: KerasSeeds | None
) -> Any:
    from skscale.layers import CenteringScalingLayer, ScalingLayer

    build = keras_object if seeds is None else seeds.build
    families = {
        "initializer": spec.initializers,
        "regularizer": spec.regularizers,
        "constraint": spec.constraints,
    }
    options = {
        f"{role}_{kind}": build(f"{kind}s", configs[role])
        for kind, configs in families.items()
        for role in ("scale", "center")[: 1 + spec.center]
        if role in configs
    }
    layer = CenteringScalingLayer if spec.center else ScalingLayer
    return layer(**options, name=f"scaling{suffix}", dtype=dtype)


def _assign(layers: Sequence[Any], weights: Sequence[np.ndarray], n_features: int) -> None:
    """Build one layer after the other, and give each its weights."""
    remaining, shape = iter(weights), (None, n_features)
    for layer in layers:
        layer.build(shape)
        layer.set_weights([next(remaining) for _ in layer.weights])
        shape = layer.compute_output_shape(shape)


def keras_network(spec: NetworkSpec, weights: Sequence[np.ndarray], *, dtype: str) -> Any:
    """Build a network as one Keras model on normalized features.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of ndarray
        Its weights, in the order of `spec.arrays`.
    dtype : {"float32", "float64"}
        Precision.

    Returns
    -------
    model : keras.Sequential
        `custom_layers.custom_variables` gives its variables in the order of `spec.arrays`.
    """
    import keras

    with explicit_seeds(spec) as seeds:
        layers = network_layers(spec, weights, dtype=dtype, seeds=seeds)
        return keras.Sequential([keras.Input((spec.n_features,), dtype=dtype), *layers])
