"""A fitted estimator is parameters, arrays and plain values: it travels, and leaves no trace."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import random
import warnings

import joblib
import keras
import numpy as np
import pytest
import skops.io
import tensorflow as tf
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import estimator_html_repr

import skscale
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

DATA = load_diabetes(as_frame=True, scaled=False)
FRAME = DATA.data[:100]
X, y = FRAME.to_numpy(), DATA.target.to_numpy()[:100]

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
KERAS_OBJECTS = {
    "scale_initializer": keras.initializers.RandomNormal(1.0, 0.1),
    "kernel_initializer": keras.initializers.HeNormal,
    "scale_regularizer": keras.regularizers.L1(0.01),
    "kernel_constraint": keras.constraints.MaxNorm(3.0),
    "activation": keras.activations.tanh,
    "loss": keras.losses.Huber(delta=2.0),
    "optimizer": keras.optimizers.Adam(0.01),
}


@pytest.fixture(scope="module")
def estimators():
    """Return a fitted estimator of each kind."""
    labels = np.where(y > 140, "high", np.where(y > 90, "middle", "low"))
    classifier, regressor = LearnedScaleClassifier, LearnedScaleRegressor
    transformer = LearnedScaleTransformer
    return {
        "path": regressor(**QUICK).fit(X, y),
        "single": regressor(**SINGLE).fit(FRAME, y),
        "outputs": regressor(**SINGLE, normalization=MinMaxScaler()).fit(X, np.stack([y, -y], 1)),
        "objects": regressor(**{**QUICK, **KERAS_OBJECTS}).fit(X, y),
        "labels": classifier(**QUICK, class_weight="balanced").fit(X, labels),
        "two labels": classifier(**SINGLE, loss="hinge").fit(FRAME, y > 140),
        "transformer": transformer(**QUICK).fit(X, y),
        "gain": transformer(**SINGLE, readout="gain").fit(X, y),
        "classes": transformer(**SINGLE).fit(X, labels),
        "autoencoder": transformer(**SINGLE, unsupervised="autoencoder").fit(X),
        "no y": transformer().set_output(transform="pandas").fit(FRAME),
    }


def output(model, rows):
    names = ("predict_proba", "predict", "transform")
    method = next(getattr(model, name) for name in names if hasattr(model, name))
    return np.asarray(method(rows))


# Pickles


LOAD = """
import pickle, sys, warnings
for name in ("tensorflow", "keras", "scikeras"):
    sys.modules[name] = None
import numpy as np
from sklearn.utils import estimator_html_repr
with open(sys.argv[1], "rb") as file:
    pickled, rows, expected = pickle.load(file)
