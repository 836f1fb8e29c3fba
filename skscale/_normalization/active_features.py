"""Which features enter the networks: those that vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skscale._normalization.statistics import ColumnStatistics


def select_active(Z: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return the columns that enter the networks; one column of zeros where there is none.

    That column lets a table without any information train like every other: the output bias
    learns the mean.
    """
    if not len(active):
        return np.zeros((len(Z), 1), Z.dtype)
    # `take` keeps the memory order, and with it the order of additions in products.
    return Z if len(active) == Z.shape[1] else Z.take(active, axis=1)


def constant_features(X: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Find the columns that are constant to rounding, as StandardScaler decides it.

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
    >>> from skscale._normalization.active_features import constant_features
    >>> constant_features([[1.0, 0.1], [2.0, 0.1], [2.0, 0.3]], sample_weight=[1, 1, 0])
    array([False,  True])
    """
    return ColumnStatistics(X, sample_weight).is_constant
