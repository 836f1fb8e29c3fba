"""Keras' initializers, regularizers and constraints, and a user's own, on vectors of weights."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras_choices import (
    CONSTRAINTS,
    MATRIX_INITIALIZERS,
    MATRIX_REGULARIZERS,
    VECTOR_INITIALIZERS,
    VECTOR_REGULARIZERS,
)
from layer_cases import built_layer

from skscale._keras.options import keras_names
from skscale.layers import CenteringScalingLayer, ScalingLayer, SineDense

# One parameter for every initializer, regularizer and constraint of the two layers.
PARAMETERS = [(ScalingLayer, "scale"), (CenteringScalingLayer, "scale")]
PARAMETERS += [(CenteringScalingLayer, "center")]


@keras.saving.register_keras_serializable(package="tests")
class Countdown(keras.initializers.Initializer):
    """A user's initializer: n, n - 1, ..., 1 over all values."""

    def __call__(self, shape, dtype=None, **kwargs):
        values = np.arange(np.prod(shape), 0, -1).reshape(shape)
        return keras.ops.convert_to_tensor(values, dtype)

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable(package="tests")
class LogBarrier(keras.regularizers.Regularizer):
    """A user's regularizer, with a parameter."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, weight):
        return -self.strength * keras.ops.sum(keras.ops.log(weight))

    def get_config(self):
        return {"strength": self.strength}


@keras.saving.register_keras_serializable(package="tests")
class AtMost(keras.constraints.Constraint):
    """A user's constraint, with a parameter."""

    def __init__(self, bound):
        self.bound = bound

    def __call__(self, weight):
        return keras.ops.minimum(weight, self.bound)

    def get_config(self):
        return {"bound": self.bound}


@keras.saving.register_keras_serializable(package="tests")
def largest_value(weight):
    """A user's regularizer that is a function."""
    return keras.ops.max(weight)


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("regularizer", VECTOR_REGULARIZERS)
def test_every_keras_regularizer_adds_its_penalty(layer_class, weight, regularizer):
    layer = built_layer(layer_class, **{f"{weight}_regularizer": regularizer(0.03)})
    expected = regularizer(0.03)(getattr(layer, weight))
    np.testing.assert_array_equal(layer.losses, [expected])
    assert expected > 0


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_every_keras_constraint_is_on_its_weight(layer_class, weight, constraint):
    layer = built_layer(layer_class, **{f"{weight}_constraint": constraint()})
    for variable in layer.weights:
        assert isinstance(variable.constraint, constraint) == (variable.name == weight)
    assert layer.scale.constraint is layer.scale_constraint
    projected = constraint()(getattr(layer, weight))
    assert tuple(projected.shape) == (5,)


def test_constraints_hold_after_training():
    x = np.random.default_rng(1).normal(size=(32, 5)).astype("float32")
    learned = {}
    for constraint in [None, "non_neg"]:
        layer = CenteringScalingLayer(scale_constraint=constraint, center_constraint=constraint)
        model = keras.Sequential([keras.Input((5,)), layer])
        model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=True)
        model.fit(x, -x - 1, epochs=8, batch_size=32, verbose=0)
        learned[constraint] = np.concatenate(layer.get_weights())
    # The task wants factors and offsets of minus one; the constraint stops them at zero.
    assert learned[None].max() < 0
    np.testing.assert_array_equal(learned["non_neg"], np.zeros(10))


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("initializer", VECTOR_INITIALIZERS)
def test_every_keras_initializer_of_any_shape_fills_the_vector(layer_class, weight, initializer):
    layer = layer_class(**{f"{weight}_initializer": initializer()})
    layer.build((None, 10))
    values = keras.ops.convert_to_numpy(getattr(layer, weight))
    assert values.shape == (10,)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("initializer", MATRIX_INITIALIZERS)
