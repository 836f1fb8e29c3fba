"""What a path is trained and scored by: rows in folds, in memory or elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from skscale._callbacks.progress import OnProgress
from skscale._network.spec import NetworkSpec
from skscale._selection.folds import Fold
from skscale._selection.null_model import null_outputs
from skscale._selection.point_score import PointScore
from skscale._target.target import Target
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters
from skscale._training.distributed import Workers
from skscale._training.evaluate import losses_of, predict_rows
from skscale._training.train import CallbackFactory, train

PointNetworks = tuple[NetworkSpec, Sequence[Sequence[np.ndarray]]]
"""The networks of a point: their architecture, and the weights of one for each fold."""


class FoldTrainer(Protocol):
    """Trains networks on all rows but those of their fold, and scores them on these."""

    @property
    def rows(self) -> Sequence[np.ndarray]:
        """Rows that the networks of each fold learn from, for their runs."""

    def train(
        self,
        runs: Sequence[NetworkRun],
        numbers: Sequence[int],
        stop_epoch: int,
        on_progress: OnProgress | None,
    ) -> list[TrainedNetwork]:
        """Train networks until so many epochs are done.

        They are numbered fold by fold: the remainder by the number of folds is the fold.
        """

    def score(self, points: Sequence[PointNetworks]) -> list[PointScore]:
        """Score points on the held-out rows of all folds."""

    def null_model(self) -> tuple[np.ndarray, float]:
        """Return the outputs that fit each fold best, of (n_folds, n_outputs), and their loss."""


class DatasetTrainer:
    """Trains and scores on the rows of one dataset.

    Parameters
    ----------
    resolved : ResolvedParameters
        Loss, optimizer and training.
    dataset : Dataset
        All rows.
    folds : sequence of Fold
        Row numbers.
    target : Target
        What is learned. It scores the outputs of a classifier; the loss of the training scores all
        others.
    callbacks : callable, default=None
        From the place of a network among those that are trained, and its spec, to its callbacks.
    stopping : threading.Event, default=None
        Set where the user stops the training.
    workers : Workers, default=None
        Where the networks train; scores are computed here.
    """

    def __init__(
        self,
        resolved: ResolvedParameters,
        dataset: Dataset,
        folds: Sequence[Fold],
        *,
        target: Target,
        callbacks: CallbackFactory | None = None,
        stopping: threading.Event | None = None,
        workers: Workers | None = None,
    ):
        self._resolved, self._dataset, self._folds, self._target = resolved, dataset, folds, target
        self._callbacks, self._stopping, self._workers = callbacks, stopping, workers

    @property
    def rows(self) -> list[np.ndarray]:
        """Rows that the networks of each fold learn from."""
        return [fold.train for fold in self._folds]

    def train(
        self,
        runs: Sequence[NetworkRun],
        numbers: Sequence[int],
        stop_epoch: int,
        on_progress: OnProgress | None,
    ) -> list[TrainedNetwork]:
        """Train networks on the rows of their runs."""
        resolved = self._resolved
        return train(
            resolved.compile_config,
            replace(resolved.config, stop_epoch=stop_epoch),
            self._dataset,
            runs,
            stack=len(self._folds),
            callbacks=self._callbacks,
            on_progress=on_progress,
            stopping=self._stopping,
            workers=self._workers,
        )

    def score(self, points: Sequence[PointNetworks]) -> list[PointScore]:
        """Score points on the held-out rows of all folds."""
        return [
            self._score_outputs(
                [
                    predict_rows(spec, weights, self._dataset, fold.held_out)
                    for weights, fold in zip(members, self._folds, strict=True)
                ]
            )
            for spec, members in points
        ]

    def null_model(self) -> tuple[np.ndarray, float]:
        """Return the means of the training rows of each fold, and their held-out loss."""
        means = null_outputs(self._target, self._folds, self._dataset.weights)
        outputs = [
            np.tile(mean, (len(fold.held_out), 1))
            for mean, fold in zip(means, self._folds, strict=True)
        ]
        return means, self._score_outputs(outputs).mean_loss

    def _score_outputs(self, outputs: Sequence[np.ndarray]) -> PointScore:
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
        return PointScore.pooled(sums, [dataset.weights[test].sum() for test in rows], temperature)
