"""The NumPy network predicts what Keras predicts, and its gradients are those of GradientTape."""

from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from skscale._inference.dense import DenseForm, DenseLayer, dense_form, forward
from skscale._inference.gradients import sensitivity, squared_gradients
from skscale._network.activations import ACTIVATIONS, get_activation
from skscale._network.dense_spec import DenseSpec

# Keras' float64 kernels of gelu and leaky_relu keep a constant in float32, 2e-8 off, and the
# layers and squares behind them make more of it.
CLOSE = {"rtol": 1e-6, "atol": 1e-7}

N_FEATURES = 5
NETWORKS = {
    "silu": ([8, 7], 3, "silu", "linear"),
    "article": ([10, 10], 10, "tanh", "tanh"),
    "softmax": ([6], 4, "relu", "softmax"),
    "binary": ([6], 1, "tanh", "sigmoid"),
    "no hidden layer": ([], 2, "silu", "tanh"),
    "linear": ([4], 2, "linear", "linear"),
    "wider than a chunk": ([600], 2, "gelu", "linear"),
}


class Network:
    """A scaling layer and real Keras Dense layers, with the same weights for both sides."""

    def __init__(self, hidden, n_outputs, activation, output_activation, center=True, bias=True):
        rng = np.random.default_rng(0)
        self.center = center
        self.factors = [rng.normal(1, 0.5, N_FEATURES), rng.normal(size=N_FEATURES)][: 1 + center]
        units = [*hidden, n_outputs]
        activations = [activation] * len(hidden) + [output_activation]
        self.dense = []
        for size, name in zip(units, activations, strict=True):
            self.dense.append(keras.layers.Dense(size, name, use_bias=bias, dtype="float64"))
        n_inputs = N_FEATURES
        for layer in self.dense:
            layer.build((None, n_inputs))
            layer.set_weights([rng.normal(0, 0.4, w.shape) for w in layer.get_weights()])
            n_inputs = layer.units

    @property
    def form(self):
        layers = [
            DenseLayer(
                np.asarray(layer.kernel),
                np.asarray(layer.bias) if layer.use_bias else None,
                get_activation(layer.activation.__name__),
            )
            for layer in self.dense
        ]
        return DenseForm(self.factors[0], self.factors[1] if self.center else None, layers)

    def __call__(self, z, of_logits=False):
        h = z * self.factors[0]
        if self.center:
            h = h + self.factors[1]
        *hidden, output = self.dense
        for layer in hidden:
            h = layer(h)
        if not of_logits:
            return output(h)
        logits = h @ output.kernel
        return logits + output.bias if output.use_bias else logits

    def squared_gradients(self, Z, of_logits, logits_centred):
        z = tf.Variable(Z)
        with tf.GradientTape(persistent=True) as tape:
            f = self(z, of_logits)
            if logits_centred:
                f -= tf.reduce_mean(f, axis=1, keepdims=True)
            outputs = tf.unstack(f, axis=1)
        return sum(np.square(tape.gradient(output, z)) for output in outputs)


def inputs(n_rows=30, dtype=np.float64):
    return np.random.default_rng(1).normal(size=(n_rows, N_FEATURES)).astype(dtype)


def run(function, network, Z, **options):
    return function(Z, network.form, **options)


every_network = pytest.mark.parametrize("shape", NETWORKS.values(), ids=NETWORKS)
every_activation = pytest.mark.parametrize(
    "name", [name for name in sorted(ACTIVATIONS) if hasattr(keras.activations, name)]
)


@every_network
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_forward_equals_keras(shape, center, bias):
    network, Z = Network(*shape, center, bias), inputs()
    assert_allclose(run(forward, network, Z), network(Z), **CLOSE)


@every_activation
def test_forward_equals_keras_for_every_activation(name):
    # One hidden layer: a tower of three exponentials leaves float64.
    network, Z = Network([6], 4, name, name), inputs()
    assert_allclose(run(forward, network, Z), network(Z), **CLOSE)


