"""Mean and variance that accumulate chunk after chunk, as `StandardScaler` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from skscale._normalization.active_features import is_constant_to_rounding
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import Table, row_blocks
from skscale._normalization.sample_weight import relative_weights
from skscale._normalization.scalers import reciprocal
from skscale._normalization.statistics import ColumnStatistics

# Of subnormal numbers.
_LEAST_EXPONENT = -1073


@dataclass(frozen=True)
class Moments:
    """Statistics of all rows so far; NaN is no value.

    As in `ColumnStatistics`, each feature is divided by a power of two first, so that squares of
    features of 1e-300 or 1e300 stay in range.

    Parameters
    ----------
    n_values : ndarray of int of shape (n_features,)
        Number of values in rows of positive weight.
    total_weight : ndarray of shape (n_features,)
        Sum of the weights of those rows.
    mean, variance : ndarray of shape (n_features,)
        Weighted, of the features over ``2**exponent``; zero without any value.
    exponent : ndarray of int of shape (n_features,) or None
        None stands for zeros.
    """

    n_values: np.ndarray
    total_weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    exponent: np.ndarray | None = None

    @property
    def variance_in_units(self) -> np.ndarray:
        """Variance in the squares of the units of the features; infinite beyond float64."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.variance, 2 * self._exponents)

    @property
    def standard(self) -> AffineMap:
        """Standardization by these moments; of scale one where a feature is constant."""
        deviation = np.ldexp(np.sqrt(self.variance), self._exponents)
        divisor = np.where(self.varies, deviation, 1.0)
        center = np.ldexp(self.mean, self._exponents)
        return AffineMap(center, reciprocal(divisor), np.zeros(len(divisor)))

    @property
    def _exponents(self) -> np.ndarray:
        return np.zeros(len(self.mean), int) if self.exponent is None else self.exponent

    def over(self, exponent: np.ndarray) -> Moments:
        """Return the same moments, of features over other powers of two."""
        change = self._exponents - exponent
        mean, variance = np.ldexp(self.mean, change), np.ldexp(self.variance, 2 * change)
        return Moments(self.n_values, self.total_weight, mean, variance, exponent)

    @property
    def varies(self) -> np.ndarray:
        """Which features vary by more than rounding."""
        # StandardScaler's own bound grows with the sum of the weights, whatever their unit is.
        return ~is_constant_to_rounding(self.mean, self.variance, self.n_values)

    @property
    def is_empty(self) -> np.ndarray:
        """Which features had no value so far."""
        return self.n_values == 0

    @classmethod
    def from_map(cls, standard: AffineMap, statistics: ColumnStatistics) -> Moments:
        """Read the moments from a standardization.

        Parameters
        ----------
        standard : AffineMap
            Standardization of the rows.
        statistics : ColumnStatistics
            Those of the rows; they decide which features vary.

        Returns
        -------
        moments : Moments
            The same, as more rows can be added to it.
        """
        deviation = np.where(statistics.is_constant, 0.0, 1 / standard.scale)
        exponent = _exponent(np.maximum(np.abs(standard.center), deviation))
        mean, variance = np.ldexp(standard.center, -exponent), np.ldexp(deviation, -exponent) ** 2
        return cls(statistics.n_values, statistics.total_weight, mean, variance, exponent)


def accumulate(
    moments: Moments | None, X: Table, sample_weight: np.ndarray
) -> tuple[Moments, AffineMap]:
    """Add rows to the moments (Chan, Golub and LeVeque 1983, which `StandardScaler` follows).

    Parameters
    ----------
    moments : Moments or None
        Of earlier rows.
    X : ndarray or DenseRows of shape (n_samples, n_features)
        New rows, at least one of positive weight.
    sample_weight : ndarray of shape (n_samples,)
        Their weights.

    Returns
    -------
    moments : Moments
        Of all rows.
    standard : AffineMap
        Standardization by them.
    """
    total = moments
    if total is None:
        zeros = np.zeros(X.shape[1])
        total = Moments(zeros.astype(int), zeros, zeros, zeros, _exponent(zeros))
    for rows in row_blocks(X):
        total = _accumulate_rows(total, X[rows], sample_weight[rows])
    return total, total.standard


def _exponent(size: np.ndarray) -> np.ndarray:
    """Exponents of the powers of two next above; the least there is for zero."""
    return np.where(size > 0.0, np.frexp(size)[1], _LEAST_EXPONENT)


def _accumulate_rows(moments: Moments, X: np.ndarray, sample_weight: np.ndarray) -> Moments:
    values = np.asarray(X, np.float64)
    size = np.fmax.reduce(np.abs(values), axis=0)
    exponent = np.maximum(_exponent(size), moments._exponents)
    moments = moments.over(exponent)
    scaler = StandardScaler()
    n_rows = len(sample_weight)
    # In units in which neither the weights nor their sums over- or underflow.
    relative = relative_weights(np.append(sample_weight, moments.total_weight))
    scaler.n_samples_seen_ = relative[n_rows:]
    scaler.mean_, scaler.var_ = moments.mean.copy(), moments.variance.copy()
    scaler.scale_, scaler.n_features_in_ = np.sqrt(scaler.var_), X.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaler.partial_fit(np.ldexp(values, -exponent), sample_weight=relative[:n_rows])
    is_value = ~np.isnan(X)
    new = is_value[sample_weight > 0].sum(axis=0)
    with np.errstate(over="ignore"):
        total_weight = moments.total_weight + sample_weight @ is_value
    return Moments(
        moments.n_values + new,
        np.minimum(total_weight, np.finfo(np.float64).max),
        # Of a feature without a new value it divides zero by zero.
        np.where(new > 0, scaler.mean_, moments.mean),
        np.where(new > 0, scaler.var_, moments.variance),
        exponent,
    )
