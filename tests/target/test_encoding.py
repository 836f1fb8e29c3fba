"""y is numbers or classes by its dtype, and encoded for the loss that Keras has for it."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes
from sklearn.exceptions import DataConversionWarning
from sklearn.utils._param_validation import InvalidParameterError

from skscale._target.encoding import encode_classes, encode_known, encode_target
from skscale._target.target_type import DEFAULT_LOSSES, TARGET_TYPES

WORDS = ["b", "a", "c", "a"]
TWO_WORDS = ["no", "yes", "yes", "no"]

AUTO = {
    "floats": ([0.5, 1.0, 2.0], "continuous"),
    "whole floats": ([0.0, 1.0, 1.0], "continuous"),
    "float32": (np.array([0, 1, 1], np.float32), "continuous"),
    "pandas floats": (pd.Series([0.0, 1.0, 1.0], dtype="Float64"), "continuous"),
    "polars floats": (pl.Series([0.0, 1.0, 1.0]), "continuous"),
    "objects of floats": (np.array([0.0, 1.0, 1.0], object), "continuous"),
    "floats and integers": (np.array([0.5, 1, 2], object), "continuous"),
    "decimals": ([Decimal("0.5"), Decimal(1)], "continuous"),
    "huge integers": ([2**70, 1, 2], "continuous"),
    "strings": (WORDS, "multiclass"),
    "two strings": (TWO_WORDS, "binary"),
    "objects of strings": (np.array(WORDS, object), "multiclass"),
    "numbers as strings": (["1.5", "2.5", "3.5"], "multiclass"),
    "pandas strings": (pd.Series(WORDS), "multiclass"),
    "pandas string dtype": (pd.Series(WORDS, dtype="string"), "multiclass"),
    "polars strings": (pl.Series(WORDS), "multiclass"),
    "booleans": ([True, False, True], "binary"),
    "objects of booleans": (np.array([True, False], object), "binary"),
    "nullable booleans": (pd.Series([True, False], dtype="boolean"), "binary"),
    "polars booleans": (pl.Series([True, False]), "binary"),
    "pandas category": (pd.Series(WORDS, dtype="category"), "multiclass"),
    "category of numbers": (pd.Categorical(np.arange(30)), "multiclass"),
    "category of fractions": (pd.Series([0.5, 1.5, 0.5], dtype="category"), "binary"),
    "polars categorical": (pl.Series(WORDS, dtype=pl.Categorical), "multiclass"),
    "polars enum": (pl.Series(TWO_WORDS, dtype=pl.Enum(["yes", "no"])), "binary"),
    "two integers": ([7, -1, 7], "binary"),
    "integers": ([3, 1, 2], "multiclass"),
    "unsigned": (np.array([3, 1, 2], np.uint8), "multiclass"),
    "nullable integers": (pd.Series([3, 1, 2], dtype="Int64"), "multiclass"),
    "arrow integers": (pd.Series([3, 1, 2], dtype="int64[pyarrow]"), "multiclass"),
    "polars integers": (pl.Series([3, 1, 2]), "multiclass"),
    "objects of integers": (np.array([3, 1, 2], object), "multiclass"),
    "twenty integers": (np.repeat(np.arange(20), 3), "multiclass"),
    "more integers": (np.repeat(np.arange(21), 3), "continuous"),
    "more nullable integers": (pd.Series(np.arange(21), dtype="Int64"), "continuous"),
    "columns of floats": (np.eye(3), "continuous"),
    "columns of integers": (np.eye(3, dtype=int), "continuous"),
    "frame of floats": (pd.DataFrame(np.eye(3)), "continuous"),
    "polars frame of integers": (pl.DataFrame({"a": [0, 1], "b": [1, 1]}), "continuous"),
    "frame of nullable integers": (pd.DataFrame(np.eye(3), dtype="Int64"), "continuous"),
}
if hasattr(np.dtypes, "StringDType"):  # new in NumPy 2
    strings = np.array(TWO_WORDS, np.dtypes.StringDType())
    AUTO["variable-width strings"] = (strings, "binary")


@pytest.mark.parametrize(("y", "expected"), AUTO.values(), ids=AUTO)
def test_dtype_decides_the_target_type(y, expected):
    assert encode_target(y).encoding.target_type == expected


def test_whole_numbers_in_a_float_column_are_no_classes():
    assert encode_target(load_diabetes().target).encoding.target_type == "continuous"


COLUMNS = {
    "array": np.array([[2], [1], [3]]),
    "list": [[2], [1], [3]],
    "frame": pd.DataFrame({"y": [2, 1, 3]}),
    "nullable": pd.DataFrame({"y": [2, 1, 3]}, dtype="Int64"),
    "category": pd.DataFrame({"y": pd.Categorical([2, 1, 3])}),
    "polars": pl.DataFrame({"y": [2, 1, 3]}),
}


@pytest.mark.parametrize("y", COLUMNS.values(), ids=COLUMNS)
def test_one_column_is_a_vector_and_warns_once(y):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as caught:
        target = encode_target(y)
    assert len(caught) == 1
    assert target.encoding.target_type == "multiclass"
    assert_array_equal(target.codes, [1, 0, 2])
    classes = target.encoding.classes
    for encode in (encode_classes, lambda y: encode_known(y, classes)):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
            assert_array_equal(encode(y).codes, [1, 0, 2])


def test_labels_that_were_not_known_before_are_refused():
    target = encode_known(["b", "b", "c"], np.array(["a", "b", "c"]))
    assert_array_equal(target.values, [[0, 1, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"y has the labels .*'x'.* one column of the classes"):
        encode_known(["b", "x"], np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"y has shape \(2, 2\), .* is needed. Cure"):
        encode_known([["a", "b"], ["b", "a"]], np.array(["a", "b"]), cure="Cure")


def test_a_series_may_have_a_row_called_columns():
    y = pd.Series([1, 2], index=["columns", "dtypes"])
    assert encode_target(y).encoding.target_type == "binary"


@pytest.mark.parametrize(
    "y",
    [[1, 2, 5], [True, False, True], pd.Series([1, 2, 5], dtype="category"), [1.5, 2.0, 5.0]],
    ids=["integers", "booleans", "category", "floats"],
)
def test_continuous_takes_any_numbers(y):
    target = encode_target(y, "continuous")
    assert target.encoding.target_type == "continuous"
    assert_array_equal(target.values[:, 0], np.asarray(y, float))


def test_continuous_values_are_float64_copies_in_their_own_units():
    y = np.array([[1.5, 1e9], [2.0, -3.0], [0.0, 1e-300]])
    target = encode_target(y)
    assert_array_equal(target.values, y)
    assert target.values.dtype == np.float64
    assert not np.shares_memory(target.values, y)
    assert (target.n_outputs, target.encoding.classes, target.codes) == (2, None, None)
    single = encode_target(np.array([0.1, 0.2], np.float32))
    assert_array_equal(single.values, np.array([[0.1], [0.2]], np.float32))
    assert single.values.dtype == np.float64
    # As splitters see them.
    assert_array_equal(target.y, y, strict=True)
    assert_array_equal(single.y, single.values[:, 0], strict=True)


@pytest.mark.parametrize("y", [TWO_WORDS, np.array(TWO_WORDS, object), [3, 8, 8, 3], [0, 1, 1, 0]])
def test_two_classes_are_a_column_of_zeros_and_ones(y):
    target = encode_target(y)
    assert_array_equal(target.values, [[0.0], [1.0], [1.0], [0.0]])
    assert_array_equal(target.codes, [0, 1, 1, 0])
    assert_array_equal(target.encoding.classes[target.codes], y)
    assert target.encoding.classes.dtype == np.asarray(y).dtype
    assert target.values.dtype == np.float64
    assert target.n_outputs == 1


@pytest.mark.parametrize(
    "y", [WORDS, pd.Series(WORDS, dtype="category"), pl.Series(WORDS, dtype=pl.Categorical)]
)
def test_more_classes_are_one_hot_rows_in_sorted_order(y):
    target = encode_target(y)
    assert_array_equal(target.values, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    assert_array_equal(target.codes, [1, 0, 2, 0])
    assert_array_equal(target.encoding.classes, ["a", "b", "c"])
    assert target.values.dtype == np.float64
    assert target.n_outputs == 3


def test_nullable_dtypes_give_labels_of_their_kind():
    integers = encode_target(pd.Series([3, 1, 2], dtype="Int64")).encoding.classes
    booleans = encode_target(pd.Series([True, False], dtype="boolean")).encoding.classes
    assert (integers.dtype, booleans.dtype) == (np.int64, np.bool_)


def test_unused_categories_are_no_classes():
    y = pd.Series(["a", "b"], dtype=pd.CategoricalDtype(["c", "b", "a"]))
    assert_array_equal(encode_target(y).encoding.classes, ["a", "b"])


def test_target_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        encode_target([1.0, 2.0]).encoding.target_type = "binary"


@pytest.mark.parametrize(
    ("y", "target_type"),
    [
        (TWO_WORDS, "binary"),
        ([0.0, 1.0, 1.0], "binary"),
        (WORDS, "multiclass"),
        (np.arange(30), "multiclass"),
        ([0.0, 1.0, 2.0], "multiclass"),
    ],
)
def test_explicit_type_that_fits_is_taken(y, target_type):
    assert encode_target(y, target_type).encoding.target_type == target_type


MISFITS = {
    "three classes": (
        WORDS,
        "binary",
        r"'binary' does not fit y, which holds 3 classes: 'a', 'b', 'c'\. Use target_type='multi",
    ),
    "two classes": (
        TWO_WORDS,
        "multiclass",
        r"'multiclass' does not fit y, which holds 2 classes: 'no', 'yes'\. Use target_type='bin",
    ),
    "many classes": (np.arange(9), "binary", r"holds 9 classes: 0, 1, 2, 3, 4, \.\.\.\. Use"),
    "strings": (WORDS, "continuous", "needs numbers, but y holds strings such as 'b'. Use target"),
    "columns of strings": ([["a", "b"], ["b", "b"]], "continuous", "strings such as 'a'"),
    "fractions": ([0.0, 0.5, 1.0], "binary", r"Unknown label type: continuous\. .* such as 0\.5,"),
    "columns": (np.eye(3), "multiclass", r"shape \(3, 3\) holds classes in 3 columns.*y\.argmax"),
}


@pytest.mark.parametrize(("y", "target_type", "message"), MISFITS.values(), ids=MISFITS)
def test_explicit_type_that_does_not_fit_is_an_error(y, target_type, message):
    with pytest.raises(ValueError, match=message):
        encode_target(y, target_type)


@pytest.mark.parametrize("target_type", ["multi-class", "Binary", None, 3])
def test_unknown_type_is_an_error_that_lists_the_known(target_type):
    with pytest.raises(InvalidParameterError, match=r"Allowed are: 'auto', 'binary', 'contin"):
        encode_target([1.0, 2.0], target_type)


def test_unknown_type_is_an_error_that_guesses():
    with pytest.raises(InvalidParameterError, match=r"Did you mean 'multiclass'\?"):
        encode_target([1.0, 2.0], "multi-class")


@pytest.mark.parametrize(
    "y",
    [
        [["a", "x"], ["b", "y"]],
        np.eye(3, dtype=bool),
        pd.DataFrame({"a": [1, 2], "b": [2.5, 1]}).astype("category"),
        pl.DataFrame({"a": ["x", "y"], "b": ["u", "v"]}),
        pd.get_dummies(pd.Series(WORDS)),
    ],
    ids=["strings", "booleans", "categories", "polars", "dummies"],
)
def test_columns_of_classes_are_refused(y):
    with pytest.raises(ValueError, match=r"holds classes in \d columns, but one column of classes"):
        encode_target(y)


@pytest.mark.parametrize("target_type", ["auto", "binary", "multiclass"])
@pytest.mark.parametrize(("y", "label"), [(["a", "a"], "'a'"), ([2, 2, 2], "2"), ([True], "True")])
def test_one_class_is_an_error_that_names_the_way_out(y, label, target_type):
    message = f"one class only, {label}, but at least two .*target_type='continuous'.*without y"
    with pytest.raises(ValueError, match=message):
        encode_target(y, target_type)


def test_one_number_is_a_target():
    for y in ([2.0, 2.0], np.full((3, 2), 5)):
        assert_array_equal(encode_target(y).values, np.reshape(y, (len(y), -1)))
    assert_array_equal(encode_target([2, 2], "continuous").values, [[2.0], [2.0]])


MISSING = {
    "float": [1.0, np.nan],
    "columns": [[1.0, 2.0], [np.nan, 1.0]],
    "none among floats": [1.0, None],
    "none among strings": ["a", None, "b"],
    "nan among strings": np.array(["a", np.nan, "b"], object),
    "pandas strings": pd.Series(["a", None, "b"]),
    "pandas string dtype": pd.Series(["a", None, "b"], dtype="string"),
    "category": pd.Series(["a", None, "b"], dtype="category"),
    "category of integers": pd.Series([1, None, 2], dtype="category"),
    "nullable integers": pd.Series([1, None, 2], dtype="Int64"),
    "nullable booleans": pd.Series([True, None, False], dtype="boolean"),
    "objects with NA": np.array([1, pd.NA], object),
    "polars integers": pl.Series([1, None, 2]),
    "polars booleans": pl.Series([True, None, False]),
    "polars strings": pl.Series(["a", None, "b"]),
    "decimals": [Decimal(1), Decimal("NaN")],
}


@pytest.mark.parametrize("function", [encode_target, encode_classes])
@pytest.mark.parametrize("y", MISSING.values(), ids=MISSING)
def test_missing_values_get_the_message_of_scikit_learn(y, function):
    with pytest.raises(ValueError, match=r"^Input y contains NaN\."):
        function(y)


@pytest.mark.parametrize("function", [encode_target, encode_classes])
@pytest.mark.parametrize("y", [[1.0, np.inf], np.full((3, 2), -np.inf)])
def test_infinity_gets_the_message_of_scikit_learn(y, function):
    message = r"Input y contains infinity or a value too large for dtype\('float64'\)"
    with pytest.raises(ValueError, match=message):
        function(y)


def test_extended_precision_beyond_float64_is_infinity():
    with pytest.raises(ValueError, match="Input y contains infinity"):
        encode_target(np.array([1, np.longdouble("1e400")]))


NO_TARGETS = {
    "bytes": (np.array([b"a", b"b"]), r"y holds dtype \|S1, but all numbers or all strings"),
    "objects of bytes": (np.array([b"a", "b"], object), r"y holds 1 bytes, 1 str"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), r"dtype datetime64\[D\]"),
    "mixed": (np.array(["a", 1, 2], object), r"y holds 1 str, 2 int, .*y\.astype\(str\)"),
    "intervals": (pd.cut([1.0, 2.0, 3.0], 2), "y holds 3 Interval"),
    "sparse": (csr_array(np.eye(3)), "[Ss]parse"),
    "one number": (np.array(3.0), "scalar"),
}


@pytest.mark.parametrize(("y", "message"), NO_TARGETS.values(), ids=NO_TARGETS)
def test_what_is_no_target_is_a_type_error(y, message):
    with pytest.raises(TypeError, match=message):
        encode_target(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [([], r"0 sample\(s\)"), (np.ones((2, 2, 2)), "dim 3"), ([1j, 2.0], "Complex data not supp")],
)
def test_bad_shapes_and_complex_numbers_get_the_message_of_scikit_learn(y, message):
    with pytest.raises(ValueError, match=message):
        encode_target(y)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0.0, 2.0, 1.0], "multiclass"),
        ([0.0, 2.0, 2.0], "binary"),
        (np.arange(30), "multiclass"),
        (pd.Series([0.5, 1.5], dtype="category"), "binary"),
        (TWO_WORDS, "binary"),
    ],
)
def test_a_classifier_takes_whole_numbers_of_any_count(y, expected):
    target = encode_classes(y)
    assert target.encoding.target_type == expected
    assert_array_equal(target.encoding.classes[target.codes], np.asarray(y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.5, 1.0], "Unknown label type: continuous"),
        (np.eye(3), "one column of classes is supported"),
        (np.ones(10), "one class only, 1.0,"),
    ],
)
def test_a_classifier_refuses_what_are_no_classes(y, message):
    with pytest.raises(ValueError, match=message):
        encode_classes(y)


LOGITS = np.random.default_rng(0).normal(size=(4, 3))
LOSSES = {
    "continuous": ([0.5, -1.0, 2.0, 0.0], lambda y, f: np.square(y - f)[:, 0]),
    "binary": (TWO_WORDS, lambda y, f: np.log1p(np.exp(np.where(y == 1, -f, f)))[:, 0]),
    "multiclass": (WORDS, lambda y, f: np.log(np.exp(f).sum(axis=1)) - (y * f).sum(axis=1)),
}


@pytest.mark.parametrize("target_type", DEFAULT_LOSSES)
def test_default_loss_is_one_that_keras_rebuilds_with_a_value_for_each_row(target_type):
    y, formula = LOSSES[target_type]
    target = encode_target(y)
    assert target.default_loss is DEFAULT_LOSSES[target_type]
    loss = keras.losses.get(json.loads(json.dumps(target.default_loss)))
    outputs = LOGITS[:, : target.n_outputs]
    call = loss.call if isinstance(loss, keras.losses.Loss) else loss
    losses = call(tf.constant(target.values), tf.constant(outputs))
    assert losses.shape == (4,)
    assert losses.dtype == "float64"
    # Another form of the same formula, all in float64.
    assert_allclose(losses, formula(target.values, outputs), rtol=1e-12)


def test_every_type_has_a_loss():
    assert set(TARGET_TYPES) == {"auto", *DEFAULT_LOSSES} == {"auto", *LOSSES}


def test_targets_near_the_largest_number_are_read_in_silence():
    largest = np.finfo(np.float64).max
    y = np.array([largest, -largest, 1.5, largest, -largest])
    # Warnings are errors here: the sum of these is not a number in some orders.
    for order in (y, y[::-1], np.tile(y, 20)):
        np.testing.assert_array_equal(encode_target(order, "continuous").y, order)
