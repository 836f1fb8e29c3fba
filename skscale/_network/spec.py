"""What the network is: a scaling layer and the layers behind it, as JSON-able values."""

from __future__ import annotations

import itertools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from skscale._keras.objects import KerasConfig

NATIVE_LAYERS = ("dense", "sine")
"""Hidden layers that are written out here, for stacks of networks and for NumPy."""

BATCH_EPSILON = 1e-3
"""Added to the variances of batches: Keras' default."""

DECAYED_ROLES = ("kernel", "embedding_kernel")
"""Roles of the weights that decay."""

SLOW_ROLES = ("embedding_frequency", "embedding_phase")
"""Roles of the weights that may learn at a lower rate."""


@dataclass(frozen=True)
class Parameter:
    """One weight array of the network.

    Parameters
    ----------
    name : str
        Name of the weight, as in ``"scale"`` or ``"dense_1/kernel"``.
    role : str
        What the weight is for; initializer, regularizer and constraint go by "scale", "center",
        "kernel" and "bias", weight decay by `DECAYED_ROLES`. Weights of custom layers that are no
        kernel are "custom".
    shape : tuple of int
        Shape of the weight in one network.
    is_output : bool
        Whether it belongs to the last layer.
    blocks : tuple of int
        Rows of the first axis that belong to scaled features, and to their embedding; empty where
        all belong together.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    is_output: bool = False
    blocks: tuple[int, ...] = ()


class SplitArrays(NamedTuple):
    """The arrays of a network, by the part of it that they belong to.

    Parameters
    ----------
    scaling : sequence of array
        Factors, then the offsets if there are any.
    layers : sequence of array
        Trained weights of the layers behind the scaling layer.
    moving : sequence of array
        Moving mean and variance of the batch normalization, if there is one.
    statistics : sequence of array
        Weights of the layers behind that are not trained.
    """

    scaling: Sequence[Any]
    layers: Sequence[Any]
    moving: Sequence[Any]
    statistics: Sequence[Any]


@dataclass(frozen=True)
class PeriodicSpec:
    """A `skscale.layers.PeriodicEmbedding` of scaled features.

    Parameters
    ----------
    columns : tuple of int or None
        Features that are embedded; None for all.
    n_frequencies, units : int
        Waves and outputs of each embedded feature.
    frequency_scale : float
        Standard deviation of the frequencies at the start, in cycles per unit.
    """

    columns: tuple[int, ...] | None = None
    n_frequencies: int = 16
    units: int = 3
    frequency_scale: float = 0.1

    n_weights: ClassVar[int] = 4
    """Number of weight arrays: frequency, phase, kernel, bias."""

    def n_embedded(self, n_features: int) -> int:
        """Count the embedded features among all."""
        return n_features if self.columns is None else len(self.columns)

    def n_outputs(self, n_features: int) -> int:
        """Count the outputs that come behind the features themselves."""
        return self.n_embedded(n_features) * self.units

    def parameters(self, n_features: int) -> list[Parameter]:
        """Trained weights, in Keras' order."""
        n, waves, units = self.n_embedded(n_features), self.n_frequencies, self.units
        shapes = {
            "frequency": (n, waves),
            "phase": (n, waves),
            "kernel": (n, waves, units),
            "bias": (n, units),
        }
        return [
            Parameter(f"embedding/{name}", f"embedding_{name}", shape)
            for name, shape in shapes.items()
        ]


