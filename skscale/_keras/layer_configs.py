"""Configs of Keras layers: names and precision that do not depend on the process."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Collection
from typing import Any

from skscale._keras.objects import KerasConfig


def layer_config(layer: Any) -> KerasConfig:
    """Serialize a Keras layer or model, without what a model was compiled with."""
    import keras

    return without_compilation(keras.saving.serialize_keras_object(layer))


def without_compilation(value: Any) -> Any:
    """Leave optimizers and losses out of a config: they are parameters of the estimators."""
    if isinstance(value, list | tuple):
        return [without_compilation(item) for item in value]
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != "compile_config"}
        return {key: without_compilation(item) for key, item in kept.items()}
    return value


def plain_layers(hidden_layer: Any, network: Any, embedding: Any) -> dict[str, Any]:
    """Layers among the parameters as names and configs, which load without Keras.

    Parameters
    ----------
    hidden_layer, network, embedding : object
        The parameters of these names; functions stay what they are.

    Returns
    -------
    plain : dict
        Values for ``"hidden_layer"``, ``"network"`` and ``"embedding"`` that mean the same.
    """
    import keras

    if inspect.isclass(hidden_layer) and issubclass(hidden_layer, keras.layers.Layer):
        hidden_layer = keras.saving.get_registered_name(hidden_layer)
    if isinstance(network, keras.layers.Layer):
        network = layer_config(network)
    if inspect.isclass(embedding) and issubclass(embedding, keras.layers.Layer):
        embedding = embedding()
    if isinstance(embedding, keras.layers.Layer):
        embedding = layer_config(embedding)
    return {"hidden_layer": hidden_layer, "network": network, "embedding": embedding}


PRECISIONS = ("float32", "float64")
"""Precisions that a network is trained in, whatever its layers were made in."""


def without_floatx(config: KerasConfig) -> KerasConfig:
    """Return a config in which what names no precision, and so has that of floatx, has float32."""
    import keras

    return _with_precision(config, {keras.config.floatx()}, "float32")


def with_dtype_and_seed(config: KerasConfig, dtype: str, seed: int) -> KerasConfig:
    """Return a config in another precision, with a seed of ours added to those of the user."""
    return _with_seed(_with_precision(config, PRECISIONS, dtype), seed)


def _with_precision(value: Any, known: Collection[str], dtype: str) -> Any:
    """Put a precision in the place of those that are known; all others are the user's wish."""
    if isinstance(value, list):
        return [_with_precision(item, known, dtype) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy" and value["config"].get("name") in known:
        return {**value, "config": {**value["config"], "name": dtype}}
    return {
        key: dtype
        if key == "dtype" and isinstance(item, str) and item in known
        else _with_precision(item, known, dtype)
        for key, item in value.items()
    }


def _with_seed(value: Any, seed: int) -> Any:
    if isinstance(value, list):
        return [_with_seed(item, seed) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: (item + seed) % (2**31 - 1)
        if key == "seed" and isinstance(item, int) and not isinstance(item, bool)
        else _with_seed(item, seed)
        for key, item in value.items()
    }


def renumber_names(config: KerasConfig) -> KerasConfig:
    """Replace the names that Keras numbered: with them, no two networks would be equal."""
    stems: dict[str, str | None] = {}

    def collect(value: Any) -> None:
        if isinstance(value, list | tuple):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            settings = value.get("config")
            name = settings.get("name") if isinstance(settings, dict) else None
            if isinstance(name, str) and name not in stems:
                stem = _snake_case(str(value.get("class_name")))
                stems[name] = stem if re.fullmatch(rf"{stem}(_\d+)?", name) else None
            for item in value.values():
                collect(item)

    collect(config)
    # A name without a number may be an option's value too, as "softmax" is.
    in_use = {name for name, stem in stems.items() if stem in (None, name)}
    names: dict[str, str] = {}
    for name, stem in stems.items():
        if stem is not None and name not in in_use:
            numbered = (f"{stem}_{number}" for number in itertools.count(1))
            names[name] = next(n for n in itertools.chain([stem], numbered) if n not in in_use)
            in_use.add(names[name])

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [rename(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    return rename(config)


def _snake_case(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
