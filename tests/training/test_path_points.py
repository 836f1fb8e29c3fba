"""A path is resolved into points of strength and decay, and what is no path is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils._param_validation import InvalidParameterError

from skscale._training.path_points import REGULARIZATION_PATH, regularization_path


def test_auto_path_ends_in_null_models():
    points = regularization_path("auto", "auto", is_ours=True)
    assert_array_equal(points, REGULARIZATION_PATH)
    assert points[0].strength == 0
    assert points[-1].strength == 10


@pytest.mark.parametrize("path", [[0, 0.03, 1], (0, 0.03, 1.0), np.array([0, 0.03, 1])])
def test_strengths_alone_get_the_decay_of_the_defaults(path):
    points = regularization_path(path, "auto", is_ours=True)
    np.testing.assert_allclose(points, [[0, 0], [0.03, 0.3], [1, 1]], rtol=1e-15)


def test_pairs_are_strength_and_decay():
    points = regularization_path([(0.5, 2.0), (1, 0)], "auto", is_ours=True)
    assert_array_equal(points, [[0.5, 2.0], [1.0, 0.0]])


def test_weight_decay_replaces_that_of_the_path():
    points = regularization_path("auto", 0.25, is_ours=True)
    assert points == [(strength, 0.25) for strength, _ in REGULARIZATION_PATH]


def test_optimizer_with_a_decay_of_its_own_keeps_it():
    points = regularization_path("auto", "auto", is_ours=False)
    assert [point.weight_decay for point in points] == [0.0] * 8


@pytest.mark.parametrize(
    "path",
    [
        *([], [-1.0], [np.nan], [np.inf], [(1, 2, 3)], ["a"], [[1, 2], [3]], 0.5, [[[1, 2]]]),
        *([True], [(0.1, True)], [np.True_], ["1"], [1j]),
        # More than float32 holds, and more than float64 does.
        *([1e308, 1e308], [(0.1, 1e39)], [1, 10**400]),
    ],
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidParameterError, match=r"regularization_path=.* is no path. Give a"):
        regularization_path(path, "auto", is_ours=True)
