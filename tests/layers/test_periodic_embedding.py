"""PeriodicEmbedding computes, starts, trains and refuses what it says."""

from __future__ import annotations

import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import N_FEATURES, built_layer
from scipy import stats

from skscale.layers import PeriodicEmbedding, ScalingLayer

WEIGHTS = ["frequency", "phase", "kernel", "bias"]
SMALL = {"n_frequencies": 4, "units": 2}


def rows(*leading, dtype="float64"):
    return np.random.default_rng(1).normal(size=(*leading, N_FEATURES)).astype(dtype)


def formula(layer, x):
    """The embedding, feature after feature and output after output."""
    x = np.asarray(x, "float64")
    weights = (np.asarray(weight, "float64") for weight in layer.get_weights())
    frequency, phase, kernel, bias = weights
    parts = [x]
    for row, index in enumerate(layer.indices or range(x.shape[-1])):
        waves = np.cos(2 * np.pi * (x[..., [index]] * frequency[row] + phase[row]))
        parts.append(waves @ kernel[row] + bias[row])
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("indices", [None, [2], [3, 0, 1]])
@pytest.mark.parametrize("leading", [(), (4,), (4, 3), (4, 3, 2)])
def test_output_is_the_features_and_behind_them_their_waves(leading, indices, dtype):
    x = rows(*leading, dtype=dtype)
    layer = built_layer(PeriodicEmbedding, **SMALL, indices=indices, dtype=dtype)
    output = layer(x)
    width = N_FEATURES + 2 * len(indices or x.T)
    assert output.shape == (*leading, width) == layer.compute_output_shape(x.shape)
    np.testing.assert_array_equal(output[..., :N_FEATURES], x)
    # Angles of up to twenty radians are rounded to eps / 2 of them, three times, before four
    # cosines, times numbers of order one, are summed.
    atol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(output, formula(layer, x), rtol=0, atol=atol)


def test_an_embedding_stands_where_the_layout_says():
    # Of feature j, output u is 10 j + u, and no wave says otherwise.
    layer = PeriodicEmbedding(
        3, 2, indices=[4, 1], kernel_initializer="zeros", bias_initializer="zeros"
    )
    x = rows(1, dtype="float32")
    layer.build(x.shape)
    layer.bias.assign([[40.0, 41.0], [10.0, 11.0]])
    np.testing.assert_array_equal(layer(x)[0, N_FEATURES:], [40.0, 41.0, 10.0, 11.0])


@pytest.mark.parametrize(("indices", "n_embedded"), [(None, 5), ([1, 4], 2)])
def test_weights_are_frequency_phase_kernel_bias(indices, n_embedded):
    layer = built_layer(PeriodicEmbedding, 5, n_frequencies=7, units=2, indices=indices)
    assert [weight.name for weight in layer.trainable_weights] == WEIGHTS
    shapes = [(n_embedded, 7), (n_embedded, 7), (n_embedded, 7, 2), (n_embedded, 2)]
    assert [tuple(weight.shape) for weight in layer.weights] == shapes
    assert all(weight is getattr(layer, weight.name) for weight in layer.weights)


def test_defaults_are_sixteen_waves_and_three_outputs_of_every_feature():
    layer = PeriodicEmbedding()
    layer.build((None, 10))
    assert layer.compute_output_shape((None, 10)) == (None, 40)
    assert layer.kernel.shape == (10, 16, 3)
    assert layer.indices is None


@pytest.mark.parametrize(
    ("options", "weight", "distribution"),
    [
        ({}, "frequency", stats.norm(scale=0.1)),
        ({"frequency_scale": 3.0}, "frequency", stats.norm(scale=3.0)),
        ({}, "phase", stats.uniform(-0.5, 1.0)),
        # One over the root of the 25 waves of a feature, however many features there are.
        ({}, "kernel", stats.norm(scale=0.2)),
    ],
)
def test_weights_start_from_the_distribution_that_is_told(options, weight, distribution):
    keras.utils.set_random_seed(0)
    layer = PeriodicEmbedding(25, 4, **options)
    layer.build((None, 200))
    values = np.ravel(getattr(layer, weight))
    # A right distribution is further off than this once in a thousand seeds; one of a tenth more
    # spread always is, among 5000 draws.
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(layer.bias, np.zeros((200, 4)))


