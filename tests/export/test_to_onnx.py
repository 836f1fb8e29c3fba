"""A fitted estimator as one ONNX model: the same numbers in onnxruntime."""

from __future__ import annotations

import functools

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

# Columns of very different units, one of zeros and ones, and at last a constant one.
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(60, 5)) * [1.0, 1e-20, 1e6, 1.0, 0.0] + [3.0, 5e-20, -2e6, 0.0, 7.0]
X[:, 3] = X[:, 3] > 0
y = 1e4 * np.sin(X[:, 0]) + X[:, 2] / 100
NOISE = _RNG.normal(size=60)
CLASSES = np.digitize(X[:, 0] + 0.2 * NOISE, [2.5, 3.5])

FOLDS = {
    "hidden_layer_sizes": (6,),
    "epochs": 4,
    "cv": 2,
    "regularization_path": [(0.03, 0.3)],
    "embedding": None,
    "random_state": 0,
}
SINGLE = {**FOLDS, "scale_regularizer": None}

CASES = {
    "average of folds": (LearnedScaleRegressor, FOLDS, np.stack([y, 1e-20 * NOISE], axis=1)),
    "periodic": (LearnedScaleRegressor, {**SINGLE, "embedding": "periodic"}, y),
    "two words, folds": (LearnedScaleClassifier, FOLDS, np.where(CLASSES > 0, "yes", "né")),
    "three numbers": (LearnedScaleClassifier, SINGLE, 5 * CLASSES),
    "sensitivity": (LearnedScaleTransformer, FOLDS, y),
    "gain": (LearnedScaleTransformer, {**SINGLE, "readout": "gain"}, y),
    "standard": (LearnedScaleTransformer, {}, None),
}

# Rounding of float32 sums of a few terms, and of float64 ones.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


@functools.cache
def fitted(case):
    kind, options, target = CASES[case]
    return kind(**options).fit(X, target)


