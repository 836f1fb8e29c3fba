"""Statistics of parts, merged, are those of the whole table."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skscale._normalization.fit import fit_normalization
from skscale._normalization.merged_statistics import ColumnSummary, MergedStatistics
from skscale._normalization.statistics import ColumnStatistics

# A part of one row, and more rows than a piece of the statistics has.
CUTS = [[2500], [1, 3, 2999], [4500, 4700], range(100, 5000, 100)]
N_ROWS = 5000
EXACT = ["level", "max", "maxabs", "minmax", "minmax_symmetric", "pareto", "poisson"]
EXACT += ["range", "rms", "standard", "variance", "vast"]
OF_ORDER = ["mad", "median", "robust", "vast_2", "vast_3", "vast_4"]


def table():
    random = np.random.default_rng(0)
    X = random.gamma(2.0, size=(N_ROWS, 9)) + 1.0
    # Without a shift the mean would lose all digits of the deviations.
    X[:, 1] += 1e8
    X[:, 2] *= 1e300
    X[:, 3] *= 1e-300
    X[:, 4] = 0.1
    X[:, 5] = random.integers(0, 2, N_ROWS)
    X[:, 6] = np.where(np.arange(N_ROWS) < 200, np.nan, X[:, 6])
    X[:, 7] = np.nan
    X[:, 8] = np.arange(N_ROWS) // 10
    return X


def weights(kind):
    return None if kind is None else kind * np.random.default_rng(1).uniform(0.5, 2.0, N_ROWS)


def merged(X, sample_weight, cuts, sample=None):
    parts = [slice(a, b) for a, b in zip([0, *cuts], [*cuts, N_ROWS], strict=True)]
    summaries = [
        ColumnSummary.of(X[p], None if sample_weight is None else sample_weight[p]) for p in parts
    ]
    # In two steps, as tasks merge them.
    half = max(1, len(summaries) // 2)
    both = ColumnSummary.merged(summaries[:half]), ColumnSummary.merged(summaries[half:])
    return MergedStatistics(ColumnSummary.merged(both), sample or ColumnStatistics(X))


@pytest.mark.parametrize("cuts", CUTS, ids=len)
@pytest.mark.parametrize("weight", [None, 1.0, 1e300])
def test_merged_statistics_are_those_of_the_table(weight, cuts):
    X = table()
    # Their sum is beyond float64, but ratios of weights are what counts.
    sample_weight = None if weight is None else weights(weight / N_ROWS)
    found, whole = merged(X, sample_weight, cuts), ColumnStatistics(X, sample_weight)
    for name in ("min", "max", "n_values", "is_empty", "is_constant", "varying", "has_two_values"):
        assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
    for name in ("mean", "rms", "total_weight", "norm", "range", "midrange", "maxabs"):
        # Sums in another order.
        assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-13, err_msg=name)
    # The mean of the second column has eight digits more than its deviation.
    assert_allclose(found.std[~found.is_constant], whole.std[~whole.is_constant], rtol=1e-9)


def test_the_mean_of_a_constant_is_that_constant_to_the_last_bit():
    X = np.full((N_ROWS, 3), [0.1, 1e60, -1 / 3])
    assert_array_equal(merged(X, weights(1.0), [1, 7, 4000]).mean, X[0])


def test_parts_of_one_row_of_any_size_fit_together():
    X = np.array([[1e-5, -3.0], [1e3, 1e200], [2.0, 0.0], [-70.0, -1e201], [0.0, 5.0]])
    summary = ColumnSummary.merged([ColumnSummary.of(X[i : i + 1]) for i in range(5)])
    found, whole = MergedStatistics(summary, ColumnStatistics(X)), ColumnStatistics(X)
    for name in ("mean", "std", "rms", "min", "max", "is_constant", "has_two_values"):
        # Sums in another order.
        assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-14, err_msg=name)


def test_a_part_without_a_value_has_moments_of_zero_and_adds_nothing():
    empty, part = (ColumnSummary.of(np.full((3, 1), value)) for value in (np.nan, 5.0))
    for name in ("n_values", "weight", "mean", "variance", "mean_square", "mean_in_units"):
        assert_array_equal(getattr(empty, name), [0.0], err_msg=name)
    both = ColumnSummary.merged([empty, part])
    for field in fields(part):
        assert_array_equal(getattr(both, field.name), getattr(part, field.name))


@pytest.mark.parametrize("name", EXACT)
def test_criteria_without_order_are_exact(name):
    X = table()[:, [0, 1, 4, 5, 6]]
    found = fit_normalization(name, X[:1], statistics=merged(X, weights(1.0), [1000, 1003]))
    whole = fit_normalization(name, X, weights(1.0))
    assert_allclose(found.center, whole.center, rtol=1e-12)
    assert_allclose(found.scale, whole.scale, rtol=1e-9)


@pytest.mark.parametrize("name", OF_ORDER)
def test_what_needs_the_order_of_all_rows_is_of_the_sample(name):
    X = table()[:, [0, 4, 6]]
    found = fit_normalization(name, X[:1], statistics=merged(X, None, [1000], ColumnStatistics(X)))
    whole = fit_normalization(name, X)
    assert_allclose(found.center, whole.center, rtol=1e-12)
    assert_allclose(found.scale, whole.scale, rtol=1e-12)


@pytest.mark.parametrize(
    ("parts", "has_two"),
    [
        ([[0.0, 1.0], [1.0, 1.0]], True),
        ([[0.0, 0.0], [1.0, 1.0]], True),
        ([[0.0, 1.0], [2.0, 2.0]], False),
        ([[0.0, 1.0], [0.0, 2.0]], False),
        ([[0.0, 0.5, 1.0], [0.0]], False),
        ([[np.nan], [0.0, 1.0]], True),
    ],
)
def test_two_values_are_two_values_in_all_parts_together(parts, has_two):
    summaries = [ColumnSummary.of(np.array(part)[:, np.newaxis]) for part in parts]
    assert ColumnSummary.merged(summaries).has_two_values.tolist() == [has_two]