def test_every_keras_initializer_of_matrices_is_refused(layer_class, weight, initializer):
    message = rf"{weight}_initializer=.* makes a matrix, .*vector.* for example 'ones'"
    for value in [initializer(), initializer, initializer.__name__]:
        with pytest.raises(ValueError, match=message):
            layer_class(**{f"{weight}_initializer": value})


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("regularizer", MATRIX_REGULARIZERS)
def test_every_keras_regularizer_of_matrices_is_refused(layer_class, weight, regularizer):
    message = rf"{weight}_regularizer=.* measures a matrix, .*vector.* for example 'l1'"
    with pytest.raises(ValueError, match=message):
        layer_class(**{f"{weight}_regularizer": regularizer()})


def test_keras_still_has_initializers_and_regularizers_of_both_kinds():
    # An empty list would let the tests above pass without testing anything.
    assert keras.initializers.GlorotUniform in VECTOR_INITIALIZERS
    assert keras.initializers.Orthogonal in MATRIX_INITIALIZERS
    assert keras.regularizers.L1 in VECTOR_REGULARIZERS
    assert keras.regularizers.OrthogonalRegularizer in MATRIX_REGULARIZERS
    assert keras.constraints.NonNeg in CONSTRAINTS


ALL_VECTORS = [*PARAMETERS, (SineDense, "frequency"), (SineDense, "bias")]


def _with_options(layer_class, **options):
    return layer_class(**({"units": 5} if layer_class is SineDense else {}), **options)


@pytest.mark.parametrize(("layer_class", "weight"), [*ALL_VECTORS, (SineDense, "kernel")])
def test_options_of_the_users_own_start_penalize_and_project_the_weight(layer_class, weight):
    options = {
        f"{weight}_initializer": Countdown(),
        f"{weight}_regularizer": LogBarrier(0.5),
        f"{weight}_constraint": AtMost(2.0),
    }
    layer = _with_options(layer_class, **options)
    config = json.loads(json.dumps(layer.get_config()))
    for made in [layer, layer_class.from_config(config)]:
        made.build((None, 5))
        variable = getattr(made, weight)
        values = keras.ops.convert_to_numpy(variable)
        np.testing.assert_array_equal(values.ravel(), np.arange(values.size, 0, -1))
        # One float32 logarithm for each value, summed.
        np.testing.assert_allclose(made.losses, [-0.5 * np.log(values).sum()], rtol=1e-5)
        projected = keras.ops.convert_to_numpy(variable.constraint(variable))
        np.testing.assert_array_equal(projected, np.minimum(values, 2))


@pytest.mark.parametrize(("layer_class", "weight"), ALL_VECTORS)
def test_functions_and_classes_of_the_users_own_are_taken_as_keras_takes_them(layer_class, weight):
    options = {f"{weight}_initializer": Countdown, f"{weight}_regularizer": largest_value}
    layer = _with_options(layer_class, **options)
    layer = layer_class.from_config(json.loads(json.dumps(layer.get_config())))
    try:
        keras.layers.Dense(1, kernel_regularizer=largest_value).build((None, 5))
    except ValueError as error:
        pytest.skip(f"Older versions of Keras penalize by no function: {error}")
    layer.build((None, 5))
    np.testing.assert_array_equal(layer.losses, [5])


@pytest.mark.parametrize("weight", ["bias", "frequency"])
@pytest.mark.parametrize("initializer", MATRIX_INITIALIZERS)
def test_vectors_of_a_sine_layer_refuse_what_makes_matrices(weight, initializer):
    message = rf"{weight}_initializer=.* makes a matrix, .*\(units,\): one value for each unit"
    with pytest.raises(ValueError, match=message):
        SineDense(5, **{f"{weight}_initializer": initializer()})
    with pytest.raises(ValueError, match=rf"{weight}_regularizer=.* measures a matrix.*each unit"):
        SineDense(5, **{f"{weight}_regularizer": "orthogonal_regularizer"})


@pytest.mark.parametrize(("layer_class", "weight"), PARAMETERS)
@pytest.mark.parametrize("family", ["initializer", "regularizer", "constraint"])
def test_every_name_that_estimators_take_is_taken_by_layers(layer_class, weight, family):
    matrices = {"identity", "orthogonal", "orthogonal_regularizer"}
    for name in set(keras_names(f"{family}s")) - matrices:
        layer = built_layer(layer_class, **{f"{weight}_{family}": name})
        assert getattr(layer, f"{weight}_{family}") is not None