def run(model, rows):
    """Outputs by their names, of onnxruntime."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows}), strict=True))


def assert_close(found, expected, dtype):
    """Compare column by column, relative to the largest number, as sums are rounded."""
    assert found.shape == expected.shape
    assert found.dtype == dtype
    error = np.abs(found - expected).max(axis=0)
    assert (error <= TOLERANCES[dtype] * np.abs(expected).max(axis=0)).all(), error


def assert_same_outputs(estimator, model, rows):
    """Compare the outputs of a model with what its estimator gives."""
    found, dtype = run(model, rows), rows.dtype.name
    if isinstance(estimator, LearnedScaleRegressor):
        expected = estimator.predict(rows).reshape(len(rows), -1)
        assert_close(found["prediction"], expected, dtype)
    elif isinstance(estimator, LearnedScaleTransformer):
        assert_close(found["transformed"], estimator.transform(rows), dtype)
    else:
        labels = estimator.predict(rows)
        np.testing.assert_array_equal(found["label"], labels)
        assert found["label"].dtype == (object if labels.dtype.kind == "U" else np.int64)
        assert_close(found["probabilities"], estimator.predict_proba(rows), dtype)


# The numbers


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", CASES)
def test_model_gives_what_the_estimator_gives(case, dtype):
    model = fitted(case).to_onnx(dtype)
    assert_same_outputs(fitted(case), model, X.astype(dtype))
    # Where a constant feature is none, and others are far from the table.
    far = X[:7] + 5 * X.std(axis=0) + [0, 0, 0, 0, 1e6]
    assert_same_outputs(fitted(case), model, far.astype(dtype))


def test_feature_at_a_billion_standard_deviations_keeps_its_digits():
    rows = 1e9 + np.random.default_rng(0).normal(size=(60, 1))
    for kind in (LearnedScaleRegressor, LearnedScaleTransformer):
        estimator = kind(**SINGLE).fit(rows, rows[:, 0] - 1e9)
        assert_same_outputs(estimator, estimator.to_onnx("float64"), rows)


@pytest.mark.parametrize("case", ["periodic", "two words, folds", "standard"])
def test_model_takes_any_number_of_rows(case):
    model = fitted(case).to_onnx("float64")
    assert_same_outputs(fitted(case), model, X[:1])
    assert all(len(output) == 0 for output in run(model, X[:0]).values())


# The model


def test_shapes_and_types_are_declared():
    def declared(values):
        return [
            (v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in dims])
            for v in values
            for dims in [v.type.tensor_type.shape.dim]
        ]

    regressor = fitted("average of folds").to_onnx("float64").graph
    assert declared(regressor.input) == [("X", onnx.TensorProto.DOUBLE, ["n_samples", 5])]
    assert declared(regressor.output) == [("prediction", onnx.TensorProto.DOUBLE, ["n_samples", 2])]
    classifier = fitted("two words, folds").to_onnx().graph
    assert declared(classifier.output) == [
        ("label", onnx.TensorProto.STRING, ["n_samples"]),
        ("probabilities", onnx.TensorProto.FLOAT, ["n_samples", 2]),
    ]


@pytest.mark.parametrize("opset", [None, 18, 20])
def test_opset_is_the_one_asked_for(opset):
    regressor = fitted("periodic")
    model = regressor.to_onnx("float64", target_opset=opset)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset or 21)]
    assert_same_outputs(regressor, model, X)


# Keras' own export


# Keras asks NumPy for a name that it no longer has, and tf2onnx configures the root logger.
@pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning")
@pytest.mark.slow
@pytest.mark.parametrize("case", ["periodic", "three numbers", "sensitivity"])
def test_keras_model_exports_at_once(case, tmp_path, caplog):
    estimator = fitted(case)
    estimator.to_keras().export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    rows = X.astype(np.float32)
    (found,) = session.run(None, {session.get_inputs()[0].name: rows})
    methods = {
        LearnedScaleRegressor: lambda model: model.predict(rows)[:, np.newaxis],
        LearnedScaleClassifier: lambda model: model.predict_proba(rows),
        LearnedScaleTransformer: lambda model: model.transform(rows),
    }
    assert_close(found, methods[type(estimator)](estimator), "float32")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# What is refused


@pytest.mark.parametrize(
    "estimator", [LearnedScaleRegressor(), LearnedScaleClassifier(), LearnedScaleTransformer()]
)
def test_unfitted_estimator_has_no_model(estimator):
    with pytest.raises(NotFittedError):
        estimator.to_onnx()


def test_layers_that_only_keras_runs_are_refused():
    options = {**SINGLE, "epochs": 2, "network": keras.layers.Dense(1)}
    regressor = LearnedScaleRegressor(**options).fit(X, y)
    with pytest.raises(ValueError, match=r"only Keras runs .*to_keras\(\).export\('model.onnx'"):
        regressor.to_onnx()


def test_unknown_choices_are_told():
    message = r"dtype='float46' is no precision .* Did you mean 'float64'\?"
    with pytest.raises(ValueError, match=message):
        fitted("periodic").to_onnx("float46")
    with pytest.raises(ValueError, match=r"target_opset=17 is too old.* Use target_opset=18"):
        fitted("periodic").to_onnx(target_opset=17)


def test_far_feature_warns_in_float32():
    rows = np.random.default_rng(0).normal([0.0, 1e4], size=(50, 2))
    for kind in (LearnedScaleRegressor, LearnedScaleTransformer):
        estimator = kind(**{**SINGLE, "epochs": 2}).fit(rows, rows[:, 1])
        with pytest.warns(UserWarning, match=r"features 1, .* Use to_onnx\(dtype='float64'\)"):
            estimator.to_onnx()
        estimator.to_onnx("float64")


def test_units_beyond_float32_are_refused():
    transformer = LearnedScaleTransformer().fit(X * [1, 1e-20, 1, 1, 1])
    with pytest.raises(ValueError, match=r"cannot hold features 1, .* dtype='float64'"):
        transformer.to_onnx()
    regressor = LearnedScaleRegressor(**SINGLE).fit(X, 1e-40 * y)
    with pytest.raises(ValueError, match=r"cannot hold targets 0, .* dtype='float64'"):
        regressor.to_onnx()


def test_labels_of_fractions_are_refused():
    labels = pd.Categorical(np.where(CLASSES > 0, 1.5, 2.0))
    classifier = LearnedScaleClassifier(**{**SINGLE, "epochs": 2}).fit(X, labels)
    message = r"whole numbers or strings, but the classes are 1.5, 2.0. Fit on .* y.astype\(str\)"
    with pytest.raises(ValueError, match=message):
        classifier.to_onnx()
