"""Displays say what they need where they are given something else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skscale import (
    LearnedScaleRegressor,
    LearnedScaleTransformer,
    PathDisplay,
    ScaleDisplay,
    TrainingCurveDisplay,
)

X = np.arange(12.0).reshape(6, 2)
DISPLAYS = [ScaleDisplay, PathDisplay, TrainingCurveDisplay]


@pytest.mark.parametrize("display", DISPLAYS)
def test_unfitted_estimator_says_so(display):
    with pytest.raises(NotFittedError, match="LearnedScaleRegressor instance is not fitted yet"):
        display.from_estimator(LearnedScaleRegressor())


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("estimator", [StandardScaler(), make_pipeline(StandardScaler())])
def test_other_estimator_is_refused_and_the_step_of_a_pipeline_asked_for(display, estimator):
    expected = f"{display.__name__} takes a fitted .*, got {type(estimator).__name__}.*pipeline.0."
    with pytest.raises(TypeError, match=expected):
        display.from_estimator(estimator.fit(X))


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_no_estimator_is_refused(display):
    with pytest.raises(TypeError, match="not an estimator instance"):
        display.from_estimator("model")


def test_estimator_without_a_path_is_told_how_to_get_one(single):
    expected = "LearnedScaleRegressor has no path_. Fit it with y and scale_regularizer='auto'; .*"
    with pytest.raises(ValueError, match=expected + "None now"):
        PathDisplay.from_estimator(single)


def test_transformer_without_targets_has_a_scale_but_no_training():
    scaler = LearnedScaleTransformer().fit(X)
    assert len(ScaleDisplay.from_estimator(scaler).ax_.patches) == 2
    with pytest.raises(ValueError, match=r"no path_\. Fit it with y"):
        PathDisplay.from_estimator(scaler)
    with pytest.raises(ValueError, match="was fitted without y, which trains no network"):
        TrainingCurveDisplay.from_estimator(scaler)


def test_missing_matplotlib_is_an_error_that_says_what_to_install(run_python):
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None\n"
        "from skscale import ScaleDisplay\n"
        "try: ScaleDisplay([1.0]).plot()\n"
        "except ImportError as error: print(error)"
    )
    assert run_python(code).strip() == (
        "ScaleDisplay draws with matplotlib, which is not installed. Run: "
        "pip install 'skscale[plot]'"
    )
