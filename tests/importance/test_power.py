"""Sensitivities become factors of unit mean square, trusted as far as neighbours gain by them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_wine

from skscale._importance.power import _drawn, choose_power, power_factors
from skscale._importance.sensitivity import importances, member_sensitivities, pool
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization
from skscale._selection.folds import Fold, make_folds

ALL = np.arange(4)
R = np.array([3.0, 1.0, 0.5, 0.0])


# Factors


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_factors_are_a_floored_power_of_unit_mean_square(power):
    factors = power_factors(R, power, ALL)
    assert np.mean(factors**2) == pytest.approx(1.0, rel=1e-14)
    # Ratios are those of the powers, and the least is a thousandth of the largest.
    assert_allclose(factors[:3] / factors[0], (R[:3] / 3.0) ** power, rtol=1e-14)
    assert factors[3] == pytest.approx(1e-3 * factors[0], rel=1e-14)


def test_floor_comes_after_the_power():
    factors = power_factors(np.array([1.0, 0.05]), 2.0, np.arange(2))
    assert factors[1] / factors[0] == pytest.approx(0.0025, rel=1e-14)


def test_power_zero_has_no_preference():
    assert_array_equal(power_factors(R, 0.0, ALL), np.ones(4))


def test_no_sensitivity_has_no_preference():
    assert_array_equal(power_factors(np.zeros(4), 1.0, ALL), np.ones(4))


def test_constant_features_keep_a_factor_of_one_and_count_in_no_mean():
    active = np.array([0, 2])
    factors = power_factors(np.array([3.0, 0.0, 0.5, 0.0]), 1.0, active)
    assert_array_equal(factors[[1, 3]], [1.0, 1.0])
    assert_array_equal(factors[active], power_factors(np.array([3.0, 0.5]), 1.0, np.arange(2)))


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_size_of_the_sensitivities_does_not_matter(size):
    assert_allclose(power_factors(R * size, 1.0, ALL), power_factors(R, 1.0, ALL), rtol=1e-14)


# Importances


def test_pool_is_the_root_mean_square_over_networks_that_respond():
    members = np.array([[1.0, 1.0], [0.0, 0.0], [np.sqrt(2), 0.0]])
    assert_allclose(pool(members), [np.sqrt(1.5), np.sqrt(0.5)], rtol=1e-15)
    assert_array_equal(pool(np.zeros((3, 2))), np.zeros(2))


def test_importances_are_shares_of_the_squares():
    assert_allclose(importances(R, ALL), R**2 / 10.25, rtol=1e-15)


def test_importances_are_uniform_where_nothing_responds():
    assert_array_equal(importances(np.zeros(4), ALL), np.full(4, 0.25))
    assert_array_equal(importances(np.zeros(4), np.array([1, 3])), [0, 0.5, 0, 0.5])
    assert_array_equal(importances(np.zeros(4), np.array([], int)), np.zeros(4))


def small_ensemble(scales, kernel, active, X, **settings):
    """Networks of a scaling layer and one Dense layer."""
    spec = DenseSpec(len(active), kernel.shape[1], hidden_layer_sizes=(), center=False, **settings)
    members = [[scale, kernel, np.zeros(kernel.shape[1])] for scale in scales]
    identity = AffineMap.identity(X.shape[1])
    return Ensemble(identity, np.asarray(active), spec, members, fit_normalization("standard", X))


def sensitivities(ensemble, X, folds, **outputs):
    weight = np.ones(len(X))
    return member_sensitivities(ensemble, folds, X, weight, np.random.RandomState(0), **outputs)


def test_sensitivity_is_by_standard_deviations_and_of_unit_mean_square():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 10.0, 100.0]
    X[:, 1] = 7.0
    scales, kernel = [np.array([2.0, 3.0]), np.array([1.0, 0.0]), np.zeros(2)], np.ones((2, 1))
    ensemble = small_ensemble(scales, kernel, [0, 2], X)
    r = sensitivities(ensemble, X, [(np.arange(50), None)] * 3, of_logits=False)
    expected = np.array([2 * X[:, 0].std(), 0.0, 3 * X[:, 2].std()])
    assert_allclose(r[0], expected / np.sqrt(np.sum(expected**2) / 2), rtol=1e-12)
    assert_allclose(r[1], [np.sqrt(2), 0, 0], rtol=1e-12)
    assert_array_equal(r[2], np.zeros(3))


def test_beside_a_sensitivity_that_overflows_others_count_for_nothing():
    X = np.random.default_rng(0).normal(size=(50, 3))
    ensemble = small_ensemble([np.array([1e200, 1.0, -1e300])], np.ones((3, 1)), [0, 1, 2], X)
    with np.errstate(over="ignore"):
        r = sensitivities(ensemble, X, [(np.arange(50), None)], of_logits=False)
    assert_allclose(r, [[np.sqrt(1.5), 0.0, np.sqrt(1.5)]], rtol=1e-15)


def test_logits_are_centred_over_the_classes():
    X = np.random.default_rng(0).normal(size=(50, 2))
    # The first feature moves all logits alike, which moves no probability.
    kernel = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0]])
    ensemble = small_ensemble([np.ones(2)], kernel, [0, 1], X)
    folds = [(np.arange(50), None)]
    assert sensitivities(ensemble, X, folds, of_logits=True)[0, 0] > 0.5
    centred = sensitivities(ensemble, X, folds, of_logits=True, logits_centred=True)
    assert_allclose(centred, [[0.0, np.sqrt(2)]], atol=1e-15)


def test_weights_of_rows_count_as_repetition_in_their_sensitivity():
    X = np.random.default_rng(0).normal(size=(50, 2))
    ensemble = small_ensemble(
        [np.array([2.0, 1.0])], np.eye(2), [0, 1], X, output_activation="tanh"
    )
    counts = np.random.default_rng(1).integers(0, 4, 50)
    rows, random = np.repeat(np.arange(50), counts), np.random.RandomState(0)
    weighted, repeated = (
        member_sensitivities(ensemble, [(part, None)], X, weight, random, of_logits=False)
        for part, weight in ((np.arange(50), 1e-300 * counts), (rows, np.ones(50)))
    )
    # Sums in another order.
    assert_allclose(weighted, repeated, rtol=1e-13)
    equal = sensitivities(ensemble, X, [(np.arange(50), None)], of_logits=False)
    assert np.abs(weighted - equal).max() > 1e-3


def test_sensitivity_of_large_tables_is_that_of_a_sample():
    X = np.random.default_rng(0).normal(size=(20_000, 2))
    ensemble = small_ensemble(
        [np.array([2.0, 1.0])], np.eye(2), [0, 1], X, output_activation="tanh"
    )
    folds = [(np.arange(20_000), None)]
    first, other = (
        member_sensitivities(
            ensemble, folds, X, np.ones(20_000), np.random.RandomState(i), of_logits=False
        )
        for i in range(2)
    )
    assert not np.array_equal(first, other)
    # The mean of sech^4, between 0 and 1, over 1024 rows has a standard error of .01.
    assert_allclose(first, other, rtol=0.05)


def test_no_row_of_a_sample_is_drawn_twice():
    X = np.random.default_rng(0).normal(size=(1025, 2))
    ensemble = small_ensemble(
        [np.array([2.0, 1.0])], np.eye(2), [0, 1], X, output_activation="tanh"
    )
    sample, whole = (
        sensitivities(ensemble, X, [(np.arange(n), None)], of_logits=False) for n in (1025, 1024)
    )
    # One row of a thousand is another; drawn with replacement, a third of them would be.
    assert_allclose(sample, whole, rtol=2e-3)


# The choice


def choose(X, targets, r, *, weight=None, folds=None, is_classification=False):
    weight = np.ones(len(X)) if weight is None else weight
    folds = make_folds(5, X, weight, seed=0) if folds is None else folds
    return choose_power(
        X,
        targets,
        weight,
        standard=fit_normalization("standard", X, weight),
        members=np.tile(r, (len(folds), 1)),
        folds=folds,
        active=np.arange(X.shape[1]),
        is_classification=is_classification,
        random=np.random.RandomState(0),
    )


@pytest.fixture(scope="module")
def noisy():
    """Diabetes and ten columns of noise; what matters, and its opposite."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X = np.hstack([X[:200], np.random.default_rng(0).normal(size=(200, 10))])
    return X, y[:200, np.newaxis], np.repeat([1.0, 0.01], 10)


