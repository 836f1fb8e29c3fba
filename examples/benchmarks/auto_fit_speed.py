"""Seconds and accuracy of the default fits, beside other models that choose their own strength.

LearnedScaleRegressor() trains up to 70 networks (14 points of the path x 5 folds, of which those
behind stop early) and averages 5 of them; beside it, all of them are trained to their end. Its
peers: a grid search over 7 strengths of an MLP of the same widths and over 7 learning rates of
gradient boosting, both with 5 shuffled folds, and one fit of RealMLP (pytabkit) as it comes. Every
model may use every core: the search of the MLP in its products or, in a row of its own, by a
process for each core; RealMLP is also run on one core, where it may be faster. Every model is
scored (R2) on a quarter of the rows, which it has not seen; of the ignition table that is a quarter
of the trajectories. Cold is the first fit of a process, with compilation and worker processes and
without imports; warm fits take turns in one process. Ratios are over LearnedScaleRegressor. A
second table compares 100 rows of diabetes, which train in float64, with all 442.

With ``--large``, tables of 200,000 and 1,000,000 rows of 50 features in float32: the default fit of
all three estimators, and of gradient boosting and an MLP of 20 epochs, each once in a process of
its own. The score is R2 or accuracy on 50,000 more rows; of a transformer it is that of 10
neighbours among 20,000 of the transformed rows, for 5,000 of those. Memory is what the process grew
by, over the size of the features.

Run it with ``python examples/benchmarks/auto_fit_speed.py``; on two cores it takes an hour
or more, and so with ``--large`` (see ``--tables``, ``--models`` and ``--rows``).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import warnings
from collections.abc import Callable
from typing import Any, Self
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import (
    generated,
    in_fresh_process,
    in_turn,
    parser,
    ratio,
    require,
    seconds,
    seconds_and_memory,
    table,
    write_json,
)
from scores import TABLES as SMALL_TABLES
from scores import Table, target_standardized
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._selection import regularization_path

TABLES: dict[str, Callable[[], Table]] = {
    **SMALL_TABLES,
    "generated, 20,000 x 20": lambda: (*generated(20_000, 20), None),
}
WIDTHS = (64, 64)
LARGE_ROWS, LARGE_FEATURES, HELD_OUT_ROWS = (200_000, 1_000_000), 50, 50_000


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folds() -> KFold:
    return KFold(5, shuffle=True, random_state=0)


def learned_scale(model: type[LearnedScaleRegressor]) -> BaseEstimator:
    import keras  # noqa: F401 (imports do not count)

    return model(random_state=0)


class WholePath(LearnedScaleRegressor):
    """Trains every point of the path to its end."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Fit as the parent does, with nothing stopped."""
        with mock.patch.object(regularization_path, "_RUNGS", ((1.0, 1),)):
            return super().fit(X, y)


def mlp_search(n_jobs: int | None) -> BaseEstimator:
    network = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=WIDTHS, random_state=0)
    )
    strengths = {"regressor__mlpregressor__alpha": np.geomspace(1e-5, 10, 7)}
    return GridSearchCV(target_standardized(network), strengths, cv=folds(), n_jobs=n_jobs)


def boosting_search() -> BaseEstimator:
    rates = {"learning_rate": np.geomspace(0.01, 0.64, 7)}
    return GridSearchCV(HistGradientBoostingRegressor(random_state=0), rates, cv=folds())


def real_mlp(n_threads: int) -> BaseEstimator:
    from pytabkit import RealMLP_TD_Regressor

    # Lightning tells about every fit.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning|pytabkit")
    # Left alone it takes the physical cores, which may be fewer than the others use.
    return RealMLP_TD_Regressor(device="cpu", n_threads=n_threads, random_state=0)


OWN = "LearnedScaleRegressor"
OWN_WHOLE, MLP_PROCESSES = f"{OWN}, no point stopped", "MLP, 7 strengths x 5 folds, n_jobs=-1"
MODELS: dict[str, Callable[[], BaseEstimator]] = {
    OWN: lambda: learned_scale(LearnedScaleRegressor),
    OWN_WHOLE: lambda: learned_scale(WholePath),
    "MLP, 7 strengths x 5 folds": lambda: mlp_search(None),
    MLP_PROCESSES: lambda: mlp_search(-1),
    "RealMLP": lambda: real_mlp(n_cores()),
    # Its products are small: a second thread may cost it more than it gains.
    "RealMLP, one thread": lambda: real_mlp(1),
    "gradient boosting, 7 rates x 5 folds": boosting_search,
}


