"""The periodic embedding inside the compiled program: the numbers of the Keras layer."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skscale._compiled.periodic import cosine, waves
from skscale._compiled.scaling import Scaling
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale._network.periodic_spec import PeriodicSpec
from skscale.layers import PeriodicEmbedding

N_FEATURES = 5


def embedding_of(columns, dtype, seed=0):
    """A spec, its weights, and the Keras layer of the same."""
    embedding = PeriodicSpec(columns, n_frequencies=6, units=2, frequency_scale=0.7)
    spec = DenseSpec(N_FEATURES, 1, (), embedding=embedding)
    weights = spec.split(initialize_weights(spec, np.random.default_rng(seed))).layers[:4]
    weights = [weight.astype(dtype) for weight in weights]
    weights[3] += 0.5
    indices = None if columns is None else list(columns)
    layer = PeriodicEmbedding(6, 2, 0.7, indices=indices, dtype=dtype)
    layer.build((None, N_FEATURES))
    layer.set_weights(weights)
    return embedding, weights, layer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cosine_of_full_turns_is_that_of_numpy(dtype):
    turns = np.linspace(-3.2, 3.2, 40_001).astype(dtype)
    exact = np.cos(2 * np.pi * turns.astype(float))
    # The polynomial's own error is 2.5e-8, and float32 rounds a cosine to 6e-8.
    assert np.abs(cosine(tf.constant(turns)) - exact).max() < (5e-7 if dtype == "float32" else 3e-8)


def test_gradient_of_the_cosine_is_that_of_its_polynomial():
    turns = tf.constant(np.linspace(-2.4, 2.4, 4001))
    with tf.GradientTape() as tape:
        tape.watch(turns)
        total = tf.reduce_sum(cosine(turns))
    slope = tape.gradient(total, turns)
    exact = -2 * np.pi * np.sin(2 * np.pi * turns.numpy())
    # A derivative of an approximation is less close than the approximation: 2e-6 of 6.
    assert np.abs(slope - exact).max() < 5e-6


def scaling_of(dtype, *leading):
    """Factors and offsets, one of each feature."""
    random = np.random.default_rng(3)
    draw = [random.normal(1.0, 0.5, (*leading, N_FEATURES)) for _ in range(2)]
    return Scaling(*(tf.constant(array.astype(dtype)) for array in draw))


def added(layer, scaling, rows):
    """What the Keras layer adds to scaled features."""
    return layer(scaling.apply(rows))[..., N_FEATURES:]


@pytest.mark.parametrize("columns", [None, (3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_are_those_of_the_keras_layer(columns, dtype):
    embedding, weights, layer = embedding_of(columns, dtype)
    rows = tf.constant(np.random.default_rng(1).normal(size=(40, N_FEATURES)).astype(dtype))
    outputs = waves(embedding, [*map(tf.constant, weights)], rows, scaling_of(dtype))
    # Six waves, each off by the polynomial's 2.5e-8 and, in float32, some roundings of 6e-8.
    atol = 3e-6 if dtype == "float32" else 2e-7
    exact = added(layer, scaling_of(dtype), rows)
    np.testing.assert_allclose(tf.transpose(outputs), exact, rtol=0, atol=atol)


def test_a_stack_embeds_each_network_by_its_own_weights():
    members = [embedding_of((1, 4), "float64", seed) for seed in range(3)]
    rows = tf.constant(np.random.default_rng(1).normal(size=(3, 7, N_FEATURES)))
    stacked = [tf.stack(arrays) for arrays in zip(*(m[1] for m in members), strict=True)]
    scaling = scaling_of("float64", 3)
    outputs = waves(members[0][0], stacked, rows, scaling)
    for k, (_, _, layer) in enumerate(members):
        exact = added(layer, Scaling(scaling.scale[k], scaling.offset[k]), rows[k])
        np.testing.assert_allclose(tf.transpose(outputs[k]), exact, rtol=0, atol=2e-7)


def test_gradients_are_those_of_the_keras_layer():
    embedding, weights, layer = embedding_of((3, 0), "float64")
    rows = tf.constant(np.random.default_rng(1).normal(size=(40, N_FEATURES)))
    target = tf.constant(np.random.default_rng(2).normal(size=(40, 4)))
    tensors, scaling = [*map(tf.constant, weights)], scaling_of("float64")
    with tf.GradientTape() as tape:
        tape.watch([*scaling, *tensors])
        outputs = tf.transpose(waves(embedding, tensors, rows, scaling))
        loss = tf.reduce_mean((outputs - target) ** 2)
    ours = tape.gradient(loss, [*scaling, *tensors])
    with tf.GradientTape() as tape:
        tape.watch([*scaling])
        loss = tf.reduce_mean((added(layer, scaling, rows) - target) ** 2)
    theirs = tape.gradient(loss, [*scaling, *(v.value for v in layer.trainable_variables)])
    for one, other in zip(ours, theirs, strict=True):
        # The slope of the polynomial is off by 2e-6 of 6.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1e20, 3e38])
def test_features_of_any_size_have_finite_waves(size):
    embedding, weights, layer = embedding_of(None, "float32")
    rows, scaling = tf.fill((2, N_FEATURES), tf.constant(size)), Scaling(tf.ones(N_FEATURES), None)
    outputs = waves(embedding, [*map(tf.constant, weights)], rows, scaling)
    for values in (outputs, added(layer, scaling, rows)):
        assert np.isfinite(values).all()
