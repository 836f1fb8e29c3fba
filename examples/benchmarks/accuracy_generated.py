"""The generated tables of the accuracy benchmark, and two that are too special to count as real.

The ten columns of scikit-learn's `make_friedman1` are five of information and five of noise; the
noise columns in the names come on top, as in `scores.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import scores
from accuracy_frames import Data
from sklearn.datasets import (
    load_linnerud,
    make_classification,
    make_friedman1,
    make_friedman2,
    make_friedman3,
    make_hastie_10_2,
    make_regression,
    make_sparse_uncorrelated,
)


def with_noise(X: np.ndarray, n_noise: int) -> np.ndarray:
    """Append columns of normal noise."""
    return np.hstack([X, np.random.default_rng(0).normal(size=(len(X), n_noise))])


def friedman_1(n_noise: int) -> Data:
    """Return a sine of a product, a square and two lines, and columns of noise."""
    X, y = make_friedman1(500, 10, noise=1.0, random_state=0)
    return Data(with_noise(X, n_noise), y)


def friedman_2() -> Data:
    """Return four columns in units of 1 to 1000; a ninth of the variance is noise."""
    return Data(*make_friedman2(500, noise=125.0, random_state=0))


def friedman_3() -> Data:
    """Return the same columns and five of noise; an arctangent, and a tenth of noise."""
    X, y = make_friedman3(500, noise=0.1, random_state=0)
    return Data(with_noise(X, 5), y)


def linear() -> Data:
    """Return a linear function of 8 of 50 columns, with little noise."""
    return Data(*make_regression(500, n_features=50, n_informative=8, noise=20.0, random_state=0))


def ignition_by_trajectory() -> Data:
    """Return the heat release along simulated ignitions of hydrogen, as in `scores.py`."""
    return Data(*scores.ignition_by_trajectory())


def no_signal() -> Data:
    """Return a target that no column knows anything of."""
    rng = np.random.default_rng(0)
    return Data(rng.normal(size=(500, 20)), rng.normal(size=500))


def linnerud() -> Data:
    """Return the weights of twenty men, from three exercises; too few rows to count as real."""
    X, y = load_linnerud(return_X_y=True)
    return Data(X, y[:, 0])


def sines_and_steps() -> Data:
    """Return 20,000 rows of 20 columns, of which six count; no model can beat an R2 of 0.972."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 20))
    signal = np.sin(2 * X[:, 0]) * X[:, 1] + np.abs(X[:, 2]) + np.sign(X[:, 3]) + X[:, 4] ** 2
    noise = signal.std() * np.sqrt(1 / 0.972 - 1)
    return Data(X, signal + noise * rng.normal(size=len(X)))


def noise_classes(n_noise: int) -> Data:
    """Return two classes, six informative columns and noise, in units over twelve decades."""
    X, y = make_classification(
        500, n_features=6 + n_noise, n_informative=6, n_redundant=0, random_state=0
    )
    units = 10.0 ** np.random.default_rng(0).permutation(np.linspace(-6, 6, X.shape[1]))
    return Data(X * units, y)


def ten_equal_features() -> Data:
    """Return whether the squares of ten normal columns add up to more than their median."""
    X, y = make_hastie_10_2(2000, random_state=0)
    return Data(X, (y > 0).astype(int))


REGRESSION: dict[str, Callable[[], Data]] = {
    **{f"Friedman-1 + {k} noise columns": partial(friedman_1, k) for k in (0, 5, 20, 45)},
    "Friedman-2": friedman_2,
    "Friedman-3 + 5 noise columns": friedman_3,
    "sparse uncorrelated": lambda: Data(*make_sparse_uncorrelated(240, random_state=0)),
    "linear": linear,
    "hydrogen ignition, by trajectory": ignition_by_trajectory,
    "no signal": no_signal,
    "Linnerud, 20 rows": linnerud,
    "Friedman-1, 20,000 rows": lambda: Data(*make_friedman1(20_000, 20, noise=1.0, random_state=0)),
    "sines and steps": sines_and_steps,
}

CLASSIFICATION: dict[str, Callable[[], Data]] = {
    **{f"noise classes + {k} noise columns": partial(noise_classes, k) for k in (0, 14, 44)},
    "ten equal features": ten_equal_features,
}
