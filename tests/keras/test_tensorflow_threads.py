"""Threads of TensorFlow, in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Sessions of one and of three threads, then TensorFlow's own work.
CODE = """
import os
from skscale._keras.quiet_import import import_keras

def n_started(start):
    before = len(os.listdir("/proc/self/task"))
    start()
    return len(os.listdir("/proc/self/task")) - before

def session_of(n):
    graph = v1.Graph()
    with graph.as_default():
        tensor = tf.constant(1.0) + 1
    config = v1.ConfigProto(intra_op_parallelism_threads=n, inter_op_parallelism_threads=1)
    sessions.append(v1.Session(graph=graph, config=config))
    sessions[-1].run(tensor)

{before}
import_keras()
import tensorflow as tf
v1, sessions = tf.compat.v1, []
session_of(1)
print([n_started(lambda: session_of(n)) for n in (1, 3)], end=" ")
print(tf.config.threading.get_intra_op_parallelism_threads(), end=" ")
print(os.environ.get("TF_OVERRIDE_GLOBAL_THREADPOOL"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize(
    ("before", "shown"),
    [
        ("", "[1, 3] 0 None"),
        ("import tensorflow as tf; tf.constant(1.0)", "[0, 0] 0 None"),
    ],
    ids=["fresh", "TensorFlow runs already"],
)
def test_sessions_have_threads_of_their_own_and_nothing_else_changes(before, shown):
    finished = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.strip() == shown
