"""The choice of the strength: a path of penalties times folds, and the ensemble that wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from skscale._calibration import HeldOutClasses
from skscale._draws import draw_weights
from skscale._folds import Fold
from skscale._plan import Report, Table, Task, Trained
from skscale._recipe import Recipe
from skscale._training import held_out_losses, held_out_outputs, train
from skscale._watch import Watch


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
    temperatures : ndarray of shape (n_points,)
        Temperature that calibrates the networks of each point; 1 where there are no classes.
    best : int
        The chosen point.
    """

    networks: list[Trained]
    points: np.ndarray
    mean_losses: np.ndarray
    std_losses: np.ndarray
    temperatures: np.ndarray
    best: int


def select(
    recipe: Recipe,
    table: Table,
    folds: Sequence[Fold],
    points: np.ndarray,
    *,
    seed: int,
    classes: HeldOutClasses | None = None,
    watch: Callable[[int], Watch] | None = None,
    report: Report | None = None,
) -> Selection:
    """Train every point of the path on every fold and keep the point of least held-out loss.

    Of a classifier that loss is the cross-entropy after temperature scaling. Without it a point
    whose networks are right but too sure would lose to one that is wrong more often.

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
    classes : HeldOutClasses, default=None
        Scores the outputs of a classifier; the loss of the training scores all others.
    watch : callable, default=None
        Who looks on while the network of a number trains, counted fold by fold along the path.
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
        recipe.spec,
        recipe.rule,
        recipe.plan,
        table,
        tasks,
        stack=n_folds,
        watch=watch,
        report=report,
    )
    by_point = [trained[i : i + n_folds] for i in range(0, len(trained), n_folds)]
    scores = np.array([_score(recipe, table, folds, networks, classes) for networks in by_point])
    # Where no point is left, the strongest penalty has moved its networks least.
    best = int(np.argmin(scores[:, 0])) if np.isfinite(scores[:, 0]).any() else len(points) - 1
    return Selection(by_point[best], points, scores[:, 0], scores[:, 1], scores[:, 2], best)


def _score(
    recipe: Recipe,
    table: Table,
    folds: Sequence[Fold],
    networks: Sequence[Trained],
    classes: HeldOutClasses | None,
) -> tuple[float, float, float]:
    """Mean and standard deviation of the held-out loss, infinite where one failed; temperature."""
    failed = np.inf, np.nan, 1.0
    if any(network.diverged or not network.losses for network in networks):
        return failed
    tested = [(n.weights, test) for n, (_, test) in zip(networks, folds, strict=True) if len(test)]
    rows, temperature = [test for _, test in tested], 1.0
    if classes is None:
        losses = [held_out_losses(recipe.spec, recipe.rule, w, table, test) for w, test in tested]
    else:
        outputs = [held_out_outputs(recipe.spec, w, table, test) for w, test in tested]
        losses, temperature = classes.losses(outputs, rows, table.weights)
    sums = [own @ table.weights[test] for own, test in zip(losses, rows, strict=True)]
    weights = [table.weights[test].sum() for test in rows]
    mean = np.sum(sums) / np.sum(weights)
    spread = np.sqrt(np.average((np.divide(sums, weights) - mean) ** 2, weights=weights))
    return (float(mean), float(spread), temperature) if np.isfinite(mean) else failed
