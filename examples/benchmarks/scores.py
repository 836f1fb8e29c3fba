"""Accuracy of LearnedScaleRegressor and of nearest neighbours behind LearnedScaleTransformer.

R2 over five folds (shuffled, random_state 0; the ignition table by trajectory) beside what people
do today: StandardScaler in front of an MLP, of nearest neighbours and of an SVR, and gradient
boosting, which needs no scaling. Every figure is of rows that no part of the model has seen.

Run it with ``python examples/benchmarks/scores.py``; it takes some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from skscale import LearnedScaleRegressor, LearnedScaleTransformer

Table = tuple[np.ndarray, np.ndarray, np.ndarray | None]

DATA = Path(__file__).parent.parent / "data" / "hydrogen_ignition.npz"


def diabetes() -> Table:
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, y, None


def friedman_with_noise() -> Table:
    X, y = make_friedman1(500, 10, noise=1.0, random_state=0)
    noise = np.random.default_rng(0).normal(size=(500, 45))
    return np.hstack([X, noise]), y, None


def ignition_by_trajectory() -> Table:
    with np.load(DATA) as table:
        rows = np.sort(np.random.default_rng(0).choice(2400, 1500, replace=False))
        varying = table["Y"].std(axis=0) > 0
        X = np.column_stack([table["T"], table["Y"][:, varying]])
        y = np.arcsinh(table["heat_release_rate"] / 1e4)
        return X[rows], y[rows], table["trajectory"][rows]


TABLES: dict[str, Callable[[], Table]] = {
    "diabetes": diabetes,
    "Friedman-1 + 45 noise columns": friedman_with_noise,
    "hydrogen ignition, by trajectory": ignition_by_trajectory,
}


def target_standardized(model: RegressorMixin) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(model, transformer=StandardScaler())


MODELS: dict[str, Callable[[], RegressorMixin]] = {
    "LearnedScaleRegressor": lambda: LearnedScaleRegressor(random_state=0),
    "StandardScaler + MLP": lambda: target_standardized(
        make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=0))
    ),
    "gradient boosting": lambda: HistGradientBoostingRegressor(random_state=0),
    "LearnedScaleTransformer + KNN": lambda: make_pipeline(
        LearnedScaleTransformer(random_state=0), KNeighborsRegressor()
    ),
    "StandardScaler + KNN": lambda: make_pipeline(StandardScaler(), KNeighborsRegressor()),
    "LearnedScaleTransformer + SVR": lambda: target_standardized(
        make_pipeline(LearnedScaleTransformer(random_state=0), SVR())
    ),
    "StandardScaler + SVR": lambda: target_standardized(make_pipeline(StandardScaler(), SVR())),
}


def score(model: RegressorMixin, table: Table) -> np.ndarray:
    X, y, groups = table
    folds = KFold(5, shuffle=True, random_state=0)
    if groups is not None:
        folds = GroupKFold(5, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # The MLP is given its 500 passes and no more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cross_val_score(model, X, y, groups=groups, cv=folds, error_score="raise")


def results(tables: list[str]) -> Iterator[str]:
    yield "| table | model | R2 | sd over folds | seconds a fit |"
    yield "|---|---|---|---|---|"
    for name in tables:
        table = TABLES[name]()
        for label, build in MODELS.items():
            start = time.perf_counter()
            scores = score(build(), table)
            seconds = (time.perf_counter() - start) / len(scores)
            yield f"| {name} | {label} | {scores.mean():.3f} | {scores.std():.3f} | {seconds:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    for line in results(parser.parse_args().tables):
        print(line, flush=True)


if __name__ == "__main__":
    main()
