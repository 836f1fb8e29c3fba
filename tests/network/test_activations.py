"""Every activation of Keras has the values and the gradients that Keras gives it."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from skscale._network.activations import ACTIVATIONS, get_activation

# Keras' float64 kernels of gelu and leaky_relu keep a constant in float32, 2e-8 off.
CLOSE = {"rtol": 1e-6, "atol": 1e-8}


def listed_by_keras():
    """Ask Keras for the functions that a layer can name, and which of them it can call."""
    functions = {}
    for name in dir(keras.activations):
        try:
            functions[name] = keras.activations.get(name)
        except ValueError:  # `get`, `serialize` and the like are no activations
            continue
    return functions


def needs_arguments(function):
    _, *options = inspect.signature(function).parameters.values()
    return any(option.default is option.empty for option in options)


KERAS = listed_by_keras()
UNUSABLE = {"glu"} | {name for name, function in KERAS.items() if needs_arguments(function)}
every_activation = pytest.mark.parametrize("name", sorted(set(KERAS) - UNUSABLE))


def rows(dtype=np.float64, kinks=True):
    """Smooth and extreme inputs, and where asked the places where a branch ends."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 3, 230), [-1e3, 1e3, -40.0, 40.0]])
    if kinks:
        edges = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 6.0])
        edges = np.concatenate([edges, np.nextafter(edges, 9), np.nextafter(edges, -9)])
        x = np.concatenate([x, edges, -edges])
    rng.shuffle(x)
    return x[: x.size // 6 * 6].reshape(-1, 6).astype(dtype)


def test_registry_holds_what_keras_lists():
    # Older versions of Keras list fewer.
    assert set(ACTIVATIONS) >= set(KERAS) - UNUSABLE


@every_activation
def test_forward_equals_keras(name):
    x = rows()
    expected = keras.layers.Activation(name, dtype="float64")(x)
    assert_allclose(get_activation(name).forward(x), expected, **CLOSE)


@every_activation
def test_vjp_equals_gradient_tape(name):
    # Away from the kinks, where the two may choose different one-sided derivatives.
    x = rows(kinks=False)
    g = np.random.default_rng(1).normal(size=x.shape)
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = keras.activations.get(name)(variable)
    expected = tape.gradient(y, variable, output_gradients=g)
    assert_allclose(get_activation(name).vjp(x, g), expected, **CLOSE)


@every_activation
def test_vjp_pulls_back_several_gradients_at_once(name):
    x, vjp = rows(), get_activation(name).vjp
    g = np.random.default_rng(2).normal(size=(3, *x.shape))
    assert_array_equal(vjp(x, g), [vjp(x, one) for one in g])
    same_for_all_rows = g[:, :1]
    spread = np.broadcast_to(vjp(x, same_for_all_rows), g.shape)
    assert_array_equal(spread, vjp(x, np.broadcast_to(same_for_all_rows, g.shape)))


@every_activation
def test_float32_stays_float32(name):
    x, activation = rows(np.float32), get_activation(name)
    g = np.ones_like(x)
    y = activation.forward(x)
    assert y.dtype == activation.vjp(x, g).dtype == np.float32
    # exp(x) has a relative error of x times the rounding error 6e-8 of x; it overflows at 88.
    normal = np.abs(x) < 80
    exact = activation.forward(x.astype(np.float64))
    assert_allclose(y[normal], exact[normal], rtol=1e-5, atol=1e-6)


@every_activation
def test_forward_leaves_its_input_and_overwrites_where_told(name):
    x, forward = rows(), get_activation(name).forward
    kept = x.copy()
    y = forward(x)
    assert_array_equal(x, kept)
    assert not np.shares_memory(x, y)
    assert forward(x, out=x) is x
    assert_array_equal(x, y)


@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_inputs_do_not_warn(name, dtype):
    # A warning is an error in this test run. The squares of these numbers overflow.
    largest = {np.float32: 1e30, np.float64: 1e250}[dtype]
    x = np.array([[-largest, -1e3, 0.0, 1e3, largest], [-largest] * 5, [largest] * 5], dtype)
    activation = get_activation(name)
    assert not np.isnan(activation.forward(x)).any()
    assert not np.isnan(activation.vjp(x, np.ones_like(x))).any()


@every_activation
def test_vjp_leaves_its_inputs(name):
    x = rows()
    g = np.ones_like(x)
    kept = x.copy()
    get_activation(name).vjp(x, g)
    assert_array_equal(x, kept)
    assert_array_equal(g, 1)


@pytest.mark.parametrize("name", sorted(UNUSABLE))
def test_activation_that_no_layer_can_use_is_refused(name):
    with pytest.raises(ValueError, match=f"The activation '{name}' cannot be used: it"):
        get_activation(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("sillu", "silu"), ("leakyrelu", "leaky_relu"), ("Tanh", "tanh")]
)
def test_unknown_name_suggests_the_nearest(name, meant):
    with pytest.raises(ValueError, match=rf"'{name}'. Did you mean '{meant}'\? Allowed are celu, "):
        get_activation(name)


@pytest.mark.parametrize("name", ["qqq", None, 3])
def test_unlike_anything_lists_what_is_allowed(name):
    with pytest.raises(ValueError, match=f"Unknown activation {name!r}. Allowed are celu, elu, "):
        get_activation(name)
