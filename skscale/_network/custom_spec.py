"""A network of Keras layers of any kind, as JSON-able values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from skscale._keras.objects import KerasConfig
from skscale._network.parameter import Parameter
from skscale._network.spec import NetworkSpec


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
