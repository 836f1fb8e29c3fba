"""What was saved loads: in later versions, through skops and MLflow, and never half."""

from __future__ import annotations

import pickle
import re
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline

import skscale

DATA = Path(__file__).parent / "data"
sys.path.append(str(DATA))

from write_saved_estimators import output, write  # noqa: E402

VERSIONS = sorted(path.stem for path in DATA.glob("*.npz"))
PRESENT = f"skscale-{skscale.__version__}"


def load_pickle(path):
    return pickle.loads(path.read_bytes())


def load_skops(path):
    return skops.io.load(path, trusted=skscale.SKOPS_TRUSTED)


LOADERS = {"pickle": load_pickle, "skops": load_skops}


def load(folder, stem, kind):
    """Load estimators, and what they gave when they were saved."""
    with warnings.catch_warnings():
        # Of another version of skscale, or of scikit-learn for the scaler among the parameters.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        estimators = LOADERS[kind](folder / f"{stem}.{kind}")
    with np.load(folder / f"{stem}.npz") as arrays:
        return estimators, dict(arrays)


@pytest.fixture(scope="module")
def saved():
    """Return estimators of every kind of state, and rows."""
    estimators, arrays = load(DATA, VERSIONS[-1], "pickle")
    return estimators, arrays["X"]


def with_state(estimator, state):
    """Return an estimator of a state, as pickle and skops build it."""
    loaded = type(estimator).__new__(type(estimator))
    loaded.__setstate__(state)
    return loaded


# Files of every version


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("stem", VERSIONS)
def test_file_of_a_version_gives_the_predictions_of_that_version(stem, kind):
    estimators, arrays = load(DATA, stem, kind)
    assert estimators.keys() == arrays.keys() - {"X"}
    for name, estimator in estimators.items():
        # Products are summed in another order on another processor.
        assert_allclose(output(estimator, arrays["X"]), arrays[name], rtol=1e-9, err_msg=name)


def test_present_version_has_its_files():
    assert VERSIONS[-1] == PRESENT, "run tests/data/write_saved_estimators.py"


LOAD = """
import pickle, sys, warnings
for name in ("tensorflow", "keras", "scikeras"):
    sys.modules[name] = None
warnings.simplefilter("ignore")  # of another version of scikit-learn
import numpy as np
import skops.io
import skscale
path = sys.argv[1]
with open(f"{path}.pickle", "rb") as file:
    pickled = pickle.load(file)
arrays = np.load(f"{path}.npz")
for estimators in (pickled, skops.io.load(f"{path}.skops", trusted=skscale.SKOPS_TRUSTED)):
    for name, estimator in estimators.items():
        names = ("predict_proba", "predict", "transform")
        method = next(getattr(estimator, name) for name in names if hasattr(estimator, name))
        np.testing.assert_allclose(method(arrays["X"]), arrays[name], rtol=1e-9)
    print(type(estimators["classifier"]._ensemble.spec).__name__)
"""


def test_saved_estimators_predict_where_there_is_no_tensorflow(run_python):
    # Layers of the user too, where NumPy has them.
    assert run_python(LOAD, str(DATA / VERSIONS[-1])).split() == ["CustomSpec"] * 2


def forms(value):
    """Return the fields of every type of ours in a state, and of the state itself."""
    found = {}
    if isinstance(value, dict):
        if "skscale_type" in value:
            found[value["skscale_type"]] = sorted(value.keys() - {"skscale_type"})
        for item in value.values():
            found |= forms(item)
    elif isinstance(value, list | tuple):
        for item in value:
            found |= forms(item)
    return found


def test_form_of_a_state_is_that_of_its_format(saved):
    """Hold names in files: another table is another STATE_FORMAT, but for fields with a default."""
    states = [estimator.__getstate__() for estimator in saved[0].values()]
    assert {state["_skscale_state_format"] for state in states} == {1}
    network = ["batch_normalization", "center", "constraints", "embedding", "initializers"]
    network += ["n_features", "n_outputs", "regularizers"]
    dense = ["activation", "dropout", "hidden_layer", "hidden_layer_sizes", "output_activation"]
    points = ["ensemble", "has_path", "loss", "loss_sums", "loss_weight", "members", "n_chunks"]
    trained = ["fold_seed", "folds", "has_diverged", "has_path", "is_streamed", "is_validated"]
    trained += ["n_epochs", "n_samples"]
    assert forms(states) == {
        "affine_map": ["center", "scale", "shift"],
        "custom_layers": ["config", "parameters", "statistics"],
        "custom_network": sorted([*network, "custom_layers"]),
        "dense_network": sorted([*network, *dense, "use_bias"]),
        "ensemble": ["active", "input_map", "members", "spec", "standard"],
        "fold": ["held_out", "train"],
        "moments": ["exponent", "mean", "n_values", "total_weight", "variance"],
        "optimizer_state": ["key", "n_steps", "states"],
        "partial_fit_state": [*points, "optimizer", "points", "seed"],
        "path_point": ["strength", "weight_decay"],
        "periodic_embedding": ["columns", "frequency_scale", "n_frequencies", "units"],
        "target_encoding": ["classes", "target_map", "target_type"],
        "warm_start_state": [*trained, "strength", "trained", "weight_decay"],
        "weight": ["blocks", "is_output", "name", "role", "shape"],
    }


