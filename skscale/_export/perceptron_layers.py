"""Networks as the kernels and biases of a perceptron, with everything else folded in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from skscale._inference.dense import DenseLayer, dense_form, fold
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec


class Layer(NamedTuple):
    """Kernel and bias of one layer.

    Parameters
    ----------
    kernel : ndarray of shape (n_inputs, n_units)
        What inputs are multiplied by.
    bias : ndarray of shape (n_units,)
        What is added then.
    """

    kernel: np.ndarray
    bias: np.ndarray


def perceptron_layers(
    ensemble: Ensemble, spec: DenseSpec, weights: Sequence[np.ndarray]
) -> list[Layer]:
    """Return one network as it follows a normalization without shift and zero factors.

    Parameters
    ----------
    ensemble : Ensemble
        What it is a member of.
    spec : DenseSpec
        Its architecture, without embedding.
    weights : sequence of ndarray
        Its weights.

    Returns
    -------
    layers : list of Layer
        From all features, with zeros for those that the network does not see, to outputs before
        their activation; float64.
    """
    network = dense_form(spec, weights).astype(np.dtype(np.float64))
    first, *others = network.layers
    first = fold(network.scale, network.offset, first)
    affine, active = ensemble.input_map, ensemble.active
    kernel = np.zeros((affine.n_features, first.kernel.shape[1]))
    if len(active):
        is_seen = (affine.scale[active] != 0).astype(np.float64)
        first = fold(is_seen, affine.shift[active], first)
        kernel[active] = first.kernel
    return [_with_bias(first._replace(kernel=kernel)), *map(_with_bias, others)]


def _with_bias(layer: DenseLayer) -> Layer:
    # Copies: what is done to an export must not change the estimator.
    bias = np.zeros(layer.kernel.shape[1]) if layer.bias is None else layer.bias.copy()
    return Layer(layer.kernel.copy(), bias)


def side_by_side(networks: Sequence[Sequence[Layer]]) -> list[Layer]:
    """Return one network whose outputs are the means of those of several.

    Parameters
    ----------
    networks : sequence of sequence of Layer
        Layers of each network, of the same widths.

    Returns
    -------
    layers : list of Layer
        Block-diagonal between the first and the last.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._export.perceptron_layers import Layer, side_by_side
    >>> first = [Layer(np.eye(1), np.zeros(1)), Layer(np.array([[4.0]]), np.array([2.0]))]
    >>> second = [Layer(np.eye(1), np.ones(1)), Layer(np.array([[6.0]]), np.array([0.0]))]
    >>> for kernel, bias in side_by_side([first, second]):
    ...     print(kernel.tolist(), bias.tolist())
    [[1.0, 1.0]] [0.0, 1.0]
    [[2.0], [3.0]] [1.0]
    """
    joined = []
    for i, layers in enumerate(zip(*networks, strict=True)):
        kernels = [layer.kernel for layer in layers]
        # All see the same features, and behind that only what is their own.
        kernel = block_diag(*kernels) if i else np.hstack(kernels)
        joined.append(Layer(kernel, np.concatenate([layer.bias for layer in layers])))
    kernel, bias = (array.reshape(*array.shape[:-1], len(networks), -1) for array in joined[-1])
    joined[-1] = Layer(kernel.sum(axis=-2) / len(networks), bias.mean(axis=-2))
    return joined
