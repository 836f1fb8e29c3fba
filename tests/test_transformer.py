"""The transformer weights standardized features by what its network responds to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fitted_networks import keras_network, network_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skscale import LearnedScaleTransformer
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap
from skscale._training.path_points import REGULARIZATION_PATH

X_ALL, Y_ALL = load_diabetes(return_X_y=True, scaled=False)
X, y = X_ALL[:100], Y_ALL[:100]
NAMES = load_diabetes().feature_names
WINE, CULTIVAR = (array[::2] for array in load_wine(return_X_y=True))

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}


def standardize(rows):
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


@pytest.fixture(scope="module")
def fitted():
    return LearnedScaleTransformer(**QUICK).fit(X, y)


@pytest.fixture(scope="module")
def gain():
    return LearnedScaleTransformer(**QUICK, readout="gain").fit(X, y)


# The formula


@pytest.mark.parametrize("power", [0.25, 0.5, 1])
def test_transform_is_a_power_of_the_importance_times_the_standardized_feature(power):
    model = LearnedScaleTransformer(**SINGLE, power=power).fit(X, y)
    factors = model.feature_importances_ ** (power / 2)
    # No factor of these data is as small as the floor.
    assert factors.min() > 1e-3 * factors.max()
    expected = standardize(X) * factors / np.sqrt(np.mean(factors**2))
    assert_allclose(model.transform(X), expected, rtol=1e-10, atol=1e-13)
    assert model.power_ == power


def test_total_variance_is_that_of_standardized_features(fitted):
    model = clone(fitted).set_params(power=1.0).fit(X, y)
    assert model.transform(X).var(axis=0).mean() == pytest.approx(1.0, rel=1e-12)


def test_factor_is_at_least_a_thousandth_of_the_largest():
    model = LearnedScaleTransformer(**SINGLE, power=6.0).fit(X, y)
    factors = model.transform(X).std(axis=0)
    raw = model.feature_importances_**3
    assert raw.min() < 1e-3 * raw.max()
    # The floor is put on before the factors are rescaled, which keeps their ratios.
    assert factors.min() / factors.max() == pytest.approx(1e-3, rel=1e-10)


def test_power_zero_is_standard_scaler():
    model = LearnedScaleTransformer(**SINGLE, power=0).fit(X, y)
    # The statistics are the same sums in another order.
    assert_allclose(model.transform(X), StandardScaler().fit_transform(X), rtol=1e-11, atol=1e-12)
    assert model.power_ == 0


def test_scale_and_offset_are_the_transform_expanded(fitted):
    assert_allclose(X * fitted.scale_ + fitted.offset_, fitted.transform(X), atol=1e-12)


@pytest.mark.parametrize("readout", ["sensitivity", "gain"])
def test_relative_scale_is_in_units_of_standard_scaler(readout):
    model = LearnedScaleTransformer(**QUICK, readout=readout, power=1.0).fit(X, y)
    assert_allclose(model.relative_scale_, model.scale_ * X.std(axis=0), rtol=1e-12)
    assert model.member_scales_.shape == (2, 10)
    if readout == "sensitivity":
        # Each network would leave the total variance as it is.
        assert_allclose((model.member_scales_**2).mean(axis=1), 1.0, rtol=1e-12)
    else:
        assert_allclose(model.member_scales_.mean(axis=0), model.relative_scale_, rtol=1e-12)


def test_without_targets_the_scale_is_that_of_standard_scaler():
    model = LearnedScaleTransformer().fit(X)
    assert_array_equal(model.relative_scale_, np.ones(10))
    assert model.member_scales_.shape == (0, 10)


def test_network_that_responds_to_nothing_has_no_scale():
    settings = {**QUICK, "epochs": 300, "regularization_path": [(10.0, 1.0)]}
    model = LearnedScaleTransformer(**settings).fit(X, np.random.default_rng(0).normal(size=len(X)))
    assert_array_equal(model.relative_scale_, np.ones(10))
    assert model.member_scales_.shape == (0, 10)


def test_auto_power_is_a_half_without_folds():
    assert LearnedScaleTransformer(**SINGLE).fit(X, y).power_ == 0.5


def test_auto_power_is_one_of_three_with_folds(fitted):
    assert fitted.power_ in (0.0, 0.5, 1.0)


def test_importances_sum_to_one_and_attributes_are_there(fitted):
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert (fitted.n_iter_, fitted.n_outputs_, fitted.target_type_) == (30, 1, "continuous")
    assert len(fitted.history_["loss"]) == 30
    assert_array_equal(fitted.path_["strength"], [0.03, 1.0])


# Readout


def test_gain_is_the_scaling_layer_itself(gain):
    members = network_weights(gain)
    s = np.mean([np.abs(weights[0]) for weights in members], axis=0)
    # A factor of zero has no sign that its offset could go with.
    signs = [np.where(weights[0] < 0, -1, 1) for weights in members]
    t = np.mean([sign * weights[1] for sign, weights in zip(signs, members, strict=True)], axis=0)
    assert_allclose(gain.transform(X), standardize(X) * s + t, rtol=1e-10, atol=1e-12)


def test_gain_composes_the_normalization_that_was_asked_for():
    settings = {**SINGLE, "normalization": MinMaxScaler((-1, 1)), "readout": "gain"}
    model = LearnedScaleTransformer(**settings).fit(X, y)
    s, t = network_weights(model)[0][:2]
    expected = np.abs(s) * MinMaxScaler((-1, 1)).fit_transform(X) + np.sign(s) * t
    assert_allclose(model.transform(X), expected, rtol=1e-10, atol=1e-12)


def test_mirrored_network_reads_out_as_the_same():
    s, t = np.array([2.0, -0.5, 0.0]), np.array([0.25, 1.0, 3.0])
    normalization = AffineMap([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], np.zeros(3))
    spec = DenseSpec(3, 1, hidden_layer_sizes=())
    rest = [np.ones((3, 1)), np.zeros(1)]
    members = [[s, t, *rest], [-s, -t, *rest]]
    rows = np.random.default_rng(0).normal(size=(5, 3))
    expected = normalization.apply(rows) * np.abs(s) + np.where(s < 0, -t, t) * np.array([1, 1, 0])
    both = Ensemble(normalization, np.arange(3), spec, members, normalization)
    scaling = both.scaling_map()
    assert_allclose(scaling.apply(rows), expected, rtol=1e-14)
    single = dataclasses.replace(both, members=members[:1]).scaling_map()
    # A factor of zero has no mirror image: its offset stays what it is.
    assert_allclose(single.apply(rows), expected + np.array([0, 0, 3]), rtol=1e-14)


# Back


@pytest.mark.parametrize("name", ["fitted", "gain"])
def test_inverse_transform_is_the_way_back(name, request):
    model = request.getfixturevalue(name)
    assert_allclose(model.inverse_transform(model.transform(X)), X, rtol=1e-12)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_way_back_asks_for_no_names_that_the_way_there_has_lost(frame):
    rows = frame(dict(zip(NAMES, X.T, strict=True)))
    model = LearnedScaleTransformer().fit(rows)
    # Any warning is an error here.
    assert_allclose(model.inverse_transform(model.transform(rows)), X, rtol=1e-12)
    with pytest.raises(ValueError, match="X has 9 features, but LearnedScaleTransformer is expect"):
        model.inverse_transform(X[:, :9])


def test_inverse_of_a_zero_factor_is_the_centre():
    settings = {**QUICK, "epochs": 300, "regularization_path": [(10.0, 1.0)]}
    model = LearnedScaleTransformer(**settings, readout="gain").fit(X, y)
    assert_array_equal(model.scale_, np.zeros(10))
    back = model.inverse_transform(model.transform(X))
    # The mean, summed in another order.
    assert_allclose(back, np.tile(X.mean(axis=0), (100, 1)), rtol=1e-12)


# Targets


LABELS = {
    "integers": CULTIVAR,
    "strings": np.array(["barolo", "grignolino", "barbera"])[CULTIVAR],
    "objects": np.array(["barolo", "grignolino", "barbera"], object)[CULTIVAR],
    "category": pd.Categorical.from_codes(CULTIVAR, ["barolo", "grignolino", "barbera"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_are_classes(kind):
    model = LearnedScaleTransformer(**SINGLE).fit(WINE, LABELS[kind])
    assert (model.target_type_, model.n_outputs_) == ("multiclass", 3)
    assert model.history_["loss"][-1] < 0.5 * model.history_["loss"][0]


@pytest.mark.parametrize(
    "labels", [CULTIVAR == 0, np.where(CULTIVAR == 0, "yes", "no"), (CULTIVAR == 0) * 7]
)
def test_two_labels_are_one_logit(labels):
    model = LearnedScaleTransformer(**SINGLE).fit(WINE, labels)
    assert (model.target_type_, model.n_outputs_) == ("binary", 1)


@pytest.mark.parametrize("labels", [CULTIVAR, CULTIVAR == 0], ids=["three", "two"])
def test_importance_of_classes_is_that_of_centred_logits(labels):
    model = LearnedScaleTransformer(**SINGLE).fit(WINE, labels)
    step, squares = 1e-5, np.empty(13)
    network = keras_network(model)

    def logits(rows):
        # Of three classes only differences of logits mean anything; two have one logit.
        f = np.asarray(network(rows))
        return f - f.mean(axis=1, keepdims=True) if f.shape[1] > 1 else f

    for i, size in enumerate(WINE.std(axis=0)):
        shift = step * size * np.eye(13)[i]
        squares[i] = np.mean(np.sum((logits(WINE + shift) - logits(WINE - shift)) ** 2, axis=1))
    # Central differences are right to the square of the step and the rounding over the step.
    assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-5)


def test_only_the_labels_order_counts_not_their_type():
    boolean = LearnedScaleTransformer(**SINGLE).fit(WINE, CULTIVAR == 0)
    words = LearnedScaleTransformer(**SINGLE).fit(WINE, np.where(CULTIVAR == 0, "yes", "no"))
    assert_array_equal(boolean.scale_, words.scale_)


def test_target_type_overrules_what_y_looks_like():
    model = LearnedScaleTransformer(**SINGLE, target_type="continuous").fit(X, y > 140)
    assert (model.target_type_, model.n_outputs_) == ("continuous", 1)


def test_classes_choose_a_path_and_a_power():
    model = LearnedScaleTransformer(**QUICK).fit(WINE, LABELS["strings"])
    # One for each of two folds.
    assert len(network_weights(model)) == 2
    assert model.power_ in (0.0, 0.5, 1.0)


# Without y


def test_without_y_it_is_standard_scaler():
    rows = X * np.logspace(-6, 6, 10)
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    for sample_weight in (None, weight):
        model = LearnedScaleTransformer().fit(rows, sample_weight=sample_weight)
        expected = StandardScaler().fit(rows, sample_weight=sample_weight).transform(rows)
        assert_allclose(model.transform(rows), expected, rtol=1e-12, atol=1e-12)
    assert (model.power_, model.n_iter_, model.n_outputs_, model.target_type_) == (0, 0, 0, None)
    assert_array_equal(model.feature_importances_, np.full(10, 0.1))


def test_without_y_nothing_of_an_earlier_fit_is_left(fitted):
    model = clone(fitted).fit(X, y).fit(X)
    assert not hasattr(model, "path_")
    with pytest.raises(ValueError, match=r"needs a network, but .* without y"):
        keras_network(model)


def test_without_y_tensorflow_is_not_needed(run_python):
    code = """
