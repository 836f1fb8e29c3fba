"""What a process keeps of many fits, architectures and predictions: memory, descriptors, threads.

The whole run, by hand, takes an hour: ``python tests/long_run.py``. ``test_memory.py`` runs a
shorter one. The last line is JSON: what each stage added.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._compiled.program_cache import PROGRAMS

QUICK = {"scale_regularizer": None, "hidden_layer_sizes": (8,), "epochs": 3}
PATH = {"hidden_layer_sizes": (8,), "epochs": 3, "cv": 2, "regularization_path": [0.0, 0.1]}
ESTIMATORS = [LearnedScaleRegressor, LearnedScaleClassifier, LearnedScaleTransformer]
ACTIVATIONS = ["silu", "tanh", "relu", "gelu"]

random = np.random.default_rng(0)


def used() -> dict[str, float]:
    """Return what this process holds: memory in MB, without what malloc would give back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "megabytes": pages * resource.getpagesize() / 1e6,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


def repeat(name: str, function: Callable[[int], object], *, n_before: int, n: int) -> dict:
    """Call a function with 0, 1 and so on, and return what the last `n` calls have added."""
    for number in range(n_before):
        function(number)
    before, start = used(), time.perf_counter()
    for number in range(n_before, n_before + n):
        function(number)
        if n >= 10 and (number - n_before + 1) % (n // 10) == 0:
            now = {key: round(value) for key, value in used().items()}
            print(f"{name} {number - n_before + 1}/{n}", now, flush=True)
    added = {key: value - before[key] for key, value in used().items()}
    return {"n": n, "seconds": time.perf_counter() - start, **added}


def draw_table(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a table; the first one is small, the others are of all sizes up to 2,000 x 40."""
    n_rows, n_features = (150, 6) if number == 0 else (random.integers(20, 2000), 1 + number % 40)
    X = random.normal(size=(n_rows, n_features))
    return X, X[:, 0] + 0.1 * random.normal(size=n_rows)


def fit_of(tables: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[int], object]:
    """Return a fit of what a search changes without a new architecture, on one of the tables."""

    def fit(number: int) -> None:
        k = number % len(tables)
        X, y = tables[k]
        n_rows = len(X) - number % 10
        model = ESTIMATORS[k % 3](
            **(PATH if k % 4 == 3 else QUICK),
            random_state=number,
            learning_rate=0.001 * (1 + number % 7),
            weight_decay=0.1 * (number % 3),
        )
        model.fit(X[:n_rows], (y > 0 if k % 3 == 1 else y)[:n_rows])

    return fit


def fit_architecture(number: int) -> None:
    """Fit a network that has not been seen before."""
    X, y = random.normal(size=(100, 6)), random.normal(size=100)
    sizes = (3 + number // 4, 8) if number % 2 else (3 + number // 4,)
    options = {**QUICK, "hidden_layer_sizes": sizes, "activation": ACTIVATIONS[number % 4]}
    LearnedScaleRegressor(**options, random_state=0).fit(X, y)


def prediction() -> Callable[[int], object]:
    """Return a prediction of one row."""
    X, y = random.normal(size=(100, 6)), random.normal(size=100)
    model = LearnedScaleRegressor(**QUICK, random_state=0).fit(X, y)
    return lambda number: model.predict(X[number % 100, None])


def main() -> None:
    """Run the stages, and print what each has added."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=1000)
    parser.add_argument("--tables", type=int, default=24, help="shapes that the fits share")
    parser.add_argument("--architectures", type=int, default=300)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=PROGRAMS.max_sessions)
    parser.add_argument("--programs", type=int, default=PROGRAMS.programs_per_session)
    options = parser.parse_args()
    PROGRAMS.max_sessions, PROGRAMS.programs_per_session = options.sessions, options.programs

    tables = [draw_table(number) for number in range(options.tables)]
    # Each of ten numbers of rows of each table, so that what is compiled has been compiled.
    fits = repeat("fits", fit_of(tables), n_before=10 * len(tables), n=options.fits)
    architectures = repeat(
        "architectures",
        fit_architecture,
        # As many as are kept, and a session of them that is no longer.
        n_before=(options.sessions + 1) * options.programs,
        n=options.architectures,
    )
    predictions = repeat("predictions", prediction(), n_before=100, n=options.predictions)
    stages = {"fits": fits, "architectures": architectures, "predictions": predictions}
    print(json.dumps(stages))


if __name__ == "__main__":
    main()
