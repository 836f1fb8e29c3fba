"""The networks of a fitted estimator, read from the Keras model that it gives."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from skscale import LearnedScaleTransformer


def keras_network(estimator: Any) -> keras.Model:
    """Export in float64, in which every weight is exact; of a transformer, its network."""
    is_transformer = isinstance(estimator, LearnedScaleTransformer)
    return estimator.to_keras("float64", **({"output": "network"} if is_transformer else {}))


def network_weights(estimator: Any) -> list[list[np.ndarray]]:
    """Trained weights of each network: scale, center, and kernels and biases by layer."""
    networks: dict[str, list[np.ndarray]] = {}
    for layer in keras_network(estimator).layers:
        arrays = [np.asarray(variable) for variable in layer.trainable_variables]
        networks.setdefault(layer.name.partition("_member_")[2], []).extend(arrays)
    # Layers that all networks share, such as the normalization, have nothing to train.
    return [arrays for arrays in networks.values() if arrays]


def network_outputs(estimator: Any, rows: np.ndarray) -> list[np.ndarray]:
    """Outputs of each network behind its last Dense layer, before any temperature or unit."""
    model = keras_network(estimator)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    last = {layer.name.partition("_member_")[2]: layer.output for layer in dense}
    return [np.asarray(keras.Model(model.inputs[0], output)(rows)) for output in last.values()]


def normalization_of(estimator: Any) -> dict[str, Any]:
    """Config of the normalization in front of the networks, with its center and scale."""
    return keras_network(estimator).get_layer("normalization").get_config()


def temperature(classifier: Any) -> float:
    """What the logits of each network are divided by."""
    name = "logits" if len(classifier.classes_) > 2 else "logit_1"
    suffix = "_member_0" if hasattr(classifier, "path_") else ""
    layers = {layer.name: layer for layer in keras_network(classifier).layers}
    # A temperature of one needs no layer.
    return 1 / layers[name + suffix].get_config()["scale"][0] if name + suffix in layers else 1.0


def is_float32(weights: list[np.ndarray]) -> bool:
    """Whether a network was trained in float32, whose numbers are few among those of float64."""
    return all((array == array.astype(np.float32)).all() for array in weights)
