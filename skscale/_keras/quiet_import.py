"""The one place where TensorFlow is first imported, without the lines that it logs at its start.

TensorFlow logs a dozen lines before Python can ask it not to: that there is no GPU, which
instructions the processor has. Its threshold is read once, at the import, so that it must stand in
the environment by then; what is logged even earlier goes through file descriptor 2 alone.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skscale._keras import stderr_filter
from skscale._keras.tensorflow_threads import separate_thread_pools

_THRESHOLD = "TF_CPP_MIN_LOG_LEVEL"
# Whoever has set one of them has decided what TensorFlow says.
_SETTINGS_OF_USERS = (_THRESHOLD, "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE")
_ERRORS_ONLY, _NOTHING = "2", "3"

XLA_FLAGS = "TF_XLA_FLAGS"
"""Variable of the environment that holds the settings of TensorFlow for XLA."""
CACHE_OPTION = "--tf_xla_persistent_cache_directory="
"""How the one begins that keeps compiled programs on disk."""

_lock = threading.Lock()


def import_keras(*, find_devices: bool = True) -> None:
    """Import Keras, and TensorFlow under it, without the log of its start.

    Nothing is imported where either is there already, and nothing is held back where the user has
    set what TensorFlow logs. Python's errors and warnings, and errors that C++ logs, are shown.

    Parameters
    ----------
    find_devices : bool, default=True
        Whether TensorFlow starts a device, for which it looks for GPUs, at once, which it logs
        too. A fit does so next anyway; after the mere import of a layer, ``CUDA_VISIBLE_DEVICES``
        may still be set.
    """
    with _lock:
        is_there = "tensorflow" in sys.modules or "keras" in sys.modules
        if is_there or any(name in os.environ for name in _SETTINGS_OF_USERS):
            _import(find_devices)
            return
        # XLA logs an error for every compiled program that it finds on disk, and loads it.
        has_cache = CACHE_OPTION in os.environ.get(XLA_FLAGS, "")
        os.environ[_THRESHOLD] = _NOTHING if has_cache else _ERRORS_ONLY
        try:
            with _filtered_stderr():
                _import(find_devices)
        finally:
            os.environ.pop(_THRESHOLD, None)


def _import(find_devices: bool) -> None:
    importlib.import_module("keras")
    # Another backend has none.
    if find_devices and "tensorflow" in sys.modules:
        separate_thread_pools()


def keras_module(name: str) -> Any:
    """Import a module of Keras by what follows ``keras.`` in its name."""
    import_keras()
    return importlib.import_module(f"keras.{name}")


@contextmanager
def _filtered_stderr() -> Iterator[None]:
    """Let everything that is written to file descriptor 2 pass through the filter.

    Every thread and every child that starts meanwhile writes through it too, and loses nothing:
    it passes on what is written until the last of them has closed it.
    """
    program = _start_filter()
    if program is None or program.stdin is None:
        yield
        return
    stderr = os.dup(2)
    os.dup2(program.stdin.fileno(), 2)
    program.stdin.close()
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        # Until all is passed on; but a child of another thread may keep it open.
        waiting = threading.Thread(target=program.wait, daemon=True)
        waiting.start()
        waiting.join(timeout=1.0)


def _start_filter() -> subprocess.Popen[bytes] | None:
    """Start the filter; None where it cannot run, as in a program that has Python inside."""
    python = Path(sys.executable or "")
    if os.name != "posix" or not python.name.startswith("python"):
        return None
    try:
        os.fstat(2)
        program = subprocess.Popen(
            [python, "-I", "-S", stderr_filter.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the program of the user.
            start_new_session=True,
        )
    except OSError:
        return None
    with program.stdout:  # type: ignore[union-attr]
        runs = program.stdout.read(1)  # type: ignore[union-attr]
    if runs:
        return program
    program.stdin.close()  # type: ignore[union-attr]
    program.wait()
    return None
