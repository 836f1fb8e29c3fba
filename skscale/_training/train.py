"""Arrays and a network in, weights and losses out: the training of one or many networks."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from skscale._callbacks.callback import CallbackList
from skscale._callbacks.progress import OnProgress, Progress
from skscale._compiled.train_step import is_stackable
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._parallel import n_threads
from skscale._training.batches import bucket
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.distributed import Workers
from skscale._training.interrupts import interrupts_raised
from skscale._training.loop import train_stack

# Weights of a few networks stay in a core's cache together; more of them do not.
_MAX_STACK = 8
# Weights times rows of a batch: five networks of as many took together what they take alone, and
# alone they spread over the cores. Networks of a quarter took four fifths of it together.
_MAX_STACKED_PRODUCTS = 2**21


CallbackFactory = Callable[[int, NetworkSpec], CallbackList]
"""From the number and the spec of a network to its callbacks."""


def train(
    compile_config: CompileConfig,
    config: TrainingConfig,
    dataset: Dataset,
    runs: Sequence[NetworkRun],
    *,
    stack: int = 1,
    callbacks: CallbackFactory | None = None,
    full_batches: bool = False,
    on_progress: OnProgress | None = None,
    stopping: threading.Event | None = None,
    workers: Workers | None = None,
) -> list[TrainedNetwork]:
    """Train networks on one dataset.

    Parameters
    ----------
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Epochs, batches, rates and precision.
    dataset : Dataset
        All rows.
    runs : sequence of NetworkRun
        The networks.
    stack : int
        Consecutive runs, of one architecture, that should train together where network and
        optimizer allow it.
    callbacks : callable or None
        From the number and spec of a run to its callbacks. With callbacks networks train one by
        one, in the order of the runs and in this thread: loggers know their run by the thread.
    full_batches : bool
        Whether batches are as wide as `config` has them even where there are fewer rows, so that
        datasets of all sizes share one program.
    on_progress : callable or None
        Called at the end of epochs, with the progress of each stack.
    stopping : threading.Event or None
        Ends the training where it is set: by the user, or by an error of one network.
    workers : Workers or None
        Where networks without callbacks train; None for all cores of this process. Elsewhere
        `stopping` is not seen and `on_progress` not called before the end, and Ctrl-C leaves the
        networks as they came.

    Returns
    -------
    trained : list of TrainedNetwork
        In the order of the runs.
    """
    if not full_batches:
        # As wide as the largest set of rows needs: all runs share one shape.
        needed = bucket(max(len(run.rows) for run in runs))
        config = replace(config, batch_size=min(config.batch_size, needed))
    stack = min(stack, len(runs)) if callbacks is None else 1
    stacks = _stacks(compile_config, config, runs, stack)
    stopping, lock = stopping or threading.Event(), threading.Lock()

    def report(number: int, epoch: int, loss: float) -> None:
        if on_progress is not None:
            first, n_stacked = stacks[number][0], len(stacks[number])
            n_epochs, n_networks = config.n_epochs, len(runs)
            n_planned = n_epochs * n_networks
            progress = Progress(first, n_stacked, n_networks, epoch, n_epochs, loss, n_planned)
            with lock:
                on_progress(progress)

    def train_one(number: int) -> list[TrainedNetwork]:
        return train_stack(
            compile_config,
            config,
            dataset,
            [runs[i] for i in stacks[number]],
            callbacks=None if callbacks is None else callbacks(number, runs[number].spec),
            stopping=stopping,
            on_progress=lambda epoch, loss: report(number, epoch, loss),
        )

    def train_elsewhere(workers: Workers) -> list[list[TrainedNetwork]] | None:
        if stopping.is_set():
            return None
        chosen = [[runs[i] for i in numbers] for numbers in stacks]
        try:
            with interrupts_raised():
                results = workers.train(compile_config, config, chosen)
        except KeyboardInterrupt:
            stopping.set()
            return None
        for number, networks in enumerate(results):
            losses = [n.losses[-1] for n in networks if n.losses and not n.diverged]
            if losses:
                stop_epoch = config.n_epochs if config.stop_epoch is None else config.stop_epoch
                report(number, stop_epoch, float(np.mean(losses)))
        return results

    if callbacks is None:
        # The longest first: then no core is left to wait for one of them.
        stacks.sort(key=lambda numbers: -runs[numbers[0]].spec.n_weights)
        results = None
        if workers is not None and workers.are_elsewhere:
            results = train_elsewhere(workers)
        if results is None:
            # Networks are small and one product keeps one core busy: cores are used by running
            # stacks side by side.
            n_workers = min(n_threads() if workers is None else workers.n_threads, len(stacks))
            results = _train_all(train_one, len(stacks), n_workers, stopping)
    else:
        results = [train_one(number) for number in range(len(stacks))]
    if stopping.is_set():
        # Networks that had finished too: the caller must not go on to the next part of the
        # training.
        for network in itertools.chain(*results):
            network.interrupted = not network.diverged
    numbers = itertools.chain(*stacks)
    trained = dict(zip(numbers, itertools.chain(*results), strict=True))
    return [trained[number] for number in range(len(runs))]


def _stacks(
    compile_config: CompileConfig,
    config: TrainingConfig,
    runs: Sequence[NetworkRun],
    stack: int,
) -> list[list[int]]:
    """Return the numbers of the runs that train together."""
    stacks = []
    together = [(id(run.spec), run.first_epoch) for run in runs]
    for _, group in itertools.groupby(range(len(runs)), key=together.__getitem__):
        numbers = list(group)
        spec = runs[numbers[0]].spec
        is_large = config.batch_size * spec.n_weights > _MAX_STACKED_PRODUCTS
        may_stack = is_stackable(spec, compile_config) and not is_large
        size = math.ceil(stack / math.ceil(stack / _MAX_STACK)) if may_stack else 1
        stacks += [numbers[start : start + size] for start in range(0, len(numbers), size)]
        # A short last stack is filled up: another size would be another program to compile.
        stacks[-1] += [numbers[-1]] * (size - len(stacks[-1]))
    return stacks


def _train_all(
    train_one: Callable[[int], list[TrainedNetwork]],
    n_stacks: int,
    n_workers: int,
    stopping: threading.Event,
) -> list[list[TrainedNetwork]]:
    """Train the stacks side by side; an error of one, or Ctrl-C, stops them all."""

    def run(number: int) -> list[TrainedNetwork]:
        try:
            return train_one(number)
        except BaseException:
            stopping.set()
            raise

    # A single stack gets a thread too, so that Ctrl-C is seen between its calls.
    with ThreadPoolExecutor(n_workers) as pool:
        futures: list[Future[list[TrainedNetwork]]] = []
        try:
            futures.extend(pool.submit(run, number) for number in range(n_stacks))
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            stopping.set()
            results = [future.result() for future in futures]
            # Stacks that were not submitted: `stopping` is set, so they return their initial
            # weights.
            return results + list(map(run, range(len(results), n_stacks)))
        except BaseException:
            stopping.set()
            raise
