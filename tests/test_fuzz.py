"""The fuzzer runs: some of its cases, and it sees what is wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fuzz import Case, draw_case, judge, run_cases

from skscale import LearnedScaleTransformer


@pytest.mark.slow
def test_cases_end_in_a_finite_model_or_in_a_clear_error():
    outcomes = {number: outcome for number, outcome, _ in run_cases(0, 0, 15)}
    failed = {
        n: str(draw_case(0, n)) + o.message for n, o in outcomes.items() if o.kind == "failed"
    }
    assert not failed
    assert {outcome.kind for outcome in outcomes.values()} == {"model", "refused"}


def test_a_case_is_the_same_whenever_it_is_drawn():
    first, second = draw_case(3, 14), draw_case(3, 14)
    assert str(first) == str(second)
    assert first.random.random() == second.random.random()


class Infinite(LearnedScaleTransformer):
    """Gives infinity."""

    def transform(self, X):
        return np.full(np.shape(X), np.inf)


class Loud(LearnedScaleTransformer):
    """Lets a warning of NumPy out."""

    def transform(self, X):
        np.full(1, 1e308) * 10
        return super().transform(X)


class Silent(LearnedScaleTransformer):
    """Refuses without a name."""

    def fit(self, X, y=None):
        raise ValueError("no")


class Broken(LearnedScaleTransformer):
    """Ends in another error."""

    def fit(self, X, y=None):
        raise KeyError("X")


@pytest.mark.parametrize(
    ("cls", "fault"),
    [
        (Infinite, "transform is not finite"),
        (Loud, "RuntimeWarning at .* overflow encountered"),
        (Silent, "names no parameter and no data"),
        (Broken, "KeyError: 'X'"),
    ],
)
def test_what_is_wrong_is_seen(cls, fault):
    rows = np.random.default_rng(0).normal(size=(5, 2))
    outcome = judge(Case(cls(), "fit", {"X": rows}, np.random.default_rng(0)))
    assert outcome.kind == "failed"
    assert re.search(fault, outcome.message)
