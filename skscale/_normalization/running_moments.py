"""Mean and variance that accumulate chunk after chunk, as `StandardScaler` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from skscale._normalization.active_features import is_constant_to_rounding
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import Table, row_blocks
from skscale._normalization.sample_weight import relative_weights
from skscale._normalization.statistics import ColumnStatistics


@dataclass(frozen=True)
class Moments:
    """Statistics of all rows so far; NaN is no value.

    Parameters
    ----------
    n_values : ndarray of int of shape (n_features,)
        Number of values in rows of positive weight.
    total_weight : ndarray of shape (n_features,)
        Sum of the weights of those rows.
    mean, variance : ndarray of shape (n_features,)
        Weighted, in the units of the features and their squares; zero without any value.
    """

    n_values: np.ndarray
    total_weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

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
            Variances beyond float64 are infinite.
        """
        with np.errstate(over="ignore", divide="ignore"):
            variance = np.where(statistics.is_constant, 0.0, (1 / standard.scale) ** 2)
        return cls(statistics.n_values, statistics.total_weight, standard.center, variance)


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
    n_features = X.shape[1]
    total = moments
    if total is None:
        zeros = np.zeros(n_features)
        total = Moments(zeros.astype(int), zeros, zeros, zeros)
    for rows in row_blocks(X):
        total = _accumulate_rows(total, X[rows], sample_weight[rows])
    scale = 1 / np.sqrt(total.variance, out=np.ones_like(total.variance), where=total.varies)
    return total, AffineMap(total.mean, scale, np.zeros(n_features))


def _accumulate_rows(moments: Moments, X: np.ndarray, sample_weight: np.ndarray) -> Moments:
    scaler = StandardScaler()
    n_rows = len(sample_weight)
    # In units in which neither the weights nor their sums over- or underflow.
    relative = relative_weights(np.append(sample_weight, moments.total_weight))
    scaler.n_samples_seen_ = relative[n_rows:]
    scaler.mean_, scaler.var_ = moments.mean.copy(), moments.variance.copy()
    scaler.scale_, scaler.n_features_in_ = np.sqrt(scaler.var_), X.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaler.partial_fit(np.asarray(X, np.float64), sample_weight=relative[:n_rows])
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
    )
