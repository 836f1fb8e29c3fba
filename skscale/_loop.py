"""The loop around the compiled program: one stack of networks from first to last epoch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from skscale._batches import MAX_BLOCK_STEPS, Block, batches, n_batches
from skscale._plan import Plan, Table, Task, Trained, Validation
from skscale._program import Program


def run_stack(
    program: Program,
    plan: Plan,
    table: Table,
    tasks: Sequence[Task],
    *,
    validation: Validation | None,
    stopping: threading.Event,
    report: Callable[[int, float], None],
) -> list[Trained]:
    """Train the networks of one program, call by call.

    Between two calls the losses are looked at, the progress is told, and `stopping` is obeyed.

    Parameters
    ----------
    program : Program
        Compiled for as many networks as there are tasks.
    plan : Plan
        Epochs, batches, rates and precision.
    table : Table
        All rows.
    tasks : sequence of Task
        The networks.
    validation : Validation or None
        Early stopping, for a single task.
    stopping : threading.Event
        Set by another thread to end the training after the present call.
    report : callable
        Told the number of epochs done and the loss, after every call that ends an epoch.

    Returns
    -------
    trained : list of Trained
        In the order of the tasks.
    """
    steps_an_epoch = n_batches([task.rows for task in tasks], plan.batch_size)
    n_steps = plan.n_epochs * steps_an_epoch
    strengths = np.array([task.strength for task in tasks])
    decays = np.array([task.weight_decay for task in tasks])
    history = _History(np.append(table.weights, 0.0), steps_an_epoch)
    early = _EarlyStopping(validation)
    state = program.initial_state([task.weights for task in tasks])
    members, diverged = program.weights(state), False
    for block in _blocks(plan, table, tasks, one_by_one=validation is not None):
        if stopping.is_set():
            break
        state, losses = program.run(
            state,
            table.tensors,
            block.rows,
            first_step=block.first_step,
            rates=plan.rates(block.first_step, block.n_steps, n_steps),
            strengths=strengths,
            decays=decays,
        )
        history.add(block, losses)
        if not block.ends_epoch:
            continue
        present = program.weights(state)
        # One network of a stack may diverge alone: the others go on.
        diverged = not any(_is_finite(weights) for weights in present)
        if diverged:
            break
        members = present
        done = (block.first_step + block.n_steps) // steps_an_epoch
        report(done, float(losses[-1].mean()))
        if early.is_over(members):
            break
    return [
        Trained(
            weights,
            history.losses(i),
            early.losses,
            diverged=diverged or not _is_finite(weights),
            interrupted=stopping.is_set(),
        )
        for i, weights in enumerate(early.best or members)
    ]


def _is_finite(weights: Sequence[np.ndarray]) -> bool:
    return all(np.isfinite(array).all() for array in weights)


def _blocks(
    plan: Plan, table: Table, tasks: Sequence[Task], *, one_by_one: bool
) -> Iterator[Block]:
    return batches(
        [task.rows for task in tasks],
        batch_size=plan.batch_size,
        n_epochs=plan.n_epochs,
        padding_row=table.n_rows,
        seeds=[task.seed for task in tasks],
        shuffle=plan.shuffle,
        max_epochs=1 if one_by_one else MAX_BLOCK_STEPS,
    )


class _History:
    """Losses of epochs from losses of steps, each step weighted by the weight of its rows."""

    def __init__(self, row_weights: np.ndarray, steps_an_epoch: int):
        self._row_weights = row_weights
        self._steps_an_epoch = steps_an_epoch
        self._sums: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def add(self, block: Block, losses: np.ndarray) -> None:
        weights = self._row_weights[block.rows].sum(axis=-1)
        self._weights.append(np.broadcast_to(weights, losses.shape))
        self._sums.append(losses * weights)

    def losses(self, network: int) -> list[float]:
        if not self._sums:
            return []
        sums, weights = (np.concatenate(parts)[:, network] for parts in (self._sums, self._weights))
        whole = len(sums) // self._steps_an_epoch * self._steps_an_epoch
        shape = (-1, self._steps_an_epoch)
        epochs = sums[:whole].reshape(shape).sum(1) / weights[:whole].reshape(shape).sum(1)
        return [float(loss) for loss in epochs]


class _EarlyStopping:
    """The epoch of least held-out loss, and when to wait for a better one no longer."""

    def __init__(self, validation: Validation | None):
        self._validation = validation
        self._best_loss = np.inf
        self._waited = 0
        self.best: list[list[np.ndarray]] = []
        self.losses: list[float] = []

    def is_over(self, members: list[list[np.ndarray]]) -> bool:
        if self._validation is None:
            return False
        loss = self._validation.score(members[0])
        self.losses.append(loss)
        self._waited += 1
        if loss < self._best_loss:
            self._best_loss, self._waited, self.best = loss, 0, members
        return self._waited >= self._validation.n_iter_no_change
