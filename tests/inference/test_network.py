"""Networks with layers of the user: outputs and sensitivity are those of their Keras model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from user_layers import Bilinear

from skscale._inference.network import network_outputs, network_sensitivity
from skscale._network.custom_layers import make_custom_layers
from skscale._network.custom_spec import CustomSpec
from skscale._network.keras_model import keras_network

STACKS = {
    "in NumPy": [keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)],
    "left to Keras": [Bilinear(2)],
}
Z = np.random.default_rng(1).normal(size=(20, 3))


def draw(stack, **options):
    custom_layers = make_custom_layers(stack, 3, 2, parameter="network")
    spec = CustomSpec(3, 2, custom_layers=custom_layers, **options)
    random = np.random.default_rng(0)
    weights = [random.normal(size=parameter.shape) for parameter in spec.arrays]
    # Variances of batch normalization, if there is one, are the last.
    return spec, [*weights[:-1], np.abs(weights[-1]) if spec.batch_normalization else weights[-1]]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in NumPy", {}),
        ("in NumPy", {"center": False}),
        ("in NumPy", {"batch_normalization": True}),
        ("left to Keras", {"batch_normalization": True}),
    ],
)
def test_outputs_and_sensitivity_are_those_of_keras(name, options):
    spec, weights = draw(STACKS[name], **options)
    model, rows = keras_network(spec, weights, dtype="float64"), tf.constant(Z)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        outputs = model(rows)
    gradients = np.asarray(tape.batch_jacobian(outputs, rows))
    # Sums of a few terms in another order.
    assert_allclose(network_outputs(spec, weights, Z), outputs, rtol=0, atol=1e-12)
    sample_weight = np.random.default_rng(2).uniform(size=20)
    for is_centred in (False, True):
        if is_centred:
            gradients = gradients - gradients.mean(axis=1, keepdims=True)
        squares = (gradients**2).sum(axis=1)
        expected = np.sqrt(np.average(squares, axis=0, weights=sample_weight))
        found = network_sensitivity(
            spec, weights, Z, sample_weight, of_logits=False, logits_centred=is_centred
        )
        assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_rows_of_float32_have_outputs_of_float32(stack):
    spec, weights = draw(stack)
    outputs = network_outputs(spec, weights, Z.astype(np.float32))
    assert outputs.dtype == np.float32
    # Sums of a few terms of order one.
    assert_allclose(outputs, network_outputs(spec, weights, Z), rtol=0, atol=1e-5)
