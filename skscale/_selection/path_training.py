"""The networks of all points of a path, trained part by part and scored."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skscale._callbacks.progress import OnProgress, Progress
from skscale._network.initial_weights import initialize_weights
from skscale._network.spec import NetworkSpec
from skscale._selection.folds import Fold
from skscale._selection.point_score import PointScore
from skscale._target.target import Target
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters
from skscale._training.distributed import Workers
from skscale._training.evaluate import losses_of, predict_rows
from skscale._training.train import CallbackFactory, train


class PathTraining:
    """The networks of all points, one for each fold, and their scores.

    Parameters
    ----------
    resolved : ResolvedParameters
        Network, loss, optimizer, training and path.
    dataset : Dataset
        All rows.
    folds : sequence of Fold
        Row numbers.
    target : Target
        What is learned.
    seed : int
        Decides initial weights and batches.
    callbacks : callable or None
        From the number of a network and its spec to its callbacks. Networks are counted fold by
        fold, so that the remainder by the number of folds is the fold.
    on_progress : callable or None
        Called with the progress.
    stopping : threading.Event or None
        Set where the user stops the training.
    n_planned : int
        Epochs of one fold at all points together, for the progress.
    workers : Workers or None
        Where the networks train; scores are computed here.

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
        dataset: Dataset,
        folds: Sequence[Fold],
        *,
        target: Target,
        seed: int,
        callbacks: CallbackFactory | None,
        on_progress: OnProgress | None,
        stopping: threading.Event | None,
        n_planned: int,
        workers: Workers | None,
    ):
        self._resolved, self._dataset, self._folds, self._target = resolved, dataset, folds, target
        self._seed, self._callbacks = seed, callbacks
        self._on_progress, self._stopping, self._n_planned = on_progress, stopping, n_planned
        self._workers = workers
        initial = {id(spec): self._initial_weights(spec) for _, spec in resolved.path}
        self._runs = [
            NetworkRun(spec, fold.train, weights, seed + k, *point)
            for point, spec in resolved.path
            for k, (fold, weights) in enumerate(zip(folds, initial[id(spec)], strict=True))
        ]
        self._networks = [TrainedNetwork(list(run.weights), []) for run in self._runs]
        self._further: dict[int, list[TrainedNetwork]] = {}
        self._n_epochs_done = [0] * len(resolved.path)
        self.scores = [PointScore()] * len(resolved.path)
        self.epochs: list[int] = []
        self.losses: list[np.ndarray] = []
        self.was_interrupted = False

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
        for point in points:
            self.scores[point] = self._score(point)
            self._n_epochs_done[point] = stop_epoch
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

    def score_outputs(self, outputs: Sequence[np.ndarray]) -> PointScore:
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

    def _score(self, point: int) -> PointScore:
        """Score the networks of one point; a point of which one has failed has failed."""
        spec, networks = self._resolved.path[point].spec, self.fold_networks(point)
        if any(network.diverged or not network.losses for network in networks):
            return PointScore()
        return self.score_outputs(
            [
                predict_rows(spec, network.weights, self._dataset, fold.held_out)
                for network, fold in zip(networks, self._folds, strict=True)
            ]
        )

    def _initial_weights(self, spec: NetworkSpec, first: int = 0) -> list[list[np.ndarray]]:
        """Draw the weights of one network for each fold; another `first` gives others."""
        numbers = range(first, first + len(self._folds))
        return [initialize_weights(spec, np.random.default_rng((self._seed, k))) for k in numbers]

    def _numbers(self, point: int) -> range:
        return range(point * len(self._folds), (point + 1) * len(self._folds))

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
        n_folds = len(self._folds)
        weights = self._initial_weights(self._resolved.path[point].spec, first=n_folds)
        return [
            replace(self._runs[number], weights=weights[k], seed=self._seed + n_folds + k)
            for k, number in enumerate(self._numbers(point))
        ]

    def _train(
        self, runs: Sequence[NetworkRun], numbers: Sequence[int], stop_epoch: int
    ) -> list[TrainedNetwork]:
        resolved = self._resolved
        return train(
            resolved.compile_config,
            replace(resolved.config, stop_epoch=stop_epoch),
            self._dataset,
            runs,
            stack=len(self._folds),
            callbacks=self._callbacks,
            on_progress=self._renumbered(numbers),
            stopping=self._stopping,
            workers=self._workers,
        )

    def _renumbered(self, numbers: Sequence[int]) -> OnProgress | None:
        """Report networks by their number among all, not among those that go on."""
        n_folds, on_progress = len(self._folds), self._on_progress
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
