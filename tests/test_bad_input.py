"""Bad input is refused before any training, with what to do; odd but honest input is fitted."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from fitted_networks import network_weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from user_layers import Unset

from skscale import (
    LearnedScaleClassifier,
    LearnedScaleRegressor,
    LearnedScaleTransformer,
)
from skscale._parameters import KERAS_FAMILIES

X, y = (array[:100] for array in load_diabetes(return_X_y=True, scaled=False))

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
BOTH = [LearnedScaleRegressor, LearnedScaleTransformer]
ALL = [LearnedScaleClassifier, *BOTH]


def target_of(cls):
    return y > 140 if cls is LearnedScaleClassifier else y


def with_entry(value):
    rows = X.copy()
    rows[7, 3] = value
    return rows


def spoiled(value):
    target = y.copy()
    target[7] = value
    return target


# Data


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (with_entry(np.inf), ValueError, "Input X contains infinity"),
        (with_entry(-np.inf), ValueError, "Input X contains infinity"),
        (np.full((100, 2), "a"), ValueError, r"Columns 0, 1 of X hold text.*OneHot.*\[0, 1\]"),
        (X + 1j, ValueError, "Complex data not supported"),
        (csr_array(with_entry(np.inf)), ValueError, "Input X contains infinity"),
        (X[:, 0], ValueError, "Expected 2D array, got 1D array instead"),
        (X[:0], ValueError, r"Found array with 0 sample\(s\)"),
        (X[:, :0], ValueError, r"Found array with 0 feature\(s\)"),
        (X[:1], ValueError, r"1 sample.* while a minimum of 2 is required by LearnedScale"),
        (X[:50], ValueError, r"inconsistent numbers of samples: \[50, 100\]"),
    ],
    ids=lambda case: case if isinstance(case, str) else None,
)
def test_rows_that_cannot_be_learned_from_are_refused(cls, rows, error, message):
    target = target_of(cls)
    target = target[: rows.shape[0]] if rows.shape[0] < 50 else target
    with pytest.raises(error, match=message):
        cls(**QUICK).fit(rows, target)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (spoiled(np.nan), "Input y contains NaN"),
        (spoiled(np.inf), "Input y contains infinity"),
        (y[:50], r"inconsistent numbers of samples: \[100, 50\]"),
        (y.reshape(100, 1, 1), "Found array with dim 3"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(cls, target, message):
    with pytest.raises(ValueError, match=message):
        cls(**QUICK).fit(X, target)


@pytest.mark.usefixtures("no_training")
def test_regressor_needs_targets_and_numbers():
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        LearnedScaleRegressor(**QUICK).fit(X, None)


LABELS = {
    "array": np.full(100, "a"),
    "objects": np.full(100, "a", object),
    "list": ["a"] * 100,
    "series": pd.Series(["a"] * 100),
    "categories": pd.Series(["a"] * 100, dtype="category"),
    "polars": pl.Series(["a"] * 100),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_regressor_sends_labels_to_the_classifier(method, labels):
    with pytest.raises(ValueError, match=r"y holds text such as 'a'.* Use LearnedScaleClassifier"):
        getattr(LearnedScaleRegressor(**QUICK), method)(X, labels)


def test_strings_that_are_numbers_are_numbers():
    model, same = LearnedScaleRegressor(**SINGLE), LearnedScaleRegressor(**SINGLE)
    text = pd.DataFrame(X).assign(text=X[:, 0].astype(str)).drop(columns=0)
    numbers = pd.DataFrame(X).assign(text=X[:, 0]).drop(columns=0)
    text.columns = numbers.columns = list("abcdefghij")
    model.fit(text, y.astype(str))
    assert_array_equal(model.predict(text), same.fit(numbers, y).predict(numbers))


DATES = pd.date_range("2020-01-01", periods=100)
NUMBERS = pd.DataFrame(X[:, :2], columns=["a", "b"])
TEXT = ["u", "v"] * 50
WITHOUT_NUMBERS = {
    "text": (NUMBERS.assign(c=TEXT), "Column 'c' of X holds text"),
    "text twice": (NUMBERS.assign(c=TEXT, d=TEXT), "Columns 'c', 'd' of X hold text"),
    "text as objects": (NUMBERS.assign(c=np.array(TEXT, object)), "Column 'c' of X holds text"),
    "categories": (NUMBERS.assign(c=pd.Categorical(TEXT)), "Column 'c' of X holds categories"),
    "dates": (NUMBERS.assign(c=DATES), "Column 'c' of X holds dates"),
    "dates alone": (pd.DataFrame({"c": DATES}), "Column 'c' of X holds dates"),
    "dates of a zone": (NUMBERS.assign(c=DATES.tz_localize("UTC")), "Column 'c' of X holds dates"),
    "dates as objects": (NUMBERS.assign(c=DATES.date), "Column 'c' of X holds dates"),
    "periods": (NUMBERS.assign(c=DATES.to_period("D")), "Column 'c' of X holds dates"),
    "spans": (NUMBERS.assign(c=DATES - DATES[0]), "Column 'c' of X holds dates"),
    "array of text": (NUMBERS.assign(c=TEXT).to_numpy(), "Column 2 of X holds text"),
    "array of dates": (DATES.to_numpy()[:, np.newaxis], "Column 0 of X holds dates"),
    "polars, text": (pl.DataFrame({"a": X[:, 0], "c": TEXT}), "Column 'c' of X holds text"),
    "polars, dates": (pl.DataFrame({"a": X[:, 0], "c": DATES.date}), "Column 'c' of X holds dates"),
    "polars, categories": (
        pl.DataFrame({"a": X[:, 0], "c": pl.Series(TEXT, dtype=pl.Categorical)}),
        "Column 'c' of X holds categories",
    ),
    "bytes": (np.full((100, 1), b"u"), "Column 0 of X holds text"),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("rows", "message"), WITHOUT_NUMBERS.values(), ids=WITHOUT_NUMBERS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", ALL)
def test_a_column_without_numbers_is_named_with_its_cure(cls, method, rows, message):
    settings = {"classes": [False, True]} if cls is LearnedScaleClassifier else {}
    settings = settings if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError), match=f"^{message}.* Encode ") as caught:
        getattr(cls(**QUICK), method)(rows, target_of(cls), **settings)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


OBJECTS = {
    "lists": (NUMBERS.assign(c=[[1, 2]] * 100), "Column 'c' of X holds objects of type list"),
    "missing": (
        np.where(X > 1, X.astype(object), pd.NA),
        "Column 1 of X holds objects of type NAType",
    ),
    "complex": (X.astype(object) + 1j, "Columns .* of X hold objects of type complex"),
    "polars": (pl.DataFrame({"a": [[1, 2]] * 100}), "Column 'a' of X holds objects of type ndarr"),
}
NO_TABLES = {
    "dict": ({"a": X[:, 0]}, "X is of type dict, but a table of shape "),
    "set": ({1.0, 2.0}, "X is of type set, but"),
    "generator": (iter(X.tolist()), "X is of type list_iterator, but"),
    "path": ("table.csv", "X is of type str, but"),
    "one axis": ([object()] * 100, "X is of type list, with one axis, but"),
    "ragged": ([[1.0, 2.0], [3.0]] * 50, "X holds lists of different lengths, but a table"),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("rows", "message"), [*OBJECTS.values(), *NO_TABLES.values()], ids=[*OBJECTS, *NO_TABLES]
)
@pytest.mark.parametrize("cls", ALL)
def test_what_is_no_table_of_numbers_is_said_to_be_none(cls, rows, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        cls(**QUICK).fit(rows, target_of(cls))


def test_a_column_without_numbers_is_named_in_predictions_too(fitted):
    classifier, regressor, transformer = fitted
    for method in (classifier.predict, regressor.predict, transformer.transform):
        with pytest.raises(ValueError, match="Column 3 of X holds text"):
            method(with_entry_of_text())


def with_entry_of_text():
    rows = X.astype(object)
    rows[7, 3] = "u"
    return rows


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
def test_lazy_frames_are_to_be_collected(cls):
    rows, target = pl.DataFrame(X), pl.Series("y", target_of(cls))
    with pytest.raises(TypeError, match=r"^X is a LazyFrame.* Give X\.collect\(\)"):
        cls(**QUICK).fit(rows.lazy(), target)
    with pytest.raises(TypeError, match=r"^y is a LazyFrame.* Give y\.collect\(\)"):
        cls(**QUICK).fit(rows, target.to_frame().lazy())


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    "target",
    [y / 3, np.ones(100), np.full((100, 2), "a"), [None, *"ab" * 49, "a"], [1j] * 100],
    ids=["fractions", "one class", "two columns", "missing", "complex"],
)
def test_classifier_speaks_of_its_own_parameters(target):
    with pytest.raises((TypeError, ValueError)) as caught:
        LearnedScaleClassifier(**QUICK).fit(X, target)
    with pytest.raises((TypeError, ValueError)) as caught_in_chunk:
        LearnedScaleClassifier(**QUICK).partial_fit(X, y > 140, classes=target)
    for error in (caught, caught_in_chunk):
        assert "target_type" not in str(error.value)
        assert "transformer" not in str(error.value)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        # Newer versions of scikit-learn find it before we do.
        (np.zeros(100), "at least one non-zero number|is positive for 0 of 100 samples"),
        (-np.ones(100), "Negative values in data passed to `sample_weight`"),
        (np.where(np.arange(100) == 3, -1.0, 1.0), "Negative values"),
        (np.eye(100)[0], "sample_weight is positive for 1 of 100 samples, but at least 2"),
        (np.full(100, np.nan), "Input sample_weight contains NaN"),
        (np.ones(99), r"sample_weight.shape == \(99,\), expected \(100,\)"),
        (np.ones((100, 2)), "Sample weights must be 1D array or scalar"),
        ("balanced", "^sample_weight holds something else than numbers: could not convert"),
        ([{}] * 100, "^sample_weight holds something else than numbers: float"),
        (np.full(100, 1j), "^sample_weight holds something else than numbers: Complex"),
        (np.full(100, np.datetime64("2020-01-01")), "^sample_weight holds something else .* dates"),
        ([[1.0, 2.0], [3.0]] * 50, "^sample_weight holds something else .* inhomogeneous"),
    ],
)
def test_weights_that_leave_nothing_to_learn_from_are_refused(cls, weight, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cls(**QUICK).fit(X, target_of(cls), sample_weight=weight)


@pytest.fixture(scope="module")
def fitted():
    return [cls(**SINGLE).fit(X, target_of(cls)) for cls in ALL]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (with_entry(np.inf), ValueError, "Input X contains infinity"),
        (X[:, :3], ValueError, "X has 3 features, but LearnedScale.* is expecting 10 features"),
        (csr_array(X[:, :3]), ValueError, "X has 3 features, but LearnedScale.* is expecting 10"),
        (X[0], ValueError, "Expected 2D array, got 1D array instead"),
        (X[:0], ValueError, r"Found array with 0 sample\(s\)"),
    ],
    ids=["infinity", "width", "sparse", "1d", "empty"],
)
def test_rows_to_predict_are_checked_as_those_to_fit(fitted, rows, error, message):
    classifier, regressor, transformer = fitted
    for method in (
        classifier.predict,
        classifier.predict_proba,
        classifier.predict_log_proba,
        classifier.decision_function,
        regressor.predict,
        transformer.transform,
        transformer.inverse_transform,
    ):
        with pytest.raises(error, match=message):
            method(rows)


@pytest.mark.parametrize("cls", ALL)
def test_columns_of_other_names_are_refused(cls):
    model = cls(**SINGLE).fit(pd.DataFrame(X, columns=list("abcdefghij")), target_of(cls))
    method = model.predict if hasattr(model, "predict") else model.transform
    with pytest.raises(ValueError, match="The feature names should match"):
        method(pd.DataFrame(X, columns=list("bacdefghij")))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "bad",
    [
        {"y": [np.nan] * 100},
        {"sample_weight": -np.ones(100)},
        {"X": np.full((100, 2), np.inf)},
        {"X": X * 1e60, "normalization": None},
        {"kernel_initializer": keras.initializers.Constant(np.nan)},
    ],
    ids=["targets", "weights", "infinite", "large", "initializer"],
)
def test_a_refused_fit_changes_nothing(fitted, bad, method):
    for model in fitted:
        before = dict(vars(model))
        refused = clone(model)
        refused.__dict__.update(before)
        arguments = {"X": X[:, :3], "y": target_of(type(model)), **bad}
        options = {name: arguments.pop(name) for name in [*arguments] if hasattr(model, name)}
        refused.set_params(**options)
        with pytest.raises(ValueError):  # noqa: PT011 - of what, other tests ask
            getattr(refused, method)(**arguments)
        assert {**vars(refused), **dict.fromkeys(options)} == {**before, **dict.fromkeys(options)}


# Folds


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (KFold(101), "n_splits=101 greater than the number of samples: n_samples=100"),
        (GroupKFold(2), "splits by groups, but none are given. Pass groups to fit"),
        (
            [(range(60), range(50, 100))],
            "holds out rows that it learns from: 10 in fold 0, such",
        ),
        (StratifiedKFold(2), r"Supported target types are: .* Got 'continuous' instead"),
        ([([0, 1], [100])], r"does not fit the table: fold 0 holds array\(\[100\]\), but row num"),
        ([], "Use an int such as cv=5"),
        (1, r"The 'cv' parameter of .* must be an int in the range \[2, inf\)"),
    ],
    ids=["too many", "no groups", "overlap", "classes only", "no such row", "empty", "one"],
)
def test_splitter_that_does_not_fit_the_rows_is_refused(cls, cv, message):
    with pytest.raises(ValueError, match=message):
        cls(**{**QUICK, "cv": cv}).fit(X, y / 3)


@pytest.mark.parametrize("cls", BOTH)
def test_int_cv_is_lowered_with_a_warning(cls):
    with pytest.warns(UserWarning, match="cv=5 is more than the 2 rows of positive weight: using"):
        model = cls(**{**QUICK, "cv": 5}).fit(X[:2], y[:2])
    # One for each of two folds.
    assert len(network_weights(model)) == 2


# Options


WRONG_NAMES = {
    "normalization": ("standart", "standard"),
    "target_normalization": ("min_max", "minmax"),
    "scale_initializer": ("glorot_unifrom", "glorot_uniform"),
    "scale_regularizer": ("atuo", "auto"),
    "scale_constraint": ("max_norms", "max_norm"),
    "center_initializer": ("zeroes", "zeros"),
    "center_regularizer": ("l11", "l1"),
    "center_constraint": ("nonnegs", "non_neg"),
    "activation": ("rleu", "relu"),
    "kernel_initializer": ("he_norm", "he_normal"),
    "bias_initializer": ("zeross", "zeros"),
    "kernel_regularizer": ("l22", "l2"),
    "kernel_constraint": ("unit_nrom", "unit_norm"),
    "loss": ("hubert", "huber"),
    "optimizer": ("addam", "adam"),
    "learning_rate": ("aut", "auto"),
    "weight_decay": ("autoo", "auto"),
    "epochs": ("atuo", "auto"),
    "dtype": ("float23", "float32"),
    "regularization_path": ("aauto", "auto"),
}
ONE_ONLY = {
    LearnedScaleClassifier: {"class_weight": ("balanecd", "balanced")},
    LearnedScaleRegressor: {"output_activation": ("linaer", "linear")},
    LearnedScaleTransformer: {
        "target_type": ("continous", "continuous"),
        "readout": ("gian", "gain"),
        "power": ("atuo", "auto"),
        "unsupervised": ("autoencodr", "autoencoder"),
    },
}
WRONG = [
    (cls, parameter, *names)
    for cls, own in ONE_ONLY.items()
    for parameter, names in {**WRONG_NAMES, **own}.items()
    if hasattr(cls(), parameter)
]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("cls", "parameter", "wrong", "meant"), WRONG)
def test_unknown_name_is_met_with_the_one_that_was_meant(cls, parameter, wrong, meant):
    with pytest.raises(ValueError, match=rf"Did you mean '{meant}'\?") as caught:
        cls(**{**QUICK, parameter: wrong}).fit(X, target_of(cls))
    assert parameter in str(caught.value)
    assert repr(wrong) in str(caught.value)
    # What Keras says is in the message, if it helps.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


KERAS_WRONG = [case for case in WRONG if case[1] in KERAS_FAMILIES]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("cls", "parameter", "wrong", "meant"), KERAS_WRONG)
def test_an_option_that_keras_lacks_is_refused_before_anything_else(cls, parameter, wrong, meant):
    # Each of the others would be an error or a warning of its own.
    others = {"cv": 1000}
    if cls is LearnedScaleRegressor and parameter != "output_activation":
        others["output_activation"] = "tanh"
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=rf"Did you mean '{meant}'\?"):
            getattr(cls(**{**QUICK, **others, parameter: wrong}), method)(
                with_entry(np.inf), spoiled(np.inf)
            )


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("epochs", 0, r"must be .*'auto'.* or an int in the range \[1, inf\). Got 0 instead"),
        ("batch_size", 0, r"an int in the range \[1, inf\). Got 0 instead"),
        ("learning_rate", 0.0, r"in the range \(0.0, inf\). Got 0.0 instead"),
        ("validation_fraction", 1.0, r"in the range \(0.0, 1.0\). Got 1.0 instead"),
        ("center", "yes", "must be an instance of 'bool'"),
        ("hidden_layer_sizes", (8, 0), "whole numbers of at least 1. Give the units of each"),
        ("activation", "glu", "it halves the number of units"),
        ("loss", "dice", "one value for each row is needed to weight rows"),
        ("scale_initializer", "identity", r"scale_initializer='identity' cannot draw .*\(10,\)"),
        ("early_stopping", True, "Set scale_regularizer=None"),
        ("kernel_regularizer", lambda weights: 0.0, "Use def instead of lambda"),
    ],
)
def test_value_that_cannot_work_is_refused(cls, parameter, value, message):
    with pytest.raises(ValueError, match=message):
        cls(**{**QUICK, parameter: value}).fit(X, target_of(cls))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("role", ["scale", "center", "kernel", "bias"])
@pytest.mark.parametrize("cls", ALL)
def test_an_initializer_of_numbers_that_are_not_finite_is_refused(cls, role):
    message = f"^{role}_initializer=.* draws (nan|inf), ... in float32"
    chunk = {"classes": [False, True]} if cls is LearnedScaleClassifier else {}
    for initializer in (Unset("inf"), Unset("nan")):
        for settings in (QUICK, SINGLE):
            model = cls(**settings, **{f"{role}_initializer": initializer})
            with pytest.raises(ValueError, match=message):
                model.fit(X, target_of(cls))
            with pytest.raises(ValueError, match=message):
                model.partial_fit(X, target_of(cls), **chunk)
            assert not hasattr(model, "scale_")


L1, ONES, MAX_NORM = (
    keras.regularizers.L1(),
    keras.initializers.Ones(),
    keras.constraints.MaxNorm(),
)
OF_OTHER_KINDS = [
    ("optimizer", ONES, "initializers"),
    ("optimizer", keras.losses.Huber(), "losses"),
    ("loss", keras.metrics.MeanSquaredError(), "metrics"),
    ("loss", keras.metrics.MeanSquaredError, "metrics"),
    ("loss", keras.metrics.categorical_accuracy, "metrics"),
    ("loss", keras.layers.Dense(3), "layers"),
    ("activation", ONES, "initializers"),
    ("kernel_regularizer", keras.layers.Dense(3), "layers"),
    ("kernel_constraint", keras.layers.Dense(3), "layers"),
    ("kernel_constraint", L1, "regularizers"),
    ("scale_regularizer", MAX_NORM, "constraints"),
    ("scale_regularizer", keras.constraints.serialize(MAX_NORM), "constraints"),
]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("parameter", "value", "kind"), OF_OTHER_KINDS)
@pytest.mark.parametrize("cls", ALL)
def test_what_keras_has_for_another_purpose_is_refused(cls, parameter, value, kind):
    message = (
        rf"^{parameter}=.* is of keras\.{kind}, but one of keras\.\w+ is needed. Allowed are: "
    )
    with pytest.raises(ValueError, match=message):
        cls(**{**QUICK, parameter: value}).fit(X, target_of(cls))


NUMBERS_ONLY = [
    "batch_size",
    "dropout",
    "epochs",
    "hidden_layer_sizes",
    "learning_rate",
    "n_iter_no_change",
    "random_state",
    "scale_learning_rate_factor",
    "validation_fraction",
    "weight_decay",
]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("parameter", NUMBERS_ONLY)
@pytest.mark.parametrize("cls", ALL)
def test_a_truth_value_is_no_number(cls, parameter):
    with pytest.raises(ValueError, match=f"^{parameter}=True is a truth value, but a number is ne"):
        cls(**{**QUICK, parameter: True}).fit(X, target_of(cls))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("epochs", 10**30, r"^epochs=1000.* steps are more than 2147483647 steps"),
        (
            "hidden_layer_sizes",
            10**10,
            r"^hidden_layer_sizes=10000000000 give a network of \d+ wei",
        ),
        ("hidden_layer_sizes", {}, r"^hidden_layer_sizes=\{\} holds something else than whole"),
        ("hidden_layer_sizes", (True, 8), r"^hidden_layer_sizes=\(True, 8\) holds something else"),
        ("hidden_layer", int, r"^hidden_layer=<class 'int'> is no class of Keras layers"),
        ("normalization", MinMaxScaler((1, 0)), r"^normalization=.* cannot be fitted: Minimum of"),
    ],
)
def test_a_value_that_no_training_survives_is_refused_by_name(cls, parameter, value, message):
    with pytest.raises(ValueError, match=message):
        cls(**{**QUICK, parameter: value}).fit(X, target_of(cls))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("value", [1e300, 10**400], ids=["large", "larger"])
@pytest.mark.parametrize(
    ("cls", "parameter"),
    [
        (cls, parameter)
        for cls in ALL
        for parameter in ("learning_rate", "scale_learning_rate_factor", "weight_decay", "power")
        if hasattr(cls(), parameter)
    ],
)
def test_a_number_that_float32_cannot_hold_is_refused(cls, parameter, value):
    with pytest.raises(ValueError, match=f"^{parameter}=1.* is more than float32 holds.* at most"):
        cls(**{**QUICK, parameter: value}).fit(X, target_of(cls))


MEANINGLESS = {
    "optimizer": keras.optimizers.Adam(beta_1=7),
    "kernel_constraint": keras.constraints.serialize(keras.constraints.MaxNorm(-1)),
    "loss": keras.losses.Huber(delta=np.nan),
    "scale_initializer": keras.initializers.RandomNormal(stddev=-1),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("parameter", MEANINGLESS)
@pytest.mark.parametrize("cls", ALL)
def test_a_keras_object_whose_numbers_mean_nothing_is_refused(cls, parameter):
    with pytest.raises(ValueError, match=rf"^{parameter}=.* has \w+=.*, but .* is needed\.$"):
        cls(**{**QUICK, parameter: MEANINGLESS[parameter]}).fit(X, target_of(cls))


def test_optimizer_without_a_compiled_form_is_refused():
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps=2 .* raise batch_size"):
        LearnedScaleRegressor(**QUICK, optimizer=optimizer).fit(X, y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("parameter", ["normalization", "target_normalization"])
@pytest.mark.parametrize(
    "scaler",
    [
        QuantileTransformer(n_quantiles=10),
        PowerTransformer(),
        Normalizer(),
        MinMaxScaler((0.4, 0.6), clip=True),
    ],
    ids=lambda scaler: type(scaler).__name__,
)
def test_scaler_that_is_not_affine_is_refused(cls, parameter, scaler):
    with pytest.raises(ValueError, match=f"^{parameter}=.* is not an affine map of each feature"):
        cls(**{**QUICK, parameter: scaler}).fit(X, y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
def test_scaler_class_is_refused(cls):
    with pytest.raises(TypeError, match="instance of a scikit-learn transformer"):
        cls(**QUICK, normalization=StandardScaler).fit(X, y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
def test_loss_that_needs_positive_targets_is_refused_on_centred_ones(cls):
    with pytest.raises(ValueError, match=r"loss='poisson' needs targets of at least zero that"):
        cls(**QUICK, loss="poisson").fit(X, y)
    with pytest.raises(ValueError, match=r"the smallest target is -346\.0"):
        cls(**QUICK, loss="poisson", target_normalization="maxabs").fit(X, spoiled(-346.0))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", BOTH)
def test_numbers_too_large_to_train_on_are_refused(cls):
    rows = X * np.where(np.arange(10) == 4, 1e60, 1.0)
    # A constant column in front is none of the network's, but one of the table's.
    rows = np.insert(rows, 0, 1.0, axis=1)
    with pytest.raises(ValueError, match=r"Column 5 of X is too large .* normalization=None\. Use"):
        cls(**QUICK, normalization=None).fit(rows, y)
    with pytest.raises(ValueError, match=r"0 of y is too large .* target_normalization=None\. Use"):
        cls(**QUICK, target_normalization=None).fit(X, y * 1e60)


@pytest.mark.usefixtures("no_training")
# In units in which the share of the second is no float any more.
@pytest.mark.parametrize(("unit", "share"), [(1.0, r"1\.0e-122"), (1e300, r"2\.2e-308")])
@pytest.mark.parametrize("cls", ALL)
def test_a_row_too_light_for_a_scale_that_it_fits_in_is_to_blame(cls, unit, share):
    weight = np.where(np.arange(100) == 7, 1e-120, unit)
    message = f"Column 3 of X .* in row 7 under normalization='standard'. It has {share} of all"
    with pytest.raises(ValueError, match=message):
        cls(**QUICK).fit(with_entry(1e70), target_of(cls), sample_weight=weight)
    if cls is LearnedScaleRegressor:
        with pytest.raises(ValueError, match=r"Column 0 of y .* in row 7 .* weight of zero"):
            cls(**QUICK).fit(X, spoiled(1e70), sample_weight=weight)


@pytest.mark.parametrize("spoilt", ["X", "y"])
def test_a_row_far_beyond_the_first_chunk_is_to_blame(spoilt):
    model = LearnedScaleRegressor(**QUICK).partial_fit(X, y)
    chunk = (with_entry(1e70), y) if spoilt == "X" else (X, spoiled(1e70))
    before = model.predict(X)
    with pytest.raises(ValueError, match=f"of {spoilt} .* in row 7 .* Leave that row out, or star"):
        model.partial_fit(*chunk)
    assert_array_equal(model.predict(X), before)


# Odd but honest input


def _with_sentinel(cls, value):
    """Rows and targets of which row 7, of weight zero, holds a number in two places."""
    target = target_of(cls).copy()
    if cls is not LearnedScaleClassifier:
        target[7] = value
    return with_entry(value), target


@pytest.mark.parametrize("way", ["path", "single", "chunk"])
@pytest.mark.parametrize("cls", ALL)
def test_rows_of_weight_zero_may_hold_anything(cls, way):
    weight = np.where(np.arange(100) == 7, 0.0, 1.0)
    results = []
    for value in (1.0, 1.7e308):
        model = cls(**{**(SINGLE if way == "single" else QUICK), "epochs": 2})
        rows, target = _with_sentinel(cls, value)
        if way == "chunk":
            classes = {"classes": [False, True]} if cls is LearnedScaleClassifier else {}
            model.partial_fit(rows, target, sample_weight=weight, **classes)
        else:
            model.fit(rows, target, sample_weight=weight)
        method = getattr(model, "predict_proba", getattr(model, "predict", None))
        results.append((method or model.transform)(X))
        results.append(model.feature_importances_)
    assert_array_equal(results[0], results[2])
    assert_array_equal(results[1], results[3])


@pytest.mark.parametrize("cls", ALL)
def test_sparse_rows_of_weight_zero_may_hold_anything(cls):
    weight = np.where(np.arange(100) == 7, 0.0, 1.0)
    few, many = (
        cls(**{**SINGLE, "epochs": 2}).fit(
            csr_array(_with_sentinel(cls, value)[0]), target_of(cls), sample_weight=weight
        )
        for value in (1.0, 1.7e308)
    )
    assert_array_equal(few.scale_, many.scale_)


@pytest.mark.parametrize(
    ("method", "unsupervised"),
    [("fit", "standard"), ("partial_fit", "standard"), ("fit", "autoencoder")],
)
def test_rows_of_weight_zero_may_hold_anything_without_targets_too(method, unsupervised):
    weight = np.where(np.arange(100) == 7, 0.0, 1.0)
    one, other = (
        getattr(LearnedScaleTransformer(**SINGLE, unsupervised=unsupervised), method)(
            with_entry(value), sample_weight=weight
        ).transform(X)
        for value in (1.0, 1.7e308)
    )
    assert_array_equal(one, other)


@pytest.mark.parametrize("cls", BOTH)
def test_float32_that_cannot_be_added_up_is_fitted_without_a_warning(cls):
    # In pairs, the sum of each half is infinite.
    rows = np.repeat(np.float32([[3e38], [-3e38]]), 256, axis=0)
    model = cls(**SINGLE).fit(rows, rows[:, 0])
    method = model.predict if hasattr(model, "predict") else model.transform
    assert np.isfinite(method(rows)).all()


ODD = {
    "constant column": np.where(np.arange(10) == 2, 7.0, X),
    "column of 1e-300": X * np.where(np.arange(10) == 2, 1e-300, 1.0),
    "column of 1e300": X * np.where(np.arange(10) == 2, 1e300, 1.0),
    "constant column of 1e300": np.where(np.arange(10) == 2, 1e300, X),
    "subnormal column": X * np.where(np.arange(10) == 2, 1e-312, 1.0),
    "columns at the edge of float64": np.where(np.median(X, axis=0) < X, 1.7e308, -1.7e308),
    "offset of 1e6 standard deviations": X + 1e6 * X.std(axis=0),
    "one row repeated": np.tile(X[:1], (100, 1)),
    "a single varying column": np.where(np.arange(10) == 2, X, X[:1]),
    "integers": X.astype(np.int64),
    "float32": X.astype(np.float32),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_odd_tables_are_fitted(name, settings):
    rows = ODD[name]
    model = LearnedScaleRegressor(**settings).fit(rows, y)
    assert np.isfinite(model.predict(rows)).all()
    for readout in ("sensitivity", "gain"):
        transformer = LearnedScaleTransformer(**settings, readout=readout).fit(rows, y)
        scaled = transformer.transform(rows)
        assert np.isfinite(scaled).all()
        assert np.isfinite(transformer.inverse_transform(scaled)).all()
        # A huge scale is no huge number: everything is in standard deviations.
        assert np.abs(scaled).max() < 100
    for attribute in ("scale_", "offset_", "feature_importances_"):
        assert np.isfinite(getattr(model, attribute)).all(), attribute
        assert np.isfinite(getattr(transformer, attribute)).all(), attribute


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_one_row_repeated_predicts_the_mean(settings):
    model = LearnedScaleRegressor(**{**settings, "epochs": 500})
    model.fit(np.tile(X[:1], (100, 1)), y)
    # Folds have means of their own, some standard errors of the mean apart.
    assert_allclose(model.predict(X[:5]), y.mean(), atol=0.3 * y.std())
    assert_array_equal(model.feature_importances_, np.zeros(10))


@pytest.mark.parametrize("value", [0.0, 3.25, 1e300, -1e-300])
@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_constant_target_is_predicted(settings, value):
    model = LearnedScaleRegressor(**{**settings, "epochs": 300}).fit(X, np.full(100, value))
    # A target that does not vary has a scale of one; training leaves a small rest of the start.
    assert_allclose(model.predict(X), value, rtol=1e-12, atol=0.2)
    transformer = LearnedScaleTransformer(**settings).fit(X, np.full(100, value))
    assert np.isfinite(transformer.transform(X)).all()


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_target_of_any_size_is_predicted(size):
    model = LearnedScaleRegressor(**SINGLE).fit(X, y * size)
    same = LearnedScaleRegressor(**SINGLE).fit(X, y)
    # Targets are rounded to float32 after normalization, where a size may change a last digit.
    assert_allclose(model.predict(X) / size, same.predict(X), rtol=1e-5)


def test_a_target_at_the_edge_of_float64_is_predicted_by_finite_numbers():
    target = np.where(y > 140, 1.7e308, -1.7e308)
    model = LearnedScaleRegressor(**QUICK).fit(X, target)
    assert_array_equal(np.sign(model.predict(X)[[2, 9]]), np.sign(target[[2, 9]]))
    for rows in (X, 1e300 * X, X.astype(np.float32)):
        for values in (model.predict(rows), *model.predict(rows, return_std="total")):
            assert np.isfinite(values).all()
    assert np.isfinite(model.held_out_prediction_).all()
    assert np.isfinite(model.held_out_rmse_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_at_the_edge_of_floats_are_finite_in_and_out(fitted, dtype):
    classifier, regressor, transformer = fitted
    largest = np.finfo(dtype).max
    rows = np.array([[largest] * 10, [-largest] * 10, [largest, -largest] * 5], dtype)
    for method in (
        classifier.predict_proba,
        classifier.decision_function,
        regressor.predict,
        transformer.transform,
        transformer.inverse_transform,
    ):
        assert np.isfinite(method(rows)).all()


def test_two_rows_are_enough():
    model = LearnedScaleRegressor(**QUICK).fit(X[:2], y[:2])
    assert np.isfinite(model.predict(X)).all()


# Divergence


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
@pytest.mark.parametrize("cls", ALL)
def test_divergence_is_a_warning_and_a_finite_model(cls, settings):
    model = cls(**settings, weight_decay=1e6)
    with pytest.warns(ConvergenceWarning, match="Try a smaller learning_rate") as record:
        model.fit(X, target_of(cls))
    assert [warning.category for warning in record] == [ConvergenceWarning]
    method = model.predict if hasattr(model, "predict") else model.transform
    assert np.isfinite(method(X)).all()
    assert np.isfinite(model.scale_).all()
    assert np.isfinite(model.feature_importances_).all()
    assert np.isfinite(model.history_["loss"]).all()


ROWS = np.random.default_rng(0).normal(size=(60, 3))
DESCENDING = {"optimizer": "sgd", "learning_rate": 3, "hidden_layer_sizes": (8,)}


@pytest.mark.parametrize(
    "options",
    [{"epochs": 50}, {"epochs": 10}, {"optimizer": "adam", "learning_rate": 1e4}],
    ids=str,
)
@pytest.mark.parametrize("cls", ALL)
def test_where_every_point_is_worse_than_the_mean_the_mean_is_predicted(cls, options):
    target = ROWS @ [1.0, 2.0, 3.0]
    y_of_class = target > 0.5 if cls is LearnedScaleClassifier else target
    # Of classes, a point that stopped early may be better than the mean: here none is.
    path = [(0.0, 0.0), (0.0, 0.1)]
    options = {**DESCENDING, "random_state": 0, "regularization_path": path, **options}
    model = cls(**options)
    with pytest.warns(ConvergenceWarning, match="at every point .* the model predicts the mean"):
        model.fit(ROWS, y_of_class)
    assert model.path_["null_loss"] <= np.min(model.path_["mean_loss"])
    assert_allclose(model.feature_importances_, 1 / 3, rtol=1e-15)
    if cls is LearnedScaleRegressor:
        assert_allclose(model.predict(ROWS), target.mean(), atol=0.1)
        assert model.score(ROWS, target) > -0.01
    elif cls is LearnedScaleClassifier:
        # Shares of the training rows of five folds; nothing makes them more even.
        assert_allclose(model.predict_proba(ROWS)[:, 1], np.mean(y_of_class), atol=0.005)
    else:
        # It declines: this is StandardScaler.
        assert model.power_ == 0
        assert_allclose(model.transform(ROWS), StandardScaler().fit_transform(ROWS), rtol=1e-12)


def test_nothing_goes_on_from_networks_that_diverged():
    target = ROWS @ [1.0, 2.0, 3.0]
    model = LearnedScaleRegressor(**DESCENDING, epochs=10, random_state=0, warm_start=True)
    with pytest.warns(ConvergenceWarning, match="predicts the mean"):
        model.fit(ROWS, target)
    chunks = clone(model).set_params(warm_start=False)
    with pytest.warns(ConvergenceWarning, match="predicts the mean"):
        chunks.fit(ROWS, target)
    calmer = {"learning_rate": 0.01, "epochs": 300}
    model.set_params(**calmer).fit(ROWS, target)
    assert model.score(ROWS, target) > 0.9
    for _ in range(100):
        chunks.set_params(**calmer).partial_fit(ROWS, target)
    # Plain descent over a hundred chunks of one batch.
    assert chunks.score(ROWS, target) > 0.8


def test_chunks_after_an_autoencoder_diverged_keep_its_features():
    # A feature that is constant at first, and later is not.
    rows, chunk = np.column_stack([ROWS, np.ones(60)]), np.column_stack([ROWS, ROWS[:, 0]])
    model = LearnedScaleTransformer(
        **DESCENDING, epochs=10, random_state=0, unsupervised="autoencoder"
    )
    model.set_params(learning_rate=1e6)
    with pytest.warns(ConvergenceWarning, match="predicts the mean"):
        model.fit(rows)
    model.set_params(learning_rate=0.01)
    for _ in range(3):
        assert model.partial_fit(chunk).feature_importances_[3] == 0
    assert model.history_["loss"][-1] < model.history_["loss"][-3]


@pytest.mark.parametrize("n_epochs", [10, 50])
def test_a_single_network_that_overflows_goes_back_to_finite_outputs(n_epochs):
    target = ROWS @ [1.0, 2.0, 3.0]
    model = LearnedScaleRegressor(
        **DESCENDING, scale_regularizer=None, epochs=n_epochs, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="the last weights that do are kept"):
        model.fit(ROWS, target)
    assert np.isfinite(model.predict(ROWS)).all()
    assert np.isfinite(model.history_["loss"]).all()


def test_success_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LearnedScaleRegressor(**SINGLE).fit(X, y)


def test_a_held_out_loss_beyond_float32_ends_the_training_with_a_warning():
    # The exponential of the last row overflows; that of the others does not.
    rows = np.append(np.linspace(-1, 1, 39), 95)[:, np.newaxis]
    settings = {
        "scale_regularizer": None,
        "early_stopping": True,
        "activation": "exponential",
        "kernel_initializer": "ones",
        "hidden_layer_sizes": (1,),
        "normalization": None,
        "dtype": "float32",
        "learning_rate": 1e-4,
        "epochs": 8,
    }
    # A seed that holds the last row out: the training itself would overflow by it.
    model = LearnedScaleRegressor(**settings, random_state=1, validation_fraction=0.5)
    with pytest.warns(ConvergenceWarning, match="Try a smaller learning_rate"):
        model.fit(rows, rows[:, 0].clip(-1, 1))
    assert model.history_["val_loss"] == [np.inf]
