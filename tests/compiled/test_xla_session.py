"""Lanes of a session: calls one after the other share one, calls at once have one each."""

from __future__ import annotations

import threading

import numpy as np
import tensorflow as tf

from skscale._compiled.compiled_function import CompiledFunction
from skscale._compiled.xla_session import XlaSession

ARRAYS = [np.arange(3, dtype=np.float32)]


def doubling(session):
    return CompiledFunction(lambda x: (x * 2,), ARRAYS, session)


def test_calls_one_after_the_other_share_what_was_compiled():
    session = XlaSession()
    functions = [doubling(session), CompiledFunction(lambda x: (tf.sin(x),), ARRAYS, session)]
    for _ in range(2):
        for function in functions:
            function(ARRAYS)
    assert session.n_executables == 2


def test_a_call_beside_another_has_a_lane_of_its_own_which_compiles_too():
    session = XlaSession(max_lanes=2)
    function = doubling(session)
    function(ARRAYS)
    # As if another thread were in the middle of a call.
    with session._lane(None):
        np.testing.assert_array_equal(function(ARRAYS)[0], 2 * ARRAYS[0])
        assert session.n_executables == 2
    # Both have it by now.
    function(ARRAYS)
    assert session.n_executables == 2


def test_a_call_waits_where_all_lanes_are_taken():
    session = XlaSession(max_lanes=1)
    function, results = doubling(session), []
    thread = threading.Thread(target=lambda: results.extend(function(ARRAYS)))
    with session._lane(None):
        thread.start()
        thread.join(0.2)
        assert not results
    thread.join()
    np.testing.assert_array_equal(results[0], 2 * ARRAYS[0])
    assert session.n_executables == 1


def test_calls_side_by_side_share_one_lane():
    session = XlaSession(side_by_side=True)
    function = doubling(session)
    with session._lane(None):
        np.testing.assert_array_equal(function(ARRAYS)[0], 2 * ARRAYS[0])
    function(ARRAYS)
    assert session.n_executables == 1
