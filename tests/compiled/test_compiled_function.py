"""A compiled function gives what it gives without a compiler, and is freed with all it holds."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from skscale._compiled.compiled_function import CompiledFunction
from skscale._compiled.xla_session import XlaSession

ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.int32)]


def product(x, n):
    return x * tf.cast(n, x.dtype), tf.reduce_sum(x, 0)


def assert_gives(function, *expected):
    for array, right in zip(function(ARRAYS), expected, strict=True):
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, right)


def test_it_takes_arrays_and_gives_arrays():
    assert_gives(CompiledFunction(product, ARRAYS, XlaSession()), ARRAYS[0], ARRAYS[0].sum(0))


def test_functions_of_one_session_do_not_meet():
    session = XlaSession()
    functions = [CompiledFunction(product, ARRAYS, session)]
    assert_gives(functions[0], ARRAYS[0], ARRAYS[0].sum(0))
    functions.append(CompiledFunction(lambda x, n: (x + 1, x), ARRAYS, session))
    assert_gives(functions[1], ARRAYS[0] + 1, ARRAYS[0])
    assert_gives(functions[0], ARRAYS[0], ARRAYS[0].sum(0))


def test_the_same_function_may_be_there_twice():
    def doubled(x, n):
        # What the body of a loop captures has a name in its condition that TensorFlow numbers.
        return tf.while_loop(lambda i, y: i < n[0], lambda i, y: (i + 1, y + x), (0, x))[1], x

    session = XlaSession()
    for _ in range(2):
        assert_gives(CompiledFunction(doubled, ARRAYS, session), 2 * ARRAYS[0], ARRAYS[0])


def test_threads_may_call_one_function_from_its_first_call_on():
    function = CompiledFunction(product, ARRAYS, XlaSession())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda n: function([ARRAYS[0], ARRAYS[1] * n])[0], range(20)))
    for n, result in enumerate(results):
        np.testing.assert_array_equal(result, n * ARRAYS[0])


def test_what_a_function_holds_by_itself_is_read_at_each_call():
    # Too large for TensorFlow to write it into the graph; and a variable never is.
    table, variable = tf.reshape(tf.range(600.0), (200, 3)), tf.Variable(1.0)
    function = CompiledFunction(lambda x, n: (x + table[199] * variable, x), ARRAYS, XlaSession())
    assert_gives(function, ARRAYS[0] + np.array([597.0, 598.0, 599.0]), ARRAYS[0])
    variable.assign(0.0)
    assert_gives(function, ARRAYS[0], ARRAYS[0])


def test_a_function_that_is_dropped_leaves_nothing_behind():
    graphs = []

    def with_gradients(x, n):
        with tf.GradientTape() as tape:
            tape.watch(x)
            # Both have a gradient of their own in TensorFlow's registry: in a branch, in a loop.
            y = tf.cond(n[0] > 0, lambda: tf.nn.silu(x), lambda: x)
        gradient = tape.gradient(y, x)
        graphs.append(weakref.ref(x.graph))

        def step(i, z):
            graphs.append(weakref.ref(z.graph))
            return i + 1, tf.nn.silu(z)

        return gradient, tf.while_loop(lambda i, _: i < n[1], step, (0, x))[1]

    held = XlaSession()
    session, function = weakref.ref(held), CompiledFunction(with_gradients, ARRAYS, held)
    function(ARRAYS)
    del held, function
    # What XLA compiled is the largest part, and goes without waiting for the collector of cycles.
    assert session() is None
    gc.collect()
    assert [graph() for graph in graphs] == [None, None]
