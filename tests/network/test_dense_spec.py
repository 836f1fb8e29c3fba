"""Dense networks have the weights and outputs of their Keras model, alone and in a stack."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_networks import SPEC

from skscale._compiled.forward import Forward
from skscale._keras.options import keras_names
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights


def _keras_model(spec: DenseSpec):
    import keras

    from skscale.layers import CenteringScalingLayer, ScalingLayer

    layers = [keras.Input((spec.n_features,))]
    layers.append(CenteringScalingLayer() if spec.center else ScalingLayer())
    widths = (*spec.hidden_layer_sizes, spec.n_outputs)
    layers += [
        keras.layers.Dense(width, layer.activation, layer.use_bias)
        for width, layer in zip(widths, spec.layers, strict=True)
    ]
    return keras.Sequential(layers)


_SPECS = [
    DenseSpec(3, 2, (4, 5), "silu", "tanh"),
    DenseSpec(3, 1, (4,), "relu", center=False),
    DenseSpec(2, 3, (), "relu", "softmax", use_bias=False),
]


@pytest.mark.parametrize("spec", _SPECS)
def test_weights_and_outputs_are_those_of_the_keras_model(spec):
    import tensorflow as tf

    model = _keras_model(spec)
    weights = initialize_weights(spec, np.random.default_rng(0))
    assert [weight.shape for weight in weights] == [
        parameter.shape for parameter in spec.parameters
    ]
    assert [weight.shape for weight in weights] == [tuple(v.shape) for v in model.trainable_weights]
    assert spec.n_weights == model.count_params()
    weights = [weight + 0.1 for weight in weights]
    model.set_weights(weights)
    inputs = np.random.default_rng(1).normal(size=(7, spec.n_features)).astype(np.float32)
    tensors = [tf.constant(weight) for weight in weights]
    outputs = Forward(spec, "float32")(tensors, tf.constant(inputs)).values
    # float32: a few roundings of numbers near one.
    np.testing.assert_allclose(outputs, model(inputs), rtol=0, atol=1e-6)


def test_the_networks_of_the_article_have_340_and_350_weights():
    for center, expected in ((False, 340), (True, 350)):
        spec = DenseSpec(10, 10, (10, 10), "tanh", "tanh", center=center)
        assert spec.n_weights == expected
        drawn = initialize_weights(spec, np.random.default_rng(0))
        assert sum(weight.size for weight in drawn) == expected


@pytest.mark.parametrize("activation", sorted(set(keras_names("activations"))))
def test_a_stack_of_networks_gives_what_each_gives_alone_in_float64(activation):
    import tensorflow as tf

    spec = dataclasses.replace(SPEC, activation=activation, output_activation=activation)
    random = np.random.default_rng(0)
    stack = [tf.constant(random.normal(size=(3, *p.shape))) for p in spec.parameters]
    inputs = tf.constant(random.normal(size=(3, 6, spec.n_features)))
    forward = Forward(spec, "float64")
    stacked = forward(stack, inputs).values
    assert stacked.dtype == tf.float64
    for k in range(3):
        alone = forward([weight[k] for weight in stack], inputs[k]).values
        assert alone.dtype == tf.float64
        # Products of a stack and of one matrix round differently, a few times.
        np.testing.assert_allclose(stacked[k], alone, rtol=1e-13, atol=1e-13)
