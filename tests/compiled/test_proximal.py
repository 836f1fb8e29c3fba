"""The proximal step of the factors: its formula, and exact zeros."""

from __future__ import annotations

import numpy as np

from skscale._compiled.proximal import proximal_slots, proximal_step


def _proximal_numpy(scale, gradients, *, rate, strength, epsilon):
    """The formula of the design, one network, one step after another."""
    first, second = np.zeros_like(scale), 0.0
    for count, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * np.mean(gradient**2)
        eta = rate / (np.sqrt(second / (1 - 0.999**count)) + epsilon)
        moved = scale - eta * first / (1 - 0.9**count)
        scale = np.sign(moved) * np.maximum(np.abs(moved) - eta * strength / len(scale), 0)
    return scale


def _proximal(scale, gradients, *, rate, strength, epsilon):
    import tensorflow as tf

    slots = [tf.constant(slot) for slot in proximal_slots(scale.shape, "float64")]
    scale = tf.constant(scale)
    for step, gradient in enumerate(gradients):
        scale, slots = proximal_step(
            scale,
            tf.constant(gradient),
            slots,
            step=tf.constant(step),
            rate=tf.constant(rate, tf.float64),
            strength=tf.constant(strength, tf.float64),
            n_features=tf.constant(scale.shape[-1], tf.float64),
            epsilon=epsilon,
        )
    return np.asarray(scale)


def test_the_proximal_step_follows_its_formula_for_each_network_of_a_stack():
    random = np.random.default_rng(0)
    scale, gradients = random.normal(size=(3, 7)), random.normal(size=(20, 3, 7))
    strengths = np.array([0.0, 0.5, 3.0])
    ours = _proximal(scale, gradients, rate=0.05, strength=strengths, epsilon=1e-3)
    for k in range(3):
        options = {"rate": 0.05, "strength": strengths[k], "epsilon": 1e-3}
        expected = _proximal_numpy(scale[k], gradients[:, k], **options)
        # float64, a few roundings a step.
        np.testing.assert_allclose(ours[k], expected, rtol=1e-12, atol=1e-14)
        alone = _proximal(scale[k], gradients[:, k], **options)
        np.testing.assert_allclose(ours[k], alone, rtol=1e-12, atol=1e-14)
    assert not (ours[0] == 0).any()
    assert (ours[2] == 0).any()


def test_a_strong_penalty_leaves_exact_zeros_and_no_negative_ones():
    gradients = np.zeros((60, 4))
    gradients[:] = [1e-3, -1e-3, 0.0, -1.0]
    scale = _proximal(np.ones(4), gradients, rate=0.1, strength=1.0, epsilon=1e-3)
    assert scale[:3].tolist() == [0.0, 0.0, 0.0]
    assert scale[3] > 1
