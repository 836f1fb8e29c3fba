"""What holds of every normalization by name, on every table: it is refused, or normalizes."""

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

from skscale._normalization.criteria import NORMALIZATIONS
from skscale._normalization.fit import fit_normalization
from skscale._normalization.statistics import ColumnStatistics

DATA = st.data()
# Their divisor is not in the units of the feature.
OF_OTHER_UNITS = {"pareto", "poisson", "variance"}
# They count rows, or take a weight of one for one of them.
COUNTING = {"l2", "mad", "median", "robust"}
# They divide by a mean, which may be nothing but the rounding of a sum.
BY_MEAN = {"level", "poisson", "vast", "vast_2"}


def fitted(X, w=None, *, without=frozenset()):
    """Fit every normalization that is defined for a table, by name."""
    maps, statistics = {}, ColumnStatistics(X, w)
    for name in sorted(set(NORMALIZATIONS) - without):
        try:
            maps[name] = fit_normalization(name, X, w, statistics=statistics)
        except ValueError as error:
            # Nothing else is said of finite numbers.
            assert f"normalization={name!r} is undefined for feature" in str(error)  # noqa: PT017
    return maps


def assert_same(maps, others, columns=slice(None)):
    assert maps.keys() == others.keys()
    for name, affine in maps.items():
        for field in ("center", "scale", "shift"):
            expected = getattr(affine, field)[columns]
            assert_array_equal(getattr(others[name], field), expected, err_msg=f"{name}, {field}")


@given(tables(), DATA)
def test_finite_numbers_become_finite_numbers_and_come_back(X, data):
    for name, affine in fitted(X, data.draw(st.none() | weights(len(X)))).items():
        Z = affine.apply(X)
        assert np.isfinite(Z).all(), name
        # Both ways round numbers of the size of the table and of its centre.
        atol = rounding(X) + 4 * np.finfo(float).eps * np.abs(affine.center)
        assert (np.abs(affine.inverse(Z) - X) <= atol).all(), name


@given(tables(), DATA)
def test_the_order_of_columns_is_that_of_the_map(X, data):
    w, order = data.draw(st.none() | weights(len(X))), data.draw(orders(X.shape[1]))
    assert_same(fitted(X, w), fitted(X[:, order], w), order)


@given(tables(), DATA)
def test_the_order_of_rows_is_only_that_of_sums(X, data):
    maps, others = fitted(X), fitted(X[data.draw(orders(len(X)))])
    # What varies by rounding alone may count as constant in one order, and not in another.
    far = np.ptp(X, axis=0) > 1e-6 * np.abs(X).max(axis=0)
    for name in maps.keys() & others.keys():
        affine, other = maps[name], others[name]
        assert (np.abs(affine.center - other.center) <= rounding(X)).all(), name
        if name not in BY_MEAN:
            assert_allclose(other.scale[far], affine.scale[far], rtol=1e-8, err_msg=name)


@given(tables(), st.floats(-1e300, 1e300))
def test_a_constant_column_gets_scale_one_and_changes_nothing_else(X, value):
    others = fitted(np.column_stack([X, np.full(len(X), value)]))
    assert all(affine.scale[-1] == 1 for affine in others.values())
    for name, affine in fitted(X).items():
        assert_array_equal(others[name].center[:-1], affine.center, err_msg=name)
        assert_array_equal(others[name].scale[:-1], affine.scale, err_msg=name)


@given(tables(ordinary=True), POWERS_OF_TWO, DATA)
def test_a_power_of_two_as_unit_leaves_no_trace(X, exponent, data):
    w = data.draw(st.none() | weights(len(X)))
    scaled = np.ldexp(X, exponent)
    maps, others = (fitted(table, w, without=OF_OTHER_UNITS) for table in (X, scaled))
    for name in maps.keys() & others.keys():
        affine, other = maps[name], others[name]
        # A scale of one stands for a divisor of zero; beyond the normal floats digits are lost, all
        # of them where a center has become zero.
        size = np.abs([np.where(affine.center == 0, 1, other.center), 1 / other.scale])
        kept = ((size > 1e-290) & (size < 1e290)).all(axis=0) & (affine.scale != 1)
        assert_array_equal(other.apply(scaled)[:, kept], affine.apply(X)[:, kept], err_msg=name)


@given(tables(), st.integers(-300, 300), DATA)
def test_weights_times_a_power_of_two_change_no_digit(X, exponent, data):
    # Within the normal floats.
    w = np.clip(data.draw(weights(len(X))), 1e-200, 1e200)
    maps, others = (fitted(X, weight, without=COUNTING) for weight in (w, np.ldexp(w, exponent)))
    assert_same(maps, others)


@given(tables(), DATA)
def test_a_weight_is_a_number_of_rows(X, data):
    n = data.draw(counts(len(X)))
    maps, others = fitted(X, n), fitted(np.repeat(X, n, axis=0))
    for name in maps.keys() & others.keys():
        gap = np.abs(maps[name].center - others[name].center)
        assert (gap <= 16 * rounding(X)).all(), name


@given(tables(), st.floats(), DATA)
def test_a_row_of_weight_zero_may_hold_anything(X, value, data):
    w, place = data.draw(weights(len(X))), data.draw(st.integers(0, len(X)))
    spoiled = np.insert(X, place, value, axis=0)
    assert_same(fitted(X, w), fitted(spoiled, np.insert(w, place, 0.0)))


@given(tables(), st.sampled_from([*ARRAY_FORMS.values(), csr_array]))
def test_only_the_numbers_count_not_where_they_lie(X, form):
    assert_same(fitted(X), fitted(form(X)))


@given(tables(), st.sampled_from([*TYPES.values()]))
def test_numbers_of_any_type_are_computed_in_float64(X, typed):
    assert_same(fitted(typed(X).astype(float)), fitted(typed(X)))
