"""Seeds of Keras objects: explicit where the classes are known, a guard around all other code.

Keras objects that are built without a seed ask Python's global generator for one. A fit must
neither change what the user's program draws next, nor depend on what it has drawn.
"""

from __future__ import annotations

import copy
import random as python_random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skscale._keras.initializers import build_initializer
from skscale._keras.layer_configs import layer_config, without_compilation
from skscale._keras.objects import KerasConfig, keras_object

# Layers of Keras that draw what is not in their config, or that start several weights by one
# initializer: with a seed in it, those would be equal.
_UNSEEDED_CLASSES = frozenset(
    {
        "AdditiveAttention",
        "Bidirectional",
        "GroupedQueryAttention",
        "MultiHeadAttention",
        "SpectralNormalization",
    }
)

# Layers of Keras that take no seed where they drop or add nothing, by the setting that says so.
_RATES = {
    "AlphaDropout": "rate",
    "Attention": "dropout",
    "Dropout": "rate",
    "GaussianDropout": "rate",
    "GaussianNoise": "stddev",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
}

# Reentrant: code of the user's own, run under the lock, may build layers that take it again.
_lock = threading.RLock()


class KerasSeeds:
    """The seeds that Keras would draw from Python's generator, without that generator.

    Parameters
    ----------
    seed : int
        What Python's generator would be seeded with.

    Attributes
    ----------
    drawn : set of int
        Seeds that were drawn so far.
    """

    def __init__(self, seed: int):
        self._random = python_random.Random(seed)
        self._is_guarding = False
        self.drawn: set[int] = set()

    def draw(self) -> int:
        """Return the next seed, as `keras.random.SeedGenerator` would draw it."""
        source: Any = python_random if self._is_guarding else self._random
        seed = source.randint(1, int(1e9))
        self.drawn.add(seed)
        return seed

    @contextmanager
    def guard(self, *, needed: bool = True) -> Iterator[None]:
        """Let code that is not known here draw from Python's generator, and put that back.

        While it runs, another thread that draws from Python's generator gets numbers of ours:
        only code of the user's own runs under it.
        """
        if self._is_guarding or not needed:
            yield
            return
        with _lock:
            state = python_random.getstate()
            python_random.setstate(self._random.getstate())
            self._is_guarding = True
            try:
                yield
            finally:
                self._is_guarding = False
                self._random.setstate(python_random.getstate())
                python_random.setstate(state)

    def build(self, family: str, config: KerasConfig) -> Any:
        """Build an object as `keras_object` does, with a seed where its config has none."""
        if not is_known(config):
            with self.guard():
                return keras_object(family, config)
        if family == "initializers" and not _has_seed(config):
            initializer = build_initializer(config, seed=0)
            takes_seed = "seed" in initializer.get_config()
            return build_initializer(config, self.draw()) if takes_seed else initializer
        return keras_object(family, self.written_into(config))

    def written_into(self, config: Any) -> Any:
        """Return the config of layers with seeds where it has none, in the order of Keras."""
        if isinstance(config, list | tuple):
            return [self.written_into(item) for item in config]
        if not isinstance(config, dict):
            return config
        if _draws_nothing(config):
            return config
        return {
            key: self.draw() if key == "seed" and item is None else self.written_into(item)
            for key, item in config.items()
        }

    def left_out_of(self, config: Any) -> Any:
        """Return the config of layers without the seeds that were drawn here."""
        if isinstance(config, list | tuple):
            return [self.left_out_of(item) for item in config]
        if not isinstance(config, dict):
            return config
        return {
            key: None if key == "seed" and _is_in(item, self.drawn) else self.left_out_of(item)
            for key, item in config.items()
        }


def _has_seed(initializer: KerasConfig) -> bool:
    settings = initializer.get("config") if isinstance(initializer, dict) else None
    return isinstance(settings, dict) and settings.get("seed") is not None


def _is_in(value: Any, drawn: set[int]) -> bool:
    return isinstance(value, int) and value in drawn


def _draws_nothing(config: dict[str, Any]) -> bool:
    rate, settings = _RATES.get(str(config.get("class_name"))), config.get("config")
    return rate is not None and isinstance(settings, dict) and settings.get(rate) == 0


def is_known(config: Any) -> bool:
    """Whether all classes in a config are of Keras or of this package, and draw by its seeds.

    Parameters
    ----------
    config : dict, list, str or other
        Config of a Keras object, or anything that holds such configs.

    Returns
    -------
    is_known : bool
        False where building the object may run code of the user's own.
    """
    if isinstance(config, list | tuple):
        return all(map(is_known, config))
    if isinstance(config, str):
        # As `keras.saving.register_keras_serializable` names classes of users.
        return ">" not in config or config.startswith("skscale>")
    if not isinstance(config, dict):
        return True
    if isinstance(config.get("class_name"), str) and not _is_known_class(config):
        return False
    return all(map(is_known, config.values()))


def _is_known_class(config: dict[str, Any]) -> bool:
    import keras

    name, module = config["class_name"], config.get("module")
    if name.startswith("__"):
        # Marks of Keras for tuples, arrays and the like.
        return name != "__lambda__"
    if module is None:
        # Written by a user, who may have left out what Keras then draws; an initializer gets its
        # seed all the same.
        return hasattr(keras.initializers, name)
    is_of_keras = module == "keras" or module.startswith("keras.")
    return (is_of_keras and name not in _UNSEEDED_CLASSES) or module.startswith("skscale.")


def are_known(layers: Any) -> bool:
    """Whether layers are of Keras or of this package, so that building them draws nothing."""
    try:
        return all(is_known(layer_config(layer)) for layer in layers)
    except Exception:  # of any type: the layers are the user's
        return False


def build_layer(config: KerasConfig, seeds: KerasSeeds | None = None) -> Any:
    """Build a layer or model from its config, which is left as it is.

    Parameters
    ----------
    config : dict
        As Keras serializes a layer or model.
    seeds : KerasSeeds or None, default=None
        Seeds of what has none; None lets Keras draw them from Python's generator.

    Returns
    -------
    layer : keras.layers.Layer
        With the seeds of the config where it has any.
    """
    import keras

    # A copy, because Keras changes the dict that it gets.
    config = copy.deepcopy(config)
    if seeds is None:
        return keras.saving.deserialize_keras_object(config)
    if is_known(config):
        return keras.saving.deserialize_keras_object(seeds.written_into(config))
    with seeds.guard():
        return keras.saving.deserialize_keras_object(config)


def copied_layer(value: Any, seeds: KerasSeeds) -> Any:
    """Build a layer anew from a layer or model, or from its config, with weights yet to be drawn.

    Parameters
    ----------
    value : keras.layers.Layer or dict
        What the user gave.
    seeds : KerasSeeds
        Seeds of what has none.

    Returns
    -------
    layer : object
        A layer, unless the config is one of something else.
    """
    is_config = isinstance(value, dict)
    config = without_compilation(value) if is_config else layer_config(value)
    # Keras draws what a dict of the user's own leaves out.
    with seeds.guard(needed=is_config):
        return build_layer(config, seeds)
