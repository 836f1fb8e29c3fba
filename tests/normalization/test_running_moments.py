"""Moments of chunk after chunk are those of all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skscale._normalization.fit import fit_standardization
from skscale._normalization.running_moments import Moments, accumulate
from skscale._normalization.statistics import ColumnStatistics

UNITS = [1.0, 1e3, 1e-300, 1e300]
N_ROWS = 120


def table():
    X = np.random.default_rng(0).gamma(2.0, size=(N_ROWS, 8))
    X[:, :4] *= UNITS
    # Small numbers first: their squares are moments in other units than those of what follows.
    X[60:, 0] *= 1e6
    X[:, 4] = 0.1
    # Without a value in the first chunk, after it, and at all.
    X[:30, 5] = X[30:, 6] = X[:, 7] = np.nan
    return X


WEIGHTS = np.random.default_rng(1).integers(0, 4, N_ROWS).astype(float)


def of_chunks(X, sample_weight, moments=None, first=0):
    for start in range(first, N_ROWS, 30):
        rows = slice(start, start + 30)
        moments, standard = accumulate(moments, X[rows], sample_weight[rows])
    return moments, standard


def from_map(X, sample_weight):
    statistics = ColumnStatistics(X, sample_weight)
    return Moments.from_map(fit_standardization(statistics), statistics)


@pytest.mark.parametrize("start", ["nothing", "a fit to the first chunk"])
@pytest.mark.parametrize("unit", [1.0, 1e-300, 1e306])
def test_moments_of_chunks_are_those_of_all_rows(unit, start):
    X, sample_weight = table(), WEIGHTS * unit
    if start == "nothing":
        moments, standard = of_chunks(X, sample_weight)
    else:
        first = from_map(X[:30], sample_weight[:30])
        moments, standard = of_chunks(X, sample_weight, first, first=30)
    whole = ColumnStatistics(X, WEIGHTS)
    expected = fit_standardization(whole)
    # Means of chunks are merged by another formula.
    assert_allclose(standard.center, expected.center, rtol=1e-13)
    assert_allclose(standard.scale, expected.scale, rtol=1e-12)
    assert_array_equal(standard.shift, 0.0)
    assert_array_equal(moments.n_values, whole.n_values)
    assert_array_equal(moments.is_empty, whole.is_empty)
    assert_array_equal(moments.varies, ~whole.is_constant)
    # A sum beyond float64 ends at the largest number.
    with np.errstate(over="ignore"):
        total = np.minimum(whole.total_weight * unit, np.finfo(np.float64).max)
    assert_allclose(moments.total_weight, total, rtol=1e-13)


@pytest.mark.parametrize("moments_of", [from_map, of_chunks], ids=["fit", "chunks"])
def test_variance_is_shown_in_squares_of_units(moments_of):
    found = moments_of(table(), WEIGHTS)
    variance = (found if isinstance(found, Moments) else found[0]).variance_in_units
    std = ColumnStatistics(table(), WEIGHTS).std
    usual = [0, 1, 5, 6]
    assert_allclose(variance[usual], std[usual] ** 2, rtol=1e-12)
    # Too small, too large and without a value.
    assert_array_equal(variance[[2, 3, 7]], [0.0, np.inf, 0.0])


def test_moments_without_an_exponent_are_in_units():
    # As those of files of version 0.1.0 are.
    old = Moments(np.full(2, 4), np.full(2, 4.0), np.array([3.0, 5.0]), np.array([4.0, 0.0]))
    assert_array_equal(old.variance_in_units, [4.0, 0.0])
    assert_array_equal(old.standard.apply([[5.0, 6.0]]), [[1.0, 1.0]])
    moments, standard = accumulate(old, np.array([[3.0, 5.0]] * 4), np.ones(4))
    assert_array_equal(moments.n_values, 8)
    # A mean square of half the size.
    assert_allclose(standard.scale, [np.sqrt(0.5), 1.0], rtol=1e-15)
