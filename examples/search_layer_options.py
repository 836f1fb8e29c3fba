"""Search the scaler itself and the layer options of a learned scale, as any other parameters.

Usage: python search_layer_options.py [--quick]

The table is hydrogen ignition: the temperature and composition of a gas that ignites, and the heat
that it releases; nearest neighbours predict it. What prepares the features for them is searched:

1. GridSearchCV tries every candidate. The step "scale" of the pipeline is itself in the grid, as
   StandardScaler(), MinMaxScaler() or LearnedScaleTransformer(); the options of the last have
   nested names such as scale__scale_initializer, and stand in a grid of their own because the
   other two have none.
2. HalvingRandomSearchCV draws candidates from a wider choice, tries them on part of the rows, and
   gives all rows to the best third only.

Each search prints its `cv_results_` as a table, and its best candidate is scored on ignitions that
no search has seen. Options of Keras are written as names or as config dicts: unlike Keras' objects,
both show their settings when they are printed, and both are copied without loss.

A fixed scale_regularizer trains one network for each candidate and fold. The default, "auto",
trains up to 70 and chooses among them by itself; it comes last, without a search. A constraint or a
width that is new is compiled once, for some seconds; another initializer costs nothing.

It takes about a minute on two cores, and pandas (the extra `examples`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import randint
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    HalvingRandomSearchCV,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skscale import LearnedScaleTransformer

HERE = Path(__file__).resolve().parent
AROUND_ONE = {"class_name": "RandomNormal", "config": {"mean": 1.0, "stddev": 0.1}}
NORM_OF_FOUR = {"class_name": "MaxNorm", "config": {"max_value": 4.0}}


class Rows(NamedTuple):
    """Features, target, and the ignition that each row belongs to."""

    X: pd.DataFrame
    y: np.ndarray
    ignition: np.ndarray


def hydrogen_ignition(quick: bool) -> tuple[Rows, Rows]:
    """Return rows to search on, and rows of other ignitions."""
    with np.load(HERE / "data" / "hydrogen_ignition.npz") as data:
        X = pd.DataFrame(data["Y"], columns=data["species"])
        X.insert(0, "temperature", data["T"])
        # Heat release spans many decades and both signs; arcsinh is a logarithm that allows that.
        y = np.arcsinh(data["heat_release_rate"] / 1e4)
        ignition = data["trajectory"]
    split = GroupShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
    searched, kept = next(split.split(X, groups=ignition))
    if quick:
        searched = searched[::4]
    return tuple(Rows(X.iloc[rows], y[rows], ignition[rows]) for rows in (searched, kept))


def make_pipeline() -> Pipeline:
    # The searches replace the scaler.
    return Pipeline([("scale", StandardScaler()), ("model", KNeighborsRegressor(n_neighbors=3))])


def learned_scale(quick: bool) -> LearnedScaleTransformer:
    return LearnedScaleTransformer(
        scale_regularizer="l1", power=1.0, epochs=2 if quick else 60, random_state=0
    )


def grid(quick: bool) -> list[dict[str, list[Any]]]:
    return [
        {"scale": [StandardScaler(), MinMaxScaler()]},
        {
            "scale": [learned_scale(quick)],
            "scale__scale_initializer": ["ones", AROUND_ONE],
            "scale__scale_constraint": [None, "non_neg"],
            "scale__hidden_layer_sizes": [(8,)] if quick else [(32,), (64, 64)],
        },
    ]


def wider_choice(quick: bool) -> list[dict[str, Any]]:
    # One distribution is enough for both parts to be drawn equally often; of lists alone, the part
    # with more combinations would be drawn more often.
    n_neighbors = randint(1, 9)
    narrow = grid(quick)
    return [
        {**narrow[0], "model__n_neighbors": n_neighbors},
        {
            "scale": [learned_scale(quick)],
            "scale__scale_initializer": ["ones", AROUND_ONE, "glorot_uniform"],
            "scale__kernel_initializer": ["auto", "he_normal", "lecun_uniform", "orthogonal"],
            "scale__scale_constraint": [None] if quick else [None, "non_neg", NORM_OF_FOUR],
            "scale__hidden_layer_sizes": narrow[1]["scale__hidden_layer_sizes"],
            "scale__power": [0.5, 1.0],
            "model__n_neighbors": n_neighbors,
        },
    ]


def short(value: Any) -> str:
    """Return the value of a parameter in a few words."""
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if isinstance(value, dict):
        settings = ", ".join(f"{name}={setting}" for name, setting in value["config"].items())
        return f"{value['class_name']}({settings})"
    return str(value)


def results(search: GridSearchCV | HalvingRandomSearchCV) -> pd.DataFrame:
    """Return `cv_results_` as a table to read, the best candidate on top."""
    found = search.cv_results_
    table = pd.DataFrame({"R2": found["mean_test_score"], "sd": found["std_test_score"]})
    if "n_resources" in found:
        # Later rounds see more rows, and only the last compares the best.
        table.insert(0, "rows", found["n_resources"])
    parameters = [name for name in found if name.startswith("param_")]
    for parameter in sorted(parameters, key=lambda name: (name != "param_scale", name)):
        # A parameter that a candidate does not have is masked.
        values = np.ma.asarray(found[parameter])
        column = [
            "" if masked else short(value)
            for value, masked in zip(values.data, np.ma.getmaskarray(values), strict=True)
        ]
        table[parameter.rpartition("__")[2].removeprefix("param_")] = column
    best_first = ["rows", "R2"] if "rows" in table else ["R2"]
    return table.sort_values(best_first, ascending=False, kind="stable", ignore_index=True)


def run(
    title: str,
    search: GridSearchCV | HalvingRandomSearchCV,
    searched: Rows,
    kept: Rows,
) -> pd.DataFrame:
    """Search, and print what was found."""
    search.fit(searched.X, searched.y, groups=searched.ignition)
    table = results(search)
    print(f"\n{title}\n{table.head(10).to_string(float_format='%.3f')}")
    print(f"R2 of the best on ignitions not seen: {search.score(kept.X, kept.y):.3f}", flush=True)
    return table


def chosen_by_itself(quick: bool, searched: Rows, kept: Rows) -> None:
    """Fit the default, which holds out rows of its own, and print its score."""
    settings = {"epochs": 2, "regularization_path": [0.3], "cv": 2} if quick else {}
    scaler = LearnedScaleTransformer(random_state=0, **settings)
    pipeline = make_pipeline().set_params(scale=scaler)
    pipeline.fit(searched.X, searched.y, scale__groups=searched.ignition)
    print(f"\nR2 without a search, LearnedScaleTransformer(): {pipeline.score(kept.X, kept.y):.3f}")


def main(arguments: Sequence[str] | None = None) -> list[pd.DataFrame]:
    """Run both searches, and return their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rows and epochs: only a test")
    quick = parser.parse_args(arguments).quick

    searched, kept = hydrogen_ignition(quick)
    # Rows of one ignition are near copies: in two folds, they would give the answer away.
    folds = GroupKFold(2 if quick else 3)
    every = GridSearchCV(make_pipeline(), grid(quick), cv=folds, error_score="raise")
    halving = HalvingRandomSearchCV(
        make_pipeline(),
        wider_choice(quick),
        n_candidates=6 if quick else 24,
        factor=3,
        min_resources=len(searched.X) // 3,
        cv=folds,
        error_score="raise",
        random_state=0,
    )
    tables = [
        run("GridSearchCV: all candidates", every, searched, kept),
        run("HalvingRandomSearchCV: the best ten, the last round on top", halving, searched, kept),
    ]
    chosen_by_itself(quick, searched, kept)
    return tables


if __name__ == "__main__":
    main()
