"""Networks that learn block after block, and are scored by one more pass over the blocks.

A training is counted in visits: every pass over the table visits every partition once. Points of
the path are compared after any number of visits, which need be no whole pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from dask.base import compute, persist
from dask.delayed import delayed

from skscale._callbacks.progress import OnProgress, Progress
from skscale._distributed.block import Plan, learn, make_block, score
from skscale._distributed.collections import Partition
from skscale._selection.fold_trainer import PointNetworks
from skscale._selection.folds import Fold
from skscale._selection.null_model import null_networks
from skscale._selection.point_score import PointScore
from skscale._target.target import Target
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.dataset import Dataset
from skscale._training.evaluate import predict_rows


def n_steps_of_visits(counts: np.ndarray, batch_size: int) -> np.ndarray:
    """Count the steps of one visit to each partition.

    Parameters
    ----------
    counts : ndarray of int of shape (n_partitions, n_folds)
        Rows by partition and fold; one column without folds.
    batch_size : int
        Rows of a step.

    Returns
    -------
    n_steps : ndarray of int of shape (n_partitions,)
        As many as the network needs that holds out the fewest rows.
    """
    n_learned = counts.sum(axis=1)
    if counts.shape[1] > 1:
        n_learned = n_learned - counts.min(axis=1)
    return np.maximum(1, -(-n_learned // batch_size))


class PartitionTrainer:
    """Trains and scores on partitions, wherever dask's scheduler has them computed.

    Every task is of one network and one block: networks gain nothing by training together where
    batches are large. While a block is learned, the next one is read.

    Parameters
    ----------
    plan : Plan
        What every task knows.
    partitions : sequence of Partition
        Those that have rows.
    n_steps : ndarray of int of shape (n_partitions,)
        Steps of one visit to each.
    seed : int
        Decides the order of the partitions in each pass.
    target : Target
        Target of the sample.
    sample : Dataset
        The sample, by which classes are calibrated.
    sample_folds : sequence of Fold
        Its folds; none without a path.
    null_outputs : ndarray of shape (n_folds, n_outputs)
        What fits each fold best.
    """

    def __init__(
        self,
        plan: Plan,
        partitions: Sequence[Partition],
        *,
        n_steps: np.ndarray,
        seed: int,
        target: Target,
        sample: Dataset,
        sample_folds: Sequence[Fold],
        null_outputs: np.ndarray,
    ):
        self._partitions, self._n_steps, self._seed = partitions, n_steps, seed
        self._target, self._sample, self._sample_folds = target, sample, sample_folds
        self._null_outputs, self._plan_of_parent = null_outputs, plan
        # One copy in each worker, not one in each task.
        (self._plan,) = persist(delayed(plan, traverse=False))
        self._null_score: PointScore | None = None

    @property
    def rows(self) -> list[np.ndarray]:
        """No numbers of rows: every block has its own."""
        return [np.empty(0, int)] * len(self._sample_folds)

    def train(
        self,
        runs: Sequence[NetworkRun],
        numbers: Sequence[int],
        stop_epoch: int,
        on_progress: OnProgress | None,
    ) -> list[TrainedNetwork]:
        """Train networks until so many visits are done; an epoch of a run is a visit here."""
        n_folds, first = max(1, len(self._sample_folds)), min(run.first_epoch for run in runs)
        # What the scheduler holds while a task has not run are keys, not weights.
        fixed = persist(*(delayed(run, traverse=False) for run in runs))
        networks = [
            delayed(TrainedNetwork(list(run.weights), [], state=run.state), traverse=False)
            for run in runs
        ]
        block: Any = self._block(first)
        for visit in range(first, stop_epoch):
            going_on = [k for k, run in enumerate(runs) if run.first_epoch <= visit]
            trained = [
                delayed(learn, pure=False)(
                    self._plan,
                    fixed[k],
                    numbers[k] % n_folds,
                    networks[k],
                    block,
                    visit=visit,
                    first_step=self._first_step(visit),
                )
                for k in going_on
            ]
            following = [self._block(visit + 1)] if visit + 1 < stop_epoch else []
            before = list(networks)
            persisted = persist(*trained, *following)
            for k, network in zip(going_on, persisted, strict=False):
                networks[k] = network
            block = persisted[-1] if following else None
            if visit > first:
                # A scheduler that runs on its own is one visit ahead, and no further: blocks must
                # not pile up.
                losses = compute(*(delayed(_last_loss)(network) for network in before))
                self._report(on_progress, visit, losses)
        results = list(compute(*networks))
        self._report(on_progress, stop_epoch, [_last_loss(network) for network in results])
        return results

    def score(self, points: Sequence[PointNetworks]) -> list[PointScore]:
        """Score points on held-out rows of all partitions."""
        if self._null_score is not None:
            return self._score(points) if points else []
        # With the first points, as they have to pass over the blocks anyway.
        self._null_score, *scores = self._score([self._null_networks(), *points])
        return scores

    def null_model(self) -> tuple[np.ndarray, float]:
        """Return the outputs that fit each fold best, and their held-out loss."""
        # The choice asks for it after all scores.
        assert self._null_score is not None
        return self._null_outputs, self._null_score.mean_loss

    def _null_networks(self) -> PointNetworks:
        n_features = self._plan_of_parent.resolved.spec.n_features
        return null_networks(self._target, self._null_outputs, n_features, center=False)

    def _score(self, points: Sequence[PointNetworks]) -> list[PointScore]:
        temperatures = [self._temperature(*point) for point in points]
        (networks,) = persist(delayed(list(points), traverse=False))
        sums = compute(
            *(
                delayed(score, pure=False)(
                    self._plan, networks, temperatures, self._read(partition)
                )
                for partition in self._partitions
            )
        )
        scores = []
        for of_point, temperature in zip(np.sum(sums, axis=0), temperatures, strict=True):
            # A fold may have no row that is scored.
            losses, weights = of_point[of_point[:, 1] > 0].T
            scores.append(PointScore.pooled(losses, weights, temperature))
        return scores

    def _temperature(self, spec: Any, members: Sequence[Sequence[np.ndarray]]) -> float:
        """Temperature by the held-out rows of the sample, where there are classes."""
        if self._target.scorer is None:
            return 1.0
        held_out = [fold.held_out for fold in self._sample_folds]
        outputs = [
            predict_rows(spec, weights, self._sample, rows)
            for weights, rows in zip(members, held_out, strict=True)
        ]
        _, temperature = self._target.scorer.losses(outputs, held_out, self._sample.weights)
        return temperature

    def _block(self, visit: int) -> Any:
        """Return the block of a visit, to be read."""
        n_pass, place = divmod(visit, len(self._partitions))
        return self._read(self._partitions[self._order(n_pass)[place]])

    def _read(self, partition: Partition) -> Any:
        return delayed(make_block, pure=False)(self._plan, *partition)

    def _order(self, n_pass: int) -> np.ndarray:
        return np.random.default_rng((self._seed, n_pass)).permutation(len(self._partitions))

    def _first_step(self, visit: int) -> int:
        n_pass, place = divmod(visit, len(self._partitions))
        in_pass = self._n_steps[self._order(n_pass)[:place]]
        return int(n_pass * self._n_steps.sum() + in_pass.sum())

    def _report(
        self, on_progress: OnProgress | None, n_visits: int, losses: Sequence[float]
    ) -> None:
        if on_progress is None:
            return
        n_planned, n = self._plan_of_parent.resolved.config.n_epochs, len(losses)
        for k, loss in enumerate(losses):
            on_progress(Progress(k, 1, n, n_visits, n_planned, loss, n_planned * n))


def in_passes(networks: Sequence[TrainedNetwork], n_passes: int) -> list[TrainedNetwork]:
    """Average the losses of visits, so that there is one for each pass over the table."""
    return [
        replace(
            network,
            losses=[
                float(np.mean(part))
                for part in np.array_split(network.losses, min(n_passes, len(network.losses)))
            ],
        )
        if network.losses
        else network
        for network in networks
    ]


def _last_loss(network: TrainedNetwork) -> float:
    return network.losses[-1] if network.losses else math.nan
