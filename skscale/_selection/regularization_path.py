"""The choice of the strength: a path of penalties times folds, and the ensemble that wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skscale._callbacks.progress import OnProgress
from skscale._selection.fold_trainer import FoldTrainer
from skscale._selection.path_training import PathTraining
from skscale._selection.point_score import PointScore
from skscale._training.config import TrainedNetwork
from skscale._training.defaults import ResolvedParameters
from skscale._training.path_points import Candidate

# Shares of the training, and how many points go on from there. On the fifteen tuning tables of
# examples/benchmarks/accuracy_tables.py, with all points trained to the end, these rungs lose the
# best point of eight, by 2.1% of its loss in the mean of all and 8% at most, and no accuracy or R2
# in the mean. Networks with an embedding take longer to show what they can do.
_RUNGS = ((0.05, 5), (0.2, 2), (0.6, 1))
# Points that catch up together.
_N_LATE = 2

# A network that has learned nothing has the loss of the mean; many times that loss is divergence.
_FAR_ABOVE_NULL = 10.0
# The mean has a loss of about one on normalized targets, but of zero where all are equal.
_LEAST_NULL_LOSS = 0.1


@dataclass(frozen=True)
class Selection:
    """What the path showed, and the networks of its best point.

    Parameters
    ----------
    networks : list of TrainedNetwork
        One for each fold, or once more one for each.
    candidates : sequence of Candidate
        All points, with their networks.
    scores : list of PointScore
        Their scores.
    stopped : ndarray of bool of shape (n_points,)
        Whether the training of each was ended early.
    fold_weights : list of list of list of ndarray
        Weights of the networks of each point, one for each fold, where their training ended.
    epochs : list of float
        Epochs after which points were scored.
    losses : list of ndarray of shape (n_points,)
        Their held-out losses then; NaN for points that had stopped.
    best : int
        The chosen point.
    null_loss : float
        Held-out loss of predicting the mean of the training rows of each fold.
    null_outputs : ndarray of shape (n_folds, n_outputs) or None
        Those means, where no point is better: then they are the model.
    """

    networks: list[TrainedNetwork]
    candidates: Sequence[Candidate]
    scores: list[PointScore]
    stopped: np.ndarray
    fold_weights: list[list[list[np.ndarray]]]
    epochs: list[float]
    losses: list[np.ndarray]
    best: int
    null_loss: float
    null_outputs: np.ndarray | None


def select(
    resolved: ResolvedParameters,
    trainer: FoldTrainer,
    *,
    seed: int,
    stops_early: bool = True,
    on_progress: OnProgress | None = None,
) -> Selection:
    """Train the points of the path on every fold and keep the point of least held-out loss.

    Points that are far behind after a part of the training stop there (successive halving:
    Jamieson and Talwalkar 2016); those that go on are not changed by it. Where these lose what they
    had won, points that had stopped catch up, so that no last loss is lower than that of the chosen
    point. The one that is left may be learned twice on every fold: while its networks end their
    training, others begin.

    Of a classifier that loss is the cross-entropy after temperature scaling. Without it a point
    whose networks are right but too sure would lose to one that is wrong more often.

    Parameters
    ----------
    resolved : ResolvedParameters
        Network, loss, optimizer, training and path.
    trainer : FoldTrainer
        Trains networks on the rows of each fold, and scores them. Where the user stops it, what was
        learned by then is chosen from.
    seed : int
        Decides initial weights and batches. They differ between folds and are the same along
        the path, so that points are compared and not draws.
    stops_early : bool, default=True
        Whether points stop that are far behind.
    on_progress : callable, default=None
        Called with the progress.

    Returns
    -------
    selection : Selection
        The networks of the best point, and the losses of all.
    """
    n_epochs, points = resolved.config.n_epochs, list(range(len(resolved.path)))
    rungs = _rungs(n_epochs) if stops_early else []
    path = PathTraining(
        resolved,
        trainer,
        seed=seed,
        on_progress=on_progress,
        n_planned=_n_planned(rungs, n_epochs, len(points)) + n_epochs * resolved.learns_twice,
    )
    for stop_epoch, n_kept in rungs:
        path.train(points, stop_epoch)
        points = _with_late(path, points, stop_epoch)
        if path.was_interrupted:
            break
        points = _best_points(path.scores, points)[:n_kept]
    else:
        points = _finish(path, points, n_epochs, learns_twice=resolved.learns_twice)
    return _choose(path, resolved.path, points, *trainer.null_model())


def _rungs(n_epochs: int) -> list[tuple[int, int]]:
    """Return after how many epochs points stop, and how many go on."""
    # Half an epoch is one: ten epochs have a first rung, too.
    rungs = [(int(share * n_epochs + 0.5), n_kept) for share, n_kept in _RUNGS]
    # Before the first epoch nothing is known, and without another nothing more.
    before = [0, *(stop_epoch for stop_epoch, _ in rungs)]
    return [rung for rung, last in zip(rungs, before, strict=False) if last < rung[0] < n_epochs]


def _n_planned(rungs: Sequence[tuple[int, int]], n_epochs: int, n_points: int) -> int:
    """Count the epochs of all points together."""
    n_planned = n_done = 0
    for stop_epoch, n_kept in [*rungs, (n_epochs, 0)]:
        n_planned += n_points * (stop_epoch - n_done)
        n_done, n_points = stop_epoch, min(n_points, n_kept)
    return n_planned


def _finish(
    path: PathTraining, points: Sequence[int], n_epochs: int, *, learns_twice: bool
) -> list[int]:
    """Train the points that are left to the end, and further networks of the best of them.

    Return all points that were trained to the end.
    """
    likely = points[0] if learns_twice and len(points) == 1 else None
    path.train(points, n_epochs, again=likely)
    points = _with_late(path, points, n_epochs)
    best = _best_points(path.scores, points)[0]
    if learns_twice and best != likely and not path.was_interrupted:
        path.train([], n_epochs, again=best)
    return points


def _with_late(path: PathTraining, points: Sequence[int], stop_epoch: int) -> list[int]:
    """Let points that had stopped catch up, while the last loss of one is below all of `points`.

    Where much is noise, weak penalties are ahead at first and lose what they had won, as their
    networks learn the noise by heart.
    """
    points = list(points)
    while not path.was_interrupted:
        best = path.scores[_best_points(path.scores, points)[0]].mean_loss
        ahead = [
            point
            for point, score in enumerate(path.scores)
            if point not in points and score.mean_loss < best
        ]
        if not ahead:
            break
        late = _best_points(path.scores, ahead)[:_N_LATE]
        path.train_late(late, stop_epoch)
        points += late
    return points


def _choose(
    path: PathTraining,
    candidates: Sequence[Candidate],
    points: Sequence[int],
    null: np.ndarray,
    null_loss: float,
) -> Selection:
    """Choose among the points that were trained longest, and the mean."""
    losses = np.array([score.mean_loss for score in path.scores])
    best = _best_points(path.scores, points)[0]
    has_diverged = _is_far(losses[best], null_loss)
    if not losses[best] < null_loss:
        # What stopped early may have learned more than what went on and diverged.
        best = _best_points(path.scores, range(len(losses)))[0]
    networks = [
        replace(
            network,
            # Networks that had finished before the interruption were not trained as planned
            # either.
            interrupted=path.was_interrupted,
            diverged=(network.diverged or has_diverged) and not path.was_interrupted,
        )
        for network in path.networks(best)
    ]
    # Networks that were interrupted may be worse and still have learned something.
    is_null = null_loss < losses[best] and not (path.was_interrupted and np.isfinite(losses[best]))
    return Selection(
        networks,
        candidates,
        path.scores,
        path.stopped,
        [[network.weights for network in path.fold_networks(k)] for k in range(len(candidates))],
        [*path.epochs],
        path.losses,
        best,
        null_loss,
        null if is_null else None,
    )


def _best_points(scores: Sequence[PointScore], points: Sequence[int]) -> list[int]:
    """Order points by their loss, and where that is infinite the last first.

    The penalty of the last moves its networks least.
    """

    def rank(point: int) -> tuple[float, int]:
        loss = scores[point].mean_loss
        return loss, point if np.isfinite(loss) else -point

    return sorted(points, key=rank)


def _is_far(loss: float, null_loss: float) -> bool:
    return not loss <= _FAR_ABOVE_NULL * max(null_loss, _LEAST_NULL_LOSS)
