"""Stacks of common Keras layers in NumPy: what they compute, and their gradients by the inputs.

A stack is a Sequential model, or a Functional model in which each layer takes the outputs of the
one before. Layers and options that are not in `LAYERS` are left to Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from skscale._inference.dense import CHUNK_ROWS, affine, chunks
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


class _NeedsKerasError(Exception):
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


class _Weights:
    """Weights that are handed out in Keras' order, in one precision."""

    def __init__(self, custom_layers: CustomLayers, arrays: Sequence[np.ndarray], dtype: Any):
        n = len(custom_layers.parameters)
        # In reverse, so that the next one is the last.
        self._trained, self._statistics = list(arrays[:n][::-1]), list(arrays[n:][::-1])
        self._dtype = dtype

    def trained(self) -> np.ndarray:
        return np.asarray(self._trained.pop(), self._dtype)

    def statistic(self) -> np.ndarray:
        return np.asarray(self._statistics.pop(), self._dtype)

    @property
    def are_left(self) -> bool:
        return bool(self._trained or self._statistics)

    def array(self, value: Any) -> np.ndarray:
        """Return an option that is one number, or one for each feature."""
        array = np.asarray(value)
        if array.dtype.kind not in "if" or array.ndim > 1:
            raise _NeedsKerasError
        return array.astype(self._dtype)


Settings = Mapping[str, Any]
_Parts = Iterator[NumPyLayer]


def _nothing(settings: Settings, weights: _Weights) -> _Parts:
    """Do what layers do that only act in training."""
    return iter(())


def _dense(settings: Settings, weights: _Weights) -> _Parts:
    yield _Product(weights.trained(), weights.trained() if settings["use_bias"] else None)
    yield from _activation(settings, weights)


def _activation(settings: Settings, weights: _Weights) -> _Parts:
    activation = settings["activation"]
    if isinstance(activation, dict):
        yield from _layer(activation, weights)
    elif activation not in (None, "linear"):
        try:
            yield _Activated(get_activation(activation))
        except ValueError as error:
            raise _NeedsKerasError from error


def _batch_normalization(settings: Settings, weights: _Weights) -> _Parts:
    _check_last_axis(settings)
    gamma = weights.trained() if settings["scale"] else weights.array(1.0)
    beta = weights.trained() if settings["center"] else weights.array(0.0)
    mean, variance = weights.statistic(), weights.statistic()
    scale = gamma / np.sqrt(variance + weights.array(settings["epsilon"]))
    yield _Scaling(scale, beta - mean * scale)


def _layer_normalization(settings: Settings, weights: _Weights) -> _Parts:
    _check_last_axis(settings)
    yield _Standardization(float(settings["epsilon"]))
    gamma = weights.trained() if settings["scale"] else weights.array(1.0)
    yield _Scaling(gamma, weights.trained() if settings["center"] else weights.array(0.0))


def _rescaling(settings: Settings, weights: _Weights) -> _Parts:
    yield _Scaling(weights.array(settings["scale"]), weights.array(settings["offset"]))


def _softmax(settings: Settings, weights: _Weights) -> _Parts:
    _check_last_axis(settings)
    yield _Activated(get_activation("softmax"))


def _relu(settings: Settings, weights: _Weights) -> _Parts:
    yield _Activated(relu(settings["negative_slope"], settings["max_value"], settings["threshold"]))


def _leaky_relu(settings: Settings, weights: _Weights) -> _Parts:
    yield _Activated(relu(settings["negative_slope"]))


def _elu(settings: Settings, weights: _Weights) -> _Parts:
    yield _Activated(elu(settings["alpha"]))


def _prelu(settings: Settings, weights: _Weights) -> _Parts:
    yield _Activated(prelu(weights.trained()))


def _periodic_embedding(settings: Settings, weights: _Weights) -> _Parts:
    yield PeriodicForm.from_weights(settings["indices"], *(weights.trained() for _ in range(4)))


def _check_last_axis(settings: Settings) -> None:
    # Rows are one-dimensional.
    if settings["axis"] not in (-1, 1, [-1], [1]):
        raise _NeedsKerasError


class _Entry(NamedTuple):
    """How a layer is built, and the options that this takes into account."""

    build: Callable[[Settings, _Weights], _Parts]
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


def _layer(config: KerasConfig, weights: _Weights) -> _Parts:
    settings = config["config"]
    name = config["registered_name"] or config["class_name"]
    is_registered = name != config["class_name"]
    if not is_registered and config["module"].partition(".")[0] != "keras":
        raise _NeedsKerasError
    # What is not trained stands elsewhere among the weights.
    if not settings.get("trainable", True) or not _is_plain(settings.get("dtype")):
        raise _NeedsKerasError
    if name in ("Sequential", "Functional"):
        for layer in _chain(settings):
            yield from _layer(layer, weights)
        return
    if name not in LAYERS:
        raise _NeedsKerasError
    entry = LAYERS[name]
    for option, value in settings.items():
        is_silent = option in _SILENT_OPTIONS or option.endswith(_SILENT_ENDINGS)
        # A version of Keras may have options that this one does not know; most are off.
        if not is_silent and option not in entry.options and value not in (None, False):
            raise _NeedsKerasError
    yield from entry.build(settings, weights)


def _is_plain(policy: Any) -> bool:
    name = policy["config"].get("name") if isinstance(policy, dict) else policy
    return name is None or name in PRECISIONS


def _chain(settings: Settings) -> Sequence[KerasConfig]:
    """Return the layers of a model in order; refuse a model whose layers are no chain."""
    layers = settings["layers"]
    if "output_layers" not in settings:
        return layers
    previous: str | None = None
    for layer in layers:
        calls = [_inputs(node) for node in layer["inbound_nodes"]]
        if calls != ([] if previous is None else [[[previous, 0, 0]]]):
            raise _NeedsKerasError
        previous = layer["name"]
    # Older versions of Keras write a list of outputs.
    if settings["output_layers"] not in ([previous, 0, 0], [[previous, 0, 0]]):
        raise _NeedsKerasError
    return layers


def _inputs(node: Mapping[str, Any]) -> list[Any]:
    """Return which outputs one call of a layer takes, and nothing else, such as training=True."""
    if any(value is not None for value in node["kwargs"].values()):
        raise _NeedsKerasError
    return [tensor["config"]["keras_history"] for tensor in node["args"]]


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
    remaining = _Weights(custom_layers, weights, dtype)
    try:
        layers = list(_layer(custom_layers.config, remaining))
    except (_NeedsKerasError, LookupError, TypeError, AttributeError):
        # A version of Keras may write its configs in another way.
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
