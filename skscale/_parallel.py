"""How many cores a fit may use, inside and outside of worker processes, and work on them."""

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

_here = threading.local()


def n_threads() -> int:
    """Threads that a fit may use.

    The cores this process may run on, at most ``OMP_NUM_THREADS``, which is how joblib tells its
    worker processes their share.
    """
    available = joblib.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit))) if limit.isdigit() else max(1, available)


def in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function that NumPy spends its time in with each item, on as many cores as allowed.

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
    # A thread is not worth its start for one item, nor is the question how many there may be; and
    # where this is one of several threads already, the cores are taken.
    is_one_of_many = getattr(_here, "is_one_of_many", False)
    n_workers = min(len(items), n_threads()) if len(items) > 1 and not is_one_of_many else 1
    if n_workers == 1:
        return [function(item) for item in items]
    # A thread does not inherit what np.errstate says here.
    on_errors = np.geterr()

    def compute(item: Item) -> Result:
        _here.is_one_of_many = True
        with np.errstate(**on_errors):
            return function(item)

    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(compute, items))


def limit_tensorflow_threads() -> None:
    """Hold TensorFlow's own pools to this worker's share, once, before they start.

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
