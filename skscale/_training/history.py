"""Losses of epochs from losses of steps, each step weighted by the weight of its rows."""

from __future__ import annotations

import numpy as np

from skscale._training.batches import Block


class LossHistory:
    """Losses of the networks of a stack.

    Parameters
    ----------
    row_weights : ndarray of shape (n_rows,)
        Weights of the rows without padding.
    steps_per_epoch : int
        Steps of every epoch.
    """

    def __init__(self, row_weights: np.ndarray, steps_per_epoch: int):
        # The number of the padding row is that of the last row plus one.
        self._row_weights = np.append(row_weights, 0.0)
        self.steps_per_epoch = steps_per_epoch
        self._sums: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def add(self, block: Block, losses: np.ndarray) -> None:
        """Add the losses of the steps of a block, of shape (n_steps, n_networks)."""
        rows = block.rows[: block.n_steps] if block.rows.ndim == 3 else block.rows[None]
        weights = np.broadcast_to(self._row_weights[rows].sum(axis=-1), losses.shape)
        self._weights.append(weights)
        with np.errstate(over="ignore"):
            self._sums.append(losses * weights)

    def losses(self, network: int) -> list[float]:
        """Return the loss of every whole epoch of one network."""
        if not self._sums:
            return []
        sums, weights = (np.concatenate(parts)[:, network] for parts in (self._sums, self._weights))
        n_whole = len(sums) // self.steps_per_epoch * self.steps_per_epoch
        shape = (-1, self.steps_per_epoch)
        with np.errstate(all="ignore"):
            epochs = sums[:n_whole].reshape(shape).sum(1) / weights[:n_whole].reshape(shape).sum(1)
        return [float(loss) for loss in epochs]
