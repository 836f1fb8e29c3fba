"""What a fit, or a chunk, leaves behind, for another one to go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from skscale._inference.ensemble import Ensemble
from skscale._selection.folds import Fold
from skscale._selection.point_score import PointScore, path_attribute
from skscale._training.path_points import Candidate, PathPoint


@dataclass(frozen=True)
class WarmStartState:
    """How the networks of a model were trained, which is what another fit goes on from.

    Parameters
    ----------
    strength, weight_decay : float
        The penalties that its networks were trained under.
    n_epochs : int
        Passes done so far.
    n_samples : int
        Rows of `X`.
    fold_seed : int
        What the folds were drawn by.
    has_path : bool
        Whether its networks were points of a path, each with held-out rows of its own.
    is_validated : bool
        Whether the held-out rows were given, instead of drawn from `X`.
    folds : sequence of Fold or None
        The folds; None where seed and parameters give them again.
    trained : Ensemble or None
        The networks, where the model predicts the mean instead, as it is better so far.
    has_diverged : bool
        Whether it predicts the mean because the networks diverged, and nothing can go on.
    is_streamed : bool
        Whether its rows were in partitions of a dask collection, with folds of their own.
    """

    strength: float
    weight_decay: float
    n_epochs: int
    n_samples: int
    fold_seed: int
    has_path: bool
    is_validated: bool = False
    folds: Sequence[Fold] | None = None
    trained: Ensemble | None = None
    has_diverged: bool = False
    is_streamed: bool = False


class FittedModel(NamedTuple):
    """A model that another fit goes on from.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    state : WarmStartState
        How they were trained.
    """

    ensemble: Ensemble
    state: WarmStartState


@dataclass(frozen=True)
class FitResult:
    """What a fit gives.

    Parameters
    ----------
    ensemble : Ensemble
        The model.
    folds : sequence of Fold
        Rows of each network of the ensemble; no held-out rows where there were no folds, or where
        the model predicts the mean.
    held_out : sequence of ndarray of int
        Rows that each network has not seen and that its point was scored on, also where the model
        predicts the mean; none without a path.
    history : dict of list of float
        ``loss`` of every epoch, averaged over the networks; ``val_loss`` where it is known.
    path : dict or None
        What the regularization path showed; None without one, or where an earlier fit chose.
    state : WarmStartState
        What another fit needs to go on.
    keras_callbacks : list of keras.callbacks.Callback, or of such lists
        Those of the single network, or of each network that was trained for the model.
    """

    ensemble: Ensemble
    folds: Sequence[Fold]
    held_out: Sequence[np.ndarray]
    history: dict[str, list[float]]
    path: dict[str, Any] | None
    state: WarmStartState
    keras_callbacks: Sequence[Any]


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
        Network, optimizer and precision that they are of.
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
    points : sequence of PathPoint
        Penalties of each network.
    has_path : bool
        Whether the networks are points of a path, of which one is chosen.
    seed : int
        Decides the order of the rows.
    loss_sums : ndarray of shape (n_networks,)
        Losses of rows before they were learned, summed by weight.
    optimizer : OptimizerState
        What optimizers hand on.
    n_chunks : int
        Chunks learned.
    loss_weight : float
        Weight of those rows.
    loss : float
        Training loss of the model on the last chunk.
    """

    ensemble: Ensemble
    members: Sequence[Sequence[np.ndarray]]
    points: Sequence[PathPoint]
    has_path: bool
    seed: int
    loss_sums: np.ndarray
    optimizer: OptimizerState = field(default_factory=OptimizerState)
    n_chunks: int = 0
    loss_weight: float = 0.0
    loss: float = np.nan

    @classmethod
    def from_fit(cls, fitted: FittedModel, seed: int) -> PartialFitState:
        """Go on with the networks of a fit, under the penalties that it chose."""
        ensemble, state = fitted
        n_networks = len(ensemble.members)
        return cls(
            ensemble,
            ensemble.members,
            [PathPoint(state.strength, state.weight_decay)] * n_networks,
            False,
            seed,
            np.zeros(n_networks),
        )

    @property
    def mean_losses(self) -> np.ndarray:
        """Progressive loss of each network; infinite before the first chunk with a finite one."""
        if not self.loss_weight:
            return np.full(len(self.loss_sums), np.inf)
        return self.loss_sums / self.loss_weight

    @property
    def best_point(self) -> int:
        """Network of least loss; the last, whose networks move least, where none is finite."""
        losses = self.mean_losses
        return int(np.nanargmin(losses)) if np.isfinite(losses).any() else len(losses) - 1

    @property
    def path(self) -> dict[str, Any]:
        """Points and progressive losses, as a fit reports its path."""
        scores = [PointScore(loss) for loss in self.mean_losses]
        candidates = [Candidate(point, self.ensemble.spec) for point in self.points]
        scales = replace(self.ensemble, members=self.members).member_scales()
        return path_attribute(candidates, scores, scales, self.best_point)
