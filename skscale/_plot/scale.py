"""The learned scale of each feature beside the data's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skscale._plot.axes import BLUE, GREY, ORANGE, clean, new_axes, shortened
from skscale._plot.fitted import check_estimator_of_ours, checked_names, feature_names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is smaller is drawn as zero is: at the edge.
_SMALLEST = 1e-4
# A span of fewer decades needs more than a label for each.
_FEW_DECADES = 1.5
_ROW_HEIGHT = 0.27


class ScaleDisplay:
    """The learned scale of each feature beside the data's own, sorted.

    A bar starts at 1, the scale of `StandardScaler`, and ends at the learned one: blue where the
    feature has grown, orange where it has shrunk. Dots are the networks of the model. A triangle at
    the left edge is a factor of zero, of a feature that was dropped.

    `from_estimator` is the usual way to make one.

    Parameters
    ----------
    relative_scale : array-like of shape (n_features,)
        The scale in units of `StandardScaler`'s.
    member_scales : array-like of shape (n_networks, n_features), default=None
        The same of each network, or of each of several estimators.
    feature_names : array-like of shape (n_features,), default=None
        Names; None means x0, x1 and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn into.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    PathDisplay : The factors against the strength of the penalty.
    LearnedScaleRegressor : `relative_scale_` and `member_scales_`, which it shows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skscale import LearnedScaleTransformer, ScaleDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> scaler = LearnedScaleTransformer(scale_regularizer=None, epochs=20, random_state=0)
    >>> display = ScaleDisplay.from_estimator(scaler.fit(X, y))
    >>> len(display.ax_.get_yticklabels())
    10

    Bars and dots of anything else that is a scale in these units:

    >>> display = ScaleDisplay([0.5, 2.0], feature_names=["weight", "height"]).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['height', 'weight']
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        relative_scale: ArrayLike,
        *,
        member_scales: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
    ):
        self.relative_scale = relative_scale
        self.member_scales = member_scales
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: ArrayLike | None = None,
        max_features: int = 30,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the scale that an estimator has learned.

        Parameters
        ----------
        estimator : LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer
            A fitted one.
        feature_names : array-like of shape (n_features,), default=None
            Names; None means those seen in `fit`, or else x0, x1 and so on.
        max_features : int, default=30
            Features with a row of their own, the largest scales first; one row stands for all
            others.
        ax : matplotlib Axes, default=None
            What to draw into; None means a new figure.

        Returns
        -------
        display : ScaleDisplay
            What was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is none of the three.
        """
        check_estimator_of_ours(estimator, cls.__name__)
        if feature_names is None:
            feature_names = feature_names_of(estimator)
        display = cls(
            estimator.relative_scale_,
            member_scales=estimator.member_scales_,
            feature_names=feature_names,
        )
        return display.plot(ax, max_features=max_features)

    def plot(self, ax: Axes | None = None, *, max_features: int = 30) -> Self:
        """Draw the scale.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; None means a new figure.
        max_features : int, default=30
            Features with a row of their own, the largest scales first; one row stands for all
            others.

        Returns
        -------
        display : ScaleDisplay
            Itself.
        """
        scale = np.asarray(self.relative_scale, float)
        names = checked_names(self.feature_names, len(scale))
        members = np.empty((0, len(scale)))
        if self.member_scales is not None:
            members = np.asarray(self.member_scales, float)
        # Of equal ones the first stays first.
        order = np.argsort(-scale, kind="stable")
        # A row for a single other would take as much room as its own.
        n_shown = len(scale) if len(scale) <= max_features + 1 else max_features
        shown, others = order[:n_shown], order[n_shown:]
        median_of_others = np.median(scale[others], keepdims=True) if len(others) else scale[:0]
        n_rows = n_shown + len(median_of_others)
        if ax is None:
            (ax,) = new_axes(type(self).__name__, 1, (7.0, 1.2 + _ROW_HEIGHT * max(n_rows, 4)))
        drawn = [members[:, shown].ravel(), scale[shown], median_of_others]
        _set_limits(ax, np.concatenate(drawn))
        rows = n_rows - 1 - np.arange(n_shown)
        _draw_bars(ax, rows, scale[shown], [BLUE if s > 1 else ORANGE for s in scale[shown]])
        # A single network is the bar.
        if len(members) > 1:
            _draw_dots(ax, np.tile(rows, len(members)), members[:, shown].ravel())
        labels = [shortened(names[i]) for i in shown]
        if len(others):
            labels.append(f"median of {len(others)} others")
            _draw_bars(ax, np.zeros(1), median_of_others, [GREY])
        ax.axvline(1, color="black", linewidth=1)
        ax.set_yticks(n_rows - 1 - np.arange(n_rows), labels)
        ax.set_ylim(-0.6, n_rows - 0.4)
        dots = "\ndots: single networks" if len(members) > 1 else ""
        ax.set_xlabel(f"smaller  ←  StandardScaler = 1  →  larger{dots}")
        # Room for the triangles at the edge.
        ax.tick_params(axis="y", length=0, pad=9)
        clean(ax, "x")
        ax.spines["left"].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment]
        return self


def _set_limits(ax: Axes, values: np.ndarray) -> None:
    drawn = values[values > _SMALLEST]
    low, high = min(drawn.min(initial=1.0), 0.5) / 1.5, max(drawn.max(initial=1.0), 2.0) * 1.5
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(partial(_minor_label, ax))


def _minor_label(ax: Axes, value: float, _: int | None) -> str:
    """Label 0.2, 0.5, 2, 5 ... as long as the axis, whose limits may change, has few decades."""
    low, high = ax.get_xlim()
    is_labelled = f"{value:e}"[0] in "25" and np.log10(high / low) < _FEW_DECADES
    return f"{value:g}" if is_labelled else ""


def _draw_bars(ax: Axes, rows: np.ndarray, values: np.ndarray, colors: list[str]) -> None:
    """Draw bars that start at 1, and their values beside the axes."""
    ax.barh(rows, values - 1, left=1, height=0.5, color=colors)
    beside = ax.get_yaxis_transform()
    for row, value in zip(rows, values, strict=True):
        ax.text(1.02, row, _number(value), va="center", transform=beside)
    _draw_at_edge(ax, rows[values <= _SMALLEST])


def _draw_dots(ax: Axes, rows: np.ndarray, values: np.ndarray) -> None:
    is_inside = values > _SMALLEST
    ax.scatter(values[is_inside], rows[is_inside], 22, "black", edgecolor="white", zorder=3)
    _draw_at_edge(ax, rows[~is_inside])


def _draw_at_edge(ax: Axes, rows: np.ndarray) -> None:
    """Draw zeros, which a logarithm has no place for."""
    rows = np.unique(rows)
    ax.scatter(
        np.zeros(len(rows)),
        rows,
        30,
        "black",
        marker="<",
        transform=ax.get_yaxis_transform(),
        clip_on=False,
        zorder=3,
    )


def _number(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 10 else f"{value:#.2g}"
