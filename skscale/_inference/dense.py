"""Outputs of Dense networks, in NumPy.

A network is a scaling layer, ``h = s * z + t``, followed by Dense layers, with a periodic embedding
between them if it has one. `Z` holds normalized inputs, float32 or float64, and decides the dtype
of the computation. Several networks of one architecture run side by side where their arrays have a
leading network axis: for a few rows, calls cost more than products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from skscale._inference.periodic import PeriodicForm
from skscale._inference.product import product
from skscale._network.activations import Activation, get_activation
from skscale._network.dense_spec import DenseSpec
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import BATCH_EPSILON, NetworkSpec

# Measured on 64 to 512 units: intermediates of this many rows stay in the processor's cache, more
# rows are slower and take more memory, fewer pay for more calls.
CHUNK_ROWS = 512


class DenseLayer(NamedTuple):
    """One Dense layer.

    Parameters
    ----------
    kernel : ndarray of shape (n_inputs, n_units)
        What the inputs are multiplied by.
    bias : ndarray of shape (n_units,) or None
        What is added then.
    activation : Activation
        What follows.
    """

    kernel: np.ndarray
    bias: np.ndarray | None
    activation: Activation

    def astype(self, dtype: np.dtype) -> DenseLayer:
        """Return the layer with arrays of a dtype."""
        bias = None if self.bias is None else np.asarray(self.bias, dtype)
        return DenseLayer(np.asarray(self.kernel, dtype), bias, self.activation)


class DenseForm(NamedTuple):
    """A network as a scaling layer and Dense layers, with everything else folded in.

    Parameters
    ----------
    scale : ndarray of shape (n_features,)
        Factors of the scaling layer.
    offset : ndarray of shape (n_features,) or None
        Its offsets.
    layers : list of DenseLayer
        Hidden layers, then the output.
    embedding : PeriodicForm or None
        What stands between the scaling layer and the first of them.
    """

    scale: np.ndarray
    offset: np.ndarray | None
    layers: list[DenseLayer]
    embedding: PeriodicForm | None = None

    def astype(self, dtype: np.dtype) -> DenseForm:
        """Return the network with arrays of a dtype."""
        offset = None if self.offset is None else np.asarray(self.offset, dtype)
        layers = [layer.astype(dtype) for layer in self.layers]
        embedding = None if self.embedding is None else self.embedding.astype(dtype)
        return DenseForm(np.asarray(self.scale, dtype), offset, layers, embedding)

    def scaled(self, Z: np.ndarray) -> np.ndarray:
        """Return h = s * z + t."""
        h = Z * self.scale[..., np.newaxis, :]
        return h if self.offset is None else h + self.offset[..., np.newaxis, :]


def fold(scale: np.ndarray, offset: np.ndarray | None, first: DenseLayer) -> DenseLayer:
    """Let the first Dense layer do the scaling: (s z + t) W + b = z (s W) + (t W + b)."""
    kernel, bias, activation = first
    if offset is not None:
        shift = offset @ kernel
        bias = shift if bias is None else shift + bias
    return DenseLayer(scale[:, np.newaxis] * kernel, bias, activation)


def chunks(n_rows: int, size: int) -> Iterator[slice]:
    """Cut rows into parts of a size."""
    return (slice(start, start + size) for start in range(0, n_rows, size))


def affine(h: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Return h W + b."""
    h = product(h, kernel) if kernel.ndim == 2 else h @ kernel
    if bias is not None:
        h += bias[..., np.newaxis, :]
    return h


def _run(h: np.ndarray, embedding: PeriodicForm | None, layers: Sequence[DenseLayer]) -> np.ndarray:
    if embedding is not None:
        h = embedding.forward(h)
    for kernel, bias, activation in layers:
        h = affine(h, kernel, bias)
        h = activation.forward(h, out=h)
    return h


