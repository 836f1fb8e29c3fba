"""How many cores a fit may use, inside and outside of worker processes, and a map over threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import joblib
import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")

_thread = threading.local()


def n_threads() -> int:
    """Threads that a fit may use.

    The cores this process may run on, at most ``OMP_NUM_THREADS``, by which joblib limits its
    worker processes.
    """
    available = joblib.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit))) if limit.isdigit() else max(1, available)


def map_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function of NumPy arrays with each item, on as many cores as allowed.

    Parameters
    ----------
    function : callable
        Takes an item. The first error it raises, in the order of the items, is raised here.
    items : sequence
        What it is called with.

    Returns
    -------
    results : list
        Its results, in the order of the items.
    """
    # One item is not worth a thread, nor counting the cores; and where this is one of several
    # threads already, the others use the cores.
    is_one_of_many = getattr(_thread, "is_one_of_many", False)
    n_workers = min(len(items), n_threads()) if len(items) > 1 and not is_one_of_many else 1
    if n_workers == 1:
        return [function(item) for item in items]
    # A thread does not inherit np.errstate.
    on_errors = np.geterr()

    def compute(item: Item) -> Result:
        _thread.is_one_of_many = True
        with np.errstate(**on_errors):
            return function(item)

    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(compute, items))


def limit_tensorflow_threads() -> None:
    """Limit TensorFlow's thread pools to the share of this worker, once, before they start.

    They start with the first tensor or variable. Nothing happens outside of worker processes, or
    where TensorFlow has started already.
    """
    if multiprocessing.parent_process() is None or not os.environ.get("OMP_NUM_THREADS"):
        return
    import tensorflow as tf

    share = n_threads()
    try:
        if not tf.config.threading.get_intra_op_parallelism_threads():
            tf.config.threading.set_intra_op_parallelism_threads(share)
            tf.config.threading.set_inter_op_parallelism_threads(share)
    except RuntimeError:
        # Its pools have started: they keep their size for the life of the process.
        return
