"""The cosine of full turns: NumPy's, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._inference.cosine import _BLOCK_SIZE, _MIN_SIZE, cosine_of_turns
from skscale._limits import PERIODIC_LIMIT


def exact(turns):
    # What is subtracted is exact: the cosine of less than half a turn has nothing else to lose.
    return np.cos(2 * np.pi * (turns - np.rint(turns)))


@pytest.mark.parametrize("size", [_MIN_SIZE, _BLOCK_SIZE, _BLOCK_SIZE + 1, 3 * _BLOCK_SIZE - 7])
@pytest.mark.parametrize("largest", [0.5, 3.0, 1e3, 1e9])
def test_many_numbers_are_right_to_the_last_digits(size, largest):
    turns = np.linspace(-largest, largest, size)
    expected = exact(turns)
    # Ours is 5e-16 off, the expected one 3e-16.
    np.testing.assert_allclose(cosine_of_turns(turns), expected, rtol=0, atol=1e-15)


def test_few_numbers_are_right_to_the_rounding_of_their_radians():
    turns = np.linspace(-3, 3, _MIN_SIZE - 1)
    expected = exact(turns)
    np.testing.assert_allclose(cosine_of_turns(turns), expected, rtol=0, atol=4e-15)


@pytest.mark.parametrize("size", [100, 100_000])
def test_float32_stays_float32(size):
    turns = np.linspace(-3, 3, size, dtype=np.float32)
    expected = exact(turns.astype(np.float64))
    cosine = cosine_of_turns(turns)
    assert cosine.dtype == np.float32
    # Nineteen radians are known to 1e-6.
    np.testing.assert_allclose(cosine, expected, rtol=0, atol=2e-6)


def test_quarters_of_a_turn_are_zeros():
    turns = np.arange(-2000, 2000) / 4
    cosine = cosine_of_turns(turns.copy())
    np.testing.assert_array_equal(cosine[1::2], 0)
    np.testing.assert_allclose(cosine[::4], 1, rtol=0, atol=3e-16)
    np.testing.assert_allclose(cosine[2::4], -1, rtol=0, atol=3e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [10, 4000])
def test_huge_numbers_have_a_cosine(dtype, size):
    turns = np.geomspace(1, PERIODIC_LIMIT, size).astype(dtype)
    cosine = cosine_of_turns(np.concatenate([-turns, turns]))
    assert (np.abs(cosine) <= 1 + 1e-15).all()


@pytest.mark.parametrize("shape", [(4, 5), (30, 16, 600), (0, 16, 3)])
def test_the_array_itself_is_overwritten(shape):
    turns = np.random.default_rng(0).normal(size=shape)
    expected = exact(turns)
    cosine = cosine_of_turns(turns)
    assert cosine is turns
    np.testing.assert_allclose(cosine, expected, rtol=0, atol=1e-14)
