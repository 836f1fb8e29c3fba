"""A fitted estimator as scikit-learn's own: the same numbers where nothing else is installed."""

from __future__ import annotations

import functools
import pickle
import re

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

# Columns of very different units, one of them a billion standard deviations from zero, and at last
# a constant one.
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(60, 5)) * [1.0, 1e-20, 1e6, 1e-3, 0.0] + [3.0, 5e-20, -2e6, 1e6, 7.0]
y = 1e4 * np.sin(X[:, 0]) + X[:, 2] / 100
NOISE = _RNG.normal(size=60)
CLASSES = np.digitize(X[:, 0] + 0.2 * NOISE, [2.5, 3.5])

PLAIN = {
    "embedding": None,
    "activation": "relu",
    "hidden_layer_sizes": (6,),
    "epochs": 40,
    "cv": 2,
    "regularization_path": [(0.03, 0.3)],
    "random_state": 0,
}
SINGLE = {**PLAIN, "scale_regularizer": None}
# From noise the default network learns less than the mean knows.
NULL = {**PLAIN, "embedding": "auto", "activation": "silu", "hidden_layer_sizes": (32, 32)}


def zero_every_second(columns):
    """Lose columns, as an affine map may."""
    return columns * np.where(np.arange(columns.shape[1]) % 2, 0.0, 1.0)


REGRESSORS = {
    "one network": (SINGLE, y),
    "average of folds": (PLAIN, y),
    "deep average": ({**PLAIN, "hidden_layer_sizes": (6, 3, 4), "activation": "tanh"}, y),
    "sigmoid": ({**SINGLE, "activation": "sigmoid"}, y),
    "linear": ({**SINGLE, "activation": "linear"}, y),
    "without center and bias": ({**SINGLE, "center": False, "use_bias": False}, y),
    "batch normalization": ({**SINGLE, "normalization": "batch", "dropout": 0.2}, y),
    "range from 1 to 2": ({**PLAIN, "normalization": MinMaxScaler(feature_range=(1, 2))}, y),
    "features normalized to zero": (
        {**SINGLE, "normalization": FunctionTransformer(zero_every_second)},
        y,
    ),
    "target range from 5 to 6": (
        {**SINGLE, "target_normalization": MinMaxScaler(feature_range=(5, 6))},
        y,
    ),
    "target normalized to zero": (
        {**SINGLE, "target_normalization": FunctionTransformer(zero_every_second)},
        np.stack([y, y], axis=1),
    ),
    "without hidden layers": ({**PLAIN, "hidden_layer_sizes": ()}, y),
    "several targets": (PLAIN, np.stack([y, 1e-20 * NOISE, y + 1e12], axis=1)),
    "mean of the targets": (NULL, NOISE),
}
CLASSIFIERS = {
    "two classes, one network": (SINGLE, CLASSES > 0),
    "deep": ({**SINGLE, "hidden_layer_sizes": (6, 6)}, CLASSES),
    "two classes, folds": (PLAIN, CLASSES > 0),
    "three labels, one network": (SINGLE, np.array(["no", "maybe", "yes"])[CLASSES]),
    "three labels, folds": (PLAIN, np.array(["no", "maybe", "yes"])[CLASSES]),
    "weights of classes": ({**PLAIN, "class_weight": "balanced"}, CLASSES),
    "thirty classes": (SINGLE, np.arange(60) % 30),
    "two classes, of probabilities": ({**SINGLE, "loss": "mean_squared_error"}, CLASSES > 0),
    "three classes, of probabilities": ({**SINGLE, "loss": "mean_squared_error"}, CLASSES),
    "shares of the classes": (NULL, NOISE > 0.8),
    # Long enough to be sure of what is noise.
    "softened": (
        {
            **PLAIN,
            "epochs": 200,
            "hidden_layer_sizes": (32,),
            "regularization_path": [(0.0, 0.0)],
        },
        CLASSES,
    ),
}
TRANSFORMERS = {
    "sensitivity": ({**PLAIN, "power": 1.0}, y),
    "classes": (SINGLE, CLASSES),
    "default network": ({**SINGLE, "activation": "silu", "embedding": "periodic"}, y),
    "gain": ({**SINGLE, "readout": "gain", "center": False}, y),
    "without y": ({}, None),
}


