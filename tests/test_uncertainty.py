"""What the networks of the folds know of their errors: spread, and rows that they have not seen."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from fitted_networks import network_outputs, temperature
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleClassifier, LearnedScaleRegressor

FIRST, SECOND = np.arange(20), np.arange(20, 40)
# A table of one batch, so that the tests share compiled programs.
QUICK = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "batch_size": 64,
    "dtype": "float32",
    "learning_rate": 0.1,
    "regularization_path": [(0.0, 0.0), (0.03, 0.3)],
    "cv": [(FIRST, SECOND), (SECOND, FIRST)],
    "epochs": 5,
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3))
y = 50 + 20 * X[:, 0] + 10 * X[:, 1] + _random.normal(size=40)
LABELS = np.where(y > 50, "high", "low")
# The units of y, which the networks know only by these numbers.
CENTER, SIZE = y.mean(), y.std()


@pytest.fixture(scope="module")
def model():
    return LearnedScaleRegressor(**QUICK).fit(X, y)


def member_predictions(model):
    """Predictions of each network: two folds, and two more of them."""
    return CENTER + SIZE * np.array(network_outputs(model, X))[:, :, 0]


# Spread


def test_std_is_the_spread_of_the_networks_in_the_units_of_y(model):
    mean, std = model.predict(X, return_std=True)
    assert_array_equal(mean, model.predict(X))
    # Float64 sums in another order.
    assert_allclose(std, member_predictions(model).std(axis=0), rtol=1e-9)
    assert std.shape == mean.shape


def test_total_adds_the_held_out_error(model):
    _, spread = model.predict(X, return_std=True)
    mean, total = model.predict(X, return_std="total")
    assert_array_equal(mean, model.predict(X))
    assert_allclose(total**2, spread**2 + model.held_out_rmse_**2, rtol=1e-12)


def test_a_change_of_units_changes_the_units_of_std(model):
    other = LearnedScaleRegressor(**QUICK).fit(X, 1e6 * y)
    for return_std in (True, "total"):
        # The normalized targets may differ by a rounding of float32.
        expected = 1e6 * model.predict(X, return_std=return_std)[1]
        assert_allclose(other.predict(X, return_std=return_std)[1], expected, rtol=1e-3)


def test_std_is_float32_for_float32_features(model):
    for return_std in (True, "total"):
        mean, std = model.predict(X.astype(np.float32), return_std=return_std)
        assert mean.dtype == std.dtype == np.float32
        assert_allclose(std, model.predict(X, return_std=return_std)[1], rtol=1e-3)


def test_std_of_several_targets_has_their_columns():
    both = np.column_stack([y, 1000 * X[:, 2]])
    model = LearnedScaleRegressor(**QUICK).fit(X, both)
    mean, std = model.predict(X, return_std="total")
    assert mean.shape == std.shape == model.held_out_prediction_.shape == (40, 2)
    errors = model.held_out_prediction_ - both
    assert_allclose(model.held_out_rmse_, np.sqrt(np.mean(errors**2, axis=0)), rtol=1e-6)


def test_std_passes_a_pipeline(model):
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), model)
    pipeline[0].fit(X)
    _, std = pipeline.predict(X, return_std=True)
    assert_array_equal(std, model.predict(X, return_std=True)[1])


def test_a_single_network_has_no_spread():
    single = LearnedScaleRegressor(**SINGLE).fit(X, y)
    for return_std in (True, "total"):
        with pytest.raises(ValueError, match=r"this model has one\. Fit it with scale_regularizer"):
            single.predict(X, return_std=return_std)
    assert not hasattr(single, "held_out_prediction_")
    assert not hasattr(single, "held_out_rmse_")


@pytest.mark.parametrize("return_std", ["all", None, 2])
def test_other_values_are_refused(model, return_std):
    with pytest.raises(ValueError, match=r"is unknown\. Allowed are: False, True, 'total'"):
        model.predict(X, return_std=return_std)


# Held out


def test_each_row_is_predicted_by_the_networks_that_have_not_seen_it(model):
    members = member_predictions(model)
    expected = np.r_[members[1::2, FIRST].mean(axis=0), members[::2, SECOND].mean(axis=0)]
    assert_allclose(model.held_out_prediction_, expected, rtol=1e-9)
    rmse = np.sqrt(np.mean((expected - y) ** 2))
    # Targets are normalized anew here.
    assert model.held_out_rmse_ == pytest.approx(rmse, rel=1e-9)
    assert isinstance(model.held_out_rmse_, float)


def test_rows_that_were_never_held_out_are_nan_and_others_averaged():
    weights = np.linspace(0.5, 1.5, 40)
    splits = [(FIRST, SECOND), (FIRST, np.r_[SECOND[:5], SECOND[:5]])]
    model = LearnedScaleRegressor(**{**QUICK, "cv": splits}).fit(X, y, sample_weight=weights)
    assert np.isnan(model.held_out_prediction_[FIRST]).all()
    expected = model._target_map.inverse(
        np.array(network_outputs(model, X))[:, SECOND[:5]].mean(axis=0)
    )
    assert_allclose(model.held_out_prediction_[SECOND[:5]], expected[:, 0], rtol=1e-9)
    squares = (model.held_out_prediction_ - y)[SECOND] ** 2
    rmse = np.sqrt(np.average(squares, weights=weights[SECOND]))
    assert model.held_out_rmse_ == pytest.approx(rmse, rel=1e-9)


def test_probabilities_of_a_classifier_are_at_its_temperature():
    model = LearnedScaleClassifier(**QUICK).fit(X, LABELS)
    p = expit(np.array(network_outputs(model, X))[:, :, 0] / temperature(model))
    expected = np.r_[p[1::2, FIRST].mean(axis=0), p[::2, SECOND].mean(axis=0)]
    assert model.classes_.tolist() == ["high", "low"]
    assert_allclose(model.held_out_prediction_, np.column_stack([1 - expected, expected]), 1e-9)


def test_where_the_mean_is_the_model_it_is_that_of_the_other_rows():
    noise = np.random.default_rng(1).normal(size=40)
    model = LearnedScaleRegressor(**QUICK).fit(X, noise)
    assert model.path_["null_loss"] < model.path_["mean_loss"].min()
    assert_allclose(model.held_out_prediction_[FIRST], noise[SECOND].mean(), rtol=1e-9)
    assert_allclose(model.held_out_prediction_[SECOND], noise[FIRST].mean(), rtol=1e-9)


@pytest.mark.parametrize("cls", [LearnedScaleRegressor, LearnedScaleClassifier])
def test_rows_that_the_user_holds_out_leave_none_of_the_others(cls):
    target = y if cls is LearnedScaleRegressor else LABELS
    held_out = {"X_val": X[SECOND], "y_val": target[SECOND]}
    model = cls(**QUICK).fit(X[FIRST], target[FIRST], **held_out)
    assert not hasattr(model, "held_out_prediction_")
    if cls is LearnedScaleRegressor:
        rmse = np.sqrt(np.mean((model.predict(X[SECOND]) - y[SECOND]) ** 2))
        assert model.held_out_rmse_ == pytest.approx(rmse, rel=1e-9)
        with pytest.raises(ValueError, match="folds instead of X_val"):
            model.predict(X, return_std="total")
        # Tables of several batches are learned twice, so that there is something to disagree.
        model.set_params(batch_size=16).fit(X[FIRST], target[FIRST], **held_out)
        model.predict(X, return_std="total")


def test_a_column_of_targets_is_predicted_as_one(model):
    column = LearnedScaleRegressor(**QUICK).fit(X, y[:, np.newaxis])
    assert_array_equal(column.held_out_prediction_[:, 0], model.held_out_prediction_)


# Other fits


def test_a_warm_start_shows_the_networks_of_the_last_fit():
    model = LearnedScaleRegressor(**QUICK, warm_start=True).fit(X, y)
    first = model.held_out_prediction_
    model.fit(X, y)
    members = member_predictions(model)
    expected = np.r_[members[1::2, FIRST].mean(axis=0), members[::2, SECOND].mean(axis=0)]
    assert_allclose(model.held_out_prediction_, expected, rtol=1e-9)
    assert not np.allclose(first, expected)


def test_networks_that_go_on_with_all_rows_have_seen_them():
    model = LearnedScaleRegressor(**QUICK).fit(X, y).partial_fit(X, y)
    assert not hasattr(model, "held_out_prediction_")
    model.predict(X, return_std=True)
    with pytest.raises(ValueError, match=r"they went on by partial_fit\. Use fit, or return_std"):
        model.predict(X, return_std="total")


def test_a_pickle_has_them_and_does_without():
    model = LearnedScaleRegressor(**QUICK).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.held_out_prediction_, model.held_out_prediction_)
    del loaded.held_out_prediction_
    loaded = pickle.loads(pickle.dumps(loaded))
    for a, b in zip(loaded.predict(X, "total"), model.predict(X, "total"), strict=True):
        assert_array_equal(a, b)


def test_held_out_predictions_are_worth_more_than_those_of_rows_seen(model):
    # What a conformal interval rests on: they err as predictions for new rows do.
    new = np.random.default_rng(2).normal(size=(400, 3))
    truth = 50 + 20 * new[:, 0] + 10 * new[:, 1] + np.random.default_rng(3).normal(size=400)
    rmse_of_new = np.sqrt(np.mean((model.predict(new) - truth) ** 2))
    # Of 40 rows, and networks of half of them.
    assert 0.5 < model.held_out_rmse_ / rmse_of_new < 2
