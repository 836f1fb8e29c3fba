"""What holds of every transform and its inverse; without `y` a fit is quick enough for each one."""

from __future__ import annotations

import numpy as np
from drawn_tables import FORMS, POWERS_OF_TWO, counts, orders, rounding, tables, weights
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleTransformer

DATA = st.data()


def fit(X, w=None):
    return LearnedScaleTransformer().fit(X, sample_weight=w)


@given(tables(min_rows=2), DATA)
def test_finite_numbers_become_finite_numbers_and_come_back(X, data):
    model = fit(X, data.draw(st.none() | weights(len(X))))
    Z = model.transform(X)
    assert np.isfinite(Z).all()
    assert (np.abs(model.inverse_transform(Z) - X) <= 4 * rounding(X)).all()


@given(tables(min_rows=2, ordinary=True))
def test_it_is_standard_scaler(X):
    # Of a column that varies by rounding, both have nothing but rounding.
    X = X[:, np.ptp(X, axis=0) > 1e-6 * np.abs(X).max(axis=0)]
    if X.shape[1]:
        assert_allclose(fit(X).transform(X), StandardScaler().fit_transform(X), atol=1e-8)


@given(tables(min_rows=2), DATA)
def test_rows_and_columns_may_come_in_any_order(X, data):
    rows, columns = data.draw(orders(len(X))), data.draw(orders(X.shape[1]))
    Z = fit(X).transform(X)
    assert_array_equal(fit(X[:, columns]).transform(X[:, columns]), Z[:, columns])
    assert_array_equal(fit(X).transform(X[rows]), Z[rows])


@given(tables(min_rows=2, ordinary=True), POWERS_OF_TWO, DATA)
def test_a_power_of_two_as_unit_leaves_no_trace(X, exponent, data):
    w, scaled = data.draw(st.none() | weights(len(X))), np.ldexp(X, exponent)
    model, other = fit(X, w), fit(scaled, w)
    # A constant column keeps its unit; beyond the normal floats digits are lost, of a mean too.
    mean = np.where(model.offset_ == 0, 1, other.offset_ / other.scale_)
    kept = (model.feature_importances_ > 0) & (np.abs(np.log10(other.scale_)) < 290)
    kept &= np.abs(mean) > 1e-290
    assert_array_equal(other.transform(scaled)[:, kept], model.transform(X)[:, kept])
    assert_array_equal(other.feature_importances_, model.feature_importances_)


@given(tables(min_rows=2), st.integers(-300, 300), DATA)
def test_weights_times_a_power_of_two_change_no_digit(X, exponent, data):
    w = np.clip(data.draw(weights(len(X))), 1e-200, 1e200)
    assert_array_equal(fit(X, np.ldexp(w, exponent)).transform(X), fit(X, w).transform(X))


@given(tables(min_rows=2), DATA)
def test_a_weight_is_a_number_of_rows(X, data):
    n = data.draw(counts(len(X)).filter(lambda n: n.astype(bool).sum() > 1))
    model, other = fit(X, n), fit(np.repeat(X, n, axis=0))
    zeros = np.zeros((1, X.shape[1]))
    gap = np.abs(model.inverse_transform(zeros) - other.inverse_transform(zeros))
    assert (gap <= 4 * rounding(np.repeat(X, n, axis=0))).all()


@given(tables(min_rows=2), st.floats(-1.7e308, 1.7e308), DATA)
def test_a_row_of_weight_zero_may_hold_anything(X, value, data):
    w, place = data.draw(weights(len(X))), data.draw(st.integers(0, len(X)))
    other = fit(np.insert(X, place, value, axis=0), np.insert(w, place, 0.0))
    assert_array_equal(other.transform(X), fit(X, w).transform(X))


@given(tables(min_rows=2), st.sampled_from([*FORMS.values()]))
def test_a_table_is_transformed_alike_in_every_form(X, form):
    table, before = form(X), X.copy()
    model = fit(X)
    Z = model.transform(X)
    assert_array_equal(fit(table).transform(table), Z)
    assert_array_equal(model.inverse_transform(form(Z)), model.inverse_transform(Z))
    assert_array_equal(X, before)


@given(tables(min_rows=2), DATA)
def test_chunks_have_the_moments_of_the_whole(X, data):
    cut = data.draw(st.integers(1, len(X) - 1))
    model = fit(X)
    begun = [LearnedScaleTransformer().partial_fit(X[:cut]), *([fit(X[:cut])] if cut > 1 else [])]
    # What varies by rounding alone may count as constant in one of them.
    far = np.ptp(X, axis=0) > 1e-6 * np.abs(X).max(axis=0)
    for chunked in begun:
        chunked.partial_fit(X[cut:])
        zeros = np.zeros((1, X.shape[1]))
        gap = np.abs(chunked.inverse_transform(zeros) - model.inverse_transform(zeros))
        assert (gap <= 4 * rounding(X)).all()
        assert_allclose(chunked.scale_[far], model.scale_[far], rtol=1e-8)
