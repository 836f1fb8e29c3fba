"""What holds for every layer of skscale.layers: names, configs, dtypes, masks, saved models."""

from __future__ import annotations

import inspect
import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES, N_FEATURES

from skscale import layers

# Saved models name their layers by these: renaming one makes every saved model unreadable.
REGISTERED_NAMES = [
    "skscale>AffineNormalization",
    "skscale>CenteringScalingLayer",
    "skscale>Denormalization",
    "skscale>LocalStandardDeviation",
    "skscale>PeriodicEmbedding",
    "skscale>ScalingLayer",
    "skscale>SelectFeatures",
    "skscale>SineDense",
]

# Layers with something of their own for each feature.
UNKNOWN_REFUSED = ["scaling", "centering", "sine", "periodic", "normalization", "inverse"]


def a_batch(dtype="float32"):
    return np.random.default_rng(1).normal(size=(2, 6, N_FEATURES)).astype(dtype)


def layer_of(case, **kwargs):
    layer_class, arguments = CASES[case]
    # The only layer whose statistics belong to one axis counted from the front.
    own = {"axis": -1} if case == "denormalization" else {}
    return layer_class(**{**arguments, **own, **kwargs})


def test_layers_are_registered_under_their_frozen_names():
    registered = keras.saving.get_custom_objects()
    ours = [name for name, c in registered.items() if c.__module__.startswith("skscale.layers")]
    assert sorted(ours) == REGISTERED_NAMES
    assert [f"skscale>{name}" for name in layers.__all__] == REGISTERED_NAMES
    for name in layers.__all__:
        assert keras.saving.get_registered_object(f"skscale>{name}") is getattr(layers, name)


def test_every_layer_has_a_case_here():
    assert {layer_class.__name__ for layer_class, _ in CASES.values()} == {*layers.__all__}


