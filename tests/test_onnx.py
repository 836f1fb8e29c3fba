"""skl2onnx writes pipelines with our estimators in them, as it writes those of scikit-learn."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

import skscale.onnx  # noqa: F401
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(60, 3)) * [1.0, 1e6, 1e-3] + [3.0, -2e6, 1e-2]
y = np.sin(X[:, 0]) + X[:, 1] / 1e6
CLASSES = np.digitize(X[:, 0], [2.5, 3.5])
WORDS = np.array(["maybe", "né", "yes"])[CLASSES]

OPTIONS = {
    "hidden_layer_sizes": (6,),
    "embedding": None,
    "epochs": 4,
    "scale_regularizer": None,
    "random_state": 0,
}
REGRESSOR = LearnedScaleRegressor(**OPTIONS)
CLASSIFIER = LearnedScaleClassifier(**OPTIONS)
TRANSFORMER = LearnedScaleTransformer(**OPTIONS)
COLUMNS = [("ours", TRANSFORMER, [0, 1]), ("others", StandardScaler(), [2])]

REGRESSORS = {
    "alone": REGRESSOR,
    "behind a scaler": make_pipeline(MinMaxScaler(), REGRESSOR),
    "transformer": make_pipeline(TRANSFORMER, Ridge()),
    "both behind columns": make_pipeline(ColumnTransformer(COLUMNS), REGRESSOR),
    "union": make_pipeline(FeatureUnion([c[:2] for c in COLUMNS]), Ridge()),
    "vote": VotingRegressor([("ours", REGRESSOR), ("ridge", Ridge())]),
    "stack": StackingRegressor([("ours", REGRESSOR), ("ridge", Ridge())], cv=2),
    "search": GridSearchCV(REGRESSOR, {"center": [True]}, cv=2),
}
CLASSIFIERS = {
    "words": (make_pipeline(TRANSFORMER, CLASSIFIER), WORDS),
    "numbers": (CLASSIFIER, 5 * CLASSES),
    "neighbours": (make_pipeline(TRANSFORMER, KNeighborsClassifier()), WORDS),
    "vote": (
        VotingClassifier(
            [("ours", CLASSIFIER), ("neighbours", KNeighborsClassifier())],
            voting="soft",
            flatten_transform=False,
        ),
        CLASSES,
    ),
    "calibrated, of two": (CalibratedClassifierCV(CLASSIFIER, cv=2), CLASSES > 0),
    "calibrated, of three": (CalibratedClassifierCV(CLASSIFIER, cv=2), WORDS),
}

# Rounding of float32 sums of a few terms, and of float64 ones.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def run(model, inputs):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)


def assert_close(found, expected, dtype):
    assert found.dtype == dtype
    assert np.abs(found - expected).max() <= TOLERANCES[dtype] * np.abs(expected).max()


@pytest.mark.parametrize("case", REGRESSORS)
def test_regressors_are_written(case):
    model = REGRESSORS[case].fit(X, y)
    for dtype in TOLERANCES:
        rows = X.astype(dtype)
        (found,) = run(skl2onnx.to_onnx(model, rows[:1]), {"X": rows})
        assert found.shape == (60, 1)
        assert_close(found[:, 0], model.predict(rows), dtype)


@pytest.mark.parametrize("case", CLASSIFIERS)
def test_classifiers_are_written(case):
    classifier, labels = CLASSIFIERS[case]
    classifier.fit(X, labels)
    for dtype in TOLERANCES:
        rows, options = X.astype(dtype), {id(classifier): {"zipmap": False}}
        model = skl2onnx.to_onnx(classifier, rows[:1], options=options)
        found, probabilities = run(model, {"X": rows})
        np.testing.assert_array_equal(found, classifier.predict(rows))
        assert_close(probabilities, classifier.predict_proba(rows), dtype)


def test_several_targets_have_a_column_each():
    model = make_pipeline(StandardScaler(), REGRESSOR).fit(X, np.stack([y, -y], axis=1))
    (found,) = run(skl2onnx.to_onnx(model, X[:1]), {"X": X})
    assert_close(found, model.predict(X), "float64")


def test_columns_of_a_frame_are_inputs_of_their_own():
    frame = pd.DataFrame({"a": X[:, 0], "n": np.arange(60), "c": X[:, 2].astype(np.float32)})
    for estimator in (REGRESSOR, TRANSFORMER):
        estimator.fit(frame, y)
        inputs = {name: frame[[name]].to_numpy() for name in frame}
        (found,) = run(skl2onnx.to_onnx(estimator, frame[:1]), inputs)
        output = getattr(estimator, "predict", None) or estimator.transform
        assert_close(found, output(frame).reshape(60, -1), "float64")


def test_mixed_table_goes_through_an_encoder():
    frame = pd.DataFrame({"a": X[:, 0], "word": WORDS})
    columns = [("number", TRANSFORMER, ["a"]), ("word", OneHotEncoder(), ["word"])]
    model = make_pipeline(ColumnTransformer(columns), REGRESSOR).fit(frame, y)
    inputs = {name: frame[[name]].to_numpy() for name in frame}
    (found,) = run(skl2onnx.to_onnx(model, frame[:1]), inputs)
    assert np.abs(found[:, 0] - model.predict(frame)).max() < 1e-5


def test_whole_numbers_are_subtracted_from_before_they_are_rounded():
    rows = np.arange(60)[:, np.newaxis] + 2**40
    transformer = LearnedScaleTransformer().fit(rows)
    with pytest.warns(UserWarning, match=r"Use float64 rows, as in skl2onnx.to_onnx"):
        model = skl2onnx.to_onnx(transformer, rows[:1])
    (found,) = run(model, {"X": rows})
    assert_close(found, transformer.transform(rows), "float32")


# The options of skl2onnx


@pytest.mark.parametrize("labels", [CLASSES > 0, WORDS], ids=["two", "three"])
def test_raw_scores_are_those_of_the_decision_function(labels):
    classifier = CLASSIFIER.fit(X, labels)
    options = {"zipmap": False, "raw_scores": True}
    _, scores = run(skl2onnx.to_onnx(classifier, X[:1], options=options), {"X": X})
    expected = classifier.decision_function(X)
    if expected.ndim == 1:
        expected = np.stack([-expected, expected], axis=1)
    assert_close(scores, expected, "float64")


def test_probabilities_come_as_dicts_by_default():
    classifier, rows = CLASSIFIER.fit(X, WORDS), X.astype(np.float32)
    _, found = run(skl2onnx.to_onnx(classifier, rows[:1]), {"X": rows})
    expected = dict(zip(classifier.classes_, classifier.predict_proba(rows)[0], strict=True))
    # Rounding of float32.
    assert found[0] == pytest.approx(expected, rel=1e-5)


def test_words_are_replaced_by_their_numbers_where_asked():
    classifier = CLASSIFIER.fit(X, WORDS)
    options = {"zipmap": False, "nocl": True}
    label, _ = run(skl2onnx.to_onnx(classifier, X[:1], options=options), {"X": X})
    np.testing.assert_array_equal(classifier.classes_[label], classifier.predict(X))


@pytest.mark.parametrize("opset", [18, 21])
def test_opset_is_the_one_asked_for(opset):
    model = skl2onnx.to_onnx(REGRESSOR.fit(X, y), X[:1], target_opset=opset)
    assert [o.version for o in model.opset_import if not o.domain] == [opset]
    (found,) = run(model, {"X": X})
    assert_close(found[:, 0], REGRESSOR.predict(X), "float64")


def test_operators_that_are_too_old_are_refused():
    with pytest.raises(ValueError, match="target_opset=17 is too old"):
        skl2onnx.to_onnx(REGRESSOR.fit(X, y), X[:1], target_opset=17)


def test_text_is_refused():
    types = [("X", skl2onnx.common.data_types.StringTensorType([None, 3]))]
    with pytest.raises(TypeError, match=r"LearnedScaleRegressor takes numbers, .* OneHotEncoder"):
        skl2onnx.to_onnx(REGRESSOR.fit(X, y), initial_types=types)


# Imports


_WRITE = """
import sys
import numpy as np
import skscale

