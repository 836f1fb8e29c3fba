"""Chunk after chunk: one pass at a constant rate, the choice by losses before learning."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest
from fitted_networks import is_float32, keras_network, network_weights, normalization_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleRegressor, LearnedScaleTransformer, build_network

# Chunks of at most 64 rows in batches of 64, so that the tests share compiled programs.
QUICK = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "batch_size": 64,
    "regularization_path": [(0.0, 0.0), (10.0, 1.0)],
    "cv": 2,
    "epochs": 5,
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
BOTH = [LearnedScaleRegressor, LearnedScaleTransformer]
POINTS = np.array(QUICK["regularization_path"])

# Newer versions of scikit-learn find it before we do.
ALL_ZERO = "must contain at least one non-zero number|sample_weight is positive for 0 of 40 samples"


def chunk(number, n_rows=40, noise=0.1):
    random = np.random.default_rng(number)
    X = random.normal([0.0, 5.0, -1.0], [1.0, 2.0, 0.1], size=(n_rows, 3))
    return X, X[:, 0] + (X[:, 1] - 5) ** 2 / 4 + noise * random.normal(size=n_rows)


def stream(model, numbers, **options):
    for number in numbers:
        model.partial_fit(*chunk(number, **options))
    return model


def output(model, rows):
    """What the networks predict, and the scale that is read out."""
    return np.append(keras_network(model)(rows), [model.scale_, model.offset_])


# What a chunk does


@pytest.mark.parametrize("normalization", ["standard", "batch"])
def test_chunks_of_a_batch_are_the_steps_of_one_training_at_a_constant_rate(normalization):
    chunks = (X, y), _ = chunk(0, n_rows=64), chunk(1, n_rows=64)
    options = {**SINGLE, "normalization": normalization, "optimizer": "adam", "weight_decay": 0.0}
    options["scale_learning_rate_factor"] = 1.0
    start = LearnedScaleRegressor(**options, learning_rate=1e-12).partial_fit(X, y)
    network = build_network(
        3,
        hidden_layer_sizes=(4,),
        activation="tanh",
        normalization="batch" if normalization == "batch" else None,
    )
    for variable, array in zip(network.trainable_variables, network_weights(start)[0], strict=True):
        variable.assign(array)
    network.compile(keras.optimizers.Adam(0.05), "mean_squared_error", run_eagerly=True)
    model = LearnedScaleRegressor(**options, learning_rate=0.05)
    for rows, targets in chunks:
        model.partial_fit(rows, targets)
        # The first chunk normalizes the second, too.
        Z, T = (rows - X.mean(axis=0)) / X.std(axis=0), (targets - y.mean()) / y.std()
        network.train_on_batch(Z.astype(np.float32), T.astype(np.float32)[:, np.newaxis])
    found = network_weights(model)[0]
    for array, variable in zip(found, network.trainable_variables, strict=True):
        # Float32 sums in another order, twice.
        assert_allclose(array, variable, rtol=1e-4, atol=1e-5)
    assert model.n_iter_ == len(model.history_["loss"]) == 2


def test_a_chunk_of_several_batches_is_seen_once():
    X, y = chunk(0, n_rows=200)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 200)
    # Steps of next to no length: the loss is that of the networks that predict.
    model = LearnedScaleRegressor(**SINGLE, learning_rate=1e-12)
    model.partial_fit(X, y, sample_weight=weights)
    variance = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
    squares = (model.predict(X) - y) ** 2 / variance
    # Float32 losses.
    expected = np.average(squares, weights=weights)
    assert model.history_["loss"] == [pytest.approx(expected, rel=1e-5)]


@pytest.mark.parametrize("cls", BOTH)
def test_the_first_chunk_fixes_the_normalization(cls):
    model = stream(cls(**SINGLE), [0])
    X, y = chunk(1)
    before = normalization_of(model)
    model.partial_fit(1e3 * X, y)
    assert normalization_of(model) == before
    assert_allclose(before["center"], chunk(0)[0].mean(axis=0), rtol=1e-12)


def test_chunks_of_any_size_learn_each_row_once():
    # Targets far above all predictions: each step raises the last bias by the rate.
    options = {**SINGLE, "loss": "mean_absolute_error", "target_normalization": None}
    options.update(optimizer="sgd", learning_rate=2.0**-10, weight_decay=0.0)
    model = LearnedScaleRegressor(**options)
    n_steps = []
    for n_rows in (40, 1, 40, 64, 65, 200):
        X, y = chunk(7, n_rows=n_rows)
        model.partial_fit(X, y + 1e3)
        n_steps.append(network_weights(model)[0][-1][0] * 2**10)
    # Batches of 64.
    assert_allclose(n_steps, np.cumsum([1, 1, 1, 1, 2, 4]), rtol=1e-4)
    assert model.n_iter_ == 6


def test_a_long_stream_learns():
    model = stream(LearnedScaleRegressor(**SINGLE, learning_rate=0.05), range(150))
    X, y = chunk(999, n_rows=500)
    # Noise of 0.1 and a small network; a mean alone has zero.
    assert model.score(X, y) > 0.8
    assert np.mean(model.history_["loss"][-10:]) < 0.5 * np.mean(model.history_["loss"][:10])


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("options", [SINGLE, QUICK], ids=["single", "path"])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_a_copy_in_the_middle_goes_on_to_the_same_bits(cls, options, copied):
    model = stream(cls(**options), [0, 1])
    twin = copied(model)
    rows = chunk(9)[0]
    stream(model, [2, 3])
    assert not np.array_equal(output(twin, rows), output(model, rows))
    assert_array_equal(output(stream(twin, [2, 3]), rows), output(model, rows))
    assert twin.history_ == model.history_


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [{"dtype": "float64"}, {"kernel_constraint": "max_norm"}],
    ids=str,
)
def test_other_options_of_the_training_take_over_in_the_middle(changed):
    model = stream(LearnedScaleRegressor(**QUICK), range(20))
    (before,) = network_weights(model)
    stream(model.set_params(**changed), [20, 21])
    (weights,) = network_weights(model)
    assert is_float32(weights) == ("dtype" not in changed)
    # Two steps of a rate of at most 0.1 from where the network was; a norm of two at most.
    assert all(np.abs(a - b).max() < 0.5 for a, b in zip(weights, before, strict=True))
    assert np.isfinite(model.path_["mean_loss"]).all()


@pytest.mark.parametrize("options", [SINGLE, QUICK], ids=["single", "path"])
def test_a_diverging_chunk_leaves_a_model_that_goes_on(options):
    model = stream(LearnedScaleRegressor(**options, learning_rate=0.05), range(20))
    X, y = chunk(200)
    with pytest.warns(ConvergenceWarning, match="Try a smaller learning_rate"):
        model.partial_fit(X, np.where(np.arange(40) == 3, 1e25, y))
    rows, targets = chunk(999)
    score = model.score(rows, targets)
    assert np.isfinite(score)
    stream(model, range(20, 100))
    assert model.score(rows, targets) > max(score, 0.7)
    if options is QUICK:
        assert np.isfinite(model.path_["mean_loss"]).all()


def test_a_diverging_first_chunk_leaves_the_choice_open():
    model = LearnedScaleRegressor(**QUICK, target_normalization=None, learning_rate=0.05)
    X, y = chunk(30)
    with pytest.warns(ConvergenceWarning, match="diverged at every point of the path"):
        model.partial_fit(X, np.where(np.arange(40) == 3, 1e25, y))
    assert model.path_["best_index"] == 1
    assert np.isfinite(stream(model, range(40)).path_["mean_loss"]).all()
    assert model.path_["best_index"] == 0


# The choice


def test_losses_of_the_path_are_those_before_learning():
    model = LearnedScaleRegressor(**QUICK)
    # A path of one point is what the same point is among others.
    alone = [LearnedScaleRegressor(**{**QUICK, "regularization_path": [p]}) for p in POINTS]
    random, sums, weight = np.random.default_rng(0), 0.0, 0.0
    for number in range(4):
        X, y = chunk(number)
        weights = random.integers(0, 4, 40).astype(float)
        if not number:
            variance = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
        else:
            losses = np.array([(one.predict(X) - y) ** 2 / variance for one in alone])
        for estimator in (model, *alone):
            estimator.partial_fit(X, y, sample_weight=weights)
        if not number:
            # The first chunk is scored by its batches: here, before the first step.
            losses = np.full((2, 40), model.history_["loss"][0])
        sums, weight = sums + losses @ weights, weight + weights.sum()
        # Float32 losses.
        assert_allclose(model.path_["mean_loss"], sums / weight, rtol=1e-5)
    assert model.path_["best_index"] == np.argmin(sums)
    assert not model.path_["stopped"].any()
    assert_array_equal(model.path_["strength"], POINTS[:, 0])
    assert_array_equal(model.path_["weight_decay"], POINTS[:, 1])
    scales = [one.relative_scale_ for one in alone]
    assert_allclose(model.path_["scale"], scales, rtol=1e-5)
    assert_array_equal(model.path_["scale"][model.path_["best_index"]], model.relative_scale_)
    # Float32 steps.
    best = alone[model.path_["best_index"]]
    assert_allclose(model.predict(X), best.predict(X), rtol=1e-5)


def test_the_strongest_penalty_wins_on_noise_and_the_weakest_on_signal():
    noise, signal = LearnedScaleRegressor(**QUICK), LearnedScaleRegressor(**QUICK)
    random = np.random.default_rng(0)
    for number in range(60):
        X, y = chunk(number)
        noise.partial_fit(X, random.normal(size=40))
        signal.partial_fit(X, y)
    assert noise.path_["best_index"] == 1
    assert signal.path_["best_index"] == 0
    assert len(network_weights(signal)) == 1


@pytest.mark.parametrize("cls", BOTH)
def test_after_a_fit_the_chosen_networks_go_on(cls):
    # Several batches, which are learned twice.
    model = cls(**{**QUICK, "batch_size": 32, "embedding": None}).fit(*chunk(0))
    fitted = copy.deepcopy(model)
    stream(model, [1, 2])
    # Two for each of two folds.
    assert len(network_weights(model)) == 4
    best = model.path_["best_index"]
    assert_array_equal(model._partial_fit_state.points, np.tile(POINTS[best], (4, 1)))
    for name, value in fitted.path_.items():
        assert_array_equal(model.path_[name], value)
    if cls is LearnedScaleTransformer:
        assert model.power_ == fitted.power_
    rows = chunk(9)[0]
    # The weights of the fit are where it starts, and a step of 0.01 leads little further.
    old, new = (np.asarray(keras_network(estimator)(rows)) for estimator in (fitted, model))
    assert 0 < np.abs(new - old).max() < 0.5 * np.abs(old).max()
    assert model.n_iter_ == fitted.n_iter_ + 2
    assert model.history_["loss"][:-2] == fitted.history_["loss"]


def test_state_holds_the_present_and_no_past():
    model = LearnedScaleRegressor(**QUICK).fit(*chunk(0))
    n_bytes = sum(array.nbytes for arrays in network_weights(model) for array in arrays)
    assert len(pickle.dumps(model)) < n_bytes + 6000
    few = len(pickle.dumps(stream(model, [1])))
    # Weights, the same in the carried state, and two moments for each.
    assert few < 4 * n_bytes + 8000
    many = len(pickle.dumps(stream(model, range(2, 22))))
    # A loss of nine bytes for each chunk.
    assert many - few < 20 * 9 + 100


# Without a target


@pytest.mark.parametrize("is_weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("is_fitted", [False, True], ids=["from the start", "after fit"])
def test_without_y_statistics_accumulate_as_in_standard_scaler(is_weighted, is_fitted):
    random = np.random.default_rng(0)
    model, scaler = LearnedScaleTransformer(), StandardScaler()
    for number, n_rows in enumerate((30, 1, 7, 50)):
        X = np.insert(chunk(number, n_rows=n_rows)[0] + number, 1, 3.25, axis=1)
        weights = random.integers(1, 4, n_rows) / 2 if is_weighted else None
        first = not number and is_fitted
        (model.fit if first else model.partial_fit)(X, sample_weight=weights)
        (scaler.fit if first else scaler.partial_fit)(X, sample_weight=weights)
        # Rounding of float64 sums of some ten.
        assert_allclose(model.transform(X), scaler.transform(X), rtol=1e-12, atol=1e-12)
        assert_allclose(model.scale_, 1 / scaler.scale_, rtol=1e-12)
    assert_allclose(model.feature_importances_, [1 / 3, 0, 1 / 3, 1 / 3], rtol=1e-15)


@pytest.mark.parametrize("unit", [1e-310, 1e-300, 1e-170, 1e170, 1e300])
@pytest.mark.parametrize("is_fitted", [False, True], ids=["from the start", "after fit"])
def test_statistics_of_any_unit_accumulate(unit, is_fitted):
    # Neither a square nor a sum of squares of it is a float.
    X = unit * chunk(0, n_rows=40)[0]
    model = LearnedScaleTransformer()
    (model.fit if is_fitted else model.partial_fit)(X[:10])
    model.partial_fit(X[10:])
    # A subnormal number has some thirteen bits of its digits left.
    tolerance = 1e-3 if unit == 1e-310 else 1e-12
    expected = LearnedScaleTransformer().fit(X).transform(X)
    assert_allclose(model.transform(X), expected, rtol=tolerance, atol=tolerance)
    assert (model.feature_importances_ > 0).all()
    moments = model.to_sklearn().var_
    assert ((moments == 0) if unit < 1 else np.isinf(moments)).all()


def test_a_constant_that_rounds_is_constant_in_weighted_chunks_as_in_one_fit():
    random = np.random.default_rng(0)
    X = np.column_stack([np.full(30, 0.1), random.normal(size=30)])
    weights = random.uniform(0.5, 2.0, 30)
    model = LearnedScaleTransformer()
    for rows in np.split(np.arange(30), 3):
        model.partial_fit(X[rows], sample_weight=weights[rows])
    fitted = LearnedScaleTransformer().fit(X, sample_weight=weights)
    assert_array_equal(fitted.feature_importances_, [0, 1])
    assert_array_equal(model.feature_importances_, fitted.feature_importances_)


def test_a_stream_has_a_target_in_all_chunks_or_in_none():
    X, y = chunk(0)
    with pytest.raises(ValueError, match="The first chunk had no y, so that statistics accumulate"):
        LearnedScaleTransformer(**SINGLE).partial_fit(X).partial_fit(X, y)
    with pytest.raises(ValueError, match="had a y to learn, but this one differs"):
        LearnedScaleTransformer(**SINGLE).partial_fit(X, y).partial_fit(X)


@pytest.mark.slow
def test_a_network_without_a_target_learns_from_chunks():
    model = LearnedScaleTransformer(**SINGLE, unsupervised="autoencoder")
    for number in range(3):
        X = np.insert(chunk(number)[0], 1, 3.25, axis=1)
        model.partial_fit(X)
    assert model.n_iter_ == 3
    assert model.feature_importances_[1] == 0
    assert np.isfinite(model.transform(X)).all()


# Classes


LABELS = np.array(["low", "middle", "high"])


def test_classes_are_named_in_the_first_call():
    X, y = chunk(0)
    labels = LABELS[np.digitize(y, [0.5, 1.5])]
    unnamed = LearnedScaleTransformer(**SINGLE).partial_fit(
        X[labels != "high"], labels[labels != "high"]
    )
    assert unnamed.target_type_ == "binary"
    with pytest.raises(ValueError, match=r"the labels 'high', .* classes=\.\.\.\)"):
        unnamed.partial_fit(X, labels)
    only_low = np.full(40, "low")
    model = LearnedScaleTransformer(**SINGLE).partial_fit(X, only_low, classes=LABELS)
    assert model.target_type_ == "multiclass"
    assert model.n_outputs_ == 3
    model.partial_fit(X, labels)
    with pytest.raises(ValueError, match=r"the labels .*'lowest'"):
        model.partial_fit(X, np.full(40, "lowest"))
    binary = LearnedScaleTransformer(**SINGLE).partial_fit(X, only_low, classes=["low", "high"])
    assert (binary.target_type_, binary.n_outputs_) == ("binary", 1)


# Refusals


@pytest.mark.parametrize("cls", BOTH)
def test_a_chunk_that_fits_no_earlier_one_is_refused_before_training(cls, request):
    model = stream(cls(**SINGLE), [0])
    X, y = chunk(1)
    before = pickle.dumps(model)

    request.getfixturevalue("no_training")
    name = cls.__name__
    for rows, target, message in [
        (X[:, :2], y, f"X has 2 features, but {name} is expecting 3 features as input"),
        (X, np.stack([y, y], axis=1), "y has 2 columns, but the present networks predict 1"),
        (X[:20], y, r"inconsistent numbers of samples: \[20, 40\]"),
        (np.where(X > 0, np.inf, X), y, "Input X contains infinity"),
        (X, np.where(y > 1, np.nan, y), "Input y contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(rows, target)
    with pytest.raises(ValueError, match=ALL_ZERO):
        model.partial_fit(X, y, sample_weight=np.zeros(40))
    assert pickle.dumps(model) == before
    model.set_params(hidden_layer_sizes=(5,))
    with pytest.raises(ValueError, match=r"present networks have weights of shapes .* Keep the"):
        model.partial_fit(X, y)


@pytest.mark.parametrize(
    ("first", "second"), [(1e-300, 1e-310), (1e155, 1e155), (2.0**1000, 1e300), (2.0, 1.0)]
)
def test_chunks_without_y_are_standardized_by_the_ratios_of_weights(first, second):
    rows = [chunk(number)[0] for number in (0, 1)]
    model = LearnedScaleTransformer()
    for part, weight in zip(rows, (first, second), strict=True):
        model.partial_fit(part, sample_weight=np.full(40, weight))
    ratio = second / first
    both = np.concatenate(rows)
    scaler = StandardScaler().fit(both, sample_weight=np.repeat([1.0, ratio], 40))
    # Means of chunks are merged by another formula.
    assert_allclose(model.transform(both), scaler.transform(both), rtol=1e-9)


def test_a_point_that_is_given_twice_is_learned_twice():
    twice = {**QUICK, "regularization_path": [POINTS[0], POINTS[0]]}
    model = LearnedScaleRegressor(**twice).partial_fit(*chunk(0))
    assert len(model.path_["strength"]) == 2
