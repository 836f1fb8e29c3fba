"""Denormalization undoes keras.layers.Normalization, whatever the data."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from skscale.layers import Denormalization


def table(dtype="float32"):
    """Return columns of usual, tiny, subnormal and no deviation, and one far from zero."""
    z = np.random.default_rng(0).normal(size=(40, 6))
    x = z * [1, 1e-9, 1e-30, 0, 0, 1e3] + [0, 0, 0, 0.1, -1e9, 1e5]
    return x.astype(dtype)


def both(**kwargs):
    return keras.layers.Normalization(**kwargs), Denormalization(**kwargs)


def assert_undone(layers, x, dtype):
    normalization, denormalization = layers
    back = np.asarray(denormalization(normalization(x)))
    mean = np.abs(np.asarray(normalization.mean))
    # Rounding of a difference from the mean, of a quotient, a product and a sum.
    assert (np.abs(back - x) <= 4 * np.finfo(dtype).eps * (np.abs(x) + mean)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adapted_to_the_same_data_it_gives_the_data_back(dtype):
    x = table(dtype)
    layers = both(dtype=dtype)
    for layer in layers:
        layer.adapt(x)
    assert_undone(layers, x, dtype)
    # Constants are given back to the last bit.
    back = np.asarray(layers[1](layers[0](x)))
    np.testing.assert_array_equal(back[:, 3:5], x[:, 3:5])
    # Other data too, where the constant features are not constant.
    assert_undone(layers, x + np.asarray([1, 1e-9, 1e-30, 0.1, 10, 1e3], dtype), dtype)


@pytest.mark.parametrize("variance", [0.0, 1e-30, 1e-14, 1.0, 1e20])
@pytest.mark.parametrize("mean", [0.0, -3.0, 1e6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_given_the_same_numbers_it_gives_the_data_back(mean, variance, dtype):
    x = (mean + np.sqrt(variance) * np.random.default_rng(0).normal(size=(9, 3))).astype(dtype)
    layers = both(mean=[mean] * 3, variance=[variance] * 3, dtype=dtype)
    for layer in layers:
        layer.build(x.shape)
    assert_undone(layers, x, dtype)


def test_a_prediction_for_a_constant_feature_is_the_constant():
    x = np.full((4, 1), 0.1, "float32")
    layer = Denormalization()
    layer.adapt(x)
    np.testing.assert_array_equal(layer(np.zeros((4, 1), "float32")), x)
    # An output of order one moves it by epsilon, 1e-7.
    np.testing.assert_allclose(layer(np.ones((4, 1), "float32")), x, rtol=0, atol=1.1e-7)


def test_formula_is_product_with_the_deviation_plus_mean():
    layer = Denormalization(mean=[1.0, 2.0], variance=[4.0, 9.0])
    np.testing.assert_array_equal(layer(np.array([[0.0, 1.0], [2.0, -1.0]])), [[1, 5], [5, -1]])
    assert [weight.name for weight in layer.non_trainable_weights] == ["mean", "variance"]
    assert layer.trainable_weights == []


def test_gradient_is_the_deviation_and_epsilon_at_least():
    layer = Denormalization(mean=[1.0, 2.0], variance=[4.0, 0.0], dtype="float64")
    z = tf.constant([[3.0, 5.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(layer(z))
    np.testing.assert_array_equal(tape.gradient(total, z), [[2, keras.config.epsilon()]])


def test_float64_keeps_its_digits():
    mean, variance = np.array([1e9 + 0.1]), np.array([1 / 3])
    layer = Denormalization(mean=mean, variance=variance, dtype="float64")
    expected = np.sqrt(1 / 3) * 0.7 + mean[0]
    again = Denormalization.from_config(json.loads(json.dumps(layer.get_config())))
    for made in [layer, again]:
        np.testing.assert_array_equal(made(np.array([[0.7]])), [[expected]])


def test_python_floats_are_rounded_as_normalization_rounds_them():
    x = np.array([[0.1, 1e9 + 0.3]])
    layers = both(mean=[0.1, 1e9 + 0.3], variance=[1 / 3, 1e-30], dtype="float64")
    for layer in layers:
        layer.build(x.shape)
    assert_undone(layers, x, "float64")
    again = Denormalization.from_config(json.loads(json.dumps(layers[1].get_config())))
    assert_undone((layers[0], again), x, "float64")


def test_float64_holds_a_variance_beyond_float32():
    layer = Denormalization(mean=[1.0], variance=[1e60], dtype="float64")
    np.testing.assert_array_equal(layer(np.array([[2.0]])), [[2e30]])
    with pytest.raises(ValueError, match=r"variance of \[inf\] in float32 has no inverse"):
        Denormalization(mean=[1.0], variance=[1e60])


def as_dataset(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(16)


def as_pairs(x):
    return tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(16)


@pytest.mark.parametrize("form", [np.asarray, tf.constant, as_dataset, as_pairs])
def test_every_form_of_data_gives_keras_own_numbers(form):
    x = np.random.default_rng(0).normal(3, 2, size=(40, 4)).astype("float32")
    normalization, denormalization = both()
    try:
        normalization.adapt(form(x))
    except AttributeError as error:
        pytest.skip(f"This version of Keras takes no pairs: {error}")
    denormalization.adapt(form(x))
    for found, expected in zip(
        denormalization.get_weights(), normalization.get_weights(), strict=False
    ):
        np.testing.assert_array_equal(found, expected)
    # Means of 40 float32 numbers of order one.
    np.testing.assert_allclose(denormalization.mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(denormalization.variance, x.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("axis", "shape"),
    [(-1, (3,)), (None, ()), (1, (5,)), ((1, 2), (5, 3)), ([-1, 1], (5, 3)), (-2, (5,))],
)
def test_axes_are_those_of_normalization(axis, shape):
    x = np.random.default_rng(0).normal(3, 2, size=(40, 5, 3)).astype("float32")
    layers = both(axis=axis)
    for layer in layers:
        layer.adapt(x)
    assert layers[1].mean.shape == shape
    assert_undone(layers, x, "float32")


@pytest.mark.parametrize("given", [2.0, [2.0], [1.0, 2.0, 3.0]])
def test_given_numbers_are_spread_over_the_axes(given):
    x = np.random.default_rng(0).normal(3, 2, size=(40, 5, 3)).astype("float32")
    layers = both(axis=(1, 2), mean=given, variance=given)
    for layer in layers:
        layer.build(x.shape)
    assert_undone(layers, x, "float32")


def test_weights_of_a_normalization_make_its_inverse():
    x = table()
    normalization, denormalization = both()
    normalization.adapt(x)
    denormalization.build(x.shape)
    denormalization.set_weights(normalization.get_weights()[:2])
    assert_undone((normalization, denormalization), x, "float32")


def test_adapting_again_forgets_earlier_data_also_in_a_compiled_model():
    x = np.random.default_rng(0).normal(3, 2, size=(40, 4)).astype("float32")
    layer = Denormalization()
    layer.adapt(x)
    model = keras.Sequential([keras.Input((4,)), layer])
    zeros = np.zeros((1, 4), "float32")
    before = model.predict(zeros, verbose=0)
    layer.adapt(2 * x)
    # Twice a float32 number is exact.
    np.testing.assert_array_equal(model.predict(zeros, verbose=0), 2 * before)


def test_a_model_can_be_made_first_and_adapted_later_but_not_used_before():
    layer = Denormalization(name="back")
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(loss="mse")
    x = np.array([[1.0, 5.0], [3.0, 5.0]], "float32")
    for use in [model, lambda z: model.predict(z, verbose=0), tf.function(model)]:
        with pytest.raises(ValueError, match=r"'back' does not know its mean.*adapt\(data\)"):
            use(x)
    clone = keras.models.clone_model(model)
    layer.adapt(x)
    np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), [[3, 5]])
    # A clone is as new, and learns what it needs from its weights.
    with pytest.raises(ValueError, match="does not know its mean"):
        clone(x)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


def test_adapted_numbers_are_in_saved_weights(tmp_path):
    x = table()
    layer = Denormalization()
    layer.adapt(x)
    model = keras.Sequential([keras.Input((6,)), layer])
    for ending in ["keras", "h5"]:
        model.save(tmp_path / f"model.{ending}")
        loaded = keras.saving.load_model(tmp_path / f"model.{ending}")
        np.testing.assert_array_equal(loaded(x), model(x))
        assert loaded.layers[-1].get_config()["mean"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": 1.0}, "mean=1.0 and variance=None. Give both, or none"),
        ({"variance": 1.0}, "mean=None and variance=1.0. Give both, or none"),
        ({"mean": [1.0], "variance": 1.0}, r"mean has shape \(1,\) and variance \(\)"),
        ({"mean": np.nan, "variance": 1.0}, "mean=nan is not finite"),
        ({"mean": 1.0, "variance": np.inf}, "variance=inf is not finite"),
        ({"mean": 1.0, "variance": -1.0}, "variance=-1.0 holds a negative number"),
    ],
)
def test_numbers_that_are_no_mean_and_variance_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Denormalization(**arguments)


def test_something_else_than_numbers_is_refused():
    with pytest.raises(TypeError, match="mean='a' is not made of real numbers"):
        Denormalization(mean="a", variance=1.0)


@pytest.mark.parametrize("given", [[1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_numbers_that_do_not_fit_the_input_are_refused(given):
    with pytest.raises(ValueError, match=r"variance of shape \(.*axis=-1.* has shape \(3,\)"):
        Denormalization(mean=given, variance=given).build((None, 3))


def test_axes_that_the_input_does_not_have_are_refused():
    with pytest.raises(ValueError, match=r"axis=2, but input shape \(None, 3\) has 2 axes"):
        Denormalization(axis=2).build((None, 3))
    with pytest.raises(ValueError, match=r"needs to know its length.*\(None, None\)"):
        Denormalization().build((None, None))


def test_data_it_cannot_adapt_to_are_refused():
    with pytest.raises(ValueError, match=r"given its mean and variance and does not adapt"):
        Denormalization(mean=1.0, variance=1.0).adapt(np.ones((4, 1)))
    layer = Denormalization()
    layer.adapt(np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"built for a mean of shape \(2,\).*shape \(3,\)"):
        layer.adapt(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"mean of \[nan\] in float32 has no inverse.*NaN"):
        Denormalization().adapt(np.array([[np.nan], [1.0]]))
    with pytest.raises(ValueError, match=r"variance of \[inf\] in float32 has no inverse.*float64"):
        Denormalization().adapt(np.array([[1e20], [-1e20]]))
    # Older versions of Keras stumble over a variable of its own instead.
    with pytest.raises((TypeError, UnboundLocalError), match=r"Unsupported data type|input_shape"):
        Denormalization().adapt(3)