@dataclass(frozen=True)
class NetworkSpec(ABC):
    """Architecture of one network: h = s * z + t, and layers from h to the outputs.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the output.
    center : bool
        Whether the scaling layer adds a trainable offset.
    batch_normalization : bool
        Whether z is normalized by the statistics of each batch before it is scaled.
    embedding : PeriodicSpec, bool or None
        What scaled features are handed on with; True for custom layers that begin with another
        one.
    initializers, regularizers, constraints : dict
        Keras configs by role ("scale", "center", "kernel", "bias"); a missing role means the
        default of "auto", no regularizer, no constraint.
    """

    n_features: int
    n_outputs: int
    center: bool = field(default=True, kw_only=True)
    batch_normalization: bool = field(default=False, kw_only=True)
    embedding: PeriodicSpec | bool | None = field(default=None, kw_only=True)
    initializers: Mapping[str, KerasConfig] = field(default_factory=dict, kw_only=True)
    regularizers: Mapping[str, KerasConfig] = field(default_factory=dict, kw_only=True)
    constraints: Mapping[str, KerasConfig] = field(default_factory=dict, kw_only=True)

    is_stackable: ClassVar[bool]
    """Whether the layers can compute several networks at once, along a leading axis."""

    @property
    @abstractmethod
    def layer_parameters(self) -> Sequence[Parameter]:
        """Trainable weights of the layers behind the scaling layer, in Keras' order."""

    @property
    @abstractmethod
    def layer_statistics(self) -> Sequence[Parameter]:
        """Weights of these layers that are not trained but change in training."""

    @property
    @abstractmethod
    def n_layer_parameters(self) -> int:
        """Length of `layer_parameters`, at the price of a number: every prediction asks for it."""

    def key(self) -> str:
        """Everything that shapes a compiled program, as one string."""
        # Initializers act before training: another one must not compile a program anew.
        return json.dumps(asdict(replace(self, initializers={})), sort_keys=True)

    @property
    def n_weights(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(parameter.shape) for parameter in self.parameters)

    @property
    def parameters(self) -> list[Parameter]:
        """Trainable weights in Keras' order: scale, center, then those of layer after layer."""
        roles = ("scale", "center") if self.center else ("scale",)
        scaling = [Parameter(role, role, (self.n_features,)) for role in roles]
        return [*scaling, *self.layer_parameters]

    @property
    def statistics(self) -> list[Parameter]:
        """Weights that are not trained but change in training."""
        names = ("moving_mean", "moving_variance") if self.batch_normalization else ()
        moving = [Parameter(name, name, (self.n_features,)) for name in names]
        return [*moving, *self.layer_statistics]

    @property
    def arrays(self) -> list[Parameter]:
        """All weights of a network, in the order in which they are kept: trained ones first."""
        return [*self.parameters, *self.statistics]

    def split(self, arrays: Sequence[Any]) -> SplitArrays:
        """Sort what is in the order of `arrays` by the part of the network that it belongs to."""
        n_scaling = 1 + self.center
        n_parameters = n_scaling + self.n_layer_parameters
        n_moving = 2 if self.batch_normalization else 0
        statistics = arrays[n_parameters:]
        return SplitArrays(
            arrays[:n_scaling],
            arrays[n_scaling:n_parameters],
            statistics[:n_moving],
            statistics[n_moving:],
        )


class LayerSpec(NamedTuple):
    """Kind, activation and use of bias of one layer of a `DenseSpec`."""

    kind: str
    activation: str
    use_bias: bool

    @property
    def n_weights(self) -> int:
        """Number of weight arrays: kernel, bias, and the frequency of sines."""
        return 1 + self.use_bias + (self.kind == "sine")


