"""The network: its weights in Keras' order, their first values, and its outputs in TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import random as python_random

import numpy as np
import pytest
from small_networks import SPEC

from skscale._compiled.forward import Forward
from skscale._keras.options import keras_names
from skscale._network.initial_weights import initialize_weights
from skscale._network.spec import CustomLayers, CustomSpec, DenseSpec, Parameter, PeriodicSpec


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


def test_the_first_weights_follow_the_defaults():
    spec = DenseSpec(50, 40, (60, 70))
    by_name = dict(
        zip(
            [parameter.name for parameter in spec.parameters],
            initialize_weights(spec, np.random.default_rng(0)),
            strict=True,
        )
    )
    assert (by_name["scale"] == 1).all()
    assert (by_name["center"] == 0).all()
    assert (by_name["dense_2/bias"] == 0).all()
    expected = {
        "dense_0/kernel": (2 / 50) ** 0.5,
        "dense_1/kernel": (2 / 60) ** 0.5,
        "dense_2/kernel": (1 / 70) ** 0.5,
        "dense_0/bias": 0.1,
    }
    for name, deviation in expected.items():
        drawn = by_name[name]
        # Five standard errors of a standard deviation.
        assert abs(drawn.std() / deviation - 1) < 5 / np.sqrt(2 * drawn.size)
        assert abs(drawn.mean()) < 5 * deviation / np.sqrt(drawn.size)


def test_equal_seeds_draw_equal_weights_in_float32():
    first, again, other = (initialize_weights(SPEC, np.random.default_rng(k)) for k in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[2], other[2])
    assert {weight.dtype for weight in first} == {np.dtype(np.float32)}


@pytest.mark.parametrize("role", ["scale", "center", "kernel", "bias"])
def test_choosing_an_initializer_moves_no_other_draw(role):
    chosen = dataclasses.replace(SPEC, initializers={role: "random_normal"})
    pairs = zip(
        SPEC.parameters,
        initialize_weights(SPEC, np.random.default_rng(0)),
        initialize_weights(chosen, np.random.default_rng(0)),
        strict=True,
    )
    for parameter, plain, drawn in pairs:
        assert np.array_equal(plain, drawn) == (parameter.role != role)


@pytest.mark.parametrize("seed", [None, 3])
def test_keras_initializers_draw_from_our_seed_alone(seed):
    import keras

    config = keras.initializers.serialize(keras.initializers.HeNormal(seed=seed))
    spec = DenseSpec(8, 1, (8, 8), initializers={"kernel": config})
    python_state, numpy_state = python_random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (initialize_weights(spec, np.random.default_rng(k)) for k in (0, 0, 1))
    assert python_random.getstate() == python_state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    np.testing.assert_array_equal(first[2], again[2])
    assert not np.array_equal(first[2], other[2])
    # Kernels of one shape do not share a draw.
    assert not np.array_equal(first[2], first[4])


def test_a_seed_of_the_users_own_shifts_the_draw():
    kernels = []
    for seed in (0, 1):
        config = {"class_name": "HeNormal", "config": {"seed": seed}}
        spec = dataclasses.replace(SPEC, initializers={"kernel": config})
        kernels.append(initialize_weights(spec, np.random.default_rng(0))[2])
    assert not np.array_equal(*kernels)


def test_an_initializer_that_does_not_fit_is_named():
    spec = dataclasses.replace(SPEC, initializers={"scale": "identity"})
    with pytest.raises(ValueError, match=r"scale_initializer='identity' cannot draw .* \(3,\)"):
        initialize_weights(spec, np.random.default_rng(0))


def test_the_key_of_a_program_holds_all_but_the_initializers():
    keys = {SPEC.key(), dataclasses.replace(SPEC, initializers={"scale": "zeros"}).key()}
    assert len(keys) == 1
    changes = [
        {"n_features": 5},
        {"hidden_layer_sizes": (5,)},
        {"activation": "relu"},
        {"use_bias": False},
        {"regularizers": {"kernel": "l2"}},
        {"constraints": {"kernel": "max_norm"}},
    ]
    keys |= {dataclasses.replace(SPEC, **change).key() for change in changes}
    assert len(keys) == 1 + len(changes)
    assert all(isinstance(json.loads(key), dict) for key in keys)


_CUSTOM_LAYERS = CustomLayers(
    {"class_name": "Sequential", "config": {"layers": ["bilinear"]}},
    (Parameter("custom_0/kernel", "kernel", (3, 2)), Parameter("custom_1/gate", "custom", (2,))),
    (Parameter("custom_2/count", "custom", ()),),
)


def test_the_key_of_a_program_holds_the_custom_layers():
    spec = CustomSpec(3, 2, _CUSTOM_LAYERS)
    other = dataclasses.replace(_CUSTOM_LAYERS, config={"class_name": "Dense", "config": {}})
    assert spec.key() == CustomSpec(3, 2, _CUSTOM_LAYERS, initializers={"scale": "zeros"}).key()
    keys = {
        spec.key(),
        CustomSpec(3, 2, other).key(),
        DenseSpec(3, 2).key(),
        DenseSpec(3, 2, ()).key(),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("batch_normalization", [True, False])
@pytest.mark.parametrize(
    "spec",
    [
        DenseSpec(3, 2, (4,)),
        DenseSpec(3, 2, (4,), embedding=PeriodicSpec()),
        CustomSpec(3, 2, _CUSTOM_LAYERS),
    ],
)
def test_arrays_are_split_by_the_part_of_the_network_that_they_belong_to(
    spec, center, batch_normalization
):
    spec = dataclasses.replace(spec, center=center, batch_normalization=batch_normalization)
    parts = spec.split(spec.arrays)
    assert [p.role for p in parts.scaling] == ["scale", "center"][: 1 + center]
    assert list(parts.layers) == list(spec.layer_parameters)
    assert len(parts.moving) == 2 * batch_normalization
    assert list(parts.statistics) == list(spec.layer_statistics)