def test_phases_start_within_one_cycle():
    layer = PeriodicEmbedding(50)
    layer.build((None, 200))
    phase = np.asarray(layer.phase)
    assert phase.min() >= -0.5
    assert phase.max() < 0.5


def test_an_initializer_of_the_frequencies_goes_before_their_scale():
    layer = PeriodicEmbedding(frequency_scale=5.0, frequency_initializer="ones")
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.frequency, np.ones((3, 16)))


def test_seeds_in_the_config_decide_what_is_drawn():
    config = PeriodicEmbedding(**SMALL).get_config()
    for weight, seed in zip(WEIGHTS[:3], range(3), strict=True):
        # A default that is not in the config could not be given a seed.
        assert config[f"{weight}_initializer"]["config"]["seed"] is None
        config[f"{weight}_initializer"]["config"]["seed"] = seed
    config = json.loads(json.dumps(config))
    state = random.getstate()
    layers = [PeriodicEmbedding.from_config(config) for _ in range(2)]
    for layer in layers:
        layer.build((None, 5))
    assert random.getstate() == state
    for one, other in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("indices", [None, [3, 1]])
def test_gradients_are_those_of_the_formula(indices):
    x = rows(6)
    inputs = tf.constant(x)
    layer = built_layer(PeriodicEmbedding, **SMALL, indices=indices, dtype="float64")
    upstream = np.random.default_rng(2).normal(size=layer.compute_output_shape(x.shape))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(layer(inputs) * upstream)
    gradients = tape.gradient(total, [inputs, *(weight.value for weight in layer.weights)])

    columns = list(layer.indices or range(N_FEATURES))
    frequency, phase, kernel, _ = layer.get_weights()
    of_outputs = upstream[:, N_FEATURES:].reshape(6, len(columns), 2)
    angle = 2 * np.pi * (x[:, columns, None] * frequency + phase)
    of_waves = np.einsum("nju,jku->njk", of_outputs, kernel)
    of_cycles = -2 * np.pi * np.sin(angle) * of_waves
    of_inputs = upstream[:, :N_FEATURES].copy()
    of_inputs[:, columns] += (of_cycles * frequency).sum(axis=2)
    expected = [
        of_inputs,
        (of_cycles * x[:, columns, None]).sum(axis=0),
        of_cycles.sum(axis=0),
        np.einsum("nju,njk->jku", of_outputs, np.cos(angle)),
        of_outputs.sum(axis=0),
    ]
    for gradient, exact in zip(gradients, expected, strict=True):
        assert np.abs(exact).min() > 0
        # Sums of up to 24 float64 products of order ten, of angles of order ten.
        np.testing.assert_allclose(gradient, exact, rtol=1e-11, atol=1e-11)


def test_a_factor_of_zero_in_front_makes_the_waves_constant():
    scaling = ScalingLayer()
    embedding = built_layer(PeriodicEmbedding, **SMALL)
    model = keras.Sequential([keras.Input((N_FEATURES,)), scaling, embedding])
    scaling.scale.assign([1.0, 0.0, 1.0, 1.0, 1.0])
    x = rows(7, dtype="float32")
    moved = x + np.eye(N_FEATURES, dtype="float32")[1]
    np.testing.assert_array_equal(model(moved), model(x))
    waves = np.asarray(model(x))[:, N_FEATURES:].reshape(7, N_FEATURES, 2)
    is_constant = (waves == waves[0]).all(axis=(0, 2))
    np.testing.assert_array_equal(is_constant, [False, True, False, False, False])


@pytest.mark.parametrize("weight", WEIGHTS)
def test_options_are_on_their_weight(weight):
    options = {
        f"{weight}_initializer": keras.initializers.Constant(2.0),
        f"{weight}_regularizer": keras.regularizers.L1(0.5),
        f"{weight}_constraint": keras.constraints.NonNeg(),
    }
    layer = PeriodicEmbedding(4, 3, **options)
    layer.build((None, 5))
    variable = getattr(layer, weight)
    np.testing.assert_array_equal(variable, np.full(variable.shape, 2.0))
    np.testing.assert_array_equal(layer.losses, [np.prod(variable.shape)])
    for other in layer.weights:
        assert isinstance(other.constraint, keras.constraints.NonNeg) == (other is variable)


