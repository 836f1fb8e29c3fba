"""Rows of a table as networks learn from them: dense, and without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skscale._normalization.affine import Float64Array


@dataclass(frozen=True)
class DenseRows:
    """A table of which any rows can be had in dense form, with a number in place of each NaN.

    The table is not copied: what becomes dense are the rows that are asked for.

    Parameters
    ----------
    table : ndarray or sparse CSR of shape (n_samples, n_features)
        Numbers, and NaN where there is no value.
    gap_values : ndarray of shape (n_features,) or None
        What stands for the NaN of each feature; None where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skscale._normalization.dense_rows import DenseRows
    >>> rows = DenseRows(csr_array([[0.0, np.nan], [3.0, 4.0]]), np.array([1.0, 2.0]))
    >>> rows[:1]
    array([[0., 2.]])
    """

    table: Any
    gap_values: Float64Array | None

    def __len__(self) -> int:
        return int(self.table.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.table.shape

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        part = self.table[rows]
        if issparse(part):
            part = part.toarray()
        if self.gap_values is None:
            return part
        gaps = np.isnan(part)
        # In float64, as float32 would move what is to stand exactly at a centre.
        return np.where(gaps, self.gap_values, part) if gaps.any() else part


Table = np.ndarray | DenseRows
"""Rows that are dense, or become so where they are asked for."""


def table_of(X: Any) -> Any:
    """Return what a user gave."""
    return X.table if isinstance(X, DenseRows) else X


def dense_block(table: Any, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
    """Return some columns of some rows of an array or of a sparse CSR table."""
    if issparse(table):
        return table[rows][:, columns].toarray()
    return table[rows, columns]
