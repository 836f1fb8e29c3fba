"""The choice of the strength: a path of penalties times folds, and the ensemble that wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skscale._callbacks.progress import OnProgress, Progress
from skscale._network.initial_weights import initialize_weights
from skscale._selection.folds import Fold
from skscale._selection.null_model import null_outputs
from skscale._selection.point_score import PointScore
from skscale._target.target import Target
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters
from skscale._training.evaluate import losses_of, predict_rows
from skscale._training.path_points import Candidate
from skscale._training.train import CallbackFactory, train

# Shares of the training, and how many points go on from there; the last rung ends the training. On
# the fifteen tuning tables of examples/benchmarks/accuracy_tables.py, with all points trained to
# the end, these rungs lose the best point of seven, by 2.1% of its loss in the mean of all and 8%
# at most, and no accuracy or R2 in the mean.
_RUNGS = ((0.05, 5), (0.2, 2), (1.0, 1))

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
        One for each fold.
    candidates : sequence of Candidate
        All points, with their networks.
    scores : list of PointScore
        Their scores.
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
    best: int
    null_loss: float
    null_outputs: np.ndarray | None


def select(
    resolved: ResolvedParameters,
    dataset: Dataset,
    folds: Sequence[Fold],
    *,
    seed: int,
    target: Target,
    callbacks: CallbackFactory | None = None,
    on_progress: OnProgress | None = None,
) -> Selection:
    """Train the points of the path on every fold and keep the point of least held-out loss.

    Points that are far behind after a part of the training stop there (successive halving:
    Jamieson and Talwalkar 2016); those that go on are not changed by it.

    Of a classifier that loss is the cross-entropy after temperature scaling. Without it a point
    whose networks are right but too sure would lose to one that is wrong more often.

    Parameters
    ----------
    resolved : ResolvedParameters
        Network, loss, optimizer, training and path.
    dataset : Dataset
        All rows.
    folds : sequence of Fold
        Row numbers.
    seed : int
        Decides initial weights and batches. They differ between folds and are the same along
        the path, so that points are compared and not draws.
    target : Target
        What is learned. It scores the outputs of a classifier; the loss of the training scores all
        others.
    callbacks : callable, default=None
        From the number of a network, counted fold by fold along the path, and its spec to its
        callbacks. With them no point stops early.
    on_progress : callable, default=None
        Called with the progress.

    Returns
    -------
    selection : Selection
        The networks of the best point, and the losses of all.
    """
    path = _PathTraining(resolved, dataset, folds, target, seed)
    finalists = list(range(len(resolved.path)))
    for share, n_kept in _RUNGS if callbacks is None else _RUNGS[-1:]:
        if not path.train(finalists, share, callbacks, on_progress):
            continue
        if path.was_interrupted:
            break
        finalists = sorted(sorted(finalists, key=path.rank)[:n_kept])
    return path.choose(finalists)


class _PathTraining:
    """The networks of all points, trained part by part."""

    def __init__(
        self,
        resolved: ResolvedParameters,
        dataset: Dataset,
        folds: Sequence[Fold],
        target: Target,
        seed: int,
    ):
        self._resolved, self._dataset, self._folds, self._target = resolved, dataset, folds, target
        specs = {id(spec): spec for _, spec in resolved.path}
        initial = {
            key: [
                initialize_weights(spec, np.random.default_rng((seed, k)))
                for k in range(len(folds))
            ]
            for key, spec in specs.items()
        }
        self._runs = [
            NetworkRun(spec, fold.train, weights, seed + k, *point)
            for point, spec in resolved.path
            for k, (fold, weights) in enumerate(zip(folds, initial[id(spec)], strict=True))
        ]
        self._networks = [TrainedNetwork(list(run.weights), []) for run in self._runs]
        self._scores = [PointScore()] * len(resolved.path)
        self._n_epochs_done = 0
        self.was_interrupted = False

    def train(
        self,
        points: Sequence[int],
        share: float,
        callbacks: CallbackFactory | None,
        on_progress: OnProgress | None,
    ) -> bool:
        """Train the networks of some points until a share of all epochs is done, and score them.

        Returns whether that took any epoch: without one nothing more is known of the points.
        """
        config = self._resolved.config
        stop_epoch = max(self._n_epochs_done, round(share * config.n_epochs))
        if stop_epoch == self._n_epochs_done:
            return False
        numbers = [number for point in points for number in self._numbers(point)]
        trained = train(
            self._resolved.compile_config,
            replace(config, first_epoch=self._n_epochs_done, stop_epoch=stop_epoch),
            self._dataset,
            [self._continued(number) for number in numbers],
            stack=len(self._folds),
            callbacks=callbacks,
            on_progress=_renumbered(on_progress, numbers, len(self._runs)),
        )
        for number, network in zip(numbers, trained, strict=True):
            losses = [*self._networks[number].losses, *network.losses]
            self._networks[number] = replace(network, losses=losses)
        for point in points:
            self._scores[point] = self._score(point)
        self.was_interrupted = any(network.interrupted for network in trained)
        self._n_epochs_done = stop_epoch
        return True

    def rank(self, point: int) -> tuple[float, int]:
        """Order of points: by their loss, and where that is infinite the strongest first."""
        loss = self._scores[point].mean_loss
        return loss, point if np.isfinite(loss) else -point

    def choose(self, finalists: Sequence[int]) -> Selection:
        """Choose among the points that were trained to the end, and the mean."""
        null = null_outputs(self._target, self._folds, self._dataset.weights)
        null_loss = self._pooled_score(
            [np.tile(mean, (len(f.held_out), 1)) for mean, f in zip(null, self._folds, strict=True)]
        ).mean_loss
        losses = np.array([score.mean_loss for score in self._scores])
        best = _least(losses, finalists)
        has_diverged = _is_far(losses[best], null_loss)
        if not losses[best] < null_loss:
            # What stopped early may have learned more than what went on and diverged.
            best = _least(losses, range(len(losses)))
        networks = [
            replace(
                self._networks[number],
                # Networks that had finished before the interruption were not trained as planned
                # either.
                interrupted=self.was_interrupted,
                diverged=(self._networks[number].diverged or has_diverged)
                and not self.was_interrupted,
            )
            for number in self._numbers(best)
        ]
        # Networks that were interrupted may be worse and still have learned something.
        is_null = null_loss < losses[best] and not (
            self.was_interrupted and np.isfinite(losses[best])
        )
        return Selection(
            networks, self._resolved.path, self._scores, best, null_loss, null if is_null else None
        )

    def _numbers(self, point: int) -> range:
        """Return the numbers of the networks of a point, fold by fold."""
        return range(point * len(self._folds), (point + 1) * len(self._folds))

    def _continued(self, number: int) -> NetworkRun:
        network = self._networks[number]
        return replace(self._runs[number], weights=network.weights, state=network.state)

    def _score(self, point: int) -> PointScore:
        """Score the networks of one point; a point of which one has failed has failed."""
        spec = self._resolved.path[point].spec
        networks = [self._networks[number] for number in self._numbers(point)]
        if any(network.diverged or not network.losses for network in networks):
            return PointScore()
        return self._pooled_score(
            [
                predict_rows(spec, network.weights, self._dataset, fold.held_out)
                for network, fold in zip(networks, self._folds, strict=True)
            ]
        )

    def _pooled_score(self, outputs: Sequence[np.ndarray]) -> PointScore:
        """Score outputs for the held-out rows of each fold."""
        dataset, held_out = self._dataset, [fold.held_out for fold in self._folds]
        tested = [(out, test) for out, test in zip(outputs, held_out, strict=True) if len(test)]
        rows, temperature = [test for _, test in tested], 1.0
        if self._target.scorer is None:
            compile_config = self._resolved.compile_config
            losses = [losses_of(compile_config, out, dataset, test) for out, test in tested]
        else:
            losses, temperature = self._target.scorer.losses(
                [out for out, _ in tested], rows, dataset.weights
            )
        sums = [loss @ dataset.weights[test] for loss, test in zip(losses, rows, strict=True)]
        weights = [dataset.weights[test].sum() for test in rows]
        mean = np.sum(sums) / np.sum(weights)
        if not np.isfinite(mean):
            return PointScore()
        # The squares of a loss that is far above the mean may overflow.
        with np.errstate(over="ignore"):
            spread = np.sqrt(np.average((np.divide(sums, weights) - mean) ** 2, weights=weights))
        return PointScore(float(mean), float(spread), temperature)


def _is_far(loss: float, null_loss: float) -> bool:
    return not loss <= _FAR_ABOVE_NULL * max(null_loss, _LEAST_NULL_LOSS)


def _least(losses: np.ndarray, points: Sequence[int]) -> int:
    """Point of least loss; the last where none is finite, as its penalty moves networks least."""
    best = points[int(np.argmin(losses[points]))]
    return best if np.isfinite(losses[best]) else points[-1]


def _renumbered(
    on_progress: OnProgress | None, numbers: Sequence[int], n_networks: int
) -> OnProgress | None:
    """Report networks by their number among all, not among those that go on."""
    if on_progress is None:
        return None

    def renumbered(progress: Progress) -> None:
        first = numbers[progress.first_network]
        on_progress(replace(progress, first_network=first, n_networks=n_networks))

    return renumbered