@pytest.mark.slow
def test_a_wave_is_learned():
    x = np.linspace(-2, 2, 64, dtype="float32")[:, None]
    y = np.cos(2 * np.pi * (0.4 * x - 0.1))
    layer = PeriodicEmbedding(1, 1, frequency_initializer=keras.initializers.Constant(0.3))
    layer.build((None, 1))
    layer.phase.assign([[0.0]])
    layer.kernel.assign([[[0.5]]])
    # The feature itself is not asked.
    last = keras.layers.Lambda(lambda outputs: outputs[:, 1:])
    model = keras.Sequential([keras.Input((1,)), layer, last])
    # A graph: two hundred steps of Keras are slower without one, and slower to compile.
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    # Two hundred steps of all rows: an epoch for each would take longer than its step.
    model.fit(*(np.tile(a, (200, 1)) for a in (x, y)), batch_size=64, shuffle=False, verbose=0)
    learned = [weight.item() for weight in layer.get_weights()]
    # The rate is .02 a step.
    np.testing.assert_allclose(learned, [0.4, -0.1, 1.0, 0.0], rtol=0, atol=0.02)


@pytest.mark.parametrize("indices", [None, [3, 1]])
def test_a_saved_model_predicts_the_same_bits(tmp_path, indices):
    x = rows(6, dtype="float32")
    embedding = PeriodicEmbedding(**SMALL, indices=indices, name="waves")
    layers = [keras.Input((N_FEATURES,)), embedding, keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_layer("waves").get_config() == embedding.get_config()
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_the_low_one_and_keeps_weights_in_float32(policy):
    layer = built_layer(PeriodicEmbedding, **SMALL, dtype=policy)
    x = rows(50, dtype="float32")
    output = layer(x)
    assert output.dtype == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    eps = {"mixed_float16": 2.0**-10, "mixed_bfloat16": 2.0**-7}[policy]
    error = np.abs(np.asarray(output, "float64") - formula(layer, x))
    # Angles of order ten are rounded three times, but few rows have the largest.
    assert np.median(error) < 10 * eps


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float64", 1e308), ("float32", 3e38), ("mixed_bfloat16", 3e38), ("mixed_float16", 6e4)],
)
def test_the_largest_numbers_have_finite_waves(dtype, size):
    layer = PeriodicEmbedding(dtype=dtype, frequency_scale=1.0)
    x = np.array([[size, -size, 0.0]], "float64")
    outputs = np.asarray(layer(x.astype(layer.variable_dtype)), "float64")
    assert np.isfinite(outputs).all()
    # bfloat16 has three digits.
    np.testing.assert_allclose(outputs[:, :3], x, rtol=1e-2)


def test_what_is_nan_stays_nan():
    output = np.asarray(PeriodicEmbedding(**SMALL)(np.array([[np.nan, 0.0]], "float32")))
    np.testing.assert_array_equal(np.isnan(output), [[True, False, True, True, False, False]])


@pytest.mark.parametrize("indices", [np.array([3, 0]), (3, 0), range(3, -1, -3)])
def test_indices_are_written_as_ints(indices):
    config = PeriodicEmbedding(indices=indices).get_config()
    assert config["indices"] == [3, 0]
    assert {type(index) for index in config["indices"]} == {int}


def test_numpy_numbers_are_written_as_numbers_of_python():
    layer = PeriodicEmbedding(np.int64(4), np.int32(2), np.float32(0.5))
    config = json.loads(json.dumps(layer.get_config()))
    sizes = (config["n_frequencies"], config["units"], config["frequency_scale"])
    assert sizes == (4, 2, 0.5)


@pytest.mark.parametrize("parameter", ["n_frequencies", "units"])
@pytest.mark.parametrize("value", [0, -3])
def test_sizes_below_one_are_refused(parameter, value):
    with pytest.raises(ValueError, match=rf"{parameter}={value} leaves no .*at least 1"):
        PeriodicEmbedding(**{parameter: value})


@pytest.mark.parametrize("parameter", ["n_frequencies", "units"])
@pytest.mark.parametrize("value", [2.0, "3", None, True])
def test_sizes_that_are_no_whole_number_are_refused(parameter, value):
    with pytest.raises(TypeError, match=rf"{parameter}=.* is no number of .*int of at least 1"):
        PeriodicEmbedding(**{parameter: value})


@pytest.mark.parametrize("scale", [0, 0.0, -0.1, np.nan, np.inf, -np.inf])
def test_scales_that_spread_no_frequencies_are_refused(scale):
    with pytest.raises(ValueError, match=r"frequency_scale=.*Give a finite number above 0"):
        PeriodicEmbedding(frequency_scale=scale)


