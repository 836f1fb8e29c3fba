"""Criteria of normalization by name: statistics of the columns to centre and divisor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skscale._normalization.affine import Float64Array
from skscale._normalization.statistics import ColumnStatistics

_FLOAT = np.finfo(np.float64)

Criterion = Callable[[ColumnStatistics], tuple[Float64Array, Float64Array]]


class UndefinedCriterionError(ValueError):
    """A criterion is undefined for some features; `fit_normalization` adds their names."""

    def __init__(self, undefined: NDArray[np.bool_], reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.undefined, self.reason, self.alternative = undefined, reason, alternative


def refuse(stats: ColumnStatistics, undefined: NDArray, reason: str, alternative: str) -> None:
    """Raise for undefined features, but for constant ones: these get scale one in any case."""
    undefined = undefined & ~stats.is_constant
    if undefined.any():
        raise UndefinedCriterionError(undefined, reason, alternative)


def _unless_rounding(divisor: Float64Array, size: Float64Array) -> Float64Array:
    """Zero where a difference of values of this size is nothing but their rounding."""
    return np.where(divisor <= 4 * _FLOAT.eps * size, 0.0, divisor)


def _mean_as_divisor(stats: ColumnStatistics) -> Float64Array:
    refuse(stats, stats.is_mean_zero, "its mean is zero", "'standard' or 'range'")
    return stats.mean


def _standard(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std


def _pareto(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, np.sqrt(stats.std)


def _vast(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std * (stats.std / _mean_as_divisor(stats))


def _vast_2(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    center, divisor = _vast(stats)
    return center, divisor * stats.kurtosis**2


def _vast_3(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    refuse(stats, stats.max == 0.0, "its maximum is zero", "'vast_4'")
    return stats.mean, stats.std * (stats.std / stats.max) * stats.kurtosis**2


def _vast_4(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std * (stats.std / stats.range) * stats.kurtosis**2


def _range(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.range


def _minmax(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.min, stats.range


def _minmax_symmetric(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.midrange, stats.range / 2


def _level(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, _mean_as_divisor(stats)


def _max(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.max


def _maxabs(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return np.zeros(stats.n_features), stats.maxabs


def _robust(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    q25, median, q75 = stats.quantiles([0.25, 0.5, 0.75])
    return median, _unless_rounding(q75 - q25, np.abs(q75))


def _mad(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    # 1 / 0.6745, rounded as in the literature: a normal distribution then has divisor sd.
    return stats.median, 1.4826 * _unless_rounding(stats.mad, np.abs(stats.median))


def _variance(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    variance = stats.std**2
    out_of_range = (variance < _FLOAT.tiny) | ~np.isfinite(variance)
    refuse(stats, out_of_range, "its variance is beyond float64", "'standard'")
    return stats.mean, variance


def _median(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.median


def _poisson(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    not_positive = (stats.mean < 0.0) | stats.is_mean_zero
    refuse(stats, not_positive, "the square root needs a positive mean", "'standard' or 'pareto'")
    return stats.mean, np.sqrt(stats.mean)


def _rms(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return np.zeros(stats.n_features), stats.rms


def _l2(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.norm


NORMALIZATIONS: dict[str, Criterion] = {
    "l2": _l2,
    "level": _level,
    "mad": _mad,
    "max": _max,
    "maxabs": _maxabs,
    "median": _median,
    "minmax": _minmax,
    "minmax_symmetric": _minmax_symmetric,
    "pareto": _pareto,
    "poisson": _poisson,
    "range": _range,
    "rms": _rms,
    "robust": _robust,
    "standard": _standard,
    "variance": _variance,
    "vast": _vast,
    "vast_2": _vast_2,
    "vast_3": _vast_3,
    "vast_4": _vast_4,
}
"""Criteria by name: statistics of the columns -> (center, divisor), each (n_features,)."""