@pytest.mark.parametrize("n_rows", [0, 1, 7, 511, 512, 513, 1100])
def test_a_row_does_not_depend_on_its_company(n_rows):
    # Few rows take the factors themselves, many leave them to the kernel; long tables are cut.
    network, Z = Network([8, 7], 3, "silu", "linear"), inputs(n_rows)
    together = run(forward, network, Z)
    assert together.shape == (n_rows, 3)
    gradients = run(squared_gradients, network, Z, of_logits=True)
    assert gradients.shape == Z.shape
    for i in {0, n_rows // 2, n_rows - 1} if n_rows else ():
        row = Z[i : i + 1]
        assert_allclose(run(forward, network, row), together[i : i + 1], **CLOSE)
        alone = run(squared_gradients, network, row, of_logits=True)
        assert_allclose(alone, gradients[i : i + 1], **CLOSE)


@pytest.mark.parametrize("weights_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_decide_the_dtype(dtype, weights_dtype):
    network, Z = Network([8, 7], 3, "silu", "softmax"), inputs(dtype=dtype)
    form = network.form.astype(weights_dtype)
    outputs = forward(Z, form)
    gradients = squared_gradients(Z, form, of_logits=False)
    r = sensitivity(Z, form, of_logits=False)
    assert outputs.dtype == gradients.dtype == dtype
    assert r.dtype == np.float64
    # Float32 has seven digits, of which the sums of three layers cost one or two.
    assert_allclose(outputs, network(Z.astype(np.float64)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_rows", [3, 700])
def test_nothing_that_comes_in_is_changed(n_rows):
    network, Z = Network([8, 7], 3, "silu", "linear"), inputs(n_rows)
    form = network.form
    arrays = [Z, form.scale, form.offset, *(a for layer in form.layers for a in layer[:2])]
    kept = [array.copy() for array in arrays]
    layers = [*form.layers]
    forward(Z, form)
    squared_gradients(Z, form, of_logits=True)
    for array, before in zip(arrays, kept, strict=True):
        assert_array_equal(array, before)
    assert all(one is other for one, other in zip(form.layers, layers, strict=True))


def test_long_tables_need_little_memory():
    network, Z = Network([64, 64], 1, "silu", "linear"), inputs(50_000)
    form = network.form
    tracemalloc.start()
    forward(Z, form)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One intermediate of all rows takes 26 MB, the outputs 0.4 MB, one of a chunk 0.3 MB.
    assert peak < 3e6


@every_network
@pytest.mark.parametrize("of_logits", [True, False])
@pytest.mark.parametrize("logits_centred", [True, False])
def test_squared_gradients_equal_gradient_tape(shape, of_logits, logits_centred):
    network, Z = Network(*shape), inputs()
    options = {"of_logits": of_logits, "logits_centred": logits_centred}
    actual = run(squared_gradients, network, Z, **options)
    assert_allclose(actual, network.squared_gradients(Z, **options), **CLOSE)


@every_activation
@pytest.mark.parametrize("center", [True, False])
def test_squared_gradients_equal_gradient_tape_for_every_activation(name, center):
    # Random inputs meet no kink, where the one-sided derivatives may differ.
    network, Z = Network([6], 4, name, name, center), inputs()
    actual = run(squared_gradients, network, Z, of_logits=False)
    assert_allclose(actual, network.squared_gradients(Z, False, False), **CLOSE)


def test_one_centred_output_has_no_gradient():
    network, Z = Network([6], 1, "tanh", "sigmoid"), inputs()
    assert_array_equal(run(squared_gradients, network, Z, of_logits=True, logits_centred=True), 0)


def test_sensitivity_is_the_root_mean_square_over_rows():
    network, Z = Network([8, 7], 3, "silu", "linear"), inputs(600)
    squares = network.squared_gradients(Z, True, False)
    r = run(sensitivity, network, Z, of_logits=True)
    assert_allclose(r, np.sqrt(squares.mean(axis=0)), **CLOSE)


def test_weights_count_as_repetition_in_the_sensitivity():
    network, Z = Network([8, 7], 3, "silu", "softmax"), inputs(600)
    counts = np.random.default_rng(2).integers(0, 4, len(Z))
    options = {"of_logits": True, "logits_centred": True}
    weighted = run(sensitivity, network, Z, sample_weight=counts.astype(float), **options)
    repeated = run(sensitivity, network, np.repeat(Z, counts, axis=0), **options)
    assert_allclose(weighted, repeated, **CLOSE)


def test_zero_factor_has_zero_sensitivity():
    network, Z = Network([8, 7], 3, "silu", "linear"), inputs()
    network.factors[0][2] = 0.0
    r = run(sensitivity, network, Z, of_logits=True)
    assert r[2] == 0
    assert (np.delete(r, 2) > 0).all()


def test_weights_that_do_not_fit_the_spec_are_refused():
    weights = [np.zeros(parameter.shape) for parameter in DenseSpec(5, 3, (8, 7)).arrays]
    with pytest.raises(
        ValueError, match=r"center=True and 3 Dense layers .* 8 weight arrays, got 7"
    ):
        dense_form(DenseSpec(5, 3, (8, 7)), weights[:-1])
