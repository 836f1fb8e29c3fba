"""Common Keras layers in NumPy: what they compute, and their gradients by the inputs.

Layers and options that are not in `LAYERS` are left to Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from skscale._inference.dense import affine
from skscale._inference.periodic import PeriodicForm
from skscale._inference.product import product
from skscale._keras.layer_configs import PRECISIONS
from skscale._keras.objects import KerasConfig
from skscale._network.activations import (
    Activation,
    elu,
    get_activation,
    prelu,
    relu,
)
from skscale._network.custom_spec import CustomLayers


class NumPyLayer(Protocol):
    """A layer as a function of rows, and its vector-Jacobian product."""

    def forward(self, h: np.ndarray, /) -> np.ndarray:
        """Return the outputs at inputs of shape (n_rows, n_inputs)."""

    def pull_back(self, h: np.ndarray, g: np.ndarray, /) -> np.ndarray:
        """Pull gradients of shape (n, n_rows, n_outputs) back to the inputs."""


class NeedsKerasError(Exception):
    """A layer, or one of its options, is not in NumPy."""


class _Product(NamedTuple):
    """``h W + b``."""

    kernel: np.ndarray
    bias: np.ndarray | None

    def forward(self, h: np.ndarray) -> np.ndarray:
        return affine(h, self.kernel, self.bias)

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        return product(g, self.kernel.T)


class _Scaling(NamedTuple):
    """``h s + t``, feature by feature."""

    scale: np.ndarray
    offset: np.ndarray

    def forward(self, h: np.ndarray) -> np.ndarray:
        return h * self.scale + self.offset

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        return g * self.scale


class _Standardization(NamedTuple):
    """Each row minus its mean over its standard deviation (Ba et al. 2016, arXiv:1607.06450)."""

    epsilon: float

    def _normalized(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = h - h.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        spread = np.sqrt(variance + self.epsilon)
        return centred / spread, spread

    def forward(self, h: np.ndarray) -> np.ndarray:
        return self._normalized(h)[0]

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        y, spread = self._normalized(h)
        along = y * (g * y).mean(axis=-1, keepdims=True)
        return (g - g.mean(axis=-1, keepdims=True) - along) / spread


class _Activated(NamedTuple):
    """An activation of its own."""

    activation: Activation

    def forward(self, h: np.ndarray) -> np.ndarray:
        return self.activation.forward(h)

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        return self.activation.vjp(h, g)


class LayerWeights:
    """Weights that are handed out in Keras' order, in one precision."""

    def __init__(self, custom_layers: CustomLayers, arrays: Sequence[np.ndarray], dtype: Any):
        n = len(custom_layers.parameters)
        # In reverse, so that the next one is the last.
        self._trained, self._statistics = list(arrays[:n][::-1]), list(arrays[n:][::-1])
        self._dtype = dtype

    def trained(self) -> np.ndarray:
        """Return the next trained weight."""
        return np.asarray(self._trained.pop(), self._dtype)

    def statistic(self) -> np.ndarray:
        """Return the next weight that is not trained."""
        return np.asarray(self._statistics.pop(), self._dtype)

    @property
    def are_left(self) -> bool:
        """Whether not all were asked for."""
        return bool(self._trained or self._statistics)

    def array(self, value: Any) -> np.ndarray:
        """Return an option that is one number, or one for each feature."""
        array = np.asarray(value)
        if array.dtype.kind not in "if" or array.ndim > 1:
            raise NeedsKerasError
        return array.astype(self._dtype)


Settings = Mapping[str, Any]
Parts = Iterator[NumPyLayer]


def _nothing(settings: Settings, weights: LayerWeights) -> Parts:
    """Do what layers do that only act in training."""
    return iter(())