for name, data in pickled.items():
    model = pickle.loads(data)
    names = ("predict_proba", "predict", "transform")
    method = next(getattr(model, name) for name in names if hasattr(model, name))
    for dtype in ("float64", "float32"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # arrays instead of named columns are meant here
            output = np.asarray(method(rows.astype(dtype)))
        assert output.dtype == expected[name, dtype].dtype, name
        assert np.array_equal(output, expected[name, dtype]), name
    assert "LearnedScale" in estimator_html_repr(model)
    assert pickle.loads(pickle.dumps(model)).get_params().keys() == model.get_params().keys()
print(len(pickled))
"""


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_pickle_predicts_the_same_bits_where_there_is_no_tensorflow(
    estimators, tmp_path, run_python
):
    pickled = {name: pickle.dumps(model) for name, model in estimators.items()}
    expected = {
        (name, dtype): output(model, X.astype(dtype))
        for name, model in estimators.items()
        for dtype in ("float64", "float32")
    }
    path = tmp_path / "state.pickle"
    path.write_bytes(pickle.dumps((pickled, X, expected)))
    assert run_python(LOAD, str(path)).strip() == str(len(estimators))


def test_pickle_is_the_weights_and_little_more(estimators):
    for name, model in estimators.items():
        n_networks = 0 if name == "no y" else 4 if hasattr(model, "path_") else 1
        # Ten factors and offsets, a hidden layer of eight, and the outputs, in float64.
        n_weights = 2 * 10 + (10 + 1) * 8 + (8 + 1) * model.n_outputs_
        # A prediction for each row, which no method needs.
        n_held_out = getattr(model, "held_out_prediction_", np.empty(0)).size
        n_numbers = n_networks * n_weights + n_held_out
        assert len(pickle.dumps(model)) < 8 * n_numbers + 6000, name


@pytest.mark.parametrize("name", KERAS_OBJECTS)
def test_keras_parameter_is_pickled_as_an_accepted_config(estimators, name):
    loaded = pickle.loads(pickle.dumps(estimators["objects"]))
    value = getattr(loaded, name)
    assert isinstance(value, str | dict)
    assert getattr(estimators["objects"], name) is KERAS_OBJECTS[name]


def test_loaded_estimator_fits_to_the_same_bits(estimators):
    for name in ("path", "objects"):
        model = estimators[name]
        loaded = pickle.loads(pickle.dumps(model))
        assert_array_equal(clone(loaded).fit(X, y).predict(X), model.predict(X))


def test_function_of_the_user_is_left_to_pickle():
    model = LearnedScaleRegressor(kernel_regularizer=len)
    assert pickle.loads(pickle.dumps(model)).kernel_regularizer is len


# Copies


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copy_predicts_the_same_and_keeps_keras_objects(estimators, copied):
    twin = copied(estimators["objects"])
    assert twin is not estimators["objects"]
    assert_array_equal(twin.predict(X), estimators["objects"].predict(X))
    for name, value in KERAS_OBJECTS.items():
        assert getattr(twin, name) is value, name
    assert_array_equal(clone(twin).fit(X, y).predict(X), twin.predict(X))


def test_clone_keeps_keras_objects_and_nothing_fitted(estimators):
    twin = clone(estimators["objects"])
    assert not hasattr(twin, "scale_")
    for name, value in KERAS_OBJECTS.items():
        assert getattr(twin, name) is value, name
    assert_array_equal(twin.fit(X, y).predict(X), estimators["objects"].predict(X))


@pytest.mark.parametrize("cls", [LearnedScaleRegressor, LearnedScaleTransformer])
def test_fit_leaves_parameters_as_they_were(cls):
    model = cls(**{**QUICK, **KERAS_OBJECTS})
    before = model.get_params()
    after = model.fit(X, y).get_params()
    assert all(after[name] is value for name, value in before.items())


# What the state holds


def leaves(value, path="model"):
    """Yield everything that plain containers and scikit-learn's scalers hold, and the way to it."""
    if isinstance(value, BaseEstimator):
        value = vars(value)
    if type(value) is dict:
        for key, item in value.items():
            assert isinstance(key, str), path
            yield from leaves(item, f"{path}.{key}")
    elif type(value) in (list, tuple):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")
    else:
        yield path, value


def is_plain(value):
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub" or all(isinstance(item, str) for item in value.flat)
    return value is None or type(value) in (bool, int, float, str)


def test_state_holds_arrays_and_json_able_values_only(estimators):
    for name, model in estimators.items():
        for path, value in leaves(model.__getstate__(), name):
            assert is_plain(value), (path, type(value))


def test_skops_needs_to_trust_public_classes_alone(estimators):
    data = skops.io.dumps(estimators)
    assert skops.io.get_untrusted_types(data=data) == skscale.SKOPS_TRUSTED
    loaded = skops.io.loads(data, trusted=skscale.SKOPS_TRUSTED)
    for name, model in estimators.items():
        rows = FRAME if hasattr(model, "feature_names_in_") else X
        assert_array_equal(output(loaded[name], rows), output(model, rows), err_msg=name)


def test_prediction_keeps_nothing(estimators):
    for model in estimators.values():
        before = pickle.dumps(model)
        output(model, FRAME if hasattr(model, "feature_names_in_") else X)
        assert pickle.dumps(model) == before


def test_html_repr_builds_no_model(estimators):
    before = keras.backend.get_uid("model")
    for model in estimators.values():
        assert "LearnedScale" in estimator_html_repr(model)
        assert "LearnedScale" in repr(model)
    # The counter goes up by one with every question, and by more with every model.
    assert keras.backend.get_uid("model") == before + 1


# Randomness


@pytest.mark.parametrize("settings", [QUICK, {**QUICK, "batch_size": 32}], ids=["whole", "batches"])
def test_same_seed_gives_the_same_bits(settings):
    first, second = (LearnedScaleRegressor(**settings).fit(X, y) for _ in range(2))
    assert_array_equal(first.predict(X), second.predict(X))
    assert first.history_ == second.history_


def test_seed_decides():
    first = LearnedScaleRegressor(**SINGLE).fit(X, y)
    other = LearnedScaleRegressor(**{**SINGLE, "random_state": 1}).fit(X, y)
    assert not np.array_equal(first.predict(X), other.predict(X))


def test_random_state_instance_goes_on():
    state = np.random.RandomState(0)
    model = LearnedScaleRegressor(**{**SINGLE, "random_state": state})
    first = model.fit(X, y).predict(X)
    second = model.fit(X, y).predict(X)
    assert not np.array_equal(first, second)
    again = clone(model).set_params(random_state=np.random.RandomState(0)).fit(X, y)
    assert_array_equal(again.predict(X), first)


def test_no_seed_means_numpy_s_global_one():
    model = LearnedScaleRegressor(**{**SINGLE, "random_state": None})
    state = np.random.get_state()  # noqa: NPY002 (the one that check_random_state(None) is)
    try:
        first = model.fit(X, y).predict(X)
        np.random.set_state(state)  # noqa: NPY002
        assert_array_equal(model.fit(X, y).predict(X), first)
    finally:
        np.random.set_state(state)  # noqa: NPY002


# Traces


def surroundings():
    names = ("", "tensorflow", "absl", "keras", "skscale")
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "dtype policy": keras.config.dtype_policy().name,
        "eager": (tf.executing_eagerly(), tf.config.functions_run_eagerly()),
        "jit": tf.config.optimizer.get_jit(),
        "threads": (
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.threading.get_inter_op_parallelism_threads(),
        ),
        "python": random.getstate(),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "numpy errors": np.geterr(),
        "numpy print": np.get_printoptions(),
        "warnings": list(warnings.filters),
        "logging": {name: logging.getLogger(name).level for name in names},
        "environment": dict(os.environ),
    }


