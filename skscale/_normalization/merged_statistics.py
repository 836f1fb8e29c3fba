"""Statistics of a table from those of its parts, which need never be in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skscale._normalization.affine import Float64Array
from skscale._normalization.statistics import ColumnStatistics


@dataclass(frozen=True)
class ColumnSummary:
    """What is known of the columns of some rows, and can be merged with that of others.

    Mean, variance and mean square are in units of ``2**exponent`` and its square, as in
    `ColumnStatistics`, so that they neither over- nor underflow.

    Parameters
    ----------
    n_values : ndarray of int of shape (n_features,)
        Number of values in rows of positive weight.
    weight : ndarray of shape (n_features,)
        Sum of the weights of those rows.
    min, max : ndarray of shape (n_features,)
        Minimum and maximum; NaN without any value.
    exponent : ndarray of int of shape (n_features,)
        Exponents of the units.
    mean, variance, mean_square : ndarray of shape (n_features,)
        Weighted moments; zero without any value.
    has_two_values : ndarray of bool of shape (n_features,)
        Whether there is no value between minimum and maximum.
    """

    n_values: NDArray[np.intp]
    weight: Float64Array
    min: Float64Array
    max: Float64Array
    exponent: NDArray[np.intc]
    mean: Float64Array
    variance: Float64Array
    mean_square: Float64Array
    has_two_values: NDArray[np.bool_]

    @property
    def mean_in_units(self) -> Float64Array:
        """Weighted mean, in the units of the columns."""
        return np.ldexp(self.mean, self.exponent)

    @classmethod
    def of(cls, X: Any, sample_weight: Any = None) -> ColumnSummary:
        """Summarize rows, at least one of positive weight."""
        statistics = ColumnStatistics(X, sample_weight)
        is_empty, (mean, variance) = statistics.is_empty, statistics._moments
        return cls(
            statistics.n_values,
            np.where(is_empty, 0.0, statistics.total_weight),
            statistics.min,
            statistics.max,
            statistics._exponent,
            np.where(is_empty, 0.0, mean),
            np.where(is_empty, 0.0, variance),
            np.where(is_empty, 0.0, np.square(statistics._scaled_rms)),
            statistics.has_two_values,
        )

    @classmethod
    def merged(cls, parts: Sequence[ColumnSummary]) -> ColumnSummary:
        """Merge summaries of rows, by the update of Chan, Golub and LeVeque (1983).

        Parameters
        ----------
        parts : sequence of ColumnSummary
            At least one, each of other rows.

        Returns
        -------
        summary : ColumnSummary
            Of all rows, in any order to rounding.
        """
        n_values, weights, low, high, exponents, means, variances, squares, two = (
            np.stack([getattr(part, name) for part in parts]) for name in cls.__annotations__
        )
        has_values = n_values > 0
        exponent = np.where(has_values, exponents, np.iinfo(np.intc).min).max(axis=0)
        exponent = np.where(has_values.any(axis=0), exponent, 0).astype(np.intc)
        shift = np.where(has_values, exponents - exponent, 0)
        means = np.ldexp(means, shift)
        variances, squares = np.ldexp(variances, 2 * shift), np.ldexp(squares, 2 * shift)
        largest = weights.max(axis=0)
        # Sums of weights need not be floats; ratios of them are.
        relative = weights / np.where(largest > 0, largest, 1.0)
        total = relative.sum(axis=0)
        total = np.where(total > 0, total, 1.0)
        min_, max_ = np.fmin.reduce(low), np.fmax.reduce(high)
        # What is constant has itself as its mean, to the last bit.
        bounds = (np.ldexp(np.nan_to_num(bound), -exponent) for bound in (min_, max_))
        mean = np.clip((relative * means).sum(axis=0) / total, *bounds)
        variance = (relative * (variances + (means - mean) ** 2)).sum(axis=0) / total
        is_end = ((low == min_) | (low == max_)) & ((high == min_) | (high == max_))
        with np.errstate(over="ignore"):
            weight = np.minimum(weights.sum(axis=0), np.finfo(np.float64).max)
        return cls(
            n_values.sum(axis=0),
            weight,
            min_,
            max_,
            exponent,
            mean,
            variance,
            (relative * squares).sum(axis=0) / total,
            ((two & is_end) | ~has_values).all(axis=0),
        )


class MergedStatistics(ColumnStatistics):
    """Statistics of a table of which the summary is known, and a sample of the rows.

    Those that need all rows in order, or a second pass over them (quantiles, and the kurtosis), are
    of the sample; all others are exact.

    Parameters
    ----------
    summary : ColumnSummary
        Of all rows.
    sample : ColumnStatistics
        Of some of them.
    """

    def __init__(self, summary: ColumnSummary, sample: ColumnStatistics) -> None:
        self._summary, self._sample = summary, sample
        self.n_features = len(summary.n_values)
        self.n_values, self.total_weight = summary.n_values, summary.weight
        self.min, self.max = summary.min, summary.max
        self._rounding = summary.n_values * np.finfo(np.float64).eps
        self._exponent = summary.exponent

    @cached_property
    def kurtosis(self) -> Float64Array:
        """Fourth central moment over the square of the second, of the sample."""
        return self._sample.kurtosis

    @cached_property
    def median(self) -> Float64Array:
        """Weighted median of the sample."""
        return self._sample.median

    @cached_property
    def mad(self) -> Float64Array:
        """Weighted median of the absolute deviations from the median, of the sample."""
        return self._sample.mad

    @cached_property
    def has_two_values(self) -> NDArray[np.bool_]:
        """Whether a column has no value between its minimum and its maximum."""
        return self._summary.has_two_values

    def quantiles(self, q: Sequence[float]) -> Float64Array:
        """Weighted quantiles of the sample.

        Parameters
        ----------
        q : sequence of float
            Probabilities in [0, 1].

        Returns
        -------
        ndarray of shape (len(q), n_features)
            The quantiles, in the units of the columns.
        """
        return self._sample.quantiles(q)

    @cached_property
    def _moments(self) -> tuple[Float64Array, Float64Array]:
        is_empty, summary = self.is_empty, self._summary
        return (
            np.where(is_empty, np.nan, summary.mean),
            np.where(is_empty, np.nan, summary.variance),
        )

    @cached_property
    def _scaled_rms(self) -> Float64Array:
        return np.where(self.is_empty, np.nan, np.sqrt(self._summary.mean_square))
