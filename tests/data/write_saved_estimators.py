"""Fitted estimators of every kind of state, and the files that hold them, one set for a version.

``python tests/data/write_saved_estimators.py`` writes those of the present version beside it. Every
later version has to load them, so that files of earlier versions are never written again.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import skops.io
from sklearn.preprocessing import MinMaxScaler

import skscale
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)) * [1e-3, 1.0, 1e3, 1.0]
X[:, 3] = 2.0  # constant: no network sees it
y = np.sin(1e3 * X[:, 0]) + X[:, 1] + 0.1 * RANDOM.normal(size=40)
LABELS = np.where(y > 0.5, "high", np.where(y > -0.5, "middle", "low"))

QUICK = {
    "hidden_layer_sizes": (3,),
    "epochs": 5,
    "regularization_path": [(0.03, 0.3), (0.3, 1.0)],
    "random_state": 0,
}
# Such folds are kept for a warm start, as no seed gives them again.
FOLDS = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]


def fitted_estimators() -> dict[str, Any]:
    """Fit one estimator for each kind of state."""
    layers = keras.layers
    return {
        "regressor": LearnedScaleRegressor(
            **QUICK,
            normalization=MinMaxScaler(),
            embedding="periodic",
            cv=FOLDS,
            warm_start=True,
            callbacks=[keras.callbacks.EarlyStopping("loss")],
        ).fit(X, y),
        "classifier": LearnedScaleClassifier(
            **QUICK,
            scale_regularizer=None,
            network=keras.Sequential(
                [layers.Dense(3, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
            ),
        ).fit(X, LABELS),
        "transformer": LearnedScaleTransformer(**QUICK, cv=2).fit(X, LABELS),
        "chunks": LearnedScaleRegressor(**QUICK).partial_fit(X, y),
        "standardizer": LearnedScaleTransformer().partial_fit(X),
    }


def output(estimator: Any, rows: np.ndarray) -> np.ndarray:
    """Probabilities, predictions or transformed rows: the first that the estimator gives."""
    names = ("predict_proba", "predict", "transform")
    return next(getattr(estimator, name) for name in names if hasattr(estimator, name))(rows)


def write(estimators: dict[str, Any], folder: Path) -> None:
    """Write the pickle, the skops file, and what the estimators in both give."""
    stem = f"skscale-{skscale.__version__}"
    outputs = {name: output(estimator, X) for name, estimator in estimators.items()}
    (folder / f"{stem}.pickle").write_bytes(pickle.dumps(estimators))
    skops.io.dump(estimators, folder / f"{stem}.skops", compression=zipfile.ZIP_DEFLATED)
    np.savez_compressed(folder / f"{stem}.npz", X=X, **outputs)


if __name__ == "__main__":
    write(fitted_estimators(), Path(__file__).parent)
