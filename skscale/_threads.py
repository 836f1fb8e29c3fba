"""How many cores a fit may use, inside and outside of worker processes."""

from __future__ import annotations

import multiprocessing
import os

import joblib


def n_threads() -> int:
    """Threads that a fit may use.

    The cores this process may run on, at most ``OMP_NUM_THREADS``, which is how joblib tells its
    worker processes their share.
    """
    available = joblib.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit))) if limit.isdigit() else max(1, available)


def limit_tensorflow_threads() -> None:
    """Hold TensorFlow's own pools to this worker's share, once, before they start.

    Nothing happens outside of worker processes, or where TensorFlow has started already.
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
