"""Weights in units in which their sums are floats, and rows that weigh nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skscale._normalization.sample_weight import (
    cover_zero_weights,
    relative_weights,
    weights_about_one,
)

WEIGHTS = {
    "usual": np.array([0.3, 2.0, 0.0, 7.0]),
    "one": np.array([1.0]),
    "subnormal": np.array([5e-324, 1e-320, 0.0]),
    "huge": np.array([1e308, 1.7e308, 1e300]),
    "one of many": np.r_[np.full(1000, 1.0), 3e7],
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_are_divided_by_a_power_of_two(weights):
    relative, about_one = relative_weights(weights), weights_about_one(weights)
    assert 0.5 <= relative.max() < 1.0
    assert 0.5 <= about_one.mean() < 1.0
    for scaled in (relative, about_one):
        mantissa, exponent = np.frexp(scaled[weights > 0])
        expected, before = np.frexp(weights[weights > 0])
        assert_array_equal(mantissa, expected)
        assert len(set(exponent - before)) == 1
        assert_array_equal(scaled[weights == 0], 0.0)


def test_a_weight_that_is_lost_beside_the_largest_stays_positive():
    relative = relative_weights(np.array([1e300, 1e-300, 0.0]))
    assert 0 < relative[1] < 1e-100
    assert relative[2] == 0


def test_rows_of_weight_zero_hold_what_the_first_row_of_weight_holds():
    rows = np.arange(8.0).reshape(4, 2)
    found = cover_zero_weights(rows, np.array([0.0, 2.0, 0.0, 1.0]))
    assert_array_equal(found, rows[[1, 1, 1, 3]])
    assert cover_zero_weights(rows, np.ones(4)) is rows
