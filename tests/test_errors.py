"""Warnings point at the line of the user's program that they are about."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleRegressor
from skscale._errors import warn

X = np.random.default_rng(0).normal(size=(12, 2))
y = X[:, 0]
# The targets lie outside of what the network can give, which is known before it is trained.
OPTIONS = {
    "hidden_layer_sizes": (2,),
    "scale_regularizer": None,
    "epochs": 1,
    "output_activation": "sigmoid",
    "random_state": 0,
}


def lines_of_warnings(function):
    """File and line of each warning, counted from the first line of the function."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    first = inspect.getsourcelines(function)[1]
    return [(warning.filename, warning.lineno - first) for warning in caught]


def test_a_warning_of_fit_points_at_the_call():
    def fit():
        model = LearnedScaleRegressor(**OPTIONS)
        model.fit(X, y)

    assert lines_of_warnings(fit) == [(__file__, 2)]


def test_a_warning_of_fit_in_a_pipeline_points_at_the_call_of_the_pipeline():
    def fit():
        model = make_pipeline(StandardScaler(), LearnedScaleRegressor(**OPTIONS))
        model.fit(X, y)

    assert lines_of_warnings(fit) == [(__file__, 2)]


def test_a_warning_of_fit_in_a_cross_validation_points_at_its_call():
    def validate():
        model = LearnedScaleRegressor(**OPTIONS)
        cross_val_score(model, X, y, cv=2)

    assert lines_of_warnings(validate) == [(__file__, 2)] * 2


def test_a_warning_of_to_keras_points_at_the_call():
    with pytest.warns(UserWarning, match="network cannot reach"):
        model = LearnedScaleRegressor(**OPTIONS).fit(X + 1e6, y)

    def export():
        return model.to_keras()

    assert lines_of_warnings(export) == [(__file__, 1)]


def test_a_warning_has_the_class_that_was_asked_for():
    with pytest.warns(ConvergenceWarning, match="^diverged$"):
        warn("diverged", ConvergenceWarning)


def test_a_warning_without_a_line_of_the_user_is_still_seen(run_python):
    code = (
        "import warnings, skscale._errors as e\n"
        "__name__ = 'skscale'\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    e.warn('seen')\n"
        "print(caught[0].message)"
    )
    assert run_python(code).strip() == "seen"
