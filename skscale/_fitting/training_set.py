"""What a fit, or a chunk, learns from: rows, target and weights, and rows held out from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skscale._normalization.dense_rows import Table, stacked, table_of
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
    n_held_out : int
        Rows at the end that nothing is learned from: the `X_val` of a fit.
    """

    X: Table
    target: Target
    sample_weight: np.ndarray
    random: np.random.RandomState
    statistics: ColumnStatistics | None = None
    is_chunk: bool = False
    n_held_out: int = 0

    @property
    def n_learned(self) -> int:
        """Number of rows that folds and normalizations are of; they come first."""
        return len(self.X) - self.n_held_out

    @property
    def table(self) -> Any:
        """Those rows as they were given, sparse and with gaps."""
        table = table_of(self.X)
        # A slice of a sparse table is a copy.
        return table[: self.n_learned] if self.n_held_out else table

    @property
    def learned_weight(self) -> np.ndarray:
        """Their weights."""
        return self.sample_weight[: self.n_learned]

    def with_held_out(self, X: Table, target: Target, sample_weight: np.ndarray) -> TrainingSet:
        """Add rows that are held out, whose target was read as this one."""
        return replace(
            self,
            X=stacked(self.X, X),
            target=self.target.followed_by(target),
            sample_weight=np.concatenate([self.sample_weight, sample_weight]),
            n_held_out=len(X),
        )

    def column_statistics(self) -> ColumnStatistics:
        """Return those of the rows to learn from as given, taken now if they are not known."""
        return self.statistics or ColumnStatistics(self.table, self.learned_weight)