def test_field_that_a_file_lacks_has_its_default(saved):
    estimators, X = saved
    state = estimators["transformer"].__getstate__()
    del state["_ensemble"]["spec"]["dropout"], state["verbose"]
    loaded = with_state(estimators["transformer"], state)
    assert (loaded._ensemble.spec.dropout, loaded.verbose) == (0.0, 0)
    assert_array_equal(output(loaded, X), output(estimators["transformer"], X))


def test_files_are_written_as_they_are_read(saved, tmp_path):
    write(saved[0], tmp_path)
    for kind in LOADERS:
        estimators, arrays = load(tmp_path, PRESENT, kind)
        for name, estimator in estimators.items():
            assert_array_equal(output(estimator, arrays["X"]), arrays[name], err_msg=name)


# Versions


def test_other_version_warns_and_loads(saved):
    estimators, X = saved
    model = estimators["regressor"]
    state = {**model.__getstate__(), "_skscale_version": "0.0.7"}
    message = "This LearnedScaleRegressor was saved by skscale 0.0.7 and is loaded by skscale "
    with pytest.warns(InconsistentVersionWarning, match=message + re.escape(skscale.__version__)):
        loaded = with_state(model, state)
    assert_array_equal(loaded.predict(X), model.predict(X))
    # What is saved next is of this version.
    pickle.loads(pickle.dumps(loaded))


def test_warning_of_another_version_goes_from_process_to_process(saved):
    model = saved[0]["regressor"]
    with pytest.warns(InconsistentVersionWarning) as caught:
        with_state(model, {**model.__getstate__(), "_skscale_version": "0.0.7"})
    warning = caught[0].message
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)
    assert warning.original_skscale_version == "0.0.7"


def test_newer_format_says_what_to_install(saved):
    model = saved[0]["regressor"]
    state = {**model.__getstate__(), "_skscale_version": "9.1", "_skscale_state_format": 12}
    message = r"saved by skscale 9.1 in format 12, but .* reads formats up to 1. Install skscale=="
    with pytest.raises(ValueError, match=message):
        with_state(model, state)


def test_unfitted_estimator_has_a_version_too():
    assert skscale.LearnedScaleRegressor().__getstate__()["_skscale_version"] == skscale.__version__


# States that somebody has changed


def test_state_that_is_incomplete_names_what_is_missing(saved):
    for name, needed in {
        "regressor": ["_ensemble", "_target_map", "_is_column", "_skscale_version"],
        "classifier": ["_ensemble", "_from_logits", "_temperature", "classes_"],
        "transformer": ["_map", "_skscale_state_format"],
    }.items():
        for attribute in needed:
            state = saved[0][name].__getstate__()
            del state[attribute]
            with pytest.raises(ValueError, match=f"{attribute}.* is missing"):
                with_state(saved[0][name], state)


CHANGES = {
    "an array of another length": (["_ensemble", "members", 0, 0], lambda a: a[:-1], "arrays"),
    "an array of text": (["_ensemble", "members", 0, 0], lambda a: a.astype(str), "arrays"),
    "no networks": (["_ensemble", "members"], lambda _: [], "no networks"),
    "a feature that is not there": (["_ensemble", "active"], lambda a: a + 5, "other features"),
    "a weight that is no number": (["_ensemble", "members", 0, 0], lambda a: a * np.nan, "finite"),
    "text as an array": (["_target_map", "scale"], str, r"_target_map\.scale is of type str"),
    "another object": (["_ensemble", "spec"], lambda _: None, r"_ensemble\.spec is of type None"),
    "an unknown type": (["_ensemble", "skscale_type"], lambda _: "bag", "unknown type 'bag'"),
    "an unknown field": (["_ensemble", "extra"], lambda _: 1, r"_ensemble\.extra is unknown"),
    "infinity": (["_target_map", "shift"], lambda a: a * np.inf, "shift"),
}


def changed(value, path, change):
    """Copy a state, with a change at one place."""
    if not path:
        return change(value)
    key, *rest = path
    copied = dict(value) if isinstance(value, dict) else list(value)
    item = copied.get(key) if isinstance(copied, dict) else copied[key]
    copied[key] = changed(item, rest, change)
    return copied if isinstance(value, dict) else type(value)(copied)


