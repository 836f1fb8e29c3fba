"""The loop around the compiled program: one stack of networks from first to last epoch."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from skscale._callbacks.callback import CallbackList, TrainingInfo, Weights
from skscale._compiled.train_function import MAX_BLOCK_STEPS, State, get_train_function
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._training.batches import Block, batches, n_batches
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.evaluate import has_finite_outputs

# Multiplications of one call, at most: about a second on one core.
_MAX_CALL_WORK = 2**34


def train_stack(
    spec: NetworkSpec,
    compile_config: CompileConfig,
    config: TrainingConfig,
    dataset: Dataset,
    tasks: Sequence[NetworkRun],
    *,
    is_stacked: bool,
    n_features: int,
    watch: CallbackList | None,
    stopping: threading.Event,
    report: Callable[[int, float], None],
) -> list[TrainedNetwork]:
    """Train the networks of one program, call by call.

    Between two calls the losses are looked at, the progress is told, and `stopping` is obeyed.

    Parameters
    ----------
    spec : NetworkSpec
        The architecture.
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Epochs, batches, rates and precision.
    dataset : Dataset
        All rows.
    tasks : sequence of NetworkRun
        The networks; only one unless they are stacked.
    is_stacked : bool
        Whether the networks train along a leading axis.
    n_features : int
        Number of features that count; columns of zeros behind them do not.
    watch : CallbackList or None
        Who looks on between epochs, for a single task.
    stopping : threading.Event
        Set by another thread to end the training after the present call.
    report : callable
        Told the number of epochs done and the loss, after every call that ends an epoch.

    Returns
    -------
    trained : list of TrainedNetwork
        In the order of the tasks.
    """
    steps_an_epoch = n_batches([task.rows for task in tasks], config.batch_size)
    n_steps = config.n_epochs * steps_an_epoch
    strengths = np.array([task.strength for task in tasks])
    decays = np.array([task.weight_decay for task in tasks])
    seeds = np.array([task.seed % 2**31 for task in tasks], np.int32)
    blocks = _blocks(spec, config, dataset, tasks, one_by_one=watch is not None)
    first = next(blocks)
    n_networks = len(tasks) if is_stacked else None
    n_rows = dataset.tensors[0].shape[0]
    program = get_train_function(
        spec, compile_config, n_networks, config.dtype, n_rows, first.rows.shape
    )

    def run(state: State, block: Block, rates: np.ndarray) -> tuple[State, np.ndarray]:
        return program.run(
            state,
            dataset.tensors,
            block.rows,
            first_step=config.n_steps_before + block.first_step,
            rates=rates,
            strengths=strengths,
            decays=decays,
            seeds=seeds,
            n_features=n_features,
        )

    networks = [
        TrainedNetwork([np.asarray(w, config.dtype) for w in task.weights], []) for task in tasks
    ]
    n_epochs = [0] * len(tasks)
    history = _History(dataset.weights, steps_an_epoch)
    earlier = [task.state for task in tasks if task.state is not None]
    state = (
        program.joined(earlier)
        if earlier
        else program.initial_state([task.weights for task in tasks])
    )

    def replace_weights(state: State, chosen: Weights | None) -> State:
        if chosen is None:
            return state
        networks[0].weights = chosen
        return program.with_weights(state, [chosen])

    if watch is not None:
        rate = float(config.rates(0, 1, n_steps)[0])
        outlook = TrainingInfo(config.n_epochs, steps_an_epoch, rate)
        state = replace_weights(state, watch.on_train_begin(networks[0].weights, outlook))
    for block in itertools.chain([first], blocks):
        if stopping.is_set():
            for network in networks:
                network.interrupted = not network.diverged
            break
        rates = config.rates(block.first_step, block.n_steps, n_steps)
        epochs_before, steps_before = divmod(block.first_step, steps_an_epoch)
        if watch is not None:
            if steps_before == 0:
                rate, weights = float(rates[0]), networks[0].weights
                state = replace_weights(state, watch.on_epoch_begin(epochs_before, rate, weights))
            rates = watch.rates(rates)
        before, (state, losses) = state, run(state, block, rates)
        present = program.weights(state)
        history.add(block, losses)

        def is_sound(i: int, weights: Weights) -> bool:
            return has_finite_outputs(spec, weights, dataset, tasks[i].rows)

        epochs_done = (block.first_step + block.n_steps) // steps_an_epoch
        for i, network in enumerate(networks):
            if network.diverged:
                continue
            n_finite = _n_finite_steps(losses[:, i], present[i])
            if n_finite < block.n_steps or (block.ends_epoch and not is_sound(i, present[i])):
                # One network of a stack may diverge alone: the others go on.
                network.diverged = True
                # Whole epochs of this block that leave it sound: at least none, and not all.
                n_whole, too_many = 0, min(n_finite, block.n_steps - 1) // steps_an_epoch + 1
                while too_many - n_whole > 1:
                    middle = (n_whole + too_many) // 2
                    again, _ = run(before, block, rates[: middle * steps_an_epoch])
                    weights = program.weights(again)[i]
                    if is_sound(i, weights):
                        network.weights, n_whole = weights, middle
                    else:
                        too_many = middle
                n_epochs[i] = epochs_before - config.first_epoch + n_whole
            elif block.ends_epoch:
                network.weights, n_epochs[i] = present[i], epochs_done - config.first_epoch
        alive = [not network.diverged for network in networks]
        if not any(alive):
            if watch is not None:
                watch.on_diverged()
            break
        if block.ends_epoch:
            report(epochs_done, float(losses[-1, alive].mean()))
        if block.ends_epoch and watch is not None:
            network = networks[0]
            is_over, held_out_loss, chosen = watch.on_epoch_end(
                epochs_done - 1, history.losses(0)[-1], network.weights
            )
            if held_out_loss is not None:
                network.validation_losses.append(held_out_loss)
            state = replace_weights(state, chosen)
            if is_over:
                break
    for i, (network, own) in enumerate(zip(networks, program.split(state), strict=True)):
        network.losses, network.state = history.losses(i)[: n_epochs[i]], own
    if watch is not None:
        networks[0].weights = watch.end(networks[0].weights)
    return networks


def _n_finite_steps(losses: np.ndarray, weights: Sequence[np.ndarray]) -> int:
    """Count the steps of a network in a block that can be kept: all, or those before trouble."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        # The loss of a step is that of the weights before it.
        return max(0, int(bad[0]) - 1)
    return len(losses) - (not all(np.isfinite(array).all() for array in weights))


