"""What holds of the statistics of every table."""

from __future__ import annotations

import numpy as np
from drawn_tables import (
    ARRAY_FORMS,
    POWERS_OF_TWO,
    TYPES,
    counts,
    orders,
    rounding,
    tables,
    weights,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from skscale._normalization.statistics import ColumnStatistics

LOCATIONS = ("min", "max", "midrange", "mean", "median")
SPREADS = ("std", "mad", "rms")
ALL = (*LOCATIONS, *SPREADS, "kurtosis")
DATA = st.data()


def assert_same(stats, other, names=(*ALL, "range", "norm", "is_constant", "has_two_values")):
    for name in names:
        assert_array_equal(getattr(stats, name), getattr(other, name), err_msg=name)


@given(tables(), DATA)
def test_finite_columns_have_finite_statistics_within_their_bounds(X, data):
    stats = ColumnStatistics(X, data.draw(st.none() | weights(len(X))))
    assert np.isfinite([getattr(stats, name) for name in ALL]).all()
    near = rounding(X)
    for name in LOCATIONS:
        value = getattr(stats, name)
        assert ((stats.min - near <= value) & (value <= stats.max + near)).all(), name
    # By Popoviciu's inequality, of any weights.
    assert (stats.std <= stats.range / 2 + near).all()
    assert (stats.rms <= stats.maxabs + near).all()
    assert (stats.mad <= stats.range + near).all()
    # That of the largest weight on one side of two values grows as their ratio.
    assert (stats.kurtosis[~stats.is_constant] >= 1 - 1e-6).all()


@given(tables(), DATA)
def test_the_order_of_rows_is_only_that_of_sums(X, data):
    w, order = data.draw(weights(len(X))), data.draw(orders(len(X)))
    stats, other = ColumnStatistics(X, w), ColumnStatistics(X[order], w[order])
    assert_same(stats, other, ("min", "max", "midrange", "range", "has_two_values"))
    for name in ("mean", "std", "rms"):
        assert_allclose(getattr(other, name) - getattr(stats, name), 0, atol=rounding(X).max())
    plain, shuffled = ColumnStatistics(X), ColumnStatistics(X[order])
    assert_same(plain, shuffled, ("median", "mad"))


@given(tables(), DATA)
def test_a_column_knows_nothing_of_the_others(X, data):
    w, order = data.draw(st.none() | weights(len(X))), data.draw(orders(X.shape[1]))
    stats, other = ColumnStatistics(X, w), ColumnStatistics(X[:, order], w)
    alone = ColumnStatistics(np.column_stack([X, np.full(len(X), 7.0)]), w)
    for name in ALL:
        assert_array_equal(getattr(other, name), getattr(stats, name)[order], err_msg=name)
        assert_array_equal(getattr(alone, name)[:-1], getattr(stats, name), err_msg=name)
    assert alone.is_constant[-1]


@given(tables(ordinary=True), POWERS_OF_TWO, DATA)
def test_a_power_of_two_as_unit_changes_no_digit(X, exponent, data):
    w = data.draw(st.none() | weights(len(X)))
    stats, other = ColumnStatistics(X, w), ColumnStatistics(np.ldexp(X, exponent), w)
    for name in (*LOCATIONS, *SPREADS):
        scaled = np.ldexp(getattr(stats, name), exponent)
        # Spreads may be so much smaller than the numbers that they are subnormal there.
        is_normal = (np.abs(scaled) > 1e-307) | (getattr(stats, name) == 0)
        assert_array_equal(getattr(other, name)[is_normal], scaled[is_normal], err_msg=name)
    assert_same(stats, other, ("kurtosis", "is_constant", "has_two_values"))


@given(tables(), st.integers(-300, 300), DATA)
def test_weights_times_a_power_of_two_change_no_digit(X, exponent, data):
    # Within the normal floats.
    w = np.clip(data.draw(weights(len(X))), 1e-200, 1e200)
    stats, other = ColumnStatistics(X, w), ColumnStatistics(X, np.ldexp(w, exponent))
    assert_same(stats, other, ("min", "max", "mean", "std", "rms", "kurtosis", "is_constant"))


@given(tables(), st.floats(-290, 290), DATA)
def test_weights_times_a_constant_change_nothing_but_rounding(X, exponent, data):
    w = data.draw(st.just(np.ones(len(X))) | weights(len(X)).map(lambda w: np.clip(w, 1e-9, 1e9)))
    factor = 10.0**exponent
    stats, other = ColumnStatistics(X, w), ColumnStatistics(X, w * factor)
    for name in ("mean", "std", "rms"):
        assert_allclose(getattr(other, name) - getattr(stats, name), 0, atol=rounding(X).max())
    assert_same(stats, other, ("min", "max"))


@given(tables(), DATA)
def test_a_weight_is_a_number_of_rows(X, data):
    n = data.draw(counts(len(X)))
    stats, repeated = ColumnStatistics(X, n), ColumnStatistics(np.repeat(X, n, axis=0))
    assert_same(stats, repeated, ("min", "max", "range", "midrange", "has_two_values"))
    atol = rounding(np.repeat(X, n, axis=0))
    for name in ("mean", "std", "rms", "median", "mad"):
        gap = np.abs(getattr(stats, name) - getattr(repeated, name))
        assert (gap <= 4 * atol).all(), name


@given(tables(), st.floats(), DATA)
def test_a_row_of_weight_zero_may_hold_anything(X, value, data):
    w = data.draw(weights(len(X)))
    place = data.draw(st.integers(0, len(X)))
    spoiled = np.insert(X, place, value, axis=0)
    stats, other = ColumnStatistics(X, w), ColumnStatistics(spoiled, np.insert(w, place, 0.0))
    assert_same(stats, other)


@given(tables(), DATA)
def test_a_gap_is_no_value(X, data):
    gaps = data.draw(st.integers(0, 2 ** len(X) - 2))
    is_gap = (gaps >> np.arange(len(X)) & 1).astype(bool)
    holed = np.column_stack([X, np.where(is_gap, np.nan, X[:, 0])])
    stats, kept = ColumnStatistics(holed), ColumnStatistics(X[~is_gap, :1])
    for name in LOCATIONS:
        gap = np.abs(getattr(stats, name)[-1:] - getattr(kept, name))
        assert (gap <= rounding(X)[:1]).all(), name
    assert stats.n_values[-1] == len(X) - is_gap.sum()


@given(tables(), st.sampled_from([*ARRAY_FORMS.values(), csr_array]), DATA)
def test_only_the_numbers_count_not_where_they_lie(X, form, data):
    w = data.draw(st.none() | weights(len(X)))
    assert_same(ColumnStatistics(X, w), ColumnStatistics(form(X), w))


@given(tables(), st.sampled_from([*TYPES.values()]))
def test_numbers_of_any_type_are_computed_in_float64(X, typed):
    assert_same(ColumnStatistics(typed(X)), ColumnStatistics(typed(X).astype(np.float64)))
