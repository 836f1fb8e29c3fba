"""Callbacks of one network: called between epochs, by the names of Keras' hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Weights = list[np.ndarray]
"""Of one network, in the order of `NetworkSpec.arrays`."""


@dataclass(frozen=True)
class TrainingInfo:
    """What is known of a training before its first step.

    Parameters
    ----------
    n_epochs, n_batches : int
        Epochs, and batches of each.
    learning_rate : float
        Of the first step.
    """

    n_epochs: int
    n_batches: int
    learning_rate: float


class Callback:
    """Changes nothing; subclasses override the hooks that they need.

    Hooks that take weights return those to go on with: the same list where they change none.
    """

    @property
    def keras_callbacks(self) -> Sequence[Any]:
        """Callbacks of Keras that this one calls."""
        return []

    def rest(self) -> None:
        """Let go of the network, after its training, however that ended."""

    def on_train_begin(self, weights: Weights, info: TrainingInfo) -> Weights:
        """Return the weights to begin with."""
        return weights

    def on_epoch_begin(self, epoch: int, learning_rate: float, weights: Weights) -> Weights:
        """Return the weights to go on with; `learning_rate` is the scheduled one."""
        return weights

    def learning_rates(self, scheduled: np.ndarray) -> np.ndarray:
        """Return the learning rates of the next steps."""
        return scheduled

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Return whether to stop, and the weights to go on with."""
        return False, weights

    def on_diverged(self) -> None:
        """Do what is to be done where the network has diverged."""

    def on_train_end(self, weights: Weights) -> Weights:
        """Return the weights to keep."""
        return weights


class EpochResult(NamedTuple):
    """What all callbacks return at the end of an epoch.

    Parameters
    ----------
    stop_training : bool
        Whether one of them stops the training.
    validation_loss : float or None
        Held-out loss; None where nothing is held out.
    weights : list of ndarray
        To go on with.
    """

    stop_training: bool
    validation_loss: float | None
    weights: Weights


@dataclass(frozen=True)
class CallbackList:
    """Callbacks of one network, called in order, each with the weights of the one before.

    Parameters
    ----------
    callbacks : sequence of Callback
        In the order in which they are called.
    score : callable or None
        Held-out loss of the weights of a network; None where nothing is held out.
    """

    callbacks: Sequence[Callback]
    score: Callable[[Sequence[np.ndarray]], float] | None = None

    @property
    def keras_callbacks(self) -> list[Any]:
        """Callbacks of Keras that are called."""
        return [called for callback in self.callbacks for called in callback.keras_callbacks]

    def rest(self) -> None:
        """Let go of the network."""
        for callback in self.callbacks:
            callback.rest()

    def on_train_begin(self, weights: Weights, info: TrainingInfo) -> Weights:
        """Return the weights to begin with."""
        for callback in self.callbacks:
            weights = callback.on_train_begin(weights, info)
        return weights

    def on_epoch_begin(self, epoch: int, learning_rate: float, weights: Weights) -> Weights:
        """Return the weights to go on with."""
        for callback in self.callbacks:
            weights = callback.on_epoch_begin(epoch, learning_rate, weights)
        return weights

    def learning_rates(self, scheduled: np.ndarray) -> np.ndarray:
        """Return the learning rates of the next steps."""
        for callback in self.callbacks:
            scheduled = callback.learning_rates(scheduled)
        return scheduled

    def on_epoch_end(self, epoch: int, loss: float, weights: Weights) -> EpochResult:
        """Score the weights, and call all callbacks also where one of them stops."""
        logs, stop_training = {"loss": loss}, False
        if self.score is not None:
            logs["val_loss"] = self.score(weights)
        for callback in self.callbacks:
            stops, weights = callback.on_epoch_end(epoch, logs, weights)
            stop_training |= stops
        return EpochResult(stop_training, logs.get("val_loss"), weights)

    def on_diverged(self) -> None:
        """Call all callbacks where the network has diverged."""
        for callback in self.callbacks:
            callback.on_diverged()

    def on_train_end(self, weights: Weights) -> Weights:
        """Return the weights to keep."""
        for callback in self.callbacks:
            weights = callback.on_train_end(weights)
        return weights


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
        self._n_waited = 0
        self._best_weights: Weights = []

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Stop after `n_iter_no_change` epochs without a smaller loss."""
        self._n_waited += 1
        if logs["val_loss"] < self._best_loss:
            self._best_loss, self._n_waited, self._best_weights = logs["val_loss"], 0, weights
        return self._n_waited >= self._n_iter_no_change, weights

    def on_train_end(self, weights: Weights) -> Weights:
        """Return the weights of the best epoch."""
        return self._best_weights or weights
