"""Losses are drawn against the epochs, held-out ones wherever they are known."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from numpy.testing import assert_array_equal

from skscale import TrainingCurveDisplay

CHOSEN, OTHERS = "held-out rows, chosen point", "held-out rows, other points of the path"
PATH = {
    "epochs": np.array([1, 3]),
    "losses": np.array([[0.9, np.nan], [0.8, 0.6], [np.inf, np.nan]]),
    "best_index": 1,
    "null_loss": 1.0,
}


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def line(display, label):
    (found,) = (line for line in display.ax_.lines if line.get_label() == label)
    return found.get_data()


def test_training_loss_is_drawn_against_epochs_from_one():
    display = TrainingCurveDisplay({"loss": [3.0, 2.0, 1.0]}).plot()
    assert legend(display) == ["training rows"]
    assert_array_equal(line(display, "training rows"), [[1, 2, 3], [3.0, 2.0, 1.0]])


def test_least_held_out_loss_is_marked():
    history = {"loss": [3.0, 2.0, 1.0, 0.5], "val_loss": [3.0, 2.0, 2.5, np.inf]}
    display = TrainingCurveDisplay(history).plot()
    assert_array_equal(line(display, "held-out rows")[1], [3.0, 2.0, 2.5, np.nan])
    (star,) = display.ax_.collections
    assert_array_equal(star.get_offsets(), [[2, 2.0]])


def test_held_out_losses_that_are_not_finite_are_not_marked():
    display = TrainingCurveDisplay({"loss": [3.0], "val_loss": [np.inf]}).plot()
    assert not display.ax_.collections


def test_points_of_a_path_are_drawn_as_far_as_they_were_trained():
    display = TrainingCurveDisplay({"loss": [3.0, 2.0, 1.0]}, path=PATH).plot()
    assert legend(display) == ["training rows", OTHERS, CHOSEN, "predicting the mean"]
    assert_array_equal(line(display, CHOSEN), [[1, 3], [0.8, 0.6]])
    assert_array_equal(line(display, OTHERS), [[1], [0.9]])


def test_points_that_caught_up_are_drawn_in_one_line():
    path = PATH | {"epochs": np.array([1, 2, 3])}
    path["losses"] = np.array([[0.9, np.nan, 0.7], [0.8, 0.75, 0.6]])
    display = TrainingCurveDisplay({"loss": [3.0, 2.0, 1.0]}, path=path).plot()
    assert_array_equal(line(display, OTHERS), [[1, 3], [0.9, 0.7]])


def test_path_of_one_point_has_no_others():
    path = PATH | {"losses": PATH["losses"][1:2], "best_index": 0}
    display = TrainingCurveDisplay({"loss": [3.0, 2.0, 1.0]}, path=path).plot()
    assert OTHERS not in legend(display)


def test_losses_of_every_epoch_stand_for_those_of_the_path():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.5]}
    display = TrainingCurveDisplay(history, path=PATH).plot()
    assert legend(display) == ["training rows", "held-out rows", "least held-out loss"]


def test_single_epoch_can_be_seen():
    display = TrainingCurveDisplay({"loss": [3.0]}).plot()
    assert display.ax_.lines[0].get_marker() == "o"


def test_losses_of_many_sizes_have_a_logarithmic_axis():
    assert TrainingCurveDisplay({"loss": [1.0, 0.5]}).plot().ax_.get_yscale() == "linear"
    assert TrainingCurveDisplay({"loss": [1.0, 0.01]}).plot().ax_.get_yscale() == "log"
    # Some losses of Keras may be negative.
    assert TrainingCurveDisplay({"loss": [1.0, -0.5]}).plot().ax_.get_yscale() == "linear"


def test_given_axes_are_drawn_into(single):
    figure, ax = plt.subplots()
    display = TrainingCurveDisplay.from_estimator(single, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_estimator_is_drawn_with_all_that_is_known(single, with_path):
    display = TrainingCurveDisplay.from_estimator(single)
    assert_array_equal(line(display, "held-out rows")[1], single.history_["val_loss"])
    display = TrainingCurveDisplay.from_estimator(with_path)
    assert_array_equal(line(display, "training rows")[1], with_path.history_["loss"])
    epochs, losses = line(display, CHOSEN)
    assert_array_equal(epochs, [1, 4, 12, 20])
    best = with_path.path_["best_index"]
    assert_array_equal(losses, with_path.path_["losses"][best])