@pytest.mark.parametrize(("path", "change", "message"), CHANGES.values(), ids=CHANGES)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # 0 * inf
def test_state_that_was_changed_says_what_is_wrong(saved, path, change, message):
    model = saved[0]["regressor"]
    with pytest.raises(ValueError, match=f"cannot be loaded, as its saved state .*{message}"):
        with_state(model, changed(model.__getstate__(), path, change))


def test_number_that_calibrates_is_finite(saved):
    model = saved[0]["classifier"]
    state = {**model.__getstate__(), "_temperature": np.nan}
    with pytest.raises(ValueError, match=r"cannot be loaded, as .* changed: _temperature is nan\."):
        with_state(model, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: np.ones(1), r"cannot be loaded, .*custom_layers\.config is no JSON"),
        (lambda config: {**config, "class_name": "Bag"}, "cannot be built from their saved config"),
        (lambda config: {**config, "config": -7}, "cannot be built from their saved config"),
    ],
    ids=["array", "class", "number"],
)
def test_layers_that_were_changed_say_what_is_wrong(saved, change, message):
    estimators, X = saved
    path = ["_ensemble", "spec", "custom_layers", "config"]
    state = changed(estimators["classifier"].__getstate__(), path, change)
    with pytest.raises(ValueError, match=message):
        with_state(estimators["classifier"], state).predict(X)


def places(value, path=()):
    """Yield the way to everything inside of a state."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield (*path, key)
            yield from places(item, (*path, key))


@pytest.mark.parametrize("damage", ["damaged", {}, -7], ids=["text", "dict", "number"])
def test_no_change_of_what_predicts_ends_in_an_error_without_a_sentence(saved, damage):
    estimators, X = saved
    n_refused = 0
    for name in ("regressor", "transformer"):
        state = estimators[name].__getstate__()
        parts = {k: v for k, v in state.items() if k in ("_ensemble", "_target_map", "_map")}
        for path in places(parts):
            try:
                output(with_state(estimators[name], changed(state, path, lambda _: damage)), X)
            except ValueError:
                n_refused += 1
    # The rest, such as the share of dropout, is of no use to a prediction.
    assert n_refused > 100


# skops and MLflow


def test_public_classes_are_all_that_skops_needs_to_trust(saved):
    data = skops.io.dumps(saved[0])
    assert skops.io.get_untrusted_types(data=data) == skscale.SKOPS_TRUSTED


def test_trusted_names_are_those_of_the_estimators():
    for name in skscale.SKOPS_TRUSTED:
        module, _, cls = name.rpartition(".")
        assert getattr(sys.modules[module], cls) is getattr(skscale, cls)


def test_skops_gives_the_same_bits(saved):
    estimators, X = saved
    loaded = skops.io.loads(skops.io.dumps(estimators), trusted=skscale.SKOPS_TRUSTED)
    for name, estimator in estimators.items():
        assert_array_equal(output(loaded[name], X), output(estimator, X), err_msg=name)


def test_layers_run_no_code_from_a_skops_file(saved, tmp_path):
    estimators, X = saved
    trace, name = tmp_path / "trace", str(tmp_path / "trace")
    # Keras saves the byte code of such functions.
    hostile = keras.layers.Lambda(lambda inputs: (open(name, "w").close(), inputs)[1])
    network = keras.Sequential([keras.Input((3,)), hostile])
    config = keras.saving.serialize_keras_object(network)
    path = ["_ensemble", "spec", "custom_layers", "config"]
    state = changed(estimators["classifier"].__getstate__(), path, lambda _: config)
    saved_state = skops.io.dumps(with_state(estimators["classifier"], state))
    loaded = skops.io.loads(saved_state, trusted=skscale.SKOPS_TRUSTED)
    trace.unlink()  # of building the network above
    with pytest.raises(ValueError, match="arbitrary code"):
        loaded.predict(X)
    assert not trace.exists()


@pytest.mark.slow  # the import of MLflow
@pytest.mark.filterwarnings("ignore")  # of MLflow, about itself
def test_mlflow_logs_and_loads_a_pipeline_in_its_default_format(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    import mlflow.pyfunc
    import mlflow.sklearn

    estimators, X = saved
    pipeline = make_pipeline(estimators["standardizer"], estimators["transformer"])
    pipeline.steps.append(["regressor", estimators["regressor"]])
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            pipeline,
            name="m",
            skops_trusted_types=skscale.SKOPS_TRUSTED,
            # Else MLflow loads the model in a process of its own, to see what it imports.
            pip_requirements=["skscale"],
        )
    assert info.flavors["sklearn"]["serialization_format"] == "skops"
    expected = pipeline.predict(X)
    assert_array_equal(mlflow.sklearn.load_model(info.model_uri).predict(X), expected)
    assert_array_equal(mlflow.pyfunc.load_model(info.model_uri).predict(X), expected)
