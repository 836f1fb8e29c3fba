"""Partitions are read in folds of their own, summarized and sampled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._distributed import summary as summaries
from skscale._distributed.partition import Reader
from skscale._distributed.summary import merge, summarize
from skscale._distributed.trainer import n_steps_of_visits

X = np.random.default_rng(0).normal(size=(400, 2))


def reader(cls=LearnedScaleRegressor, n_folds=5, **options):
    estimator = cls(**options)
    estimator.n_features_in_ = 2
    return Reader(estimator, n_folds, seed=0)


def test_each_row_is_held_out_once_and_folds_are_of_one_size():
    rows = reader().read(3, X[:37], X[:37, 0], None)
    assert np.bincount(rows.folds).tolist().count(7) == 3
    assert len(rows.folds) == 37
    # The same in the next pass, and others in another partition.
    assert_array_equal(reader().read(3, X[:37], X[:37, 0], None).folds, rows.folds)
    assert (reader().read(4, X[:37], X[:37, 0], None).folds != rows.folds).any()


def test_folds_have_their_part_of_each_class():
    y = np.repeat(["a", "bb", "c"], [300, 75, 25])
    rows = reader(LearnedScaleClassifier).read(0, X, y, None)
    for label, n in (("a", 60), ("bb", 15), ("c", 5)):
        assert np.bincount(rows.folds[rows.y == label]).tolist() == [n] * 5


def test_rows_of_weight_zero_are_left_out():
    weights = np.arange(400.0) % 2
    rows = reader().read(0, X, X[:, 0], weights)
    assert_array_equal(rows.X, X[1::2])
    assert reader().read(0, X, X[:, 0], np.zeros(400)) is None
    assert reader().read(0, X[:0], X[:0, 0], None) is None


def summary_of(number, rows, n_folds=5, y=None, **options):
    y = X[rows, 0] if y is None else y
    return summarize(reader(n_folds=n_folds, **options), number, X[rows], y, None)


def test_every_row_is_as_likely_to_be_in_the_sample_however_tasks_merge(monkeypatch):
    monkeypatch.setattr(summaries, "_SAMPLE_ROWS", 100)
    a, b, c = (
        summary_of(number, rows)
        for number, rows in enumerate([slice(0, 50), slice(50, 60), slice(60, 400)])
    )
    sample = merge([a, merge([b, None]), c]).sample
    assert len(sample) == 100
    assert_array_equal(merge([merge([a, b]), c]).sample.X, sample.X)
    # 85 of them are expected from the last part; five standard deviations are 18.
    n_last = np.isin(sample.X[:, 0], X[60:, 0]).sum()
    assert 67 < n_last <= 100


def test_empty_partitions_leave_no_trace():
    assert merge([summary_of(0, slice(0, 0)), None]) is None
    whole = merge([summary_of(0, slice(0, 0)), summary_of(1, slice(0, 40))])
    assert list(whole.counts) == [1]


def test_target_is_known_by_fold():
    parts = [summary_of(k, slice(100 * k, 100 * k + 100)) for k in range(4)]
    folds, rows = (
        merge(parts).folds,
        [reader().read(k, X[:100], X[:100, 0], None) for k in range(4)],
    )
    for fold in range(5):
        held_out = np.concatenate([X[100 * k :][:100][rows[k].folds == fold] for k in range(4)])
        mean = folds[fold].quantities.mean_in_units
        assert_allclose(mean, [held_out[:, 0].mean()], rtol=1e-12)


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (np.arange(400) % 3, {0: 134.0, 1: 133.0, 2: 133.0}),
        (np.arange(400) % 2 == 0, {False: 200.0, True: 200.0}),
        (np.where(np.arange(400) < 100, "no", "yes"), {"no": 100.0, "yes": 300.0}),
        (pd.Series(np.where(np.arange(400) < 100, 1.5, 2.0), dtype="category"), {1.5: 100, 2: 300}),
        # Quantities.
        (np.arange(400) / 3, {}),
    ],
)
def test_labels_are_weighed(y, labels):
    made = reader(LearnedScaleTransformer, n_folds=0)
    assert dict(summarize(made, 0, X, y, None).folds[0].labels) == labels


def test_integers_of_many_values_are_quantities_however_they_are_cut():
    made = reader(LearnedScaleTransformer, n_folds=0)
    parts = [summarize(made, k, X[:10], np.arange(10) + 10 * k, None) for k in range(3)]
    assert len(merge(parts).folds[0].labels) > 20
    assert len(summarize(made, 0, X, np.arange(400), None).folds[0].labels) == 21


def test_a_visit_has_the_steps_of_the_network_that_holds_out_least():
    counts = np.array([[50, 51], [10, 10], [0, 1], [300, 200]])
    assert n_steps_of_visits(counts, 50).tolist() == [2, 1, 1, 6]
    assert n_steps_of_visits(np.array([[100], [101]]), 50).tolist() == [2, 3]
