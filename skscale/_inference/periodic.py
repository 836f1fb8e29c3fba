"""The periodic embedding in NumPy, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skscale._limits import PERIODIC_LIMIT


class PeriodicForm(NamedTuple):
    """Weights of a periodic embedding, as the functions of NumPy take them.

    Parameters
    ----------
    columns : sequence of int or None
        Features that are embedded; None for all.
    frequency, phase : ndarray of shape (n_embedded, n_frequencies)
        In cycles per unit, and in cycles.
    kernel : ndarray of shape (n_embedded, n_frequencies, units)
        From waves to outputs.
    bias : ndarray of shape (n_embedded, units)
        What is added then.
    """

    columns: Sequence[int] | None
    frequency: np.ndarray
    phase: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    def astype(self, dtype: np.dtype) -> PeriodicForm:
        """Return the embedding with arrays of a dtype."""
        columns, *arrays = self
        return PeriodicForm(columns, *(np.asarray(array, dtype) for array in arrays))

    @property
    def _embedded(self) -> slice | list[int]:
        """Index of the embedded features."""
        return slice(None) if self.columns is None else list(self.columns)

    def _radians(self, h: np.ndarray) -> np.ndarray:
        """Return 2 pi (w h + b), of shape (n_embedded, n_rows, n_frequencies)."""
        embedded = np.clip(h.T[self._embedded], -PERIODIC_LIMIT, PERIODIC_LIMIT)
        cycles = embedded[:, :, np.newaxis] * self.frequency[:, np.newaxis]
        cycles += self.phase[:, np.newaxis]
        cycles *= h.dtype.type(2 * np.pi)
        return cycles

    def forward(self, h: np.ndarray) -> np.ndarray:
        """Return scaled features, (n_rows, n_features), and their embedding behind them."""
        waves = self._radians(h)
        outputs = np.cos(waves, out=waves) @ self.kernel + self.bias[:, np.newaxis]
        return np.concatenate([h, outputs.transpose(1, 0, 2).reshape(len(h), -1)], axis=1)

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Pull gradients of shape (n, n_rows, n_outputs) back to the features.

        ``d e_j / d h_j = -2 pi sum_k w_jk sin(2 pi (w_jk h_j + b_jk)) A_jk``.
        """
        n_features = h.shape[1]
        slopes = np.sin(self._radians(h)) * (-2 * np.pi * self.frequency)[:, np.newaxis]
        slopes = (slopes @ self.kernel).astype(h.dtype, copy=False)
        of_outputs = g[..., n_features:].reshape(*g.shape[:-1], *self.bias.shape)
        pulled = g[..., :n_features].copy()
        pulled[..., self._embedded] += np.einsum("nrju,jru->nrj", of_outputs, slopes)
        return pulled
