"""Keras objects get explicit seeds: nobody else who draws from Python's generator is disturbed."""

from __future__ import annotations

import random
import sys
import threading

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from user_layers import Bilinear, bent, two_layers

from skscale import LearnedScaleRegressor
from skscale._keras.seeds import KerasSeeds, build_layer, is_known

layers = keras.layers
X = np.random.default_rng(0).normal(size=(40, 3))
y = X[:, 0] ** 2 + X[:, 1]

SINGLE = {
    "scale_regularizer": None,
    "hidden_layer_sizes": (4,),
    "epochs": 2,
    "optimizer": "sgd",
    "scale_learning_rate_factor": 1.0,
    "random_state": 0,
}


def of_keras():
    """Layers that draw: their weights, what they drop, what they add."""
    inner = keras.Sequential([layers.Dense(4, "tanh"), layers.GaussianNoise(0.1)])
    return keras.Sequential(
        [inner, layers.BatchNormalization(), layers.Dropout(0.0), layers.Dense(1), layers.PReLU()]
    )


OPTIONS = {
    "plain": {"dropout": 0.2, "kernel_initializer": "he_normal", "scale_initializer": "uniform"},
    "sine": {"hidden_layer": "sine", "bias_initializer": keras.initializers.RandomNormal()},
    "batch": {"normalization": "batch"},
    "class": {"hidden_layer": layers.Dense, "dropout": 0.2, "kernel_initializer": "orthogonal"},
    "activation": {"activation": layers.LeakyReLU(negative_slope=0.1)},
    "network": {"network": of_keras()},
    "callback": {"network": of_keras(), "callbacks": [keras.callbacks.TerminateOnNaN()]},
}


class Bystander(threading.Thread):
    """Draws from Python's generator, as another part of a user's program does."""

    def __init__(self):
        super().__init__()
        self.started, self.stopping, self.draws = threading.Event(), threading.Event(), []

    def run(self):
        random.seed(7)
        self.started.set()
        while not self.stopping.is_set():
            self.draws.append(random.random())

    def __enter__(self):
        # A generator that is seeded for a moment must be seen.
        self.interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.start()
        self.started.wait()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()
        sys.setswitchinterval(self.interval)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_fit_leaves_the_draws_of_other_threads_alone(options):
    # Compiled first, so that the other thread need not draw for long.
    LearnedScaleRegressor(**SINGLE, **options).fit(X, y)
    with Bystander() as other:
        model = LearnedScaleRegressor(**SINGLE, **options).fit(X, y)
        model.to_keras()
    expected = random.Random(7)
    assert other.draws == [expected.random() for _ in other.draws]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_fit_draws_nothing_from_the_generator_of_python(options, monkeypatch):
    def drawn(*_):
        pytest.fail("Python's generator was used")

    with monkeypatch.context() as patch:
        for name in ("seed", "setstate", "randint", "random"):
            patch.setattr(random, name, drawn)
        model = LearnedScaleRegressor(**SINGLE, **options).fit(X, y)
        model.predict(X)
        model.to_keras()


def numbered(units):
    """Build a layer as a user may do who asks Python's generator for a seed."""
    return layers.Dense(units, kernel_initializer=keras.initializers.HeNormal(random.randint(1, 9)))


@pytest.mark.parametrize("options", [{"hidden_layer": numbered}, {"hidden_layer": Bilinear}])
def test_code_of_the_user_draws_by_the_random_state_and_changes_no_other_draw(options):
    random.seed(3)
    first = LearnedScaleRegressor(**SINGLE, **options).fit(X, y).predict(X)
    random.seed(4)
    state = random.getstate()
    again = LearnedScaleRegressor(**SINGLE, **options).fit(X, y).predict(X)
    assert random.getstate() == state
    assert_array_equal(first, again)


def variables_of(model):
    return np.concatenate([np.ravel(v.numpy()).astype(float) for v in model.variables])


def recurrent():
    made = [layers.Dense(4), layers.Reshape((2, 2)), layers.LSTM(3), layers.Dense(1)]
    return keras.Sequential([keras.Input((3,)), *made])


def attentive():
    inputs = keras.Input((3,))
    rows = layers.Reshape((3, 1))(inputs)
    hidden = layers.Flatten()(layers.MultiHeadAttention(2, 2)(rows, rows))
    return keras.Model(inputs, layers.Dense(1)(hidden))


@pytest.mark.parametrize("make", [of_keras, recurrent, attentive, lambda: two_layers(3, 1)])
def test_weights_are_those_that_keras_draws_from_a_seeded_generator(make):
    model = make()
    model.build((None, 3))
    config = keras.saving.serialize_keras_object(model)
    explicit = variables_of(build_layer(config, KerasSeeds(5)))
    random.seed(5)
    assert_array_equal(explicit, variables_of(build_layer(config)))
    assert not np.array_equal(explicit, variables_of(build_layer(config, KerasSeeds(6))))


def test_seeds_that_were_written_are_left_out_again():
    config = keras.saving.serialize_keras_object(layers.Dense(3))
    seeds = KerasSeeds(0)
    written = seeds.written_into(config)
    assert written["config"]["kernel_initializer"]["config"]["seed"] in seeds.drawn
    assert seeds.left_out_of(written) == config
    chosen = layers.Dense(3, kernel_initializer=keras.initializers.HeNormal(seed=5))
    config = keras.saving.serialize_keras_object(chosen)
    assert seeds.written_into(config) == seeds.left_out_of(config) == config


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (layers.Dense(3, "tanh"), True),
        (keras.Sequential([layers.Dense(3), layers.Dropout(0.1)]), True),
        (layers.Dense(3, activation=bent), False),
        (Bilinear(3), False),
        (keras.Sequential([layers.Dense(3), Bilinear(3)]), False),
        # Several weights of one initializer, which must not draw the same.
        (layers.MultiHeadAttention(2, 2), False),
    ],
    ids=["layer", "model", "function", "class", "inside", "copies"],
)
def test_code_of_the_user_is_known_by_its_config(value, expected):
    assert is_known(keras.saving.serialize_keras_object(value)) is expected


@pytest.mark.parametrize("name", ["Dense", "Bilinear", "skscale_tests>Bilinear"])
def test_a_config_that_a_user_wrote_may_leave_out_what_keras_draws(name):
    assert not is_known({"class_name": name, "config": {"units": 3}})


def test_our_own_layers_are_known():
    from skscale.layers import CenteringScalingLayer, SineDense

    for layer in (CenteringScalingLayer(scale_initializer="random_normal"), SineDense(3)):
        assert is_known(keras.saving.serialize_keras_object(layer))
