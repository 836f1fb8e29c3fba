"""Tables of similar width share a program, and padded features change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from skscale._draws import draw_weights
from skscale._network import NetworkSpec
from skscale._padding import narrow, widen
from skscale._plan import Plan, Table, Task
from skscale._program import _programs
from skscale._step import UpdateRule
from skscale._training import train

ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.01}}
RULE = UpdateRule("mean_squared_error", ADAM, proximal=True, scale_rate_factor=10.0)
PLAN = Plan(n_epochs=60, batch_size=32, learning_rate=0.01, dtype="float64")


def _training(n_features, spec=None):
    spec = spec or NetworkSpec(n_features, 1, (4,))
    random = np.random.default_rng(0)
    X = random.normal(size=(20, n_features))
    table = Table.of(X, X[:, :1] ** 2, np.ones(20), "float64")
    weights = [draw_weights(spec, np.random.default_rng(k)) for k in range(2)]
    return spec, table, [Task(np.arange(20), own, 0, 0.1, 0.1) for own in weights]


@pytest.mark.parametrize("n_features", [3, 5])
def test_padded_features_change_no_weight(n_features, monkeypatch):
    spec, table, tasks = _training(n_features)
    padded = train(spec, RULE, PLAN, table, tasks, stack=2)
    monkeypatch.setattr("skscale._padding._MAX_WIDTH", 0)
    plain = train(spec, RULE, PLAN, table, tasks, stack=2)
    for one, other in zip(padded, plain, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            # float64 over 60 steps; sums over zeros may only be grouped in another way.
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_tables_of_similar_width_share_a_program():
    n_programs = []
    for n_features in (3, 5, 7):
        spec, table, tasks = _training(n_features)
        train(spec, RULE, PLAN, table, tasks, stack=2)
        n_programs.append(len(_programs))
    assert len(set(n_programs)) == 1


def test_narrow_takes_back_what_widen_adds():
    spec, table, tasks = _training(5)
    wide, wide_table, wide_tasks = widen(spec, table, tasks)
    assert wide.n_features == 8
    assert wide_table.tensors[0].shape[1] == 8
    for task, own in zip(wide_tasks, tasks, strict=True):
        assert [a.shape for a in task.weights] == [p.shape for p in wide.parameters]
        for a, b in zip(narrow(spec, task.weights), own.weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_wide_tables_are_left_as_they_are():
    spec, table, tasks = _training(70)
    assert widen(spec, table, tasks)[0] == spec
    spec = replace(spec, n_features=8)
    assert widen(spec, table, tasks)[0] == spec
