"""Gradients of a network by its inputs, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._inference.dense import CHUNK_ROWS, DenseForm, DenseLayer, affine, chunks, fold
from skscale._inference.product import product
from skscale._network.activations import get_activation


def _pull_back(z: np.ndarray, layers: Sequence[DenseLayer], g: np.ndarray) -> np.ndarray:
    """Pull gradients with respect to the outputs, (n_outputs, 1, n_outputs), back to the inputs."""
    tape = []
    for kernel, bias, activation in layers:
        x = affine(z, kernel, bias)
        z = activation.forward(x)
        tape.append((kernel, activation, x))
    for kernel, activation, x in reversed(tape):
        g = product(activation.vjp(x, g), kernel.T)
    return g


def _pulled_back(
    Z: np.ndarray, network: DenseForm, layers: Sequence[DenseLayer], g: np.ndarray
) -> np.ndarray:
    """Pull gradients back through an embedding too, which no layer can be folded into."""
    if network.embedding is None:
        return _pull_back(Z, layers, g)
    h = network.scaled(Z)
    g = _pull_back(network.embedding.forward(h), layers, g)
    return network.embedding.pull_back(h, g) * network.scale


def squared_gradients(
    Z: np.ndarray,
    network: DenseForm,
    *,
    of_logits: bool,
    logits_centred: bool = False,
) -> np.ndarray:
    """Compute the squared gradient of the network with respect to each input, for every row.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features), float32 or float64
        Normalized inputs.
    network : DenseForm
        The network, cast to the dtype of `Z`.
    of_logits : bool
        Whether the outputs f are taken before the activation of the output layer.
    logits_centred : bool, default=False
        Whether the mean of the outputs of a row is subtracted from each of them first.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        ``sum_k (d f_k / d z_i)^2`` in the dtype of `Z`, at kinks with a one-sided derivative.
    """
    network = network.astype(Z.dtype)
    layers = list(network.layers)
    if network.embedding is None:
        layers[0] = fold(network.scale, network.offset, layers[0])
    if of_logits:
        layers[-1] = layers[-1]._replace(activation=get_activation("linear"))
    n_outputs = layers[-1].kernel.shape[1]
    outputs = np.eye(n_outputs, dtype=Z.dtype)
    if logits_centred:
        outputs -= 1 / n_outputs
    squares = np.empty_like(Z)
    # A row carries one gradient for every output.
    for rows in chunks(len(Z), max(1, CHUNK_ROWS // n_outputs)):
        g = _pulled_back(Z[rows], network, layers, outputs[:, np.newaxis])
        squares[rows] = np.einsum("kri,kri->ri", g, g)
    return squares


def sensitivity(
    Z: np.ndarray,
    network: DenseForm,
    *,
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
    network : DenseForm
        The network.
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

    References
    ----------
    .. [1] Radhakrishnan, A., Beaglehole, D., Pandit, P. & Belkin, M. (2024). Mechanism for
       feature learning in neural networks and backpropagation-free machine learning models.
       Science 383, 1461-1467.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._inference.dense import DenseForm, DenseLayer
    >>> from skscale._inference.gradients import sensitivity
    >>> from skscale._network.activations import get_activation
    >>> layer = DenseLayer(np.array([[1.0], [1.0]]), None, get_activation("linear"))
    >>> network = DenseForm(np.array([2.0, 0.0]), None, [layer])
    >>> sensitivity(np.array([[3.0, 7.0], [1.0, 5.0]]), network, of_logits=True)
    array([2., 0.])
    """
    squares = squared_gradients(
        np.asarray(Z, np.float64),
        network,
        of_logits=of_logits,
        logits_centred=logits_centred,
    )
    return np.sqrt(np.average(squares, axis=0, weights=sample_weight))
