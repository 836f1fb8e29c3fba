"""The regressor takes raw units, trains the networks it should, and shows what it learned."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from fitted_networks import is_float32, network_outputs, network_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import MinMaxScaler

from skscale import LearnedScaleRegressor
from skscale._fitting.fit import fit
from skscale._fitting.training_set import TrainingSet
from skscale._parameters import LearnedScaleParameters
from skscale._target.target import Target

X_ALL, Y_ALL = load_diabetes(return_X_y=True, scaled=False)
X, y = X_ALL[:100], Y_ALL[:100]
NAMES = load_diabetes().feature_names

# A few steps on a path of two points: enough to tell whether every part does its work.
QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 4,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}


@pytest.fixture(scope="module")
def fitted():
    return LearnedScaleRegressor(**QUICK).fit(X, y)


@pytest.fixture(scope="module")
def single():
    return LearnedScaleRegressor(**SINGLE).fit(X, y)


def n_parameters(model):
    return sum(array.size for array in network_weights(model)[0])


# Fitted attributes


def test_attributes_have_the_documented_shapes(fitted):
    for name in ("scale_", "offset_", "feature_importances_"):
        assert getattr(fitted, name).shape == (10,), name
        assert getattr(fitted, name).dtype == np.float64, name
    assert (fitted.n_features_in_, fitted.n_outputs_, fitted.n_iter_) == (10, 1, 4)
    assert not hasattr(fitted, "feature_names_in_")


def test_data_frame_gives_feature_names():
    model = LearnedScaleRegressor(**SINGLE).fit(pd.DataFrame(X, columns=NAMES), y)
    assert_array_equal(model.feature_names_in_, NAMES)


def test_history_holds_the_loss_of_every_epoch(fitted, single):
    for model in (fitted, single):
        assert list(model.history_) == ["loss"]
        assert len(model.history_["loss"]) == model.n_iter_ == 4
        assert all(isinstance(loss, float) for loss in model.history_["loss"])
        assert model.history_["loss"][-1] < model.history_["loss"][0]


def test_path_holds_every_point_and_the_choice(fitted):
    path = fitted.path_
    assert_array_equal(path["strength"], [0.03, 1.0])
    assert_array_equal(path["weight_decay"], [0.3, 1.0])
    assert path["mean_loss"].shape == path["std_loss"].shape == (2,)
    assert path["best_index"] == np.argmin(path["mean_loss"])
    assert_array_equal(path["epochs"], [1, 2, 4])
    assert path["losses"][path["best_index"], -1] == path["mean_loss"].min()


def test_scale_and_offset_are_normalization_and_scaling_layer_composed(single):
    s, t = network_weights(single)[0][:2]
    expected = (X - X.mean(axis=0)) / X.std(axis=0) * s + t
    # The factors of a few steps from one are positive; float64 rounding of values of some 100.
    assert (s > 0).all()
    assert_allclose(X * single.scale_ + single.offset_, expected, atol=1e-12)


def test_scale_is_averaged_over_the_networks(fitted):
    factors = np.array([weights[0] for weights in network_weights(fitted)])
    assert len(factors) == 2
    assert_allclose(fitted.scale_, np.abs(factors).mean(axis=0) / X.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("normalization", ["standard", "minmax"])
def test_member_scales_are_the_factors_in_units_of_standard_scaler(normalization):
    model = LearnedScaleRegressor(**QUICK, normalization=normalization).fit(X, y)
    factors = np.abs([weights[0] for weights in network_weights(model)])
    sizes = X.std(axis=0) / np.ptp(X, axis=0) if normalization == "minmax" else 1.0
    assert_allclose(model.member_scales_, factors * sizes, rtol=1e-12)
    assert_allclose(model.relative_scale_, model.scale_ * X.std(axis=0), rtol=1e-12)


def test_constant_feature_counts_as_with_standard_scaler():
    model = LearnedScaleRegressor(**QUICK, normalization="minmax").fit(X * (np.arange(10) > 0), y)
    assert model.relative_scale_[0] == 1.0
    assert_array_equal(model.member_scales_[:, 0], 1.0)
    assert_array_equal(model.path_["scale"][:, 0], 1.0)
    assert (model.relative_scale_[1:] < 1.0).all()


def test_path_has_the_factors_of_every_point():
    path = [(0.1, 1.0), (10.0, 1.0)]
    model = LearnedScaleRegressor(**{**QUICK, "epochs": 60, "regularization_path": path}).fit(X, y)
    assert model.path_["best_index"] == 0
    # The networks that learned the folds once more came after the choice.
    assert_array_equal(model.path_["scale"][0], model.member_scales_[:2].mean(axis=0))
    assert model.path_["scale"].shape == (2, 10)
    assert (model.path_["scale"][1] < model.path_["scale"][0]).all()


@pytest.mark.parametrize("normalization", ["standard", "minmax"])
def test_importances_are_the_mean_squared_gradients_by_standard_deviations(normalization):
    model = LearnedScaleRegressor(**SINGLE, normalization=normalization).fit(X, y)
    step = 1e-5
    squares = np.empty(10)
    for i, size in enumerate(X.std(axis=0)):
        shift = step * size * np.eye(10)[i]
        squares[i] = np.mean((model.predict(X + shift) - model.predict(X - shift)) ** 2)
    # Central differences are right to the square of the step and the rounding over the step.
    assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-6)


def test_importances_sum_to_one(fitted):
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert (fitted.feature_importances_ >= 0).all()


# The model


def test_prediction_is_the_mean_of_the_fold_networks(fitted):
    outputs = network_outputs(fitted, X)
    assert len(outputs) == 2
    assert not np.array_equal(outputs[0], outputs[1])
    # Population moments of y undo the default target normalization, to rounding.
    expected = np.mean(outputs, axis=0)[:, 0] * y.std() + y.mean()
    assert_allclose(fitted.predict(X), expected, rtol=1e-12)


def test_fold_network_is_trained_on_its_own_rows():
    folds = [(np.arange(60), np.arange(60, 100)), (np.arange(40, 100), np.arange(40))]
    target = (y - y.mean()) / y.std()
    changed = target.copy()
    changed[:40] += np.linspace(0.0, 0.1, 40)
    # With its own scale y of one fold would change the normalization of the other.
    settings = {**QUICK, "cv": folds, "target_normalization": None, "regularization_path": [0.1]}
    settings["epochs"] = 60
    before = network_weights(LearnedScaleRegressor(**settings).fit(X, target))
    after = network_weights(LearnedScaleRegressor(**settings).fit(X, changed))
    assert not np.array_equal(before[0][0], after[0][0])
    assert_array_equal(before[1][0], after[1][0])


@pytest.mark.parametrize(
    "regularizer",
    [None, "l1", {"class_name": "L2", "config": {"l2": 0.1}}, keras.regularizers.L1(1.0)],
    ids=["none", "name", "config", "instance"],
)
def test_fixed_regularizer_trains_one_network(regularizer):
    model = LearnedScaleRegressor(**{**QUICK, "scale_regularizer": regularizer}).fit(X, y)
    assert len(network_weights(model)) == 1
    assert not hasattr(model, "path_")
    assert model.predict(X).shape == (100,)


def test_fixed_regularizer_has_the_meaning_of_keras(single):
    settings = {**SINGLE, "epochs": 60}
    plain = LearnedScaleRegressor(**settings).fit(X, y)
    strong = LearnedScaleRegressor(**{**settings, "scale_regularizer": keras.regularizers.L1(1.0)})
    strong.fit(X, y)
    factors, free = network_weights(strong)[0][0], network_weights(plain)[0][0]
    assert np.abs(factors).sum() < 0.3 * np.abs(free).sum()
    # The penalty is a sum that is added to the loss: ten factors of one at the start.
    assert strong.history_["loss"][0] == pytest.approx(plain.history_["loss"][0] + 10, rel=1e-6)


def test_fixed_regularizer_forgets_the_path_of_an_earlier_fit(fitted):
    model = clone(fitted).fit(X, y)
    assert hasattr(model, "path_")
    assert not hasattr(model.set_params(scale_regularizer=None).fit(X, y), "path_")


@pytest.mark.parametrize(("center", "expected"), [(False, 340), (True, 350)])
def test_network_of_the_article_has_its_number_of_parameters(center, expected):
    model = LearnedScaleRegressor(
        normalization=None,
        target_normalization=None,
        scale_initializer="glorot_uniform",
        scale_regularizer=None,
        hidden_layer_sizes=(10, 10),
        activation="tanh",
        output_activation="tanh",
        center=center,
        epochs=1,
        random_state=0,
    )
    scaled = MinMaxScaler((-1, 1)).fit_transform(X)
    model.fit(scaled, scaled)
    assert n_parameters(model) == expected
    assert (np.abs(model.predict(scaled)) <= 1).all()


@pytest.mark.parametrize("sizes", [8, [8], np.array([8])])
def test_hidden_layer_sizes_are_a_number_or_a_sequence(sizes, single):
    model = LearnedScaleRegressor(**{**SINGLE, "hidden_layer_sizes": sizes}).fit(X, y)
    assert n_parameters(model) == 20 + 88 + 9
    assert_array_equal(model.predict(X), single.predict(X))


def test_no_hidden_layer_is_a_linear_model():
    model = LearnedScaleRegressor(**{**SINGLE, "hidden_layer_sizes": ()}).fit(X, y)
    assert n_parameters(model) == 10 + 10 + 11
    a, b = model.predict(X[:1]), model.predict(X[1:2])
    # An affine function of the midpoint, to float64 rounding.
    assert_allclose(model.predict((X[:1] + X[1:2]) / 2), (a + b) / 2, rtol=1e-12)


def test_several_outputs_are_each_in_their_own_units():
    Y = np.column_stack([y, 1e-6 * y + 5, -1e6 * y])
    model = LearnedScaleRegressor(**{**SINGLE, "epochs": 200}).fit(X, Y)
    assert model.n_outputs_ == 3
    assert model.predict(X).shape == (100, 3)
    # Each output fits the data about equally well, whatever its units.
    assert (r2_score(Y, model.predict(X), multioutput="raw_values") > 0.4).all()


def test_column_of_targets_gives_a_column(single):
    model = clone(single).fit(X, y[:, np.newaxis])
    assert_array_equal(model.predict(X), single.predict(X)[:, np.newaxis])


@pytest.mark.parametrize("normalization", [None, "minmax", MinMaxScaler((-1, 1))])
def test_target_normalization_is_undone_by_predict(normalization):
    settings = {**SINGLE, "epochs": 200, "target_normalization": normalization}
    target = (y - 100) / 50
    model = LearnedScaleRegressor(**settings).fit(X, target)
    # Without the way back the mean would be off by one standard deviation and more.
    assert r2_score(target, model.predict(X)) > 0.3


def test_float32_rows_give_float32_predictions(fitted):
    predicted = fitted.predict(X.astype(np.float32))
    assert predicted.dtype == np.float32
    assert fitted.predict(X).dtype == np.float64
    # float32 rounds inputs, weights and sums of some ten terms.
    assert_allclose(predicted, fitted.predict(X), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_decides_the_training_precision(dtype):
    model = LearnedScaleRegressor(**{**SINGLE, "dtype": dtype}).fit(X, y)
    assert is_float32(network_weights(model)[0]) == (dtype == "float32")


# Normalization


def test_normalization_instance_is_a_nested_estimator_that_fit_leaves_alone():
    scaler = MinMaxScaler()
    model = LearnedScaleRegressor(**SINGLE, normalization=scaler)
    assert model.get_params()["normalization__feature_range"] == (0, 1)
    model.set_params(normalization__feature_range=(-1, 1)).fit(X, y)
    assert model.normalization is scaler
    assert not hasattr(scaler, "scale_")
    expected = MinMaxScaler((-1, 1)).fit(X).scale_ * network_weights(model)[0][0]
    assert_allclose(model.scale_, expected, rtol=1e-12)


def test_grid_search_takes_names_instances_and_nested_parameters():
    grid = [
        {"normalization": ["standard", MinMaxScaler(), None]},
        {"normalization": [MinMaxScaler()], "normalization__feature_range": [(0, 1), (-1, 1)]},
        {"kernel_initializer": ["he_normal", keras.initializers.RandomNormal(0.0, 0.1)]},
        {"kernel_initializer": [keras.initializers.LecunUniform, {"class_name": "zeros"}]},
    ]
    search = GridSearchCV(LearnedScaleRegressor(**SINGLE), grid, cv=2, error_score="raise")
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    # Nine points, of which two are the same.
    assert len(set(np.round(scores, 12))) == len(scores) - 1 == 8


@pytest.mark.parametrize("container", [list, pd.Series, pl.Series, lambda y: y.astype(object)])
def test_targets_come_in_any_container(container, single):
    model = LearnedScaleRegressor(**SINGLE).fit(X, container(y))
    assert_array_equal(model.predict(X), single.predict(X))


# Weights, groups, folds


def test_weight_of_two_is_a_row_given_twice():
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), counts)
    half = np.arange(len(X)) < 50
    settings = {**QUICK, "epochs": 50}
    model = LearnedScaleRegressor(**{**settings, "cv": [(half, ~half), (~half, half)]})
    weighted = model.fit(X, y, sample_weight=counts).predict(X)
    splits = [(half[rows], ~half[rows]), (~half[rows], half[rows])]
    repeated = clone(model).set_params(cv=splits).fit(X[rows], y[rows]).predict(X)
    # scikit-learn's own tolerance for this check.
    assert_allclose(weighted, repeated, rtol=1e-7)


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_row_of_weight_zero_is_no_row(settings):
    weight = np.ones(len(X))
    weight[[0, 60]] = 0
    wild = np.where(weight[:, np.newaxis] == 0, 1e9, X)
    model = LearnedScaleRegressor(**settings).fit(wild, y, sample_weight=weight)
    without = LearnedScaleRegressor(**settings).fit(X[weight > 0], y[weight > 0])
    assert_array_equal(model.predict(X), without.predict(X))


def test_tiny_weights_are_weights():
    weight = np.where(np.arange(len(X)) < 50, 1.0, 1e-60)
    model = LearnedScaleRegressor(**{**SINGLE, "batch_size": 8, "dtype": "float32"})
    # Batches of nothing but tiny weights must not divide zero by zero.
    assert np.isfinite(model.fit(X, y, sample_weight=weight).predict(X)).all()


@pytest.mark.parametrize("unit", [2.0**43, 1e13, 1e-290])
def test_only_ratios_of_weights_matter(unit):
    X_far = X + np.array([0.0] * 9 + [1e4 * X[:, 9].std()])
    expected = LearnedScaleRegressor(**QUICK).fit(X_far, y, np.ones(len(X)))
    model = LearnedScaleRegressor(**QUICK).fit(X_far, y, np.full(len(X), unit))
    assert model.feature_importances_.min() > 0
    if unit == 2.0**43:
        np.testing.assert_array_equal(model.predict(X_far), expected.predict(X_far))
    # Other units round the relative weights, and 60 steps carry that on.
    np.testing.assert_allclose(model.predict(X_far), expected.predict(X_far), rtol=1e-6)


def test_weights_that_overflow_their_sum_are_refused():
    with pytest.raises(ValueError, match="adds up to more than float64 holds"):
        LearnedScaleRegressor(**QUICK).fit(X, y, np.full(len(X), 1e308))


def test_groups_stay_together_in_the_folds():
    groups = np.where(np.arange(len(X)) % 2 == 0, "a", "b")
    by_group = LearnedScaleRegressor(**QUICK).fit(X, y, groups=groups)
    a, b = np.flatnonzero(groups == "a"), np.flatnonzero(groups == "b")
    # With two groups there are two ways to number two folds, and a network for each number.
    expected = [
        LearnedScaleRegressor(**{**QUICK, "cv": splits}).fit(X, y).path_["mean_loss"]
        for splits in ([(a, b), (b, a)], [(b, a), (a, b)])
    ]
    assert any(np.array_equal(by_group.path_["mean_loss"], losses) for losses in expected)


# Early stopping


# So high a rate goes down and up again: the best epoch is neither the first nor the last.
EARLY = {
    **SINGLE,
    "early_stopping": True,
    "validation_fraction": 0.3,
    "n_iter_no_change": 7,
    "epochs": 300,
    "learning_rate": 0.3,
}


def test_early_stopping_restores_the_best_epoch():
    parameters, target = LearnedScaleParameters(**EARLY), (y - y.mean()) / y.std()
    values = Target(target[:, np.newaxis])
    random = np.random.RandomState(0)
    fitted = fit(parameters, TrainingSet(X, values, np.ones(100), random), random=random)
    losses = fitted.history["val_loss"]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1
    assert len(losses) - 1 - best == 7
    learned, held_out = fitted.folds[0]
    assert (len(learned), len(held_out)) == (70, 30)
    predicted = fitted.ensemble.mean_output(X[held_out])[:, 0]
    # Inputs are rounded to float32 for training and not for prediction.
    assert np.mean((predicted - target[held_out]) ** 2) == pytest.approx(losses[best], rel=1e-5)


def test_early_stopping_is_shown_in_the_history():
    model = LearnedScaleRegressor(**EARLY).fit(X, y)
    assert list(model.history_) == ["loss", "val_loss"]
    assert len(model.history_["loss"]) == len(model.history_["val_loss"]) == model.n_iter_ < 300


# Progress


def test_default_is_silent(capfd):
    LearnedScaleRegressor(**QUICK).fit(X, y)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_verbose_shows_progress_and_loss(capsys, settings):
    model = LearnedScaleRegressor(**settings, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    last = [line for line in lines if "chosen" not in line][-1]
    assert last.startswith("[LearnedScaleRegressor] 100 %")
    assert "epoch 4/4, loss " in last
    if settings is SINGLE:
        assert last == lines[-1]
        shown = float(last.rpartition(" ")[2])
        # Four digits are shown.
        assert shown == pytest.approx(model.history_["loss"][-1], rel=1e-3)


# What it is good for


def test_null_point_wins_without_signal():
    random = np.random.default_rng(0)
    noise, target = random.normal(size=(100, 10)), random.normal(size=100)
    settings = {**QUICK, "epochs": 300, "regularization_path": [(0.0, 0.0), (10.0, 1.0)]}
    model = LearnedScaleRegressor(**settings).fit(noise, target)
    assert model.path_["best_index"] == 1
    assert_allclose(model.predict(random.normal(size=(50, 10))), target.mean(), atol=0.1)
    assert_array_equal(model.feature_importances_, np.full(10, 0.1))
    assert_array_equal(model.scale_, np.zeros(10))


@pytest.mark.slow
def test_default_is_good_on_diabetes():
    train, test = np.arange(0, 442, 2), np.arange(1, 442, 2)
    model = LearnedScaleRegressor(random_state=0).fit(X_ALL[train], Y_ALL[train])
    # On this split RidgeCV scores .42 and StandardScaler with MLPRegressor .31.
    assert model.score(X_ALL[test], Y_ALL[test]) > 0.38


# Not fitted


def test_unfitted_estimator_says_so():
    with pytest.raises(NotFittedError, match="LearnedScaleRegressor instance is not fitted yet"):
        LearnedScaleRegressor().predict(X)


def test_estimator_whose_first_fit_failed_is_not_fitted():
    model = LearnedScaleRegressor(activation="rleu")
    with pytest.raises(ValueError, match="rleu"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
