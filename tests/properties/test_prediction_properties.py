"""What holds of every prediction: of networks with drawn weights, and of saved ones."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawn_ensembles import N_FEATURES, PLACES, SPECS, UNITS, draw_ensemble
from drawn_tables import ARRAY_FORMS, FORMS, TYPES, orders
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import InconsistentVersionWarning

from skscale._normalization.affine import AffineMap

ENSEMBLES = {name: draw_ensemble(spec) for name, spec in SPECS.items()}
KINDS = st.sampled_from([*ENSEMBLES])
_NUMBERS = st.integers(-(2**12), 2**12).map(lambda i: i / 2**10)
# Rows in standard deviations, up to a million of them.
ROWS = st.tuples(
    st.integers(1, 9).flatmap(lambda n: hnp.arrays(float, (n, N_FEATURES), elements=_NUMBERS)),
    st.sampled_from([1.0, 1.0, 1e3, 1e6]),
).map(lambda drawn: drawn[0] * drawn[1])
# The same products in other blocks.
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def in_units(rows):
    return UNITS * (rows + PLACES)


@given(KINDS, ROWS, st.data())
def test_a_row_is_predicted_alike_in_any_company(kind, rows, data):
    ensemble, X = ENSEMBLES[kind], in_units(rows)
    outputs = ensemble.mean_output(X)
    assert np.isfinite(outputs).all()
    order = data.draw(orders(len(X)))
    size = np.abs(outputs).max() or 1.0
    assert_allclose(ensemble.mean_output(X[order]) / size, outputs[order] / size, **CLOSE)
    assert_allclose(ensemble.mean_output(X[:1]) / size, outputs[:1] / size, **CLOSE)
    both = ensemble.mean_and_spread(X)
    assert_allclose(both[:, 0] / size, outputs / size, **CLOSE)
    assert (both[:, 1] >= 0).all()


@given(KINDS, ROWS, hnp.arrays(np.int64, N_FEATURES, elements=st.integers(-200, 200)))
def test_powers_of_two_as_units_change_no_digit(kind, rows, exponents):
    ensemble, X = ENSEMBLES[kind], in_units(rows)
    affine = ensemble.input_map
    center, scale = np.ldexp(affine.center, exponents), np.ldexp(affine.scale, -exponents)
    other = replace(ensemble, input_map=AffineMap(center, scale, affine.shift))
    assert_array_equal(other.mean_output(np.ldexp(X, exponents)), ensemble.mean_output(X))


@given(KINDS, ROWS, st.floats(-1e300, 1e300), st.integers(0, N_FEATURES))
def test_a_constant_column_is_seen_nowhere(kind, rows, value, place):
    ensemble, X = ENSEMBLES[kind], in_units(rows)
    affine = ensemble.input_map
    parts = (np.insert(part, place, 1.0) for part in (affine.center, affine.scale, affine.shift))
    active = np.delete(np.arange(N_FEATURES + 1), place)
    wide = replace(ensemble, input_map=AffineMap(*parts), active=active)
    outputs = wide.mean_output(np.insert(X, place, value, axis=1))
    assert_allclose(outputs, ensemble.mean_output(X), **CLOSE)


@given(KINDS, ROWS, st.sampled_from([*ARRAY_FORMS.values()]))
def test_only_the_numbers_count_not_where_they_lie(kind, rows, form):
    ensemble, X = ENSEMBLES[kind], in_units(rows)
    outputs = ensemble.mean_output(X)
    size = np.abs(outputs).max() or 1.0
    assert_allclose(ensemble.mean_output(form(X)) / size, outputs / size, **CLOSE)


# Estimators of a file, so that nothing trains


def load_estimators():
    newest = max((Path(__file__).parent.parent / "data").glob("*.pickle"))
    with warnings.catch_warnings():
        # Of the scaler among the parameters, by another version of scikit-learn.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return pickle.loads(newest.read_bytes())


SAVED = load_estimators()
SAVED_UNITS = np.array([1e-3, 1.0, 1e3, 1.0])


def predictions(X):
    """Yield everything that the estimators give for rows."""
    yield from SAVED["regressor"].predict(X, return_std=True)
    yield SAVED["chunks"].predict(X)
    yield SAVED["classifier"].predict_proba(X)
    yield SAVED["classifier"].predict_log_proba(X)
    if not issparse(X):
        yield SAVED["transformer"].transform(X)
        yield SAVED["standardizer"].transform(X)


@given(ROWS)
def test_finite_rows_have_finite_predictions(rows):
    X = rows * SAVED_UNITS
    assert all(np.isfinite(outputs).all() for outputs in predictions(X))
    _, std = SAVED["regressor"].predict(X, return_std=True)
    assert (std >= 0).all()
    classifier = SAVED["classifier"]
    probabilities = classifier.predict_proba(X)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    # The exponential of each, and their sum, are rounded; that of a logarithm of -1e6 more.
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-9)
    most_probable = classifier.predict_log_proba(X).argmax(axis=1)
    assert_array_equal(classifier.predict(X), classifier.classes_[most_probable])


@given(ROWS)
def test_what_was_transformed_comes_back(rows):
    X = rows * SAVED_UNITS
    for name in ("transformer", "standardizer"):
        model = SAVED[name]
        back = model.inverse_transform(model.transform(X))
        # Three steps each way round numbers of the size of the row and of the centre.
        size = np.abs(X) + np.abs(model.offset_ / model.scale_)
        assert (np.abs(back - X) <= 8 * np.finfo(float).eps * size).all()


# That of polars always has names of columns, which these estimators have not seen.
NAMELESS = [form for name, form in FORMS.items() if name != "polars"]


@given(ROWS, st.sampled_from([*NAMELESS, csr_array]))
def test_a_table_is_predicted_alike_in_every_form(rows, form):
    X = rows * SAVED_UNITS
    before = X.copy()
    for actual, expected in zip(predictions(form(X)), predictions(X), strict=False):
        size = np.abs(expected).max() + 1
        assert_allclose(actual / size, expected / size, **CLOSE)
    assert_array_equal(X, before)


@given(ROWS, st.sampled_from([*TYPES]))
def test_numbers_of_any_type_are_predicted_as_numbers(rows, dtype):
    X = TYPES[dtype](np.abs(rows * SAVED_UNITS))
    for actual, exact in zip(predictions(X), predictions(X.astype(np.float64)), strict=True):
        assert actual.dtype == (np.float32 if dtype == "float32" else np.float64)
        size = np.abs(exact).max() + 1
        # Of float32 rows the networks compute in float32, of seven digits.
        assert_allclose(actual / size, exact / size, atol=1e-4 if dtype == "float32" else 1e-9)
