"""Mean and variance that accumulate chunk after chunk, as `StandardScaler` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from skscale._affine import AffineMap


@dataclass(frozen=True)
class Moments:
    """Statistics of all rows so far.

    Parameters
    ----------
    n_samples : float
        Sum of the weights of the rows.
    mean, variance : ndarray of shape (n_features,)
        Weighted, in the units of the features and their squares.
    """

    n_samples: float
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of_map(cls, standard: AffineMap, constant: np.ndarray, n_samples: float) -> Moments:
        """Read the moments from a standardization.

        Parameters
        ----------
        standard : AffineMap
            Standardization of the rows.
        constant : ndarray of bool of shape (n_features,)
            Features that do not vary, whose scale says nothing.
        n_samples : float
            Sum of the weights of the rows.

        Returns
        -------
        moments : Moments
            Variances beyond float64 are infinite.
        """
        with np.errstate(over="ignore", divide="ignore"):
            variance = np.where(constant, 0.0, (1 / standard.scale) ** 2)
        return cls(n_samples, standard.center, variance)


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
    if moments is not None:
        scaler.n_samples_seen_ = np.float64(moments.n_samples)
        scaler.mean_, scaler.var_ = moments.mean.copy(), moments.variance.copy()
        scaler.scale_ = np.sqrt(scaler.var_)
        scaler.n_features_in_ = len(moments.mean)
    scaler.partial_fit(np.asarray(X, np.float64), sample_weight=sample_weight)
    # Equal counts of all features come as one number.
    n_samples = float(np.max(scaler.n_samples_seen_))
    standard = AffineMap(scaler.mean_, 1 / scaler.scale_, np.zeros(X.shape[1]))
    return Moments(n_samples, scaler.mean_, scaler.var_), standard