def split(name: str) -> list[np.ndarray]:
    """Return features and targets to learn from, then those to score."""
    X, y, groups = TABLES[name]()
    splitter = ShuffleSplit if groups is None else GroupShuffleSplit
    split = splitter(1, test_size=0.25, random_state=0).split(X, groups=groups)
    # In the order of the table: a peer may fold or hold out without shuffling.
    train, test = map(np.sort, next(split))
    return [X[train], y[train], X[test], y[test]]


def cold_fit(model: str, X: np.ndarray, y: np.ndarray) -> float:
    estimator = MODELS[model]()
    return seconds(lambda: estimator.fit(X, y))


def compare(name: str, models: list[str], runs: int) -> dict[str, dict[str, Any]]:
    """Return seconds, cold and warm, and the score of every model on one table."""
    X, y, X_test, y_test = split(name)
    cold = {model: in_fresh_process(__file__, "--cold", name, model) for model in models}
    fitted = {model: MODELS[model]() for model in models}
    for model in models:
        if model in (OWN, OWN_WHOLE, MLP_PROCESSES):
            fitted[model].fit(X, y)  # which compile, or start processes
    works = {model: lambda model=model: fitted[model].fit(X, y) for model in models}
    warm = in_turn(works, runs)
    return {
        model: {
            "cold": cold[model],
            "warm": warm[model],
            "score": float(fitted[model].score(X_test, y_test)),
            "dtype": X.dtype.name,
        }
        for model in models
    }


def shown(name: str, results: dict[str, dict[str, Any]]) -> list[list[object]]:
    own = results.get(OWN)
    return [
        [
            name,
            model,
            result["cold"],
            float(np.median(result["warm"])),
            result["cold"] / own["cold"] if own else None,
            ratio(result["warm"], own["warm"]) if own else None,
            f"{result['score']:.3f}",
        ]
        for model, result in results.items()
    ]


def few_rows(runs: int) -> dict[str, dict[str, Any]]:
    """Return seconds of the default fit on the first 100 rows of diabetes and on all."""
    X, y, _ = TABLES["diabetes"]()
    sizes = {"100 rows, float64": 100, f"{len(X)} rows, float32": len(X)}
    works = {
        name: lambda n=n: LearnedScaleRegressor(random_state=0).fit(X[:n], y[:n])
        for name, n in sizes.items()
    }
    cold = {name: in_fresh_process(__file__, "--cold-rows", str(n)) for name, n in sizes.items()}
    for work in works.values():
        work()
    warm = in_turn(works, runs)
    return {name: {"cold": cold[name], "warm": warm[name], "dtype": X.dtype.name} for name in sizes}


def fixed_mlp(model: type) -> BaseEstimator:
    network = model(hidden_layer_sizes=WIDTHS, max_iter=20, random_state=0)
    return make_pipeline(StandardScaler(), network)


# By kind: what predicts numbers, classes, or only scales for neighbours.
LARGE_MODELS: dict[str, Callable[[], BaseEstimator]] = {
    "LearnedScaleRegressor": lambda: LearnedScaleRegressor(random_state=0),
    "HistGradientBoostingRegressor": lambda: HistGradientBoostingRegressor(random_state=0),
    "StandardScaler + MLPRegressor": lambda: target_standardized(fixed_mlp(MLPRegressor)),
    "LearnedScaleClassifier": lambda: LearnedScaleClassifier(random_state=0),
    "HistGradientBoostingClassifier": lambda: HistGradientBoostingClassifier(random_state=0),
    "StandardScaler + MLPClassifier": lambda: fixed_mlp(MLPClassifier),
    "LearnedScaleTransformer": lambda: LearnedScaleTransformer(random_state=0),
    "StandardScaler": lambda: StandardScaler(),
}