CASES = {
    LearnedScaleRegressor: REGRESSORS,
    LearnedScaleClassifier: CLASSIFIERS,
    LearnedScaleTransformer: TRANSFORMERS,
}


@functools.cache
def fitted(kind, case):
    options, target = CASES[kind][case]
    return kind(**options).fit(X, target)


regressor = functools.partial(fitted, LearnedScaleRegressor)
classifier = functools.partial(fitted, LearnedScaleClassifier)
transformer = functools.partial(fitted, LearnedScaleTransformer)


def assert_equal(found, expected, tolerance=1e-10):
    """Compare column by column, relative to the largest number, as sums are rounded."""
    assert found.shape == expected.shape
    error = np.abs(found - expected).max(axis=0)
    assert (error <= tolerance * np.abs(expected).max(axis=0)).all(), error


def far_rows():
    """Rows of other places than the table, where a constant feature is none."""
    return X[:20] + 5 * X.std(axis=0) + [0, 0, 0, 0, 1e6]


# The numbers


@pytest.mark.parametrize("rows", [X, far_rows(), X[:1]], ids=["table", "far", "one row"])
@pytest.mark.parametrize("case", REGRESSORS)
def test_pipeline_of_a_regressor_predicts_what_it_predicts(case, rows):
    pipeline = regressor(case).to_sklearn()
    assert_equal(pipeline.predict(rows), regressor(case).predict(rows))
    assert [type(step) for step in pipeline] == [StandardScaler, MLPRegressor]


@pytest.mark.parametrize("rows", [X, far_rows(), X[:1]], ids=["table", "far", "one row"])
@pytest.mark.parametrize("case", CLASSIFIERS)
def test_pipeline_of_a_classifier_has_its_probabilities_and_labels(case, rows):
    pipeline = classifier(case).to_sklearn()
    assert_equal(pipeline.predict_proba(rows), classifier(case).predict_proba(rows))
    np.testing.assert_array_equal(pipeline.predict(rows), classifier(case).predict(rows))
    np.testing.assert_array_equal(pipeline.classes_, classifier(case).classes_)
    assert pipeline.classes_.dtype == classifier(case).classes_.dtype


def test_logarithms_of_one_network_are_those_of_its_probabilities():
    case = "three labels, one network"
    expected = classifier(case).predict_log_proba(X)
    assert_equal(classifier(case).to_sklearn().predict_log_proba(X), expected)


@pytest.mark.parametrize("rows", [X, far_rows()], ids=["table", "far"])
@pytest.mark.parametrize("case", TRANSFORMERS)
def test_scaler_of_a_transformer_transforms_as_it_does_and_back(case, rows):
    scaler = transformer(case).to_sklearn()
    assert type(scaler) is StandardScaler
    scaled = transformer(case).transform(rows)
    assert_equal(scaler.transform(rows), scaled)
    assert_equal(scaler.inverse_transform(scaled), transformer(case).inverse_transform(scaled))


def test_offset_of_the_gain_goes_into_the_mean():
    near = X[:, [0, 1, 2, 4]]
    gain = LearnedScaleTransformer(**SINGLE, readout="gain").fit(near, y)
    scaler = gain.to_sklearn()
    assert np.abs(scaler.mean_ - near.mean(axis=0))[0] > 1e-3
    assert_equal(scaler.transform(near), gain.transform(near))
    assert_equal(scaler.inverse_transform(near), gain.inverse_transform(near))


def test_transformer_that_learned_chunks_gives_its_scale():
    chunks = LearnedScaleTransformer(**SINGLE).partial_fit(X[:30], y[:30])
    chunks.partial_fit(X[30:], y[30:])
    assert_equal(chunks.to_sklearn().transform(X), chunks.transform(X))


def test_float32_rows_are_computed_to_its_rounding():
    # The table's far columns are no numbers of float32.
    near, few = X[:, [0, 2]].astype(np.float32), {**SINGLE, "dtype": "float64"}
    model = LearnedScaleRegressor(**few).fit(near, y)
    assert_equal(model.to_sklearn().predict(near), model.predict(near), 1e-5)
    scaler = LearnedScaleTransformer(**few).fit(near, y)
    scaled = scaler.to_sklearn().transform(near)
    assert scaled.dtype == np.float32
    assert_equal(scaled, scaler.transform(near), 1e-5)


