"""Work on all cores that this process may use."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from skscale._parallel import map_threads


@pytest.mark.parametrize("limit", ["1", "3"])
def test_results_come_in_the_order_of_the_items(monkeypatch, limit):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)

    def compute(item: int) -> int:
        # Later items are through first where threads are free.
        time.sleep(0.001 * (20 - item))
        return item**2

    assert map_threads(compute, range(20)) == [item**2 for item in range(20)]


def test_the_first_error_in_the_order_of_the_items_is_raised():
    def compute(item: int) -> None:
        if item >= 3:
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 3"):
        map_threads(compute, range(10))


@pytest.mark.parametrize(("limit", "n_items"), [("1", 8), ("4", 1), ("4", 0)])
def test_one_item_and_one_core_need_no_other_thread(monkeypatch, limit, n_items):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    here = threading.get_ident()
    assert map_threads(lambda _: threading.get_ident(), range(n_items)) == [here] * n_items


def test_no_more_threads_work_than_are_allowed(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    used = set(map_threads(lambda _: time.sleep(0.001) or threading.get_ident(), range(50)))
    assert len(used) <= 2


def test_a_thread_does_not_start_threads_of_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def inner(_: int) -> int:
        return threading.get_ident()

    for inside, here in map_threads(
        lambda _: (map_threads(inner, range(4)), threading.get_ident()), range(4)
    ):
        assert inside == [here] * 4


@pytest.mark.parametrize("limit", ["1", "2"])
def test_threads_treat_overflow_as_the_caller_asks(monkeypatch, limit):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    with np.errstate(over="raise"):
        assert map_threads(lambda _: np.geterr()["over"], range(8)) == ["raise"] * 8