@dataclass(frozen=True)
class DenseSpec(NetworkSpec):
    """Hidden layers and a Dense output behind the scaling layer.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the output.
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    activation, output_activation : str
        Names of Keras activations that NumPy has too.
    use_bias : bool
        Whether the layers add a bias.
    hidden_layer : {"dense", "sine"}
        Kind of the hidden layers.
    dropout : float
        Share of the hidden units that are dropped in every step.
    center, batch_normalization : bool
        As in `NetworkSpec`.
    embedding : PeriodicSpec or None
        As in `NetworkSpec`.
    initializers, regularizers, constraints : dict
        As in `NetworkSpec`.
    """

    hidden_layer_sizes: tuple[int, ...] = (64, 64)
    activation: str = "silu"
    output_activation: str = "linear"
    use_bias: bool = True
    hidden_layer: str = "dense"
    dropout: float = 0.0

    is_stackable = True

    @property
    def layers(self) -> list[LayerSpec]:
        """The hidden layers, then the output."""
        activation = "sine" if self.hidden_layer == "sine" else self.activation
        hidden = LayerSpec(self.hidden_layer, activation, self.use_bias)
        output = LayerSpec("dense", self.output_activation, self.use_bias)
        return [*[hidden] * len(self.hidden_layer_sizes), output]

    @property
    def layer_parameters(self) -> list[Parameter]:
        """Those of the embedding, then kernel, bias and frequency of one layer after the other."""
        parameters, n_inputs = [], self.n_features
        blocks: tuple[int, ...] = ()
        if isinstance(self.embedding, PeriodicSpec):
            parameters += self.embedding.parameters(self.n_features)
            blocks = (self.n_features, self.embedding.n_outputs(self.n_features))
            n_inputs = sum(blocks)
        pairs = itertools.pairwise((n_inputs, *self.hidden_layer_sizes, self.n_outputs))
        for i, (shape, layer) in enumerate(zip(pairs, self.layers, strict=True)):
            is_output = i == len(self.hidden_layer_sizes)
            name = f"{layer.kind}_{i}"
            parameters.append(
                Parameter(f"{name}/kernel", "kernel", shape, is_output, () if i else blocks)
            )
            if layer.use_bias:
                parameters.append(Parameter(f"{name}/bias", "bias", shape[1:], is_output))
            if layer.kind == "sine":
                parameters.append(Parameter(f"{name}/frequency", "frequency", shape[1:]))
        return parameters

    @property
    def n_layer_parameters(self) -> int:
        """Those of the embedding, kernels, biases and frequencies."""
        n_hidden, has_frequency = len(self.hidden_layer_sizes), self.hidden_layer == "sine"
        n_embedding = PeriodicSpec.n_weights if self.embedding else 0
        return n_embedding + (n_hidden + 1) * (1 + self.use_bias) + n_hidden * has_frequency

    @property
    def layer_statistics(self) -> tuple[Parameter, ...]:
        """None: all weights are trained."""
        return ()


@dataclass(frozen=True)
class CustomLayers:
    """Keras layers of any kind behind the scaling layer, as JSON-able values.

    Parameters
    ----------
    config : dict
        Serialized Keras model from scaled features to outputs.
    parameters : tuple of Parameter
        Its trainable weights, in Keras' order.
    statistics : tuple of Parameter
        Its other weights but the states of random generators, in Keras' order.
    """

    config: KerasConfig
    parameters: tuple[Parameter, ...]
    statistics: tuple[Parameter, ...]

    def key(self) -> str:
        """Everything about the layers, as one string."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_key(cls, key: str) -> CustomLayers:
        """Return the layers of a key."""
        values = json.loads(key)
        parameters, statistics = (
            tuple(Parameter(**{**p, "shape": tuple(p["shape"])}) for p in values[name])
            for name in ("parameters", "statistics")
        )
        return cls(values["config"], parameters, statistics)

    @property
    def n_features(self) -> int:
        """Number of scaled features."""
        return self.config["build_config"]["input_shape"][-1]


@dataclass(frozen=True)
class CustomSpec(NetworkSpec):
    """Keras layers of any kind behind the scaling layer.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the output.
    custom_layers : CustomLayers
        The layers, which have initializers, regularizers and constraints of their own.
    center, batch_normalization, embedding : bool
        As in `NetworkSpec`; the embedding is the first of the layers.
    initializers, regularizers, constraints : dict
        As in `NetworkSpec`, of the scaling layer alone.
    """

    custom_layers: CustomLayers

    is_stackable = False

    @property
    def layer_parameters(self) -> tuple[Parameter, ...]:
        """Trainable weights of the custom layers."""
        return self.custom_layers.parameters

    @property
    def n_layer_parameters(self) -> int:
        """Trainable weights of the custom layers."""
        return len(self.custom_layers.parameters)

    @property
    def layer_statistics(self) -> tuple[Parameter, ...]:
        """Other weights of the custom layers."""
        return self.custom_layers.statistics
