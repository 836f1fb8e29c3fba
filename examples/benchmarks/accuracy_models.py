"""The models of the accuracy benchmark, with the options that their users start from.

Each belongs to a library that is imported only where its models are built: torch and TensorFlow in
one process crash with some versions, so `accuracy.py` gives each library a process of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NeighborhoodComponentsAnalysis,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR

Kind = Literal["regression", "classification"]

OURS = "skscale"
"""Of predictors and of scalers; ``--label`` stores it under another name."""

PACKAGES = {
    "sklearn": "scikit-learn",
    "skscale": "skscale",
    "catboost": "catboost",
    "pytabkit": "pytabkit",
}
"""Libraries in the order in which they run, and what their packages are called."""


@dataclass(frozen=True)
class Model:
    """How to build a predictor or a scaler, and for what.

    Parameters
    ----------
    build : callable
        ``(kind, seed) -> estimator``.
    library : str, default="sklearn"
        One of `PACKAGES`.
    max_samples : int, default=None
        Tables of more rows are left out: a fit would take more than some minutes on two cores.
    kinds : tuple of str
        What it can learn from.
    takes_groups : bool, default=False
        Whether `fit` takes the groups of a table, to hold out whole groups itself.
    """

    build: Callable[[Kind, int], Any]
    library: str = "sklearn"
    max_samples: int | None = None
    kinds: tuple[Kind, ...] = field(default=("regression", "classification"))
    takes_groups: bool = False

    def takes(self, kind: Kind, n_samples: int) -> bool:
        """Tell whether a table of this kind and size is for it."""
        return kind in self.kinds and (self.max_samples is None or n_samples <= self.max_samples)


def target_standardized(model: Any) -> TransformedTargetRegressor:
    """Let a regressor learn the target in units of its standard deviation."""
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def linear_model(kind: Kind, seed: int) -> Any:
    """Return ridge or logistic regression, to be put behind a scaler."""
    return Ridge() if kind == "regression" else LogisticRegression(max_iter=1000)


def svm(kind: Kind, seed: int) -> Any:
    """Return a support vector machine with RBF kernel, to be put behind a scaler."""
    return target_standardized(SVR()) if kind == "regression" else SVC()


def neighbors(kind: Kind, seed: int) -> Any:
    """Return five nearest neighbours, to be put behind a scaler."""
    return KNeighborsRegressor() if kind == "regression" else KNeighborsClassifier()


def _mlp(kind: Kind, seed: int) -> Any:
    options = {"hidden_layer_sizes": (64, 64), "early_stopping": True, "max_iter": 500}
    if kind == "regression":
        return target_standardized(
            make_pipeline(StandardScaler(), MLPRegressor(random_state=seed, **options))
        )
    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, **options))


def _boosting(kind: Kind, seed: int) -> Any:
    if kind == "regression":
        return HistGradientBoostingRegressor(random_state=seed)
    return HistGradientBoostingClassifier(random_state=seed)


def _forest(kind: Kind, seed: int) -> Any:
    if kind == "regression":
        return RandomForestRegressor(n_jobs=-1, random_state=seed)
    return RandomForestClassifier(n_jobs=-1, random_state=seed)


def _standardized(build: Callable[[Kind, int], Any]) -> Callable[[Kind, int], Any]:
    return lambda kind, seed: make_pipeline(StandardScaler(), build(kind, seed))


def _skscale(kind: Kind, seed: int) -> Any:
    import skscale

    if kind == "regression":
        return skscale.LearnedScaleRegressor(random_state=seed)
    return skscale.LearnedScaleClassifier(random_state=seed)


def _pytabkit(name: str) -> Callable[[Kind, int], Any]:
    def build(kind: Kind, seed: int) -> Any:
        import pytabkit

        # A banner and hints in every fit.
        for name_of_logger in ("lightning", "pytorch_lightning"):
            logging.getLogger(name_of_logger).setLevel(logging.ERROR)
        suffix = "Regressor" if kind == "regression" else "Classifier"
        model = getattr(pytabkit, f"{name}_{suffix}")
        return model(device="cpu", n_cv=1, random_state=seed, verbosity=0)

    return build


def _catboost(kind: Kind, seed: int) -> Any:
    import catboost

    options = {"random_seed": seed, "verbose": False, "allow_writing_files": False}
    if kind == "regression":
        return catboost.CatBoostRegressor(**options)
    return catboost.CatBoostClassifier(**options)


PREDICTORS: dict[str, Model] = {
    OURS: Model(_skscale, "skscale", takes_groups=True),
    "linear": Model(_standardized(linear_model)),
    "StandardScaler + MLP": Model(_mlp),
    "SVM": Model(_standardized(svm), max_samples=20_000),
    "HistGradientBoosting": Model(_boosting),
    "RandomForest": Model(_forest),
    "CatBoost": Model(_catboost, "catboost"),
    "RealMLP": Model(_pytabkit("RealMLP_TD"), "pytabkit", max_samples=20_000),
    "TabM": Model(_pytabkit("TabM_D"), "pytabkit", max_samples=5_000),
}


class ForestScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardize, then weight by the root of the importances of a random forest.

    The root, because distances square the features once more.

    Parameters
    ----------
    kind : {"regression", "classification"}, default="regression"
        Which forest.
    random_state : int, default=None
        Of the forest.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features,)
        Factors of the standardized features.
    """

    def __init__(self, kind: Kind = "regression", random_state: int | None = None) -> None:
        self.kind = kind
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> ForestScaler:
        """Grow the forest and keep its importances."""
        self._standard = StandardScaler().fit(X)
        self.scale_ = np.sqrt(_forest(self.kind, self.random_state).fit(X, y).feature_importances_)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the weighted features."""
        return self._standard.transform(X) * self.scale_


def _our_scaler(kind: Kind, seed: int) -> Any:
    import skscale

    return skscale.LearnedScaleTransformer(random_state=seed)


def _squashing_scaler(kind: Kind, seed: int) -> Any:
    import skrub

    return skrub.SquashingScaler()


def _components(kind: Kind, seed: int) -> Any:
    return make_pipeline(StandardScaler(), NeighborhoodComponentsAnalysis(random_state=seed))


SCALERS: dict[str, Model] = {
    OURS: Model(_our_scaler, "skscale", takes_groups=True),
    "none": Model(lambda kind, seed: FunctionTransformer()),
    "StandardScaler": Model(lambda kind, seed: StandardScaler()),
    "MinMaxScaler": Model(lambda kind, seed: MinMaxScaler()),
    "RobustScaler": Model(lambda kind, seed: RobustScaler()),
    "QuantileTransformer": Model(lambda kind, seed: QuantileTransformer(random_state=seed)),
    "SquashingScaler": Model(_squashing_scaler),
    "ForestScaler": Model(lambda kind, seed: ForestScaler(kind, seed)),
    "NCA": Model(_components, kinds=("classification",)),
}

BEHIND_SCALERS: dict[str, Callable[[Kind, int], Any]] = {
    "KNN": neighbors,
    "SVM": svm,
    "linear": linear_model,
}
"""Estimators that the scalers stand in front of."""

MAX_SCALER_SAMPLES = 5_000
"""Rows that are drawn of larger tables for them."""
