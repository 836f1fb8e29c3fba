"""A network of Dense or sine layers, which are written out for stacks and for NumPy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import NetworkSpec

NATIVE_LAYERS = ("dense", "sine")
"""Hidden layers that are written out here, for stacks of networks and for NumPy."""


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