def _dense(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Product(weights.trained(), weights.trained() if settings["use_bias"] else None)
    yield from _activation(settings, weights)


def _activation(settings: Settings, weights: LayerWeights) -> Parts:
    activation = settings["activation"]
    if isinstance(activation, dict):
        yield from layer_parts(activation, weights)
    elif activation not in (None, "linear"):
        try:
            yield _Activated(get_activation(activation))
        except ValueError as error:
            raise NeedsKerasError from error


def _batch_normalization(settings: Settings, weights: LayerWeights) -> Parts:
    _check_last_axis(settings)
    gamma = weights.trained() if settings["scale"] else weights.array(1.0)
    beta = weights.trained() if settings["center"] else weights.array(0.0)
    mean, variance = weights.statistic(), weights.statistic()
    scale = gamma / np.sqrt(variance + weights.array(settings["epsilon"]))
    yield _Scaling(scale, beta - mean * scale)


def _layer_normalization(settings: Settings, weights: LayerWeights) -> Parts:
    _check_last_axis(settings)
    yield _Standardization(float(settings["epsilon"]))
    gamma = weights.trained() if settings["scale"] else weights.array(1.0)
    yield _Scaling(gamma, weights.trained() if settings["center"] else weights.array(0.0))


def _rescaling(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Scaling(weights.array(settings["scale"]), weights.array(settings["offset"]))


def _softmax(settings: Settings, weights: LayerWeights) -> Parts:
    _check_last_axis(settings)
    yield _Activated(get_activation("softmax"))


def _relu(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Activated(relu(settings["negative_slope"], settings["max_value"], settings["threshold"]))


def _leaky_relu(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Activated(relu(settings["negative_slope"]))


def _elu(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Activated(elu(settings["alpha"]))


def _prelu(settings: Settings, weights: LayerWeights) -> Parts:
    yield _Activated(prelu(weights.trained()))


def _periodic_embedding(settings: Settings, weights: LayerWeights) -> Parts:
    yield PeriodicForm.from_weights(settings["indices"], *(weights.trained() for _ in range(4)))


def _check_last_axis(settings: Settings) -> None:
    # Rows are one-dimensional.
    if settings["axis"] not in (-1, 1, [-1], [1]):
        raise NeedsKerasError


class _Entry(NamedTuple):
    """How a layer is built, and the options that this takes into account."""

    build: Callable[[Settings, LayerWeights], Parts]
    options: tuple[str, ...] = ()


LAYERS: dict[str, _Entry] = {
    "Activation": _Entry(_activation, ("activation",)),
    "ActivityRegularization": _Entry(_nothing, ("l1", "l2")),
    "AlphaDropout": _Entry(_nothing, ("rate", "seed", "noise_shape")),
    "BatchNormalization": _Entry(
        _batch_normalization,
        ("axis", "epsilon", "center", "scale", "momentum", "renorm_momentum", "synchronized"),
    ),
    "Dense": _Entry(_dense, ("units", "activation", "use_bias")),
    "Dropout": _Entry(_nothing, ("rate", "seed", "noise_shape")),
    "ELU": _Entry(_elu, ("alpha",)),
    "GaussianDropout": _Entry(_nothing, ("rate", "seed")),
    "GaussianNoise": _Entry(_nothing, ("stddev", "seed")),
    "Identity": _Entry(_nothing),
    "InputLayer": _Entry(_nothing, ("batch_shape",)),
    "LayerNormalization": _Entry(_layer_normalization, ("axis", "epsilon", "center", "scale")),
    "LeakyReLU": _Entry(_leaky_relu, ("negative_slope",)),
    "PReLU": _Entry(_prelu),
    "ReLU": _Entry(_relu, ("negative_slope", "max_value", "threshold")),
    "Rescaling": _Entry(_rescaling, ("scale", "offset")),
    "Softmax": _Entry(_softmax, ("axis",)),
    "skscale>PeriodicEmbedding": _Entry(
        _periodic_embedding, ("indices", "n_frequencies", "units", "frequency_scale")
    ),
}
"""Layers that NumPy has, by their class in Keras, or the name that they are registered under."""

# What says nothing about the outputs of a trained layer.
_SILENT_OPTIONS = {"name", "trainable", "dtype"}
_SILENT_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def layer_parts(config: KerasConfig, weights: LayerWeights) -> Parts:
    """Yield what a layer computes, one function after the other.

    Parameters
    ----------
    config : dict
        As Keras serializes the layer.
    weights : LayerWeights
        What is left of the weights of the network; those of the layer are taken from it.

    Yields
    ------
    part : NumPyLayer
        A function of rows.

    Raises
    ------
    NeedsKerasError
        If the layer, one of its options or its precision is not in NumPy.
    """
    settings, name = config["config"], class_name(config)
    if name not in LAYERS or not _is_plain(settings.get("dtype")):
        raise NeedsKerasError
    entry = LAYERS[name]
    for option, value in settings.items():
        is_silent = option in _SILENT_OPTIONS or option.endswith(_SILENT_ENDINGS)
        # A version of Keras may have options that this one does not know; most are off.
        if not is_silent and option not in entry.options and value not in (None, False):
            raise NeedsKerasError
    yield from entry.build(settings, weights)


def class_name(config: KerasConfig) -> str:
    """Return the class of a layer of Keras, and the registered name of any other."""
    name = config["registered_name"] or config["class_name"]
    if name == config["class_name"] and config["module"].partition(".")[0] != "keras":
        raise NeedsKerasError
    return name


def _is_plain(policy: Any) -> bool:
    name = policy["config"].get("name") if isinstance(policy, dict) else policy
    return name is None or name in PRECISIONS
