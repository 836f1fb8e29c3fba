"""Losses against the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skscale._plot.axes import BLUE, GREY, ORANGE, clean, finite_or_nan, new_axes, scale_losses
from skscale._plot.fitted import check_estimator_of_ours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class TrainingCurveDisplay:
    """Losses against the epochs: of the training, and of held-out rows where any are known.

    With `early_stopping` or callbacks the held-out loss of every epoch is known. Under
    ``scale_regularizer="auto"`` alone it is known where points of the path were compared: of the
    chosen point (orange), and of the others (grey), which end where they stopped.

    `from_estimator` is the usual way to make one.

    Parameters
    ----------
    history : dict of sequence of float
        What fitted estimators have as `history_`.
    path : dict, default=None
        What they have as `path_`, if anything.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn into.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    PathDisplay : Losses against the strength of the penalty.

    Notes
    -----
    Of a classifier the held-out losses of a path are cross-entropies after temperature scaling,
    whatever its training loss is. A training loss holds penalties that Keras adds, and dropout.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skscale import LearnedScaleRegressor, TrainingCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> options = {"scale_regularizer": None, "early_stopping": True, "random_state": 0}
    >>> model = LearnedScaleRegressor(**options, epochs=20).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(model)
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['training rows', 'held-out rows', 'least held-out loss']
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self, history: Mapping[str, Sequence[float]], *, path: Mapping[str, Any] | None = None
    ):
        self.history = history
        self.path = path

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the losses of an estimator.

        Parameters
        ----------
        estimator : LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer
            A fitted one.
        ax : matplotlib Axes, default=None
            What to draw into; None means a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            What was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is none of the three.
        ValueError
            If nothing was trained.
        """
        check_estimator_of_ours(estimator, cls.__name__)
        if not estimator.history_["loss"]:
            raise ValueError(
                f"{cls.__name__} draws the losses of a training, but this "
                f"{type(estimator).__name__} was fitted without y, which trains no network. Fit it "
                "with y, or set unsupervised='autoencoder'."
            )
        return cls(estimator.history_, path=getattr(estimator, "path_", None)).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; None means a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            Itself.
        """
        if ax is None:
            (ax,) = new_axes(type(self).__name__, 1, (7.0, 4.5))
        drawn = _draw_epochs(ax, self.history["loss"], color=BLUE, label="training rows")
        if "val_loss" in self.history:
            losses = _draw_epochs(ax, self.history["val_loss"], color=ORANGE, label="held-out rows")
            drawn = np.append(drawn, losses)
            _mark_least(ax, losses)
        elif self.path is not None and "losses" in self.path:
            drawn = np.append(drawn, _draw_parts(ax, self.path))
        scale_losses(ax, drawn)
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        ax.legend(frameon=False)
        clean(ax, "y")
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment]
        return self


def _draw_epochs(ax: Axes, losses: Sequence[float], **style: Any) -> np.ndarray:
    """Draw one loss for each epoch; a single one is no line."""
    values = finite_or_nan(np.asarray(losses, float))
    marker = "o" if len(values) == 1 else None
    ax.plot(np.arange(1, len(values) + 1), values, marker=marker, **style)
    return values


def _mark_least(ax: Axes, losses: np.ndarray) -> None:
    if np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        ax.scatter(
            best + 1, losses[best], 120, "black", marker="*", zorder=4, label="least held-out loss"
        )


def _draw_parts(ax: Axes, path: Mapping[str, Any]) -> np.ndarray:
    """Draw held-out losses of all points, each as far as it was trained."""
    epochs, losses, best = path["epochs"], finite_or_nan(path["losses"]), path["best_index"]
    style: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "--", "linewidth": 0.8}
    label: str | None = "held-out rows, other points of the path"
    # Points that caught up late were not looked at in between.
    is_known = ~np.isnan(losses)
    for point in np.delete(np.arange(len(losses)), best):
        known = is_known[point]
        others = {"color": GREY, "zorder": 1, "label": label, **style}
        ax.plot(epochs[known], losses[point, known], **others)
        label = None
    known = is_known[best]
    chosen = {"color": ORANGE, "label": "held-out rows, chosen point", **style}
    ax.plot(epochs[known], losses[best, known], **chosen)
    if "null_loss" in path:
        ax.axhline(path["null_loss"], color="0.3", linestyle=":", label="predicting the mean")
    return losses.ravel()
