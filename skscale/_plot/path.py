"""Held-out loss and factors against the strength of the penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skscale._plot.axes import (
    BLUE,
    COLORS,
    GREY,
    ORANGE,
    clean,
    finite_or_nan,
    new_axes,
    scale_losses,
    shortened,
)
from skscale._plot.fitted import check_estimator_of_ours, checked_names, feature_names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vPX"
# More labels would overlap; so would strengths that are nearer than a factor of two.
_MOST_TICKS = 12
_LEAST_FACTOR = 2.0


class PathDisplay:
    """Held-out loss and factors against the strength of the penalty, with the choice.

    Above: the loss on held-out rows, with its standard deviation over the folds; hollow points
    stopped before the end of the training, with the loss that they had by then. Below: the factors
    of the scaling layer, in units of `StandardScaler`'s, of points with the network of the chosen
    one (with or without an embedding). A vertical line marks the choice.

    `from_estimator` is the usual way to make one.

    Parameters
    ----------
    path : dict
        What fitted estimators have as `path_`.
    feature_names : array-like of shape (n_features,), default=None
        Names; None means x0, x1 and so on.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (2,)
        What was drawn into: losses, then factors.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    ScaleDisplay : The factors of the choice.
    TrainingCurveDisplay : Losses against the epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skscale import LearnedScaleRegressor, PathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> options = {"regularization_path": [0, 0.3, 3], "cv": 2, "epochs": 20, "random_state": 0}
    >>> model = LearnedScaleRegressor(hidden_layer_sizes=(8,), **options).fit(X, y)
    >>> display = PathDisplay.from_estimator(model)
    >>> [axes.get_ylabel() for axes in display.ax_]
    ['held-out loss', 'factor (StandardScaler = 1)']
    """

    ax_: np.ndarray
    figure_: Figure

    def __init__(self, path: Mapping[str, Any], *, feature_names: ArrayLike | None = None):
        self.path = path
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: ArrayLike | None = None,
        max_features: int = 7,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Self:
        """Draw the path of an estimator.

        Parameters
        ----------
        estimator : LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer
            One that was fitted with ``scale_regularizer="auto"``.
        feature_names : array-like of shape (n_features,), default=None
            Names; None means those seen in `fit`, or else x0, x1 and so on.
        max_features : int, default=7
            Features with a colour and a name, those of the largest factors at the chosen point;
            all others are grey.
        ax : matplotlib Axes or array-like of two, default=None
            What to draw into; a single one is divided. None means a new figure.

        Returns
        -------
        display : PathDisplay
            What was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is none of the three.
        ValueError
            If it has no path, or `ax` is neither one nor two.
        """
        check_estimator_of_ours(estimator, cls.__name__)
        if not hasattr(estimator, "path_"):
            raise ValueError(
                f"{cls.__name__} draws what a path of strengths has shown, but this "
                f"{type(estimator).__name__} has no path_. Fit it with y and "
                f"scale_regularizer='auto'; it is {estimator.scale_regularizer!r} now."
            )
        if feature_names is None:
            feature_names = feature_names_of(estimator)
        return cls(estimator.path_, feature_names=feature_names).plot(ax, max_features=max_features)

    def plot(self, ax: Axes | Sequence[Axes] | None = None, *, max_features: int = 7) -> Self:
        """Draw the path.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two, default=None
            What to draw into; a single one is divided. None means a new figure.
        max_features : int, default=7
            Features with a colour and a name, those of the largest factors at the chosen point;
            all others are grey.

        Returns
        -------
        display : PathDisplay
            Itself.
        """
        names = checked_names(self.feature_names, self.path["scale"].shape[1])
        above, below = self._panels(ax)
        _scale_strengths(below, self.path["strength"])
        self._draw_losses(above)
        self._draw_factors(below, names, max_features)
        for panel in (above, below):
            panel.axvline(self._chosen("strength"), color="black", linewidth=1, linestyle=":")
            panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
            clean(panel, "y")
        above.tick_params(labelbottom=False)
        self.ax_, self.figure_ = np.array([above, below]), above.figure  # type: ignore[assignment]
        return self

    def _panels(self, ax: Axes | Sequence[Axes] | None) -> tuple[Axes, Axes]:
        if ax is None:
            above, below = new_axes(type(self).__name__, 2, (8.0, 6.5))
            return above, below
        panels = np.ravel(np.asarray(ax, object))
        if len(panels) == 1:
            panels[0].set_axis_off()
            below = panels[0].inset_axes((0.0, 0.0, 1.0, 0.47))
            return panels[0].inset_axes((0.0, 0.53, 1.0, 0.47), sharex=below), below
        if len(panels) != 2:
            raise ValueError(f"ax takes one or two matplotlib Axes, got {len(panels)}.")
        above, below = panels
        above.sharex(below)
        return above, below

    def _chosen(self, name: str) -> Any:
        return self.path[name][self.path["best_index"]]

    def _draw_losses(self, ax: Axes) -> None:
        path = self.path
        means, spreads = finite_or_nan(path["mean_loss"]), finite_or_nan(path["std_loss"])
        both = len(np.unique(path["embedding"])) == 2
        for embedded, color in ((False, BLUE), (True, ORANGE)):
            of_kind = path["embedding"] == embedded
            points = _by_strength(path["strength"], of_kind)
            if not len(points):
                continue
            label = f"{'with' if embedded else 'without'} an embedding" if both else "held-out rows"
            ax.errorbar(
                path["strength"][points],
                means[points],
                yerr=spreads[points],
                color=color,
                elinewidth=0.8,
                label=label,
            )
            is_whole = self._is_whole()[points]
            for part, face in ((points[is_whole], color), (points[~is_whole], "white")):
                ax.scatter(path["strength"][part], means[part], 36, face, edgecolor=color, zorder=3)
        if not self._is_whole().all():
            ax.scatter([], [], 36, "white", edgecolor="0.3", label="stopped early")
        best = path["best_index"]
        ax.scatter(
            path["strength"][best], means[best], 190, "black", marker="*", zorder=4, label="chosen"
        )
        if "null_loss" in path:
            ax.axhline(path["null_loss"], color="0.3", linestyle="--", label="predicting the mean")
        ax.set_ylabel("held-out loss")
        scale_losses(ax, path["mean_loss"])

    def _is_whole(self) -> np.ndarray:
        """Whether each point was trained to the end."""
        # Paths of estimators that an earlier version has saved do not say.
        return ~self.path.get("stopped", np.zeros(len(self.path["strength"]), bool))

    def _draw_factors(self, ax: Axes, names: list[str], max_features: int) -> None:
        path = self.path
        points = _by_strength(path["strength"], path["embedding"] == self._chosen("embedding"))
        strengths, scales = path["strength"][points], path["scale"][points]
        # Where the choice leaves nothing, or has failed, the others tell features apart.
        largest = np.nanmax(path["scale"], axis=0, initial=0.0)
        order = np.lexsort((-largest, -np.nan_to_num(self._chosen("scale"))))
        others = order[max_features:]
        if len(others):
            lines = ax.plot(strengths, scales[:, others], color=GREY, linewidth=0.6, zorder=1)
            lines[0].set_label(f"{len(others)} others")
        for feature, color, marker in zip(order[:max_features], cycle(COLORS), cycle(_MARKERS)):
            label = shortened(names[feature])
            ax.plot(strengths, scales[:, feature], color=color, marker=marker, ms=5, label=label)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("strength of the penalty")
        ax.set_ylabel("factor (StandardScaler = 1)")


def _by_strength(strengths: np.ndarray, of_kind: np.ndarray) -> np.ndarray:
    points = np.flatnonzero(of_kind)
    return points[np.argsort(strengths[points], kind="stable")]


def _scale_strengths(ax: Axes, strengths: np.ndarray) -> None:
    """Put strengths on a logarithmic axis that has a place for zero."""
    different = np.unique(strengths)
    positive = different[different > 0]
    if not len(positive):
        positive = np.ones(1)
    low, high = positive[0] / 1.6, positive[-1] * 1.6
    if different[0] > 0:
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
        low = -0.25 * positive[0]
    ax.set_xlim(low, high)
    if len(different) <= _MOST_TICKS and (positive[1:] >= _LEAST_FACTOR * positive[:-1]).all():
        ax.set_xticks(different)
        ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter("{x:g}")