def _blocks(
    spec: NetworkSpec,
    config: TrainingConfig,
    dataset: Dataset,
    tasks: Sequence[NetworkRun],
    *,
    one_by_one: bool,
) -> Iterator[Block]:
    # Three products for each weight and row: forward, and back to the weights and to the inputs.
    work = 3 * len(tasks) * config.batch_size * spec.n_weights
    return batches(
        [task.rows for task in tasks],
        batch_size=config.batch_size,
        n_epochs=len(config.span),
        first_epoch=config.first_epoch,
        padding_row=dataset.n_rows,
        seeds=[task.seed for task in tasks],
        shuffle=config.shuffle,
        max_epochs=1 if one_by_one else MAX_BLOCK_STEPS,
        max_steps=min(MAX_BLOCK_STEPS, max(1, _MAX_CALL_WORK // work)),
    )


class _History:
    """Losses of epochs from losses of steps, each step weighted by the weight of its rows."""

    def __init__(self, row_weights: np.ndarray, steps_an_epoch: int):
        self._row_weights = np.append(row_weights, 0.0)
        self._steps_an_epoch = steps_an_epoch
        self._sums: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def add(self, block: Block, losses: np.ndarray) -> None:
        rows = block.rows[: block.n_steps] if block.rows.ndim == 3 else block.rows[None]
        weights = np.broadcast_to(self._row_weights[rows].sum(axis=-1), losses.shape)
        self._weights.append(weights)
        with np.errstate(over="ignore"):
            self._sums.append(losses * weights)

    def losses(self, network: int) -> list[float]:
        if not self._sums:
            return []
        sums, weights = (np.concatenate(parts)[:, network] for parts in (self._sums, self._weights))
        whole = len(sums) // self._steps_an_epoch * self._steps_an_epoch
        shape = (-1, self._steps_an_epoch)
        with np.errstate(all="ignore"):
            epochs = sums[:whole].reshape(shape).sum(1) / weights[:whole].reshape(shape).sum(1)
        return [float(loss) for loss in epochs]
