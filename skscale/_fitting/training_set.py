"""What a fit, or a chunk, learns from: rows, target and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skscale._normalization.statistics import ColumnStatistics
from skscale._target.target import Target


@dataclass(frozen=True)
class TrainingSet:
    """Rows, target and weights, validated.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows in raw units.
    target : Target
        What is learned.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    random : numpy.random.RandomState
        Draws the rows that sensitivities and the vote of neighbours are computed on; copied before
        every use, because callbacks may ask for many ensembles.
    statistics : ColumnStatistics or None
        Those of the rows, where they are known already.
    is_chunk : bool
        Whether the rows are one chunk of many.
    """

    X: np.ndarray
    target: Target
    sample_weight: np.ndarray
    random: np.random.RandomState
    statistics: ColumnStatistics | None = None
    is_chunk: bool = False

    def column_statistics(self) -> ColumnStatistics:
        """Return the statistics of the rows, taken now if they are not known."""
        return self.statistics or ColumnStatistics(self.X, self.sample_weight)
