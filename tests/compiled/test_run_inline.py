"""A piece of a step gives the values and gradients that it would give without."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import COMPILE_CONFIG, SPEC

from skscale._compiled.forward import run_inline
from skscale._compiled.train_step import TrainStep


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_piece_has_the_values_and_gradients_of_the_whole(dtype):
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(6, 3)), dtype)
    kernel = tf.constant(random.normal(size=(3, 2)), dtype)

    @tf.function(jit_compile=True, autograph=False)
    def value_and_gradients(runtime_true):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = run_inline(runtime_true, lambda: tf.tanh(inputs @ kernel), (6, 2), dtype)
        return outputs, *tape.gradient(outputs, [inputs, kernel])

    in_pieces = value_and_gradients(tf.constant(True))
    at_once = value_and_gradients(None)
    for one, other in zip(in_pieces, at_once, strict=True):
        # The same operations, which XLA may fuse in another way.
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert np.any(np.asarray(at_once[2]) != 0)


@pytest.mark.parametrize(("axis", "expected"), [((), 4), ((3,), 0)])
def test_a_single_network_is_cut_in_pieces_and_a_stack_is_not(axis, expected):
    import tensorflow as tf

    step = TrainStep(SPEC, COMPILE_CONFIG, axis, "float32")
    shapes = [*step.shapes, (*axis, 32, 3), (*axis, 32, 2), (*axis, 32)]

    @tf.function(autograph=False)
    def loss(first_step, seeds, *arrays):
        *weights, inputs, targets, row_weights = arrays
        batch = inputs, targets, row_weights
        return step.gradients(weights, batch, seeds=seeds, step=first_step)[0]

    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    integers = [tf.TensorSpec(shape, tf.int32) for shape in ((), axis)]
    graph = loss.get_concrete_function(*integers, *specs).graph.as_graph_def()
    # Two layers, forward and back.
    kinds = [node.op for node in graph.node]
    assert sum("If" in kind for kind in kinds) == expected
