"""Small fitted estimators, and no figure that outlives a test."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from sklearn.datasets import load_diabetes

from skscale import LearnedScaleRegressor

FRAME, TARGET = (part[:100] for part in load_diabetes(as_frame=True, return_X_y=True, scaled=False))
QUICK = {"hidden_layer_sizes": (8,), "epochs": 20, "random_state": 0}
# Two points stop after four epochs, one after twelve.
PATH = {"cv": 2, "regularization_path": [0.0, 0.1, 1.0, 10.0]}


@pytest.fixture(scope="package")
def with_path():
    """Return a regressor of named features, chosen from a path of four points."""
    return LearnedScaleRegressor(**QUICK, **PATH).fit(FRAME, TARGET)


@pytest.fixture(scope="package")
def single():
    """Return a regressor of a single network and an array without names."""
    options = {"scale_regularizer": None, "early_stopping": True}
    return LearnedScaleRegressor(**QUICK, **options).fit(FRAME.to_numpy(), TARGET)


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")
