"""Rows of a table as networks learn from them: dense, and without gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from skscale._normalization.affine import Float64Array

# Numbers that are dense at a time where rows are only passed through: 16 MB in float64.
_BLOCK_SIZE = 2**21


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
    gap_values: Float64Array | None = None

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


def dense_rows(X: Any) -> Table:
    """Return an array as it is, and a sparse CSR table without gaps as rows to ask for."""
    return DenseRows(X) if issparse(X) else X


def table_of(X: Table) -> Any:
    """Return what a user gave."""
    return X.table if isinstance(X, DenseRows) else X


def some_rows(X: Table, rows: np.ndarray) -> Table:
    """Return a table of these rows, which become dense no sooner than they did."""
    return DenseRows(X.table[rows], X.gap_values) if isinstance(X, DenseRows) else X[rows]


def stacked(first: Table, second: Table) -> Table:
    """Return the rows of two tables, as sparse and in the precision that the first is.

    Parameters
    ----------
    first, second : ndarray or DenseRows of shape (any, n_features)
        Rows, with the same values in their gaps where both have some.

    Returns
    -------
    rows : ndarray or DenseRows of shape (any, n_features)
        All rows.
    """
    table, more = table_of(first), table_of(second).astype(table_of(first).dtype, copy=False)
    if issparse(table):
        table = vstack([table, csr_array(more)], format="csr")
    else:
        table = np.concatenate([table, more.toarray() if issparse(more) else more])
    gaps = [rows.gap_values for rows in (first, second) if isinstance(rows, DenseRows)]
    gap_values = next((values for values in gaps if values is not None), None)
    return dense_rows(table) if gap_values is None else DenseRows(table, gap_values)


def dense_block(table: Any, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
    """Return some columns of some rows of an array or of a sparse CSR table."""
    block = table[rows, columns]
    return block.toarray() if issparse(block) else block


def has_gaps(table: Any) -> bool:
    """Whether there is NaN in an array or in a sparse table."""
    values = table.data if issparse(table) else table
    # A minimum of NaN needs no array of its own, as a mask would.
    return bool(values.size and np.isnan(values.min()))


def row_blocks(X: Table) -> list[slice]:
    """Cut rows that become dense into blocks; an array is one."""
    if isinstance(X, np.ndarray):
        return [slice(0, len(X))]
    # A power of two, into which networks cut their rows as well: the same sums, the same bits.
    size = 1 << max(0, (_BLOCK_SIZE // X.shape[1]).bit_length() - 1)
    return [slice(start, start + size) for start in range(0, len(X), size)]


def in_blocks(compute: Callable[[np.ndarray], np.ndarray], X: Table) -> np.ndarray:
    """Compute something of each row, of rows that become dense block by block."""
    if isinstance(X, np.ndarray):
        return compute(X)
    return np.concatenate([compute(X[rows]) for rows in row_blocks(X)])
