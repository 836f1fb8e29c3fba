"""The scaling layer folded into a product: the numbers of the layer by itself."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skscale._compiled.scaling import Scaling


def draw(*shape):
    return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape))


@pytest.mark.parametrize("leading", [(), (2,)], ids=["one network", "a stack"])
@pytest.mark.parametrize("has_offset", [True, False])
@pytest.mark.parametrize("has_bias", [True, False])
def test_folded_products_and_their_gradients_are_those_of_the_layer(leading, has_offset, has_bias):
    scaling = Scaling(draw(*leading, 3), draw(*leading, 3) + 1 if has_offset else None)
    kernel, bias = draw(*leading, 3, 4), draw(*leading, 4) if has_bias else None
    inputs, target = draw(*leading, 9, 3), draw(*leading, 9, 4)
    trained = [array for array in (*scaling, kernel, bias) if array is not None]

    def product(rows, kernel, bias):
        outputs = rows @ kernel
        return outputs if bias is None else outputs + bias[..., None, :]

    outputs, gradients = [], []
    for is_folded in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(trained)
            if is_folded:
                outputs.append(product(inputs, *scaling.fold(kernel, bias)))
            else:
                outputs.append(product(scaling.apply(inputs), kernel, bias))
            loss = tf.reduce_sum((outputs[-1] - target) ** 2)
        gradients.append(tape.gradient(loss, trained))
    # Sums of a hundred numbers of about one, in another order.
    np.testing.assert_allclose(*outputs, rtol=0, atol=1e-13)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_lines_over_scaled_features_are_lines_over_normalized_ones():
    scaling, z = Scaling(draw(5), draw(5) * 2), draw(7, 5)
    slope, height, columns = draw(2, 6), draw(2, 6), (3, 0)
    folded, raised = scaling.of_features(columns).fold_each(slope, height)
    exact = scaling.apply(z).numpy()[:, columns, None] * slope + height
    # Three operations of numbers up to ten.
    np.testing.assert_allclose(z.numpy()[:, columns, None] * folded + raised, exact, atol=1e-14)
