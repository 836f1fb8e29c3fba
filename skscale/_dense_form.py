"""A trained network as a scaling layer and Dense layers alone, which is what NumPy runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from skscale._inference import DenseSpec
from skscale._network import BATCH_EPSILON, NetworkSpec


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
    """Return weights, layers and use of an offset, as `skscale._inference` takes them.

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
        affine = [next(remaining) for _ in range(1 + layer["use_bias"])]
        if layer["kind"] == "sine":
            # sin(a * (x W + b)) is sin(x (W a) + b a).
            frequency = next(remaining)
            affine = [array * frequency for array in affine]
        arrays.extend(affine)
    # `Recipe` has seen to it that activations are names.
    return arrays, cast("list[DenseSpec]", spec.layers), offset is not None
