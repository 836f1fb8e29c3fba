"""Keras options are taken by name, config dict, class and instance, and become JSON-able."""

from __future__ import annotations

import copy
import functools
import json
import random

import keras
import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import did_you_mean
from skscale._keras.initializers import build_initializer
from skscale._keras.objects import keras_object
from skscale._keras.options import FAMILIES, keras_config, keras_names

K = keras

# Of each family: a name, a config that Keras would write, a short config, a class, an instance.
FORMS = {
    "initializers": [
        "he_normal",
        K.initializers.serialize(K.initializers.HeNormal(seed=3)),
        {"class_name": "he_normal", "config": {}},
        K.initializers.HeNormal,
        K.initializers.RandomNormal(1.0, 0.1),
    ],
    "regularizers": [
        "l1",
        K.regularizers.serialize(K.regularizers.L1(0.5)),
        {"class_name": "L2", "config": {"l2": 0.5}},
        K.regularizers.L1L2,
        K.regularizers.L1L2(0.25, 0.5),
    ],
    "constraints": [
        "max_norm",
        K.constraints.serialize(K.constraints.MaxNorm(3.0)),
        {"class_name": "max_norm", "config": {"max_value": 3.0}},
        K.constraints.NonNeg,
        K.constraints.MinMaxNorm(0.5, 2.0),
    ],
    "activations": [
        "relu",
        K.activations.serialize(K.activations.gelu),
        {
            "module": "builtins",
            "class_name": "function",
            "config": "relu",
            "registered_name": "function",
        },
        K.activations.tanh,
    ],
    "losses": [
        "mse",
        K.losses.serialize(K.losses.Huber()),
        {"class_name": "Huber", "config": {"delta": 0.5}},
        K.losses.LogCosh,
        K.losses.Huber(delta=2.5),
        K.losses.mean_absolute_error,
    ],
    "optimizers": [
        "adam",
        K.optimizers.serialize(K.optimizers.Adam(0.25)),
        {"class_name": "sgd", "config": {"learning_rate": 0.5}},
        K.optimizers.Lion,
        K.optimizers.SGD(0.25, momentum=0.5),
        K.optimizers.SGD(K.optimizers.schedules.CosineDecay(0.5, 100)),
    ],
}
CASES = [(family, value) for family, values in FORMS.items() for value in values]


@pytest.mark.parametrize(("family", "value"), CASES)
def test_every_form_is_an_accepted_value_again(family, value):
    config = keras_config(family, value, parameter="p")
    assert json.loads(json.dumps(config)) == config
    assert keras_config(family, config, parameter="p") == config
    assert keras_object(family, config) is not None


@pytest.mark.parametrize(("family", "value"), CASES)
def test_config_of_the_user_is_left_as_it_is(family, value):
    if isinstance(value, dict):
        before = copy.deepcopy(value)
        keras_config(family, value, parameter="p")
        assert value == before


@pytest.mark.parametrize(
    ("family", "value", "setting", "expected"),
    [
        ("initializers", K.initializers.RandomNormal(1.0, 0.5), "stddev", 0.5),
        ("regularizers", K.regularizers.L2(0.25), "l2", 0.25),
        ("constraints", K.constraints.MaxNorm(np.float32(3)), "max_value", 3.0),
        ("losses", K.losses.Huber(delta=2.5), "delta", 2.5),
        ("losses", K.losses.CosineSimilarity(axis=-2), "axis", -2),
        ("losses", K.losses.BinaryCrossentropy(from_logits=True), "from_logits", True),
        ("optimizers", K.optimizers.SGD(0.1, momentum=0.5), "momentum", 0.5),
        ("optimizers", K.optimizers.Adam(clipnorm=np.float32(0.25)), "clipnorm", 0.25),
    ],
)
def test_settings_of_an_instance_survive(family, value, setting, expected):
    assert keras_config(family, value, parameter="p")["config"][setting] == expected


def test_delta_of_huber_reaches_the_loss():
    # Keras leaves it out of the config that it writes itself.
    config = keras_config("losses", K.losses.Huber(delta=2.5), parameter="loss")
    error = np.array([[10.0]])
    assert float(keras_object("losses", config).call(0 * error, error)[0]) == 2.5 * (10 - 1.25)


def test_optimizers_of_one_kind_have_one_config():
    # Keras numbers them: adam, adam_1, ... and a program is compiled once for each config.
    first, second = (keras_config("optimizers", "adam", parameter="p") for _ in range(2))
    assert first == second
    instance = keras_config("optimizers", K.optimizers.Adam(), parameter="p")
    assert instance == first


@pytest.mark.parametrize("family", FAMILIES)
def test_names_of_keras_are_names_that_keras_takes(family):
    names = keras_names(family)
    assert len(names) >= 3
    assert names == sorted(set(names))
    for name in names:
        keras_config(family, name, parameter="p")