def test_fit_changes_nothing_outside():
    keras.utils.clear_session()  # older versions of Keras start to draw anew only then
    keras.utils.set_random_seed(3)
    expected = np.asarray(keras.random.normal((4,)))
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    before = surroundings()
    LearnedScaleRegressor(**{**QUICK, **KERAS_OBJECTS}).fit(X, y).predict(X)
    LearnedScaleRegressor(**QUICK, kernel_initializer="lecun_normal").fit(X, y)
    LearnedScaleTransformer(**QUICK).fit_transform(X, y)
    after = surroundings()
    for name, value in before.items():
        assert after[name] == value, name
    assert_array_equal(np.asarray(keras.random.normal((4,))), expected)


# Processes and threads


def scores(backend, n_jobs):
    model = make_pipeline(LearnedScaleTransformer(**QUICK), KNeighborsRegressor())
    with joblib.parallel_backend(backend, n_jobs=n_jobs):
        return [
            cross_val_score(model, X, y, cv=2),
            cross_val_score(LearnedScaleRegressor(**{**QUICK, **KERAS_OBJECTS}), X, y, cv=2),
        ]


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_scores_are_those_of_a_single_job(backend):
    for parallel, single in zip(scores(backend, 2), scores("threading", 1), strict=True):
        assert_array_equal(parallel, single)
