"""The rows that networks learn from, written once to memory that TensorFlow reads as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from skscale._compiled.rows import Rows
from skscale._parallel import map_threads
from skscale._training.batches import bucket

# Small tables of all sizes have one shape, and with it one compiled program.
_MIN_PADDED_ROWS = 256
# Numbers that one thread normalizes at a time.
_PART_SIZE = 2**19
# TensorFlow takes memory as it is where it starts at such a multiple.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Dataset:
    """Rows in the training precision, padded with copies of the first row at weight zero.

    Parameters
    ----------
    padded : Rows
        All rows, of `n_padded_rows` each. Columns behind the features are zero.
    weights : ndarray of float64 of shape (n_rows,)
        Weights of the rows without padding.
    max_input : float
        Largest absolute value of the inputs.
    """

    padded: Rows
    weights: np.ndarray
    max_input: float

    @property
    def n_rows(self) -> int:
        """Number of rows without padding, which is the number of the first padding row."""
        return len(self.weights)

    @property
    def n_padded_rows(self) -> int:
        """Number of rows, padding included."""
        return self.padded.inputs.shape[0]

    @property
    def n_columns(self) -> int:
        """Number of features, padding included."""
        return self.padded.inputs.shape[1]

    @classmethod
    def from_rows(
        cls,
        normalized: Callable[[slice], np.ndarray],
        targets: np.ndarray,
        weights: np.ndarray,
        dtype: str,
        *,
        n_columns: int,
        min_rows: int = 0,
    ) -> Dataset:
        """Copy rows part by part, so that they need never be all elsewhere.

        Parameters
        ----------
        normalized : callable
            Takes a slice of rows, gives their inputs, of shape (any, n_features). Called from
            several threads where there are many rows.
        targets : ndarray of shape (n_rows, n_outputs)
            Targets of all rows.
        weights : ndarray of shape (n_rows,)
            Weights of all rows.
        dtype : {"float32", "float64"}
            Training precision.
        n_columns : int
            Number of features, padding included.
        min_rows : int, default=0
            Rows to have room for at least, so that datasets of any size up to it share a program.

        Returns
        -------
        dataset : Dataset
            The rows.
        """
        n_rows = len(weights)
        # Rows are only looked up: what is padded costs memory, not time.
        n_padded = max(_MIN_PADDED_ROWS, bucket(max(n_rows, min_rows) + 1))
        rows = Rows(
            inputs=_aligned((n_padded, n_columns), dtype),
            targets=_aligned((n_padded, *targets.shape[1:]), dtype),
            weights=_aligned((n_padded,), dtype),
        )
        length = max(1, _PART_SIZE // n_columns)

        def copy_inputs(start: int) -> float:
            part = slice(start, min(start + length, n_rows))
            inputs = normalized(part)
            rows.inputs[part, : inputs.shape[1]] = inputs
            rows.inputs[part, inputs.shape[1] :] = 0
            return float(max(inputs.max(), -inputs.min()))

        largest = map_threads(copy_inputs, range(0, n_rows, length))
        rows.targets[:n_rows], rows.weights[:n_rows] = targets, weights
        # A copy of a real row is in the domain of every loss; a row of zeros need not be.
        rows.inputs[n_rows:], rows.targets[n_rows:] = rows.inputs[0], rows.targets[0]
        rows.weights[n_rows:] = 0.0
        return cls(rows, np.asarray(weights, np.float64), max(largest))

    def copy(self) -> Dataset:
        """Copy rows that came from another process, to memory that is aligned as here."""
        rows = Rows(*(_aligned(array.shape, array.dtype.name) for array in self.padded))
        for copy, array in zip(rows, self.padded, strict=True):
            copy[...] = array
        return replace(self, padded=rows)


def _aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)
