"""What the network is: a scaling layer and the layers behind it, as JSON-able values."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from skscale._keras.objects import KerasConfig
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec

BATCH_EPSILON = 1e-3
"""Added to the variances of batches: Keras' default."""


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

    @property
    def n_arrays(self) -> int:
        """Length of `arrays`, which takes longer to make than a row to predict."""
        n_moving = 2 * self.batch_normalization
        return 1 + self.center + self.n_layer_parameters + n_moving + len(self.layer_statistics)

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
