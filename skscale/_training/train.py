"""Arrays and a network in, weights and losses out: the training of one or many networks."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from skscale._callbacks.callback import CallbackList
from skscale._callbacks.progress import Progress, Report
from skscale._compiled.train_step import is_stackable
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._parallel import n_threads
from skscale._training.batches import bucket
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.loop import train_stack
from skscale._training.padding import narrow, widen, widen_weights

# Weights of a few networks stay in a core's cache together; more of them do not.
_MAX_STACK = 8


def train(
    spec: NetworkSpec,
    compile_config: CompileConfig,
    config: TrainingConfig,
    dataset: Dataset,
    tasks: Sequence[NetworkRun],
    *,
    stack: int = 1,
    watch: Callable[[int], CallbackList] | None = None,
    full_batches: bool = False,
    report: Report | None = None,
) -> list[TrainedNetwork]:
    """Train networks of one architecture on one table.

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
        The networks.
    stack : int
        Consecutive tasks that should train together, where the rule allows.
    watch : callable or None
        Who looks on while the task of a number trains. Networks that are watched train one by one,
        in the order of the tasks.
    full_batches : bool
        Whether batches are as wide as planned even where there are fewer rows, so that tables of
        all sizes share one program.
    report : callable or None
        Told about every epoch of the first task of each stack.

    Returns
    -------
    trained : list of TrainedNetwork
        In the order of the tasks.
    """
    stack = min(stack, len(tasks)) if watch is None else 1
    stackable = is_stackable(spec, compile_config)
    size = _stack_size(stack) if stack > 1 and stackable else None
    wide, tasks = widen(spec, tasks, dataset.n_columns)
    stacks = _stacks(tasks, size)
    # As wide as the largest set of rows needs: all tasks share one shape.
    needed = bucket(max(len(task.rows) for task in tasks))
    width = config.batch_size if full_batches else min(config.batch_size, needed)
    stopping, lock = threading.Event(), threading.Lock()

    def run(number: int) -> list[TrainedNetwork]:
        own = stacks[number]
        looking_on = None if watch is None else watch(number)
        if looking_on is not None:
            looking_on = replace(
                looking_on,
                narrow=lambda weights: narrow(spec, weights),
                widen=lambda weights: widen_weights(wide, weights),
            )

        def told(epoch: int, loss: float) -> None:
            if report is not None:
                with lock:
                    report(
                        Progress(
                            number * len(own), len(own), len(tasks), epoch, config.n_epochs, loss
                        )
                    )

        try:
            return train_stack(
                wide,
                compile_config,
                replace(config, batch_size=width),
                dataset,
                own,
                is_stacked=size is not None,
                n_features=spec.n_features,
                watch=looking_on,
                stopping=stopping,
                report=told,
            )
        except BaseException:
            # An error of one ends them all.
            stopping.set()
            raise

    # Networks are small and one product keeps one core busy: cores are used by running stacks
    # side by side. A single stack gets a thread too, so that Ctrl-C is seen between its calls.
    # What looks on is the user's, and need not bear threads.
    n_workers = min(n_threads(), len(stacks)) if watch is None else 1
    with ThreadPoolExecutor(n_workers) as pool:
        futures: list[Future[list[TrainedNetwork]]] = []
        try:
            futures.extend(pool.submit(run, number) for number in range(len(stacks)))
            results = [future.result() for future in futures]
        except KeyboardInterrupt:
            stopping.set()
            results = [future.result() for future in futures]
            # Those that were not handed out return as they would have started.
            results += map(run, range(len(results), len(stacks)))
            # Also those that were through by then: what comes after this training must not come.
            for network in itertools.chain(*results):
                network.interrupted = not network.diverged
        finally:
            stopping.set()
    networks = [network for result in results for network in result][: len(tasks)]
    return [replace(network, weights=narrow(spec, network.weights)) for network in networks]


def _stack_size(stack: int) -> int:
    return math.ceil(stack / math.ceil(stack / _MAX_STACK))


def _stacks(tasks: Sequence[NetworkRun], size: int | None) -> list[Sequence[NetworkRun]]:
    if size is None:
        return [[task] for task in tasks]
    stacks: list[Sequence[NetworkRun]] = [
        list(tasks[start : start + size]) for start in range(0, len(tasks), size)
    ]
    # A short last stack is filled up: another size would be another program to compile.
    last = stacks[-1]
    stacks[-1] = [*last, *[last[-1]] * (size - len(last))]
    return stacks
