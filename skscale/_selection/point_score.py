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

    @classmethod
    def pooled(
        cls, sums: Sequence[float], weights: Sequence[float], temperature: float = 1.0
    ) -> PointScore:
        """Pool the losses of folds, given as sums by weight and as sums of the weights."""
        mean = np.sum(sums) / np.sum(weights)
        if not np.isfinite(mean):
            return cls()
        # The squares of a loss that is far above the mean may overflow.
        with np.errstate(over="ignore"):
            spread = np.sqrt(np.average((np.divide(sums, weights) - mean) ** 2, weights=weights))
        return cls(float(mean), float(spread), temperature)


def path_attribute(
    candidates: Sequence[Candidate],
    scores: Sequence[PointScore],
    scales: np.ndarray,
    best: int,
    *,
    stopped: np.ndarray | None = None,
    null_loss: float | None = None,
    parts: tuple[list[float], list[np.ndarray]] | None = None,
    has_temperatures: bool = False,
) -> dict[str, Any]:
    """Return what estimators show as `path_`.

    Parameters
    ----------
    candidates : sequence of Candidate
        All points, with their networks.
    scores : sequence of PointScore
        Their scores.
    scales : ndarray of shape (n_points, n_features)
        Factors of the features at each point, in units of a standardization's.
    best : int
        The chosen point.
    stopped : ndarray of bool of shape (n_points,), default=None
        Points whose training was ended before that of others; None for none.
    null_loss : float, default=None
        Held-out loss of predicting the mean, where it is known.
    parts : tuple of (list of float, list of ndarray of shape (n_points,)), default=None
        Epochs after which points were scored, and their losses then.
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
        # The weights of networks that failed say nothing.
        "scale": np.where(np.isfinite(mean_losses)[:, np.newaxis], scales, np.nan),
        "stopped": np.zeros(len(candidates), bool) if stopped is None else stopped,
        "best_index": best,
    }
    if null_loss is not None:
        path["null_loss"] = null_loss
    if parts is not None:
        epochs, losses = parts
        path["epochs"] = np.array(epochs)
        path["losses"] = np.reshape(losses, (-1, len(candidates))).T
    if has_temperatures:
        path["temperature"] = temperatures
    return path
