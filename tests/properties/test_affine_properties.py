"""What holds of every affine map: applied, inverted and composed, in any form of a table."""

from __future__ import annotations

import numpy as np
from drawn_tables import ARRAY_FORMS, FORMS, TYPES, maps, orders, tables
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skscale._normalization.affine import AffineMap

DATA = st.data()
_EPS = np.finfo(np.float64).eps


def moved(affine, order):
    return AffineMap(affine.center[order], affine.scale[order], affine.shift[order])


@given(tables(ordinary=True), DATA)
def test_the_inverse_brings_back_what_was_applied(X, data):
    affine = data.draw(maps(X.shape[1], min_scale=0.0625))
    back = affine.inverse(affine.apply(X))
    # Each step rounds once, and a shift is divided by the scale again.
    size = np.abs(X) + np.abs(affine.center) + np.abs(affine.shift / affine.scale)
    assert (np.abs(back - X) <= 4 * _EPS * size).all()


@given(tables(), DATA)
def test_finite_numbers_become_finite_numbers(X, data):
    affine = data.draw(maps(X.shape[1]))
    # A scale of up to 1e3 and columns of up to 1e291 times 1e12.
    assert np.isfinite(affine.apply(X)).all()
    assert np.isfinite(affine.inverse(affine.apply(X))).all()


@given(tables(ordinary=True), DATA)
def test_composed_maps_are_one_after_the_other(X, data):
    inner, outer = data.draw(maps(X.shape[1], min_scale=0.0625)), data.draw(maps(X.shape[1]))
    between = inner.apply(X)
    gap = np.abs(inner.then(outer).apply(X) - outer.apply(between))
    # What is subtracted and added on the way is rounded by its own size.
    sizes = [between, inner.center * inner.scale, inner.shift, outer.center]
    size = sum(map(np.abs, sizes)) * np.abs(outer.scale) + np.abs(outer.shift)
    assert (gap <= 16 * _EPS * size).all()


@given(tables(), DATA)
def test_a_map_behind_the_identity_is_the_same_map(X, data):
    affine = data.draw(maps(X.shape[1]))
    assert_array_equal(AffineMap.identity(X.shape[1]).then(affine).apply(X), affine.apply(X))


@given(tables(), DATA)
def test_rows_and_columns_know_nothing_of_each_other(X, data):
    affine = data.draw(maps(X.shape[1]))
    rows, columns = data.draw(orders(len(X))), data.draw(orders(X.shape[1]))
    for name in ("apply", "inverse"):
        Z = getattr(affine, name)(X)
        assert_array_equal(getattr(affine, name)(X[rows]), Z[rows])
        assert_array_equal(getattr(affine, name)(X[0]), Z[0])
        assert_array_equal(getattr(moved(affine, columns), name)(X[:, columns]), Z[:, columns])


@given(tables(ordinary=True), st.integers(-900, 900), DATA)
def test_a_power_of_two_as_unit_changes_no_digit(X, exponent, data):
    affine = data.draw(maps(X.shape[1], min_scale=0.0625))
    center, scale = np.ldexp(affine.center, exponent), np.ldexp(affine.scale, -exponent)
    other, scaled = AffineMap(center, scale, affine.shift), np.ldexp(X, exponent)
    Z = affine.apply(X)
    assert_array_equal(other.apply(scaled), Z)
    assert_array_equal(other.inverse(Z), np.ldexp(affine.inverse(Z), exponent))


@given(tables(), st.sampled_from([*FORMS.values()]), DATA)
def test_only_the_numbers_count_not_where_they_lie(X, form, data):
    affine, before = data.draw(maps(X.shape[1])), X.copy()
    assert_array_equal(affine.apply(form(X)), affine.apply(X))
    assert_array_equal(affine.inverse(form(X)), affine.inverse(X))
    assert_array_equal(X, before)


@given(tables(), st.sampled_from([*TYPES]), st.sampled_from([*ARRAY_FORMS.values()]), DATA)
def test_numbers_of_any_type_are_computed_in_float64(X, dtype, form, data):
    affine, typed = data.draw(maps(X.shape[1])), TYPES[dtype](X)
    table = form(typed)
    # A float32 of another byte order is not numpy.float32, as in scikit-learn.
    expected = np.float32 if table.dtype == np.float32 else np.float64
    exact = affine.apply(typed.astype(np.float64)).astype(expected)
    assert_array_equal(affine.apply(table), exact, strict=True)
