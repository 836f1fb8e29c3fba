"""Whether this process can train: Keras on TensorFlow, whose threads run here."""

from __future__ import annotations

import importlib
import os
import sys

from skscale._keras.quiet_import import import_keras
from skscale._keras.tensorflow_threads import tensorflow_is_running

# Whether TensorFlow ran in the process that this one is a fork of.
_is_fork_of_running = False


def require_tensorflow() -> None:
    """Import Keras in a process that can train, or run layers of the user's own.

    Raises
    ------
    RuntimeError
        If it cannot.
    """
    _check()
    import_keras()
    # The backend may be named by the file of settings that Keras reads.
    _check()


def _check() -> None:
    reason = obstacle()
    if reason is not None:
        raise RuntimeError(reason)


def obstacle() -> str | None:
    """Return why TensorFlow cannot be used in this process, and what to do; None where it can."""
    if _is_fork_of_running:
        return (
            "This process is a fork of one in which TensorFlow runs, whose threads a fork does not "
            "have: TensorFlow would wait for them for ever. Start workers by joblib's loky, its "
            "default, or by multiprocessing.get_context('spawn'). Predictions that need no "
            "TensorFlow work in a fork too."
        )
    backend = _backend()
    if backend != "tensorflow":
        return (
            f"Keras has the backend {backend!r}, by KERAS_BACKEND or keras.json, but skscale fits "
            "with TensorFlow. Set KERAS_BACKEND=tensorflow before Keras is imported. Predictions "
            "that need no TensorFlow work under any backend."
        )
    if _is_building_graph():
        return (
            "A TensorFlow graph is being built here, by tf.function, tf.Graph or a program without "
            "eager execution, but skscale trains and runs Keras layers at once. Call it outside of "
            "the graph. Predictions that need no TensorFlow work inside of it too."
        )
    return None


def _is_building_graph() -> bool:
    # Before TensorFlow is there, as a whole, nothing can build a graph of it.
    is_eager = getattr(sys.modules.get("tensorflow"), "executing_eagerly", lambda: True)
    return not is_eager()


def _backend() -> str:
    """Return the backend of Keras, or the one that the environment names."""
    if sys.modules.get("keras") is not None:
        # Where another thread is about to import it, this waits until it has.
        return importlib.import_module("keras").config.backend()
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def _note_fork() -> None:
    """Remember, in the child, whether TensorFlow runs in its parent."""
    global _is_fork_of_running
    _is_fork_of_running = _is_fork_of_running or tensorflow_is_running()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
