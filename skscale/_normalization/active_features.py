"""Which features enter the networks: those that vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skscale._normalization.affine import Float64Array


def select_active(Z: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return the columns that enter the networks; one column of zeros where there is none.

    That column lets a table without any information train like every other: the output bias
    learns the mean.
    """
    if not len(active):
        return np.zeros((len(Z), 1), Z.dtype)
    # `take` keeps the memory order, and with it the order of additions in products.
    return Z if len(active) == Z.shape[1] else Z.take(active, axis=1)


def is_constant_to_rounding(
    mean: Float64Array, variance: Float64Array, n_values: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether a variance is nothing but rounding.

    The bound of Chan, Golub and LeVeque (1983) for the error of a two-pass variance, as
    StandardScaler applies it to rows without weights.

    Parameters
    ----------
    mean, variance : ndarray of shape (n_features,)
        Moments of the columns.
    n_values : ndarray of int of shape (n_features,)
        How many values were added; what they weigh changes no rounding.

    Returns
    -------
    ndarray of bool of shape (n_features,)
        True for constant columns.
    """
    rounding = n_values * np.finfo(np.float64).eps
    return variance <= rounding * variance + (rounding * mean) ** 2
