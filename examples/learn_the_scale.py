"""Let a network learn the scale of every feature, and compare it with the usual scalers.

Usage: python learn_the_scale.py [--figure PATH] [--quick]

Two tables with features in raw units:

- diabetes: 442 patients, 10 measurements, and the progression of their disease a year later;
- hydrogen ignition: 1,500 states of a gas that ignites, its temperature and composition, and the
  heat that it releases. No trajectory is in two folds: every score is on ignitions never seen.

On each, StandardScaler, MinMaxScaler, RobustScaler and LearnedScaleTransformer prepare the
features for nearest neighbours and for a support vector machine, and LearnedScaleRegressor, which
needs no preparation, meets scikit-learn's own network. The terminal shows R2 by cross-validation;
the figure shows how much each feature counts once its scale is learned.

It takes about two minutes on two cores, and matplotlib and pandas (the extra `examples`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GroupKFold, KFold, cross_validate
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVR

from skscale import LearnedScaleRegressor, LearnedScaleTransformer, ScaleDisplay

HERE = Path(__file__).resolve().parent
QUICK = {"epochs": 20, "regularization_path": [0.3], "cv": 2}


class Table(NamedTuple):
    """Features, target, and the (train, test) rows of each fold."""

    X: pd.DataFrame
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


def diabetes(n_folds: int) -> Table:
    X, y = load_diabetes(scaled=False, as_frame=True, return_X_y=True)
    names = {
        "bmi": "body mass index",
        "bp": "blood pressure",
        "s1": "cholesterol (s1)",
        "s2": "LDL (s2)",
        "s3": "HDL (s3)",
        "s4": "cholesterol / HDL (s4)",
        "s5": "log triglycerides (s5)",
        "s6": "blood sugar (s6)",
    }
    folds = KFold(n_folds, shuffle=True, random_state=0).split(X)
    return Table(X.rename(columns=names), y.to_numpy(), list(folds))


def hydrogen_ignition(n_folds: int) -> Table:
    with np.load(HERE / "data" / "hydrogen_ignition.npz") as data:
        X = pd.DataFrame(data["Y"], columns=data["species"])
        X.insert(0, "temperature", data["T"])
        # Heat release spans many decades and both signs; arcsinh is a logarithm that allows that.
        y = np.arcsinh(data["heat_release_rate"] / 1e4)
        trajectory = data["trajectory"]
    rows = np.sort(np.random.default_rng(0).choice(len(X), 1500, replace=False))
    X, y, trajectory = X.iloc[rows], y[rows], trajectory[rows]
    X = X.loc[:, X.nunique() > 1]  # there is no argon
    # Neighbours on one trajectory are near copies: a random split would ask for what is known.
    folds = GroupKFold(n_folds, shuffle=True, random_state=0).split(X, groups=trajectory)
    return Table(X, y, list(folds))


def make_models(settings: dict[str, Any], cache: str) -> dict[str, BaseEstimator]:
    """Return every model, by the name that the results show."""
    scalers = [
        StandardScaler(),
        MinMaxScaler(),
        RobustScaler(),
        LearnedScaleTransformer(random_state=0, **settings),
    ]
    # SVR and MLPRegressor expect a target of unit size; the others do not mind its units.
    predictors = [
        KNeighborsRegressor(),
        TransformedTargetRegressor(SVR(), transformer=StandardScaler()),
    ]
    # The cache keeps fitted scalers: the scale learned for the neighbours serves SVR as well.
    models = {
        f"{type(scaler).__name__} + {name}": make_pipeline(scaler, predictor, memory=cache)
        for name, predictor in zip(["KNeighborsRegressor", "SVR"], predictors, strict=True)
        for scaler in scalers
    }
    # Its default of one layer, and the two layers of LearnedScaleRegressor. Early stopping helps
    # both on these small tables, and ends them long before max_iter.
    for sizes in [(100,), (64, 64)]:
        network = MLPRegressor(
            hidden_layer_sizes=sizes, early_stopping=True, max_iter=2000, random_state=0
        )
        models[f"StandardScaler + MLPRegressor {sizes}"] = make_pipeline(
            StandardScaler(), TransformedTargetRegressor(network, transformer=StandardScaler())
        )
    models["LearnedScaleRegressor"] = LearnedScaleRegressor(random_state=0, **settings)
    return models


def compare(name: str, table: Table, settings: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of every model, and the learned weight of every feature in every fold."""
    scores, weights = {}, pd.DataFrame()
    with TemporaryDirectory() as cache:
        models = make_models(settings, cache)
        for number, (model_name, model) in enumerate(models.items(), start=1):
            result = cross_validate(model, table.X, table.y, cv=table.folds, return_estimator=True)
            r2, seconds = result["test_score"], result["fit_time"] + result["score_time"]
            scores[model_name] = {"R2": r2.mean(), "sd": r2.std(), "seconds": seconds.sum()}
            print(f"{name} {number:2}/{len(models)}  R2 {r2.mean():.3f}  {model_name}", flush=True)
            if model_name.startswith("LearnedScaleTransformer"):
                weights = relative_weights(result["estimator"])
    return pd.DataFrame(scores).T, weights


def relative_weights(pipelines: list[Pipeline]) -> pd.DataFrame:
    """Return the weight of every feature, a row for each fold, in units of StandardScaler's."""
    weights = [pipeline[0].relative_scale_ for pipeline in pipelines]
    return pd.DataFrame(weights, columns=pipelines[0][0].feature_names_in_)


def draw_weights(axes: Axes, weights: pd.DataFrame) -> None:
    """Draw the weight of each feature as a bar that starts at StandardScaler's, which is 1."""
    display = ScaleDisplay(weights.median(), member_scales=weights, feature_names=weights.columns)
    display.plot(axes)
    axes.set_xlim(8e-4, 5)
    axes.set_xlabel("counts less  ←  StandardScaler = 1  →  more")


def draw_figure(weights: dict[str, pd.DataFrame], path: Path) -> None:
    figure, panels = plt.subplots(1, len(weights), figsize=(11, 5), layout="constrained")
    for axes, (name, of_one_table) in zip(panels, weights.items(), strict=True):
        draw_weights(axes, of_one_table)
        axes.set_title(name.capitalize())
    figure.suptitle("How much each feature counts, once its scale is learned", fontsize=15)
    figure.supxlabel("bars and numbers: median over the folds; dots: single folds", fontsize=10)
    # Beside it first, so that a full disk leaves the figure of before.
    part = path.with_suffix(f".part{path.suffix}")
    figure.savefig(part, dpi=150)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, default=HERE / "learn_the_scale.png")
    parser.add_argument("--quick", action="store_true", help="two folds, few epochs: only a test")
    options = parser.parse_args()
    n_folds, settings = (2, QUICK) if options.quick else (5, {})

    scores, weights = {}, {}
    for name, load in {"diabetes": diabetes, "hydrogen ignition": hydrogen_ignition}.items():
        scores[name], weights[name] = compare(name, load(n_folds), settings)

    print(
        f"\nR2: mean and standard deviation over {n_folds} folds. Seconds: all folds together, with"
    )
    print(
        "TensorFlow's start in the first learned scale; SVR gets its learned scale from the cache."
    )
    print(pd.concat(scores).to_string(formatters={"seconds": "{:.1f}".format}, float_format="%.3f"))
    draw_figure(weights, options.figure)
    print(f"Figure: {options.figure}")


if __name__ == "__main__":
    main()
