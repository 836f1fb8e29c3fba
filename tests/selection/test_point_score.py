"""`path_` has the same form after fit and partial_fit."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from skscale._network.dense_spec import DenseSpec
from skscale._network.periodic_spec import PeriodicSpec
from skscale._selection.point_score import PointScore, path_attribute
from skscale._training.path_points import Candidate, PathPoint

CANDIDATES = [
    Candidate(PathPoint(0.0, 0.1), DenseSpec(2, 1)),
    Candidate(PathPoint(3.0, 1.0), DenseSpec(2, 1, embedding=PeriodicSpec())),
]
SCALES = np.array([[1.0, 2.0], [0.0, 0.5]])


def test_path_has_an_array_for_each_number_of_a_point_and_its_score():
    path = path_attribute(
        CANDIDATES,
        [PointScore(0.5, 0.25), PointScore()],
        SCALES,
        0,
        stopped=np.array([False, True]),
    )
    assert list(path) == [
        *("strength", "weight_decay", "embedding", "mean_loss", "std_loss", "scale"),
        *("stopped", "best_index"),
    ]
    assert_array_equal(path["strength"], [0.0, 3.0])
    assert_array_equal(path["weight_decay"], [0.1, 1.0])
    assert_array_equal(path["embedding"], [False, True])
    assert_array_equal(path["mean_loss"], [0.5, np.inf])
    assert_array_equal(path["std_loss"], [0.25, np.nan])
    # The second point has failed.
    assert_array_equal(path["scale"], [[1.0, 2.0], [np.nan, np.nan]])
    assert_array_equal(path["stopped"], [False, True])
    assert path["best_index"] == 0


def test_path_of_classes_has_temperatures_and_the_loss_of_the_mean():
    scores = [PointScore(0.5, 0.25, 1.5), PointScore()]
    path = path_attribute(CANDIDATES, scores, SCALES, 1, null_loss=0.7, has_temperatures=True)
    assert path["null_loss"] == 0.7
    # Unless it is said.
    assert_array_equal(path["stopped"], [False, False])
    assert_array_equal(path["temperature"], [1.5, 1.0])


def test_losses_of_the_parts_of_a_training_have_a_row_for_each_point():
    parts = [1, 4], [np.array([0.9, 0.8]), np.array([0.5, np.nan])]
    path = path_attribute(CANDIDATES, [PointScore(0.5), PointScore(0.8)], SCALES, 0, parts=parts)
    assert_array_equal(path["epochs"], [1, 4])
    assert_array_equal(path["losses"], [[0.9, 0.5], [0.8, np.nan]])


def test_a_training_without_a_whole_part_has_no_losses():
    path = path_attribute(CANDIDATES, [PointScore(0.5), PointScore(0.8)], SCALES, 0, parts=([], []))
    assert path["losses"].shape == (2, 0)
    assert path["epochs"].shape == (0,)
