"""A fit to partitions gives an ordinary estimator, as good as one of the whole table."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from fitted_networks import network_outputs, network_weights, normalization_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skscale import (
    LearnedScaleClassifier,
    LearnedScaleRegressor,
    LearnedScaleTransformer,
    distributed,
)
from skscale._distributed.partition import Reader

# The tests share one compiled program for each kind of target: partitions of any size up to the
# largest have its shape.
QUICK = {
    "hidden_layer_sizes": (8,),
    "embedding": None,
    "batch_size": 64,
    "cv": 2,
    "epochs": 4,
    "regularization_path": [(0.0, 0.0), (10.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
N, SIZE = 1400, 500


def table(n_rows=N, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, 4)) * [1.0, 1e3, 1e-3, 1.0] + [0.0, 5e3, 0.0, 1.0]
    X[:, 3] = 7.0
    return X, np.sin(X[:, 0]) + X[:, 1] / 1e3 + 0.1 * random.normal(size=n_rows)


X, y = table()
X_test, y_test = table(2000, seed=1)


def chunked(array, size=SIZE):
    return da.from_array(np.asarray(array), chunks=(size, *np.shape(array)[1:]))


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def fit(model, rows=X, target=y, **weights):
    weights = {name: chunked(array) for name, array in weights.items()}
    return distributed.fit(model, chunked(rows), chunked(target), **weights)


@pytest.fixture(scope="module")
def fitted():
    with dask.config.set(scheduler="synchronous"):
        return fit(LearnedScaleRegressor(**QUICK))


def assert_same_networks(first, second):
    for one, other in zip(network_weights(first), network_weights(second), strict=True):
        for a, b in zip(one, other, strict=True):
            assert_array_equal(a, b)


# What it leaves


def test_the_result_is_an_ordinary_estimator(fitted):
    assert fitted.score(X_test, y_test) > 0.7
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X_test), fitted.predict(X_test))
    # Keras computes in float32.
    from_keras = np.asarray(fitted.to_keras()(X_test)).ravel()
    assert_allclose(from_keras, fitted.predict(X_test), rtol=1e-4, atol=1e-4)
    assert clone(fitted).get_params() == LearnedScaleRegressor(**QUICK).get_params()
    assert fitted.n_features_in_ == 4
    assert fitted.n_iter_ == len(fitted.history_["loss"]) == 4
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]
    assert fitted.feature_importances_[3] == 0
    assert_allclose(fitted.feature_importances_.sum(), 1.0)
    # Of no row is it known which it was.
    assert not hasattr(fitted, "held_out_prediction_")
    _, std = fitted.predict(X_test, return_std="total")
    assert (std >= fitted.held_out_rmse_).all()


def test_the_path_is_that_of_every_fit(fitted):
    path = fitted.path_
    assert path["strength"].tolist() == [0.0, 10.0]
    assert path["best_index"] == 0
    # The mean has a loss of one on normalized targets.
    assert path["null_loss"] == pytest.approx(1.0, abs=0.05)
    # Partitions are counted: a twentieth of twelve is one, a third of a pass.
    assert path["epochs"].tolist() == pytest.approx([1 / 3, 2 / 3, 7 / 3, 4.0])


def test_the_loss_of_the_path_is_pooled_over_the_held_out_rows_of_all_partitions(fitted):
    estimator = LearnedScaleRegressor()
    estimator.n_features_in_ = 4
    # The first of the seeds that a fit draws.
    reader = Reader(estimator, 2, int(np.random.RandomState(0).randint(2**31 - 1, size=3)[0]))
    parts = range(0, N, SIZE)
    folds = np.concatenate(
        [reader.read(k, X[a : a + SIZE], y[a : a + SIZE], None).folds for k, a in enumerate(parts)]
    )
    outputs = np.array(network_outputs(fitted, X))[:, :, 0]
    # One network for each fold, and one more, as the rows are few.
    assert len(outputs) == 4
    targets = (y - y.mean()) / y.std()
    expected = np.mean((outputs[folds, np.arange(N)] - targets) ** 2)
    # Float32 inputs.
    assert fitted.path_["mean_loss"][0] == pytest.approx(expected, rel=1e-5)
    both = (outputs[folds, np.arange(N)] + outputs[folds + 2, np.arange(N)]) / 2
    rmse = y.std() * np.sqrt(np.mean((both - targets) ** 2))
    assert fitted.held_out_rmse_ == pytest.approx(rmse, rel=1e-5)


def test_normalization_is_that_of_the_whole_table(fitted):
    config = normalization_of(fitted)
    assert_allclose(config["center"], X[:, :3].mean(axis=0), rtol=1e-12, atol=1e-15)
    assert_allclose(config["scale"], 1 / X[:, :3].std(axis=0), rtol=1e-12)


def test_a_later_fit_cannot_go_on_with_its_folds(fitted):
    model = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"warm_start=True.*skscale\.distributed\.fit"):
        model.fit(X, y)
    assert_array_equal(model.predict(X_test), fitted.predict(X_test))


# What it must not depend on


def test_schedulers_give_the_same_bits(fitted):
    with dask.config.set(scheduler="threads"):
        assert_same_networks(fit(LearnedScaleRegressor(**QUICK)), fitted)


def test_frames_arrays_and_unknown_sizes_give_the_same_bits(fitted):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    parts = [dask.delayed(frame[start : start + SIZE]) for start in range(0, N, SIZE)]
    frames = dd.from_delayed(parts, meta=frame[:0])
    model = distributed.fit(LearnedScaleRegressor(**QUICK), frames[list("abcd")], frames["y"])
    assert_same_networks(model, fitted)
    assert model.feature_names_in_.tolist() == list("abcd")
    unknown = frames.to_dask_array()
    assert np.isnan(unknown.shape[0])
    model = distributed.fit(LearnedScaleRegressor(**QUICK), unknown[:, :4], unknown[:, 4])
    assert_same_networks(model, fitted)
    # Chunks of columns are put together, and known ones of rows taken from X.
    rows = da.from_array(X, chunks=(SIZE, 2))
    model = distributed.fit(LearnedScaleRegressor(**QUICK), rows, chunked(y, 100))
    assert_same_networks(model, fitted)


def test_empty_partitions_and_rows_of_weight_zero_change_nothing(fitted):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y, weight=1.0)
    nothing = frame[:100].assign(a=1e9, y=-1e9, weight=0.0)
    tables = [frame[start : start + SIZE] for start in range(0, N, SIZE)]
    parts = [dask.delayed(part) for part in [*tables, frame[:0], nothing]]
    parts[2] = dask.delayed(pd.concat([nothing[:1], tables[2]]))
    frames = dd.from_delayed(parts, meta=frame[:0])
    model = distributed.fit(
        LearnedScaleRegressor(**QUICK),
        frames[list("abcd")],
        frames["y"],
        sample_weight=frames["weight"],
    )
    assert_same_networks(model, fitted)


def test_weights_times_a_constant_change_nothing():
    weights = np.random.default_rng(0).uniform(0.5, 2.0, N)
    one, other = (
        fit(LearnedScaleRegressor(**SINGLE), sample_weight=factor * weights)
        for factor in (1.0, 2.0**600)
    )
    assert_same_networks(one, other)


def test_another_seed_gives_other_folds_and_networks(fitted):
    other = fit(LearnedScaleRegressor(**{**QUICK, "random_state": 1}))
    assert (other.predict(X_test) != fitted.predict(X_test)).all()


def test_every_pass_visits_every_partition_once_while_the_rate_falls_over_all_passes():
    # Targets far above all predictions: each step raises the last bias by its rate.
    options = {**SINGLE, "loss": "mean_absolute_error", "target_normalization": None}
    options.update(optimizer="sgd", learning_rate=2.0**-10, weight_decay=0.0)
    model = fit(LearnedScaleRegressor(**options), target=y + 1e3)
    # Batches of 64 in partitions of 500, 500 and 400 rows, in four passes.
    n_steps = 4 * (8 + 8 + 7)
    rates = 0.5 * (1 + np.cos(np.pi * np.arange(n_steps) / n_steps))
    bias = network_weights(model)[0][-1][0]
    assert bias * 2**10 == pytest.approx(rates.sum(), rel=1e-4)


# Other targets, other parameters


@pytest.mark.parametrize("normalization", ["robust", MinMaxScaler(), None])
def test_one_network_learns_all_rows_by_any_normalization(normalization):
    options = {**SINGLE, "normalization": normalization, "epochs": 10}
    model = fit(LearnedScaleRegressor(**options))
    assert len(network_weights(model)) == 1
    # Without any, columns of a thousand and a thousandth are learned badly.
    assert model.score(X_test, y_test) > (0.5 if normalization is not None else -1.0)
    assert not hasattr(model, "path_")


def test_several_targets_are_learned():
    targets = np.stack([y, 1e3 * y + 5], axis=1)
    model = fit(LearnedScaleRegressor(**SINGLE), target=targets)
    assert model.predict(X_test).shape == (2000, 2)
    assert model.score(X_test, np.stack([y_test, 1e3 * y_test + 5], axis=1)) > 0.5


def labels(target):
    # Text of one partition may be wider than that of all others.
    return np.array(["low", "middle", "high"], object)[np.digitize(target, [4.5, 5.5])]


def test_classes_are_found_in_all_partitions():
    target = labels(y)
    # The second partition alone has the last class.
    target[SIZE : SIZE + 50] = "very high"
    model = fit(LearnedScaleClassifier(**QUICK), target=np.where(target == "low", "high", target))
    assert model.classes_.tolist() == ["high", "middle", "very high"]
    assert_allclose(model.predict_proba(X_test).sum(axis=1), 1.0)


def test_classes_weigh_what_they_are_given():
    weight = {"high": 1.0, "low": 0.0, "middle": 0.0}
    model = fit(LearnedScaleClassifier(**QUICK, class_weight=weight), target=labels(y))
    # Nothing but rows of one class is learned.
    assert (model.predict(X_test) == "high").all()


def test_a_transformer_learns_its_scale_and_chooses_its_power():
    model = fit(LearnedScaleTransformer(**QUICK))
    assert model.target_type_ == "continuous"
    assert model.power_ in (0.0, 0.5, 1.0)
    # The third column has nothing to do with the target.
    assert model.relative_scale_[2] <= model.relative_scale_[:2].min()
    classes = fit(LearnedScaleTransformer(**QUICK), target=np.digitize(y, [4.5, 5.5]))
    assert classes.target_type_ == "multiclass"


@pytest.mark.parametrize("weighted", [False, True])
def test_without_a_target_it_is_standard_scaler(weighted):
    rows = X[:, :3].copy()
    rows[::3, 0] = np.nan
    weights = np.random.default_rng(0).uniform(0.5, 2.0, N) if weighted else None
    model = LearnedScaleTransformer()
    distributed.fit(
        model, chunked(rows, 100), sample_weight=None if weights is None else chunked(weights, 100)
    )
    standard = StandardScaler().fit(rows, sample_weight=weights)
    assert_allclose(model.transform(rows), standard.transform(rows), rtol=1e-9, atol=1e-12)


def test_gaps_of_a_transformer_are_filled_with_the_mean_of_all_partitions():
    rows = X.copy()
    rows[:SIZE, 0] = np.nan
    model = fit(LearnedScaleTransformer(**SINGLE), rows)
    assert np.isnan(model.transform(rows)[:SIZE, 0]).all()
    assert np.isfinite(model.scale_).all()
    assert_allclose(1 / model.scale_[3], 1.0)


def test_where_networks_diverge_the_mean_is_the_model():
    with pytest.warns(ConvergenceWarning, match="the model predicts the mean"):
        model = fit(LearnedScaleRegressor(**{**QUICK, "learning_rate": 1e30}))
    assert_allclose(model.predict(X_test), y.mean(), atol=0.05)


def test_progress_is_counted_in_partitions(capsys):
    fit(LearnedScaleRegressor(**{**QUICK, "verbose": 1}))
    printed = capsys.readouterr().out
    assert "[LearnedScaleRegressor] 100 %" in printed
    assert "partition 12/12" in printed
    assert "chosen: strength 0" in printed


# As good as in memory


def assert_tie(found, expected):
    assert found == pytest.approx(expected, abs=0.005)


@pytest.mark.slow
def test_it_ties_with_the_fit_in_memory():
    rows, target = table(4000, seed=2)
    options = {**QUICK, "epochs": 12}
    in_memory = LearnedScaleRegressor(**options).fit(rows, target)
    model = distributed.fit(LearnedScaleRegressor(**options), chunked(rows), chunked(target))
    # The bound of the promise; two seeds differ by .001.
    assert_tie(model.score(X_test, y_test), in_memory.score(X_test, y_test))
    assert model.path_["best_index"] == in_memory.path_["best_index"]
    assert_allclose(model.path_["null_loss"], in_memory.path_["null_loss"], rtol=0.01)
    # Networks of other draws; R2 is the promise.
    assert_allclose(model.held_out_rmse_, in_memory.held_out_rmse_, rtol=0.1)
    assert_allclose(model.feature_importances_, in_memory.feature_importances_, atol=0.05)
    classes, held_out = labels(target), labels(y_test)
    in_memory = LearnedScaleClassifier(**options).fit(rows, classes)
    model = distributed.fit(LearnedScaleClassifier(**options), chunked(rows), chunked(classes))
    assert_tie(model.score(X_test, held_out), in_memory.score(X_test, held_out))
    losses = [log_loss(held_out, m.predict_proba(X_test)) for m in (model, in_memory)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
