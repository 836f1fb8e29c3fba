"""Keras initializers: built with a seed of ours, and what an embedding starts from."""

from __future__ import annotations

import copy
from typing import Any


def complete_initializer(initializer: Any) -> Any:
    """Give Constant its default: Keras cannot build it from its name, though its class has one.

    Parameters
    ----------
    initializer : str, dict or other
        Name or config.

    Returns
    -------
    initializer : str, dict or other
        What Keras can build; all but Constant without a value stays as it is.
    """
    config = initializer if isinstance(initializer, dict) else {"class_name": initializer}
    if config.get("class_name") in ("constant", "Constant") and not config.get("config"):
        return {**config, "class_name": "Constant", "config": {"value": 0.0}}
    return initializer


def build_initializer(initializer: str | dict[str, Any], seed: int) -> Any:
    """Build a Keras initializer from its name or config, with a seed.

    Without a seed, Keras would draw one from Python's global generator as soon as the object is
    built, and a fit would change what the user's program draws next.

    Parameters
    ----------
    initializer : str or dict
        Name or config.
    seed : int
        For initializers that draw. The seed of a user's config is added to it.

    Returns
    -------
    initializer : keras.initializers.Initializer or callable
        Takes a shape and a dtype.

    Raises
    ------
    ValueError, TypeError
        If Keras does not know the initializer.
    """
    import keras

    # A copy, because Keras changes the dict.
    initializer = complete_initializer(copy.deepcopy(initializer))
    config = initializer if isinstance(initializer, dict) else {"class_name": initializer}
    settings = config.get("config") or {}
    if isinstance(settings, dict):
        user_seed = settings.get("seed")
        seed = (seed + (user_seed if isinstance(user_seed, int) else 0)) % (2**31 - 1)
        try:
            return keras.initializers.get({**config, "config": {**settings, "seed": seed}})
        except (ValueError, TypeError):
            pass  # Constants take no seed.
    return keras.initializers.get(initializer)


def periodic_initializers(n_frequencies: int, frequency_scale: float) -> dict[str, Any]:
    """Return what a `skscale.layers.PeriodicEmbedding` starts from by default.

    It stands here, below the layer, because NumPy draws from the same without loading Keras.

    Parameters
    ----------
    n_frequencies : int
        Waves of each embedded feature.
    frequency_scale : float
        Standard deviation of the frequencies, in cycles per unit.

    Returns
    -------
    configs : dict
        Keras config by the name of the weight.
    """
    return {
        "frequency": {"class_name": "RandomNormal", "config": {"stddev": frequency_scale}},
        "phase": {"class_name": "RandomUniform", "config": {"minval": -0.5, "maxval": 0.5}},
        # Keras' own fans of three axes would count the features in.
        "kernel": {"class_name": "RandomNormal", "config": {"stddev": n_frequencies**-0.5}},
        "bias": {"class_name": "Zeros", "config": {}},
    }
