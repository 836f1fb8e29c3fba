"""Looking on while one network trains: between epochs, with a say in what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Weights = list[np.ndarray]
"""Of one network, in the order of `NetworkSpec.arrays`."""


@dataclass(frozen=True)
class TrainingInfo:
    """What a training is going to be.

    Parameters
    ----------
    n_epochs, n_batches : int
        Epochs, and batches of each.
    rate : float
        Learning rate of the first step.
    """

    n_epochs: int
    n_batches: int
    rate: float


class Callback:
    """Lets everything pass; its subclasses do not."""

    def on_train_begin(self, weights: Weights, outlook: TrainingInfo) -> Weights:
        """Return the weights to on_train_begin with."""
        return weights

    def on_epoch_begin(self, epoch: int, rate: float, weights: Weights) -> Weights:
        """Return the weights to go on with, before an epoch of this first planned rate."""
        return weights

    def rates(self, planned: np.ndarray) -> np.ndarray:
        """Return the learning rates of the next steps."""
        return planned

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Return whether to stop, and the weights to go on with."""
        return False, weights

    def on_diverged(self) -> None:
        """Told that the training diverged."""

    def end(self, weights: Weights) -> Weights:
        """Return the weights to keep."""
        return weights


def _as_it_is(weights: Sequence[np.ndarray]) -> Weights:
    return list(weights)


@dataclass(frozen=True)
class CallbackList:
    """Who looks on, and at what.

    Parameters
    ----------
    observers : sequence of Callback
        In the order in which they are asked.
    score : callable or None
        Held-out loss of the weights of a network; None where nothing is held out.
    narrow, widen : callable
        From the weights that train to those that observers see, and back.
    """

    observers: Sequence[Callback]
    score: Callable[[Sequence[np.ndarray]], float] | None = None
    narrow: Callable[[Sequence[np.ndarray]], Weights] = _as_it_is
    widen: Callable[[Sequence[np.ndarray]], Weights] = _as_it_is

    def on_train_begin(
        self, weights: Sequence[np.ndarray], outlook: TrainingInfo
    ) -> Weights | None:
        """Tell all before the first epoch, and return weights to replace these."""
        given = chosen = self.narrow(weights)
        for observer in self.observers:
            chosen = observer.on_train_begin(chosen, outlook)
        return None if chosen is given else self.widen(chosen)

    def on_epoch_begin(
        self, epoch: int, rate: float, weights: Sequence[np.ndarray]
    ) -> Weights | None:
        """Tell all before an epoch, and return weights to replace these."""
        given = chosen = self.narrow(weights)
        for observer in self.observers:
            chosen = observer.on_epoch_begin(epoch, rate, chosen)
        return None if chosen is given else self.widen(chosen)

    def rates(self, planned: np.ndarray) -> np.ndarray:
        """Return the learning rates of the next steps."""
        for observer in self.observers:
            planned = observer.rates(planned)
        return planned

    def on_epoch_end(
        self, epoch: int, loss: float, weights: Sequence[np.ndarray]
    ) -> tuple[bool, float | None, Weights | None]:
        """Return whether any wants to stop, the held-out loss, and weights to replace these."""
        given = chosen = self.narrow(weights)
        logs, is_over = {"loss": loss}, False
        if self.score is not None:
            logs["val_loss"] = self.score(chosen)
        for observer in self.observers:
            stops, chosen = observer.on_epoch_end(epoch, logs, chosen)
            is_over |= stops
        return is_over, logs.get("val_loss"), None if chosen is given else self.widen(chosen)

    def on_diverged(self) -> None:
        """Tell all that the training diverged."""
        for observer in self.observers:
            observer.on_diverged()

    def end(self, weights: Sequence[np.ndarray]) -> Weights:
        """Return the weights to keep."""
        chosen = self.narrow(weights)
        for observer in self.observers:
            chosen = observer.end(chosen)
        return self.widen(chosen)


class EarlyStopping(Callback):
    """Stops when the held-out loss no longer falls, and goes back to the best epoch.

    Parameters
    ----------
    n_iter_no_change : int
        Epochs without a smaller held-out loss before the training stops.
    """

    def __init__(self, n_iter_no_change: int):
        self._n_iter_no_change = n_iter_no_change
        self._best_loss = np.inf
        self._waited = 0
        self._best: Weights = []

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Wait for a better epoch no longer than agreed."""
        self._waited += 1
        if logs["val_loss"] < self._best_loss:
            self._best_loss, self._waited, self._best = logs["val_loss"], 0, weights
        return self._waited >= self._n_iter_no_change, weights

    def end(self, weights: Weights) -> Weights:
        """Return the weights of the best epoch."""
        return self._best or weights
