"""The scale is drawn sorted, beside that of StandardScaler, and stays readable."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from skscale import LearnedScaleTransformer, ScaleDisplay

SCALE = [0.5, 2.0, 0.0]
MEMBERS = [[0.4, 4.0, 0.0], [0.6, 0.0, 0.0]]


def labels(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def dots(display):
    """Return where dots of networks lie, as (scale, row), and the rows of triangles."""
    inside, edge = set(), set()
    for collection in display.ax_.collections:
        for x, row in np.asarray(collection.get_offsets()):
            is_edge = collection.get_offset_transform() != display.ax_.transData
            (edge if is_edge else inside).add((round(float(x), 12), int(row)))
    return inside, {row for _, row in edge}


def test_bars_go_from_one_to_the_scale_with_the_largest_on_top():
    display = ScaleDisplay(SCALE).plot()
    assert labels(display) == ["x1", "x0", "x2"]
    bars = display.ax_.patches
    assert [bar.get_x() for bar in bars] == [1, 1, 1]
    assert [bar.get_x() + bar.get_width() for bar in bars] == [2.0, 0.5, 0.0]
    centers = [bar.get_y() + bar.get_height() / 2 for bar in bars]
    assert centers == list(display.ax_.get_yticks()) == [2, 1, 0]
    grown, *shrunk = (to_hex(bar.get_facecolor()) for bar in bars)
    assert grown not in shrunk
    assert len(set(shrunk)) == 1
    assert [text.get_text() for text in display.ax_.texts] == ["2.0", "0.50", "0"]


def test_dots_are_the_networks_and_zeros_lie_at_the_edge():
    display = ScaleDisplay(SCALE, member_scales=MEMBERS).plot()
    inside, edge = dots(display)
    assert inside == {(4.0, 2), (0.4, 1), (0.6, 1)}
    assert edge == {2, 0}
    low, high = display.ax_.get_xlim()
    assert 0 < low < 0.4
    assert high > 4.0


def test_single_network_has_no_dots(single):
    assert single.member_scales_.shape == (1, 10)
    inside, _ = dots(ScaleDisplay.from_estimator(single))
    assert not inside


def test_estimator_is_drawn_with_its_names_and_networks(with_path):
    display = ScaleDisplay.from_estimator(with_path)
    order = np.argsort(-with_path.relative_scale_)
    assert labels(display) == list(with_path.feature_names_in_[order])
    ends = [bar.get_x() + bar.get_width() for bar in display.ax_.patches]
    assert_allclose(ends, with_path.relative_scale_[order])
    inside, _ = dots(display)
    members = with_path.member_scales_
    assert {x for x, _ in inside} == set(np.round(members[members > 0], 12))


def test_features_without_names_are_numbered_unless_names_are_given(single):
    assert set(labels(ScaleDisplay.from_estimator(single))) == {f"x{i}" for i in range(10)}
    names = [f"gene {i}" for i in range(10)]
    display = ScaleDisplay.from_estimator(single, feature_names=names)
    assert set(labels(display)) == set(names)


def test_of_many_features_the_largest_have_rows_and_the_others_one():
    scale = np.random.default_rng(0).permutation(np.geomspace(0.01, 10, 500))
    display = ScaleDisplay(scale, member_scales=[scale, scale]).plot()
    order = np.argsort(-scale)
    assert labels(display) == [f"x{i}" for i in order[:30]] + ["median of 470 others"]
    last = display.ax_.patches[-1]
    assert last.get_x() + last.get_width() == pytest.approx(np.median(scale[order[30:]]))
    # A row must be as high as its label.
    heights = [label.get_window_extent().height for label in display.ax_.get_yticklabels()]
    rows = np.diff(display.ax_.transData.transform([(1, 0), (1, 1)])[:, 1])
    assert max(heights) < rows


def test_a_single_feature_more_is_drawn_itself():
    assert labels(ScaleDisplay(np.ones(6)).plot(max_features=5))[-1] == "x5"
    assert labels(ScaleDisplay(np.ones(7)).plot(max_features=5))[-1] == "median of 2 others"


def test_axis_of_few_decades_has_labels_between_them():
    def numbers(axes):
        axes.figure.canvas.draw()
        ticks = [*axes.get_xmajorticklabels(), *axes.get_xminorticklabels()]
        low, high = axes.get_xlim()
        texts = [tick.get_text() for tick in ticks if low < tick.get_position()[0] < high]
        return sorted(float(text) for text in texts if text)

    axes = ScaleDisplay(SCALE).plot().ax_
    assert numbers(axes) == [0.5, 1.0, 2.0]
    axes.set_xlim(9e-4, 5)
    assert numbers(axes) == [0.001, 0.01, 0.1, 1.0]


def test_given_axes_are_drawn_into():
    figure, ax = plt.subplots()
    display = ScaleDisplay(SCALE).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_long_name_leaves_room_for_the_drawing():
    (label,) = labels(ScaleDisplay([1.0], feature_names=["n" * 80]).plot())
    assert label == "n" * 29 + "…"


def test_wrong_number_of_names_is_refused():
    with pytest.raises(ValueError, match="feature_names has 2 names, but there are 3 features"):
        ScaleDisplay(SCALE, feature_names=["a", "b"]).plot()


def test_scale_without_targets_is_that_of_standard_scaler():
    scaler = LearnedScaleTransformer().fit(np.arange(6.0).reshape(3, 2))
    bars = ScaleDisplay.from_estimator(scaler).ax_.patches
    assert [bar.get_width() for bar in bars] == [0, 0]