def large_fit(model: str, n_rows: int) -> dict[str, Any]:
    """Fit one model on a large table, and return seconds, memory, score and strength."""
    X, y = generated(n_rows + HELD_OUT_ROWS, LARGE_FEATURES)
    if "Classifier" in model:
        y = (y > 2.5).astype(np.int8)  # near the middle
    (X, X_test), (y, y_test) = ((array[:n_rows], array[n_rows:]) for array in (X, y))
    estimator = LARGE_MODELS[model]()
    if model.startswith("LearnedScale"):
        import keras  # noqa: F401 (imports do not count)
    time, memory = seconds_and_memory(lambda: estimator.fit(X, y))
    if hasattr(estimator, "predict"):
        score = estimator.score(X_test, y_test)
    else:
        neighbors = KNeighborsRegressor(10).fit(estimator.transform(X[:20_000]), y[:20_000])
        score = neighbors.score(estimator.transform(X_test[:5_000]), y_test[:5_000])
    path = getattr(estimator, "path_", None)
    return {
        "seconds": time,
        "memory": memory,
        "copies": memory / X.nbytes,
        "score": float(score),
        "dtype": X.dtype.name,
        "strength": None if path is None else float(path["strength"][path["best_index"]]),
    }


def options() -> argparse.Namespace:
    options = parser(__doc__, runs=3)
    options.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    options.add_argument("--models", nargs="+", choices=[*MODELS, *LARGE_MODELS])
    options.add_argument("--large", action="store_true", help="large tables instead of small ones")
    options.add_argument("--rows", nargs="+", type=int, default=LARGE_ROWS, help="of large tables")
    # One first fit of a process, which is started by this script itself.
    options.add_argument("--cold", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--cold-rows", type=int, help=argparse.SUPPRESS)
    options.add_argument("--cold-large", nargs=2, help=argparse.SUPPRESS)
    return options.parse_args()


def main() -> None:
    chosen = options()
    # All epochs of an MLP are wanted, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    if chosen.cold:
        name, model = chosen.cold
        print(json.dumps(cold_fit(model, *split(name)[:2])))
    elif chosen.cold_rows:
        X, y, _ = TABLES["diabetes"]()
        print(json.dumps(cold_fit(OWN, X[: chosen.cold_rows], y[: chosen.cold_rows])))
    elif chosen.cold_large:
        model, n_rows = chosen.cold_large
        print(json.dumps(large_fit(model, int(n_rows))))
    elif chosen.large:
        compare_large(chosen)
    else:
        compare_small(chosen)


def compare_small(chosen: argparse.Namespace) -> None:
    models = [model for model in MODELS if model in (chosen.models or MODELS)]
    if any("RealMLP" in model for model in models):
        require("pytabkit")
    header = ["table", "model", "cold (s)", "warm (s)", "cold, ratio", "warm, ratio", "R2"]
    results: dict[str, Any] = {}
    for name in chosen.tables:
        results[name] = compare(name, models, chosen.runs)
        print(table(header, shown(name, results[name])), end="\n\n", flush=True)
    if OWN in models and "diabetes" in chosen.tables:
        results["few rows"] = times = few_rows(chosen.runs)
        *_, most = times.values()
        rows = [
            [name, own["cold"], float(np.median(own["warm"])), ratio(own["warm"], most["warm"])]
            for name, own in times.items()
        ]
        print(table(["diabetes", "cold (s)", "warm (s)", "warm, ratio"], rows))
    write_json(chosen.json, results)


def compare_large(chosen: argparse.Namespace) -> None:
    names = chosen.models or list(LARGE_MODELS)
    header = ["rows", "model", "seconds", "memory (MB)", "over X", "held-out score", "strength"]
    print(table(header, []), flush=True)
    results: dict[int, dict[str, Any]] = {}
    for n in chosen.rows:
        results[n] = {}
        for model in [model for model in LARGE_MODELS if model in names]:
            results[n][model] = own = in_fresh_process(__file__, "--cold-large", model, str(n))
            sizes = [own["seconds"], own["memory"] / 1e6, own["copies"]]
            row = [f"{n:,}", model, *sizes, f"{own['score']:.4f}", own["strength"]]
            # At once: the next one may take minutes.
            print(table(header, [row]).splitlines()[-1], flush=True)
    write_json(chosen.json, results)


if __name__ == "__main__":
    main()
