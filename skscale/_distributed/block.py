"""A partition as networks learn it: normalized rows, and what is done with them in one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skscale._distributed.partition import Reader
from skscale._fitting.float32_range import Float32Range
from skscale._fitting.held_out import named
from skscale._fitting.preprocess import InputMaps, float32_targets, n_columns
from skscale._inference.calibration import log_probabilities, tempered
from skscale._normalization.dense_rows import DenseRows
from skscale._parallel import limit_tensorflow_threads
from skscale._selection.fold_trainer import PointNetworks
from skscale._target.target import TargetEncoding
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters
from skscale._training.evaluate import losses_of, predict_rows
from skscale._training.train import train


@dataclass(frozen=True)
class Block:
    """The rows of a partition as networks learn them.

    Parameters
    ----------
    inputs : ndarray of float32 of shape (n_rows, n_features)
        Normalized features.
    targets : ndarray of float32 of shape (n_rows, n_outputs)
        Normalized targets, or classes as numbers.
    weights : ndarray of shape (n_rows,)
        Weights, of mean one in all partitions together.
    codes : ndarray of int of shape (n_rows,) or None
        Class of each row.
    folds : ndarray of int of shape (n_rows,)
        The fold that each row is held out from; -1 without folds.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    codes: np.ndarray | None
    folds: np.ndarray


@dataclass(frozen=True)
class Plan:
    """What every task knows of the fit.

    Parameters
    ----------
    reader : Reader
        Reads partitions.
    encoding : TargetEncoding
        How targets become numbers.
    class_factors : ndarray of shape (n_classes,) or None
        What the weights of rows are multiplied by.
    mean_weight : float
        Mean of these products.
    gap_values : ndarray of shape (n_features,)
        What stands for NaN.
    maps : InputMaps
        Normalization of the features.
    resolved : ResolvedParameters
        Loss, optimizer and training.
    n_steps : int
        Steps of the whole training of one network.
    max_rows : int
        Rows of the largest partition.
    held_out_step : int
        Of so many held-out rows of a partition one is scored.
    from_logits : bool or None
        What the outputs of a classifier are; None for quantities.
    """

    reader: Reader
    encoding: TargetEncoding
    class_factors: np.ndarray | None
    mean_weight: float
    gap_values: np.ndarray
    maps: InputMaps
    resolved: ResolvedParameters
    n_steps: int
    max_rows: int
    held_out_step: int
    from_logits: bool | None

    def dataset(self, block: Block) -> Dataset:
        """Return the rows of a block as tensors."""
        # In a worker TensorFlow may start here.
        limit_tensorflow_threads()
        return Dataset.from_rows(
            block.inputs.__getitem__,
            block.targets,
            block.weights,
            self.resolved.config.dtype,
            n_columns=n_columns(self.resolved),
            min_rows=self.max_rows,
        )


def make_block(plan: Plan, number: int, X: Any, y: Any, sample_weight: Any) -> Block:
    """Read a partition that has rows, and normalize it.

    Parameters
    ----------
    plan : Plan
        How.
    number : int
        Its place among the partitions.
    X, y, sample_weight : array-like or None
        Its rows.

    Returns
    -------
    block : Block
        The rows.

    Raises
    ------
    ValueError
        If float32 cannot hold a normalized number.
    """
    rows, maps = plan.reader.read(number, X, y, sample_weight), plan.maps
    if rows is None:
        raise ValueError(f"Partition {number} had rows before, and has none now.")
    estimator, weights = plan.reader.estimator, rows.sample_weight
    with named(f"Partition {number}"):
        table = DenseRows(rows.X, plan.gap_values)[:]
        target = estimator._encode_as(plan.encoding, table, rows.y, weights)
        inputs = Float32Range(
            "X", maps.active.tolist(), "normalization", estimator.normalization, weights, False
        ).rounded(maps.normalized(table))
        targets = float32_targets(target, weights)
    if plan.class_factors is not None:
        weights = weights * plan.class_factors[target.codes]
    return Block(inputs, targets, weights / plan.mean_weight, target.codes, rows.folds)


def learn(
    plan: Plan,
    run: NetworkRun,
    fold: int,
    network: TrainedNetwork,
    block: Block,
    *,
    visit: int,
    first_step: int,
) -> TrainedNetwork:
    """Let one network learn all rows of a block but those of its fold, once.

    Parameters
    ----------
    plan : Plan
        How.
    run : NetworkRun
        The network and its penalties.
    fold : int
        Its fold.
    network : TrainedNetwork
        What it has learned so far.
    block : Block
        Rows.
    visit : int
        Number of this block among all that it learns, which decides the order of the rows.
    first_step : int
        Steps that it has done before.

    Returns
    -------
    trained : TrainedNetwork
        With one loss more; one that has diverged stays as it is.
    """
    rows = np.flatnonzero((block.folds != fold) & (block.weights > 0))
    if network.diverged or not len(rows):
        return network
    resolved = plan.resolved
    config = replace(resolved.config, n_epochs=1, n_steps_before=first_step, n_steps=plan.n_steps)
    n_folds = max(1, plan.reader.n_folds)
    run = replace(
        run,
        rows=rows,
        weights=network.weights,
        state=network.state,
        seed=run.seed + n_folds * visit,
        first_epoch=0,
    )
    (trained,) = train(
        resolved.compile_config, config, plan.dataset(block), [run], full_batches=True
    )
    return replace(trained, losses=[*network.losses, *trained.losses])


def score(
    plan: Plan, points: Sequence[PointNetworks], temperatures: Sequence[float], block: Block
) -> np.ndarray:
    """Sum the losses of the rows of each fold by the network that has not seen them.

    Parameters
    ----------
    plan : Plan
        How.
    points : sequence of (NetworkSpec, list of weights)
        Networks to score, one for each fold.
    temperatures : sequence of float
        Temperature of each point, where there are classes.
    block : Block
        Rows.

    Returns
    -------
    sums : ndarray of shape (n_points, n_folds, 2)
        Sums of losses by weight, and of the weights.
    """
    dataset = plan.dataset(block)
    of_folds = [np.flatnonzero(block.folds == k) for k in range(plan.reader.n_folds)]
    held_out = [rows[:: plan.held_out_step] for rows in of_folds]
    sums = np.zeros((len(points), len(held_out), 2))
    for point, ((spec, members), temperature) in enumerate(zip(points, temperatures, strict=True)):
        for fold, (weights, rows) in enumerate(zip(members, held_out, strict=True)):
            if not len(rows):
                continue
            outputs = predict_rows(spec, weights, dataset, rows)
            if plan.from_logits is None or block.codes is None:
                losses = losses_of(plan.resolved.compile_config, outputs, dataset, rows)
            else:
                losses = _cross_entropy(
                    outputs, block.codes[rows], temperature, from_logits=plan.from_logits
                )
            sums[point, fold] = losses @ block.weights[rows], block.weights[rows].sum()
    return sums


def _cross_entropy(
    outputs: np.ndarray, codes: np.ndarray, temperature: float, *, from_logits: bool
) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        log_p = log_probabilities(np.asarray(outputs, np.float64), from_logits=from_logits)
    return -np.take_along_axis(tempered(log_p, temperature), codes[:, np.newaxis], 1)[:, 0]
