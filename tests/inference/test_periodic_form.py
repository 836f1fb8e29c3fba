"""The periodic embedding in NumPy: outputs and gradients of the Keras layer."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skscale._inference.dense import dense_form, forward
from skscale._inference.gradients import squared_gradients
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale._network.keras_model import keras_network
from skscale._network.periodic_spec import PeriodicSpec

N_FEATURES = 4
# Over one chunk of rows, and under.
ROW_COUNTS = [3, 600]


def network_of(columns=None, **options):
    embedding = PeriodicSpec(columns, n_frequencies=5, units=2, frequency_scale=0.6)
    spec = DenseSpec(N_FEATURES, 2, (7,), "tanh", embedding=embedding, **options)
    weights = initialize_weights(spec, np.random.default_rng(0))
    # Factors, offsets and biases that differ from feature to feature.
    random = np.random.default_rng(1)
    weights = [w + 0.3 * random.normal(size=w.shape) for w in weights]
    return spec, weights


@pytest.mark.parametrize("columns", [None, (2, 0)])
@pytest.mark.parametrize("n_rows", ROW_COUNTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_are_those_of_keras(columns, n_rows, dtype):
    spec, weights = network_of(columns)
    rows = np.random.default_rng(2).normal(size=(n_rows, N_FEATURES)).astype(dtype)
    model = keras_network(spec, weights, dtype=dtype)
    outputs = forward(rows, dense_form(spec, weights))
    assert outputs.dtype == dtype
    # Waves of up to ten turns lose that many roundings in float32; float64 has none to see.
    atol = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(outputs, model(rows), rtol=0, atol=atol)


@pytest.mark.parametrize("options", [{}, {"center": False}, {"batch_normalization": True}])
@pytest.mark.parametrize("columns", [None, (3, 1)])
def test_gradients_are_those_of_keras(columns, options):
    spec, weights = network_of(columns, **options)
    if spec.batch_normalization:
        weights[-1] = np.abs(weights[-1])
    rows = tf.constant(np.random.default_rng(2).normal(size=(600, N_FEATURES)))
    model = keras_network(spec, weights, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(rows)
        outputs = model(rows)
    jacobian = np.asarray(tape.batch_jacobian(outputs, rows))
    ours = squared_gradients(np.asarray(rows), dense_form(spec, weights), of_logits=True)
    np.testing.assert_allclose(ours, np.square(jacobian).sum(axis=1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e20, 1e38, -1e38])
def test_rows_far_outside_give_finite_outputs(dtype, size):
    spec, weights = network_of()
    outputs = forward(np.full((2, N_FEATURES), size, dtype), dense_form(spec, weights))
    assert np.isfinite(outputs).all()


def test_a_factor_of_zero_silences_a_feature_and_its_waves():
    spec, weights = network_of()
    weights[0][2] = 0.0
    rows = np.random.default_rng(2).normal(size=(20, N_FEATURES))
    moved = rows + np.array([0.0, 0.0, 5.0, 0.0])
    form = dense_form(spec, weights)
    np.testing.assert_array_equal(forward(rows, form), forward(moved, form))
    assert (squared_gradients(rows, form, of_logits=True)[:, 2] == 0).all()


@pytest.mark.parametrize("columns", [None, (2, 0)])
def test_a_row_does_not_depend_on_its_company(columns):
    # Few rows take NumPy's cosine, many a polynomial.
    spec, weights = network_of(columns)
    form = dense_form(spec, weights)
    rows = np.random.default_rng(2).normal(size=(1100, N_FEATURES))
    together = forward(rows, form)
    gradients = squared_gradients(rows, form, of_logits=True)
    for i in (0, 511, 512, 1099):
        row = rows[i : i + 1]
        np.testing.assert_allclose(forward(row, form)[0], together[i], rtol=0, atol=1e-13)
        alone = squared_gradients(row, form, of_logits=True)[0]
        np.testing.assert_allclose(alone, gradients[i], rtol=1e-11)


def test_no_array_that_comes_in_is_changed():
    spec, weights = network_of()
    rows = np.random.default_rng(2).normal(size=(600, N_FEATURES))
    kept = [array.copy() for array in (rows, *weights)]
    forward(rows, dense_form(spec, weights))
    squared_gradients(rows, dense_form(spec, weights), of_logits=True)
    for array, before in zip((rows, *weights), kept, strict=True):
        np.testing.assert_array_equal(array, before)
