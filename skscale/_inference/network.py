"""Outputs and sensitivity of a network of any kind, from its spec and weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from skscale._inference.custom_layers import custom_gradients, custom_outputs
from skscale._inference.dense import dense_form, forward, scaling
from skscale._inference.gradients import sensitivity
from skscale._inference.keras_stacks import numpy_layers, stack_gradients, stack_outputs
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.spec import NetworkSpec


@functools.singledispatch
def network_outputs(spec: NetworkSpec, weights: Sequence[np.ndarray], Z: np.ndarray) -> np.ndarray:
    """Compute the outputs of a network.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of ndarray
        In the order of `spec.arrays`.
    Z : ndarray of shape (n_rows, n_features), float32 or float64
        Normalized rows.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        In the dtype of `Z`.
    """
    raise NotImplementedError(type(spec))


@network_outputs.register
def _(spec: DenseSpec, weights: Sequence[np.ndarray], Z: np.ndarray) -> np.ndarray:
    return forward(Z, dense_form(spec, weights))


@network_outputs.register
def _(spec: CustomSpec, weights: Sequence[np.ndarray], Z: np.ndarray) -> np.ndarray:
    arrays = spec.split(weights)
    custom, layer_weights = spec.custom_layers, [*arrays.layers, *arrays.statistics]
    hidden = _scaled(spec, weights, Z)
    layers = numpy_layers(custom, layer_weights, Z.dtype)
    if layers is None:
        return custom_outputs(custom, layer_weights, hidden)
    return stack_outputs(layers, hidden)


@functools.singledispatch
def network_sensitivity(
    spec: NetworkSpec,
    weights: Sequence[np.ndarray],
    Z: np.ndarray,
    sample_weight: np.ndarray,
    *,
    of_logits: bool,
    logits_centred: bool,
) -> np.ndarray:
    """Compute how strongly a network responds to each input.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : sequence of ndarray
        In the order of `spec.arrays`.
    Z : ndarray of shape (n_rows, n_features), float64
        Normalized rows.
    sample_weight : ndarray of shape (n_rows,)
        Their weights.
    of_logits : bool
        Whether the outputs are taken before the activation of the output layer; those of custom
        layers are taken as they are.
    logits_centred : bool
        Whether the mean of the outputs of a row is subtracted from each of them first.

    Returns
    -------
    ndarray of shape (n_features,), float64
        As `skscale._inference.gradients.sensitivity`.
    """
    raise NotImplementedError(type(spec))


@network_sensitivity.register
def _(
    spec: DenseSpec,
    weights: Sequence[np.ndarray],
    Z: np.ndarray,
    sample_weight: np.ndarray,
    *,
    of_logits: bool,
    logits_centred: bool,
) -> np.ndarray:
    return sensitivity(
        Z,
        dense_form(spec, weights),
        of_logits=of_logits,
        logits_centred=logits_centred,
        sample_weight=sample_weight,
    )


@network_sensitivity.register
def _(
    spec: CustomSpec,
    weights: Sequence[np.ndarray],
    Z: np.ndarray,
    sample_weight: np.ndarray,
    *,
    of_logits: bool,
    logits_centred: bool,
) -> np.ndarray:
    arrays = spec.split(weights)
    custom, layer_weights = spec.custom_layers, [*arrays.layers, *arrays.statistics]
    hidden = _scaled(spec, weights, Z)
    layers = numpy_layers(custom, layer_weights, Z.dtype)
    if layers is None:
        gradients = custom_gradients(custom, layer_weights, hidden)
    else:
        gradients = stack_gradients(layers, hidden)
    gradients = gradients * scaling(spec, weights)[0]
    if logits_centred:
        gradients -= gradients.mean(axis=1, keepdims=True)
    squares = np.square(gradients).sum(axis=1)
    return np.sqrt(np.average(squares, axis=0, weights=sample_weight))


def _scaled(spec: NetworkSpec, weights: Sequence[np.ndarray], Z: np.ndarray) -> np.ndarray:
    """Return what the layers behind the scaling layer see of normalized rows."""
    scale, offset = scaling(spec, weights)
    scaled = Z * scale if offset is None else Z * scale + offset
    return scaled.astype(Z.dtype, copy=False)
