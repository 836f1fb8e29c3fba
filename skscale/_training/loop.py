"""The loop around the compiled program: one stack of networks from first to last epoch."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from skscale._callbacks.callback import CallbackList, TrainingInfo, Weights
from skscale._compiled.train_function import MAX_BLOCK_STEPS, State
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._training.batches import Block, batches, n_batches
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.history import LossHistory
from skscale._training.padding import widen_spec
from skscale._training.stack import Stack


def train_stack(
    compile_config: CompileConfig,
    config: TrainingConfig,
    dataset: Dataset,
    runs: Sequence[NetworkRun],
    *,
    callbacks: CallbackList | None,
    stopping: threading.Event,
    on_progress: Callable[[int, float], None],
) -> list[TrainedNetwork]:
    """Train the networks of one program, call by call.

    Between two calls losses and outputs are checked, callbacks are called, and `stopping` is
    obeyed.

    Parameters
    ----------
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Epochs, batches, rates and precision.
    dataset : Dataset
        All rows; it may have more columns than the network has features.
    runs : sequence of NetworkRun
        The networks, of one architecture and equally far; several train along a leading axis.
    callbacks : CallbackList or None
        Called between epochs, for a single network.
    stopping : threading.Event
        Set by another thread to end the training after the current call.
    on_progress : callable
        Called with the number of epochs done and the loss, after every call that ends an epoch.

    Returns
    -------
    trained : list of TrainedNetwork
        In the order of the runs.
    """
    spec = runs[0].spec
    blocks = _blocks(spec, config, dataset, runs, one_by_one=callbacks is not None)
    first = next(blocks)
    stack = Stack(
        spec,
        compile_config,
        config,
        dataset,
        runs,
        batch_shape=first.rows.shape,
    )
    networks = [
        TrainedNetwork([np.asarray(array, config.dtype) for array in run.weights], [])
        for run in runs
    ]
    history = LossHistory(dataset.weights, n_batches([run.rows for run in runs], config.batch_size))
    training = StackTraining(
        stack, networks, config, runs[0].first_epoch, history, callbacks, on_progress
    )
    return training.run(itertools.chain([first], blocks), stopping)


def _blocks(
    spec: NetworkSpec,
    config: TrainingConfig,
    dataset: Dataset,
    runs: Sequence[NetworkRun],
    *,
    one_by_one: bool,
) -> Iterator[Block]:
    # Three products for each weight and row: forward, and back to the weights and to the inputs.
    n_weights = widen_spec(spec, dataset.n_columns).n_weights
    work = 3 * len(runs) * config.batch_size * n_weights
    first_epoch = runs[0].first_epoch
    stop_epoch = config.n_epochs if config.stop_epoch is None else config.stop_epoch
    return batches(
        [run.rows for run in runs],
        batch_size=config.batch_size,
        n_epochs=max(0, stop_epoch - first_epoch),
        first_epoch=first_epoch,
        padding_row=dataset.n_rows,
        seeds=[run.seed for run in runs],
        shuffle=config.shuffle,
        max_epochs=1 if one_by_one else MAX_BLOCK_STEPS,
        max_steps=min(MAX_BLOCK_STEPS, max(1, config.max_call_work // work)),
    )


class StackTraining:
    """What happens from call to call, and what is kept of it.

    Parameters
    ----------
    stack : Stack
        The networks in their program.
    networks : list of TrainedNetwork
        With their initial weights; they become the result.
    config : TrainingConfig
        Epochs and rates.
    first_epoch : int
        Epochs that were done before.
    history : LossHistory
        Without any losses yet.
    callbacks, on_progress : CallbackList or None, callable
        As in `train_stack`.
    """

    def __init__(
        self,
        stack: Stack,
        networks: list[TrainedNetwork],
        config: TrainingConfig,
        first_epoch: int,
        history: LossHistory,
        callbacks: CallbackList | None,
        on_progress: Callable[[int, float], None],
    ):
        self._stack, self._networks = stack, networks
        self._config, self._first_epoch = config, first_epoch
        self._history, self._callbacks, self._on_progress = history, callbacks, on_progress
        self._steps_per_epoch = history.steps_per_epoch
        self._n_steps = config.n_epochs * self._steps_per_epoch
        self._n_epochs = [0] * len(networks)
        self._state = stack.initial_state()

    def run(self, blocks: Iterable[Block], stopping: threading.Event) -> list[TrainedNetwork]:
        """Train to the last epoch, or until something ends it earlier."""
        self._begin()
        for block in blocks:
            if stopping.is_set():
                for network in self._networks:
                    network.interrupted = not network.diverged
                break
            self._run_block(block)
            if all(network.diverged for network in self._networks):
                if self._callbacks is not None:
                    self._callbacks.on_diverged()
                break
            if block.ends_epoch and self._end_epoch(block):
                break
        return self._end()

    def _begin(self) -> None:
        if self._callbacks is not None:
            rate = float(self._config.rates(0, 1, self._n_steps)[0])
            info = TrainingInfo(self._config.n_epochs, self._steps_per_epoch, rate)
            weights = self._networks[0].weights
            self._replace_weights(self._callbacks.on_train_begin(weights, info))

    def _run_block(self, block: Block) -> None:
        """Do the steps of a block, and keep the weights of whole epochs."""
        rates = self._begin_block(block)
        before = self._state
        self._state, losses = self._stack.run_block(before, block, rates)
        self._last_losses = losses[-1]
        self._history.add(block, losses)
        for i, padded in enumerate(self._stack.padded_weights(self._state)):
            if self._networks[i].diverged:
                continue
            n_finite = _n_finite_steps(losses[:, i], padded)
            if n_finite < block.n_steps or (
                block.ends_epoch and not self._stack.is_sound(i, padded)
            ):
                # One network of a stack may diverge alone: the others go on.
                self._handle_divergence(i, n_finite, before, block, rates)
            elif block.ends_epoch:
                self._networks[i].weights = self._stack.narrow(padded)
                self._n_epochs[i] = self._epochs_done(block) - self._first_epoch

    def _begin_block(self, block: Block) -> np.ndarray:
        """Begin an epoch where the block does, and return the learning rates of its steps."""
        rates = self._config.rates(block.first_step, block.n_steps, self._n_steps)
        if self._callbacks is None:
            return rates
        epoch, step = divmod(block.first_step, self._steps_per_epoch)
        if step == 0:
            weights = self._networks[0].weights
            self._replace_weights(self._callbacks.on_epoch_begin(epoch, float(rates[0]), weights))
        return self._callbacks.learning_rates(rates)

    def _handle_divergence(
        self, i: int, n_finite: int, before: State, block: Block, rates: np.ndarray
    ) -> None:
        """Go back to the last epoch that leaves a network sound, by doing the block again."""
        network = self._networks[i]
        network.diverged = True
        # Whole epochs of this block that leave it sound: at least none, and not all.
        n_whole, too_many = 0, min(n_finite, block.n_steps - 1) // self._steps_per_epoch + 1
        while too_many - n_whole > 1:
            middle = (n_whole + too_many) // 2
            part = rates[: middle * self._steps_per_epoch]
            state, _ = self._stack.run_block(before, block, part)
            padded = self._stack.padded_weights(state)[i]
            if self._stack.is_sound(i, padded):
                network.weights, n_whole = self._stack.narrow(padded), middle
            else:
                too_many = middle
        n_before = block.first_step // self._steps_per_epoch - self._first_epoch
        self._n_epochs[i] = n_before + n_whole

    def _epochs_done(self, block: Block) -> int:
        return (block.first_step + block.n_steps) // self._steps_per_epoch

    def _end_epoch(self, block: Block) -> bool:
        """Report the progress, and return whether a callback stops the training."""
        n_epochs = self._epochs_done(block)
        learning = [not network.diverged for network in self._networks]
        self._on_progress(n_epochs, float(self._last_losses[learning].mean()))
        if self._callbacks is None:
            return False
        network, loss = self._networks[0], self._history.losses(0)[-1]
        result = self._callbacks.on_epoch_end(n_epochs - 1, loss, network.weights)
        if result.validation_loss is not None:
            network.validation_losses.append(result.validation_loss)
            network.diverged = not np.isfinite(result.validation_loss)
        self._replace_weights(result.weights)
        return result.stop_training or network.diverged

    def _replace_weights(self, weights: Weights) -> None:
        """Go on with the weights that callbacks return, unless they are those that they got."""
        network = self._networks[0]
        if weights is not network.weights:
            network.weights = weights
            self._state = self._stack.with_weights(self._state, weights)

    def _end(self) -> list[TrainedNetwork]:
        for i, state in enumerate(self._stack.split(self._state)):
            network = self._networks[i]
            network.losses, network.state = self._history.losses(i)[: self._n_epochs[i]], state
        if self._callbacks is not None:
            network = self._networks[0]
            network.weights = self._callbacks.on_train_end(network.weights)
            network.keras_callbacks = self._callbacks.keras_callbacks
            self._callbacks.rest()
        return self._networks


def _n_finite_steps(losses: np.ndarray, weights: Sequence[np.ndarray]) -> int:
    """Count the steps of a block that a network can keep.

    All, or those before a loss or weight is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        # The loss of a step is that of the weights before it.
        return max(0, int(bad[0]) - 1)
    return len(losses) - (not all(np.isfinite(array).all() for array in weights))
