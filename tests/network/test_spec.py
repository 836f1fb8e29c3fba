"""The network: the first values of its weights, its key, and the parts that weights belong to."""

from __future__ import annotations

import dataclasses
import json
import random as python_random

import numpy as np
import pytest
from small_networks import SPEC

from skscale._network.custom_spec import CustomLayers, CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec


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
    assert spec.n_arrays == len(spec.arrays)
