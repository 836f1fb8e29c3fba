"""Arrays and a network in, weights and losses out: the training of one or many networks."""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from skscale._batches import bucket
from skscale._body_call import BodyCall, body_call
from skscale._dense_form import dense_form
from skscale._forward import forward_tensors
from skscale._inference import forward
from skscale._loop import run_stack
from skscale._network import NetworkSpec
from skscale._objective import row_loss
from skscale._padding import narrow, widen, widen_weights
from skscale._plan import Plan, Progress, Report, Task, Trained
from skscale._step import UpdateRule, is_stackable
from skscale._table import Table
from skscale._threads import n_threads
from skscale._watch import Watch

# Weights of a few networks stay in a core's cache together; more of them do not.
_MAX_STACK = 8
# Rows of one evaluation, so that held-out rows of large tables pass in pieces.
_EVALUATION_ROWS = 65_536


def train(
    spec: NetworkSpec,
    rule: UpdateRule,
    plan: Plan,
    table: Table,
    tasks: Sequence[Task],
    *,
    stack: int = 1,
    watch: Callable[[int], Watch] | None = None,
    full_batches: bool = False,
    report: Report | None = None,
) -> list[Trained]:
    """Train networks of one architecture on one table.

    Parameters
    ----------
    spec : NetworkSpec
        The architecture.
    rule : UpdateRule
        Loss and optimizer.
    plan : Plan
        Epochs, batches, rates and precision.
    table : Table
        All rows.
    tasks : sequence of Task
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
    trained : list of Trained
        In the order of the tasks.
    """
    stack = min(stack, len(tasks)) if watch is None else 1
    stackable = is_stackable(spec, rule)
    size = _stack_size(stack) if stack > 1 and stackable else None
    wide, tasks = widen(spec, tasks, table.n_columns)
    stacks = _stacks(tasks, size)
    # As wide as the largest set of rows needs: all tasks share one shape.
    needed = bucket(max(len(task.rows) for task in tasks))
    width = plan.batch_size if full_batches else min(plan.batch_size, needed)
    stopping, lock = threading.Event(), threading.Lock()

    def run(number: int) -> list[Trained]:
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
                            number * len(own), len(own), len(tasks), epoch, plan.n_epochs, loss
                        )
                    )

        try:
            return run_stack(
                wide,
                rule,
                replace(plan, batch_size=width),
                table,
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
        futures: list[Future[list[Trained]]] = []
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


def held_out_outputs(
    spec: NetworkSpec, weights: Sequence[Any], table: Table, rows: np.ndarray
) -> np.ndarray:
    """Compute the outputs of one network for the given rows, of shape (n_rows, n_outputs)."""
    inputs = np.asarray(table.tensors[0])[:, : spec.n_features]
    if spec.body is None:
        # NumPy is faster than one call of TensorFlow after the other.
        arrays, layers, center = dense_form(spec, weights)
        run = functools.partial(forward, weights=arrays, layers=layers, center=center)
    else:
        body = body_call(spec.body, inputs.dtype.name)
        run = functools.partial(_body_outputs, spec, weights, body)
    outputs = [run(inputs[part]) for part in _parts(rows)]
    return np.concatenate(outputs) if outputs else np.empty((0, spec.n_outputs))


def _body_outputs(
    spec: NetworkSpec, weights: Sequence[Any], body: BodyCall, inputs: np.ndarray
) -> np.ndarray:
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(weight) for weight in weights]
    outputs = forward_tensors(spec, tensors, tf.convert_to_tensor(inputs), body=body)
    return np.asarray(outputs.values)


def held_out_losses(
    spec: NetworkSpec, rule: UpdateRule, weights: Sequence[Any], table: Table, rows: np.ndarray
) -> np.ndarray:
    """Compute the data loss of every given row under one network, float64 of shape (n_rows,)."""
    import tensorflow as tf

    compute = row_loss(rule.loss)
    outputs, targets = held_out_outputs(spec, weights, table, rows), table.tensors[1]
    losses = [np.empty(0)]
    for start, part in zip(itertools.count(step=_EVALUATION_ROWS), _parts(rows), strict=False):
        own = outputs[start : start + len(part)]
        losses.append(np.asarray(compute(tf.gather(targets, part), own), np.float64))
    return np.concatenate(losses)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + _EVALUATION_ROWS] for i in range(0, len(rows), _EVALUATION_ROWS)]


def _stack_size(stack: int) -> int:
    return math.ceil(stack / math.ceil(stack / _MAX_STACK))


def _stacks(tasks: Sequence[Task], size: int | None) -> list[Sequence[Task]]:
    if size is None:
        return [[task] for task in tasks]
    stacks: list[Sequence[Task]] = [
        list(tasks[start : start + size]) for start in range(0, len(tasks), size)
    ]
    # A short last stack is filled up: another size would be another program to compile.
    last = stacks[-1]
    stacks[-1] = [*last, *[last[-1]] * (size - len(last))]
    return stacks
