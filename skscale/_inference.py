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
from typing import TypedDict

import numpy as np

from skscale._activations import Activation, get_activation

# Measured on 64 to 512 units: intermediates of this many rows stay in the processor's cache, more
# rows are slower and take more memory, fewer pay for more calls.
_CHUNK_ROWS = 512


class DenseSpec(TypedDict):
    """What describes a Dense layer apart from its weights."""

    activation: str
    use_bias: bool


_Dense = tuple[np.ndarray, np.ndarray | None, Activation]


def _unpack(
    weights: Sequence[np.ndarray], layers: Sequence[DenseSpec], center: bool, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray | None, list[_Dense]]:
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


def _fold(scale: np.ndarray, offset: np.ndarray | None, first: _Dense) -> _Dense:
    """Let the first Dense layer do the scaling: (s z + t) W + b = z (s W) + (t W + b)."""
    kernel, bias, activation = first
    if offset is not None:
        shift = offset @ kernel
        bias = shift if bias is None else shift + bias
    return scale[:, np.newaxis] * kernel, bias, activation


def _chunks(n_rows: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n_rows, size))


def _affine(h: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    h = h @ kernel
    if bias is not None:
        h += bias
    return h


def _run(h: np.ndarray, network: list[_Dense]) -> np.ndarray:
    for kernel, bias, activation in network:
        h = _affine(h, kernel, bias)
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
    >>> from skscale._inference import forward
    >>> scale, kernel, bias = np.array([2.0, 0.0]), np.array([[1.0], [1.0]]), np.array([0.5])
    >>> layers = [{"activation": "linear", "use_bias": True}]
    >>> forward(np.array([[3.0, 7.0]]), [scale, kernel, bias], layers, center=False)
    array([[6.5]])
    """
    scale, offset, network = _unpack(weights, layers, center, Z.dtype)
    if len(Z) < network[0][0].shape[1]:
        # The rows have fewer elements than the kernel: the factors are cheaper there.
        Z = Z * scale if offset is None else Z * scale + offset
    else:
        network[0] = _fold(scale, offset, network[0])
    if len(Z) <= _CHUNK_ROWS:
        return _run(Z, network)
    outputs = np.empty((len(Z), network[-1][0].shape[1]), Z.dtype)
    for rows in _chunks(len(Z), _CHUNK_ROWS):
        outputs[rows] = _run(Z[rows], network)
    return outputs


def _pull_back(z: np.ndarray, network: list[_Dense], g: np.ndarray) -> np.ndarray:
    """Pull gradients with respect to the outputs, (n_outputs, 1, n_outputs), back to the inputs."""
    tape = []
    for kernel, bias, activation in network:
        x = _affine(z, kernel, bias)
        z = activation.forward(x)
        tape.append((kernel, activation, x))
    for kernel, activation, x in reversed(tape):
        g = activation.vjp(x, g) @ kernel.T
    return g


def squared_gradients(
    Z: np.ndarray,
    weights: Sequence[np.ndarray],
    layers: Sequence[DenseSpec],
    *,
    center: bool,
    of_logits: bool,
    logits_centred: bool = False,
) -> np.ndarray:
    """Compute the squared gradient of the network with respect to each input, for every row.

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
    of_logits : bool
        Whether the outputs f are taken before the activation of the output layer.
    logits_centred : bool, default=False
        Whether the mean of the outputs of a row is subtracted from each of them first.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        ``sum_k (d f_k / d z_i)^2`` in the dtype of `Z`, at kinks with a one-sided derivative.

    Raises
    ------
    ValueError
        If the number of weights does not fit the layers, or an activation is unknown.
    """
    scale, offset, network = _unpack(weights, layers, center, Z.dtype)
    network[0] = _fold(scale, offset, network[0])
    if of_logits:
        network[-1] = (*network[-1][:2], get_activation("linear"))
    n_outputs = network[-1][0].shape[1]
    outputs = np.eye(n_outputs, dtype=Z.dtype)
    if logits_centred:
        outputs -= 1 / n_outputs
    squares = np.empty_like(Z)
    # A row carries one gradient for every output.
    for rows in _chunks(len(Z), max(1, _CHUNK_ROWS // n_outputs)):
        g = _pull_back(Z[rows], network, outputs[:, np.newaxis])
        squares[rows] = np.einsum("kri,kri->ri", g, g)
    return squares


def sensitivity(
    Z: np.ndarray,
    weights: Sequence[np.ndarray],
    layers: Sequence[DenseSpec],
    *,
    center: bool,
    of_logits: bool,
    logits_centred: bool = False,
    sample_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Compute how strongly the network responds to each input.

    The root of the diagonal of the average gradient outer product [1]_,
    ``r_i = sqrt(weighted mean over rows of sum_k (d f_k / d z_i)^2)``.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features)
        Normalized inputs. The computation is in float64.
    weights : sequence of ndarray
        The weights in the order of Keras.
    layers : sequence of dict
        The Dense layers, each ``{"activation": name, "use_bias": bool}``, the output layer last.
    center : bool
        Whether the scaling layer adds an offset.
    of_logits : bool
        Whether the outputs f are taken before the activation of the output layer.
    logits_centred : bool, default=False
        Whether the mean of the outputs of a row is subtracted from each of them first.
    sample_weight : ndarray of shape (n_rows,), default=None
        Weights of the rows, not all zero; by default all are equal.

    Returns
    -------
    ndarray of shape (n_features,), float64
        The sensitivities r, in units of f per unit of z.

    Raises
    ------
    ValueError
        If the number of weights does not fit the layers, or an activation is unknown.

    References
    ----------
    .. [1] Radhakrishnan, A., Beaglehole, D., Pandit, P. & Belkin, M. (2024). Mechanism for
       feature learning in neural networks and backpropagation-free machine learning models.
       Science 383, 1461-1467.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._inference import sensitivity
    >>> scale, kernel = np.array([2.0, 0.0]), np.array([[1.0], [1.0]])
    >>> layers = [{"activation": "linear", "use_bias": False}]
    >>> Z = np.array([[3.0, 7.0], [1.0, 5.0]])
    >>> sensitivity(Z, [scale, kernel], layers, center=False, of_logits=True)
    array([2., 0.])
    """
    squares = squared_gradients(
        np.asarray(Z, np.float64),
        weights,
        layers,
        center=center,
        of_logits=of_logits,
        logits_centred=logits_centred,
    )
    return np.sqrt(np.average(squares, axis=0, weights=sample_weight))
