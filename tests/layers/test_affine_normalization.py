"""AffineNormalization: the formula, its inverse, scales from 1e-20 to 1e20, and its refusals."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from skscale.layers import AffineNormalization

CENTER = np.array([1.0, -2e5, 0.0, 3e-20, 5.0])
SCALE = np.array([0.5, 1e-5, -2.0, 1e20, 1e-20])
SHIFT = np.array([0.0, 1.0, -0.5, 2.0, 0.25])


def inputs(dtype="float64"):
    """Return numbers that the map above brings to order one."""
    z = np.random.default_rng(0).normal(size=(7, 5))
    return (z / SCALE + CENTER).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [None, SHIFT])
def test_formula_holds_for_scales_of_any_magnitude(dtype, shift):
    x = inputs(dtype)
    layer = AffineNormalization(CENTER, SCALE, shift, dtype=dtype)
    center, scale, *rest = (w.astype("float64") for w in layer_weights(layer))
    expected = (x.astype("float64") - center) * scale + (rest[0] if rest else 0)
    # Three roundings on numbers of order one.
    eps = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(layer(x), expected, rtol=eps, atol=eps)


def layer_weights(layer):
    layer.build((None, 5))
    return layer.get_weights()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [None, SHIFT])
def test_inverse_undoes_it(dtype, shift):
    x = inputs(dtype)
    z = AffineNormalization(CENTER, SCALE, shift, dtype=dtype)(x)
    back = AffineNormalization(CENTER, SCALE, shift, invert=True, dtype=dtype)(z)
    # Rounding of z, of order one, in units of x, and of x itself.
    eps = 8 * np.finfo(dtype).eps
    error = np.abs(np.asarray(back) - x) / (1 / np.abs(SCALE) + np.abs(x))
    assert error.max() < eps


def test_the_centre_is_subtracted_before_anything_is_multiplied():
    # x * scale - center * scale would keep no digit at all: both are 1e16 and 2 apart.
    layer = AffineNormalization([1e16], [0.1], dtype="float64")
    np.testing.assert_array_equal(layer(np.array([[1e16 + 2]])), [[0.2]])


def test_numbers_are_those_of_a_fitted_scaler():
    x = np.random.default_rng(0).normal(1e3, [1e-3, 1, 1e3], size=(50, 3))
    scaler = StandardScaler().fit(x)
    given = {"center": scaler.mean_, "scale": 1 / scaler.scale_, "dtype": "float64"}
    z = AffineNormalization(**given)(x)
    # The reciprocal of a factor is one rounding more.
    np.testing.assert_allclose(z, scaler.transform(x), rtol=1e-14, atol=0)
    back = AffineNormalization(**given, invert=True)(z)
    np.testing.assert_allclose(back, x, rtol=1e-14, atol=0)


def test_a_factor_of_zero_leaves_the_shift_and_its_inverse_the_centre():
    x = np.array([[3.0, 4.0]], "float32")
    given = {"center": [1.0, 2.0], "scale": [0.0, 2.0], "shift": [7.0, 8.0]}
    np.testing.assert_array_equal(AffineNormalization(**given)(x), [[7, 12]])
    np.testing.assert_array_equal(AffineNormalization(**given, invert=True)(x), [[1, 0]])


@pytest.mark.parametrize("invert", [False, True])
def test_gradient_is_the_factor(invert):
    z = tf.constant(np.random.default_rng(0).normal(size=(7, 5)))
    layer = AffineNormalization(CENTER, SCALE * [1, 1, 1, 1, 0], SHIFT, invert, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(layer(z))
    factor = SCALE * [1, 1, 1, 1, 0]
    if invert:
        factor = np.divide(1, factor, out=np.zeros(5), where=factor != 0)
    # One rounding of a division.
    np.testing.assert_allclose(tape.gradient(total, z), np.tile(factor, (7, 1)), rtol=1e-15)


def test_vectors_are_weights_that_are_not_trained():
    layer = AffineNormalization(CENTER, SCALE, SHIFT, dtype="float64")
    layer.build((None, 5))
    assert layer.trainable_weights == []
    assert [weight.name for weight in layer.weights] == ["center", "scale", "shift"]
    for found, given in zip(layer.get_weights(), [CENTER, SCALE, SHIFT], strict=True):
        np.testing.assert_array_equal(found, given)
    without = AffineNormalization(CENTER, SCALE)
    without.build((None, 5))
    assert [weight.name for weight in without.weights] == ["center", "scale"]
    assert without.shift is None


def test_config_holds_floats_to_the_last_bit_and_no_array_of_the_caller():
    center = CENTER / 3
    layer = AffineNormalization(center, SCALE / 3)
    expected = center.tolist()
    center[:] = 0
    config = layer.get_config()
    assert config["center"] == expected
    assert config["scale"] == (SCALE / 3).tolist()
    assert config["shift"] is None
    assert {type(value) for value in config["center"]} == {float}


@pytest.mark.parametrize("leading", [(), (4,), (4, 3), (4, 3, 2)])
def test_last_axis_is_mapped_whatever_comes_before(leading):
    x = np.ones((*leading, 2), "float32")
    layer = AffineNormalization([0.0, 1.0], [2.0, 3.0])
    np.testing.assert_array_equal(layer(x), np.broadcast_to([2.0, 0.0], x.shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0, 2.0]), r"vectors of one length.*'center': \(1,\), 'scale': \(2,\)"),
        (([1.0], [1.0], [1.0, 2.0]), r"vectors of one length.*'shift': \(2,\)"),
        ((1.0, 1.0), r"center must have shape \(n_features,\).*Got shape \(\)"),
        (([[1.0]], [1.0]), r"center must have shape .*Got shape \(1, 1\)"),
        (([], []), r"center must have shape .*Got shape \(0,\)"),
        (([1.0, np.nan], [1.0, 1.0]), r"center\[1\] is nan. Give finite numbers"),
        (([1.0], [np.inf]), r"scale\[0\] is inf"),
        (([1.0], [1e39]), r"scale\[0\]=1e\+39 is beyond float32.*dtype='float64'"),
        (([1.0], [1e-39]), r"scale\[0\]=1e-39 is beyond float32"),
        (([-1e39], [1.0]), r"center\[0\]=-1e\+39 is beyond float32"),
    ],
)
def test_vectors_that_are_no_map_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AffineNormalization(*arguments)


@pytest.mark.parametrize("value", [["a"], [1j], [None], [True]])
def test_vectors_of_something_else_than_numbers_are_refused(value):
    with pytest.raises(TypeError, match=r"scale=.* is no vector of real numbers"):
        AffineNormalization([1.0], value)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_limits_are_those_of_the_dtype(dtype):
    beyond = {"bfloat16": 1e39, "float16": 1e5}[dtype]
    with pytest.raises(ValueError, match=f"is beyond {dtype}"):
        AffineNormalization([beyond], [1.0], dtype=dtype)
    AffineNormalization([beyond], [1.0], dtype="float64")


def test_another_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"center and a scale for 2 features.*\(None, 3\)"):
        AffineNormalization([1.0, 2.0], [1.0, 2.0])(keras.Input((3,)))
