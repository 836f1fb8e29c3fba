"""Rows predicted by the networks that have not seen them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from skscale._inference.ensemble import Ensemble
from skscale._normalization.dense_rows import Table, in_blocks, some_rows

# Rows that are copied at a time.
_PART_ROWS = 65_536


def held_out_mean(
    ensemble: Ensemble,
    held_out: Sequence[np.ndarray],
    X: Table,
    values_of: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Average over the networks that a row was held out from.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    held_out : sequence of ndarray of int
        Rows that were held out from each network, not all empty.
    X : ndarray or DenseRows of shape (n_rows, n_features)
        All rows, in raw units.
    values_of : callable, default=numpy.asarray
        From outputs of a network to what is averaged, row by row.

    Returns
    -------
    ndarray of shape (n_rows, n_values)
        NaN for rows that every network has seen.
    """
    total, counts = np.empty((0, 0)), np.zeros(len(X))
    for member, numbers in enumerate(held_out):
        rows = np.unique(numbers)
        for start in range(0, len(rows), _PART_ROWS):
            part = rows[start : start + _PART_ROWS]
            outputs = functools.partial(ensemble.member_output, member=member)
            values = values_of(in_blocks(outputs, some_rows(X, part)))
            if not len(total):
                total = np.zeros((len(X), values.shape[1]), values.dtype)
            total[part] += values
            counts[part] += 1
    counts[counts == 0] = np.nan
    return (total / counts[:, np.newaxis]).astype(total.dtype, copy=False)
