"""What the network is: a scaling layer, Dense layers and a linear read-out, as JSON-able values."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from skscale._initializers import build_initializer

JSON = Any
"""A value that `json.dumps` takes: the name of a Keras object, or its config dict."""


@dataclass(frozen=True)
class Parameter:
    """One weight array of the network.

    Parameters
    ----------
    name : str
        Name of the weight, as in ``"scale"`` or ``"dense_1/kernel"``.
    role : {"scale", "center", "kernel", "bias"}
        What the weight is for; initializer, regularizer and constraint go by it.
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
class NetworkSpec:
    """Architecture of one network: h = s * z + t, Dense layers, a Dense output.

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
    initializers, regularizers, constraints : dict
        Keras configs by role ("scale", "center", "kernel", "bias"); a missing role means the
        recipe's own draw, no regularizer, no constraint.
    """

    n_features: int
    n_outputs: int
    hidden_layer_sizes: tuple[int, ...] = (64, 64)
    activation: JSON = "silu"
    output_activation: JSON = "linear"
    center: bool = True
    use_bias: bool = True
    initializers: Mapping[str, JSON] = field(default_factory=dict)
    regularizers: Mapping[str, JSON] = field(default_factory=dict)
    constraints: Mapping[str, JSON] = field(default_factory=dict)

    def key(self) -> str:
        """Everything that shapes a compiled program, as one string."""
        # Initializers act before training: another one must not compile a program anew.
        return json.dumps(asdict(replace(self, initializers={})), sort_keys=True)

    @property
    def n_weights(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(parameter.shape) for parameter in self.parameters)

    @property
    def layers(self) -> list[dict[str, JSON]]:
        """Activation and use of bias of every Dense layer, the output last."""
        hidden = [self.activation] * len(self.hidden_layer_sizes)
        return [
            {"activation": activation, "use_bias": self.use_bias}
            for activation in (*hidden, self.output_activation)
        ]

    @property
    def parameters(self) -> list[Parameter]:
        """Weights in Keras' order: scale, center, then kernel and bias of each Dense layer."""
        parameters = [Parameter("scale", "scale", (self.n_features,))]
        if self.center:
            parameters.append(Parameter("center", "center", (self.n_features,)))
        widths = (self.n_features, *self.hidden_layer_sizes, self.n_outputs)
        for i, shape in enumerate(itertools.pairwise(widths)):
            is_output = i == len(self.hidden_layer_sizes)
            parameters.append(Parameter(f"dense_{i}/kernel", "kernel", shape, is_output))
            if self.use_bias:
                parameters.append(Parameter(f"dense_{i}/bias", "bias", shape[1:], is_output))
        return parameters


def draw_weights(spec: NetworkSpec, random: np.random.Generator) -> list[np.ndarray]:
    """Draw the initial weights of one network.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    random : numpy.random.Generator
        Source of every draw; Keras initializers get a seed derived from it.

    Returns
    -------
    weights : list of ndarray of float32
        In the order of `spec.parameters`, rounded to float32 so that both training precisions
        start from the same values.
    """
    # A stream for each weight, so that the choice for one moves the draw of no other.
    streams = random.spawn(len(spec.parameters))
    return [
        np.asarray(_draw(parameter, spec.initializers.get(parameter.role), stream), np.float32)
        for parameter, stream in zip(spec.parameters, streams, strict=True)
    ]


def _draw(parameter: Parameter, initializer: JSON, random: np.random.Generator) -> np.ndarray:
    if initializer is None:
        return _RECIPE[parameter.role](parameter, random)
    seed = int(random.integers(2**31 - 1))
    try:
        return _keras_draw(initializer, parameter.shape, seed)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{parameter.role}_initializer={initializer!r} cannot draw an array of shape "
            f"{parameter.shape}. Keras says: {error}"
        ) from error


def _keras_draw(initializer: JSON, shape: tuple[int, ...], seed: int) -> np.ndarray:
    import keras

    drawn = build_initializer(initializer, seed)(shape, dtype="float32")
    return np.asarray(keras.ops.convert_to_numpy(drawn))


def _draw_kernel(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    # He et al. 2015 for the hidden layers; variance 1 / fan_in for the linear read-out.
    gain = 1.0 if parameter.is_output else 2.0
    return random.normal(0.0, np.sqrt(gain / parameter.shape[0]), parameter.shape)


def _draw_bias(parameter: Parameter, random: np.random.Generator) -> np.ndarray:
    # Small hidden biases spread the kinks and bends of the units over the data.
    draw = random.normal(0.0, 0.1, parameter.shape)
    return np.zeros(parameter.shape) if parameter.is_output else draw


_RECIPE = {
    "scale": lambda parameter, random: np.ones(parameter.shape),
    "center": lambda parameter, random: np.zeros(parameter.shape),
    "kernel": _draw_kernel,
    "bias": _draw_bias,
}


def forward_tensors(spec: NetworkSpec, weights: Sequence[Any], inputs: Any) -> Any:
    """Run the network in TensorFlow, of one network or of several along a leading axis.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of tensor
        In the order of `spec.parameters`, with or without a leading network axis.
    inputs : tensor of shape (..., n_rows, n_features)
        Normalized rows, with the same leading axis.

    Returns
    -------
    outputs : tensor of shape (..., n_rows, n_outputs)
        After the output's activation.
    """
    import keras

    remaining = iter(weights)
    hidden = inputs * next(remaining)[..., None, :]
    if spec.center:
        hidden = hidden + next(remaining)[..., None, :]
    for layer in spec.layers:
        hidden = hidden @ next(remaining)
        if layer["use_bias"]:
            hidden = hidden + next(remaining)[..., None, :]
        hidden = keras.activations.get(layer["activation"])(hidden)
    return hidden
