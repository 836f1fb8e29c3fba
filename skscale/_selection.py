"""The choice of the strength: a path of penalties times folds, and the ensemble that wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skscale._draws import draw_weights
from skscale._folds import Fold
from skscale._plan import Report, Table, Task, Trained
from skscale._recipe import Recipe
from skscale._training import held_out_losses, train


@dataclass(frozen=True)
class Selection:
    """What the path showed, and the networks of its best point.

    Parameters
    ----------
    networks : list of Trained
        One for each fold.
    points : ndarray of shape (n_points, 2)
        Strength and weight decay.
    mean_losses, std_losses : ndarray of shape (n_points,)
        Held-out loss, pooled over rows by weight, and its standard deviation over the folds.
    best : int
        The chosen point.
    """

    networks: list[Trained]
    points: np.ndarray
    mean_losses: np.ndarray
    std_losses: np.ndarray
    best: int


def select(
    recipe: Recipe,
    table: Table,
    folds: Sequence[Fold],
    points: np.ndarray,
    *,
    seed: int,
    report: Report | None = None,
) -> Selection:
    """Train every point of the path on every fold and keep the point of least held-out loss.

    Parameters
    ----------
    recipe : Recipe
        Network, rule and plan.
    table : Table
        All rows.
    folds : sequence of (train, test)
        Row numbers.
    points : ndarray of shape (n_points, 2)
        Strength and weight decay of each point.
    seed : int
        Decides initial weights and batches. They differ between folds and are the same along
        the path, so that points are compared and not draws.
    report : callable, default=None
        Told about the progress.

    Returns
    -------
    selection : Selection
        The networks of the best point, and the losses of all.
    """
    n_folds = len(folds)
    drawn = [draw_weights(recipe.spec, np.random.default_rng((seed, k))) for k in range(n_folds)]
    tasks = [
        Task(train_rows, weights, seed + k, float(strength), float(decay))
        for strength, decay in points
        for k, ((train_rows, _), weights) in enumerate(zip(folds, drawn, strict=True))
    ]
    trained = train(
        recipe.spec, recipe.rule, recipe.plan, table, tasks, stack=n_folds, report=report
    )
    by_point = [trained[i : i + n_folds] for i in range(0, len(trained), n_folds)]
    scores = np.array([_score(recipe, table, folds, networks) for networks in by_point])
    # Where no point is left, the strongest penalty has moved its networks least.
    best = int(np.argmin(scores[:, 0])) if np.isfinite(scores[:, 0]).any() else len(points) - 1
    return Selection(by_point[best], points, scores[:, 0], scores[:, 1], best)


def _score(
    recipe: Recipe, table: Table, folds: Sequence[Fold], networks: Sequence[Trained]
) -> tuple[float, float]:
    """Mean and standard deviation of the held-out loss; infinite where a network failed."""
    if any(network.diverged or not network.losses for network in networks):
        return np.inf, np.nan
    sums, weights = [], []
    for (_, test), network in zip(folds, networks, strict=True):
        if len(test):
            losses = held_out_losses(recipe.spec, recipe.rule, network.weights, table, test)
            sums.append(losses @ table.weights[test])
            weights.append(table.weights[test].sum())
    mean = np.sum(sums) / np.sum(weights)
    spread = np.sqrt(np.average((np.divide(sums, weights) - mean) ** 2, weights=weights))
    return (float(mean), float(spread)) if np.isfinite(mean) else (np.inf, np.nan)
