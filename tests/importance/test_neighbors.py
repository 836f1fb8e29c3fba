"""The neighbour vote is scikit-learn's, weights repeat rows, and row order decides nothing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skscale._importance.neighbors import neighbor_vote, vote_score

# Sums of a few positive terms of order one, in another order than scikit-learn's.
ROUNDING = {"rtol": 1e-12, "atol": 1e-13}


def draw(n_train=80, n_test=30, n_features=4, n_outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X_train, X_test = rng.normal(size=(n_train, n_features)), rng.normal(size=(n_test, n_features))
    return X_train, rng.normal(size=(n_train, n_outputs)), X_test


def reference(X_train, y_train, X_test, n_neighbors=10):
    # Brute force with scipy's metric takes explicit differences, as we do.
    model = KNeighborsRegressor(
        min(n_neighbors, len(X_train)),
        weights="distance",
        algorithm="brute",
        metric="minkowski",
        p=2,
    )
    return model.fit(X_train, y_train).predict(X_test)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_neighbors", [1, 2, 10, 80])
def test_vote_is_that_of_scikit_learn(n_outputs, n_neighbors):
    X, y, X_test = draw(n_outputs=n_outputs)
    vote = neighbor_vote(X, y, X_test, n_neighbors=n_neighbors)
    assert_allclose(vote, reference(X, y, X_test, n_neighbors), **ROUNDING)


def test_one_hot_rows_give_the_shares_of_classes():
    X, y, X_test = draw()
    labels = (y[:, 0] > 0).astype(int) + (y[:, 1] > 0.5)
    model = KNeighborsClassifier(10, weights="distance", algorithm="brute").fit(X, labels)
    vote = neighbor_vote(X, np.eye(3)[labels], X_test)
    assert_allclose(vote, model.predict_proba(X_test), **ROUNDING)


def test_whole_weights_are_repeated_rows():
    X, y, X_test = draw()
    weights = np.random.default_rng(1).integers(0, 5, len(X))
    vote = neighbor_vote(X, y, X_test, sample_weight=weights)
    repeated = reference(np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0), X_test)
    assert_allclose(vote, repeated, **ROUNDING)


def test_weights_above_the_number_of_neighbors_leave_the_nearest_row_alone():
    X, y, X_test = draw()
    vote = neighbor_vote(X, y, X_test, sample_weight=np.full(len(X), 10.0))
    assert_allclose(vote, reference(X, y, X_test, 1), **ROUNDING)


def test_last_neighbor_counts_in_part():
    X, y = np.array([[1.0], [2.0], [4.0], [8.0]]), np.array([[1.0], [10.0], [100.0], [1e3]])
    weights = np.array([0.75, 0.5, 2.0, 1.0])
    # Of the third row only the quarter that is left of 1.5.
    votes = np.array([0.75 / 1, 0.5 / 2, 0.25 / 4])
    vote = neighbor_vote(X, y, np.zeros((1, 1)), n_neighbors=1.5, sample_weight=weights)
    assert_allclose(vote, [votes @ y[:3] / votes.sum()], **ROUNDING)


def test_fractional_weights_and_neighbors_scale_together():
    X, y, X_test = draw()
    weights = np.random.default_rng(1).uniform(0.1, 2, len(X))
    vote = neighbor_vote(X, y, X_test, n_neighbors=10, sample_weight=weights)
    scaled = neighbor_vote(X, y, X_test, n_neighbors=0.03, sample_weight=weights * 0.003)
    assert_allclose(scaled, vote, **ROUNDING)


@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e-300, 1e300])
def test_weights_of_any_unit_are_relative_to_the_neighbors(unit):
    X, y, X_test = draw()
    weights = unit * np.arange(1, len(X) + 1)
    vote = neighbor_vote(X, y, X_test, sample_weight=weights)
    # All rows weigh less than ten, or each of them more.
    n_neighbors, same = (np.inf, weights / unit) if unit < 1 else (1, None)
    expected = neighbor_vote(X, y, X_test, n_neighbors=n_neighbors, sample_weight=same)
    # A subnormal number holds few digits of the unit.
    assert_allclose(vote, expected, **({"rtol": 1e-3} if unit == 1e-310 else ROUNDING))


@pytest.mark.parametrize("sample_weight", [None, np.array([0.5, 1.0, 0.2])])
def test_all_rows_are_used_where_they_weigh_less(sample_weight):
    X, y, X_test = draw(n_train=3)
    votes = 1 / np.linalg.norm(X_test[:, np.newaxis] - X, axis=2)
    votes = votes if sample_weight is None else votes * sample_weight
    expected = votes @ y / votes.sum(axis=1, keepdims=True)
    assert_allclose(neighbor_vote(X, y, X_test, sample_weight=sample_weight), expected, **ROUNDING)


def test_rows_at_distance_zero_count_alone():
    X, y, _ = draw()
    X = np.vstack([X, X[:5]])
    y = np.vstack([y, y[:5] + 1])
    assert_allclose(neighbor_vote(X, y, X[:5]), y[:5] + 0.5, **ROUNDING)
    assert_allclose(neighbor_vote(X, y, X[5:80]), y[5:80], **ROUNDING)
    # Others beside them are at no such distance.
    far = X[:5] + 0.1
    together = neighbor_vote(X, y, np.vstack([X[:5], far]))
    assert_allclose(together[5:], neighbor_vote(X, y, far), **ROUNDING)


def test_more_zero_distances_than_neighbors_count_by_their_weights():
    y = np.arange(30.0)[:, np.newaxis]
    weights = np.random.default_rng(0).uniform(1, 3, 30)
    vote = neighbor_vote(np.ones((30, 2)), y, np.ones((1, 2)), sample_weight=weights)
    assert_allclose(vote[0], np.average(y, axis=0, weights=weights), **ROUNDING)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_ties_at_the_last_distance_share_by_weight_in_any_order(is_weighted):
    # A grid: many rows at each distance, and 10 falls between.
    grid = np.stack(np.meshgrid(*[np.arange(5.0)] * 2), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    y, weights = rng.normal(size=(25, 1)), rng.uniform(0.5, 2, 25) if is_weighted else np.ones(25)
    center = np.full((1, 2), 2.5)
    vote = neighbor_vote(grid, y, center, sample_weight=weights)
    for _ in range(5):
        order = rng.permutation(25)
        again = neighbor_vote(grid[order], y[order], center, sample_weight=weights[order])
        assert_allclose(again, vote, **ROUNDING)

    distance = np.linalg.norm(grid - center, axis=1)
    shells = np.unique(np.round(distance, 9))
    counted, left = np.zeros(25), 10.0
    for shell in shells:
        rows = np.abs(distance - shell) < 1e-6
        share = min(1.0, left / weights[rows].sum())
        counted[rows] = share * weights[rows] / distance[rows]
        left -= share * weights[rows].sum()
    assert_allclose(vote, [counted @ y / counted.sum()], **ROUNDING)


def test_ties_survive_a_change_of_units():
    # 0.1 and friends are no binary fractions, so equal distances differ in the last bit.
    grid = np.stack(np.meshgrid(*[np.arange(7.0)] * 2), axis=-1).reshape(-1, 2)
    y = np.random.default_rng(0).normal(size=(len(grid), 1))
    vote = neighbor_vote(grid, y, grid + 0.5)
    for unit in (0.1, 1 / 3, 1e-6 * np.pi):
        # Coordinates are rounded, so one over the distance is off by a few in the last digit.
        assert_allclose(neighbor_vote(grid * unit, y, (grid + 0.5) * unit), vote, rtol=1e-10)


def test_small_distances_keep_their_digits_far_from_the_origin():
    # Steps of 2**-20 are exact beside 2**20, but their squares vanish beside its square.
    X, y, X_test = draw(n_features=1)
    X, X_test = np.round(X * 2**10), np.round(X_test * 2**10)
    far = neighbor_vote(X / 2**20 + 2**20, y, X_test / 2**20 + 2**20)
    assert_array_equal(far, neighbor_vote(X, y, X_test))


def test_rows_of_weight_zero_do_not_matter():
    X, y, X_test = draw()
    weights = np.r_[np.ones(40), np.zeros(40)]
    vote = neighbor_vote(X, y, X_test, sample_weight=weights)
    assert_array_equal(vote, neighbor_vote(X[:40], y[:40], X_test))
    # Even where they are nearest of all.
    assert_array_equal(
        neighbor_vote(X, y, X[40:], sample_weight=weights), neighbor_vote(X[:40], y[:40], X[40:])
    )


def test_vote_needs_a_row_of_positive_weight():
    X, y, X_test = draw()
    with pytest.raises(ValueError, match="None of the 80 rows to learn from has a positive weight"):
        neighbor_vote(X, y, X_test, sample_weight=np.zeros(80))


def test_large_tables_stay_within_a_few_chunks_of_memory():
    X, y, X_test = draw(n_train=2000, n_test=2000, n_outputs=1)
    tracemalloc.start()
    vote = neighbor_vote(X, y, X_test)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All distances at once are 32 MB, and there are several arrays of that shape.
    assert peak < 24e6
    assert_allclose(vote, reference(X, y, X_test), **ROUNDING)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("sample_weight", [None, np.linspace(0, 2, 50)])
def test_score_of_numbers_is_r2(n_outputs, sample_weight):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(50, n_outputs)) * [10.0**i for i in range(n_outputs)] + 3
    prediction = y + rng.normal(size=y.shape)
    score = vote_score(y, prediction, sample_weight, is_classification=False)
    # Sums of fifty terms, in another order.
    expected = pytest.approx(r2_score(y, prediction, sample_weight=sample_weight), rel=1e-12)
    assert score == expected
    assert isinstance(score, float)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_score_has_no_units(unit):
    y, prediction = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [1.0]])
    score = vote_score(y * unit, prediction * unit, None, is_classification=False)
    # The unit and its double are rounded.
    assert score == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e300])
@pytest.mark.parametrize(("n_rows", "weight"), [(1, 1.0), (7, 0.3)])
def test_constant_outputs_score_one_or_zero(constant, n_rows, weight):
    rng = np.random.default_rng(0)
    y = np.column_stack([np.full(n_rows, constant), np.arange(n_rows)])
    weights = np.full(n_rows, weight)
    # The mean of 0.1 and 0.1 need not be 0.1: the second vote is off by rounding alone.
    for exact in (y[:, :1], y[:, :1] * (1 + 1e-15)):
        assert vote_score(y[:, :1], exact, weights, is_classification=False) == 1.0
    wrong = y[:, :1] + max(constant, 1.0) * rng.uniform(0.1, 1, (n_rows, 1))
    for off in (wrong, y[:, :1] + max(constant, 1.0) * 1e-9):
        assert vote_score(y[:, :1], off, weights, is_classification=False) == 0.0
    # The other output counts half, as in scikit-learn's uniform average.
    both = vote_score(y, np.hstack([wrong, y[:, 1:]]), weights, is_classification=False)
    assert both == 0.5


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("sample_weight", [None, np.linspace(0, 2, 50)])
def test_score_of_classes_is_accuracy(n_classes, sample_weight):
    rng = np.random.default_rng(0)
    labels, votes = rng.integers(n_classes, size=50), rng.dirichlet(np.ones(n_classes), 50)
    expected = accuracy_score(labels, votes.argmax(axis=1), sample_weight=sample_weight)
    one_hot = np.eye(n_classes)[labels]
    score = vote_score(one_hot, votes, sample_weight, is_classification=True)
    assert score == pytest.approx(expected, rel=1e-12)  # another order of sums
    assert isinstance(score, float)
    if n_classes == 2:
        columns = one_hot[:, 1:], votes[:, 1:]
        assert vote_score(*columns, sample_weight, is_classification=True) == score


def test_first_class_wins_equal_votes_whatever_the_rounding():
    last_bit = np.spacing(0.5)
    votes = np.array([[0.5, 0.5], [0.5 - last_bit, 0.5 + last_bit]])
    first, second = np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0]] * 2)
    assert vote_score(first, votes, None, is_classification=True) == 1.0
    assert vote_score(second, votes, None, is_classification=True) == 0.0
    assert vote_score(first[:, 1:], votes[:, 1:], None, is_classification=True) == 1.0


@pytest.mark.parametrize("is_classification", [False, True])
def test_rows_of_weight_zero_do_not_count_in_the_score(is_classification):
    rng = np.random.default_rng(0)
    y = np.eye(2)[rng.integers(2, size=20)]
    vote, weights = rng.uniform(size=(20, 2)), np.r_[np.ones(12), np.zeros(8)]
    vote[12:] = 1e300
    score = vote_score(y, vote, weights, is_classification=is_classification)
    assert score == vote_score(y[:12], vote[:12], None, is_classification=is_classification)


@pytest.mark.parametrize("sample_weight", [np.zeros(3), None])
def test_score_needs_a_row_of_positive_weight(sample_weight):
    y = np.ones((0 if sample_weight is None else 3, 1))
    with pytest.raises(ValueError, match=f"None of the {len(y)} rows to score"):
        vote_score(y, y, sample_weight, is_classification=False)