# What is in the pipeline


def test_folds_of_a_regressor_are_blocks_of_one_perceptron():
    pipeline = regressor("deep average").to_sklearn()
    n_networks = len(regressor("deep average").to_keras("float64").get_layer("average").input)
    perceptron = pipeline[-1]
    assert n_networks > 1
    assert perceptron.hidden_layer_sizes == (6 * n_networks, 3 * n_networks, 4 * n_networks)
    blocks = np.kron(np.eye(n_networks), np.ones((6, 3)))
    np.testing.assert_array_equal(perceptron.coefs_[1] != 0, blocks != 0)


def test_folds_of_a_classifier_vote():
    vote = classifier("three labels, folds").to_sklearn()[-1]
    assert isinstance(vote, VotingClassifier)
    assert {type(voter) for voter in vote.estimators_} == {MLPClassifier}
    assert list(vote.named_estimators_.values()) == vote.estimators_
    # Voters know the numbers of the classes; a hard vote counts them.
    assert {tuple(voter.classes_) for voter in vote.estimators_} == {(0, 1, 2)}
    labels = vote.set_params(voting="hard").predict(StandardScaler().fit_transform(X))
    assert set(labels) <= {"no", "maybe", "yes"}


def test_softened_case_has_a_temperature():
    plain = pickle.loads(pickle.dumps(classifier("softened")))
    plain._temperature = 1.0
    difference = plain.predict_proba(X) - classifier("softened").predict_proba(X)
    assert np.abs(difference).max() > 0.01


@pytest.mark.parametrize("case", [*REGRESSORS, *CLASSIFIERS])
def test_perceptrons_have_hidden_layers_unless_they_know_no_more_than_the_mean(case):
    knows_the_mean = case in ("mean of the targets", "shares of the classes")
    last = (regressor if case in REGRESSORS else classifier)(case).to_sklearn()[-1]
    for perceptron in getattr(last, "estimators_", [last]):
        has_none = knows_the_mean or case == "without hidden layers"
        assert (perceptron.hidden_layer_sizes == ()) == has_none
        assert perceptron.coefs_[0].any() != knows_the_mean


def test_dropped_and_constant_features_are_dropped_exactly():
    options = {**PLAIN, "epochs": 40, "regularization_path": [(1.0, 0.0)]}
    model = LearnedScaleRegressor(**options).fit(X, y)
    dropped = np.flatnonzero(model.feature_importances_ == 0)
    assert len(dropped) > 1
    assert 4 in dropped
    pipeline = model.to_sklearn()
    assert_equal(pipeline.predict(X), model.predict(X))
    assert not pipeline[-1].coefs_[0][dropped].any()
    rows = X.copy()
    rows[:, dropped] = -1e100
    np.testing.assert_array_equal(pipeline.predict(rows), pipeline.predict(X))


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (LearnedScaleRegressor, "one network"),
        (LearnedScaleRegressor, "several targets"),
        (LearnedScaleRegressor, "without hidden layers"),
        (LearnedScaleClassifier, "two classes, one network"),
        (LearnedScaleClassifier, "three labels, one network"),
    ],
)
def test_perceptron_has_what_a_fit_of_scikit_learn_gives_it(kind, case):
    model, target = fitted(kind, case), CASES[kind][case][1]
    perceptron = model.to_sklearn()[-1]
    first = {"classes": np.unique(target)} if hasattr(perceptron, "classes_") else {}
    own = clone(perceptron).partial_fit(X, target, **first)
    assert set(vars(perceptron)) <= set(vars(own))
    for name in ("coefs_", "intercepts_"):
        shapes = [[array.shape for array in getattr(m, name)] for m in (perceptron, own)]
        assert shapes[0] == shapes[1]
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(perceptron, name) == getattr(own, name)
    if first:
        assert vars(perceptron._label_binarizer).keys() == vars(own._label_binarizer).keys()
        assert perceptron._label_binarizer.y_type_ == own._label_binarizer.y_type_


def test_scaler_has_what_a_fit_of_scikit_learn_gives_it():
    scaler, own = transformer("without y").to_sklearn(), StandardScaler().fit(X)
    assert vars(scaler).keys() == vars(own).keys()
    for name in ("mean_", "var_", "scale_"):
        np.testing.assert_allclose(getattr(scaler, name), getattr(own, name), rtol=1e-12)
    assert scaler.n_samples_seen_ == 60


