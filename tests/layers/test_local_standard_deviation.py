"""LocalStandardDeviation: the window, its edges, its digits and its gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skscale.layers import LocalStandardDeviation

SIGNAL = np.array([4.0, 8.0, 1.0, 1.0, 1.0, 7.0, 9.0, 3.0])


# Edges use the steps that are there.
POPULATION = [2.0, 2.867441755680876, 3.299831645537222, 0.0]
POPULATION += [2.8284271247461903, 3.3993463423951895, 2.494438257849294, 3.0]
SAMPLE = [2.8284, 3.5119, 4.0415, 0, 3.4641, 4.1633, 3.0551, 4.2426]


def of_windows(x, half_window, ddof=0, axis=-2):
    """Take every window by itself, in NumPy; one of too few steps has no deviation."""
    x = np.moveaxis(np.asarray(x, "float64"), axis, 0)
    clipped = [x[max(0, i - half_window) : i + half_window + 1] for i in range(len(x))]
    found = [
        rows.std(axis=0, ddof=ddof) if len(rows) > ddof else np.zeros(x.shape[1:])
        for rows in clipped
    ]
    return np.moveaxis(np.array(found), 0, axis)


def deviations(x, half_window, dtype="float64", ddof=0):
    return np.asarray(LocalStandardDeviation(half_window, ddof, dtype=dtype)(np.asarray(x)))


def gradient(x, half_window, dtype="float64", jit_compile=False, ddof=0):
    layer = LocalStandardDeviation(half_window, ddof, dtype=dtype)

    @tf.function(jit_compile=jit_compile)
    def of(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(layer(inputs))
        return tape.gradient(total, inputs)

    return of(tf.constant(x, dtype)).numpy()


@pytest.mark.parametrize(
    ("ddof", "expected", "rtol", "atol"),
    # A few roundings of float64; the four digits that the textbook prints.
    [(0, POPULATION, 1e-14, 0), (1, SAMPLE, 0, 5e-5)],
)
def test_the_signal_of_the_documentation(ddof, expected, rtol, atol):
    found = deviations(SIGNAL.reshape(1, 8, 1), 1, ddof=ddof).ravel()
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def test_ddof_is_zero_unless_given():
    default = LocalStandardDeviation(1, dtype="float64")(SIGNAL.reshape(1, 8, 1))
    np.testing.assert_array_equal(default, deviations(SIGNAL.reshape(1, 8, 1), 1, ddof=0))


@pytest.mark.parametrize("shape", [(8, 3), (2, 8, 3), (2, 4, 8, 3), (1, 1, 1), (2, 2, 1)])
@pytest.mark.parametrize("half_window", [1, 2, 7, 8, 1000])
@pytest.mark.parametrize("ddof", [0, 1])
def test_windows_are_centred_and_clipped_along_the_last_but_one_axis(shape, half_window, ddof):
    x = np.random.default_rng(0).normal(size=shape)
    found = deviations(x, half_window, ddof=ddof)
    # A few roundings of float64, on numbers of order one.
    np.testing.assert_allclose(found, of_windows(x, half_window, ddof), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 5e-6), ("float64", 1e-14)])
def test_a_large_offset_leaves_the_digits(dtype, digits):
    # A ripple of whole numbers, which float32 holds exactly at this offset.
    offset = {"float32": 2.0**23, "float64": 2.0**52}[dtype]
    x = SIGNAL.reshape(1, 8, 1).astype(dtype) + np.asarray(offset, dtype)
    expected = of_windows(SIGNAL.reshape(1, 8, 1), 1)
    np.testing.assert_allclose(deviations(x, 1, dtype), expected, rtol=digits, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [2.0**-100, 2.0**-66, 2.0**66, 2.0**100])
def test_powers_of_two_pass_through_whatever_the_unit(dtype, factor):
    x = SIGNAL.reshape(1, 8, 1).astype(dtype)
    # Squares of 1e-30 and of 1e30 are outside float32.
    expected = deviations(x, 2, dtype) * np.asarray(factor, dtype)
    np.testing.assert_array_equal(deviations(x * np.asarray(factor, dtype), 2, dtype), expected)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e20, 1e-30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_constant_window_is_zero_and_so_is_its_gradient(value, dtype, jit_compile):
    x = np.full((2, 9, 3), value)
    np.testing.assert_array_equal(deviations(x, 3, dtype), np.zeros(x.shape))
    np.testing.assert_array_equal(gradient(x, 3, dtype, jit_compile), np.zeros(x.shape))


@pytest.mark.parametrize("ddof", [0, 1, 2])
def test_gradient_is_that_of_the_formula(ddof):
    x = np.random.default_rng(0).normal(size=(2, 7, 2))
    step = 1e-6
    expected = np.zeros_like(x)
    for where in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[where] += step
        behind[where] -= step
        change = of_windows(ahead, 2, ddof).sum() - of_windows(behind, 2, ddof).sum()
        expected[where] = change / (2 * step)
    # Central differences of sums of order ten: 1e-15 / 1e-6 of rounding.
    np.testing.assert_allclose(gradient(x, 2, ddof=ddof), expected, rtol=0, atol=1e-7)


def test_gradient_beside_a_constant_window_is_that_of_the_other_windows():
    # Only the windows around the last two of five steps are not constant.
    x = np.array([1.0, 1.0, 1.0, 1.0, 4.0]).reshape(1, 5, 1)
    # (1, 1, 4): mean 2, sd sqrt(2); (1, 4): mean 2.5, sd 1.5. Gradient: deviation / (count * sd).
    inside, last = np.array([-1.0, -1.0, 2.0]) / (3 * np.sqrt(2)), np.array([-0.5, 0.5])
    expected = [0, 0, inside[0], inside[1] + last[0], inside[2] + last[1]]
    # A few roundings of float64.
    np.testing.assert_allclose(gradient(x, 1).ravel(), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("masked", [[6, 7], [0], [2, 4], [3, 4, 5]])
@pytest.mark.parametrize("ddof", [0, 1])
def test_masked_steps_are_in_no_window(masked, ddof):
    mask = np.ones((1, 8), bool)
    mask[0, masked] = False
    x = SIGNAL.reshape(1, 8, 1)
    spoiled = x.copy()
    spoiled[0, masked] = 1e6
    layer = LocalStandardDeviation(1, ddof, dtype="float64")
    inputs = tf.constant(spoiled)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = layer(inputs, mask=tf.constant(mask))
    slope = tape.gradient(found, inputs).numpy()
    found = found.numpy()
    for i in np.flatnonzero(mask[0]):
        window = [j for j in range(max(0, i - 1), min(8, i + 2)) if mask[0, j]]
        expected = x[0, window].std(ddof=ddof) if len(window) > ddof else 0.0
        # A few roundings of float64.
        np.testing.assert_allclose(found[0, i, 0], expected, rtol=1e-14, atol=0)
    # Where no step is left there is no deviation, and no gradient.
    assert np.isfinite(found).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("n_steps", [1, 2])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_window_of_ddof_steps_or_fewer_is_zero_and_so_is_its_gradient(n_steps, jit_compile):
    x = SIGNAL[:n_steps].reshape(1, n_steps, 1)
    np.testing.assert_array_equal(deviations(x, 2, ddof=2), np.zeros(x.shape))
    np.testing.assert_array_equal(gradient(x, 2, "float64", jit_compile, 2), np.zeros(x.shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_shows_even_in_a_window_of_few_steps(value):
    assert np.isnan(deviations(np.array([[[value]]]), 1, ddof=1)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_windows_only(value):
    x = SIGNAL.reshape(1, 8, 1).copy()
    x[0, 3] = value
    found = deviations(x, 1).ravel()
    assert np.isnan(found[2:5]).all()
    # A few roundings of float64.
    expected = of_windows(SIGNAL[:, None], 1).ravel()
    np.testing.assert_allclose(found[[0, 1, 5, 6, 7]], expected[[0, 1, 5, 6, 7]], rtol=1e-14)


def test_signals_of_any_length_pass_through_one_model():
    inputs = keras.Input((None, 1))
    model = keras.Model(inputs, LocalStandardDeviation(3)(inputs))
    for n_steps in [1, 2, 5, 12]:
        x = np.random.default_rng(n_steps).normal(size=(3, n_steps, 1)).astype("float32")
        # A few roundings of float32, on numbers of order one.
        np.testing.assert_allclose(model(x), of_windows(x, 3), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("half_window", [0, -1])
def test_a_half_window_below_one_is_refused(half_window):
    with pytest.raises(
        ValueError, match=rf"half_window={half_window} leaves one step.*either side"
    ):
        LocalStandardDeviation(half_window)


@pytest.mark.parametrize("half_window", [1.0, "3", None, True])
def test_a_half_window_that_is_no_whole_number_is_refused(half_window):
    with pytest.raises(TypeError, match=r"half_window=.* is no number of steps.*either side"):
        LocalStandardDeviation(half_window)


def test_a_ddof_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"ddof=-1 is below 0. Give 0 .* or 1"):
        LocalStandardDeviation(1, ddof=-1)


def test_a_ddof_that_leaves_nothing_at_the_ends_is_refused():
    with pytest.raises(ValueError, match=r"ddof=3 leaves nothing .* = 3 steps.*at most 2.*least 3"):
        LocalStandardDeviation(2, ddof=3)


@pytest.mark.parametrize("ddof", [1.0, "1", None, True])
def test_a_ddof_that_is_no_whole_number_is_refused(ddof):
    with pytest.raises(TypeError, match=r"ddof=.* is no whole number. Give 0"):
        LocalStandardDeviation(2, ddof=ddof)


def test_an_input_without_steps_is_refused():
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        LocalStandardDeviation(1)(SIGNAL)
