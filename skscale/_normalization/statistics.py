"""Weighted statistics of columns, safe from overflow and underflow, for the normalizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skscale._normalization.active_features import is_constant_to_rounding
from skscale._normalization.affine import Float64Array
from skscale._normalization.dense_rows import dense_block
from skscale._normalization.quantiles import weighted_quantiles
from skscale._normalization.sample_weight import drop_zero_weights, relative_weights
from skscale._parallel import map_threads, n_threads

_EPS = np.finfo(np.float64).eps
# Sums are taken of pieces that stay in the cache, and added; the same pieces for every table.
_PIECE_ROWS = 4096
_PIECE_COLUMNS = 128
# Numbers that quantiles are taken of at a time by all threads, in whole columns, and at least one
# column each: a large table is never copied whole.
_MAX_BLOCK_SIZE = 2**23


class _Survey(NamedTuple):
    """What is known of a piece of rows after a first pass, for each column."""

    min: NDArray
    max: NDArray
    n_values: NDArray[np.intp]
    weight: Float64Array


class ColumnStatistics:
    """Weighted statistics of each column, computed when they are asked for.

    The data are not copied; statistics are computed piece by piece, on all cores. A sparse table
    becomes dense a piece at a time, and has the statistics of the dense one to the bit.

    NaN is no value: each column has the statistics of the rows with a value, and NaN where there
    is none.

    A weight of 2 counts as the row twice. All but the quantiles and the norm, which count rows, are
    the same for weights times a constant, and to the bit for a power of two.

    Each column is first divided by a power of two, so that its largest absolute value lies in
    [0.5, 1): squares of columns of 1e-300 or 1e300 stay in range, and a column multiplied by a
    power of two has the same statistics to the bit, up to that power.

    Parameters
    ----------
    X : array-like or sparse CSR of shape (n_samples, n_features)
        Data, finite or NaN, computed with as float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row. Rows of weight zero are dropped first, from minimum and maximum too.

    Attributes
    ----------
    n_features : int
        Number of columns.
    n_values : ndarray of int of shape (n_features,)
        Number of values in rows of positive weight.
    total_weight : ndarray of shape (n_features,)
        Sum of the weights of those rows, their number without weights.
    min, max : ndarray of shape (n_features,)
        Minimum and maximum of each column.

    Examples
    --------
    >>> from skscale._normalization.statistics import ColumnStatistics
    >>> stats = ColumnStatistics([[1e300], [3e300], [0.0]], sample_weight=[1, 1, 0])
    >>> stats.mean, stats.std
    (array([2.e+300]), array([1.e+300]))
    """

    def __init__(self, X: Any, sample_weight: Any = None) -> None:
        X, weights = drop_zero_weights(X, sample_weight)
        self._X, (self._n_rows, self.n_features) = X, X.shape
        # Quantiles count rows; for everything else only ratios of weights matter.
        self._counts, self._weights, self._has_gaps = weights, None, False
        if weights is not None and weights.min() < weights.max():
            self._weights = relative_weights(weights)
        pieces = map_threads(self._survey, self._rows)
        # These leave NaN out, unless there is nothing else.
        self.min: Float64Array = np.fmin.reduce([p.min for p in pieces]).astype(np.float64)
        self.max: Float64Array = np.fmax.reduce([p.max for p in pieces]).astype(np.float64)
        self.n_values = np.sum([piece.n_values for piece in pieces], axis=0)
        gaps = self.n_values < self._n_rows
        self._has_gaps = bool(gaps.any())
        self._weights_of_pieces = np.stack([piece.weight for piece in pieces], axis=-1)
        all_rows = self._weight_of_rows(slice(None))
        total = np.where(gaps, self._weights_of_pieces.sum(axis=-1), all_rows)
        # What is divided by it is NaN where there is no value.
        self._total = np.where(self.is_empty, np.nan, total)
        self.total_weight = self.n_values.astype(np.float64)
        if weights is not None:
            self.total_weight = weights.sum() * (total / all_rows)
        # The rounding of a sum grows with the number of its terms, whatever they weigh.
        self._rounding = self.n_values * _EPS
        _, self._exponent = np.frexp(np.where(self.is_empty, 0.0, self.maxabs))

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """Whether a column has no value."""
        return self.n_values == 0

    @property
    def maxabs(self) -> Float64Array:
        """Largest absolute value."""
        return np.maximum(np.abs(self.min), np.abs(self.max))

    @property
    def range(self) -> Float64Array:
        """Maximum minus minimum; infinity where that overflows."""
        with np.errstate(over="ignore"):
            return self.max - self.min

    @property
    def midrange(self) -> Float64Array:
        """Half the sum of minimum and maximum."""
        return self.min / 2 + self.max / 2

    @cached_property
    def mean(self) -> Float64Array:
        """Weighted mean."""
        return self._restore(self._moments[0])

    @cached_property
    def std(self) -> Float64Array:
        """Weighted population standard deviation, as StandardScaler takes it."""
        return self._restore(np.sqrt(self._moments[1]))

    @cached_property
    def rms(self) -> Float64Array:
        """Square root of the weighted mean of the squares."""
        return self._restore(self._scaled_rms)

    @cached_property
    def norm(self) -> Float64Array:
        """Square root of the weighted sum of the squares; infinity where that overflows."""
        return self._restore(self._scaled_rms * np.sqrt(self.total_weight))

    @cached_property
    def kurtosis(self) -> Float64Array:
        """Fourth central moment over the square of the second: 3 for a normal distribution."""
        mean, variance = self._moments
        spread = np.sqrt(np.where(self.is_constant, 1.0, variance))

        def compute(values: Float64Array, rows: slice, columns: slice) -> Float64Array:
            values -= mean[columns, np.newaxis]
            values /= spread[columns, np.newaxis]
            np.square(values, out=values)
            return self._sum_of_squares(values, rows)

        return self._sums(compute).sum(axis=-1) / self._total

    @cached_property
    def median(self) -> Float64Array:
        """Weighted median."""
        return self._restore(self._scaled_median)

    @cached_property
    def mad(self) -> Float64Array:
        """Weighted median of the absolute deviations from the median."""
        median = self._scaled_median

        def compute(values: Float64Array, columns: slice) -> Float64Array:
            values -= median[columns, np.newaxis]
            np.abs(values, out=values)
            return weighted_quantiles(values, self._counts, [0.5])[0]

        return self._restore(self._of_columns(compute))

    @cached_property
    def has_two_values(self) -> NDArray[np.bool_]:
        """Whether a column has no value between its minimum and its maximum."""
        left = np.arange(self.n_features)
        for rows in self._rows:
            pieces = [left[piece] for piece in _slices(len(left), _PIECE_COLUMNS)]
            left = np.concatenate([self._without_between(rows, columns) for columns in pieces])
        return np.isin(np.arange(self.n_features), left)

    def _without_between(self, rows: slice, columns: NDArray[np.intp]) -> NDArray[np.intp]:
        values = dense_block(self._X, rows, columns)
        is_between = (values > self.min[columns]) & (values < self.max[columns])
        return columns[~is_between.any(axis=0)]

    @cached_property
    def is_constant(self) -> NDArray[np.bool_]:
        """Whether a column is constant to the rounding of its mean and variance, or empty."""
        return is_constant_to_rounding(*self._moments, self.n_values) | self.is_empty

    @property
    def varying(self) -> NDArray[np.intp]:
        """Numbers of the columns that are not constant."""
        return np.flatnonzero(~self.is_constant)

    @cached_property
    def is_mean_zero(self) -> NDArray[np.bool_]:
        """Whether the mean of a column is zero to the rounding of a sum."""
        return np.abs(self._moments[0]) <= self._rounding * self._scaled_rms

    def quantiles(self, q: Sequence[float]) -> Float64Array:
        """Weighted quantiles, linearly interpolated.

        For whole weights these are ``np.quantile`` of the rows repeated as often as they weigh.

        Parameters
        ----------
        q : sequence of float
            Probabilities in [0, 1].

        Returns
        -------
        ndarray of shape (len(q), n_features)
            The quantiles, in the units of the columns.
        """
        return self._restore(self._scaled_quantiles(q))

    @cached_property
    def _moments(self) -> tuple[Float64Array, Float64Array]:
        """Mean and population variance of the scaled columns.

        By the corrected two-pass sum in each piece of rows, and the pieces together by the
        update of Chan, Golub and LeVeque (1983).
        """

        def compute(values: Float64Array, rows: slice, columns: slice) -> Float64Array:
            weight = self._weights_of_pieces[columns, rows.start // _PIECE_ROWS]
            # Without a value in the piece all sums are zero, and so are mean and squares.
            weight = np.where(weight > 0.0, weight, 1.0)
            mean = self._sum(values, rows) / weight
            values -= mean[:, np.newaxis]
            correction = self._sum(values, rows) / weight
            squares = self._sum_of_squares(values, rows) - weight * correction**2
            return np.stack([mean, correction, squares])

        means, corrections, squares = self._sums(compute)
        weights = self._weights_of_pieces
        mean = (weights * means).sum(axis=-1) / self._total
        # Differences of means are exact where their sums with the corrections are not.
        offsets = (means - mean[:, np.newaxis]) + corrections
        correction = (weights * offsets).sum(axis=-1) / self._total
        squares += weights * offsets**2
        variance = squares.sum(axis=-1) / self._total - correction**2
        return mean + correction, np.maximum(variance, 0.0)

    @cached_property
    def _scaled_rms(self) -> Float64Array:
        squares = self._sums(lambda values, rows, _: self._sum_of_squares(values, rows))
        return np.sqrt(squares.sum(axis=-1) / self._total)

    @cached_property
    def _scaled_median(self) -> Float64Array:
        return self._scaled_quantiles([0.5])[0]

    def _scaled_quantiles(self, q: Sequence[float]) -> Float64Array:
        return self._of_columns(lambda values, _: weighted_quantiles(values, self._counts, q))

    @property
    def _rows(self) -> list[slice]:
        return _slices(self._n_rows, _PIECE_ROWS)

    def _survey(self, rows: slice) -> _Survey:
        weight = np.full(self.n_features, self._weight_of_rows(rows))
        n_values = np.full(self.n_features, len(range(*rows.indices(self._n_rows))))
        low, high = np.empty((2, self.n_features), self._X.dtype)
        # Of a dense table nothing is copied here.
        width = _PIECE_COLUMNS if issparse(self._X) else self.n_features
        for columns in _slices(self.n_features, width):
            block = dense_block(self._X, rows, columns)
            low[columns], high[columns] = block.min(axis=0), block.max(axis=0)
            gaps = np.flatnonzero(np.isnan(low[columns]))
            if len(gaps):
                values, gaps = block[:, gaps], columns.start + gaps
                is_value = np.ascontiguousarray(~np.isnan(values).T, np.float64)
                low[gaps], high[gaps] = np.fmin.reduce(values), np.fmax.reduce(values)
                n_values[gaps], weight[gaps] = is_value.sum(axis=1), self._sum(is_value, rows)
        return _Survey(low, high, n_values, weight)

    def _sums(self, compute: Callable[[Float64Array, slice, slice], Float64Array]) -> Float64Array:
        """Compute something of each piece of rows, of shape (..., n_features, n_pieces).

        What is added lies side by side, so that its order does not depend on other columns.
        """

        def of_rows(rows: slice) -> Float64Array:
            columns = _slices(self.n_features, _PIECE_COLUMNS)
            results = [compute(self._scaled(rows, piece), rows, piece) for piece in columns]
            return np.concatenate(results, axis=-1)

        return np.stack(map_threads(of_rows, self._rows), axis=-1)

    def _of_columns(self, compute: Callable[[Float64Array, slice], Float64Array]) -> Float64Array:
        """Compute a statistic of whole columns, some of them at a time."""
        n_columns = max(1, _MAX_BLOCK_SIZE // n_threads() // self._n_rows)

        def of_columns(columns: slice) -> Float64Array:
            return compute(self._scaled(slice(None), columns), columns)

        return np.concatenate(map_threads(of_columns, _slices(self.n_features, n_columns)), axis=-1)

    def _scaled(self, rows: slice, columns: slice) -> Float64Array:
        """Return scaled columns as rows of a new array.

        Contiguous, so that the bits of a sum do not depend on the memory order of X.
        """
        block, exponent = dense_block(self._X, rows, columns).T, self._exponent[columns]
        # A factor of 2**1074 would overflow, so the rest of such an exponent is a second one.
        most = np.clip(exponent, -1000, 1000)
        values = np.empty(block.shape)
        np.multiply(block, np.ldexp(1.0, -most)[:, np.newaxis], out=values)
        if (exponent != most).any():
            values *= np.ldexp(1.0, most - exponent)[:, np.newaxis]
        return values

    def _weight_of_rows(self, rows: slice) -> float:
        n_rows = len(range(*rows.indices(self._n_rows)))
        return float(n_rows if self._weights is None else self._weights[rows].sum())

    def _sum(self, columns: Float64Array, rows: slice) -> Float64Array:
        columns = self._without_gaps(columns)
        if self._weights is None:
            return columns.sum(axis=1)
        # A product of matrices would take another order of additions for other columns.
        return np.einsum("ij,j->i", columns, self._weights[rows])

    def _sum_of_squares(self, columns: Float64Array, rows: slice) -> Float64Array:
        columns = self._without_gaps(columns)
        if self._weights is None:
            return np.einsum("ij,ij->i", columns, columns)
        return np.einsum("ij,ij,j->i", columns, columns, self._weights[rows])

    def _without_gaps(self, columns: Float64Array) -> Float64Array:
        """Put zeros, which add nothing, in place of NaN."""
        return np.where(np.isnan(columns), 0.0, columns) if self._has_gaps else columns

    def _restore(self, scaled: Float64Array) -> Float64Array:
        """Give a statistic of the scaled columns the units of the columns."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(scaled, self._exponent)


def _slices(n: int, length: int) -> list[slice]:
    """Cut `n` numbers in pieces, at least one."""
    return [slice(start, start + length) for start in range(0, max(1, n), length)]
