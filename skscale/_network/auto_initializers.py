"""What an initializer of "auto" draws, said once: as Keras configs, which NumPy draws from too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from skscale._keras.initializers import periodic_initializers
from skscale._keras.objects import KerasConfig
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec

# Small hidden biases spread the kinks and bends of the units over the data.
_BIAS_STDDEV = 0.1

_ZEROS: KerasConfig = {"class_name": "Zeros", "config": {}}
_ONES: KerasConfig = {"class_name": "Ones", "config": {}}


def _kernel_config(gain: float) -> KerasConfig:
    settings = {"scale": gain, "mode": "fan_in", "distribution": "untruncated_normal"}
    return {"class_name": "VarianceScaling", "config": settings}


AUTO_INITIALIZERS: dict[tuple[str, bool], KerasConfig] = {
    ("scale", False): _ONES,
    ("center", False): _ZEROS,
    # Variance times the number of inputs: He et al. 2015 behind which units bend, and one for the
    # linear read-out.
    ("kernel", False): _kernel_config(2.0),
    ("kernel", True): _kernel_config(1.0),
    ("bias", False): {"class_name": "RandomNormal", "config": {"stddev": _BIAS_STDDEV}},
    ("bias", True): _ZEROS,
    ("frequency", False): _ONES,
    ("moving_mean", False): _ZEROS,
    ("moving_variance", False): _ONES,
}
"""Keras initializer of a weight by its role, and whether it belongs to the output."""


def draw_auto(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    """Draw the initial values of one weight, of its shape."""
    return _draw(AUTO_INITIALIZERS[parameter.role, parameter.is_output], parameter.shape, random)


def draw_periodic(
    embedding: PeriodicSpec, n_features: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the initial weights of an embedding, by name."""
    configs = periodic_initializers(embedding.n_frequencies, embedding.frequency_scale)
    return {
        parameter.name: _draw(
            configs[parameter.role.removeprefix("embedding_")], parameter.shape, random
        )
        for parameter in embedding.parameters(n_features)
    }


def _draw(config: KerasConfig, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Draw from an initializer of ours without Keras."""
    return _DRAWS[config["class_name"]](config["config"], shape, random)


def _scaled_normal(
    settings: Mapping[str, float], shape: tuple[int, ...], random: np.random.Generator
) -> np.ndarray:
    """Draw by the number of inputs, the one mode and distribution of `_kernel_config`."""
    return random.normal(0.0, np.sqrt(settings["scale"] / shape[0]), shape)


_Draw = Callable[[Mapping[str, float], tuple[int, ...], np.random.Generator], np.ndarray]
_DRAWS: dict[str, _Draw] = {
    "Zeros": lambda settings, shape, random: np.zeros(shape),
    "Ones": lambda settings, shape, random: np.ones(shape),
    "RandomNormal": lambda settings, shape, random: random.normal(0.0, settings["stddev"], shape),
    "RandomUniform": lambda settings, shape, random: random.uniform(
        settings["minval"], settings["maxval"], shape
    ),
    "VarianceScaling": _scaled_normal,
}
