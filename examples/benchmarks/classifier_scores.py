"""Accuracy and log loss of LearnedScaleClassifier beside what people do today.

Three stratified folds (shuffled, random_state 0): StandardScaler in front of logistic regression,
of an MLP and of an SVC (which gives no probabilities), and gradient boosting, which needs no
scaling. Every figure is of rows that no part of the model has seen.

The rule by which LearnedScaleClassifier compares the points of its path, and how far it softens
their probabilities, were chosen on wine, iris and the tables of `noise_columns` with the numbers 0
and 1, not on the others.

Run it with ``python examples/benchmarks/classifier_scores.py``; it takes some five minutes on two
cores.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skscale import LearnedScaleClassifier

Table = tuple[np.ndarray, np.ndarray]


def digits() -> Table:
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


def noise_columns(number: int) -> Table:
    """Two classes, 6 informative features and 44 columns of noise."""
    return make_classification(
        500, n_features=50, n_informative=6, n_redundant=0, random_state=number
    )


TABLES: dict[str, Callable[[], Table]] = {
    "digits, 600 rows": digits,
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "iris": lambda: load_iris(return_X_y=True),
    **{f"44 noise columns, {i}": lambda i=i: noise_columns(i) for i in range(4)},
}

MODELS: dict[str, Callable[[], ClassifierMixin]] = {
    "LearnedScaleClassifier": lambda: LearnedScaleClassifier(random_state=0),
    "StandardScaler + LogisticRegression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression()
    ),
    "StandardScaler + MLP": lambda: make_pipeline(
        StandardScaler(), MLPClassifier(max_iter=500, random_state=0)
    ),
    "gradient boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "StandardScaler + SVC": lambda: make_pipeline(StandardScaler(), SVC()),
}


def scores(model: ClassifierMixin, table: Table) -> dict[str, np.ndarray]:
    scoring = {"accuracy": "accuracy"}
    if hasattr(model, "predict_proba"):
        scoring["log loss"] = "neg_log_loss"
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # The MLP is given its 500 passes and no more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cross_validate(model, *table, cv=folds, scoring=scoring, error_score="raise")


def results(tables: list[str]) -> Iterator[str]:
    yield "| table | model | accuracy | log loss | seconds a fit |"
    yield "|---|---|---|---|---|"
    for name in tables:
        table = TABLES[name]()
        for label, build in MODELS.items():
            start = time.perf_counter()
            result = scores(build(), table)
            seconds = (time.perf_counter() - start) / 3
            accuracy, loss = result["test_accuracy"], -result.get("test_log loss", np.nan)
            shown = "" if np.isnan(loss).any() else f"{loss.mean():.3f} ± {loss.std():.3f}"
            yield (
                f"| {name} | {label} | {accuracy.mean():.3f} ± {accuracy.std():.3f} | {shown} | "
                f"{seconds:.2f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    for line in results(parser.parse_args().tables):
        print(line, flush=True)


if __name__ == "__main__":
    main()
