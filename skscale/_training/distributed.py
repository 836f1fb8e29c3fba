"""Stacks of networks as tasks of the current joblib backend: loky, dask, ray, or any other.

A task is a whole stack, the same as in one process: XLA rounds the products of a stack by the
number of networks in it, so that a network among four has other last bits than the same network
among five. How workers start, end and are replaced is the backend's affair.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from skscale._keras.training_process import require_tensorflow
from skscale._network.compile_config import CompileConfig
from skscale._parallel import limit_tensorflow_threads, n_threads
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.loop import train_stack

_copying = threading.Lock()


class SharedDataset:
    """A dataset that workers receive once, and the row numbers of all networks.

    Parameters
    ----------
    dataset : Dataset
        All rows.
    row_sets : sequence of ndarray of int
        What `NetworkRun.rows` may be.
    """

    def __init__(self, dataset: Dataset, row_sets: Sequence[np.ndarray]):
        self._dataset, self._is_aligned = dataset, True
        self.row_sets = list(row_sets)

    def __getstate__(self) -> dict[str, Any]:
        # An engine puts what travels where it likes.
        return {**vars(self), "_is_aligned": False}

    def __sizeof__(self) -> int:
        # Engines ask for it, to tell what they had better not send with every task.
        arrays = (*self._dataset.padded, self._dataset.weights, *self.row_sets)
        return sum(array.nbytes for array in arrays)

    def dataset(self) -> Dataset:
        """Return the dataset, which a worker copies once."""
        with _copying:
            if not self._is_aligned:
                self._dataset, self._is_aligned = self._dataset.copy(), True
            return self._dataset


@dataclass(frozen=True)
class _Task:
    """One stack to train, with numbers in place of the rows of its networks."""

    compile_config: CompileConfig
    config: TrainingConfig
    runs: Sequence[NetworkRun]
    row_sets: Sequence[int]
    custom_objects: dict[str, Any]


def _train(shared: SharedDataset, task: _Task) -> list[TrainedNetwork]:
    """Train one stack in a worker."""
    require_tensorflow()
    limit_tensorflow_threads()
    _register(task.custom_objects)
    return train_stack(
        task.compile_config,
        task.config,
        shared.dataset(),
        [
            replace(run, rows=shared.row_sets[number])
            for run, number in zip(task.runs, task.row_sets, strict=True)
        ],
        callbacks=None,
        stopping=threading.Event(),
        on_progress=lambda epoch, loss: None,
    )


class Workers:
    """Where the networks of one fit train, by `n_jobs` and the current joblib backend.

    Threads of this process, where the backend has nothing but them, as joblib itself chooses inside
    of its workers; processes of any kind otherwise. They start with the first task, and end with
    the block that the workers are entered for.

    Parameters
    ----------
    n_jobs : int
        As joblib has it.
    dataset : Dataset
        All rows.
    row_sets : sequence of ndarray of int
        The `NetworkRun.rows` of all runs to come.

    Attributes
    ----------
    are_elsewhere : bool
        Whether they are in other processes.
    n_threads : int
        Stacks that train side by side in this process.
    """

    def __init__(self, n_jobs: int, dataset: Dataset, row_sets: Sequence[np.ndarray]):
        self._n_jobs, self._dataset, self._row_sets = n_jobs, dataset, row_sets
        self._backend, _ = get_active_backend()
        has_threads = getattr(self._backend, "supports_sharedmem", False)
        self.are_elsewhere = n_jobs != 1 and not has_threads
        self.n_threads = n_threads()
        if not self.are_elsewhere:
            self.n_threads = min(self.n_threads, effective_n_jobs(n_jobs))
        self._open = ExitStack()
        self._parallel: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def train(
        self,
        compile_config: CompileConfig,
        config: TrainingConfig,
        stacks: Sequence[Sequence[NetworkRun]],
    ) -> list[list[TrainedNetwork]]:
        """Train stacks elsewhere, each in one task, as `train_stack` does here.

        Parameters
        ----------
        compile_config : CompileConfig
            Loss and optimizer.
        config : TrainingConfig
            Epochs, batches, rates and precision.
        stacks : sequence of sequence of NetworkRun
            The networks of each stack.

        Returns
        -------
        trained : list of list of TrainedNetwork
            In the order of the stacks.
        """
        if self._parallel is None:
            self._parallel = self._open.enter_context(Parallel(n_jobs=self._n_jobs))
            self._shared = self._share()
        numbers = {id(rows): number for number, rows in enumerate(self._row_sets)}
        tasks = [
            _Task(
                compile_config,
                config,
                [replace(run, rows=run.rows[:0]) for run in runs],
                [numbers[id(run.rows)] for run in runs],
                _custom_objects(runs[0].spec.key() + compile_config.key()),
            )
            for runs in stacks
        ]
        return self._parallel(delayed(_train)(self._shared, task) for task in tasks)

    def _share(self) -> Any:
        """Return what stands for the dataset in the arguments of all tasks.

        joblib sends a large argument of several tasks once, but for dask: there it would go to one
        worker, anew for every part of the training, and be lost with this worker.
        """
        shared = SharedDataset(self._dataset, self._row_sets)
        client = getattr(self._backend, "client", None)
        return shared if client is None else client.scatter(shared, broadcast=True, hash=False)


def _custom_objects(configs: str) -> dict[str, Any]:
    """Return the classes and functions that users have registered with Keras, of those in configs.

    What is registered by a script, and not by a module, is known to no worker.
    """
    from keras.saving import get_custom_objects

    return {name: item for name, item in get_custom_objects().items() if name in configs}


def _register(custom_objects: dict[str, Any]) -> None:
    from keras.saving import get_custom_objects

    for name, item in custom_objects.items():
        get_custom_objects().setdefault(name, item)