def forward(Z: np.ndarray, network: DenseForm) -> np.ndarray:
    """Compute the output of the network.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features), float32 or float64
        Normalized inputs.
    network : DenseForm
        The network, cast to the dtype of `Z`.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        The outputs, in the dtype of `Z`.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._inference.dense import DenseForm, DenseLayer, forward
    >>> from skscale._network.activations import get_activation
    >>> kernel, bias = np.array([[1.0], [1.0]]), np.array([0.5])
    >>> layer = DenseLayer(kernel, bias, get_activation("linear"))
    >>> forward(np.array([[3.0, 7.0]]), DenseForm(np.array([2.0, 0.0]), None, [layer]))
    array([[6.5]])
    """
    network = network.astype(Z.dtype)
    layers = list(network.layers)
    # Rows of fewer elements than the kernel are cheaper to multiply by the factors.
    is_folded = network.embedding is None and len(Z) >= layers[0].kernel.shape[1]
    if is_folded:
        layers[0] = fold(network.scale, network.offset, layers[0])

    def run(rows: np.ndarray) -> np.ndarray:
        return _run(rows if is_folded else network.scaled(rows), network.embedding, layers)

    if len(Z) <= CHUNK_ROWS:
        return run(Z)
    outputs = np.empty((len(Z), layers[-1].kernel.shape[1]), Z.dtype)
    for rows in chunks(len(Z), CHUNK_ROWS):
        outputs[rows] = run(Z[rows])
    return outputs


def forward_stacked(Z: np.ndarray, networks: DenseForm) -> np.ndarray:
    """Compute the outputs of several networks for a few rows.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features), float32 or float64
        Normalized inputs.
    networks : DenseForm
        The networks, along a leading axis of every array.

    Returns
    -------
    ndarray of shape (n_networks, n_rows, n_outputs)
        The outputs, in the dtype of `Z`.
    """
    networks = networks.astype(Z.dtype)
    return _run(networks.scaled(Z), networks.embedding, networks.layers)


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
    arrays = spec.split(weights)
    scale, offset = arrays.scaling[0], arrays.scaling[1] if spec.center else None
    if not spec.batch_normalization:
        return scale, offset
    mean, variance = (np.asarray(moment, np.float64) for moment in arrays.moving)
    # s (z - mean) / spread + t, as Keras' BatchNormalization has it at inference.
    scale = scale / np.sqrt(variance + BATCH_EPSILON)
    return scale, (0.0 if offset is None else offset) - mean * scale


def dense_form(spec: DenseSpec, weights: Sequence[np.ndarray]) -> DenseForm:
    """Return a network as the functions of NumPy take it.

    Parameters
    ----------
    spec : DenseSpec
        The network.
    weights : sequence of ndarray
        In the order of `spec.arrays`, of one network, or of several along a leading axis.

    Returns
    -------
    network : DenseForm
        With batch normalization and the frequencies of sines folded in.

    Raises
    ------
    ValueError
        If the number of weights does not fit the spec, or an activation is unknown.
    """
    if len(weights) != spec.n_arrays:
        raise ValueError(
            f"A scaling layer with center={spec.center} and {len(spec.layers)} Dense layers with "
            f"this use of biases have {spec.n_arrays} weight arrays, got {len(weights)}."
        )
    remaining, layers, embedding = iter(spec.split(weights).layers), [], None
    if isinstance(spec.embedding, PeriodicSpec):
        arrays = [next(remaining) for _ in range(spec.embedding.n_weights)]
        embedding = PeriodicForm.from_weights(spec.embedding.columns, *arrays)
    for layer in spec.layers:
        kernel = next(remaining)
        bias = next(remaining) if layer.use_bias else None
        if layer.kind == "sine":
            # sin(a * (x W + b)) is sin(x (W a) + b a).
            frequency = next(remaining)
            kernel = kernel * frequency[..., np.newaxis, :]
            bias = None if bias is None else bias * frequency
        layers.append(DenseLayer(kernel, bias, get_activation(layer.activation)))
    return DenseForm(*scaling(spec, weights), layers, embedding)
