"""What every test shares: quiet libraries, a fresh interpreter, and a tripwire at the training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# All three are read when the library is first imported, so they are set before any test module.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
# Without it scikit-learn skips its array API checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# The same few examples in every run; for a search of many more: pytest --hypothesis-profile=long.
settings.register_profile("quick", max_examples=15, derandomize=True, database=None, deadline=None)
settings.register_profile("long", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("quick")

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Return a function that runs code in a fresh interpreter and returns what it prints."""

    def run(code: str, *arguments: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


@pytest.fixture
def in_float16() -> Callable[[Callable[[], Any]], Any]:
    """Call a function while Keras takes float16 where nothing else is said."""
    import keras

    def call(function: Callable[[], Any]) -> Any:
        before = keras.config.floatx()
        keras.config.set_floatx("float16")
        try:
            return function()
        finally:
            keras.config.set_floatx(before)

    return call


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail as soon as a training starts, at the one place that every training goes through."""

    def started(*_arguments: object, **_settings: object) -> None:
        pytest.fail("training has started")

    monkeypatch.setattr("skscale._training.train.train_stack", started)
