"""Columns of zeros that let datasets of similar width share one compiled program.

A feature that is zero in every row has a gradient of zero wherever it touches a weight: with a
kernel row of zeros it changes no other number. Only the mean over the factors must know how many
features there really are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

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
    return wide, [replace(run, weights=widen_weights(wide, run.weights)) for run in runs]


def widen_weights(wide: NetworkSpec, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights with zeros for padded features, in the shapes of `wide`."""
    return [
        array  # `np.pad` takes no array without axes.
        if array.shape == p.shape
        else np.pad(array, [(0, more - n) for n, more in zip(array.shape, p.shape, strict=True)])
        for array, p in zip(weights, wide.arrays, strict=True)
    ]


def narrow(spec: NetworkSpec, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights without those of padded features, in the shapes of `spec`."""
    return [
        array[tuple(slice(n) for n in parameter.shape)]
        for array, parameter in zip(weights, spec.arrays, strict=True)
    ]
