"""The periodic embedding in NumPy, with its gradient.

Rows come last inside, so that every product and every wave runs along them. `forward` takes several
networks along a leading axis, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skscale._inference.cosine import cosine_of_turns
from skscale._limits import PERIODIC_LIMIT


class PeriodicForm(NamedTuple):
    """Weights of a periodic embedding, as the functions of NumPy take them.

    Parameters
    ----------
    columns : sequence of int or None
        Features that are embedded; None for all.
    lines : ndarray of shape (n_embedded, n_frequencies, 2)
        Frequency, in cycles per unit, and phase, in cycles.
    kernel : ndarray of shape (n_embedded, n_frequencies, units)
        From waves to outputs.
    bias : ndarray of shape (n_embedded, units)
        What is added then.
    """

    columns: Sequence[int] | None
    lines: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    @classmethod
    def from_weights(
        cls,
        columns: Sequence[int] | None,
        frequency: np.ndarray,
        phase: np.ndarray,
        kernel: np.ndarray,
        bias: np.ndarray,
    ) -> PeriodicForm:
        """Return the embedding of weights in Keras' order."""
        # What np.stack gives, at half the time.
        lines = np.empty((*frequency.shape, 2), frequency.dtype)
        lines[..., 0], lines[..., 1] = frequency, phase
        return cls(columns, lines, kernel, bias)

    def astype(self, dtype: np.dtype) -> PeriodicForm:
        """Return the embedding with arrays of a dtype."""
        columns, *arrays = self
        return PeriodicForm(columns, *(np.asarray(array, dtype) for array in arrays))

    @property
    def _embedded(self) -> slice | list[int]:
        """Index of the embedded features."""
        return slice(None) if self.columns is None else list(self.columns)

    def _waves(self, h: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """Return cos(2 pi (w h + b)), of shape (..., n_embedded, n_frequencies, n_rows)."""
        # w h + b as a product: in half the time of w h, and b added to it.
        points = np.ones((*lines.shape[:-2], 2, h.shape[-2]), h.dtype)
        features = h.swapaxes(-1, -2)[..., self._embedded, :]
        # On a single row np.clip costs more.
        clipped = np.maximum(features, -PERIODIC_LIMIT, out=points[..., 0, :])
        np.minimum(clipped, PERIODIC_LIMIT, out=clipped)
        return cosine_of_turns(lines @ points)

    def forward(self, h: np.ndarray) -> np.ndarray:
        """Return scaled features, (..., n_rows, n_features), and their embedding behind them."""
        *axis, n_rows, n_features = h.shape
        n_embedded, units = self.bias.shape[-2:]
        outputs = np.empty((*axis, n_features + n_embedded * units, n_rows), h.dtype)
        outputs[..., :n_features, :] = h.swapaxes(-1, -2)
        embedding = outputs[..., n_features:, :].reshape(*axis, n_embedded, units, n_rows)
        np.matmul(self.kernel.swapaxes(-1, -2), self._waves(h, self.lines), out=embedding)
        embedding += self.bias[..., np.newaxis]
        # The next product reads it in either order.
        return outputs.swapaxes(-1, -2)

    def pull_back(self, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Pull gradients of shape (n, n_rows, n_outputs) back to the features.

        ``d e_j / d h_j = -2 pi sum_k w_jk sin(2 pi (w_jk h_j + b_jk)) A_jk``.
        """
        # A sine is the cosine of a quarter of a turn less.
        sines = self._waves(h, self.lines - np.array([0, 0.25], h.dtype))
        factors = self.kernel * (-2 * np.pi * self.lines[..., :1])
        slopes = factors.transpose(0, 2, 1) @ sines
        n_features = h.shape[1]
        of_outputs = g[..., n_features:].reshape(*g.shape[:-1], *self.bias.shape)
        pulled = g[..., :n_features].copy()
        pulled[..., self._embedded] += np.einsum("nrju,jur->nrj", of_outputs, slopes)
        return pulled
