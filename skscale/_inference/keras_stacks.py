"""Stacks of common Keras layers in NumPy.

A stack is a Sequential model, or a Functional model in which each layer takes the outputs of the
one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skscale._inference.dense import CHUNK_ROWS, chunks
from skscale._inference.keras_layers import (
    LayerWeights,
    NeedsKerasError,
    NumPyLayer,
    Parts,
    class_name,
    layer_parts,
)
from skscale._keras.objects import KerasConfig
from skscale._network.custom_spec import CustomLayers


def numpy_layers(
    custom_layers: CustomLayers, weights: Sequence[np.ndarray], dtype: Any
) -> list[NumPyLayer] | None:
    """Return custom layers as functions of NumPy.

    Parameters
    ----------
    custom_layers : CustomLayers
        The layers.
    weights : sequence of ndarray
        Their trained weights and statistics.
    dtype : dtype
        Precision.

    Returns
    -------
    layers : list of NumPyLayer or None
        From scaled features to outputs; None where only Keras can run the layers.
    """
    remaining = LayerWeights(custom_layers, weights, dtype)
    try:
        layers = list(_parts(custom_layers.config, remaining))
    except (NeedsKerasError, LookupError, TypeError, AttributeError):
        # Too few weights, as those that are frozen are among the statistics; or a version of Keras
        # that writes its configs in another way.
        return None
    return None if remaining.are_left else layers


def stack_outputs(layers: Sequence[NumPyLayer], hidden: np.ndarray) -> np.ndarray:
    """Compute the outputs of layers.

    Parameters
    ----------
    layers : sequence of NumPyLayer
        As `numpy_layers` gives them, in the dtype of `hidden`.
    hidden : ndarray of shape (n_rows, n_features), float32 or float64
        Scaled features.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        In the dtype of `hidden`.
    """

    def run(h: np.ndarray) -> np.ndarray:
        for layer in layers:
            h = layer.forward(h)
        return h

    if len(hidden) <= CHUNK_ROWS:
        return run(hidden)
    return np.concatenate([run(hidden[rows]) for rows in chunks(len(hidden), CHUNK_ROWS)])


def stack_gradients(layers: Sequence[NumPyLayer], hidden: np.ndarray) -> np.ndarray:
    """Compute the gradients of the outputs of layers by their inputs.

    Parameters
    ----------
    layers : sequence of NumPyLayer
        As `numpy_layers` gives them, in the dtype of `hidden`.
    hidden : ndarray of shape (n_rows, n_features), float32 or float64
        Scaled features.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs, n_features)
        In the dtype of `hidden`, at kinks one-sided.
    """

    def run(h: np.ndarray) -> np.ndarray:
        inputs = []
        for layer in layers:
            inputs.append(h)
            h = layer.forward(h)
        n_rows, n_outputs = h.shape
        g = np.eye(n_outputs, dtype=h.dtype)[:, np.newaxis]
        g = np.broadcast_to(g, (n_outputs, n_rows, n_outputs))
        for layer, x in zip(reversed(layers), reversed(inputs), strict=True):
            g = layer.pull_back(x, g)
        return g.transpose(1, 0, 2)

    return np.concatenate([run(hidden[rows]) for rows in chunks(len(hidden), CHUNK_ROWS)])


def _parts(config: KerasConfig, weights: LayerWeights) -> Parts:
    if class_name(config) not in ("Sequential", "Functional"):
        yield from layer_parts(config, weights)
        return
    for layer in _chain(config["config"]):
        yield from _parts(layer, weights)


def _chain(settings: Mapping[str, Any]) -> Sequence[KerasConfig]:
    """Return the layers of a model in order; refuse a model whose layers are no chain."""
    layers = settings["layers"]
    if "output_layers" not in settings:
        return layers
    previous: str | None = None
    for layer in layers:
        calls = [_inputs(node) for node in layer["inbound_nodes"]]
        if calls != ([] if previous is None else [[[previous, 0, 0]]]):
            raise NeedsKerasError
        previous = layer["name"]
    # Older versions of Keras write a list of outputs.
    if settings["output_layers"] not in ([previous, 0, 0], [[previous, 0, 0]]):
        raise NeedsKerasError
    return layers


def _inputs(node: Mapping[str, Any]) -> list[Any]:
    """Return which outputs one call of a layer takes, and nothing else, such as training=True."""
    if any(value is not None for value in node["kwargs"].values()):
        raise NeedsKerasError
    return [tensor["config"]["keras_history"] for tensor in node["args"]]
