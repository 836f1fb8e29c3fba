"""What a fit leaves behind, for another one to go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skscale._inference.ensemble import Ensemble
from skscale._selection.folds import Fold
from skscale._selection.path_point import PathPoint, PointScore, path_attribute


@dataclass(frozen=True)
class WarmStartState:
    """How the networks of a model came to be, which is what another fit goes on from.

    Parameters
    ----------
    strength, weight_decay : float
        The penalties that its networks were trained under.
    n_epochs : int
        Passes done so far.
    n_rows : int
        Rows of the table.
    fold_seed : int
        What the folds were drawn by.
    has_folds : bool
        Whether every network has held-out rows of its own.
    folds : list of Fold or None
        The folds; None where seed and parameters give them again.
    is_null : bool
        Whether the model predicts the mean, so that there is no network to go on with.
    """

    strength: float
    weight_decay: float
    n_epochs: int
    n_rows: int
    fold_seed: int
    has_folds: bool
    folds: Sequence[Fold] | None = None
    is_null: bool = False


@dataclass(frozen=True)
class FitResult:
    """What a fit gives.

    Parameters
    ----------
    ensemble : Ensemble
        The model.
    folds : list of Fold
        Rows of each network of the ensemble; no held-out rows where there were no folds.
    history : dict of list of float
        ``loss`` of every epoch, averaged over the networks; ``val_loss`` where one looks on.
    path : dict or None
        What the regularization path showed; None without one, or where an earlier fit chose.
    past : WarmStartState
        What another fit needs to go on.
    """

    ensemble: Ensemble
    folds: Sequence[Fold]
    history: dict[str, list[float]]
    path: dict[str, Any] | None
    past: WarmStartState


@dataclass(frozen=True)
class OptimizerState:
    """What optimizers hand from one chunk to the next.

    Parameters
    ----------
    states : list of ndarray
        Weights and slots of each network; empty before the first chunk.
    n_steps : int
        Steps that they have seen.
    key : str
        Network, rule and precision that they are of.
    """

    states: Sequence[np.ndarray] = ()
    n_steps: int = 0
    key: str = ""


@dataclass(frozen=True)
class PartialFitState:
    """Networks that learn chunk after chunk, and what is known of them so far.

    Parameters
    ----------
    ensemble : Ensemble
        The model: the network of the best point, or all networks where an earlier fit chose.
    members : list of list of ndarray
        Weights of all networks that learn.
    points : ndarray of shape (n_networks, 2)
        Strength and weight decay of each network.
    competes : bool
        Whether the networks are points of a path, of which one is chosen.
    seed : int
        Decides the order of the rows.
    carried : OptimizerState
        What optimizers hand on.
    n_chunks : int
        Chunks learned.
    loss_sums : ndarray of shape (n_networks,)
        Losses of rows before they were learned, summed by weight.
    loss_weight : float
        Weight of those rows.
    loss : float
        Training loss of the model on the last chunk.
    """

    ensemble: Ensemble
    members: Sequence[Sequence[np.ndarray]]
    points: np.ndarray
    competes: bool
    seed: int
    carried: OptimizerState
    n_chunks: int
    loss_sums: np.ndarray
    loss_weight: float
    loss: float

    @property
    def path(self) -> dict[str, Any]:
        """Points and progressive losses, as a fit reports its path."""
        losses = mean_losses(self.loss_sums, self.loss_weight)
        points = [PathPoint(*point) for point in self.points]
        scores = [PointScore(loss, np.nan) for loss in losses]
        return path_attribute(points, scores, best_point(losses))


def mean_losses(sums: np.ndarray, weight: float) -> np.ndarray:
    """Return infinity before the first chunk that has told anything."""
    return sums / weight if weight else np.full(len(sums), np.inf)


def best_point(losses: np.ndarray) -> int:
    """Return the point of least loss; the last, whose networks move least, where none is finite."""
    return int(np.nanargmin(losses)) if np.isfinite(losses).any() else len(losses) - 1
