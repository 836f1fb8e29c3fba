"""From arrays and parameters to a fitted ensemble: normalize, train, choose."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skscale._architecture import is_batch
from skscale._calibration import HeldOutClasses
from skscale._draws import draw_weights
from skscale._ensemble import Ensemble, select_active
from skscale._folds import Fold, hold_out, make_folds
from skscale._network import JSON
from skscale._normalization import fit_normalization
from skscale._plan import Report, Table, Task, Trained, Validation
from skscale._recipe import Recipe, regularization_path, resolve
from skscale._refusals import check_contradictions
from skscale._selection import select
from skscale._statistics import constant_features
from skscale._training import held_out_losses, train


@dataclass(frozen=True)
class Goal:
    """What the network is trained for.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
        Normalized targets, or classes as numbers.
    loss : str or dict
        Keras loss where the parameter is "auto".
    output_activation : str or dict
        Keras activation of the output.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or None
        Targets in raw units, for splitters that look at them.
    labels : ndarray of shape (n_samples,) or None
        Classes to stratify folds by.
    n_copies : int
        How often the table stands below itself. The copies of a row stay on one side of every
        split; weights and groups are those of the first copy.
    classes : HeldOutClasses or None
        Scores points of the path by classes, instead of by the loss.
    """

    targets: np.ndarray
    loss: JSON = "mean_squared_error"
    output_activation: JSON = "linear"
    y: np.ndarray | None = None
    labels: np.ndarray | None = None
    n_copies: int = 1
    classes: HeldOutClasses | None = None


@dataclass(frozen=True)
class Fitted:
    """What a fit gives.

    Parameters
    ----------
    ensemble : Ensemble
        The model.
    folds : list of (train, held-out)
        Rows of each network of the ensemble; no held-out rows where there were no folds.
    history : dict of list of float
        ``loss`` of every epoch, averaged over the networks; ``val_loss`` with early stopping.
    path : dict or None
        What the regularization path showed; None without one.
    """

    ensemble: Ensemble
    folds: Sequence[Fold]
    history: dict[str, list[float]]
    path: dict[str, Any] | None

    @property
    def has_folds(self) -> bool:
        """Whether every network has held-out rows of its own."""
        return self.path is not None


def fit_ensemble(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    *,
    groups: Any = None,
    feature_names: Sequence[str] | None = None,
    random: np.random.RandomState,
    report: Report | None = None,
) -> Fitted:
    """Train the ensemble that the parameters of an estimator ask for.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.
    X : ndarray of shape (n_samples, n_features)
        Rows in raw units.
    goal : Goal
        What to learn.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, not all zero.
    groups : array-like of shape (n_samples / n_copies,), default=None
        Groups for the folds.
    feature_names : sequence of str, default=None
        Names for error messages.
    random : numpy.random.RandomState
        Source of every seed.
    report : callable, default=None
        Told about the progress.

    Returns
    -------
    fitted : Fitted
        The ensemble, its folds, and what training and choice showed.

    Raises
    ------
    ValueError
        If a parameter does not fit the data.
    """
    check_contradictions(params)
    seed_folds, seed_networks, seed_validation = random.randint(2**31 - 1, size=3)
    is_auto = params["scale_regularizer"] == "auto"
    normalization = params["normalization"]
    if is_batch(normalization):
        # Exact first: the epsilon of batch statistics spoils columns of small numbers.
        normalization = "standard"
    input_map = fit_normalization(normalization, X, sample_weight, feature_names=feature_names)
    active = np.flatnonzero(~constant_features(X, sample_weight))
    Z = select_active(input_map.apply(X), active)
    Z = _rounded(Z, active.tolist(), "X", "normalization", params)
    n_outputs = goal.targets.shape[1]
    targets = _rounded(goal.targets, range(n_outputs), "y", "target_normalization", params)
    folds = _folds(params, X, goal, sample_weight, groups, seed_folds, seed_validation)
    recipe = resolve(
        params,
        n_features=Z.shape[1],
        n_outputs=n_outputs,
        n_samples=len(X),
        n_training=max(len(train_rows) for train_rows, _ in folds),
        loss=goal.loss,
        output_activation=goal.output_activation,
    )
    points = regularization_path(
        params["regularization_path"], params["weight_decay"], recipe.rule.scheduled
    )
    # Losses take weights relative to each other; a mean of one keeps them in float32's range.
    relative = sample_weight / sample_weight.mean(where=sample_weight > 0)
    table = Table.of(Z, targets, relative, recipe.plan.dtype)
    path = None
    if is_auto:
        selection = select(
            recipe,
            table,
            folds,
            points,
            seed=int(seed_networks),
            classes=goal.classes,
            report=report,
        )
        networks = selection.networks
        path = {
            "strength": selection.points[:, 0],
            "weight_decay": selection.points[:, 1],
            "mean_loss": selection.mean_losses,
            "std_loss": selection.std_losses,
            "best_index": selection.best,
        }
        if goal.classes is not None:
            path["temperature"] = selection.temperatures
    else:
        networks = [_train_one(params, recipe, table, folds[0], int(seed_networks), report)]
    _warn(networks, is_auto)
    members = [network.weights for network in networks]
    ensemble = Ensemble(input_map, active, recipe.spec, members)
    return Fitted(ensemble, folds, _history(networks), path)


def _rounded(
    values: np.ndarray,
    columns: Sequence[int],
    name: str,
    parameter: str,
    params: Mapping[str, Any],
) -> np.ndarray:
    """Round to float32 in either precision: a change of units then leaves the same numbers."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values, np.float32)
    finite = np.isfinite(rounded).all(axis=0)
    if not finite.all():
        raise ValueError(
            f"Column {columns[int(np.argmin(finite))]} of {name} is too large for float32 under "
            f"{parameter}={params[parameter]!r}. Use {parameter}='standard', or divide that "
            "column by its magnitude."
        )
    return rounded


