"""Whether TensorFlow has started its threads, and that each session gets threads of its own."""

from __future__ import annotations

import os
import sys

# Read by TensorFlow once, as the first device of the process starts.
_SEPARATE_POOLS = "TF_OVERRIDE_GLOBAL_THREADPOOL"


def tensorflow_is_running() -> bool:
    """Whether TensorFlow has started its threads: then it refuses to change their number."""
    if "tensorflow" not in sys.modules:
        return False
    threading = sys.modules["tensorflow"].config.threading
    before = threading.get_inter_op_parallelism_threads()
    try:
        threading.set_inter_op_parallelism_threads(before + 1)
    except RuntimeError:
        return True
    threading.set_inter_op_parallelism_threads(before)
    return False


def separate_thread_pools() -> None:
    """Let every session have a pool of as many threads as it asks for, before TensorFlow runs.

    Otherwise all share the pool that serves TensorFlow's other work, which keeps its size. Where
    that runs already, nothing changes: the programs of fits share its pool, and are slower.
    """
    if tensorflow_is_running():
        return
    v1 = sys.modules["tensorflow"].compat.v1
    before = os.environ.get(_SEPARATE_POOLS)
    os.environ[_SEPARATE_POOLS] = "1"
    try:
        # A CPU is enough for it, and a GPU would be held from here on.
        v1.Session(graph=v1.Graph(), config=v1.ConfigProto(device_count={"GPU": 0})).close()
    finally:
        os.environ.pop(_SEPARATE_POOLS)
        if before is not None:
            os.environ[_SEPARATE_POOLS] = before
