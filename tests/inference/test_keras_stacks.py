"""Stacks of common Keras layers compute in NumPy what they compute in Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from user_layers import Bilinear, bent

from skscale._inference.keras_layers import LAYERS
from skscale._inference.keras_stacks import numpy_layers, stack_gradients, stack_outputs
from skscale._network.custom_layers import build_model, custom_variables, make_custom_layers
from skscale.layers import PeriodicEmbedding

layers = keras.layers
N_FEATURES, N_OUTPUTS = 3, 2


def between(*middle):
    """Layers between two Dense layers."""
    return [layers.Dense(5), *middle, layers.Dense(N_OUTPUTS)]


def functional(middle):
    """A Functional model, in which `middle` makes the outputs of the middle from their inputs."""
    inputs = keras.Input((N_FEATURES,))
    return [keras.Model(inputs, layers.Dense(N_OUTPUTS)(middle(inputs)))]


def twice(layer):
    return lambda h: layer(layer(h))


SILENT = [
    layers.ActivityRegularization(0.1),
    layers.AlphaDropout(0.1),
    layers.Dropout(0.3),
    layers.GaussianDropout(0.1),
    layers.GaussianNoise(0.1),
    layers.Identity(),
]
STACKS = {
    "dense": [layers.Dense(5, "tanh"), layers.Dense(N_OUTPUTS, "sigmoid", use_bias=False)],
    "activations": between(layers.Activation("softplus"), layers.Softmax()),
    "layer as an activation": [layers.Dense(N_OUTPUTS, activation=layers.ReLU(1.0))],
    "silent": between(*SILENT),
    "batch normalization": between(layers.BatchNormalization()),
    "plain batch normalization": between(layers.BatchNormalization(1, center=False, scale=False)),
    "layer normalization": between(layers.LayerNormalization()),
    "plain layer normalization": between(
        layers.LayerNormalization(epsilon=0.1, center=False, scale=False)
    ),
    "rescaling": between(layers.Rescaling(2.0, -1.0)),
    "rescaling by feature": [layers.Rescaling([2.0, 3.0, 4.0], 1.0), layers.Dense(N_OUTPUTS)],
    "relu": between(layers.ReLU()),
    "bounded relu": between(layers.ReLU(1.0, 0.5, 0.25)),
    # A slope that float32 holds: Keras rounds it to float32 in float64 too.
    "leaky relu": between(layers.LeakyReLU(0.125)),
    "elu": between(layers.ELU(0.5)),
    "prelu": between(layers.PReLU("ones")),
    "embedding": [PeriodicEmbedding(indices=[0, 2]), layers.Dense(N_OUTPUTS)],
    "functional": functional(lambda h: layers.Activation("relu")(layers.Dense(4)(h))),
    "nested": [keras.Sequential([*functional(layers.Dense(3)), keras.Sequential([layers.ReLU()])])],
}
KERAS_ALONE = {
    "another class": between(layers.UnitNormalization()),
    "a class of the user": [Bilinear(N_OUTPUTS)],
    "a function of the user": [layers.Dense(N_OUTPUTS, activation=bent)],
    "another option": between(layers.PReLU(shared_axes=[1])),
    "further weights": between(layers.Dense(4, lora_rank=2)),
    "another precision": between(layers.Dense(4, dtype="mixed_bfloat16")),
    "a layer that is not trained": between(layers.Dense(4, trainable=False)),
    "dropout that stays on": functional(lambda h: layers.Dropout(0.5)(h, training=True)),
    "two ways": functional(lambda h: layers.Add()([h, layers.Dense(N_FEATURES)(h)])),
    "a layer twice": functional(twice(layers.Dense(N_FEATURES))),
    "a function of Keras": functional(lambda h: 2 * layers.Dense(4)(h)),
}


def custom_network(stack, random):
    """Describe a stack, and draw weights for it."""
    custom_layers = make_custom_layers(stack, N_FEATURES, N_OUTPUTS, parameter="network")
    parameters = (*custom_layers.parameters, *custom_layers.statistics)
    weights = [random.normal(size=p.shape) for p in parameters]
    is_variance = ["variance" in p.name for p in parameters]
    pairs = zip(weights, is_variance, strict=True)
    return custom_layers, [np.abs(w) if positive else w for w, positive in pairs]


def outputs_and_gradients(custom_layers, weights, rows):
    """Ask Keras itself, eagerly."""
    model, hidden = build_model(custom_layers.config, rows.dtype.name), tf.constant(rows)
    for variable, value in zip(custom_variables(model), weights, strict=True):
        variable.assign(value)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(hidden)
        outputs = model(hidden)
        columns = tf.unstack(outputs, axis=1)
    return outputs.numpy(), np.stack([tape.gradient(c, hidden).numpy() for c in columns], axis=1)


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_outputs_and_gradients_are_those_of_keras(stack):
    random = np.random.default_rng(0)
    custom_layers, weights = custom_network(stack, random)
    # More rows than are computed at once.
    rows = random.normal(size=(600, N_FEATURES))
    # Rounding, which a small standard deviation of a row enlarges.
    for dtype, tolerance in (("float64", 1e-12), ("float32", 5e-6)):
        hidden = rows.astype(dtype)
        outputs, gradients = outputs_and_gradients(custom_layers, weights, hidden)
        functions = numpy_layers(custom_layers, weights, hidden.dtype)
        for ours, theirs in (
            (stack_outputs(functions, hidden), outputs),
            (stack_gradients(functions, hidden), gradients),
        ):
            assert ours.dtype == theirs.dtype == dtype
            assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("stack", KERAS_ALONE.values(), ids=KERAS_ALONE)
def test_everything_else_is_left_to_keras(stack):
    custom_layers, weights = custom_network(stack, np.random.default_rng(0))
    assert numpy_layers(custom_layers, weights, np.float64) is None


def test_weights_that_no_layer_takes_are_left_to_keras():
    custom_layers, weights = custom_network(STACKS["dense"], np.random.default_rng(0))
    assert numpy_layers(custom_layers, [*weights, weights[0]], np.float64) is None


def test_every_layer_of_the_registry_is_compared():
    def classes(config):
        if isinstance(config, dict):
            if "class_name" in config:
                yield config.get("registered_name") or config["class_name"]
            config = list(config.values())
        if isinstance(config, list | tuple):
            for item in config:
                yield from classes(item)

    configs = [keras.saving.serialize_keras_object(layer) for s in STACKS.values() for layer in s]
    assert LAYERS.keys() - {"InputLayer"} <= set(classes(configs))


def test_single_row_and_no_row_have_their_shape():
    custom_layers, weights = custom_network(STACKS["dense"], np.random.default_rng(0))
    functions = numpy_layers(custom_layers, weights, np.float32)
    for n_rows in (0, 1):
        outputs = stack_outputs(functions, np.ones((n_rows, N_FEATURES), np.float32))
        assert outputs.shape == (n_rows, N_OUTPUTS)
        assert outputs.dtype == np.float32
