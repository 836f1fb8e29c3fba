"""What the network is: a scaling layer and the layers behind it, as JSON-able values."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from skscale._keras.objects import KerasConfig

NATIVE_LAYERS = ("dense", "sine")
"""Hidden layers that are written out here, for stacks of networks and for NumPy."""

BATCH_EPSILON = 1e-3
"""Added to the variances of batches: Keras' default."""


@dataclass(frozen=True)
class Parameter:
    """One weight array of the network.

    Parameters
    ----------
    name : str
        Name of the weight, as in ``"scale"`` or ``"dense_1/kernel"``.
    role : str
        What the weight is for; initializer, regularizer and constraint go by "scale", "center",
        "kernel" and "bias", weight decay by "kernel".
    shape : tuple of int
        Shape of the weight in one network.
    is_output : bool
        Whether it belongs to the last layer.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    is_output: bool = False


@dataclass(frozen=True)
class CustomLayers:
    """Keras layers behind the scaling layer, where they are others than our own.

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


@dataclass(frozen=True)
class NetworkSpec:
    """Architecture of one network: h = s * z + t, hidden layers, a Dense output.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the output.
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    activation, output_activation : str or dict
        Keras activation by name or config.
    center : bool
        Whether the scaling layer adds a trainable offset.
    use_bias : bool
        Whether the Dense layers add a bias.
    hidden_layer : {"dense", "sine"}
        Kind of the hidden layers.
    dropout : float
        Share of the hidden units that are dropped in every step.
    batch_normalization : bool
        Whether z is normalized by the statistics of each batch before it is scaled.
    body : CustomLayers or None
        Keras layers in place of hidden and output layers.
    initializers, regularizers, constraints : dict
        Keras configs by role ("scale", "center", "kernel", "bias"); a missing role means the
        recipe's own draw, no regularizer, no constraint.
    """

    n_features: int
    n_outputs: int
    hidden_layer_sizes: tuple[int, ...] = (64, 64)
    activation: KerasConfig = "silu"
    output_activation: KerasConfig = "linear"
    center: bool = True
    use_bias: bool = True
    hidden_layer: str = "dense"
    dropout: float = 0.0
    batch_normalization: bool = False
    body: CustomLayers | None = None
    initializers: Mapping[str, KerasConfig] = field(default_factory=dict)
    regularizers: Mapping[str, KerasConfig] = field(default_factory=dict)
    constraints: Mapping[str, KerasConfig] = field(default_factory=dict)

    def key(self) -> str:
        """Everything that shapes a compiled program, as one string."""
        # Initializers act before training: another one must not compile a program anew.
        return json.dumps(asdict(replace(self, initializers={})), sort_keys=True)

    @property
    def n_weights(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(parameter.shape) for parameter in self.parameters)

    @property
    def layers(self) -> list[dict[str, KerasConfig]]:
        """Kind, activation and use of bias of every layer of our own, the output last."""
        if self.body is not None:
            return []
        activation = "sine" if self.hidden_layer == "sine" else self.activation
        hidden = [(self.hidden_layer, activation)] * len(self.hidden_layer_sizes)
        return [
            {"kind": kind, "activation": activation, "use_bias": self.use_bias}
            for kind, activation in (*hidden, ("dense", self.output_activation))
        ]

    @property
    def parameters(self) -> list[Parameter]:
        """Trainable weights in Keras' order: scale, center, then those of layer after layer."""
        parameters = [Parameter("scale", "scale", (self.n_features,))]
        if self.center:
            parameters.append(Parameter("center", "center", (self.n_features,)))
        if self.body is not None:
            return [*parameters, *self.body.parameters]
        widths = (self.n_features, *self.hidden_layer_sizes, self.n_outputs)
        pairs = itertools.pairwise(widths)
        for i, (shape, layer) in enumerate(zip(pairs, self.layers, strict=True)):
            is_output = i == len(self.hidden_layer_sizes)
            name = f"{layer['kind']}_{i}"
            parameters.append(Parameter(f"{name}/kernel", "kernel", shape, is_output))
            if self.use_bias:
                parameters.append(Parameter(f"{name}/bias", "bias", shape[1:], is_output))
            if layer["kind"] == "sine":
                parameters.append(Parameter(f"{name}/frequency", "frequency", shape[1:]))
        return parameters

    @property
    def statistics(self) -> list[Parameter]:
        """Weights that are not trained but change in training."""
        own = ("moving_mean", "moving_variance") if self.batch_normalization else ()
        statistics = [Parameter(name, name, (self.n_features,)) for name in own]
        return [*statistics, *(self.body.statistics if self.body is not None else ())]

    @property
    def arrays(self) -> list[Parameter]:
        """All weights of a network, in the order in which they are kept: trained ones first."""
        return [*self.parameters, *self.statistics]
