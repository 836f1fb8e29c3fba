"""The networks of all points of a path, trained part by part and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skscale._callbacks.progress import OnProgress, Progress
from skscale._network.initial_weights import initialize_weights
from skscale._network.spec import NetworkSpec
from skscale._selection.fold_trainer import FoldTrainer
from skscale._selection.point_score import PointScore
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.defaults import ResolvedParameters


class PathTraining:
    """The networks of all points, one for each fold, and their scores.

    Parameters
    ----------
    resolved : ResolvedParameters
        Network, loss, optimizer, training and path.
    trainer : FoldTrainer
        Trains and scores them.
    seed : int
        Decides initial weights and batches.
    on_progress : callable or None
        Called with the progress.
    n_planned : int
        Epochs of one fold at all points together, for the progress.

    Attributes
    ----------
    scores : list of PointScore
        The latest score of each point.
    epochs : list of int
        Epochs after which points were scored, without a part that the user stopped.
    losses : list of ndarray of shape (n_points,)
        Their held-out losses then; NaN for points that had stopped.
    was_interrupted : bool
        Whether the user stopped the last training.
    """

    def __init__(
        self,
        resolved: ResolvedParameters,
        trainer: FoldTrainer,
        *,
        seed: int,
        on_progress: OnProgress | None,
        n_planned: int,
    ):
        self._resolved, self._trainer, self._seed = resolved, trainer, seed
        self._on_progress, self._n_planned = on_progress, n_planned
        self._n_folds = len(trainer.rows)
        initial = {id(spec): self._initial_weights(spec) for _, spec in resolved.path}
        self._runs = [
            NetworkRun(spec, rows, weights, seed + k, *point)
            for point, spec in resolved.path
            for k, (rows, weights) in enumerate(zip(trainer.rows, initial[id(spec)], strict=True))
        ]
        self._networks = [TrainedNetwork(list(run.weights), []) for run in self._runs]
        self._further: dict[int, list[TrainedNetwork]] = {}
        self._n_epochs_done = [0] * len(resolved.path)
        self.scores = [PointScore()] * len(resolved.path)
        self.epochs: list[int] = []
        self.losses: list[np.ndarray] = []
        self.was_interrupted = False

    @property
    def stopped(self) -> np.ndarray:
        """Whether the training of each point was ended before that of others."""
        return np.array(self._n_epochs_done) < max(self._n_epochs_done)

    def train(self, points: Sequence[int], stop_epoch: int, *, again: int | None = None) -> None:
        """Train the networks of some points until so many epochs are done, and score them.

        Each goes on where it had stopped. Further networks of the point `again` are trained beside
        them, from first to last epoch.
        """
        numbers = [number for point in points for number in self._numbers(point)]
        runs = [run for point in points for run in self._continued(point)]
        further = [] if again is None else self._further_runs(again)
        of_further = range(len(self._runs), len(self._runs) + len(further))
        trained = self._train([*runs, *further], [*numbers, *of_further], stop_epoch)
        for number, network in zip(numbers, trained, strict=False):
            losses = [*self._networks[number].losses, *network.losses]
            self._networks[number] = replace(network, losses=losses)
        for point, score in zip(points, self._score(points), strict=True):
            self.scores[point], self._n_epochs_done[point] = score, stop_epoch
        self.was_interrupted = any(network.interrupted for network in trained)
        if points and not self.was_interrupted:
            self._record(points, stop_epoch)
        if again is not None:
            self._further[again] = trained[len(runs) :]

    def train_late(self, points: Sequence[int], stop_epoch: int) -> None:
        """Train points that had stopped, which no plan knew of, as far as others have come."""
        self._n_planned += sum(stop_epoch - self._n_epochs_done[point] for point in points)
        self.train(points, stop_epoch)

    def _record(self, points: Sequence[int], epoch: int) -> None:
        if epoch not in self.epochs:
            self.epochs.append(epoch)
            self.losses.append(np.full(len(self.scores), np.nan))
        self.losses[-1][points] = [self.scores[point].mean_loss for point in points]

    def fold_networks(self, point: int) -> list[TrainedNetwork]:
        """Return the networks of a point that it was scored by, one for each fold."""
        return [self._networks[number] for number in self._numbers(point)]

    def networks(self, point: int) -> list[TrainedNetwork]:
        """Return the networks of a point, fold by fold, then further ones that ended as well."""
        networks, further = self.fold_networks(point), self._further.get(point, [])
        if any(network.diverged or network.interrupted for network in further):
            return networks
        return [*networks, *further]

    def _score(self, points: Sequence[int]) -> list[PointScore]:
        """Score the networks of points; a point of which one has failed has failed."""
        networks = {point: self.fold_networks(point) for point in points}
        ended = [p for p in points if all(n.losses and not n.diverged for n in networks[p])]
        scores = self._trainer.score(
            [(self._resolved.path[p].spec, [n.weights for n in networks[p]]) for p in ended]
        )
        found = dict(zip(ended, scores, strict=True))
        return [found.get(point, PointScore()) for point in points]

    def _initial_weights(self, spec: NetworkSpec, first: int = 0) -> list[list[np.ndarray]]:
        """Draw the weights of one network for each fold; another `first` gives others."""
        numbers = range(first, first + self._n_folds)
        return [initialize_weights(spec, np.random.default_rng((self._seed, k))) for k in numbers]

    def _numbers(self, point: int) -> range:
        return range(point * self._n_folds, (point + 1) * self._n_folds)

    def _continued(self, point: int) -> list[NetworkRun]:
        """Return the runs of a point from where their training stopped."""
        return [
            replace(
                self._runs[number],
                weights=self._networks[number].weights,
                state=self._networks[number].state,
                first_epoch=self._n_epochs_done[point],
            )
            for number in self._numbers(point)
        ]

    def _further_runs(self, point: int) -> list[NetworkRun]:
        """Return runs of a point with other initial weights and another order of the rows."""
        n_folds = self._n_folds
        weights = self._initial_weights(self._resolved.path[point].spec, first=n_folds)
        return [
            replace(self._runs[number], weights=weights[k], seed=self._seed + n_folds + k)
            for k, number in enumerate(self._numbers(point))
        ]

    def _train(
        self, runs: Sequence[NetworkRun], numbers: Sequence[int], stop_epoch: int
    ) -> list[TrainedNetwork]:
        on_progress = self._renumbered(numbers)
        return self._trainer.train(runs, numbers, stop_epoch, on_progress)

    def _renumbered(self, numbers: Sequence[int]) -> OnProgress | None:
        """Report networks by their number among all, not among those that go on."""
        n_folds, on_progress = self._n_folds, self._on_progress
        if on_progress is None:
            return None
        n_networks = len(self._runs) + n_folds * self._resolved.learns_twice

        def renumbered(progress: Progress) -> None:
            on_progress(
                replace(
                    progress,
                    first_network=numbers[progress.first_network],
                    n_networks=n_networks,
                    n_planned=n_folds * self._n_planned,
                )
            )

        return renumbered
