"""Seconds of a fit, beside scikit-learn's MLP and Keras' own `Model.fit` on the same work.

One network on diabetes (442 rows, 10 features): widths 32-32, relu, Adam, batches of 32, 100
epochs. All in this process, taking turns; medians, and ratios run by run. A first, cold fit of
LearnedScaleRegressor is reported apart, and so is its default fit of 35 networks.

Run it with ``python examples/benchmarks/fit_speed.py``; it takes some two minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleRegressor

EPOCHS, BATCH_SIZE, WIDTHS = 100, 32, (32, 32)


def learned_scale(X: np.ndarray, y: np.ndarray) -> None:
    LearnedScaleRegressor(
        scale_regularizer=None,
        hidden_layer_sizes=WIDTHS,
        activation="relu",
        optimizer="adam",
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        dtype="float32",
        random_state=0,
    ).fit(X, y)


def scikit_learn(X: np.ndarray, y: np.ndarray) -> None:
    with warnings.catch_warnings():
        # All epochs are wanted, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPRegressor(
            hidden_layer_sizes=WIDTHS,
            activation="relu",
            batch_size=BATCH_SIZE,
            max_iter=EPOCHS,
            n_iter_no_change=EPOCHS,
            tol=0.0,
            random_state=0,
        ).fit(X, y)


def keras_fit(X: np.ndarray, y: np.ndarray) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((X.shape[1],))]
        + [keras.layers.Dense(width, "relu") for width in WIDTHS]
        + [keras.layers.Dense(1)]
    )
    model.compile("adam", "mean_squared_error")
    model.fit(X, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "scikit-learn MLPRegressor": scikit_learn,
    "Keras Model.fit": keras_fit,
}


def seconds(fit: Callable[[np.ndarray, np.ndarray], object], X: np.ndarray, y: np.ndarray) -> float:
    start = time.perf_counter()
    fit(X, y)
    return time.perf_counter() - start


def default_fit(X: np.ndarray, y: np.ndarray) -> None:
    LearnedScaleRegressor(random_state=0).fit(X, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each, taking turns")
    n_runs = parser.parse_args().runs
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()

    cold = seconds(learned_scale, X, y)
    own, peers = [], {name: [] for name in PEERS}
    for _ in range(n_runs):
        own.append(seconds(learned_scale, X, y))
        for name, fit in PEERS.items():
            peers[name].append(seconds(fit, X, y))
    print("| one network, 1400 steps | seconds (median) | over LearnedScaleRegressor, warm |")
    print("|---|---|---|")
    print(f"| LearnedScaleRegressor, warm | {np.median(own):.3f} | 1 |")
    print(f"| LearnedScaleRegressor, cold | {cold:.3f} | |")
    for name, times in peers.items():
        ratio = np.median(np.divide(times, own))
        print(f"| {name} | {np.median(times):.3f} | {ratio:.1f} |")

    default_cold = seconds(default_fit, X, y)
    default_warm = [seconds(default_fit, X, y) for _ in range(n_runs)]
    print("\n| default fit, 35 networks | seconds |")
    print("|---|---|")
    print(f"| cold | {default_cold:.2f} |")
    print(f"| warm (median) | {np.median(default_warm):.2f} |")


if __name__ == "__main__":
    main()
