"""Seconds of a grid search, beside the same search with scikit-learn's MLP and through scikeras.

GridSearchCV of 24 candidates (3 learning rates x 2 weight decays x 2 sizes x 2 activations) in 5
folds on diabetes, in raw units: 120 fits of 100 epochs, Adam, batches of 32, float32, rows
shuffled every epoch. The peers get a StandardScaler in front; the targets are standardized for
all. MLPRegressor has no decoupled weight decay and gets the same numbers as its L2 penalty. Nothing
is fitted again at the end. In one process a search that finds nothing compiled is reported apart
(in a new interpreter each time, imports not counted); with all cores every search starts its own
worker processes, imports and compilation included.

A fit through scikeras takes seconds: of the 24 candidates only as many are run as
``--scikeras-candidates`` says, and the time is scaled to 24 (all but that of starting its workers),
which is not done to the others.

Run it with ``python examples/benchmarks/search_speed.py``; it takes about half an hour on two
cores. It needs ``pip install -e '.[benchmarks]'``.
"""

from __future__ import annotations

import functools
import json
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import in_fresh_process, in_turn, parser, ratio, require, seconds, table, write_json
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleRegressor

GRID: dict[str, Sequence[Any]] = {
    "rate": [1e-3, 3e-3, 1e-2],
    "decay": [1e-4, 1e-2],
    "widths": [(32, 32), (64, 64)],
    "activation": ["relu", "tanh"],
}
Candidates = Sequence[dict[str, Any]]
CANDIDATES: Candidates = list(ParameterGrid(GRID))
BATCH_SIZE, N_FOLDS, N_FEATURES = 32, 5, 10

OURS, MLP, SCIKERAS = "LearnedScaleRegressor", "StandardScaler + MLPRegressor", "scikeras"
# What each model calls the four.
NAMES = {
    OURS: ("learning_rate", "weight_decay", "hidden_layer_sizes", "activation"),
    MLP: tuple(
        f"mlpregressor__{name}"
        for name in ("learning_rate_init", "alpha", "hidden_layer_sizes", "activation")
    ),
    SCIKERAS: tuple(
        f"kerasregressor__{name}"
        for name in (
            *("optimizer__learning_rate", "optimizer__weight_decay"),
            *("model__widths", "model__activation"),
        )
    ),
}


def learned_scale(epochs: int) -> Any:
    return LearnedScaleRegressor(
        scale_regularizer=None,
        embedding=None,
        optimizer="adam",
        batch_size=BATCH_SIZE,
        epochs=epochs,
        dtype="float32",
        random_state=0,
    )


def mlp(epochs: int) -> Any:
    # It keeps the precision of the rows, and with these two runs all epochs.
    regressor = MLPRegressor(
        batch_size=BATCH_SIZE, max_iter=epochs, n_iter_no_change=epochs, tol=0.0, random_state=0
    )
    return make_pipeline(StandardScaler(), regressor)


def network(widths: Sequence[int], activation: str) -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((N_FEATURES,))]
        + [keras.layers.Dense(width, activation) for width in widths]
        + [keras.layers.Dense(1)]
    )


def scikeras(epochs: int) -> Any:
    from scikeras.wrappers import KerasRegressor

    regressor = KerasRegressor(
        network,
        loss="mean_squared_error",
        optimizer="adamw",
        batch_size=BATCH_SIZE,
        epochs=epochs,
        random_state=0,
        verbose=0,
    )
    return make_pipeline(StandardScaler(), regressor)


MODELS: dict[str, Callable[[int], Any]] = {OURS: learned_scale, MLP: mlp, SCIKERAS: scikeras}


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)


def search(name: str, epochs: int, candidates: Candidates, n_jobs: int) -> None:
    order = ("rate", "decay", "widths", "activation")
    grid = [
        {own: [candidate[key]] for own, key in zip(NAMES[name], order, strict=True)}
        for candidate in candidates
    ]
    with warnings.catch_warnings():
        # All epochs are wanted, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        GridSearchCV(
            MODELS[name](epochs), grid, cv=N_FOLDS, refit=False, n_jobs=n_jobs, error_score="raise"
        ).fit(*diabetes())


