"""A tensor computed inline has the values and gradients that XLA gives by itself."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._compiled.run_inline import run_inline


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inline_has_the_values_and_gradients_of_xla_by_itself(dtype):
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

    inline = value_and_gradients(tf.constant(True))
    by_itself = value_and_gradients(None)
    for one, other in zip(inline, by_itself, strict=True):
        # The same operations, which XLA may fuse in another way.
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert np.any(np.asarray(by_itself[2]) != 0)
