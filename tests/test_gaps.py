"""NaN in X: the transformer leaves it out, learns from the mean in its place, and keeps it."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils import get_tags

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

X, y = (array[:100] for array in load_diabetes(return_X_y=True, scaled=False))
RNG = np.random.default_rng(0)
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
# A feature without any value, and rows without any.
EMPTY = GAPS.copy()
EMPTY[:, 4] = np.nan
EMPTY[[3, 50]] = np.nan
WEIGHTS = RNG.integers(0, 4, len(X)).astype(float)

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}


def standard_scaler(rows, weights=None):
    # It divides zero by zero where a feature has no value.
    with np.errstate(invalid="ignore"):
        return StandardScaler().fit(rows, sample_weight=weights)


def assert_same_scale(model, scaler, rows=EMPTY):
    expected = scaler.transform(rows)
    # Sums in another order.
    assert_allclose(model.transform(rows), expected, rtol=1e-12, atol=1e-12, equal_nan=True)
    back = model.inverse_transform(expected)
    assert_allclose(back, scaler.inverse_transform(expected), rtol=1e-12, equal_nan=True)


@pytest.fixture(scope="module")
def fitted():
    return LearnedScaleTransformer(**QUICK).fit(EMPTY, y)


# Without y


@pytest.mark.parametrize("weights", [None, WEIGHTS, np.full(100, 2.0)], ids=["no", "drawn", "two"])
def test_without_y_it_is_standard_scaler(weights):
    model = LearnedScaleTransformer().fit(EMPTY, sample_weight=weights)
    scaler = standard_scaler(EMPTY, weights)
    assert_same_scale(model, scaler)
    assert_array_equal(np.isnan(model.transform(X)).all(axis=0), np.arange(10) == 4)
    assert_array_equal(np.isnan(model.scale_), np.isnan(scaler.scale_))
    assert model.feature_importances_[4] == 0
    assert_allclose(model.feature_importances_.sum(), 1, rtol=1e-15)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["no", "drawn"])
@pytest.mark.parametrize("length", [10, 37])
def test_chunks_without_y_add_up_to_all_rows(length, weights):
    rows = EMPTY.copy()
    # StandardScaler itself stays NaN where a whole chunk has no value.
    rows[:length, 0] = rows[length : 2 * length, 1] = np.nan
    model = LearnedScaleTransformer()
    for start in range(0, 100, length):
        part = slice(start, start + length)
        own = None if weights is None else weights[part]
        model.partial_fit(rows[part], sample_weight=own)
        assert_array_equal(model.feature_importances_ > 0, np.isfinite(model.scale_))
    # Means of chunks are merged by another formula.
    expected = standard_scaler(rows, weights).transform(rows)
    assert_allclose(model.transform(rows), expected, rtol=1e-11, atol=1e-11)


def test_an_exported_scaler_counts_what_it_has_seen():
    model = LearnedScaleTransformer().fit(EMPTY)
    exported, scaler = model.to_sklearn(), standard_scaler(EMPTY)
    assert_same_scale(exported, scaler)
    assert_array_equal(exported.n_samples_seen_, scaler.n_samples_seen_)
    assert_allclose(exported.var_, scaler.var_, rtol=1e-12)
    whole = LearnedScaleTransformer().fit(X).to_sklearn()
    assert whole.n_samples_seen_ == 100
    rows = np.delete(GAPS, 4, axis=1)
    exported = LearnedScaleTransformer().fit(rows[:50]).to_sklearn().partial_fit(rows[50:])
    # Means of two chunks are merged by another formula.
    assert_allclose(exported.mean_, standard_scaler(rows).mean_, rtol=1e-10)


# Learning


def test_a_learned_scale_keeps_gaps_and_is_not_spoiled_by_them(fitted):
    scaled = fitted.transform(EMPTY)
    assert_array_equal(np.isnan(scaled), np.isnan(EMPTY))
    assert_array_equal(np.isnan(fitted.inverse_transform(scaled)), np.isnan(EMPTY))
    known = np.arange(10) != 4
    assert_allclose(fitted.inverse_transform(scaled)[:, known], EMPTY[:, known], rtol=1e-12)
    assert np.isfinite(fitted.path_["mean_loss"]).all()
    assert np.isfinite(fitted.relative_scale_).all()
    assert np.isfinite(fitted.member_scales_).all()
    assert_allclose(fitted.feature_importances_.sum(), 1, rtol=1e-12)
    assert (fitted.feature_importances_[known] > 0).all()
    assert fitted.feature_importances_[4] == 0
    assert fitted.relative_scale_[4] == 1
    # Total variance is what StandardScaler gives.
    assert_allclose(np.nanvar(scaled[:, known], axis=0).sum(), 9, rtol=1e-12)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_a_network_learns_from_the_mean_in_place_of_a_gap(scaler):
    normalized = scaler.fit_transform(GAPS)
    filled = np.where(np.isnan(GAPS), np.nanmean(normalized, axis=0), normalized)
    model = LearnedScaleTransformer(**SINGLE, normalization=scaler).fit(GAPS, y)
    expected = LearnedScaleTransformer(**SINGLE, normalization=None).fit(filled, y)
    # Inputs are rounded to float32, of which a last digit may differ.
    assert_allclose(model.history_["loss"], expected.history_["loss"], rtol=1e-5)


def test_rows_of_weight_zero_may_be_nothing_but_gaps():
    weights = np.ones(100)
    weights[:5] = 0
    rows = X.copy()
    rows[:5] = np.nan
    model = LearnedScaleTransformer(**SINGLE).fit(rows, y, sample_weight=weights)
    other = LearnedScaleTransformer(**SINGLE).fit(X, y, sample_weight=weights)
    assert_allclose(model.scale_, other.scale_, rtol=1e-6)


@pytest.mark.parametrize("readout", ["sensitivity", "gain"])
def test_chunks_with_gaps_are_learned(readout):
    model = LearnedScaleTransformer(**SINGLE, readout=readout)
    for start in (0, 50):
        model.partial_fit(EMPTY[start : start + 50], y[start : start + 50])
        assert np.isfinite(model.history_["loss"]).all()
    assert_array_equal(np.isnan(model.transform(EMPTY)), np.isnan(EMPTY))
    assert_array_equal(np.isnan(model.scale_), np.arange(10) == 4)
    # What the first chunk knew nothing of has no standardization later either.
    model.partial_fit(np.where(RNG.random(X.shape) < 0.2, np.nan, X), y)
    assert_array_equal(np.isnan(model.scale_), np.arange(10) == 4)


def test_a_fit_that_goes_on_knows_what_either_fit_knew():
    model = LearnedScaleTransformer(**SINGLE, warm_start=True).fit(EMPTY, y)
    rows = GAPS.copy()
    rows[:, 0] = np.nan
    model.fit(rows, y)
    assert np.isfinite(model.scale_).all()
    assert np.isfinite(model.history_["loss"]).all()


def test_an_autoencoder_learns_from_rows_with_gaps():
    options = {**SINGLE, "unsupervised": "autoencoder", "readout": "gain"}
    rows = EMPTY[:, [0, 4]]
    model = LearnedScaleTransformer(**options).fit(rows)
    assert np.isfinite(model.history_["loss"]).all()
    assert model.n_outputs_ == 1
    assert_array_equal(np.isnan(model.transform(rows)), np.isnan(rows))


# Frames, pipelines, exports


def test_missing_values_of_pandas_are_gaps():
    frame = pd.DataFrame(EMPTY).astype("Float64")
    model = LearnedScaleTransformer().set_output(transform="pandas").fit(frame)
    scaled = model.transform(frame)
    expected = standard_scaler(EMPTY).transform(EMPTY)
    assert_allclose(scaled.to_numpy(), expected, rtol=1e-12, atol=1e-12)


def test_float32_stays_float32():
    rows = EMPTY.astype(np.float32)
    model = LearnedScaleTransformer(**SINGLE).fit(rows, y)
    assert model.transform(rows).dtype == np.float32
    assert_array_equal(np.isnan(model.transform(rows)), np.isnan(EMPTY))


def test_exports_give_nan_for_nan():
    model = LearnedScaleTransformer(**SINGLE).fit(GAPS, y)
    expected = model.transform(GAPS)
    assert_allclose(model.to_sklearn().transform(GAPS), expected, rtol=1e-12, atol=1e-12)
    keras_model = model.to_keras("float64")
    assert_allclose(np.asarray(keras_model(GAPS)), expected, rtol=1e-12, atol=1e-12)


def test_a_feature_without_value_exports_as_it_is_or_not_at_all(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.transform(X), fitted.transform(X))
    scaler = fitted.to_sklearn()
    assert_allclose(scaler.transform(EMPTY), fitted.transform(EMPTY), rtol=1e-12, atol=1e-12)
    message = r"to_keras cannot give features 4, counted from 0, which held nothing but NaN"
    with pytest.raises(ValueError, match=message):
        fitted.to_keras()
    network = fitted.to_keras("float64", output="network")
    assert np.isfinite(np.asarray(network(np.nan_to_num(X)))).all()


# Tags and refusals


def test_only_the_transformer_is_tagged_to_allow_gaps():
    assert get_tags(LearnedScaleTransformer()).input_tags.allow_nan
    assert not get_tags(LearnedScaleRegressor()).input_tags.allow_nan
    assert not get_tags(LearnedScaleClassifier()).input_tags.allow_nan


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", [LearnedScaleRegressor, LearnedScaleClassifier])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_predictors_say_how_to_fill_gaps(cls, method):
    pipeline = rf"make_pipeline\(SimpleImputer\(add_indicator=True\), {cls.__name__}\(\)\)"
    with pytest.raises(ValueError, match=rf"(?s)^Input X contains NaN\..*{pipeline}"):
        getattr(cls(**SINGLE), method)(GAPS, y > 140)


def test_predictors_learn_from_what_an_imputer_fills():
    rows = GAPS[:, :5]
    model = make_pipeline(SimpleImputer(add_indicator=True), LearnedScaleRegressor(**SINGLE))
    assert np.isfinite(model.fit(rows, y).predict(rows)).all()
    with pytest.raises(ValueError, match="SimpleImputer"):
        model[-1].predict(np.full((1, 10), np.nan))


def test_no_gap_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for normalization in ("robust", "vast_4", MinMaxScaler()):
            LearnedScaleTransformer(**SINGLE, normalization=normalization).fit(EMPTY, y)