@pytest.mark.parametrize(
    ("family", "wrong", "meant"),
    [
        ("initializers", "he_norml", "he_normal"),
        ("initializers", "Zeroes", "zeros"),
        ("regularizers", "l11", "l1"),
        ("regularizers", "orthogonal", "orthogonal_regularizer"),
        ("constraints", "max_norms", "max_norm"),
        ("activations", "rleu", "relu"),
        ("losses", "hubert", "huber"),
        ("optimizers", "addam", "adam"),
    ],
)
def test_wrong_name_is_met_with_the_right_one(family, wrong, meant):
    with pytest.raises(InvalidParameterError) as caught:
        keras_config(family, wrong, parameter="my_option")
    message = str(caught.value)
    assert message.startswith(f"my_option={wrong!r} is no name that keras.{family} knows. ")
    assert f"Did you mean {meant!r}? Allowed are: " in message
    assert all(repr(name) in message for name in keras_names(family))


@pytest.mark.parametrize("parameter", ["scale_regularizer", "loss", "optimizer"])
def test_auto_is_among_the_names_where_it_is_allowed(parameter):
    families = {"scale_regularizer": "regularizers", "loss": "losses", "optimizer": "optimizers"}
    with pytest.raises(InvalidParameterError, match=r"Did you mean 'auto'\? Allowed are: 'a"):
        keras_config(families[parameter], "autoo", parameter=parameter)


def test_far_name_gets_no_hint():
    assert did_you_mean("xyz", ["b", "a"]) == "Allowed are: 'a', 'b'."


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tool", ["get", "serialize", "deserialize", "Loss", "Regularizer"])
def test_tools_and_base_classes_of_keras_are_no_options(family, tool):
    assert tool not in keras_names(family)
    with pytest.raises(InvalidParameterError, match="is no name that keras"):
        keras_config(family, tool, parameter="p")


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("initializers", {"class_name": "Unheard", "config": {}}),
        ("initializers", {"class_name": "HeNormal", "config": {"sed": 1}}),
        ("regularizers", {"l1": 0.1}),
        ("losses", {}),
        ("optimizers", {"class_name": "SGD", "config": {"rate": 0.1}}),
    ],
)
def test_wrong_config_says_what_a_config_is(family, config):
    with pytest.raises(InvalidParameterError, match="cannot be rebuilt by Keras") as caught:
        keras_config(family, config, parameter="p")
    assert "the keys 'class_name' and 'config'" in str(caught.value)


class Unregistered(K.regularizers.Regularizer):
    def __call__(self, weights):
        return K.ops.sum(weights)

    def get_config(self):
        return {}


@K.saving.register_keras_serializable("skscale_tests")
class Registered(K.regularizers.Regularizer):
    def __init__(self, strength=1.0):
        self.strength = strength

    def __call__(self, weights):
        return self.strength * K.ops.sum(weights)

    def get_config(self):
        return {"strength": self.strength}


def test_registered_class_of_the_user_is_taken():
    config = keras_config("regularizers", Registered(0.5), parameter="p")
    assert keras_object("regularizers", config).strength == 0.5


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (Unregistered(), r"register_keras_serializable\(\)"),
        (Unregistered, r"register_keras_serializable\(\)"),
        (lambda weights: 0.0, r"Use def instead of lambda, .*register_keras_serializable\(\)"),
        (object(), r"must implement the `get_config\(\)` method"),
    ],
)
def test_what_keras_cannot_save_is_refused_with_the_way_out(value, advice):
    with pytest.raises(InvalidParameterError, match=f"p=.* cannot be .*{advice}"):
        keras_config("regularizers", value, parameter="p")


# Initializers


@pytest.mark.parametrize("initializer", ["he_normal", {"class_name": "HeNormal", "config": {}}])
def test_initializer_draws_by_the_seed(initializer):
    def draw(seed):
        return np.asarray(build_initializer(initializer, seed)((3, 2)))

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_seed_of_the_user_is_added():
    def draw(own, seed):
        config = K.initializers.serialize(K.initializers.HeNormal(seed=own))
        return np.asarray(build_initializer(config, seed)((3, 2)))

    assert not np.array_equal(draw(1, 5), draw(2, 5))
    assert not np.array_equal(draw(1, 5), draw(1, 6))
    assert np.array_equal(draw(1, 5), draw(2, 4))


def test_constant_needs_no_seed():
    assert np.asarray(build_initializer("ones", 0)((2,))).tolist() == [1, 1]
    config = K.initializers.serialize(K.initializers.Constant(3.0))
    assert np.asarray(build_initializer(config, 0)((2,))).tolist() == [3, 3]


def test_python_s_generator_is_left_alone():
    instance = K.initializers.HeNormal()
    before = random.getstate()
    for value in ("he_normal", K.initializers.HeNormal, instance, {"class_name": "he_normal"}):
        build_initializer(keras_config("initializers", value, parameter="p"), 0)
    with pytest.raises(InvalidParameterError):
        keras_config("initializers", "he_norml", parameter="p")
    assert random.getstate() == before


@pytest.mark.parametrize(
    "value",
    [
        {"class_name": "rmsprop", "config": {}},
        {"class_name": "Adam", "config": {"learning_rate": 0.0123}},
        K.optimizers.Adam,
        K.optimizers.Adam(0.0123),
    ],
    ids=["short config", "config", "class", "instance"],
)
def test_floatx_rounds_no_learning_rate(value, in_float16):
    # An optimizer that is made under it holds a rounded rate itself.
    config = functools.partial(keras_config, "optimizers", value, parameter="optimizer")
    assert in_float16(config) == config()
