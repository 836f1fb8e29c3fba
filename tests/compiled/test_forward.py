"""Dropout and batch statistics: as Keras has them, for stacks of networks and weighted rows."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import MinMaxScaler
from small_networks import (
    COMPILE_CONFIG,
    N_FEATURES,
    N_ROWS,
    SPEC,
    assert_same_bits,
    dataset_of,
    draw_rows,
    full_batches,
    make_dataset,
    make_run,
)

from skscale import LearnedScaleRegressor, LearnedScaleTransformer
from skscale._compiled.forward import Batch, Forward
from skscale._network.dense_spec import DenseSpec
from skscale._network.from_parameters import make_spec
from skscale._parameters import NetworkParameters
from skscale._training.evaluate import evaluate_losses
from skscale._training.train import train

DROPPING = dataclasses.replace(SPEC, dropout=0.5)
BATCH = dataclasses.replace(SPEC, batch_normalization=True)

SINGLE = {
    "scale_regularizer": None,
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "epochs": 20,
    "random_state": 0,
}
_random = np.random.default_rng(0)
X = _random.normal([0.0, 1.0, 5.0], [1.0, 2.0, 3.0], size=(40, 3))
y = X[:, 0] ** 2 + X[:, 1] + 0.1 * _random.normal(size=40)


def fit(rows=X, cls=LearnedScaleRegressor, **options):
    return cls(**{**SINGLE, **options}).fit(rows, y)


def after_batch(row_weights, seed=0, step=0):
    """A training batch, as the step describes it."""
    return Batch(tf.constant(row_weights), tf.constant(seed), tf.constant(step))


# Dropout


def test_a_rate_of_zero_is_no_dropout():
    def key(**options):
        parameters = NetworkParameters(scale_regularizer=None, **options)
        return make_spec(parameters, n_features=3, n_outputs=1).key()

    assert key(dropout=0) == key()
    assert "Dropout" not in key(hidden_layer=keras.layers.Dense, dropout=0.0)


def test_what_is_kept_has_the_activation_expected():
    spec = DenseSpec(2, 2, (2,), "linear", dropout=0.3, center=False, use_bias=False)
    weights = [np.ones(2), np.eye(2), np.eye(2)]
    rows = np.tile([[3.0, -2.0]], (10_000, 1))
    ones = np.ones(len(rows))
    outputs = Forward(spec, "float64")(weights, tf.constant(rows), batch=after_batch(ones)).values
    outputs = np.asarray(outputs)
    kept = outputs != 0
    # Inverted dropout: rounding of one product.
    assert_allclose(outputs[kept], (rows / 0.7)[kept], rtol=1e-15)
    # Four standard deviations of 10,000 draws; units are dropped on their own.
    assert_allclose(kept.mean(axis=0), 0.7, atol=4 * np.sqrt(0.21 / 10_000))
    assert abs(np.corrcoef(kept.T)[0, 1]) < 4 / np.sqrt(10_000)
    assert_array_equal(Forward(spec, "float64")(weights, tf.constant(rows)).values, rows)


def test_every_seed_step_and_layer_drops_anew():
    spec = DenseSpec(2, 50, (50, 50), "linear", dropout=0.5, center=False, use_bias=False)
    first = np.concatenate([np.eye(2)[:, :1] @ np.ones((1, 50))])
    weights = [np.ones(2), first, np.eye(50), np.eye(50)]
    rows = np.tile([[1.0, 0.0]], (8, 1))

    def kept(seed, step, layer):
        # A rate on the first layer alone shows it; both together show the second.
        chosen = spec if layer else dataclasses.replace(spec, hidden_layer_sizes=(50,))
        arrays = weights if layer else weights[:3]
        batch = after_batch(np.ones(8), seed, step)
        return (
            np.asarray(Forward(chosen, "float64")(arrays, tf.constant(rows), batch=batch).values)
            != 0
        )

    masks = [kept(seed, step, layer) for seed in (0, 1) for step in (0, 1) for layer in (0, 1)]
    for i, one in enumerate(masks):
        assert not any(np.array_equal(one, other) for other in masks[:i])
    assert_array_equal(kept(1, 1, 0), masks[6])


def test_a_stack_drops_what_its_networks_drop_alone():
    runs = [make_run(k, spec=DROPPING, strength=0.1 * k) for k in range(3)]
    stacked = train(COMPILE_CONFIG, full_batches(), make_dataset(), runs, stack=3)
    for run, one in zip(runs, stacked, strict=True):
        alone = train(COMPILE_CONFIG, full_batches(), make_dataset(), [run])[0]
        for a, b in zip(one.weights, alone.weights, strict=True):
            # Rounding of 1e-16 in products of another order, over 25 steps.
            assert_allclose(a, b, rtol=0, atol=1e-12)


def test_the_seed_decides_what_is_dropped():
    # All batches are whole tables: nothing but dropout depends on the seed.
    run = make_run(spec=DROPPING)
    other = dataclasses.replace(run, seed=1)
    first, second, again = (
        train(COMPILE_CONFIG, full_batches(), make_dataset(), [one]) for one in (run, other, run)
    )
    assert_same_bits(first, again)
    assert not np.array_equal(first[0].weights[2], second[0].weights[2])


def test_held_out_losses_drop_nothing():
    dataset, run, rows = make_dataset("float32"), make_run(), np.arange(5)
    losses = evaluate_losses(DROPPING, COMPILE_CONFIG, run.weights, dataset, rows)
    assert_array_equal(losses, evaluate_losses(SPEC, COMPILE_CONFIG, run.weights, dataset, rows))


@pytest.mark.parametrize("cls", [LearnedScaleRegressor, LearnedScaleTransformer])
def test_predictions_drop_nothing_and_the_random_state_decides(cls):
    first, again, other = (fit(cls=cls, dropout=0.4, random_state=k) for k in (0, 0, 1))
    plain = dataclasses.replace(first._ensemble.spec, dropout=0.0)
    without = dataclasses.replace(first._ensemble, spec=plain)
    assert_array_equal(first._ensemble.mean_output(X), without.mean_output(X))
    assert_array_equal(first.scale_, again.scale_)
    assert not np.array_equal(first.scale_, other.scale_)


# Batch statistics


def keras_batch_normalization(dtype="float64"):
    layer = keras.layers.BatchNormalization(center=False, scale=False, dtype=dtype)
    layer.build((None, N_FEATURES))
    return layer


def test_steps_and_statistics_are_those_of_keras():
    layer = keras_batch_normalization()
    spec = DenseSpec(
        N_FEATURES, N_FEATURES, (), center=False, use_bias=False, batch_normalization=True
    )
    forward = Forward(spec, "float64")
    statistics = [np.zeros(N_FEATURES), np.ones(N_FEATURES)]
    random = np.random.default_rng(0)
    for step in range(4):
        rows = tf.constant(random.normal(2.0, 3.0, size=(50, N_FEATURES)))
        counts = (random.random(50) < 0.8).astype(float)
        weights = [np.ones(N_FEATURES), np.eye(N_FEATURES), *statistics]
        outputs = forward(weights, rows, batch=after_batch(counts, step=step))
        statistics = outputs.statistics
        expected = layer(rows, training=True, mask=tf.constant(counts > 0))
        # Keras adds 1e-7 to the count of some 40 rows.
        assert_allclose(outputs.values, expected, rtol=1e-7, atol=1e-8)
        assert_allclose(statistics[0], layer.moving_mean, rtol=1e-7)
        assert_allclose(statistics[1], layer.moving_variance, rtol=1e-7)
    rows = tf.constant(random.normal(2.0, 3.0, size=(50, N_FEATURES)))
    weights = [np.ones(N_FEATURES), np.eye(N_FEATURES), *statistics]
    # Means as above.
    assert_allclose(forward(weights, rows).values, layer(rows), rtol=1e-7, atol=1e-8)


@pytest.mark.slow
def test_weights_equal_repetition_in_batch_statistics():
    counts = np.random.default_rng(1).integers(0, 4, N_ROWS)
    used = np.flatnonzero(counts)
    repeated = np.repeat(used, counts[used])
    inputs, targets = draw_rows()
    config = full_batches(100, batch_size=96)
    weighted = train(
        COMPILE_CONFIG,
        config,
        make_dataset(weights=counts),
        [make_run(rows=used, spec=BATCH)],
    )[0]
    dataset = dataset_of(inputs[repeated], targets[repeated], dtype="float64")
    run = make_run(rows=np.arange(len(repeated)), spec=BATCH)
    plain = train(COMPILE_CONFIG, config, dataset, [run])[0]
    for a, b in zip(weighted.weights, plain.weights, strict=True):
        # Rounding of 1e-16 in sums of another order, which 100 steps may amplify.
        assert_allclose(a, b, rtol=0, atol=1e-9)
    assert (np.abs(plain.weights[-2]) > 1e-4).any()


def test_padding_rows_are_not_in_the_statistics_of_any_network():
    run = make_run(rows=np.arange(30), spec=BATCH)
    plain = train(COMPILE_CONFIG, full_batches(batch_size=32), make_dataset(), [run])[0]
    runs = [run, make_run(1, rows=np.arange(N_ROWS), spec=BATCH)]
    padded = train(COMPILE_CONFIG, full_batches(), make_dataset(), runs, stack=2)[0]
    for a, b in zip(plain.weights, padded.weights, strict=True):
        # Rounding of 1e-16 in sums of another order, over 25 steps.
        assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("center", [True, False])
def test_the_statistics_are_composed_with_the_scaling_layer(center):
    model = fit(normalization="batch", center=center)
    *weights, mean, variance = model._ensemble.members[0]
    kernel, bias, last_kernel, last_bias = weights[-4:]
    offset = weights[1] if center else 0.0
    batch = ((X - X.mean(axis=0)) / X.std(axis=0) - mean) / np.sqrt(variance + 1e-3)
    hidden = weights[0] * batch + offset
    # Float64 both, in another order of operations.
    assert_allclose(X * model.scale_ + model.offset_, hidden, rtol=1e-9, atol=1e-12)
    outputs = np.tanh(hidden @ kernel + bias) @ last_kernel + last_bias
    assert_allclose(model.predict(X), y.mean() + y.std() * outputs[:, 0], rtol=1e-9)
    gain = fit(cls=LearnedScaleTransformer, normalization="batch", center=center, readout="gain")
    assert_allclose(gain.transform(X), X * gain.scale_ + gain.offset_, rtol=1e-9, atol=1e-12)
    # The same network, but for the sign of its factors.
    assert_allclose(np.abs(gain.transform(X)), np.abs(hidden), rtol=1e-9, atol=1e-12)


def test_small_units_are_not_spoilt_by_the_epsilon():
    units = 2.0 ** np.array([-40, 0, 40])
    plain, model = fit(normalization="batch"), fit(X * units, normalization="batch")
    # Powers of two change no digit.
    assert_array_equal(model.predict(X * units), plain.predict(X))
    assert_array_equal(model.scale_ * units, plain.scale_)
    assert_array_equal(model.feature_importances_, plain.feature_importances_)


# Scalers


def test_settings_of_a_scaler_are_nested_parameters():
    model = LearnedScaleTransformer(**SINGLE, dropout=0.4, normalization=MinMaxScaler())
    model.set_params(normalization__feature_range=(-2, 2))
    model.fit(X, y)
    assert_array_equal(model._ensemble.normalized(X).min(axis=0), np.full(3, -2))
    # A product of two float64 numbers.
    assert_allclose(model._ensemble.normalized(X).max(axis=0), 2, rtol=1e-15)
    assert "normalization__feature_range" in model.get_params()