def _folds(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    groups: Any,
    seed_folds: int,
    seed_validation: int,
) -> list[Fold]:
    n_rows = len(X) // goal.n_copies
    weights = sample_weight[:n_rows]
    if params["scale_regularizer"] == "auto":
        folds = make_folds(
            5 if params["cv"] is None else params["cv"],
            X[:n_rows],
            weights,
            y=goal.y,
            labels=goal.labels,
            groups=groups,
            seed=int(seed_folds),
        )
    elif params["early_stopping"]:
        fraction, seed = params["validation_fraction"], int(seed_validation)
        folds = [hold_out(fraction, weights, labels=goal.labels, groups=groups, seed=seed)]
    else:
        used = np.flatnonzero(weights > 0)
        folds = [(used, used[:0])]

    def in_every_copy(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows + copy * n_rows for copy in range(goal.n_copies)])

    return [(in_every_copy(learned), in_every_copy(held_out)) for learned, held_out in folds]


def _train_one(
    params: Mapping[str, Any],
    recipe: Recipe,
    table: Table,
    fold: Fold,
    seed: int,
    report: Report | None,
) -> Trained:
    learned, held_out = fold
    weights = draw_weights(recipe.spec, np.random.default_rng(seed))
    validation = None
    if len(held_out):

        def score(weights: Sequence[np.ndarray]) -> float:
            losses = held_out_losses(recipe.spec, recipe.rule, weights, table, held_out)
            return float(np.average(losses, weights=table.weights[held_out]))

        validation = Validation(score, params["n_iter_no_change"])
    task = Task(learned, weights, seed, weight_decay=recipe.weight_decay)
    return train(
        recipe.spec,
        recipe.rule,
        recipe.plan,
        table,
        [task],
        validation=validation,
        report=report,
    )[0]


def _warn(networks: Sequence[Trained], is_auto: bool) -> None:
    if any(network.interrupted for network in networks):
        if not any(network.losses for network in networks):
            raise KeyboardInterrupt
        warnings.warn("Training interrupted by user.", UserWarning, stacklevel=4)
    if any(network.diverged for network in networks):
        which = "at every point of the path " if is_auto else ""
        warnings.warn(
            f"The training diverged {which}(a loss or weight was infinite or NaN); the weights of "
            "the last finite epoch are kept. Try a smaller learning_rate, a smaller "
            "scale_learning_rate_factor, or normalization='standard'.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _history(networks: Sequence[Trained]) -> dict[str, list[float]]:
    n_epochs = min(len(network.losses) for network in networks)
    losses = np.array([network.losses[:n_epochs] for network in networks])
    history = {"loss": [float(loss) for loss in losses.mean(axis=0)]}
    if networks[0].validation_losses:
        history["val_loss"] = list(networks[0].validation_losses)
    return history