def test_good_sensitivities_are_trusted(noisy):
    X, y, r = noisy
    assert choose(X, y, r) > 0


def test_bad_sensitivities_are_not(noisy):
    X, y, r = noisy
    assert choose(X, y, r[::-1]) == 0


def test_accuracy_decides_for_classes():
    X, labels = load_wine(return_X_y=True)
    X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 26))])
    votes = np.eye(3)[labels]
    r = np.repeat([1.0, 0.01], [13, 26])
    assert choose(X, votes, r, is_classification=True) > 0
    assert choose(X, votes, 1.01 - r, is_classification=True) == 0


def test_equal_scores_leave_plain_standardization(noisy):
    X, y, _ = noisy
    assert choose(X, y, np.ones(20)) == 0


def test_each_scale_is_scored_on_its_own_held_out_rows(noisy):
    X, y, r = noisy
    half = np.arange(200) < 100
    one_way = [
        (np.flatnonzero(half), np.flatnonzero(~half)),
        (np.flatnonzero(~half), np.array([], int)),
    ]
    # The second network has nothing to be scored on, so that its bad scale does no harm.
    power = choose_power(
        X,
        y,
        np.ones(200),
        standard=fit_normalization("standard", X),
        members=np.stack([r, r[::-1]]),
        folds=one_way,
        active=np.arange(20),
        is_classification=False,
        random=np.random.RandomState(0),
    )
    assert power > 0


