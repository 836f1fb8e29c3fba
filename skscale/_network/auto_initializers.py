"""What an initializer of "auto" draws, said once: in NumPy for our layers, in configs for Keras."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skscale._keras.objects import KerasConfig
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec

# Variance of a kernel times its number of inputs: He et al. 2015 behind which units bend, and one
# for the linear read-out.
_HIDDEN_GAIN, _OUTPUT_GAIN = 2.0, 1.0
# Small hidden biases spread the kinks and bends of the units over the data.
_BIAS_STDDEV = 0.1


def _kernel_config(gain: float) -> KerasConfig:
    settings = {"scale": gain, "mode": "fan_in", "distribution": "untruncated_normal"}
    return {"class_name": "VarianceScaling", "config": settings}


AUTO_INITIALIZERS: dict[tuple[str, bool], KerasConfig] = {
    ("kernel", False): _kernel_config(_HIDDEN_GAIN),
    ("kernel", True): _kernel_config(_OUTPUT_GAIN),
    ("bias", False): {"class_name": "RandomNormal", "config": {"stddev": _BIAS_STDDEV}},
    ("bias", True): {"class_name": "Zeros", "config": {}},
}
"""Keras initializer of a weight by its role, and whether it belongs to the output."""


def draw_auto(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    """Draw the initial values of one weight, of its shape."""
    return _DRAWS[parameter.role](parameter, random)


def _kernel(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    gain = _OUTPUT_GAIN if parameter.is_output else _HIDDEN_GAIN
    return random.normal(0.0, np.sqrt(gain / parameter.shape[0]), parameter.shape)


def _bias(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    if parameter.is_output:
        return np.zeros(parameter.shape)
    return random.normal(0.0, _BIAS_STDDEV, parameter.shape)


def _ones(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    return np.ones(parameter.shape)


def _zeros(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    return np.zeros(parameter.shape)


_DRAWS = {
    "scale": _ones,
    "center": _zeros,
    "kernel": _kernel,
    "bias": _bias,
    "frequency": _ones,
    "moving_mean": _zeros,
    "moving_variance": _ones,
}


def periodic_initializers(embedding: PeriodicSpec) -> dict[str, KerasConfig]:
    """Return the Keras initializer of each weight of an embedding, by name."""
    normal, uniform = "RandomNormal", "RandomUniform"
    kernel_stddev = embedding.n_frequencies**-0.5
    return {
        "frequency": {"class_name": normal, "config": {"stddev": embedding.frequency_scale}},
        "phase": {"class_name": uniform, "config": {"minval": -0.5, "maxval": 0.5}},
        "kernel": {"class_name": normal, "config": {"stddev": kernel_stddev}},
        "bias": {"class_name": "Zeros", "config": {}},
    }


def draw_periodic(
    embedding: PeriodicSpec, n_features: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the initial weights of an embedding from the same distributions, by name."""
    draws: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
        "embedding_frequency": lambda shape: random.normal(0, embedding.frequency_scale, shape),
        "embedding_phase": lambda shape: random.uniform(-0.5, 0.5, shape),
        "embedding_kernel": lambda shape: random.normal(0, shape[1] ** -0.5, shape),
        "embedding_bias": np.zeros,
    }
    return {p.name: draws[p.role](p.shape) for p in embedding.parameters(n_features)}
