"""Models of Keras' own layers: the same numbers, and files that need nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import user_layers
from drawn_ensembles import ALL, SPECS, X, draw_ensemble, draw_overflowing_waves

from skscale._export.keras_forms import check_keras_alone
from skscale._export.to_keras import classifier_model, regressor_model
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap
from skscale.layers import LocalStandardDeviation

# Rounding of float32 sums of a few terms, and of float64 ones.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def model_of(spec, dtype="float64", layers="keras", n_networks=2, active=ALL):
    ensemble = draw_ensemble(spec, n_networks, active, shift=0.5)
    values = np.array([[1e6, -3e-20], [1e-3, 1e20], [0.0, 1.0]])
    target_map = AffineMap(*values[:, : spec.n_outputs])
    model = regressor_model(ensemble, target_map, dtype=dtype, layers=layers, name="test")
    return model, target_map.inverse(ensemble.mean_output(X.astype(dtype)))


def assert_close(found, expected, dtype="float64"):
    """Compare relative to the largest number, as sums are rounded."""
    assert found.dtype == dtype
    assert found.shape == expected.shape
    error = np.abs(found - expected).max(axis=0)
    assert (error <= TOLERANCES[dtype] * np.abs(expected).max(axis=0)).all(), error


def modules(model):
    """Packages of the classes in a config."""

    def walk(config):
        if isinstance(config, dict):
            if isinstance(config.get("module"), str):
                yield config["module"].partition(".")[0]
            config = list(config.values())
        if isinstance(config, list | tuple):
            for item in config:
                yield from walk(item)

    return {*walk(keras.saving.serialize_keras_object(model))}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", SPECS)
def test_networks_have_the_numbers_of_numpy(name, dtype):
    model, expected = model_of(SPECS[name], dtype)
    assert_close(np.asarray(model(X.astype(dtype))), expected, dtype)
    assert modules(model) <= {"keras", "builtins"}


@pytest.mark.parametrize("name", SPECS)
def test_as_many_weights_are_trained_as_with_our_layers(name):
    ours, theirs = (
        sorted(tuple(w.shape) for w in model_of(SPECS[name], layers=layers)[0].trainable_weights)
        for layers in ("skscale", "keras")
    )
    assert ours == theirs


def test_waves_of_huge_features_are_finite():
    ensemble, huge = draw_overflowing_waves()
    identity = AffineMap.identity(2)
    model = regressor_model(ensemble, identity, dtype="float64", layers="keras", name="test")
    assert_close(np.asarray(model(huge)), ensemble.mean_output(huge))


@pytest.mark.parametrize("active", [[0, 2], []], ids=str)
def test_features_that_do_not_vary_are_left_out(active):
    spec = DenseSpec(max(1, len(active)), 2, (6,))
    model, expected = model_of(spec, active=np.array(active, int))
    assert_close(np.asarray(model(X)), expected)


def test_target_that_is_normalized_to_zero_is_its_center():
    ensemble, zero = draw_ensemble(SPECS["dense"]), AffineMap([5.0, 7.0], [0.0, 1.0], [0.0, 0.0])
    model = regressor_model(ensemble, zero, dtype="float64", layers="keras", name="test")
    assert_close(np.asarray(model(X)), zero.inverse(ensemble.mean_output(X)))


def test_training_goes_on_with_the_same_options():
    spec = DenseSpec(
        4,
        1,
        (6,),
        regularizers={"scale": {"class_name": "L1", "config": {"l1": 0.25}}},
        constraints={"center": "non_neg", "kernel": "max_norm"},
    )
    model, _ = model_of(spec, "float32", n_networks=1)
    scaling, dense = model.get_layer("scaling"), model.get_layer("dense_0")
    assert float(model.losses[0]) == pytest.approx(0.25 * np.abs(scaling.kernel).sum(), rel=1e-6)
    assert isinstance(scaling.bias_constraint, keras.constraints.NonNeg)
    assert isinstance(dense.kernel_constraint, keras.constraints.MaxNorm)


OTHERS = {
    "skscale>LocalStandardDeviation": lambda: [
        keras.layers.Reshape((4, 1)),
        LocalStandardDeviation(1),
    ],
    "skscale_tests>Bilinear": lambda: [user_layers.Bilinear(3)],
    "skscale_tests>bent": lambda: [keras.layers.Dense(3, user_layers.bent)],
    "a lambda": lambda: [keras.layers.Lambda(lambda x: 2 * x)],
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_keras_does_not_have_is_refused(name):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), *OTHERS[name]()])
    message = rf"cannot give {name}, which .* layers='skscale', .*\.export\(folder\)"
    with pytest.raises(ValueError, match=message):
        check_keras_alone(keras.Sequential([keras.Input((4,)), model]))


# Files, in a process without this package

_LOAD = """
import sys
import numpy as np


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "skscale":
            raise ImportError(name)


sys.meta_path.insert(0, Blocker())
import keras

folder = sys.argv[1]
rows = np.load(folder + "/rows.npy")
for name in sys.argv[2:]:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    np.testing.assert_array_equal(np.asarray(model(rows)), np.load(f"{folder}/{name}.npy"), name)
    print(name)
"""


@pytest.mark.slow
def test_saved_models_load_with_keras_alone(run_python, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    models = {
        "sines": model_of(SPECS["sines"])[0],
        "periodic": model_of(SPECS["some columns periodic"])[0],
        "rounded": model_of(SPECS["batch normalization"], "float32")[0],
        "classes": classifier_model(
            draw_ensemble(DenseSpec(4, 1, (6,))),
            from_logits=True,
            temperature=2.5,
            dtype="float64",
            layers="keras",
            name="test",
        ),
    }
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", np.asarray(model(X)))
    assert run_python(_LOAD, str(tmp_path), *models).split() == list(models)
