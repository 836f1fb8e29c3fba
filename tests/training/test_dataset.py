"""Rows are written once, to the memory that TensorFlow reads."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._training.dataset import Dataset


def _drawn(dtype, n_rows=300, n_columns=8):
    random = np.random.default_rng(0)
    X, y = (random.normal(size=(n_rows, n)).astype(np.float32) for n in (5, 2))
    weights = random.uniform(0.5, 2.0, n_rows)
    return X, y, weights, Dataset.from_rows(X.__getitem__, y, weights, dtype, n_columns=n_columns)


@pytest.mark.parametrize("n_columns", [5, 8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_rows", [300, 150_000], ids=["one part", "three parts"])
def test_parts_of_rows_become_one_table_with_columns_of_zeros(dtype, n_columns, n_rows):
    # Fresh memory is often zero by itself: some that was used may be taken again.
    used = [np.full(n, 0xFF, np.uint8) for n in range(2_000, 60_000, 500)]
    del used
    X, y, weights, dataset = _drawn(dtype, n_rows, n_columns=n_columns)
    inputs, targets, row_weights = dataset.padded
    assert inputs.dtype == targets.dtype == row_weights.dtype == dtype
    assert (dataset.n_rows, dataset.n_columns) == (n_rows, n_columns)
    np.testing.assert_array_equal(inputs[:n_rows, :5], X)
    np.testing.assert_array_equal(inputs[:, 5:], 0)
    np.testing.assert_array_equal(targets[:n_rows], y)
    np.testing.assert_array_equal(row_weights[:n_rows], weights.astype(dtype))


def test_padding_rows_are_copies_of_a_real_row_at_weight_zero():
    X, y, _, dataset = _drawn("float64")
    inputs, targets, row_weights = dataset.padded
    assert len(inputs) > 300
    np.testing.assert_array_equal(inputs[300:, :5], np.broadcast_to(X[0], (len(inputs) - 300, 5)))
    np.testing.assert_array_equal(targets[300:], np.broadcast_to(y[0], (len(inputs) - 300, 2)))
    np.testing.assert_array_equal(row_weights[300:], 0)


def test_tables_of_up_to_255_rows_have_one_shape():
    assert {_drawn("float32", n)[3].n_padded_rows for n in (20, 128, 255)} == {256}


def test_partitions_of_up_to_a_number_of_rows_have_the_shape_of_the_largest():
    X, y, weights, largest = _drawn("float32", 2000)
    part = Dataset.from_rows(
        X[:300].__getitem__, y[:300], weights[:300], "float32", n_columns=8, min_rows=2000
    )
    assert part.n_rows == 300
    assert part.n_padded_rows == largest.n_padded_rows


def test_rows_start_where_tensorflow_takes_memory_as_it_is():
    # A second copy of a large table would double the memory of a fit.
    padded = _drawn("float32")[3].padded
    assert [array.ctypes.data % 64 for array in padded] == [0, 0, 0]
