"""What every initializer of Keras draws for our weights has the moments of its formula."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras_choices import INITIALIZERS, MATRIX_INITIALIZERS, VECTOR_INITIALIZERS

from skscale.layers import CenteringScalingLayer, ScalingLayer, SineDense

N_FEATURES, UNITS, LENGTH = 80, 50, 4000

# A sample of n draws has a mean off by sd / sqrt(n), and a standard deviation off by
# sd * sqrt((kurtosis - 1) / 4 n), kurtosis 3 at most: five of these are met by every seed but
# one in a million.
SIGMAS = 5.0

# With fans n_in and n_out, which for a vector are both its length:
# the standard deviation of a normal draw, or the limits +-l of a uniform one.
FORMULAS = {
    "GlorotNormal": ("normal", lambda n_in, n_out: np.sqrt(2 / (n_in + n_out))),
    "GlorotUniform": ("uniform", lambda n_in, n_out: np.sqrt(6 / (n_in + n_out))),
    "HeNormal": ("normal", lambda n_in, n_out: np.sqrt(2 / n_in)),
    "HeUniform": ("uniform", lambda n_in, n_out: np.sqrt(6 / n_in)),
    "LecunNormal": ("normal", lambda n_in, n_out: np.sqrt(1 / n_in)),
    "LecunUniform": ("uniform", lambda n_in, n_out: np.sqrt(3 / n_in)),
    "VarianceScaling": ("normal", lambda n_in, n_out: np.sqrt(1 / n_in)),
    "RandomNormal": ("normal", lambda n_in, n_out: 0.05),
    "RandomUniform": ("uniform", lambda n_in, n_out: 0.05),
    # Cut at two standard deviations, which takes this share of the standard deviation.
    "TruncatedNormal": ("normal", lambda n_in, n_out: 0.05 * 0.87962566),
}
CONSTANTS = {"Zeros": 0.0, "Ones": 1.0, "Constant": 0.0}

MODES = {
    "fan_in": lambda n_in, n_out: n_in,
    "fan_out": lambda n_in, n_out: n_out,
    "fan_avg": lambda n_in, n_out: (n_in + n_out) / 2,
}
DISTRIBUTIONS = ["truncated_normal", "untruncated_normal", "uniform"]


def _scale(initializer):
    layer = ScalingLayer(scale_initializer=initializer)
    layer.build((None, LENGTH))
    return layer.scale


def _center(initializer):
    layer = CenteringScalingLayer(center_initializer=initializer)
    layer.build((None, LENGTH))
    return layer.center


def _sine(weight, n_features, units):
    def built(initializer):
        layer = SineDense(units, **{f"{weight}_initializer": initializer})
        layer.build((None, n_features))
        return getattr(layer, weight)

    return built


def _dense(initializer):
    layer = keras.layers.Dense(UNITS, kernel_initializer=initializer)
    layer.build((None, N_FEATURES))
    return layer.kernel


# How a weight is made, and its fans.
WEIGHTS = {
    "scale": (_scale, (LENGTH, LENGTH)),
    "center": (_center, (LENGTH, LENGTH)),
    "sine_frequency": (_sine("frequency", 1, LENGTH), (LENGTH, LENGTH)),
    "sine_bias": (_sine("bias", 1, LENGTH), (LENGTH, LENGTH)),
    "sine_kernel": (_sine("kernel", N_FEATURES, UNITS), (N_FEATURES, UNITS)),
    "dense_kernel": (_dense, (N_FEATURES, UNITS)),
}


def _assert_drawn(values, kind, size):
    """Hold mean, standard deviation and limits of a sample to those of a distribution."""
    assert values.size == 4000
    deviation, kurtosis = (size, 3.0) if kind == "normal" else (size / np.sqrt(3), 1.8)
    error = deviation / np.sqrt(values.size)
    np.testing.assert_allclose(values.mean(), 0, atol=SIGMAS * error)
    tolerance = SIGMAS * error * np.sqrt((kurtosis - 1) / 4)
    np.testing.assert_allclose(values.std(), deviation, rtol=0, atol=tolerance)
    if kind == "uniform":
        # Each draw is in the last part of the range with that share as a chance: none of 4000 is
        # in the last 1/250, (1 - 1/250)**4000, in one seed of ten million.
        assert 0.996 * size < np.abs(values).max() <= size * (1 + 1e-6)
    else:
        # 1/20 of a normal sample is beyond two standard deviations, none of one cut there; the
        # normal of the same spread is still far beyond a uniform's limit.
        assert np.abs(values).max() > 1.9 * size


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("name", FORMULAS)
def test_random_initializers_draw_by_their_formulas(name, weight):
    make, fans = WEIGHTS[weight]
    kind, formula = FORMULAS[name]
    values = keras.ops.convert_to_numpy(make(getattr(keras.initializers, name)(seed=1)))
    _assert_drawn(values, kind, formula(*fans))


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_variance_scaling_draws_by_mode_and_distribution(weight, mode, distribution):
    make, fans = WEIGHTS[weight]
    scale, n = 2.5, MODES[mode](*fans)
    initializer = keras.initializers.VarianceScaling(scale, mode, distribution, seed=1)
    values = keras.ops.convert_to_numpy(make(initializer))
    if distribution == "uniform":
        _assert_drawn(values, "uniform", np.sqrt(3 * scale / n))
    else:
        _assert_drawn(values, "normal", np.sqrt(scale / n))


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_initializers_fill_the_weight(name, weight):
    values = keras.ops.convert_to_numpy(WEIGHTS[weight][0](getattr(keras.initializers, name)()))
    np.testing.assert_array_equal(values, np.full(values.shape, CONSTANTS[name]))


def test_numbers_given_to_an_initializer_are_those_of_the_draw():
    drawn = keras.ops.convert_to_numpy(_scale(keras.initializers.RandomNormal(1.0, 0.1, seed=2)))
    _assert_drawn(drawn - 1, "normal", 0.1)
    drawn = keras.ops.convert_to_numpy(_scale(keras.initializers.RandomUniform(0.5, 1.5, seed=2)))
    _assert_drawn(drawn - 1, "uniform", 0.5)
    filled = keras.ops.convert_to_numpy(_center(keras.initializers.Constant(0.25)))
    np.testing.assert_array_equal(filled, np.full(LENGTH, 0.25))


@pytest.mark.parametrize("make", [_sine("kernel", N_FEATURES, UNITS), _dense])
def test_initializers_of_matrices_fill_kernels(make):
    columns = keras.ops.convert_to_numpy(make(keras.initializers.Orthogonal(gain=2.0, seed=1)))
    # A QR decomposition in float32, products of 80 terms.
    np.testing.assert_allclose(columns.T @ columns, 4 * np.eye(UNITS), rtol=0, atol=1e-5)
    identity = keras.ops.convert_to_numpy(make(keras.initializers.Identity(gain=2.0)))
    np.testing.assert_array_equal(identity, 2 * np.eye(N_FEATURES, UNITS))


def test_every_initializer_of_keras_has_a_formula_here():
    assert {c.__name__ for c in VECTOR_INITIALIZERS} == {*FORMULAS, *CONSTANTS}
    # STFT is a matrix of waves: another kind of kernel altogether.
    assert {c.__name__ for c in MATRIX_INITIALIZERS} - {"STFT"} == {"Identity", "Orthogonal"}
    assert len(INITIALIZERS) == len(VECTOR_INITIALIZERS) + len(MATRIX_INITIALIZERS)
