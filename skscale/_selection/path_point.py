"""Points of the regularization path, their scores, and both as `path_`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class PathPoint(NamedTuple):
    """The penalties of one point of the path.

    Parameters
    ----------
    strength : float
        Strength of the penalty on the scale.
    weight_decay : float
        Decoupled weight decay of the kernels.
    """

    strength: float
    weight_decay: float


class PointScore(NamedTuple):
    """How the networks of one point did on their held-out rows.

    Parameters
    ----------
    mean_loss : float
        Held-out loss, pooled over rows by weight; infinite where a network failed.
    std_loss : float
        Its standard deviation over the folds.
    temperature : float
        Temperature that calibrates the networks; 1 where there are no classes.
    """

    mean_loss: float
    std_loss: float
    temperature: float = 1.0


FAILED = PointScore(np.inf, np.nan)
"""Score of a point of which a network has diverged or not been trained."""


def path_attribute(
    points: Sequence[PathPoint],
    scores: Sequence[PointScore],
    best: int,
    *,
    null_loss: float | None = None,
    has_temperatures: bool = False,
) -> dict[str, Any]:
    """Return what estimators show as `path_`.

    Parameters
    ----------
    points : sequence of PathPoint
        All points.
    scores : sequence of PointScore
        Their scores.
    best : int
        The chosen point.
    null_loss : float, default=None
        Held-out loss of predicting the mean, where it is known.
    has_temperatures : bool, default=False
        Whether the networks are calibrated, as those of classes are.

    Returns
    -------
    path : dict
        An array for each number of a point and its score, and what is known of all points.
    """
    strengths, decays = np.array(points, float).T
    mean_losses, std_losses, temperatures = np.array(scores, float).T
    path: dict[str, Any] = {
        "strength": strengths,
        "weight_decay": decays,
        "mean_loss": mean_losses,
        "std_loss": std_losses,
        "best_index": best,
    }
    if null_loss is not None:
        path["null_loss"] = null_loss
    if has_temperatures:
        path["temperature"] = temperatures
    return path
