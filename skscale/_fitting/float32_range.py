"""Normalized numbers as float32, and which row is to blame where that cannot hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Float32Range:
    """Rounds normalized rows to float32, or says what to do about the first that is too large.

    Parameters
    ----------
    name : {"X", "y"}
        What the rows are of.
    columns : sequence of int
        Numbers of its columns, as the user counts them.
    parameter : str
        Name of the parameter that they were normalized by.
    value : object
        Its value.
    weights : ndarray of shape (n_learned,)
        Weights of the rows to learn from; rows behind them are held out.
    is_earlier : bool
        Whether the normalization is that of an earlier fit or chunk.
    """

    name: str
    columns: Sequence[int]
    parameter: str
    value: Any
    weights: np.ndarray
    is_earlier: bool

    def rounded(self, values: np.ndarray, first_row: int = 0) -> np.ndarray:
        """Round rows from `first_row` on: a change of units then leaves the same numbers.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Normalized rows.
        first_row : int, default=0
            Number of the first of them.

        Returns
        -------
        rounded : ndarray of float32 of shape (n_rows, n_columns)
            The same numbers.

        Raises
        ------
        ValueError
            If float32 cannot hold one of them.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.asarray(values, np.float32)
            # A single pass without an array of its own; finite numbers may overflow it, too.
            if np.isfinite(rounded.sum()):
                return rounded
        beyond = np.argwhere(~np.isfinite(rounded))
        if len(beyond):
            row, column = beyond[0].tolist()
            raise ValueError(self._message(first_row + row, self.columns[column]))
        return rounded

    def _message(self, row: int, column: int) -> str:
        name, n_learned = self.name, len(self.weights)
        if row >= n_learned:
            name, row = f"{name}_val", row - n_learned
            advice = "Leave that row out: it lies far beyond those to learn from."
        elif self.is_earlier:
            advice = "Leave that row out, or start anew with fit and warm_start=False."
        else:
            share = self.weights[row] / self.weights.sum()
            # Of weights over hundreds of decades it may be too small for a float.
            advice = self._advice(max(float(share), float(np.finfo(np.float64).tiny)))
        earlier = " of the first fit or chunk" if self.is_earlier else ""
        return (
            f"Column {column} of {name} is too large for float32 in row {row} under "
            f"{self.parameter}={self.value!r}{earlier}. {advice}"
        )

    def _advice(self, share: float) -> str:
        # A row with this share of all weight lies so far out by weighted statistics, at most.
        if share**-0.5 > _LARGEST:
            return (
                f"It has {share:.1e} of all weight, too little for a scale that it fits in: leave "
                "it out, or give it a weight of zero."
            )
        return f"Use {self.parameter}='standard', or divide that column by its magnitude."
