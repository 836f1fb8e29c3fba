"""Folds refer to the rows as given, leave out rows of weight zero, and fit the table."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold

from skscale._selection.folds import given_fold, hold_out, make_folds

X = np.arange(60.0).reshape(30, 2)
ONES = np.ones(30)
LABELS = np.repeat([0, 1, 2], [15, 9, 6])
GROUPS = np.repeat(np.arange(6), 5)


def assert_partition(folds, rows):
    assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), rows)
    for train, test in folds:
        assert_array_equal(np.sort(np.concatenate([train, test])), rows)


# An int


def test_int_gives_shuffled_folds_that_hold_out_every_row_once():
    folds = make_folds(5, X, ONES, seed=0)
    assert_partition(folds, np.arange(30))
    assert [len(test) for _, test in folds] == [6] * 5
    assert not np.array_equal(folds[0][1], np.arange(6))


def test_seed_decides_the_folds():
    first, same, other = (make_folds(5, X, ONES, seed=seed)[0][1] for seed in (0, 0, 1))
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_labels_stratify_the_folds():
    folds = make_folds(3, X, ONES, labels=LABELS, seed=0)
    assert_partition(folds, np.arange(30))
    for _, test in folds:
        assert_array_equal(np.bincount(LABELS[test]), [5, 3, 2])


@pytest.mark.parametrize("labels", [None, LABELS])
def test_groups_stay_together(labels):
    folds = make_folds(3, X, ONES, labels=labels, groups=GROUPS, seed=0)
    assert_partition(folds, np.arange(30))
    for train, test in folds:
        assert not set(GROUPS[train]) & set(GROUPS[test])


@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("labels", [None, LABELS])
def test_rows_of_weight_zero_are_as_if_absent(labels, groups):
    weight = ONES.copy()
    weight[::4] = 0
    kept = np.flatnonzero(weight)
    own = {"labels": labels, "groups": groups}
    folds = make_folds(3, X, weight, **own, seed=0)
    own = {name: None if values is None else values[kept] for name, values in own.items()}
    without = make_folds(3, X[kept], weight[kept], **own, seed=0)
    assert_partition(folds, kept)
    for (train, test), (train_without, test_without) in zip(folds, without, strict=True):
        assert_array_equal(train, kept[train_without])
        assert_array_equal(test, kept[test_without])


def test_few_rows_of_positive_weight_always_leave_something_to_learn_from():
    weight = np.zeros(30)
    weight[[3, 4]] = 1
    folds = make_folds(2, X, weight, seed=0)
    assert [(len(train), len(test)) for train, test in folds] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("settings", "most", "what"),
    [
        ({}, 30, "30 rows of positive weight"),
        ({"labels": LABELS}, 6, "6 rows in the smallest class"),
        ({"groups": GROUPS}, 6, "6 groups"),
    ],
)
def test_int_is_lowered_to_what_the_table_allows(settings, most, what):
    with pytest.warns(UserWarning, match=f"cv=40 is more than the {what}: using cv={most}"):
        folds = make_folds(40, X, ONES, **settings, seed=0)
    assert len(folds) == most


@pytest.mark.parametrize("counts", [[20, 9, 1], [28, 1, 1], [1] * 30])
def test_classes_of_one_row_leave_two_folds_and_no_other_warning(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    with pytest.warns(UserWarning, match="cv=5 is more than the 1 rows") as record:
        folds = make_folds(5, X, ONES, labels=labels, seed=0)
    assert len(record) == 1
    assert len(folds) == 2
    assert_partition(folds, np.arange(30))


def test_single_group_cannot_be_split():
    with (
        pytest.warns(UserWarning, match="using cv=2"),
        pytest.raises(ValueError, match="greater than the number of groups: 1"),
    ):
        make_folds(5, X, ONES, groups=np.ones(30), seed=0)


# Splitters and splits


@pytest.mark.parametrize(
    ("cv", "settings"),
    [
        (KFold(3), {}),
        (StratifiedKFold(3), {"labels": LABELS}),
        (GroupKFold(3), {"groups": GROUPS}),
        (LeaveOneGroupOut(), {"groups": GROUPS}),
    ],
    ids=str,
)
def test_splitter_is_taken_as_it_is(cv, settings):
    folds = make_folds(cv, X, ONES, **settings, seed=0)
    expected = list(cv.split(X, settings.get("labels"), settings.get("groups")))
    for fold, split in zip(folds, expected, strict=True):
        assert_array_equal(fold[0], split[0])
        assert_array_equal(fold[1], split[1])


class ByTarget:
    """Splits at the median of y, as only a splitter that sees y can."""

    def split(self, X, y, groups=None):
        high = y > np.median(y)
        yield np.flatnonzero(high), np.flatnonzero(~high)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


def test_splitter_sees_the_targets():
    target = np.sin(np.arange(30))
    ((train, test),) = make_folds(ByTarget(), X, ONES, y=target, seed=0)
    assert target[train].min() > target[test].max()


class Overlapping(ByTarget):
    """Learns from all rows, and holds all of them out."""

    def __repr__(self):
        return "Overlapping()"

    def split(self, X, y=None, groups=None):
        yield np.arange(len(X)), np.arange(len(X))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (np.arange(20), np.arange(20, 30)),
        (list(range(20)), list(range(20, 30))),
        (np.arange(30) < 20, np.arange(30) >= 20),
        (np.arange(20) - 30, np.arange(-10, 0)),
    ],
    ids=["arrays", "lists", "masks", "negative"],
)
def test_splits_are_row_numbers_of_any_kind(train, test):
    ((learned, held_out),) = make_folds([(train, test)], X, ONES, seed=0)
    assert_array_equal(learned, np.arange(20))
    assert_array_equal(held_out, np.arange(20, 30))


def test_splits_refer_to_the_rows_as_given():
    weight = ONES.copy()
    weight[:10] = 0
    ((train, test),) = make_folds([(range(5, 15), range(15, 30))], X, weight, seed=0)
    assert_array_equal(train, np.arange(10, 15))
    assert_array_equal(test, np.arange(15, 30))


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([([0, 1], [30])], r"does not fit the table: fold 0 holds array\(\[30\]\).*from 0 to 29"),
        ([([0, -31], [2])], "does not fit the table"),
        ([([0.5], [2])], "does not fit the table"),
        ([([0], [[2]])], "does not fit the table"),
        (
            [np.arange(6)],
            r"does not give folds: fold 0 is array\(\[0, 1, .* a pair of the row numb",
        ),
        ({"class_name": "KFold"}, "does not give folds: fold 0 is 'class_name', but a pair"),
        ([None], "does not give folds: fold 0 is None, but a pair"),
        (["ab"], "does not give folds: fold 0 is 'ab', but a pair"),
        ([([0], [1]), ([], [2])], "no row of positive weight to learn from in fold 1. Use fewer"),
        ([([0], [])], "holds out no row of positive weight in any of its 1 folds. Use an int"),
        ([], "in any of its 0 folds"),
        (KFold(31), "greater than the number of samples: n_samples=30"),
        (
            GroupKFold(2),
            r"^cv=GroupKFold\(.* splits by groups, but none are given. Pass",
        ),
        (
            LeaveOneGroupOut(),
            r"^cv=LeaveOneGroupOut\(\) splits by groups, .* fit\(X, y, groups=",
        ),
        (
            [([0, 1], [2]), ([0, -29, 3], [1, 4, 3])],
            "holds out rows that it learns from: 2 in fold 1, such as row 1. Give splits",
        ),
        (Overlapping(), "holds out rows that it learns from: 30 in fold 0, such as row 0"),
    ],
    ids=str,
)
def test_splits_that_do_not_fit_are_refused(cv, message):
    with pytest.raises(ValueError, match=message):
        make_folds(cv, X, ONES, seed=0)


def test_groups_must_be_as_many_as_rows():
    with pytest.raises(ValueError, match=r"groups has shape \(2,\), but one group"):
        make_folds(2, X, ONES, groups=[1, 2], seed=0)
    with pytest.raises(ValueError, match=r"groups has shape \(2,\), but one group"):
        hold_out(0.1, ONES, groups=[1, 2], seed=0)


BAD_GROUPS = {
    "mixed": ([None, *range(29)], TypeError, "groups holds values that cannot be sorted. Give num"),
    "columns": (np.zeros((30, 2)), ValueError, r"groups has shape \(30, 2\), but .* \(30,\)"),
    "too few": (np.zeros(29), ValueError, r"groups has shape \(29,\), but one group for each row"),
    "text": ("patient", ValueError, r"groups has shape \(\), but one group for each row of X"),
}


@pytest.mark.parametrize(("groups", "kind", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_groups_that_are_none_are_refused_by_name(groups, kind, message):
    with pytest.raises(kind, match=f"^{message}"):
        make_folds(3, X, ONES, groups=groups, seed=0)
    with pytest.raises(kind, match=f"^{message}"):
        hold_out(0.2, ONES, groups=groups, seed=0)


def test_without_a_cv_there_are_the_folds_of_scikit_learn():
    assert len(make_folds(None, X, ONES, seed=0)) == 5


# One split, for early stopping


@pytest.mark.parametrize(
    ("groups", "what"), [(None, "30 rows of positive weight"), (GROUPS, "6 groups")]
)
def test_hold_out_leaves_something_to_learn_from(groups, what):
    message = f"^validation_fraction=0.999 holds out all of the {what}. Give a smaller fraction"
    with pytest.raises(ValueError, match=message):
        hold_out(0.999, ONES, groups=groups, seed=0)


def test_hold_out_takes_its_share():
    learned, held_out = hold_out(0.2, ONES, seed=0)
    assert len(held_out) == 6
    assert_array_equal(np.sort(np.concatenate([learned, held_out])), np.arange(30))
    assert (np.diff(learned) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_hold_out_takes_of_each_class_its_part():
    _, held_out = hold_out(1 / 3, ONES, labels=LABELS, seed=0)
    assert_array_equal(np.bincount(LABELS[held_out]), [5, 3, 2])


def test_hold_out_takes_whole_groups():
    learned, held_out = hold_out(0.3, ONES, groups=GROUPS, seed=0)
    assert len(held_out) == 10
    assert not set(GROUPS[learned]) & set(GROUPS[held_out])


def test_hold_out_leaves_out_rows_of_weight_zero():
    weight = ONES.copy()
    weight[5:] = 0
    learned, held_out = hold_out(0.2, weight, seed=0)
    assert_array_equal(np.sort(np.concatenate([learned, held_out])), np.arange(5))


@pytest.mark.parametrize("labels", [np.arange(30), np.arange(30) % 7, np.arange(30) < 1])
def test_hold_out_works_where_classes_are_too_small(labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learned, held_out = hold_out(0.1, ONES, labels=labels, seed=0)
    assert (len(learned), len(held_out)) == (27, 3)


def test_given_rows_to_hold_out_come_last_and_rows_of_weight_zero_in_neither_part():
    fold = given_fold(np.array([1.0, 0.0, 2.0, 1.0, 0.0, 3.0]), 3)
    assert_array_equal(fold.train, [0, 2])
    assert_array_equal(fold.held_out, [3, 5])
