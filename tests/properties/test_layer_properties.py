"""What holds of both scaling layers, on tensors of any shape and unit."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import keras
import numpy as np
import pytest
from drawn_tables import orders
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skscale.layers import CenteringScalingLayer, ScalingLayer

DATA = st.data()
N_FEATURES = 3
LAYERS = pytest.mark.parametrize("layer", [ScalingLayer, CenteringScalingLayer])
_NUMBERS = st.integers(-(2**12), 2**12).map(lambda i: i / 2**10)
# Rows, or rows of rows, of numbers that float32 holds.
TENSORS = st.sampled_from([(), (4,), (2, 3)]).flatmap(
    lambda leading: hnp.arrays(np.float32, (*leading, N_FEATURES), elements=_NUMBERS)
)
WEIGHTS = hnp.arrays(np.float32, N_FEATURES, elements=_NUMBERS)


def with_weights(layer, *weights, dtype="float32"):
    built = layer(dtype=dtype)
    built.build((None, N_FEATURES))
    built.set_weights(weights[: len(built.weights)])
    return lambda x: keras.ops.convert_to_numpy(built(x))


@LAYERS
@given(TENSORS, WEIGHTS, WEIGHTS)
def test_the_layer_is_its_formula(layer, x, scale, center):
    is_centred = layer is CenteringScalingLayer
    expected = x * scale + (center if is_centred else 0)
    # Compiled code may round product and sum at once.
    size = np.abs(x * scale) + np.abs(center)
    actual = with_weights(layer, scale, center)(x)
    assert actual.dtype == np.float32
    assert (np.abs(actual - expected) <= 2e-7 * size).all()
    exact = with_weights(layer, scale, center, dtype="float64")(x.astype(np.float64))
    # Of numbers of so few digits float64 holds every product.
    assert_array_equal(exact, x.astype(float) * scale + (center.astype(float) * is_centred))


@LAYERS
@given(TENSORS, WEIGHTS, WEIGHTS, orders(N_FEATURES))
def test_features_know_nothing_of_each_other(layer, x, scale, center, order):
    outputs = with_weights(layer, scale, center)(x)
    others = with_weights(layer, scale[order], center[order])(x[..., order])
    assert_array_equal(others, outputs[..., order])


@LAYERS
@given(TENSORS, WEIGHTS, WEIGHTS, st.integers(-90, 90))
def test_a_power_of_two_as_unit_changes_no_digit(layer, x, scale, center, exponent):
    outputs = with_weights(layer, scale, center)(x)
    others = with_weights(layer, np.ldexp(scale, -exponent), center)(np.ldexp(x, exponent))
    assert_array_equal(others, outputs)


@LAYERS
@given(TENSORS)
def test_a_new_layer_hands_on_what_it_gets(layer, x):
    assert_array_equal(layer()(x), x)


@given(TENSORS, WEIGHTS, WEIGHTS)
def test_inputs_come_back_through_the_inverse_layer(x, scale, center):
    scale = np.where(np.abs(scale) < 0.25, np.float32(1), scale)
    forth = with_weights(CenteringScalingLayer, scale, center, dtype="float64")
    back = with_weights(
        CenteringScalingLayer,
        1 / scale.astype(float),
        -center / scale.astype(float),
        dtype="float64",
    )
    # A handful of roundings of numbers of up to a hundred.
    assert_allclose(back(forth(x.astype(float))), x, atol=1e-13)
