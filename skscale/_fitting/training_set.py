"""What a fit, or a chunk, learns from: rows, target and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skscale._normalization.dense_rows import Table, table_of
from skscale._normalization.statistics import ColumnStatistics
from skscale._target.target import Target


@dataclass(frozen=True)
class TrainingSet:
    """Rows, target and weights, validated.

    Parameters
    ----------
    X : ndarray or DenseRows of shape (n_samples, n_features)
        Rows in raw units, without gaps.
    target : Target
        What is learned.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    random : numpy.random.RandomState
        Draws the rows that sensitivities and the vote of neighbours are computed on; copied before
        every use, because callbacks may ask for many ensembles.
    statistics : ColumnStatistics or None
        Those of the rows as they were given, where they are known already.
    is_chunk : bool
        Whether the rows are one chunk of many.
    """

    X: Table
    target: Target
    sample_weight: np.ndarray
    random: np.random.RandomState
    statistics: ColumnStatistics | None = None
    is_chunk: bool = False

    def column_statistics(self) -> ColumnStatistics:
        """Return the statistics of the rows as given, taken now if they are not known."""
        return self.statistics or ColumnStatistics(table_of(self.X), self.sample_weight)
