"""Columns of zeros that let datasets of similar width share one compiled program.

A feature that is zero in every row has a gradient of zero wherever it touches a weight: with a
kernel row of zeros it changes no other number. Only the mean over the factors must know how many
features there really are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skscale._network.parameter import Parameter
from skscale._network.spec import NetworkSpec
from skscale._training.config import NetworkRun

# Wider tables are rare enough to pay for a program of their own.
_MAX_WIDTH = 64
_STEP = 8


def padded_width(n_features: int) -> int:
    """Round a number of features up to one of few widths."""
    width = math.ceil(n_features / _STEP) * _STEP
    return n_features if width > _MAX_WIDTH else width


def widen_spec(spec: NetworkSpec, n_columns: int) -> NetworkSpec:
    """Return the architecture with as many features as the dataset has columns."""
    return spec if n_columns == spec.n_features else replace(spec, n_features=n_columns)


def widen(
    spec: NetworkSpec, runs: Sequence[NetworkRun], n_columns: int
) -> tuple[NetworkSpec, list[NetworkRun]]:
    """Pad the features of networks to the columns of their dataset.

    Parameters
    ----------
    spec : NetworkSpec
        The architecture.
    runs : sequence of NetworkRun
        The networks.
    n_columns : int
        Columns of the dataset, those of zeros included.

    Returns
    -------
    spec : NetworkSpec
        The architecture for so many features.
    runs : list of NetworkRun
        The networks with weights for those columns.
    """
    wide = widen_spec(spec, n_columns)
    if wide is spec:
        return spec, list(runs)
    return wide, [replace(run, weights=widen_weights(spec, wide, run.weights)) for run in runs]


def widen_weights(
    spec: NetworkSpec, wide: NetworkSpec, weights: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the weights with zeros for padded features, in the shapes of `wide`."""
    return [
        array if array.shape == more.shape else _widened(array, parameter, more)
        for array, parameter, more in zip(weights, spec.arrays, wide.arrays, strict=True)
    ]


def _widened(array: np.ndarray, parameter: Parameter, wide: Parameter) -> np.ndarray:
    widened = np.zeros(wide.shape, array.dtype)
    for part, of_wide in zip(_blocks(parameter), _blocks(wide), strict=True):
        block = array[part]
        corner = tuple(slice(n) for n in block.shape)
        widened[of_wide][corner] = block
    return widened


def narrow(spec: NetworkSpec, wide: NetworkSpec, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights without those of padded features, in the shapes of `spec`."""
    return [
        array if array.shape == parameter.shape else _narrowed(array, parameter, more)
        for array, parameter, more in zip(weights, spec.arrays, wide.arrays, strict=True)
    ]


def _narrowed(array: np.ndarray, parameter: Parameter, wide: Parameter) -> np.ndarray:
    others = tuple(slice(n) for n in parameter.shape[1:])
    blocks = zip(_blocks(parameter), _blocks(wide), strict=True)
    return np.concatenate(
        [array[of_wide][: part.stop - part.start][:, *others] for part, of_wide in blocks]
    )


def _blocks(parameter: Parameter) -> list[slice]:
    """Rows of the first axis that are padded together."""
    lengths = parameter.blocks or parameter.shape[:1]
    ends = list(itertools.accumulate(lengths))
    return [slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False)]