assert "onnx" not in sys.modules
import skscale.onnx  # noqa: F401

assert dir(skscale) == sorted([*skscale.__all__, "distributed", "layers"])
X = np.array([[1.0, 2e-20], [3.0, 6e-20]])
scaler = skscale.LearnedScaleTransformer().fit(X)
import onnxruntime
import skl2onnx

for model in (scaler.to_onnx("float64"), skl2onnx.to_onnx(scaler, X[:1])):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"X": X})[0], scaler.transform(X), rtol=1e-12)
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""

_WRITE_WITHOUT = """
import sys

sys.modules["onnx"] = sys.modules["skl2onnx"] = None
import skscale

scaler = skscale.LearnedScaleTransformer().fit([[0.0], [1.0]])
for write in (scaler.to_onnx, lambda: __import__("skscale.onnx")):
    try:
        write()
    except ImportError as error:
        print(error)
"""


def test_models_are_written_without_tensorflow(run_python):
    assert run_python(_WRITE).strip() == "[]"


def test_missing_library_is_named_with_the_extra(run_python):
    assert run_python(_WRITE_WITHOUT).splitlines() == [
        "to_onnx writes with onnx, which is not installed. Run: pip install 'skscale[onnx]'",
        "skscale.onnx registers with skl2onnx, which is not installed. Run: "
        "pip install 'skscale[onnx]'",
    ]
