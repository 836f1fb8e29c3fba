"""A piece of a step gives the values and gradients that it would give without."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._compiled.forward import run_inline


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_piece_has_the_values_and_gradients_of_the_whole(dtype):
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(6, 3)), dtype)
    kernel = tf.constant(random.normal(size=(3, 2)), dtype)

    @tf.function(jit_compile=True, autograph=False)
    def value_and_gradients(always):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = run_inline(always, lambda: tf.tanh(inputs @ kernel), (6, 2), dtype)
        return outputs, *tape.gradient(outputs, [inputs, kernel])

    in_pieces = value_and_gradients(tf.constant(True))
    at_once = value_and_gradients(None)
    for one, other in zip(in_pieces, at_once, strict=True):
        # The same operations, which XLA may fuse in another way.
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert np.any(np.asarray(at_once[2]) != 0)
