"""SineDense computes, trains and refuses what it says."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skscale.layers import SineDense


def sine_dense(units=3, n_features=5, **kwargs):
    layer = SineDense(units, **kwargs)
    layer.build((None, n_features))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


def formula(layer, x):
    kernel, *bias, frequency = layer.get_weights()
    return np.sin(frequency * (x @ kernel + (bias[0] if bias else 0)))


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("leading", [(4,), (4, 3), (4, 3, 2)])
def test_output_is_the_sine_of_frequency_times_dense(use_bias, leading):
    x = np.random.default_rng(1).normal(size=(*leading, 5))
    layer = sine_dense(use_bias=use_bias, dtype="float64")
    output = layer(x)
    assert output.shape == (*leading, 3) == layer.compute_output_shape(x.shape)
    # Sums of five float64 products of order one.
    np.testing.assert_allclose(output, formula(layer, x), rtol=1e-13, atol=1e-14)


def test_weights_are_kernel_bias_frequency():
    layer = sine_dense()
    assert [weight.name for weight in layer.trainable_weights] == ["kernel", "bias", "frequency"]
    assert [tuple(weight.shape) for weight in layer.weights] == [(5, 3), (3,), (3,)]
    assert all(weight is getattr(layer, weight.name) for weight in layer.weights)
    without = sine_dense(use_bias=False)
    assert [weight.name for weight in without.weights] == ["kernel", "frequency"]
    assert without.bias is None


def test_layer_starts_as_a_dense_layer_with_sine():
    x = np.random.default_rng(1).normal(size=(4, 5)).astype("float32")
    seeded = keras.initializers.GlorotUniform(seed=0)
    dense = keras.layers.Dense(3, keras.ops.sin, kernel_initializer=seeded)
    np.testing.assert_array_equal(SineDense(3, kernel_initializer=seeded)(x), dense(x))


def test_gradients_are_those_of_the_formula():
    x = np.random.default_rng(1).normal(size=(4, 5))
    inputs = tf.constant(x)
    layer = sine_dense(dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(layer(inputs))
    gradients = tape.gradient(total, [inputs, *(weight.value for weight in layer.weights)])
    kernel, bias, frequency = layer.get_weights()
    dense = x @ kernel + bias
    of_dense = frequency * np.cos(frequency * dense)
    of_frequency = (dense * np.cos(frequency * dense)).sum(axis=0)
    expected = [of_dense @ kernel.T, x.T @ of_dense, of_dense.sum(axis=0), of_frequency]
    for gradient, exact in zip(gradients, expected, strict=True):
        # Sums of up to twenty float64 products of order one.
        np.testing.assert_allclose(gradient, exact, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("weight", ["kernel", "bias", "frequency"])
def test_options_are_on_their_weight(weight):
    options = {
        f"{weight}_initializer": keras.initializers.Constant(2.0),
        f"{weight}_regularizer": keras.regularizers.L1(0.5),
        f"{weight}_constraint": keras.constraints.NonNeg(),
    }
    layer = SineDense(3, **options)
    layer.build((None, 5))
    variable = getattr(layer, weight)
    np.testing.assert_array_equal(variable, np.full(variable.shape, 2.0))
    np.testing.assert_array_equal(layer.losses, [np.prod(variable.shape)])
    for other in layer.weights:
        assert isinstance(other.constraint, keras.constraints.NonNeg) == (other is variable)


def test_frequency_is_learned():
    x = np.linspace(-2, 2, 64, dtype="float32")[:, None]
    layer = SineDense(1, use_bias=False, kernel_initializer="ones", kernel_constraint="unit_norm")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.Adam(0.05), "mse", run_eagerly=True)
    # Eighty steps of all rows: an epoch for each would take longer than its step.
    x = np.tile(x, (80, 1))
    model.fit(x, np.sin(2 * x), batch_size=64, shuffle=False, verbose=0)
    kernel, frequency = (weight.item() for weight in layer.get_weights())
    # The constraint holds after every update, to float32 rounding; the rate is .05 a step.
    assert abs(kernel) == pytest.approx(1, abs=1e-5)
    assert kernel * frequency == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("units", [0, -3])
def test_units_below_one_are_refused(units):
    with pytest.raises(ValueError, match=rf"units={units} leaves no output.*at least 1"):
        SineDense(units)


@pytest.mark.parametrize("units", [2.0, "3", None, True])
def test_units_that_are_no_whole_number_are_refused(units):
    with pytest.raises(TypeError, match=r"units=.* is no number of outputs.*int of at least 1"):
        SineDense(units)


def test_numpy_integers_are_units():
    assert SineDense(np.int64(4)).get_config()["units"] == 4


def test_an_input_without_a_batch_axis_is_refused_as_dense_refuses_it():
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        SineDense(3)(np.ones(5, "float32"))
