"""The path is drawn against its strengths, zero included, with the choice marked."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skscale import LearnedScaleRegressor, PathDisplay

PATH = {
    "strength": np.array([0.0, 0.1, 1.0, 0.0, 0.1]),
    "embedding": np.array([False, False, False, True, True]),
    "mean_loss": np.array([0.9, 0.5, 0.8, np.inf, 0.7]),
    "std_loss": np.array([0.1, 0.1, 0.1, np.nan, 0.1]),
    "scale": np.array([[1.0, 2.0], [0.5, 1.0], [0.0, 0.1], [np.nan, np.nan], [3.0, 3.0]]),
    "stopped": np.array([True, False, True, True, False]),
    "best_index": 1,
    "null_loss": 1.0,
    "epochs": np.array([2, 10]),
    "losses": np.array([[0.9, np.nan], [0.6, 0.5], [0.8, np.nan], [np.inf, np.nan], [0.8, 0.7]]),
}


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def losses(display):
    """Return (strengths, losses) of each kind of network."""
    data = [container[0].get_data() for container in display.ax_[0].containers]
    return [np.array(line) for line in data]


def test_losses_of_both_networks_are_drawn_and_failed_points_left_out():
    display = PathDisplay(PATH).plot()
    plain, embedded = losses(display)
    assert_array_equal(plain, [[0.0, 0.1, 1.0], [0.9, 0.5, 0.8]])
    assert_array_equal(embedded, [[0.0, 0.1], [np.nan, 0.7]])
    assert set(legend(display.ax_[0])) == {
        *("without an embedding", "with an embedding", "stopped early", "chosen"),
        "predicting the mean",
    }


def test_points_that_stopped_early_are_hollow():
    above = PathDisplay(PATH).plot().ax_[0]
    hollow = {
        tuple(point)
        for points in above.collections
        if len(points.get_facecolor()) and (points.get_facecolor() == 1.0).all()
        for point in np.asarray(points.get_offsets()).tolist()
    }
    assert {point for point in hollow if np.isfinite(point).all()} == {(0.0, 0.9), (1.0, 0.8)}


def test_choice_is_marked_in_both_panels():
    display = PathDisplay(PATH).plot()
    for axes in display.ax_:
        assert any(list(line.get_xdata()) == [0.1, 0.1] for line in axes.lines)
    (star,) = (p for p in display.ax_[0].collections if p.get_label() == "chosen")
    assert_array_equal(star.get_offsets(), [[0.1, 0.5]])


def test_factors_are_those_of_the_chosen_kind_of_network():
    below = PathDisplay(PATH, feature_names=["a", "b"]).plot().ax_[1]
    # The larger factor at the choice is named first.
    assert legend(below) == ["b", "a"]
    assert_array_equal(lines(below)["b"].get_data(), [[0.0, 0.1, 1.0], [2.0, 1.0, 0.1]])
    assert_array_equal(lines(below)["a"].get_data(), [[0.0, 0.1, 1.0], [1.0, 0.5, 0.0]])


def test_every_strength_has_its_place_and_its_label():
    below = PathDisplay(PATH).plot().ax_[1]
    below.figure.canvas.draw()
    assert [label.get_text() for label in below.get_xticklabels()] == ["0", "0.1", "1"]
    places = below.transData.transform([(s, 0.0) for s in (0.0, 0.1, 1.0)])[:, 0]
    # Labels of a hundred pixels would still not overlap.
    assert np.diff(places).min() > 100


@pytest.mark.parametrize(
    "strengths",
    [[0.0], [0.1], [0.1, 1.0], [0.0, *np.geomspace(0.01, 1, 40)], [0.0, *2.0 ** np.arange(-15, 0)]],
    ids=["zero", "one", "two", "near", "many"],
)
def test_any_path_is_drawn(strengths):
    n = len(strengths)
    path = {
        "strength": np.array(strengths),
        "embedding": np.zeros(n, bool),
        "mean_loss": np.linspace(0.01, 1, n),
        "std_loss": np.full(n, np.nan),
        "scale": np.ones((n, 3)),
        "best_index": 0,
    }
    display = PathDisplay(path).plot()
    display.figure_.canvas.draw()
    assert legend(display.ax_[0]) == ["chosen", "held-out rows"]
    low, high = display.ax_[0].get_xlim()
    assert low < min(strengths) <= max(strengths) < high
    shown = [label for label in display.ax_[1].get_xticklabels() if label.get_text()]
    assert len(shown) < 12


def test_of_many_features_few_have_colours_and_names():
    scale = np.random.default_rng(0).uniform(0, 1, (5, 500))
    below = PathDisplay(PATH | {"scale": scale}).plot().ax_[1]
    largest = np.argsort(-scale[1])[:7]
    assert legend(below) == ["493 others", *(f"x{i}" for i in largest)]
    named = [lines(below)[f"x{i}"] for i in largest]
    assert len({line.get_color() for line in named}) == 7
    assert len({line.get_marker() for line in named}) == 7
    below = PathDisplay(PATH | {"scale": scale}).plot(max_features=3).ax_[1]
    assert legend(below)[0] == "497 others"


def test_features_are_told_apart_where_nothing_is_left_of_them():
    scale = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    assert legend(PathDisplay(PATH | {"scale": scale}).plot().ax_[1]) == ["x1", "x0"]


def test_losses_of_many_sizes_have_a_logarithmic_axis():
    assert PathDisplay(PATH).plot().ax_[0].get_yscale() == "linear"
    wide = PATH | {"mean_loss": np.array([1.0, 0.01, 1.0, np.inf, 1.0])}
    assert PathDisplay(wide).plot().ax_[0].get_yscale() == "log"


@pytest.mark.parametrize("n_axes", [1, 2])
def test_one_axes_is_divided_and_two_are_used(n_axes):
    figure, given = plt.subplots(n_axes)
    display = PathDisplay(PATH).plot(given)
    assert display.figure_ is figure
    assert len(display.ax_) == 2
    if n_axes == 2:
        assert list(display.ax_) == list(given)
    else:
        assert list(display.ax_) == given.child_axes[::-1]
    low = [axes.get_xlim()[0] for axes in display.ax_]
    assert low[0] == low[1]


def test_other_numbers_of_axes_are_refused():
    _, given = plt.subplots(3)
    with pytest.raises(ValueError, match="ax takes one or two matplotlib Axes, got 3"):
        PathDisplay(PATH).plot(given)


def test_estimator_is_drawn_with_its_names(with_path):
    display = PathDisplay.from_estimator(with_path, max_features=10)
    assert set(legend(display.ax_[1])) == set(with_path.feature_names_in_)
    strength, loss = losses(display)[0]
    assert_array_equal(strength, with_path.path_["strength"])
    assert_allclose(loss, with_path.path_["mean_loss"])
    line = lines(display.ax_[1])["bmi"]
    assert_array_equal(line.get_ydata(), with_path.path_["scale"][:, 2])


def test_path_of_chunks_is_drawn_without_what_chunks_do_not_know():
    random = np.random.default_rng(0)
    options = {"hidden_layer_sizes": (8,), "regularization_path": [0.0, 0.1], "random_state": 0}
    model = LearnedScaleRegressor(**options)
    model.partial_fit(random.normal(size=(40, 2)), random.normal(size=40))
    assert legend(PathDisplay.from_estimator(model).ax_[0]) == ["chosen", "held-out rows"]