def search_by_workers(name: str, epochs: int, candidates: Candidates) -> None:
    """Search on all cores, by worker processes that start and end with it."""
    search(name, epochs, candidates, -1)
    get_reusable_executor().shutdown(wait=True)


def first_search(epochs: int) -> float:
    """Return the seconds of the first search in this process, without imports."""
    import keras
    import tensorflow as tf

    # Keras and TensorFlow import parts of themselves at first use.
    keras.ops.add(tf.zeros(1), 1.0)
    return seconds(functools.partial(search, OURS, epochs, CANDIDATES, 1))


def scaled(
    times: dict[str, list[float]], n_scikeras: int, start: float = 0.0
) -> dict[str, list[float]]:
    """Bring the seconds of the candidates that scikeras ran to those of all, but for the start."""
    factor = len(CANDIDATES) / n_scikeras
    own = [start + (time - start) * factor for time in times[SCIKERAS]]
    return {**times, SCIKERAS: own}


def report(title: str, times: dict[str, list[float]], n_scikeras: int) -> None:
    labels = {SCIKERAS: "StandardScaler + scikeras"}
    if n_scikeras < len(CANDIDATES):
        labels[SCIKERAS] += f" ({n_scikeras} of {len(CANDIDATES)} candidates run, time scaled)"
    rows = [
        [labels.get(name, name), float(np.median(own)), ratio(own, times[OURS])]
        for name, own in times.items()
        if name in MODELS
    ]
    header = [title, "s (median)", f"over {OURS}"]
    print(table(header, rows) + "\n", flush=True)


def main() -> None:
    options = parser(__doc__, runs=3)
    options.add_argument("--epochs", type=int, default=100, help="of each fit")
    options.add_argument(
        "--scikeras-candidates",
        type=int,
        default=2,
        choices=range(1, len(CANDIDATES) + 1),
        metavar=f"1..{len(CANDIDATES)}",
        help="how many of the candidates are run through scikeras",
    )
    options.add_argument("--first", action="store_true", help="only the first search of ours")
    asked = options.parse_args()
    require("keras", "scikeras")
    if asked.first:
        print(json.dumps(first_search(asked.epochs)))
        return

    # Spread over the grid, so that small and large networks are among them.
    spread = np.linspace(0, len(CANDIDATES) - 1, asked.scikeras_candidates).round().astype(int)
    candidates = dict.fromkeys(MODELS, CANDIDATES)
    candidates[SCIKERAS] = [CANDIDATES[i] for i in spread]
    n_scikeras, epochs = len(spread), asked.epochs
    work = f"{len(CANDIDATES)} candidates x {N_FOLDS} folds, {epochs} epochs"

    first = [in_fresh_process(__file__, "--first", f"--epochs={epochs}") for _ in range(asked.runs)]
    search(OURS, epochs, CANDIDATES, 1)
    one_process = scaled(
        in_turn(
            {n: functools.partial(search, n, epochs, candidates[n], 1) for n in MODELS}, asked.runs
        ),
        n_scikeras,
    )
    report(f"{work}, one process, warm", one_process, n_scikeras)
    header = [f"{work}, one process, first search", "s (median)", "over the warm search"]
    row = [OURS, float(np.median(first)), float(np.median(first) / np.median(one_process[OURS]))]
    print(table(header, [row]) + "\n", flush=True)

    # Of one candidate in one epoch, which is little more than the start of the workers.
    starts = [
        seconds(functools.partial(search_by_workers, SCIKERAS, 1, CANDIDATES[:1]))
        for _ in range(asked.runs)
    ]
    workers = scaled(
        in_turn(
            {n: functools.partial(search_by_workers, n, epochs, candidates[n]) for n in MODELS},
            asked.runs,
        ),
        n_scikeras,
        start=float(np.median(starts)),
    )
    report(f"{work}, n_jobs=-1, new workers", workers, n_scikeras)
    work_done = {"scikeras candidates": n_scikeras, "epochs": epochs, "dtype": "float32"}
    results = {"first": first, "one process": one_process, "workers": workers, "starts": starts}
    write_json(asked.json, {**work_done, **results})


if __name__ == "__main__":
    main()
