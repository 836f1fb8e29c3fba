"""Spec and weights to predictions and input gradients, in NumPy.

A network is a scaling layer, ``h = s * z + t``, followed by Dense layers. It is described by

`layers`
    a dict ``{"activation": name, "use_bias": bool}`` for each Dense layer, the output layer last;
`weights`
    the arrays in the order of Keras, ``[s, t, W1, b1, ..., Wout, bout]``, without `t` if `center`
    is false and without the biases of layers that use none.

`Z` holds normalized inputs, float32 or float64, and decides the dtype of the computation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict, cast

import numpy as np

from skscale._network.activations import Activation, get_activation
from skscale._network.spec import BATCH_EPSILON, NetworkSpec

# Measured on 64 to 512 units: intermediates of this many rows stay in the processor's cache, more
# rows are slower and take more memory, fewer pay for more calls.
CHUNK_ROWS = 512


class DenseSpec(TypedDict):
    """What describes a Dense layer apart from its weights."""

    activation: str
    use_bias: bool


DenseLayer = tuple[np.ndarray, np.ndarray | None, Activation]


def unpack(
    weights: Sequence[np.ndarray], layers: Sequence[DenseSpec], center: bool, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray | None, list[DenseLayer]]:
    """Return the factors, the offsets, and (kernel, bias, activation) of each Dense layer."""
    n_weights = 1 + center + sum(1 + layer["use_bias"] for layer in layers)
    if len(weights) != n_weights:
        raise ValueError(
            f"A scaling layer with center={center} and {len(layers)} Dense layers with this use "
            f"of biases have {n_weights} weight arrays, got {len(weights)}."
        )
    arrays = iter([np.asarray(weight, dtype) for weight in weights])
    scale = next(arrays)
    offset = next(arrays) if center else None
    network = []
    for layer in layers:
        kernel = next(arrays)
        bias = next(arrays) if layer["use_bias"] else None
        network.append((kernel, bias, get_activation(layer["activation"])))
    return scale, offset, network


def fold(scale: np.ndarray, offset: np.ndarray | None, first: DenseLayer) -> DenseLayer:
    """Let the first Dense layer do the scaling: (s z + t) W + b = z (s W) + (t W + b)."""
    kernel, bias, activation = first
    if offset is not None:
        shift = offset @ kernel
        bias = shift if bias is None else shift + bias
    return scale[:, np.newaxis] * kernel, bias, activation


def chunks(n_rows: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n_rows, size))


def affine(h: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    h = h @ kernel
    if bias is not None:
        h += bias
    return h


def _run(h: np.ndarray, network: list[DenseLayer]) -> np.ndarray:
    for kernel, bias, activation in network:
        h = affine(h, kernel, bias)
        h = activation.forward(h, out=h)
    return h


def forward(
    Z: np.ndarray, weights: Sequence[np.ndarray], layers: Sequence[DenseSpec], *, center: bool
) -> np.ndarray:
    """Compute the output of the network.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features), float32 or float64
        Normalized inputs.
    weights : sequence of ndarray
        The weights in the order of Keras, cast to the dtype of `Z`.
    layers : sequence of dict
        The Dense layers, each ``{"activation": name, "use_bias": bool}``, the output layer last.
    center : bool
        Whether the scaling layer adds an offset.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        The outputs, in the dtype of `Z`.

    Raises
    ------
    ValueError
        If the number of weights does not fit the layers, or an activation is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._inference.dense import forward
    >>> scale, kernel, bias = np.array([2.0, 0.0]), np.array([[1.0], [1.0]]), np.array([0.5])
    >>> layers = [{"activation": "linear", "use_bias": True}]
    >>> forward(np.array([[3.0, 7.0]]), [scale, kernel, bias], layers, center=False)
    array([[6.5]])
    """
    scale, offset, network = unpack(weights, layers, center, Z.dtype)
    if len(Z) < network[0][0].shape[1]:
        # The rows have fewer elements than the kernel: the factors are cheaper there.
        Z = Z * scale if offset is None else Z * scale + offset
    else:
        network[0] = fold(scale, offset, network[0])
    if len(Z) <= CHUNK_ROWS:
        return _run(Z, network)
    outputs = np.empty((len(Z), network[-1][0].shape[1]), Z.dtype)
    for rows in chunks(len(Z), CHUNK_ROWS):
        outputs[rows] = _run(Z[rows], network)
    return outputs


def scaling(
    spec: NetworkSpec, weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return factors and offsets of the scaling layer, with batch normalization folded in.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of ndarray
        In the order of `spec.arrays`.

    Returns
    -------
    scale : ndarray of shape (n_features,)
        What normalized features are multiplied by.
    offset : ndarray of shape (n_features,) or None
        What is added then.
    """
    scale, offset = weights[0], weights[1] if spec.center else None
    if not spec.batch_normalization:
        return scale, offset
    start = len(spec.parameters)
    mean, variance = (np.asarray(w, np.float64) for w in weights[start : start + 2])
    # s (z - mean) / spread + t, as Keras' BatchNormalization has it at inference.
    scale = scale / np.sqrt(variance + BATCH_EPSILON)
    return scale, (0.0 if offset is None else offset) - mean * scale


def dense_form(
    spec: NetworkSpec, weights: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[DenseSpec], bool]:
    """Return weights, layers and use of an offset, as `skscale._inference.dense` takes them.

    Parameters
    ----------
    spec : NetworkSpec
        The network, without a body.
    weights : sequence of ndarray
        In the order of `spec.arrays`.

    Returns
    -------
    weights : list of ndarray
        Factors, offsets, then kernel and bias of each layer.
    layers : list of dict
        Activation and use of bias of each layer.
    center : bool
        Whether there are offsets.
    """
    scale, offset = scaling(spec, weights)
    arrays = [scale] if offset is None else [scale, offset]
    remaining = iter(weights[1 + spec.center : len(spec.parameters)])
    for layer in spec.layers:
        own = [next(remaining) for _ in range(1 + layer["use_bias"])]
        if layer["kind"] == "sine":
            # sin(a * (x W + b)) is sin(x (W a) + b a).
            frequency = next(remaining)
            own = [array * frequency for array in own]
        arrays.extend(own)
    # `ResolvedParameters` has seen to it that activations are names.
    return arrays, cast("list[DenseSpec]", spec.layers), offset is not None
