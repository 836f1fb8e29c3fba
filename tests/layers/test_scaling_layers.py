"""The scaling layers are Keras layers: what they compute, train, write down and refuse."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import built_layer

from skscale.layers import CenteringScalingLayer, ScalingLayer

LAYERS = [ScalingLayer, CenteringScalingLayer]


def affine(layer, x):
    """Compute the layer's formula in NumPy."""
    weights = layer.get_weights()
    return x * weights[0] + (weights[1] if len(weights) == 2 else 0)


@pytest.mark.parametrize(
    ("layer_class", "n_parameters"), [(ScalingLayer, 340), (CenteringScalingLayer, 350)]
)
def test_networks_of_the_article_have_their_parameter_counts(layer_class, n_parameters):
    dense = [keras.layers.Dense(10, activation="tanh") for _ in range(3)]
    scaling = layer_class(scale_initializer="glorot_uniform")
    model = keras.Sequential([keras.Input((10,)), scaling, *dense])
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == n_parameters
    assert model.count_params() == n_parameters


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("leading", [(), (4,), (4, 3), (4, 3, 2)])
def test_last_axis_is_scaled_whatever_comes_before(layer_class, leading):
    x = np.random.default_rng(1).normal(size=(*leading, 5)).astype("float32")
    layer = built_layer(layer_class)
    # Two roundings of float32, on numbers of order one.
    np.testing.assert_allclose(layer(x), affine(layer, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_layer_starts_as_the_identity(layer_class):
    x = np.random.default_rng(1).normal(size=(4, 5)).astype("float32")
    np.testing.assert_array_equal(layer_class()(x), x)


def test_weights_are_scale_then_center():
    layer = built_layer(CenteringScalingLayer)
    assert [weight.name for weight in layer.trainable_weights] == ["scale", "center"]
    assert layer.weights[0] is layer.scale
    assert layer.weights[1] is layer.center
    assert [weight.name for weight in built_layer(ScalingLayer).weights] == ["scale"]


@pytest.mark.parametrize("layer_class", LAYERS)
def test_float64_is_computed_in_float64(layer_class):
    x = np.random.default_rng(1).normal(size=(4, 5))
    layer = built_layer(layer_class, dtype="float64")
    assert keras.backend.standardize_dtype(layer(x).dtype) == "float64"
    # Two roundings of float64, on numbers of order one.
    np.testing.assert_allclose(layer(x), affine(layer, x), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("input_dtype", ["int32", "float32", "float64"])
def test_dtype_policy_decides_dtypes_and_the_spec_agrees(layer_class, dtype, input_dtype):
    policy = keras.DTypePolicy(dtype)
    layer = layer_class(dtype=policy)
    spec = layer.compute_output_spec(keras.KerasTensor((2, 3, 5), dtype=input_dtype))
    output = layer(np.ones((2, 3, 5), input_dtype))
    assert keras.backend.standardize_dtype(output.dtype) == policy.compute_dtype == spec.dtype
    assert {weight.dtype for weight in layer.weights} == {policy.variable_dtype}
    assert tuple(output.shape) == spec.shape


@pytest.mark.parametrize("layer_class", LAYERS)
def test_output_shape_is_the_input_shape(layer_class):
    assert layer_class().compute_output_shape([None, 7, 5]) == (None, 7, 5)
    assert layer_class()(keras.Input((7, 5))).shape == (None, 7, 5)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_gradients_are_those_of_the_formula(layer_class):
    x = np.random.default_rng(1).normal(size=(4, 3, 5)).astype("float32")
    inputs = tf.constant(x)
    layer = built_layer(layer_class)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(layer(inputs))
    of_inputs, *of_weights = tape.gradient(total, [inputs, *(w.value for w in layer.weights)])
    np.testing.assert_array_equal(of_inputs, np.broadcast_to(layer.get_weights()[0], x.shape))
    # Sums of twelve float32 numbers of order one, in another order than NumPy's.
    np.testing.assert_allclose(of_weights[0], x.sum(axis=(0, 1)), rtol=1e-5, atol=1e-5)
    for gradient in of_weights[1:]:
        np.testing.assert_array_equal(gradient, np.full(5, 12.0))


@pytest.mark.parametrize("layer_class", LAYERS)
def test_a_mask_reaches_the_next_layer(layer_class):
    x = np.random.default_rng(1).normal(size=(2, 4, 5)).astype("float32")
    x[:, 2:] = 0
    layer = built_layer(layer_class)
    inputs = keras.Input((4, 5))
    average = keras.layers.GlobalAveragePooling1D()(layer(keras.layers.Masking()(inputs)))
    expected = affine(layer, x)[:, :2].mean(axis=1)
    # Four roundings of float32, on numbers of order one.
    np.testing.assert_allclose(keras.Model(inputs, average)(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_a_frozen_layer_has_no_trainable_weights(layer_class):
    layer = built_layer(layer_class, trainable=False)
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == len(layer.weights)


def test_config_makes_the_same_layer_again():
    layer = CenteringScalingLayer(
        name="learned",
        dtype="mixed_bfloat16",
        trainable=False,
        scale_initializer=keras.initializers.RandomNormal(1.0, 0.1, seed=3),
        scale_regularizer=keras.regularizers.L1(0.03),
        scale_constraint="non_neg",
        center_initializer=keras.initializers.Constant(2.0),
        center_regularizer="l2",
        center_constraint=keras.constraints.MaxNorm(4.0),
        activity_regularizer="l1",
    )
    config = layer.get_config()
    again = CenteringScalingLayer.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.name == "learned"
    assert again.compute_dtype == "bfloat16"
    assert again.scale_initializer.stddev == 0.1
    # Keras keeps the strength of a penalty as a Python float.
    assert again.scale_regularizer.l1 == 0.03
    assert isinstance(again.scale_constraint, keras.constraints.NonNeg)
    assert again.center_initializer.value == 2.0
    assert isinstance(again.center_regularizer, keras.regularizers.L2)
    assert again.center_constraint.max_value == 4.0


@pytest.mark.parametrize("layer_class", LAYERS)
def test_every_parameter_is_in_the_config(layer_class):
    config = layer_class().get_config()
    assert layer_class.__init__.__kwdefaults__.keys() <= config.keys()
    assert layer_class.from_config(config).get_config() == config


def test_optional_parts_may_be_none_and_stay_none():
    config = ScalingLayer(scale_initializer=None).get_config()
    assert config["scale_initializer"] is None
    assert config["scale_regularizer"] is None
    assert config["scale_constraint"] is None


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("shape", [(None, None), (None, 7, None), ()])
def test_an_unknown_number_of_features_is_refused(layer_class, shape):
    with pytest.raises(ValueError, match=r"length of the last axis.*Got input shape \(.*Input"):
        layer_class(name="learned").build(shape)


def test_an_unknown_number_of_features_is_refused_in_a_model():
    with pytest.raises(ValueError, match=r"ScalingLayer 'learned'.*\(None, None\)"):
        ScalingLayer(name="learned")(keras.Input((None,)))


@pytest.mark.parametrize("layer_class", LAYERS)
def test_another_number_of_features_is_refused_once_built(layer_class):
    # One feature would broadcast silently.
    for n_features in [1, 4]:
        with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 5"):
            built_layer(layer_class)(np.ones((2, n_features), "float32"))


@pytest.mark.parametrize("layer_class", LAYERS)
def test_arguments_are_by_keyword_and_unknown_ones_are_refused(layer_class):
    with pytest.raises(TypeError, match="positional argument"):
        layer_class("ones")
    with pytest.raises(ValueError, match="gamma_initializer"):
        layer_class(gamma_initializer="ones")
    with pytest.raises(ValueError, match="no_such_initializer"):
        layer_class(scale_initializer="no_such_initializer")
