"""Fits that between them reach most of the training, to compare processes by what they predict."""

from __future__ import annotations

import numpy as np

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

X = np.random.default_rng(0).normal(size=(40, 3))
y = X[:, 0] + X[:, 1] ** 2
QUICK = {"hidden_layer_sizes": (4,), "epochs": 2, "random_state": 0}
PATH = {**QUICK, "cv": 2, "regularization_path": [0.03]}


def predict_by_own_layers() -> np.ndarray:
    """Fit layers of the user that draw, count and normalize."""

    def network(n_features: int, n_outputs: int) -> object:
        import keras
        from keras import layers

        norm, dropout = layers.BatchNormalization(), layers.Dropout(0.1, seed=1)
        return keras.Sequential(
            [layers.Dense(3, "tanh"), norm, dropout, layers.Dense(n_outputs, "linear")]
        )

    model = LearnedScaleRegressor(**QUICK, scale_regularizer=None, network=network)
    return model.fit(X, y).predict(X)


def predict_by_path() -> np.ndarray:
    """Fit a stack of networks, and choose."""
    return LearnedScaleClassifier(**PATH).fit(X, y > 1).predict_proba(X)


def predict_by_options_of_keras() -> np.ndarray:
    """Fit by an optimizer and a constraint of Keras, and in chunks."""
    model = LearnedScaleTransformer(**QUICK, scale_regularizer="l1", optimizer="sgd")
    return np.asarray(model.partial_fit(X, y).partial_fit(X, y).transform(X))


ALL = [predict_by_own_layers, predict_by_path, predict_by_options_of_keras]


def predictions() -> list[list]:
    """Return what all of them predict, as lists that JSON keeps to the last digit."""
    return [predict().tolist() for predict in ALL]