def test_scaler_without_a_learned_scale_goes_on_as_its_own():
    scaler = LearnedScaleTransformer().fit(X[:30]).to_sklearn().partial_fit(X[30:])
    assert_equal(scaler.transform(X), StandardScaler().fit(X).transform(X), 1e-7)


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (LearnedScaleRegressor, "linear"),
        (LearnedScaleClassifier, "deep"),
        (LearnedScaleTransformer, "gain"),
        (LearnedScaleTransformer, "without y"),
    ],
)
def test_export_shares_no_array_with_the_estimator(kind, case):
    model = fitted(kind, case)
    compute = getattr(model, "predict_proba", getattr(model, "predict", None)) or model.transform
    expected, scale, export = compute(X), model.scale_.copy(), model.to_sklearn()
    for step in export if hasattr(export, "steps") else [export]:
        arrays = [value for value in vars(step).values() if isinstance(value, np.ndarray)]
        for array in [*arrays, *getattr(step, "coefs_", []), *getattr(step, "intercepts_", [])]:
            if array.dtype == np.float64:
                array += 1.0
    np.testing.assert_array_equal(compute(X), expected)
    np.testing.assert_array_equal(model.scale_, scale)


def test_names_of_features_are_kept():
    table = pd.DataFrame(X, columns=list("abcde"))
    for model in (
        LearnedScaleRegressor(**SINGLE).fit(table, y),
        LearnedScaleClassifier(**PLAIN).fit(table, CLASSES),
        LearnedScaleTransformer().fit(table),
    ):
        export = model.to_sklearn()
        method = "predict" if hasattr(export, "predict") else "transform"
        assert export.feature_names_in_.tolist() == list("abcde")
        found = getattr(export, method)(table)
        np.testing.assert_allclose(found, getattr(model, method)(table), rtol=1e-9)
        with pytest.raises(ValueError, match="The feature names should match"):
            getattr(export, method)(table[list("edcba")])
    assert export.get_feature_names_out().tolist() == list("abcde")


# Without this package

_SERVE = """
import pickle, sys
import numpy as np
for name in ("skscale", "tensorflow", "keras"):
    sys.modules[name] = None  # importing it is an ImportError
source, rows = sys.argv[1:]
with open(source, "rb") as file:
    models = pickle.load(file)
X = np.load(rows)
results = []
for model in models:
    for name in ("predict", "predict_proba", "transform"):
        if hasattr(model, name) and (name != "transform" or not hasattr(model, "predict")):
            results.append(getattr(model, name)(X))
with open(source, "wb") as file:
    pickle.dump(results, file)
"""


def test_exports_are_served_where_this_package_is_not_installed(run_python, tmp_path):
    models = [
        regressor("average of folds"),
        regressor("several targets"),
        classifier("two classes, one network"),
        classifier("three labels, folds"),
        transformer("sensitivity"),
    ]
    source, rows = tmp_path / "models.pkl", tmp_path / "rows.npy"
    np.save(rows, X)
    source.write_bytes(pickle.dumps([model.to_sklearn() for model in models]))
    run_python(_SERVE, str(source), str(rows))
    names = ("predict", "predict_proba", "transform")
    expected = [getattr(m, name)(X) for m in models for name in names if hasattr(m, name)]
    found = pickle.loads(source.read_bytes())
    assert len(found) == len(expected) == 7
    for one, other in zip(found, expected, strict=True):
        if other.dtype.kind == "f":
            assert_equal(one, other)
        else:
            np.testing.assert_array_equal(one, other)


def test_export_needs_no_tensorflow(run_python, tmp_path):
    source = tmp_path / "models.pkl"
    models = [regressor("one network"), classifier("three labels, folds"), transformer("classes")]
    source.write_bytes(pickle.dumps(models))
    code = (
        "import pickle, sys\n"
        "for name in ('tensorflow', 'keras', 'scikeras'): sys.modules[name] = None\n"
        "models = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(*[type(model.to_sklearn()).__name__ for model in models])"
    )
    assert run_python(code, str(source)).split() == ["Pipeline", "Pipeline", "StandardScaler"]


