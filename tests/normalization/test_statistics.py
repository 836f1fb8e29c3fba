"""Statistics of large tables, taken piece by piece on all cores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from skscale._normalization.statistics import ColumnStatistics

STATISTICS = ("min", "max", "mean", "std", "rms", "kurtosis", "median", "mad")


def large_table(n_columns: int, n_rows: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    # Three pieces of rows, or more; columns of tiny to huge numbers.
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, size=(n_rows, n_columns))
    return X * np.logspace(-200, 200, n_columns), rng.uniform(0.1, 3.0, n_rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_columns", [3, 300])
def test_pieces_of_a_table_fit_together(n_columns, weighted):
    X, weights = large_table(n_columns)
    stats = ColumnStatistics(X, weights if weighted else None)
    exact = X.astype(np.longdouble)
    w = weights.astype(np.longdouble) if weighted else np.ones(len(X), np.longdouble)
    mean = w @ exact / w.sum()
    moments = {k: w @ (exact - mean) ** k / w.sum() for k in (2, 4)}
    # Sums of 10,000 float64: pairwise rounding leaves some 1e-15.
    for name, expected in {
        "min": exact.min(axis=0),
        "max": exact.max(axis=0),
        "mean": mean,
        "std": np.sqrt(moments[2]),
        "rms": np.sqrt(w @ exact**2 / w.sum()),
        "kurtosis": moments[4] / moments[2] ** 2,
    }.items():
        np.testing.assert_allclose(
            getattr(stats, name), expected.astype(float), rtol=1e-13, err_msg=name
        )


def test_pieces_keep_the_digits_of_a_far_offset():
    Z = np.random.default_rng(0).normal(size=(10_000, 2))
    X = Z + 1e9
    # What is left of the numbers themselves is exact: their own deviation, not that of Z.
    expected = (X - 1e9).std(axis=0)
    np.testing.assert_allclose(ColumnStatistics(X).std, expected, rtol=1e-13)


UNITS = {"2**40": 2.0**40, "2**-900": 2.0**-900, "1e13": 1e13, "1e-300": 1e-300, "1e300": 1e300}


@pytest.mark.parametrize("equal", [False, True], ids=["drawn", "equal"])
@pytest.mark.parametrize("unit", UNITS)
def test_only_ratios_of_weights_matter(unit, equal):
    # A column at a mean of 1e4 standard deviations, whose rounding is seen first.
    X = np.random.default_rng(0).normal([0.0, 1.0, 1e4], size=(442, 3))
    weights = np.ones(442) if equal else np.random.default_rng(1).uniform(0.1, 3.0, 442)
    stats, other = (ColumnStatistics(X, weights * factor) for factor in (1.0, UNITS[unit]))
    assert not other.is_constant.any()
    for name in ("mean", "std", "rms", "kurtosis"):
        actual, expected = getattr(other, name), getattr(stats, name)
        if unit.startswith("2") or equal:
            np.testing.assert_array_equal(actual, expected, err_msg=name)
        # The products of weights and unit are rounded once each.
        np.testing.assert_allclose(actual, expected, rtol=1e-11, err_msg=name)
    for q in (0.0, 0.25, 1.0):
        low, high = X.min(axis=0), X.max(axis=0)
        quantile = other.quantiles([q])[0]
        assert ((low <= quantile) & (quantile <= high)).all()


def test_one_huge_weight_among_tiny_ones_is_the_only_row():
    X = np.random.default_rng(0).normal(size=(10_000, 2))
    weights = np.full(10_000, 1e-300)
    weights[4321] = 1e300
    stats = ColumnStatistics(X, weights)
    np.testing.assert_array_equal(stats.mean, X[4321])
    np.testing.assert_array_equal(stats.median, X[4321])
    assert stats.is_constant.all()


def test_a_value_counts_however_little_it_weighs_beside_a_gap():
    X = [[np.nan, 5.0], [2.0, 9.0], [4.0, 7.0]]
    stats = ColumnStatistics(X, [1e300, 1e-300, 1e-300])
    # The other rows of the second column are lost to the rounding of the first.
    np.testing.assert_array_equal(stats.mean, [3.0, 5.0])
    np.testing.assert_array_equal(stats.median, [3.0, 5.0])
    assert stats.std[0] == 1.0


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1e-200])
def test_a_column_of_one_value_is_constant_over_all_pieces(value):
    assert ColumnStatistics(np.full((10_000, 1), value)).is_constant.all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STATISTICS)
def test_neither_other_columns_nor_threads_change_a_bit(monkeypatch, name, weighted):
    # Three pieces of rows, and two of columns. Sums of up to eight pieces have the same order
    # whatever is beside them.
    X, weights = large_table(150)

    def statistic(n_columns: int) -> np.ndarray:
        return getattr(ColumnStatistics(X[:, :n_columns], weights if weighted else None), name)

    whole = statistic(150)
    for n_columns in (1, 7, 129):
        np.testing.assert_array_equal(statistic(n_columns), whole[:n_columns])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    np.testing.assert_array_equal(statistic(150), whole)


@pytest.mark.parametrize("weighted", [False, True])
def test_quantiles_of_some_columns_at_a_time_fit_together(monkeypatch, weighted):
    X, weights = large_table(7, 300)
    stats = [ColumnStatistics(X, weights if weighted else None) for _ in range(2)]
    whole = stats[0].quantiles([0.1, 0.5, 0.8]), stats[0].mad
    # One or two columns at a time, by the number of threads.
    monkeypatch.setattr("skscale._normalization.statistics._MAX_BLOCK_SIZE", 600)
    np.testing.assert_array_equal(stats[1].quantiles([0.1, 0.5, 0.8]), whole[0])
    np.testing.assert_array_equal(stats[1].mad, whole[1])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STATISTICS)
def test_nan_is_left_out(name, weighted):
    X, weights = large_table(131, 9000)
    X[np.random.default_rng(1).random(X.shape) < 0.3] = np.nan
    # Without gaps, without a value in the first piece of rows, with one value, without any.
    X[:, 0] = 1.0 + weights
    X[:5000, 1] = X[1:, 2] = X[:, 3] = np.nan
    X[0, 2] = 3.0
    stats = ColumnStatistics(X, weights if weighted else None)
    for j in (0, 1, 2, 4, 130):
        kept = ~np.isnan(X[:, j])
        alone = ColumnStatistics(X[kept, j : j + 1], weights[kept] if weighted else None)
        # Sums of thousands of numbers in other pieces.
        np.testing.assert_allclose(getattr(stats, name)[j], getattr(alone, name)[0], rtol=1e-12)
        assert stats.n_values[j] == kept.sum()
        np.testing.assert_allclose(stats.total_weight[j], alone.total_weight[0], rtol=1e-13)
        assert stats.is_constant[j] == alone.is_constant[0]
        assert stats.has_two_values[j] == alone.has_two_values[0]
    assert np.isnan(getattr(stats, name)[3])
    assert stats.is_empty.nonzero()[0].tolist() == [3]
    assert stats.is_constant[3]
    # A column without gaps keeps its bits.
    whole = ColumnStatistics(X[:, :1], weights if weighted else None)
    np.testing.assert_array_equal(getattr(stats, name)[:1], getattr(whole, name))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*STATISTICS, "has_two_values", "is_constant", "n_values"])
def test_a_sparse_table_has_the_bits_of_the_dense_one(name, weighted):
    X, weights = large_table(150, 5000)
    X[np.random.default_rng(1).random(X.shape) < 0.7] = 0.0
    X[:, 7] = X[:, 8] != 0.0
    X[:, 140] = 0.0
    X[5, 3] = np.nan
    stats, other = (
        ColumnStatistics(table, weights if weighted else None) for table in (X, csr_array(X))
    )
    np.testing.assert_array_equal(getattr(other, name), getattr(stats, name))
