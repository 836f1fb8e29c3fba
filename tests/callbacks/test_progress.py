"""verbose=1 ends at 100 % and says what was chosen."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fitted_networks import network_weights
from sklearn.exceptions import ConvergenceWarning

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

ALL = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]
X = np.random.default_rng(0).normal(size=(60, 3))
SIGNAL = X @ [1.0, 2.0, 3.0]
QUICK = {"hidden_layer_sizes": (8,), "random_state": 0, "verbose": 1}


def target_of(cls):
    return SIGNAL > 0.5 if cls is LearnedScaleClassifier else SIGNAL


@pytest.mark.parametrize("cls", ALL)
def test_a_fit_that_chooses_ends_at_all_of_it_and_its_choice(capsys, cls):
    path = [(0.0, 0.0), (0.03, 0.3), (0.125, 1.0)]
    model = cls(**QUICK, epochs=100, cv=2, regularization_path=path).fit(X, target_of(cls))
    *_, last, choice = capsys.readouterr().out.splitlines()
    assert last.startswith(f"[{cls.__name__}] 100 %")
    best = model.path_["best_index"]
    shown = re.fullmatch(
        rf"\[{cls.__name__}\] chosen: strength (.*), held-out loss (.*), (\d+) networks", choice
    )
    # Three digits are shown.
    assert float(shown[1]) == pytest.approx(model.path_["strength"][best], rel=5e-3)
    assert float(shown[2]) == pytest.approx(model.path_["mean_loss"][best], rel=5e-3)
    assert int(shown[3]) == len(network_weights(model)) == 2


@pytest.mark.parametrize("cls", ALL)
def test_where_no_point_is_better_the_mean_is_said_to_be_chosen(capsys, cls):
    path = [(0.0, 0.0), (0.0, 0.1)]
    model = cls(**QUICK, epochs=10, optimizer="sgd", learning_rate=3, regularization_path=path)
    with pytest.warns(ConvergenceWarning, match="the model predicts the mean"):
        model.fit(X, target_of(cls))
    loss = f"{model.path_['null_loss']:.3g}"
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"[{cls.__name__}] chosen: no strength is better than the mean (held-out loss {loss}): "
        "the model predicts the mean"
    )


def test_what_chooses_nothing_says_nothing_of_a_choice(capsys):
    single = LearnedScaleRegressor(**QUICK, epochs=2, scale_regularizer=None)
    single.fit(X, SIGNAL)
    going_on = LearnedScaleRegressor(**QUICK, epochs=2, cv=2, warm_start=True).fit(X, SIGNAL)
    assert capsys.readouterr().out.count("chosen") == 1
    going_on.fit(X, SIGNAL)
    assert "chosen" not in capsys.readouterr().out
