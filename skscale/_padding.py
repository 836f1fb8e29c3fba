"""Columns of zeros that let tables of similar width share one compiled program.

A feature that is zero in every row has a gradient of zero wherever it touches a weight: with a
kernel row of zeros it changes no other number. Only the mean over the factors must know how many
features there really are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skscale._network import NetworkSpec
from skscale._plan import Table, Task

# Wider tables are rare enough to pay for a program of their own.
_MAX_WIDTH = 64
_STEP = 8


def widen(
    spec: NetworkSpec, table: Table, tasks: Sequence[Task]
) -> tuple[NetworkSpec, Table, list[Task]]:
    """Pad the features of a training to one of few widths.

    Parameters
    ----------
    spec : NetworkSpec
        The architecture.
    table : Table
        All rows.
    tasks : sequence of Task
        The networks.

    Returns
    -------
    spec : NetworkSpec
        The architecture for so many features.
    table : Table
        The rows with columns of zeros behind the others.
    tasks : list of Task
        The networks with weights for those columns.
    """
    width = math.ceil(spec.n_features / _STEP) * _STEP
    if width in (0, spec.n_features) or width > _MAX_WIDTH:
        return spec, table, list(tasks)
    import tensorflow as tf

    wide = replace(spec, n_features=width)
    inputs, targets, row_weights = table.tensors
    inputs = tf.pad(inputs, [[0, 0], [0, width - spec.n_features]])
    tasks = [replace(task, weights=widen_weights(wide, task.weights)) for task in tasks]
    return wide, replace(table, tensors=(inputs, targets, row_weights)), tasks


def widen_weights(wide: NetworkSpec, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights with zeros for padded features, in the shapes of `wide`."""
    return [
        np.pad(array, [(0, more - n) for n, more in zip(array.shape, p.shape, strict=True)])
        for array, p in zip(weights, wide.arrays, strict=True)
    ]


def narrow(spec: NetworkSpec, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights without those of padded features, in the shapes of `spec`."""
    return [
        array[tuple(slice(n) for n in parameter.shape)]
        for array, parameter in zip(weights, spec.arrays, strict=True)
    ]
