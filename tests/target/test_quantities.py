"""Targets that are quantities: what of them the network sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from skscale._target.quantities import autoencoder_target, quantities_target

WEIGHTS = np.array([1.0, 0.0, 2.0, 1.0])


@pytest.mark.parametrize("normalization", ["standard", "minmax", "robust", StandardScaler()])
@pytest.mark.parametrize("size", [1e-300, 1.0, 1e60, 1e300])
def test_a_target_that_is_constant_but_for_rounding_is_constant(size, normalization):
    y = size * (1 + np.finfo(np.float64).eps * np.arange(4))
    target = quantities_target(y, np.ones(4), normalization)
    assert_array_equal(target.values, np.zeros((4, 1)))
    # Without a centre it stays what it is.
    assert_array_equal(quantities_target(y, np.ones(4), None).values[:, 0], y)


def test_each_column_is_normalized_by_itself():
    y = np.random.default_rng(0).normal(size=(20, 3)) * [1.0, 1e-20, 1e30] + [0.0, 1.0, -1e30]
    y[:, 1] = 7.0
    target = quantities_target(y, np.ones(20), "standard")
    expected = StandardScaler().fit_transform(y)
    # A few roundings, of numbers of one standard deviation.
    assert_allclose(target.values, expected, rtol=0, atol=1e-14)
    assert_array_equal(target.encoding.target_map.apply(y), target.values)
    again = quantities_target(y[:3], np.ones(3), "minmax", target_map=target.encoding.target_map)
    assert_array_equal(again.values, target.values[:3])


def test_a_target_of_weight_zero_needs_not_suit_the_loss():
    y = np.array([1.0, -1e300, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"loss='poisson' needs targets of at least zero"):
        quantities_target(y, np.ones(4), "rms", loss="poisson")
    target = quantities_target(y, WEIGHTS, "rms", loss="poisson")
    assert_array_equal(target.values, quantities_target(abs(y), WEIGHTS, "rms").values)
    # Folds are drawn by the targets as they were given.
    assert_array_equal(target.y, y)


def test_features_that_vary_are_the_targets_of_an_autoencoder():
    X = np.random.default_rng(0).normal(size=(20, 4)) * [1.0, 1e-20, 1.0, 1e30]
    active = np.array([0, 1, 3])
    target = autoencoder_target(X, active, np.ones(20), "standard")
    expected = StandardScaler().fit_transform(X[:, active])
    # A few roundings, of numbers of one standard deviation.
    assert_allclose(target.values, expected, rtol=0, atol=1e-14)
    # An earlier normalization stays.
    target_map = target.encoding.target_map
    again = autoencoder_target(X[:5], active, np.ones(5), "minmax", target_map=target_map)
    assert_array_equal(again.values, target.values[:5])
