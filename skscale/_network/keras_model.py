"""A network as Keras layers that are seen by name, for a model of its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._keras.objects import KerasConfig, keras_object
from skscale._network.custom_layers import build_model, custom_variables
from skscale._network.hidden_layers import hidden_and_output
from skscale._network.spec import BATCH_EPSILON, NetworkSpec

# Names that layers around a network have; a user's layer of such a name gets another one.
LAYER_NAMES = (
    "features",
    "selection",
    "normalization",
    "batch_normalization",
    "scaling",
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
) -> list[Any]:
    """Build a network in Keras, from normalized features to its outputs.

    Initializers, regularizers, constraints and activations are those of the spec, so that the
    layers can go on to be trained. What draws takes its seeds from Python's generator, as in
    Keras; see `skscale._keras.layer_configs.seeded_keras`.

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

    Returns
    -------
    layers : list of keras.layers.Layer
        Batch statistics if there are any, the scaling layer, hidden layers, the output. They are
        built where there are weights.
    """
    front = [_scaling_layer(spec, dtype, suffix)]
    if spec.batch_normalization:
        front.insert(0, _batch_normalization(dtype, suffix))
    n_trained = 1 + spec.center
    own: Any = None
    if weights is not None:
        statistics = weights[len(spec.parameters) :]
        n_moving = 2 if spec.batch_normalization else 0
        _assign(front, [*statistics[:n_moving], *weights[:n_trained]], spec.n_features)
        own = [*weights[n_trained : len(spec.parameters)], *statistics[n_moving:]]
    if spec.body is not None:
        return [*front, *_body_layers(spec.body.config, own, dtype, suffix)]
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
    )
    if own is not None:
        _assign(layers, own, spec.n_features)
    return [*front, *layers]


def _batch_normalization(dtype: str | None, suffix: str) -> Any:
    import keras

    return keras.layers.BatchNormalization(
        center=False,
        scale=False,
        epsilon=BATCH_EPSILON,
        name=f"batch_normalization{suffix}",
        dtype=dtype,
    )


def _scaling_layer(spec: NetworkSpec, dtype: str | None, suffix: str) -> Any:
    from skscale.layers import CenteringScalingLayer, ScalingLayer

    families = {
        "initializer": spec.initializers,
        "regularizer": spec.regularizers,
        "constraint": spec.constraints,
    }
    options = {
        f"{role}_{kind}": keras_object(f"{kind}s", configs[role])
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


def _body_layers(
    config: KerasConfig, weights: Sequence[np.ndarray] | None, dtype: str | None, suffix: str
) -> list[Any]:
    """Build layers of the user's own one by one, with names that are free in a larger model."""
    import keras

    config = copy.deepcopy(config)
    for layer in config["config"]["layers"]:
        name = layer["config"].get("name")
        if name is not None:
            prefix = "network_" if name in LAYER_NAMES else ""
            layer["config"]["name"] = f"{prefix}{name}{suffix}"
    model = build_model(config, dtype or keras.config.floatx())
    if weights is not None:
        for variable, array in zip(custom_variables(model), weights, strict=True):
            variable.assign(array)
    return model.layers


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

    layers = network_layers(spec, weights, dtype=dtype)
    return keras.Sequential([keras.Input((spec.n_features,), dtype=dtype), *layers])