@pytest.mark.parametrize("seed", range(20))
def test_weights_count_as_repetition(noisy, seed):
    X, y, _ = noisy
    random = np.random.default_rng(seed)
    counts, r = random.integers(0, 5, 200), random.uniform(0.3, 1, 20)
    half = np.arange(200) < 100
    rows = np.repeat(np.arange(200), counts)
    used = np.flatnonzero(counts)
    folds = [(used[half[used]], used[~half[used]])]
    repeated = [(np.flatnonzero(half[rows]), np.flatnonzero(~half[rows]))]
    weighted = choose(X, y, r, weight=counts.astype(float), folds=folds)
    assert weighted == choose(X[rows], y[rows], r, folds=repeated)


@pytest.mark.parametrize("seed", range(20))
def test_weights_times_a_constant_are_the_same_weights(noisy, seed):
    X, y, _ = noisy
    random = np.random.default_rng(seed)
    weight, r = random.uniform(0.5, 2, 200), random.uniform(0.3, 1, 20)
    power = choose(X, y, r, weight=weight)
    for factor in (1e-300, 1 / 3, 3.0, 1e300):
        assert choose(X, y, r, weight=weight * factor) == power


def test_a_table_given_three_times_is_the_same_table(noisy):
    X, y, _ = noisy
    rows = np.tile(np.arange(200), 3)
    fold = (np.arange(100), np.arange(100, 200))
    thrice = tuple(np.concatenate([part, part + 200, part + 400]) for part in fold)
    for seed in range(20):
        r = np.random.default_rng(seed).uniform(0.3, 1, 20)
        power = choose(X, y, r, folds=[fold])
        assert choose(X[rows], y[rows], r, folds=[thrice]) == power
        assert choose(X, y, r, folds=[fold], weight=np.full(200, 3.0)) == power


def test_large_tables_are_sampled():
    random = np.random.default_rng(0)
    X = random.normal(size=(5000, 4))
    y = X[:, :1] + 0.1 * random.normal(size=(5000, 1))
    assert choose(X, y, np.array([1.0, 0.01, 0.01, 0.01])) == 1.0


@pytest.mark.parametrize(("n_held_out", "power"), [(1, 0.0), (100, 1.0)])
def test_few_rows_held_out_of_a_large_table_all_vote(n_held_out, power):
    random = np.random.default_rng(0)
    X = random.normal(size=(5000, 4))
    y = X[:, :1] + 0.1 * random.normal(size=(5000, 1))
    rows = np.arange(5000)
    # The last ones, which a draw by share would leave out, or have too few of.
    folds = [(rows[:-n_held_out], rows[-n_held_out:])]
    # One row is predicted or not, by any power.
    assert choose(X, y, np.array([1.0, 0.01, 0.01, 0.01]), folds=folds) == power


def test_one_row_of_a_large_table_to_learn_from_has_the_only_vote():
    random = np.random.default_rng(0)
    X, y, rows = random.normal(size=(3000, 2)), random.normal(size=(3000, 1)), np.arange(3000)
    # All votes are the same, so no power wins.
    assert choose(X, y, np.array([1.0, 0.01]), folds=[(rows[:1], rows[1:])]) == 0.0


@pytest.mark.parametrize(
    ("n_held_out", "n_drawn"), [(1, 1), (100, 100), (1000, 400), (3000, 1200), (4900, 1600)]
)
def test_rows_that_vote_and_are_voted_on_are_enough_and_drawn_once(n_held_out, n_drawn):
    rows = np.arange(5000)
    folds = [Fold(rows[n_held_out:], rows[:n_held_out])]
    drawn = _drawn(rows, folds, np.random.RandomState(0))
    assert len(np.unique(drawn)) == len(drawn)
    assert (drawn < n_held_out).sum() == n_drawn
    assert len(drawn) == min(2000, n_drawn + 5000 - n_held_out)
