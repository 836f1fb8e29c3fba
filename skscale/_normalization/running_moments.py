"""Mean and variance that accumulate chunk after chunk, as `StandardScaler` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from skscale._normalization.active_features import is_constant_to_rounding
from skscale._normalization.affine import AffineMap
from skscale._normalization.sample_weight import relative_weights
from skscale._normalization.statistics import ColumnStatistics


@dataclass(frozen=True)
class Moments:
    """Statistics of all rows so far.

    Parameters
    ----------
    n_samples : int
        Number of rows of positive weight.
    total_weight : float
        Sum of the weights of the rows.
    mean, variance : ndarray of shape (n_features,)
        Weighted, in the units of the features and their squares.
    """

    n_samples: int
    total_weight: float
    mean: np.ndarray
    variance: np.ndarray

    @property
    def varies(self) -> np.ndarray:
        """Which features vary by more than rounding."""
        # StandardScaler's own bound grows with the sum of the weights, whatever their unit is.
        return ~is_constant_to_rounding(self.mean, self.variance, self.n_samples)

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
        return cls(statistics.n_samples, statistics.total_weight, standard.center, variance)


def accumulate(
    moments: Moments | None, X: np.ndarray, sample_weight: np.ndarray
) -> tuple[Moments, AffineMap]:
    """Add rows to the moments (Chan, Golub and LeVeque 1983, which `StandardScaler` follows).

    Parameters
    ----------
    moments : Moments or None
        Of earlier rows.
    X : ndarray of shape (n_samples, n_features)
        New rows.
    sample_weight : ndarray of shape (n_samples,)
        Their weights.

    Returns
    -------
    moments : Moments
        Of all rows.
    standard : AffineMap
        Standardization by them.
    """
    scaler = StandardScaler()
    total_weight = 0.0 if moments is None else moments.total_weight
    # In units in which neither the weights nor their sums over- or underflow.
    *relative, relative_total = relative_weights(np.append(sample_weight, total_weight))
    if moments is not None:
        scaler.n_samples_seen_ = relative_total
        scaler.mean_, scaler.var_ = moments.mean.copy(), moments.variance.copy()
        scaler.scale_ = np.sqrt(scaler.var_)
        scaler.n_features_in_ = len(moments.mean)
    scaler.partial_fit(np.asarray(X, np.float64), sample_weight=np.array(relative))
    n_samples = int(np.count_nonzero(sample_weight)) + (0 if moments is None else moments.n_samples)
    with np.errstate(over="ignore"):
        total_weight = min(total_weight + float(sample_weight.sum()), np.finfo(np.float64).max)
    total = Moments(n_samples, total_weight, scaler.mean_, scaler.var_)
    scale = 1 / np.sqrt(total.variance, out=np.ones_like(total.variance), where=total.varies)
    return total, AffineMap(total.mean, scale, np.zeros(X.shape[1]))