@pytest.mark.parametrize("scale", ["0.1", None, True, [0.1]])
def test_scales_that_are_no_number_are_refused(scale):
    with pytest.raises(TypeError, match=r"frequency_scale=.* is no number.*above 0"):
        PeriodicEmbedding(frequency_scale=scale)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([], "indices is empty.*None for all"),
        ([-1], r"indices=\[-1\] holds -1. Give ints that count the features from 0"),
        ([0, 2, 0], r"indices=\[0, 2, 0\] holds a feature twice. Give each feature once"),
    ],
)
def test_indices_of_no_features_are_refused(indices, message):
    with pytest.raises(ValueError, match=message):
        PeriodicEmbedding(indices=indices)


@pytest.mark.parametrize("indices", [[0.0], ["0"], [True, False], np.array([True])])
def test_indices_that_are_no_positions_are_refused(indices):
    with pytest.raises(TypeError, match=r"is no position.*numpy.flatnonzero"):
        PeriodicEmbedding(indices=indices)


@pytest.mark.parametrize("method", ["build", "compute_output_shape"])
def test_indices_beyond_the_features_are_refused(method):
    layer = PeriodicEmbedding(indices=[0, 5], name="waves")
    with pytest.raises(ValueError, match=r"'waves' embeds feature 5.*\(None, 5\).*below 5"):
        getattr(layer, method)((None, 5))


@pytest.mark.parametrize("method", ["build", "compute_output_shape"])
@pytest.mark.parametrize("shape", [(None, None), (None, 7, None), ()])
def test_an_unknown_number_of_features_is_refused(method, shape):
    with pytest.raises(ValueError, match=r"length of the last axis.*Got input shape \(.*Input"):
        getattr(PeriodicEmbedding(indices=[0]), method)(shape)


@pytest.mark.parametrize("initializer", ["Identity", "STFT"])
def test_what_cannot_fill_the_kernel_is_refused(initializer):
    if not hasattr(keras.initializers, initializer):
        pytest.skip(f"This version of Keras has no {initializer}.")
    made = getattr(keras.initializers, initializer)()
    with pytest.raises(ValueError, match=r"kernel_initializer=.* cannot fill .*units\).*'zeros'"):
        PeriodicEmbedding(kernel_initializer=made)


@pytest.mark.parametrize("weight", ["frequency", "phase", "bias"])
def test_what_fills_kernels_of_convolutions_alone_is_refused(weight):
    if not hasattr(keras.initializers, "STFT"):
        pytest.skip("This version of Keras has no STFT.")
    made = keras.initializers.STFT()
    with pytest.raises(ValueError, match=rf"{weight}_initializer=.* cannot fill .*\(n_embedded, "):
        PeriodicEmbedding(**{f"{weight}_initializer": made})


def test_what_measures_a_matrix_is_refused_for_the_kernel():
    with pytest.raises(ValueError, match=r"kernel_regularizer=.* measures a matrix.*'l2'"):
        PeriodicEmbedding(kernel_regularizer="orthogonal_regularizer")


@pytest.mark.parametrize("weight", WEIGHTS)
def test_matrices_start_and_penalize_where_they_can(weight):
    options = {f"{weight}_initializer": "orthogonal"}
    if weight != "kernel":
        options[f"{weight}_regularizer"] = "orthogonal_regularizer"
        values = PeriodicEmbedding(**{f"{weight}_initializer": "identity"})
        values.build((None, 4))
        variable = np.asarray(getattr(values, weight))
        np.testing.assert_array_equal(variable, np.eye(*variable.shape))
    layer = PeriodicEmbedding(**options)
    layer.build((None, 4))
    assert np.isfinite(np.asarray(getattr(layer, weight))).all()
    assert np.isfinite(np.asarray(sum(layer.losses))).all()


def test_options_are_by_keyword_and_unknown_ones_are_refused():
    with pytest.raises(TypeError, match="positional argument"):
        PeriodicEmbedding(4, 2, 0.1, [0])
    with pytest.raises(ValueError, match="gamma_initializer"):
        PeriodicEmbedding(gamma_initializer="ones")
    with pytest.raises(ValueError, match="no_such_initializer"):
        PeriodicEmbedding(frequency_initializer="no_such_initializer")
