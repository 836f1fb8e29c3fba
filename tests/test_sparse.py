"""Sparse X: learned from and predicted from as the dense table is, to the bit."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import get_tags

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._normalization.statistics import ColumnStatistics

RNG = np.random.default_rng(0)
CATEGORIES = RNG.integers(0, 3, size=(120, 2))
# Six tenths zeros, a column of numbers with one decimal, and an empty one.
X = np.where(RNG.random((120, 6)) < 0.6, 0.0, RNG.normal(size=(120, 6)).round(1))
X[:, 1] = RNG.normal(size=120).round(1)
X[:, 4] = 0.0
y = X[:, 0] + np.sin(X[:, 1]) + 0.1 * RNG.normal(size=120)
WEIGHTS = RNG.integers(0, 3, size=120).astype(float)

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
# Its map has no offset.
FACTORS = {"readout": "gain", "normalization": "maxabs", "center": False}
ALL = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]


def target_of(cls):
    return y > 0 if cls is LearnedScaleClassifier else y


def outputs_of(model, rows):
    if isinstance(model, LearnedScaleClassifier):
        return model.predict_proba(rows)
    return model.predict(rows) if hasattr(model, "predict") else model.scale_


def doubled(dense):
    """Give each value in two parts, which a table in coordinates adds up."""
    rows, columns = np.nonzero(dense)
    half = dense[rows, columns] / 2
    twice = (np.tile(rows, 2), np.tile(columns, 2))
    return sp.coo_array((np.tile(half, 2), twice), shape=dense.shape)


def with_explicit_zeros(dense):
    table = sp.csr_array(np.ones_like(dense))
    table.data = dense.ravel().copy()
    return table


def with_long_indices(dense):
    table = sp.csr_array(dense)
    table.indices, table.indptr = table.indices.astype(np.int64), table.indptr.astype(np.int64)
    return table


CONTAINERS = {
    "csr_matrix": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc_matrix": sp.csc_matrix,
    "csc_array": sp.csc_array,
    "coo_array": sp.coo_array,
    "coo of duplicates": doubled,
    "explicit zeros": with_explicit_zeros,
    "int64 indices": with_long_indices,
    "frame": lambda dense: pd.DataFrame.sparse.from_spmatrix(sp.csc_matrix(dense)),
}


@pytest.fixture(scope="module")
def dense():
    return {cls: cls(**SINGLE).fit(X, target_of(cls)) for cls in ALL}


# Learning and predicting


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("cls", ALL)
def test_a_fit_is_that_of_the_dense_table_to_the_bit(dense, cls, container):
    rows = CONTAINERS[container](X)
    # Halves of decimal numbers add up to them exactly.
    model = cls(**SINGLE).fit(rows, target_of(cls))
    assert model.history_ == dense[cls].history_
    assert_array_equal(outputs_of(model, rows), outputs_of(dense[cls], X))
    assert_array_equal(model.feature_importances_, dense[cls].feature_importances_)


@pytest.mark.parametrize("cls", ALL)
def test_a_path_with_weights_is_that_of_the_dense_table_to_the_bit(cls):
    table, target = sp.csr_array(X), target_of(cls)
    model = cls(**QUICK).fit(table, target, sample_weight=WEIGHTS)
    expected = cls(**QUICK).fit(X, target, sample_weight=WEIGHTS)
    assert_array_equal(model.path_["mean_loss"], expected.path_["mean_loss"])
    assert_array_equal(outputs_of(model, table), outputs_of(expected, X))
    assert_array_equal(model.scale_, expected.scale_)


@pytest.mark.parametrize("cls", ALL)
def test_chunks_are_learned_as_dense_ones_to_the_bit(cls):
    target = target_of(cls)
    classes = {"classes": np.unique(target)} if cls is LearnedScaleClassifier else {}
    model, expected = cls(**SINGLE), cls(**SINGLE)
    for part in (slice(60), slice(60, 120)):
        model.partial_fit(sp.csc_array(X[part]), target[part], **classes)
        expected.partial_fit(X[part], target[part], **classes)
    assert_array_equal(outputs_of(model, sp.csr_array(X)), outputs_of(expected, X))


@pytest.mark.parametrize(
    ("normalization", "tolerance"),
    [
        ("robust", 0),
        ("vast_4", 0),
        (None, 0),
        # Sums of columns side by side have another order than those of one column.
        (StandardScaler(), 1e-6),
        (RobustScaler(), 1e-6),
        (make_pipeline(FunctionTransformer(), MaxAbsScaler()), 1e-6),
    ],
)
def test_any_normalization_is_that_of_the_dense_table(monkeypatch, normalization, tolerance):
    monkeypatch.setattr("skscale._normalization.scalers._BLOCK_SIZE", 250)
    positive = np.abs(X)
    options = {**SINGLE, "normalization": normalization}
    model = LearnedScaleRegressor(**options).fit(sp.csr_array(positive), y)
    expected = LearnedScaleRegressor(**options).fit(positive, y)
    assert_allclose(model.predict(positive), expected.predict(positive), rtol=tolerance)


def test_float32_and_whole_numbers_are_as_in_the_dense_table():
    model = LearnedScaleRegressor(**SINGLE)
    rows = X.astype(np.float32)
    predicted = model.fit(sp.csr_array(rows), y).predict(sp.csr_array(rows))
    assert predicted.dtype == np.float32
    assert_array_equal(predicted, model.fit(rows, y).predict(rows))
    counts = sp.csr_array(CATEGORIES)
    predicted = model.fit(counts, y).predict(counts)
    assert_array_equal(predicted, model.fit(CATEGORIES, y).predict(CATEGORIES))


@pytest.mark.parametrize("cls", ALL[:2])
def test_blocks_of_rows_change_no_bit(monkeypatch, dense, cls):
    rows = np.tile(X, (20, 1))
    # Blocks of 512 rows.
    monkeypatch.setattr("skscale._normalization.dense_rows._BLOCK_SIZE", 6 * 600)
    assert_array_equal(outputs_of(dense[cls], sp.csr_array(rows)), outputs_of(dense[cls], rows))


def test_categories_need_no_dense_encoder():
    labels = np.where(CATEGORIES[:, 0] > 1, "high", "low")
    model = make_pipeline(OneHotEncoder(), LearnedScaleClassifier(**SINGLE)).fit(CATEGORIES, labels)
    assert model.score(CATEGORIES, labels) == 1
    encoder = OneHotEncoder(sparse_output=False)
    expected = make_pipeline(encoder, LearnedScaleClassifier(**SINGLE)).fit(CATEGORIES, labels)
    assert_array_equal(model.predict_proba(CATEGORIES), expected.predict_proba(CATEGORIES))


def test_a_table_is_never_dense_as_a_whole(monkeypatch, dense):
    table, model = sp.csr_array(np.tile(X, (2000, 1))), dense[LearnedScaleRegressor]
    # A block of 0.5 MB, of 11.5 MB.
    monkeypatch.setattr("skscale._normalization.dense_rows._BLOCK_SIZE", 2**16)
    for run in (lambda: ColumnStatistics(table).std, lambda: model.predict(table)):
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # The predictions themselves, in blocks and as a whole, are 4 MB.
        assert peak < 0.6 * 8 * table.shape[0] * table.shape[1]


# The transformer


@pytest.mark.parametrize("container", ["csr_matrix", "csr_array", "csc_array", "explicit zeros"])
def test_factors_alone_keep_a_table_sparse(container):
    table = CONTAINERS[container](X)
    model = LearnedScaleTransformer(**SINGLE, **FACTORS)
    scaled = model.fit_transform(table, y)
    assert sp.issparse(scaled)
    assert isinstance(scaled, sp.sparray) == isinstance(table, sp.sparray)
    assert_allclose(scaled.toarray(), model.transform(X), rtol=1e-15)
    assert scaled.nnz == table.nnz
    assert_array_equal(table.toarray(), X)
    known = model.scale_ != 0
    back = model.inverse_transform(scaled)
    assert_allclose(back.toarray()[:, known], X[:, known], rtol=1e-15)
    assert model.transform(table.astype(np.float32)).dtype == np.float32


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, y),
        ({}, None),
        ({"readout": "gain"}, y),
        ({**FACTORS, "normalization": "minmax"}, y),
        (FACTORS, None),
    ],
)
@pytest.mark.parametrize("container", ["csr_array", "frame"])
def test_centring_is_refused_before_training(options, target, container):
    message = r"Cannot center sparse matrices.*X\.toarray\(\).*normalization='maxabs'"
    model = LearnedScaleTransformer(**{**SINGLE, **options})
    with pytest.raises(ValueError, match=message):
        model.fit_transform(CONTAINERS[container](X), target)
    with pytest.raises(ValueError, match=message):
        make_pipeline(model, FunctionTransformer(accept_sparse=True)).fit(sp.csr_array(X), target)


def test_what_is_learned_from_a_sparse_table_transforms_dense_rows(dense):
    table = sp.csr_array(X)
    for model in (dense[LearnedScaleTransformer], LearnedScaleTransformer().fit(table)):
        for method in (model.transform, model.inverse_transform):
            with pytest.raises(ValueError, match="Cannot center sparse matrices"):
                method(table)
    expected = StandardScaler().fit_transform(X)
    # Sums in another order.
    assert_allclose(model.transform(X), expected, rtol=1e-12, atol=1e-12)
    parts = LearnedScaleTransformer().partial_fit(table[:50]).partial_fit(table[50:])
    assert_allclose(parts.transform(X), expected, rtol=1e-12, atol=1e-12)


def test_gaps_of_a_sparse_table_are_gaps():
    gaps = np.where((RNG.random(X.shape) < 0.2) & (X != 0), np.nan, X)
    gaps[:, 4] = np.nan
    table = sp.csr_array(gaps)
    for options in (SINGLE, {**SINGLE, **FACTORS}):
        model = LearnedScaleTransformer(**options).fit(table, y)
        expected = LearnedScaleTransformer(**options).fit(gaps, y)
        assert_array_equal(model.scale_, expected.scale_)
    assert_allclose(model.transform(table).toarray(), expected.transform(gaps), rtol=1e-15)
    for cls in ALL[:2]:
        with pytest.raises(ValueError, match=r"(?s)Input X contains NaN.*SimpleImputer"):
            cls(**SINGLE).fit(table, target_of(cls))


def test_an_autoencoder_learns_from_a_sparse_table():
    options, rows = {**SINGLE, "unsupervised": "autoencoder"}, X[:, [1, 4]]
    tables = (sp.csr_array(rows), rows)
    model, expected = (LearnedScaleTransformer(**options).fit(table) for table in tables)
    assert_array_equal(model.scale_, expected.scale_)


@pytest.mark.parametrize("cls", ALL)
def test_sparse_tables_are_in_the_tags(cls):
    assert get_tags(cls()).input_tags.sparse
