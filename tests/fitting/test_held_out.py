"""Rows that the user holds out, in place of folds and of a share of the rows."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from fitted_networks import network_outputs, network_weights, normalization_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

# A table of one batch, so that the tests share compiled programs.
QUICK = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "batch_size": 64,
    "dtype": "float32",
    "regularization_path": [(0.0, 0.0), (0.03, 0.3)],
    "epochs": 5,
    "learning_rate": 0.1,
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
REGRESSOR, CLASSIFIER = LearnedScaleRegressor, LearnedScaleClassifier
ALL = [CLASSIFIER, REGRESSOR, LearnedScaleTransformer]

_random = np.random.default_rng(0)
ROWS = _random.normal(size=(60, 3))
NUMBERS = 2 * ROWS[:, 0] + ROWS[:, 1] + 0.1 * _random.normal(size=60)
LABELS = np.where(NUMBERS > 0, "high", "low")
X, X_VAL = ROWS[:40], ROWS[40:]
y, Y_VAL = NUMBERS[:40], NUMBERS[40:]
GIVEN = {"X_val": X_VAL, "y_val": Y_VAL}


def targets_of(cls):
    targets = LABELS if cls is CLASSIFIER else NUMBERS
    return targets[:40], targets[40:]


def fitted(model, **arguments):
    target, held_out = targets_of(type(model))
    return model.fit(X, target, X_val=X_VAL, y_val=held_out, **arguments)


def held_out_loss(model):
    """Mean squared error of a single network in units of the normalized target."""
    return np.mean((model.predict(X_VAL) - Y_VAL) ** 2) / y.var()


# A single network


@pytest.mark.parametrize("cls", ALL)
def test_a_single_network_reports_their_loss_and_learns_nothing_from_them(cls):
    model, plain = fitted(cls(**SINGLE)), cls(**SINGLE).fit(X, targets_of(cls)[0])
    for with_them, without in zip(network_weights(model), network_weights(plain), strict=True):
        for array, expected in zip(with_them, without, strict=True):
            assert_array_equal(array, expected)
    assert_array_equal(model.feature_importances_, plain.feature_importances_)
    assert model.history_["loss"] == plain.history_["loss"]
    assert len(model.history_["val_loss"]) == 5
    if cls is REGRESSOR:
        # Float32 losses.
        assert_allclose(model.history_["val_loss"][-1], held_out_loss(model), rtol=1e-5)


def test_early_stopping_learns_from_all_rows_and_goes_back_to_the_best_epoch_on_them():
    options = {**SINGLE, "early_stopping": True, "n_iter_no_change": 2, "epochs": 20}
    model = REGRESSOR(**{**options, "learning_rate": 0.5}).fit(X, y, **GIVEN)
    losses = model.history_["val_loss"]
    assert len(losses) == np.argmin(losses) + 3 < 20
    assert_allclose(held_out_loss(model), min(losses), rtol=1e-5)
    plain = REGRESSOR(**SINGLE).fit(X, y)
    assert normalization_of(model) == normalization_of(plain)


def test_callbacks_see_their_loss():
    seen = []
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(dict(logs)))
    model = REGRESSOR(**SINGLE, callbacks=[tell]).fit(X, y, **GIVEN)
    assert [logs["val_loss"] for logs in seen] == model.history_["val_loss"]


# The path

RAW = {"normalization": None, "target_normalization": None}


@pytest.mark.parametrize("cls", ALL)
def test_the_path_learns_from_all_rows_and_chooses_by_those_held_out(cls):
    # Without normalizations, which are of the rows to learn from alone, it is one fold.
    raw = {name: value for name, value in RAW.items() if name in cls().get_params()}
    model = fitted(cls(**QUICK, **raw))
    fold = cls(**{**QUICK, **raw, "cv": [(np.arange(40), np.arange(40, 60))]})
    fold.fit(ROWS, np.concatenate(targets_of(cls)))
    for name in ("mean_loss", "losses", "null_loss"):
        assert_array_equal(model.path_[name], fold.path_[name])
    # One network of one fold.
    pairs = zip(network_weights(model), network_weights(fold), strict=True)
    assert [len(weights) for weights, _ in pairs] == [6]
    if cls is CLASSIFIER:
        # The same temperature too.
        assert_array_equal(model.predict_proba(ROWS), fold.predict_proba(ROWS))
    elif cls is REGRESSOR:
        assert_array_equal(model.predict(ROWS), fold.predict(ROWS))


def test_statistics_are_those_of_the_rows_to_learn_from():
    model = REGRESSOR(**QUICK).fit(X, y, X_val=X_VAL + 100.0, y_val=Y_VAL)
    plain = REGRESSOR(**SINGLE).fit(X, y)
    assert normalization_of(model) == normalization_of(plain)
    assert_allclose(model.predict(X), y.mean() + y.std() * network_means(model), rtol=1e-10)


def network_means(model):
    return np.mean(network_outputs(model, X), axis=0)[:, 0]


def test_the_scale_of_their_weights_and_their_precision_change_nothing():
    model = REGRESSOR(**QUICK).fit(X, y, **GIVEN)
    weights = np.full(20, 1e-200)
    other = REGRESSOR(**QUICK).fit(X, y, **GIVEN, sample_weight_val=weights)
    assert_array_equal(other.predict(X), model.predict(X))
    assert_array_equal(other.path_["mean_loss"], model.path_["mean_loss"])
    single = X.astype(np.float32)
    model = REGRESSOR(**QUICK).fit(single, y, X_val=X_VAL.astype(np.float32), y_val=Y_VAL)
    assert_array_equal(REGRESSOR(**QUICK).fit(single, y, **GIVEN).predict(X), model.predict(X))


@pytest.mark.parametrize("cls", ALL)
def test_a_weight_of_two_is_a_row_given_twice_and_one_of_zero_none(cls):
    weights = np.arange(20) % 3
    repeated = np.repeat(np.arange(20), weights)
    model = fitted(cls(**QUICK), sample_weight_val=weights)
    target, held_out = targets_of(cls)
    other = cls(**QUICK).fit(X, target, X_val=X_VAL[repeated], y_val=held_out[repeated])
    # Sums of float32 losses in another order.
    assert_allclose(other.path_["mean_loss"], model.path_["mean_loss"], rtol=1e-6)
    if cls is CLASSIFIER:
        assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("cls", ALL)
def test_one_of_weight_zero_may_hold_anything(cls):
    weight = np.where(np.arange(20) == 3, 0.0, 1.0)
    target, held_out = targets_of(cls)
    models = []
    for value in (1.0, 1.7e308):
        rows, spoilt = X_VAL.copy(), held_out.copy()
        rows[3, 1] = value
        if cls is not CLASSIFIER:
            spoilt[3] = value
        given = {"X_val": rows, "y_val": spoilt, "sample_weight_val": weight}
        models.append(cls(**QUICK).fit(X, target, **given))
    assert_array_equal(models[0].path_["mean_loss"], models[1].path_["mean_loss"])
    assert_array_equal(models[0].feature_importances_, models[1].feature_importances_)


@pytest.mark.usefixtures("no_training")
def test_one_far_beyond_those_to_learn_from_is_to_blame():
    rows, targets = X_VAL.copy(), Y_VAL.copy()
    rows[3, 1] = targets[5] = 1e60
    with pytest.raises(ValueError, match=r"Column 1 of X_val .* in row 3 .* Leave that row out"):
        REGRESSOR(**QUICK).fit(X, y, X_val=rows, y_val=Y_VAL)
    with pytest.raises(ValueError, match=r"Column 0 of y_val .* in row 5 .* Leave that row out"):
        REGRESSOR(**QUICK).fit(X, y, X_val=X_VAL, y_val=targets)


def test_class_weights_count_for_them_as_in_folds():
    model = fitted(CLASSIFIER(**QUICK, class_weight={"high": 3.0}))
    target, held_out = targets_of(CLASSIFIER)
    weights, of_held_out = (np.where(t == "high", 3.0, 1.0) for t in (target, held_out))
    other = CLASSIFIER(**QUICK).fit(
        X, target, weights, X_val=X_VAL, y_val=held_out, sample_weight_val=of_held_out
    )
    assert_array_equal(model.predict_proba(X), other.predict_proba(X))


def test_several_targets_and_frames():
    names = list("abc")
    both, both_val = (np.column_stack([t, -t, t**2]) for t in (y, Y_VAL))
    frame, frame_val = pd.DataFrame(X, columns=names), pd.DataFrame(X_VAL, columns=names)
    model = REGRESSOR(**QUICK).fit(frame, both, X_val=frame_val, y_val=pd.DataFrame(both_val))
    assert model.predict(frame).shape == (40, 3)
    with pytest.raises(ValueError, match="X_val and y_val: The feature names should match"):
        model.fit(frame, both, X_val=frame_val[names[::-1]], y_val=both_val)


def test_an_autoencoder_holds_out_rows_without_targets():
    options = {**QUICK, "unsupervised": "autoencoder"}
    model = LearnedScaleTransformer(**options).fit(X, X_val=X_VAL)
    assert len(network_weights(model)) == 1
    standard = LearnedScaleTransformer().fit(X, X_val=X_VAL)
    assert_array_equal(standard.transform(X), LearnedScaleTransformer().fit(X).transform(X))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("are_sparse", [(True, True), (True, False), (False, True)])
def test_sparse_rows_are_the_same_rows(cls, are_sparse):
    target, held_out = targets_of(cls)
    rows, rows_val = (
        csr_array(dense) if is_sparse else dense
        for dense, is_sparse in zip((X, X_VAL), are_sparse, strict=True)
    )
    model = cls(**QUICK).fit(rows, target, X_val=rows_val, y_val=held_out)
    # Statistics of sparse columns are summed in another order.
    losses = fitted(cls(**QUICK)).path_["mean_loss"]
    assert_allclose(model.path_["mean_loss"], losses, rtol=1e-5)
    if cls is REGRESSOR:
        # Small batches leave two networks, which may disagree.
        model.set_params(batch_size=16).fit(rows, target, X_val=rows_val, y_val=held_out)
        model.predict(rows, return_std="total")


def test_a_gap_in_them_is_the_mean_of_the_rows_to_learn_from():
    gaps, filled = X_VAL.copy(), X_VAL.copy()
    gaps[3, 1], filled[3, 1] = np.nan, X[:, 1].mean()
    with_gaps, without = (
        LearnedScaleTransformer(**QUICK).fit(X, y, X_val=rows, y_val=Y_VAL)
        for rows in (gaps, filled)
    )
    # The mean is rounded in another order.
    assert_allclose(with_gaps.path_["mean_loss"], without.path_["mean_loss"], rtol=1e-6)
    for cls in (CLASSIFIER, REGRESSOR):
        target, held_out = targets_of(cls)
        with pytest.raises(ValueError, match=r"^X_val and y_val: Input X contains NaN"):
            cls(**QUICK).fit(X, target, X_val=gaps, y_val=held_out)


# In pipelines


@pytest.mark.parametrize("cls", ALL)
def test_a_pipeline_routes_and_transforms_them(cls):
    with config_context(enable_metadata_routing=True):
        last = cls(**QUICK).set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        pipeline = make_pipeline(MinMaxScaler(), last, transform_input=["X_val"])
        target, held_out = targets_of(cls)
        weights = np.linspace(0.5, 1.0, 20)
        held_out_rows = {"X_val": X_VAL, "y_val": held_out, "sample_weight_val": weights}
        pipeline.fit(X, target, **held_out_rows)
        scaler = MinMaxScaler().fit(X)
        held_out_rows["X_val"] = scaler.transform(X_VAL)
        model = cls(**QUICK).fit(scaler.transform(X), target, **held_out_rows)
    assert_array_equal(pipeline[-1].scale_, model.scale_)
    assert_array_equal(pipeline[-1].path_["mean_loss"], model.path_["mean_loss"])


# Going on


@pytest.mark.parametrize("options", [SINGLE, QUICK], ids=["single", "path"])
def test_a_warm_start_goes_on_with_them(options):
    model = fitted(REGRESSOR(**{**options, "learning_rate": 0.01, "warm_start": True}))
    losses = [model.history_["loss"][-1]]
    for n_fits in (2, 3):
        fitted(model)
        losses.append(model.history_["loss"][-1])
        assert model.n_iter_ == 5 * n_fits
    assert (np.diff(losses) < 0).all()
    assert len(network_weights(model)) == 1


def test_the_path_goes_on_with_held_out_rows_of_the_same_kind_alone(no_training_after):
    options = {**QUICK, "warm_start": True, "cv": [(np.arange(20), np.arange(20, 40))]}
    given, drawn = REGRESSOR(**options).fit(X, y, **GIVEN), REGRESSOR(**options).fit(X, y)
    # All rows are learned from, so that they need not be the same.
    assert given.fit(X[:30], y[:30], **GIVEN).n_iter_ == 10
    no_training_after()
    with pytest.raises(ValueError, match=r"this fit has no X_val and the last one had X_val"):
        given.fit(X, y)
    with pytest.raises(ValueError, match=r"this fit has X_val and the last one had no X_val"):
        drawn.fit(X, y, **GIVEN)


@pytest.fixture
def no_training_after(request):
    return lambda: request.getfixturevalue("no_training")


# Refusals


def spoiled(array, value):
    array = np.array(array)
    array.flat[3] = value
    return array


REFUSED = {
    "no targets": ({"X_val": X_VAL}, "^X_val is given without y_val. Give both"),
    "no rows": ({"y_val": Y_VAL}, "^y_val is given without X_val. Give both"),
    "weights alone": ({"sample_weight_val": Y_VAL}, "^sample_weight_val is given without X_val"),
    "groups": ({**GIVEN, "groups": np.arange(40)}, "^groups and X_val are given.* Leave one"),
    "width": ({**GIVEN, "X_val": X_VAL[:, :2]}, "^X_val and y_val: X has 2 features, but"),
    "lengths": ({**GIVEN, "y_val": Y_VAL[:5]}, r"^X_val and y_val: .* samples: \[20, 5\]"),
    "inf": ({**GIVEN, "X_val": spoiled(X_VAL, np.inf)}, "^X_val and y_val: Input X contains inf"),
    "empty": ({"X_val": X_VAL[:0], "y_val": Y_VAL[:0]}, r"^X_val and y_val: .* 0 sample\(s\)"),
    "nan target": ({**GIVEN, "y_val": spoiled(Y_VAL, np.nan)}, "y_val: Input y contains NaN"),
    "weights": ({**GIVEN, "sample_weight_val": -np.ones(20)}, "^sample_weight_val: Negative"),
    "all zero": ({**GIVEN, "sample_weight_val": np.zeros(20)}, "^sample_weight_val: "),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("options", [SINGLE, QUICK], ids=["single", "path"])
def test_what_cannot_be_held_out_is_refused_before_training(cls, arguments, message, options):
    model, target = cls(**options), targets_of(cls)[0]
    with pytest.raises(ValueError, match=message):
        model.fit(X, target, **arguments)
    assert not hasattr(model, "history_")


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", [CLASSIFIER, LearnedScaleTransformer])
@pytest.mark.parametrize("labels", [np.full(20, "middle"), np.zeros(20, int)], ids=str)
def test_classes_that_there_are_none_of_to_learn_from_are_refused(cls, labels):
    with pytest.raises(ValueError, match=r"y_val: y has the labels .* Leave such rows out of X_v"):
        cls(**QUICK).fit(X, LABELS[:40], X_val=X_VAL, y_val=labels)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", [REGRESSOR, LearnedScaleTransformer])
def test_another_number_of_targets_is_refused(cls):
    with pytest.raises(ValueError, match=r"^y_val has 2 columns, but y has 1\. Give the same"):
        cls(**QUICK).fit(X, y, X_val=X_VAL, y_val=np.column_stack([Y_VAL, Y_VAL]))
    with pytest.raises(ValueError, match="y_val"):
        cls(**QUICK).fit(X, y, X_val=X_VAL, y_val=LABELS[40:])


@pytest.mark.usefixtures("no_training")
def test_targets_held_out_without_any_to_learn_are_refused():
    with pytest.raises(ValueError, match=r"^y_val is given, but y is not"):
        LearnedScaleTransformer(**QUICK).fit(X, **GIVEN)
