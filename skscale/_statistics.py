"""Weighted statistics of columns, safe from overflow and underflow, for the normalizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

_EPS = np.finfo(np.float64).eps
# Rows copied to columns at a time: a block of source and target stays in the cache.
_BLOCK_ROWS = 2048
# Numbers that are computed with at a time, in whole columns: a large table is never copied.
_MAX_BLOCK_SIZE = 2**22


def drop_zero_weights(
    X: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[NDArray, Float64Array | None]:
    """Leave out the rows that weigh nothing, so that they touch no statistic at all.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Data.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row, not negative. None and all ones are the same.

    Returns
    -------
    X : ndarray of shape (n_kept, n_features)
        The rows of positive weight; not a copy where all are kept.
    sample_weight : ndarray of shape (n_kept,) or None
        Their weights as float64, None if all are one.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or has no row, if the lengths differ, or if a weight is
        negative or not finite, or all are zero.
    """
    X = np.asarray(X)
    if X.ndim != 2 or len(X) == 0:
        raise ValueError(
            f"X must have shape (n_samples, n_features) and at least one row, got {X.shape}."
        )
    if sample_weight is None:
        return X, None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != X.shape[:1]:
        raise ValueError(
            f"sample_weight must have shape ({len(X)},), one weight per row of X, "
            f"got {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError(
            "sample_weight must be finite and not negative, got values from "
            f"{weights.min()} to {weights.max()}."
        )
    kept = weights > 0.0
    if not kept.any():
        raise ValueError("All sample weights are zero, so no row is left; give one of them weight.")
    if not kept.all():
        X, weights = X[kept], weights[kept]
    return X, None if (weights == 1.0).all() else weights


class ColumnStatistics:
    """Weighted statistics of each column, computed when they are asked for.

    The data are kept as they are given, and computed with some columns at a time.

    A weight of 2 counts as the row twice. Each column is first divided by a power of two, so
    that its largest absolute value lies in [0.5, 1): squares of columns of 1e-300 or 1e300 stay
    in range, and a column multiplied by a power of two has the same statistics to the bit, up to
    that power.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Finite data, computed with as float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row. Rows of weight zero are dropped first, from minimum and maximum too.

    Attributes
    ----------
    n_features : int
        Number of columns.
    total_weight : float
        Sum of the weights, the number of rows without weights.
    min, max : ndarray of shape (n_features,)
        Minimum and maximum of each column.

    Examples
    --------
    >>> from skscale._statistics import ColumnStatistics
    >>> stats = ColumnStatistics([[1e300], [3e300], [0.0]], sample_weight=[1, 1, 0])
    >>> stats.mean, stats.std
    (array([2.e+300]), array([1.e+300]))
    """

    def __init__(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        X, self._weights = drop_zero_weights(X, sample_weight)
        self._X, (n_samples, self.n_features) = X, X.shape
        self.total_weight = float(n_samples if self._weights is None else self._weights.sum())
        # The rounding of a sum grows with its terms: more than the weights if these are small.
        self._rounding = max(n_samples, self.total_weight) * _EPS
        self.min: Float64Array = X.min(axis=0).astype(np.float64)
        self.max: Float64Array = X.max(axis=0).astype(np.float64)
        _, self._exponent = np.frexp(self.maxabs)

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

        def compute(values: Float64Array, block: slice) -> Float64Array:
            values -= mean[block, np.newaxis]
            values /= spread[block, np.newaxis]
            np.square(values, out=values)
            return self._average_of_squares(values)

        return self._of_columns(compute)

    @cached_property
    def median(self) -> Float64Array:
        """Weighted median."""
        return self._restore(self._scaled_median)

    @cached_property
    def mad(self) -> Float64Array:
        """Weighted median of the absolute deviations from the median."""
        median = self._scaled_median

        def compute(values: Float64Array, block: slice) -> Float64Array:
            values -= median[block, np.newaxis]
            np.abs(values, out=values)
            return _quantiles(values, self._weights, [0.5])[0]

        return self._restore(self._of_columns(compute))

    @cached_property
    def is_constant(self) -> NDArray[np.bool_]:
        """Whether a column is constant to the rounding of its mean and variance.

        The bound of Chan, Golub and LeVeque (1983) for the error of a two-pass variance, as
        StandardScaler applies it.
        """
        mean, variance = self._moments
        bound = self._rounding * variance + (self._rounding * mean) ** 2
        return variance <= bound

    @cached_property
    def is_mean_zero(self) -> NDArray[np.bool_]:
        """Whether the mean of a column is zero to the rounding of a sum."""
        return np.abs(self._moments[0]) <= self._rounding * self._scaled_rms

    def quantiles(self, q: Sequence[float]) -> Float64Array:
        """Weighted quantiles, linearly interpolated.

        For whole weights these are ``np.quantile`` of the rows repeated as often as they weigh.
        For any weights the quantile is the average of the step function ``x(cumulative weight)``
        over a window from ``q * (total - unit)`` on, `unit` wide, where `unit` is one row: a
        weight of 1, or the weighted mean of the weights if that is less (so that weights that
        sum to one have quantiles too).

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
        """Mean and population variance of the scaled columns, by the corrected two-pass sum."""

        def compute(values: Float64Array, block: slice) -> Float64Array:
            mean = self._average(values)
            values -= mean[:, np.newaxis]
            correction = self._average(values)
            variance = self._average_of_squares(values) - correction**2
            return np.stack([mean + correction, np.maximum(variance, 0.0)])

        mean, variance = self._of_columns(compute)
        return mean, variance

    @cached_property
    def _scaled_rms(self) -> Float64Array:
        return np.sqrt(self._of_columns(lambda values, _: self._average_of_squares(values)))

    @cached_property
    def _scaled_median(self) -> Float64Array:
        return self._scaled_quantiles([0.5])[0]

    def _scaled_quantiles(self, q: Sequence[float]) -> Float64Array:
        return self._of_columns(lambda values, _: _quantiles(values, self._weights, q))

    def _of_columns(self, compute: Callable[[Float64Array, slice], Float64Array]) -> Float64Array:
        """Compute a statistic of the scaled columns, some of them at a time.

        Columns are rows of what `compute` gets, which is its own to write to: contiguous, so that
        sums are pairwise, and the bits do not depend on the memory order of X.
        """
        n_samples = len(self._X)
        n_columns = max(1, _MAX_BLOCK_SIZE // n_samples)
        results = []
        for first in range(0, max(1, self.n_features), n_columns):
            block = slice(first, first + n_columns)
            own, exponent = self._X[:, block], self._exponent[block]
            values = np.empty(own.shape[::-1])
            for start in range(0, n_samples, _BLOCK_ROWS):
                values[:, start : start + _BLOCK_ROWS] = own[start : start + _BLOCK_ROWS].T
            # A factor of 2**1074 would overflow, so the rest of such an exponent is a second one.
            most = np.clip(exponent, -1000, 1000)
            for part in (most, exponent - most):
                if part.any():
                    values *= np.ldexp(1.0, -part)[:, np.newaxis]
            results.append(compute(values, block))
        return np.concatenate(results, axis=-1)

    def _average(self, columns: Float64Array) -> Float64Array:
        if self._weights is None:
            return columns.mean(axis=1)
        return columns @ self._weights / self.total_weight

    def _average_of_squares(self, columns: Float64Array) -> Float64Array:
        if self._weights is None:
            return np.einsum("ij,ij->i", columns, columns) / columns.shape[1]
        return np.einsum("ij,ij,j->i", columns, columns, self._weights) / self.total_weight

    def _restore(self, scaled: Float64Array) -> Float64Array:
        """Give a statistic of the scaled columns the units of the columns."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(scaled, self._exponent)


def constant_features(X: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Tell which columns are constant to rounding, as StandardScaler decides it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Finite data.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; rows of weight zero do not count.

    Returns
    -------
    ndarray of bool of shape (n_features,)
        True for constant columns.

    Examples
    --------
    >>> from skscale._statistics import constant_features
    >>> constant_features([[1.0, 0.1], [2.0, 0.1], [2.0, 0.3]], sample_weight=[1, 1, 0])
    array([False,  True])
    """
    return ColumnStatistics(X, sample_weight).is_constant


def _quantiles(
    columns: Float64Array, weights: Float64Array | None, q: Sequence[float]
) -> Float64Array:
    """Quantiles of each row of `columns`, as ColumnStatistics.quantiles describes them."""
    if weights is None:
        return np.quantile(columns, q, axis=1)
    unit = min(1.0, float(weights @ (weights / weights.sum())))
    result = np.empty((len(q), len(columns)))
    for j, column in enumerate(columns):
        order = np.argsort(column)
        values, cumulative = column[order], np.cumsum(weights[order])
        starts = np.asarray(q) * (cumulative[-1] - unit)
        # A value holds the weights from the sum before it up to its own.
        first = np.searchsorted(cumulative, starts, side="right")
        last = np.searchsorted(cumulative, starts + unit, side="left")
        last = np.clip(last, first, len(values) - 1)
        for i, (start, a, b) in enumerate(zip(starts, first, last, strict=True)):
            overlaps = np.diff(np.concatenate([[start], cumulative[a:b], [start + unit]]))
            result[i, j] = values[a] + overlaps @ (values[a : b + 1] - values[a]) / unit
    return result
