"""What goes into a training and what comes out: runs, config, trained networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skscale._network.spec import NetworkSpec

# About a second on one core.
_MAX_CALL_WORK = 2**34


@dataclass(frozen=True)
class NetworkRun:
    """One network to train.

    Parameters
    ----------
    spec : NetworkSpec
        Its architecture.
    rows : ndarray of int
        Rows of the dataset to learn from, of positive weight.
    weights : list of ndarray
        Initial weights, in the order of `NetworkSpec.arrays`.
    seed : int
        Decides the order of the rows and what is dropped; equal seeds give equal orders.
    strength, weight_decay : float
        Strength of the penalty on the mean of |scale|, and decoupled decay of the kernels.
    state : ndarray or None
        Where an earlier training of this network ended, slots of the optimizer included.
    first_epoch : int
        Epochs that were done before.
    """

    spec: NetworkSpec
    rows: np.ndarray
    weights: Sequence[np.ndarray]
    seed: int
    strength: float = 0.0
    weight_decay: float = 0.0
    state: np.ndarray | None = None
    first_epoch: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """How long to train, in which steps and which precision.

    Parameters
    ----------
    n_epochs : int
        Passes over the rows, of the whole training.
    batch_size : int
        Rows of one step.
    learning_rate : float
        Rate of the first step.
    dtype : {"float32", "float64"}
        Training precision.
    decay : bool
        Whether the rate falls to zero along half a cosine (Loshchilov and Hutter 2017, SGDR), or
        stays.
    shuffle : bool
        Whether the order of the rows is drawn anew in every epoch.
    stop_epoch : int or None
        Where to end a part of the training; None does all of it. Parts give the same bits.
    n_steps_before : int
        Steps that the states of the networks have seen before this training.
    n_steps : int or None
        Steps of the whole training that the rate falls over, where this one is a part of it that
        starts after `n_steps_before`; None where it is the whole.
    max_call_work : int
        Multiplications of one call of the compiled program, at most. Calls of any length give the
        same bits.
    """

    n_epochs: int
    batch_size: int
    learning_rate: float
    dtype: str = "float32"
    decay: bool = True
    shuffle: bool = True
    stop_epoch: int | None = None
    n_steps_before: int = 0
    n_steps: int | None = None
    max_call_work: int = _MAX_CALL_WORK

    def rates(self, first_step: int, n_steps: int, total: int) -> np.ndarray:
        """Learning rates of consecutive steps of a training of `total` steps."""
        if not self.decay:
            return np.full(n_steps, self.learning_rate)
        if self.n_steps is not None:
            first_step, total = self.n_steps_before + first_step, self.n_steps
        steps = np.arange(first_step, first_step + n_steps)
        return self.learning_rate * 0.5 * (1 + np.cos(np.pi * steps / total))


@dataclass
class TrainedNetwork:
    """One trained network.

    Parameters
    ----------
    weights : list of ndarray
        In the order of `NetworkSpec.arrays`, in the training precision.
    losses : list of float
        Loss of every epoch done, up to the last finite one.
    validation_losses : list of float
        Held-out loss after every epoch done.
    diverged : bool
        Whether a loss, a weight or an output was not finite, or the point was far worse than the
        mean; the weights are those of the last epoch that was sound.
    interrupted : bool
        Whether Ctrl-C cut the training; the weights are those of the last whole epoch.
    state : ndarray or None
        Weights and slots after the last step.
    keras_callbacks : list of keras.callbacks.Callback
        Those that were called, of the user or copies.
    """

    weights: list[np.ndarray]
    losses: list[float]
    validation_losses: list[float] = field(default_factory=list)
    diverged: bool = False
    interrupted: bool = False
    state: np.ndarray | None = None
    keras_callbacks: Sequence[Any] = ()
