"""Weights of classes: scikit-learn's, in units in which no sum overflows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import compute_class_weight

from skscale._target.class_weight import class_factors, class_totals, class_weighted

LABELS = np.array(["a", "b", "c"])
CODES = np.array([0, 2, 2, 0, 2, 1, 2])


@pytest.mark.parametrize("unit", [1.0, 1e-300, 1e306])
def test_balanced_classes_weigh_what_they_do_in_scikit_learn(unit):
    totals = class_totals(np.full(7, unit), CODES, 3)
    assert_allclose(totals, np.array([2.0, 1.0, 4.0]) * unit, rtol=1e-15)
    expected = compute_class_weight("balanced", classes=LABELS, y=LABELS[CODES])
    # Shares are rounded, and a division more.
    assert_allclose(class_factors("balanced", LABELS, totals), expected, rtol=1e-15)


def test_a_class_without_samples_has_a_total_and_a_balanced_weight_of_zero():
    totals = class_totals(np.array([1.0, 3.0]), np.array([0, 2]), 4)
    assert_array_equal(totals, [1.0, 0.0, 3.0, 0.0])
    factors = class_factors("balanced", np.arange(4), totals)
    assert_allclose(factors, [1.0, 0.0, 1 / 3, 0.0], rtol=1e-15)


@pytest.mark.parametrize(
    ("class_weight", "ratios"),
    [
        (None, [1.0, 1.0, 1.0]),
        ({}, [1.0, 1.0, 1.0]),
        ({"b": 3.0}, [1.0, 3.0, 1.0]),
        ({"a": 1e300, "b": 1e308, "c": 0.0}, [1e-8, 1.0, 0.0]),
        ({"a": 2, "b": 5, "c": 1, "no label of this part": 7}, [2.0, 5.0, 1.0]),
    ],
)
def test_labels_weigh_what_a_dict_says_and_one_where_it_says_nothing(class_weight, ratios):
    factors = class_factors(class_weight, LABELS, np.ones(3))
    # A power of two is all that is between them, but 1e300 over 1e308 is rounded.
    assert_allclose(factors * (max(ratios) / factors.max()), ratios, rtol=1e-15)
    assert np.isfinite(factors.sum())


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, "heavy", None])
def test_weights_that_are_none_are_refused_by_their_label(weight):
    with pytest.raises(ValueError, match=r"gives 'b' the weight .* but finite numbers of at least"):
        class_factors({"a": 1.0, "b": weight}, LABELS, np.ones(3))


def test_samples_weigh_their_own_weight_times_that_of_their_class():
    sample_weight = np.arange(7.0)
    weights = class_weighted(sample_weight, np.array([2.0, 0.0, 3.0]), CODES, {"b": 0})
    assert_array_equal(weights, [0.0, 3.0, 6.0, 6.0, 12.0, 0.0, 18.0])


@pytest.mark.parametrize("n_needed", [1, 2, 3])
def test_as_many_samples_as_are_needed_must_keep_a_weight(n_needed):
    arguments = np.ones(7), np.array([1.0, 0.0, 0.0]), CODES, {"b": 0, "c": 0}
    if n_needed <= 2:
        assert np.count_nonzero(class_weighted(*arguments, n_needed=n_needed)) == 2
    else:
        with pytest.raises(ValueError, match=r"leave 2 of 7 samples .* at least 3 must keep one"):
            class_weighted(*arguments, n_needed=n_needed)