import sys
for name in ("tensorflow", "keras", "scikeras"):
    sys.modules[name] = None
import numpy as np
from sklearn.preprocessing import StandardScaler
from skscale import LearnedScaleTransformer
from skscale._normalization.affine import AffineMap
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
X = np.random.default_rng(0).normal(size=(20, 3)) * [1, 1e-3, 1e3]
difference = LearnedScaleTransformer().fit_transform(X) - StandardScaler().fit_transform(X)
print(np.abs(difference).max() < 1e-12)
"""
    assert run_python(code).strip() == "True"


def test_autoencoder_predicts_the_features():
    model = LearnedScaleTransformer(**SINGLE, unsupervised="autoencoder").fit(X)
    assert (model.n_outputs_, model.target_type_) == (10, None)
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    assert model.feature_importances_.sum() == pytest.approx(1.0)


# Constant features


@pytest.mark.parametrize("settings", [QUICK, {**QUICK, "readout": "gain"}], ids=["r", "gain"])
@pytest.mark.parametrize("position", [0, 10])
def test_constant_feature_changes_nothing_else(settings, position):
    wider = np.insert(X, position, 3.25, axis=1)
    model = LearnedScaleTransformer(**settings).fit(X, y)
    with_constant = LearnedScaleTransformer(**settings).fit(wider, y)
    others = np.delete(np.arange(11), position)
    assert_array_equal(with_constant.transform(wider)[:, others], model.transform(X))
    assert_array_equal(with_constant.feature_importances_[others], model.feature_importances_)
    assert with_constant.feature_importances_[position] == 0
    assert_array_equal(with_constant.path_["mean_loss"], model.path_["mean_loss"])
    scaler = StandardScaler().fit(wider)
    assert_array_equal(
        with_constant.transform(wider + 1)[:, position],
        scaler.transform(wider + 1)[:, position],
    )


def test_constant_feature_changes_nothing_else_without_y():
    settings = {**SINGLE, "unsupervised": "autoencoder"}
    model = LearnedScaleTransformer(**settings).fit(X)
    with_constant = LearnedScaleTransformer(**settings).fit(np.insert(X, 4, -1e9, axis=1))
    assert_array_equal(np.delete(with_constant.scale_, 4), model.scale_)


# Names and containers


def test_feature_names_go_through(fitted):
    model = clone(fitted).set_params(epochs=1).fit(pd.DataFrame(X, columns=NAMES), y)
    assert_array_equal(model.get_feature_names_out(), NAMES)
    assert_array_equal(fitted.get_feature_names_out(), [f"x{i}" for i in range(10)])


@pytest.mark.parametrize(("library", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_gives_a_frame(fitted, library, frame):
    rows = frame(dict(zip(NAMES, X.T, strict=True)))
    model = LearnedScaleTransformer(**{**QUICK, "epochs": 1}).set_output(transform=library)
    scaled = model.fit_transform(rows, y)
    assert isinstance(scaled, frame)
    assert list(scaled.columns) == NAMES
    assert_array_equal(scaled.to_numpy(), model.set_output(transform="default").transform(rows))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_width(fitted, dtype):
    scaled = fitted.transform(X.astype(dtype))
    assert scaled.dtype == dtype
    assert fitted.inverse_transform(scaled).dtype == dtype
    # float32 has seven digits, and the largest offset here is some ten standard deviations.
    assert_allclose(scaled, fitted.transform(X), atol=1e-5)


def test_integers_and_lists_become_float64(fitted):
    assert fitted.transform(X.astype(int).tolist()).dtype == np.float64


# What it is good for


@pytest.mark.slow
def test_noise_columns_get_less_weight_and_neighbours_gain_from_it():
    noise = np.random.default_rng(0).normal(size=(len(X_ALL), 20))
    rows, train, test = np.hstack([X_ALL, noise]), np.arange(0, 442, 2), np.arange(1, 442, 2)
    pipelines = [
        make_pipeline(scaler, KNeighborsRegressor()).fit(rows[train], Y_ALL[train])
        for scaler in (StandardScaler(), LearnedScaleTransformer(random_state=0))
    ]
    scores = [pipeline.score(rows[test], Y_ALL[test]) for pipeline in pipelines]
    assert scores[1] > scores[0] + 0.1
    learned = pipelines[1][0]
    assert learned.power_ > 0
    # Two thirds of the columns are noise.
    assert learned.feature_importances_[10:].sum() < 0.1


def test_null_point_gives_standard_scaler():
    random = np.random.default_rng(0)
    rows, target = random.normal(size=(100, 10)), random.normal(size=100)
    settings = {**QUICK, "epochs": 300, "regularization_path": REGULARIZATION_PATH[::7]}
    model = LearnedScaleTransformer(**settings).fit(rows, target)
    assert model.path_["best_index"] == 1
    assert model.power_ == 0
    assert_array_equal(model.feature_importances_, np.full(10, 0.1))
    assert_allclose(model.transform(rows), standardize(rows), rtol=1e-11, atol=1e-12)


def test_unfitted_transformer_says_so():
    for method in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError, match="LearnedScaleTransformer instance"):
            getattr(LearnedScaleTransformer(), method)(X)
