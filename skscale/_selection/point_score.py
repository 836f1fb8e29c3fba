"""How the networks of a point of the path did, and what estimators show of it as `path_`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skscale._training.path_points import Candidate


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

    mean_loss: float = np.inf
    std_loss: float = np.nan
    temperature: float = 1.0


def path_attribute(
    candidates: Sequence[Candidate],
    scores: Sequence[PointScore],
    best: int,
    *,
    null_loss: float | None = None,
    has_temperatures: bool = False,
) -> dict[str, Any]:
    """Return what estimators show as `path_`.

    Parameters
    ----------
    candidates : sequence of Candidate
        All points, with their networks.
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
    strengths, decays = np.array([candidate.point for candidate in candidates], float).T
    mean_losses, std_losses, temperatures = np.array(scores, float).T
    path: dict[str, Any] = {
        "strength": strengths,
        "weight_decay": decays,
        "embedding": np.array([bool(candidate.spec.embedding) for candidate in candidates]),
        "mean_loss": mean_losses,
        "std_loss": std_losses,
        "best_index": best,
    }
    if null_loss is not None:
        path["null_loss"] = null_loss
    if has_temperatures:
        path["temperature"] = temperatures
    return path
