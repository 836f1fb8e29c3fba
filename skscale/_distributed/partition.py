"""One partition as rows: validated, without those of weight zero, each in a fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_regressor
from sklearn.utils.validation import check_consistent_length

from skscale._base import BaseLearnedScale
from skscale._fitting.held_out import named
from skscale._target.target_type import read_target

_ARRAYS = ("X", "y", "sample_weight", "folds", "draws")


@dataclass(frozen=True)
class RawRows:
    """Rows of positive weight, in the units that they came in.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Features.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Quantities or labels; no columns where there is no target.
    sample_weight : ndarray of shape (n_rows,)
        Weights.
    folds : ndarray of int of shape (n_rows,)
        The fold that each row is held out from; -1 without folds.
    draws : ndarray of shape (n_rows,)
        Random numbers from zero to one: the rows of the smallest are a sample.
    is_category : bool
        Whether y was declared as categories.
    """

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray
    folds: np.ndarray
    draws: np.ndarray
    is_category: bool = False

    def __len__(self) -> int:
        return len(self.draws)

    def take(self, rows: np.ndarray) -> RawRows:
        """Return some of the rows."""
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return replace(self, **arrays)

    def followed_by(self, other: RawRows) -> RawRows:
        """Return these rows, then others."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _ARRAYS
        }
        return replace(self, **arrays)


@dataclass(frozen=True)
class Reader:
    """Reads partitions, each time in the same folds.

    Parameters
    ----------
    estimator : BaseLearnedScale
        Not fitted; it knows the names and the number of the features.
    n_folds : int
        Folds; 0 for none.
    seed : int
        Decides them.
    """

    estimator: BaseLearnedScale
    n_folds: int
    seed: int

    def read(self, number: int, X: Any, y: Any, sample_weight: Any) -> RawRows | None:
        """Read one partition; None where it has no row of positive weight.

        Parameters
        ----------
        number : int
            Its place among the partitions.
        X, y, sample_weight : array-like or None
            Its rows.

        Returns
        -------
        rows : RawRows or None
            Those of positive weight.

        Raises
        ------
        TypeError, ValueError
            If they are none that the estimator could be fitted to.
        """
        with named(f"Partition {number}"):
            check_consistent_length(X, y, sample_weight)
            if not np.shape(X)[0]:
                return None
            table, targets, is_category = self._validated(X, y)
            weights = np.ones(len(targets))
            if sample_weight is not None:
                weights = np.asarray(sample_weight)
                if not weights.any():
                    return None
                weights = self.estimator._validate_sample_weight(weights, table, n_needed=1)
        used = np.flatnonzero(weights)
        table = table[used].toarray() if issparse(table) else table[used]
        random = np.random.default_rng((self.seed, number))
        targets = targets[used]
        folds = self._folds(targets, random)
        draws = random.uniform(size=len(used))
        return RawRows(table, targets, weights[used], folds, draws, is_category)

    def _validated(self, X: Any, y: Any) -> tuple[Any, np.ndarray, bool]:
        if y is None:
            rows = self.estimator._validate_data(X, reset=False)
            return rows, np.empty((rows.shape[0], 0)), False
        if is_regressor(self.estimator):
            settings = {"multi_output": True, "y_numeric": True, "reset": False}
            return *self.estimator._validate_data(X, y, **settings), False
        return self.estimator._validate_data(X, reset=False), *read_target(y, warn=True)

    def _folds(self, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Deal the rows out to the folds in random order, those of each label evenly."""
        n_rows = len(targets)
        if not self.n_folds:
            return np.full(n_rows, -1)
        order = random.permutation(n_rows)
        if targets.ndim == 1 and targets.dtype.kind != "f":
            _, codes = np.unique(targets, return_inverse=True)
            order = order[np.argsort(codes[order], kind="stable")]
        folds = np.empty(n_rows, int)
        # Partitions begin with different folds, so that no fold has more of all remainders.
        folds[order] = (np.arange(n_rows) + random.integers(self.n_folds)) % self.n_folds
        return folds