# What is refused

_NO_COUNTERPART = ", of which the perceptrons of scikit-learn have no counterpart. Fit with "
_WAY_OUT = (
    ", or use to_keras() or a pickle of this estimator, which needs skscale but not TensorFlow."
)
_ACTIVATIONS = "activation='linear' or 'relu' or 'sigmoid' or 'tanh'"
_CUSTOM = (
    "to_sklearn cannot give layers that only Keras runs. Fit with hidden_layer='dense', "
    "network=None, embedding=None and activations by name, or use to_keras()."
)
REFUSED = {
    "default network": (
        {"activation": "silu", "embedding": "periodic"},
        "to_sklearn cannot give the periodic embedding and activation='silu'"
        f"{_NO_COUNTERPART}embedding=None, {_ACTIVATIONS}{_WAY_OUT}",
    ),
    "activation": (
        {"activation": "gelu"},
        f"to_sklearn cannot give activation='gelu'{_NO_COUNTERPART}{_ACTIVATIONS}{_WAY_OUT}",
    ),
    "embedding": (
        {"embedding": "periodic"},
        f"to_sklearn cannot give the periodic embedding{_NO_COUNTERPART}embedding=None{_WAY_OUT}",
    ),
    "sine layers": (
        {"hidden_layer": "sine"},
        "to_sklearn cannot give hidden_layer='sine'"
        f"{_NO_COUNTERPART}hidden_layer='dense'{_WAY_OUT}",
    ),
    "output activation": (
        {"output_activation": "tanh", "target_normalization": "minmax_symmetric"},
        "to_sklearn cannot give output_activation='tanh'"
        f"{_NO_COUNTERPART}output_activation='linear'{_WAY_OUT}",
    ),
    "layers of Keras": ({"hidden_layer": keras.layers.Dense}, _CUSTOM),
    "an activation of settings": ({"activation": keras.layers.LeakyReLU(0.1)}, _CUSTOM),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_scikit_learn_cannot_express_is_refused_with_the_way_out(case):
    options, message = REFUSED[case]
    model = LearnedScaleRegressor(**{**SINGLE, **options}).fit(X, y)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.to_sklearn()


def test_classifier_refuses_an_activation_too():
    model = LearnedScaleClassifier(**{**SINGLE, "activation": "silu"}).fit(X, CLASSES)
    with pytest.raises(ValueError, match="to_sklearn cannot give activation='silu', of which"):
        model.to_sklearn()


def test_temperature_of_clipped_logits_is_refused():
    options, target = CLASSIFIERS["softened"]
    model = LearnedScaleClassifier(**options, loss="mean_squared_error").fit(X, target)
    message = (
        "to_sklearn cannot give a temperature behind the softmax that the loss asks for"
        f"{_NO_COUNTERPART}loss='auto'{_WAY_OUT}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.to_sklearn()


def test_factor_of_zero_is_refused():
    options = {**SINGLE, "scale_initializer": "zeros", "scale_constraint": "non_neg", "epochs": 1}
    gain = LearnedScaleTransformer(**options, readout="gain", learning_rate=1e-300).fit(X, y)
    zeros = np.flatnonzero(gain.scale_ == 0).tolist()
    message = (
        f"to_sklearn cannot give the factor zero of features {', '.join(map(str, zeros))}, counted "
        "from 0, as StandardScaler divides. Fit with readout='sensitivity', leave these features "
        "out, or use to_keras() or a pickle of this estimator, which needs skscale but not "
        "TensorFlow."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        gain.to_sklearn()


def test_offset_of_a_feature_far_from_zero_is_refused():
    gain = LearnedScaleTransformer(**SINGLE, readout="gain").fit(X, y)
    message = (
        "to_sklearn cannot give the offset of features 3, counted from 0: they lie so far from "
        "zero that mean_ has no digits left for it. Fit with center=False, subtract their mean "
        "before, or use to_keras('float64') or a pickle of this estimator, which needs skscale "
        "but not TensorFlow."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        gain.to_sklearn()


@pytest.mark.parametrize(
    "kind", [LearnedScaleRegressor, LearnedScaleClassifier, LearnedScaleTransformer]
)
def test_estimator_that_is_not_fitted_says_so(kind):
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted yet"):
        kind().to_sklearn()