@pytest.mark.parametrize("case", CASES)
def test_config_holds_every_parameter_and_makes_the_same_layer_again(case):
    layer_class, arguments = CASES[case]
    parameters = [
        name
        for name, parameter in inspect.signature(layer_class).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    assert {*arguments} == {*parameters}
    layer = layer_class(**arguments, name="ours", dtype="mixed_bfloat16", trainable=False)
    config = layer.get_config()
    assert {*parameters} <= {*config}
    again = layer_class.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.name == "ours"
    assert again.compute_dtype == "bfloat16"
    assert not again.trainable
    for name, value in arguments.items():
        # A Keras object is written as its config, which has its class.
        if not isinstance(value, (str, int, float, list, type(None))):
            assert config[name]["class_name"] == type(value).__name__
        elif not isinstance(value, str):
            assert config[name] == value


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("input_dtype", ["int32", "float32", "float64"])
def test_dtype_policy_decides_dtypes_and_the_spec_agrees(case, dtype, input_dtype):
    policy = keras.DTypePolicy(dtype)
    layer = layer_of(case, dtype=policy)
    spec = layer.compute_output_spec(keras.KerasTensor((2, 6, N_FEATURES), dtype=input_dtype))
    output = layer(np.ones((2, 6, N_FEATURES), input_dtype))
    assert keras.backend.standardize_dtype(output.dtype) == policy.compute_dtype == spec.dtype
    assert {weight.dtype for weight in layer.weights} <= {policy.variable_dtype}
    assert tuple(output.shape) == spec.shape
    assert np.isfinite(np.asarray(output, "float64")).all()


@pytest.mark.parametrize("case", CASES)
def test_unknown_numbers_of_rows_and_steps_stay_unknown(case):
    output = layer_of(case)(keras.Input((None, N_FEATURES)))
    width = {"sine": 3, "selection": 2, "periodic": N_FEATURES + 2 * 4}.get(case, N_FEATURES)
    assert output.shape == (None, None, width)


@pytest.mark.parametrize("case", CASES)
def test_a_mask_reaches_the_next_layer(case):
    layer = layer_of(case)
    x = a_batch()
    x[0, 4:] = 0
    inputs = keras.Input((6, N_FEATURES))
    outputs = layer(keras.layers.Masking()(inputs))
    average = keras.layers.GlobalAveragePooling1D()(outputs)
    # Without its masked steps the first signal is a signal of four steps.
    expected = [np.asarray(layer(x[:1, :4]))[0].mean(axis=0), np.asarray(layer(x[1:]))[0].mean(0)]
    # Means of six float32 numbers of order ten, summed in another order.
    np.testing.assert_allclose(keras.Model(inputs, average)(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_compiled_call_agrees_with_the_eager_one(case):
    layer = layer_of(case, dtype="float64")
    x = a_batch("float64")
    signature = [tf.TensorSpec((None, None, N_FEATURES), tf.float64)]
    expected = layer(x)
    for options in [{}, {"jit_compile": True}]:
        compiled = tf.function(layer.call, input_signature=signature, **options)
        # XLA fuses, which rounds another last digit.
        np.testing.assert_allclose(compiled(tf.constant(x)), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_a_model_built_from_its_first_data_predicts_the_same(case):
    # Keras builds while it traces here: weights have to get their values all the same.
    x = a_batch()
    model = keras.Sequential([layer_of(case)])
    model.compile(loss="mse")
    layer = layer_of(case)
    layer.build(x.shape)
    predicted = model.predict(x, verbose=0)
    if layer.trainable_weights:
        # Some are drawn.
        layer.set_weights(model.get_weights())
    # predict runs another compiled form of the same float32 operations.
    np.testing.assert_allclose(predicted, layer(x), rtol=1e-5, atol=1e-6)
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("case", CASES)
def test_a_clone_with_the_same_weights_is_the_same_model(case):
    x = a_batch()
    model = keras.Sequential([keras.Input(x.shape[1:]), layer_of(case)])
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


@pytest.mark.parametrize("case", UNKNOWN_REFUSED)
@pytest.mark.parametrize("shape", [(None, None), (None, 7, None), ()])
def test_an_unknown_number_of_features_is_refused(case, shape):
    with pytest.raises(ValueError, match=r"last axis.*Got input shape \("):
        layer_of(case).build(shape)


@pytest.mark.parametrize("case", sorted({*CASES} - {"deviation"}))
def test_another_number_of_features_is_refused_once_built(case):
    layer = layer_of(case)
    layer.build((None, 6, N_FEATURES))
    # One feature would broadcast silently.
    for n_features in [1, 4]:
        with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 5"):
            layer(np.ones((2, 6, n_features), "float32"))


@pytest.mark.slow
def test_saved_models_give_the_same_bits_in_a_fresh_process(run_python, tmp_path):
    for dtype, case in itertools.product(["float32", "float64"], CASES):
        x = a_batch(dtype)
        layer = layer_of(case, dtype=dtype)
        layer.build(x.shape)
        # Other weights than the first ones, so that only a file can hold them.
        layer.set_weights([np.abs(weight) * 1.5 + 0.1 for weight in layer.get_weights()])
        inputs = keras.Input(x.shape[1:], dtype=dtype)
        model = keras.Model(inputs, layer(inputs))
        path = tmp_path / f"{case}_{dtype}"
        model.save(path.with_suffix(".keras"))
        model.save(path.with_suffix(".h5"))
        model.export(path.with_suffix(".exported"), format="tf_saved_model", verbose=False)
        np.savez(path.with_suffix(".npz"), x=x, expected=model(x))
    code = """
import pathlib, sys
import numpy
import tensorflow
folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.glob("*.exported")):
    data = numpy.load(path.with_suffix(".npz"))
    loaded = tensorflow.saved_model.load(str(path))
    # A compiled graph may round other last digits.
    eps = 20 * numpy.finfo(data["x"].dtype).eps
    served = loaded.serve(tensorflow.constant(data["x"]))
    numpy.testing.assert_allclose(served, data["expected"], eps, eps)
assert not any(name.startswith("skscale") for name in sys.modules)
import keras
import skscale.layers
for path in sorted([*folder.glob("*.keras"), *folder.glob("*.h5")]):
    model = keras.saving.load_model(path)
    data = numpy.load(path.with_suffix(".npz"))
    numpy.testing.assert_array_equal(model(data["x"]), data["expected"])
    print(path.name, type(model.layers[-1]).__name__)
"""
    printed = run_python(code, str(tmp_path)).splitlines()
    expected = [
        f"{case}_{dtype}.{ending} {layer_class.__name__}"
        for case, (layer_class, _) in CASES.items()
        for dtype in ["float32", "float64"]
        for ending in ["h5", "keras"]
    ]
    assert printed == sorted(expected)
