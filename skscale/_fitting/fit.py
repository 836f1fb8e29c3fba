"""From arrays and parameters to a fitted ensemble: prepare, train, choose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skscale._callbacks.callback import Callback, CallbackList, EarlyStopping, Weights
from skscale._callbacks.keras_callbacks import KerasCallbackAdapter, check_callbacks
from skscale._callbacks.progress import OnProgress, Progress
from skscale._fitting.preprocess import PreprocessedData, check_contradictions, preprocess
from skscale._fitting.state import FitResult, WarmStartState
from skscale._inference.ensemble import Ensemble
from skscale._network.initial_weights import initialize_weights
from skscale._normalization.fit import fit_normalization
from skscale._selection.folds import Fold, hold_out, make_folds
from skscale._selection.null_model import null_network
from skscale._selection.regularization_path import select
from skscale._target.target import Goal
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.evaluate import evaluate_losses
from skscale._training.train import train

Observe = Callable[[Callable[[Weights], Ensemble], Sequence[Fold]], Callback]
"""From how weights make an ensemble, and its folds, to who looks on."""


def fit(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    *,
    groups: Any = None,
    feature_names: Sequence[str] | None = None,
    random: np.random.RandomState,
    present: tuple[Ensemble, WarmStartState] | None = None,
    reports: Sequence[OnProgress] = (),
    observe: Observe | None = None,
) -> FitResult:
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
    present : tuple of (Ensemble, WarmStartState), default=None
        A model whose networks go on, under the same penalties and on the same folds.
    reports : sequence of callable, default=()
        Told about the progress.
    observe : callable, default=None
        Gives an observer of a single network, who is told of its ensembles and folds.

    Returns
    -------
    fitted : FitResult
        The ensemble, its folds, and what training and choice showed.

    Raises
    ------
    ValueError
        If a parameter does not fit the data, or the data do not fit `present`.
    """
    check_contradictions(params)
    callbacks = check_callbacks(params["callbacks"])
    # Drawn as integers that JSON and every pickle know.
    seed_folds, seed_networks, seed_validation = map(int, random.randint(2**31 - 1, size=3))
    is_auto = params["scale_regularizer"] == "auto"
    model, past = present if present is not None else (None, None)
    folds = None
    if model is not None and past is not None:
        _check_rows(model, past, X, is_auto=is_auto)
        seed_folds, folds = past.fold_seed, past.folds
        # Features matter by how they spread in the rows of this fit, not of the first.
        model = replace(model, standard=fit_normalization("standard", X, sample_weight))
    if folds is None:
        folds = _folds(params, X, goal, sample_weight, groups, seed_folds, seed_validation)
    prepared = preprocess(
        params,
        X,
        goal,
        sample_weight,
        n_training=max(len(train_rows) for train_rows, _ in folds),
        feature_names=feature_names,
        present=model,
    )
    resolved, path, null = prepared.resolved, None, None
    report = _to_all(reports)
    watch = _watch(params, prepared, folds, callbacks, None if is_auto else observe)
    strength, weight_decay = 0.0, resolved.weight_decay
    tasks: list[NetworkRun] = []
    if model is not None and past is not None:
        strength, weight_decay = past.strength, past.weight_decay
        seed = seed_networks + past.n_epochs
        tasks = [
            # In orders not seen before.
            NetworkRun(learned, weights, seed + k, past.strength, past.weight_decay)
            for k, ((learned, _), weights) in enumerate(zip(folds, model.members, strict=True))
        ]
    elif is_auto:
        selection = select(
            resolved,
            prepared.dataset,
            folds,
            prepared.points,
            seed=seed_networks,
            goal=goal,
            callbacks=watch,
            on_progress=report,
        )
        networks = selection.networks
        strength, weight_decay = map(float, selection.points[selection.best])
        path = {
            "strength": selection.points[:, 0],
            "weight_decay": selection.points[:, 1],
            "mean_loss": selection.mean_losses,
            "std_loss": selection.std_losses,
            "best_index": selection.best,
            "null_loss": selection.null_loss,
        }
        null = selection.null_outputs
        if goal.classes is not None:
            path["temperature"] = selection.temperatures
    else:
        weights = initialize_weights(resolved.spec, np.random.default_rng(seed_networks))
        tasks = [NetworkRun(folds[0][0], weights, seed_networks, weight_decay=weight_decay)]
    if tasks:
        networks = train(
            resolved.spec,
            resolved.compile_config,
            resolved.config,
            prepared.dataset,
            tasks,
            stack=len(tasks),
            callbacks=watch,
            on_progress=report,
        )
    warn_of(networks, at_every_point=is_auto, is_null=null is not None)
    history = _history(networks)
    ensemble = prepared.ensemble([network.weights for network in networks])
    if null is not None:
        n_features, center = resolved.spec.n_features, resolved.spec.center
        models = [null_network(goal, n_features, output, center=center) for output in null]
        ensemble = replace(ensemble, spec=models[0][0], members=[own for _, own in models])
    ended = WarmStartState(
        strength,
        weight_decay,
        len(history["loss"]) + (0 if past is None else past.n_epochs),
        len(X),
        seed_folds,
        is_auto,
        # Only a splitter of the user's own may give other folds when it is asked again.
        folds if params["warm_start"] and not isinstance(params["cv"], int | None) else None,
        is_null=null is not None,
    )
    return FitResult(ensemble, folds, history, path, ended)


def _check_rows(model: Ensemble, past: WarmStartState, X: np.ndarray, *, is_auto: bool) -> None:
    n_features = model.input_map.n_features
    if X.shape[1] != n_features:
        raise ValueError(
            f"warm_start=True goes on with networks of {n_features} features, but X has "
            f"{X.shape[1]}. Give the same features, or set warm_start=False."
        )
    if is_auto != past.has_folds:
        raise ValueError(
            "warm_start=True goes on with the present networks, but scale_regularizer has changed "
            "between 'auto' and another value, or they come from partial_fit. Go on with the same "
            "value, or with partial_fit, or set warm_start=False."
        )
    if is_auto and len(X) != past.n_rows:
        raise ValueError(
            f"warm_start=True under scale_regularizer='auto' goes on with the same folds, which "
            f"are of {past.n_rows} rows, but X has {len(X)}. Give the same rows, use "
            "partial_fit for new ones, or set warm_start=False."
        )


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
            seed=seed_folds,
        )
    elif params["early_stopping"]:
        fraction, seed = params["validation_fraction"], seed_validation
        folds = [hold_out(fraction, weights, labels=goal.labels, groups=groups, seed=seed)]
    else:
        used = np.flatnonzero(weights > 0)
        folds = [(used, used[:0])]

    def in_every_copy(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows + copy * n_rows for copy in range(goal.n_copies)])

    return [(in_every_copy(learned), in_every_copy(held_out)) for learned, held_out in folds]


def _watch(
    params: Mapping[str, Any],
    prepared: PreprocessedData,
    folds: Sequence[Fold],
    callbacks: Sequence[Any],
    observe: Observe | None,
) -> Callable[[int], CallbackList] | None:
    """Return who looks on while a network trains, by its number; None where nobody does."""
    stops_early = params["early_stopping"]
    if not (stops_early or callbacks or observe):
        return None
    resolved, dataset = prepared.resolved, prepared.dataset

    def watch(number: int) -> CallbackList:
        held_out = folds[number % len(folds)][1]

        def score(weights: Sequence[np.ndarray]) -> float:
            losses = evaluate_losses(
                resolved.spec, resolved.compile_config, weights, dataset, held_out
            )
            return float(np.average(losses, weights=dataset.weights[held_out]))

        observers: list[Callback] = []
        if callbacks:
            dtype = resolved.config.dtype
            observers.append(
                KerasCallbackAdapter(callbacks, resolved.spec, resolved.compile_config, dtype)
            )
        if stops_early:
            observers.append(EarlyStopping(params["n_iter_no_change"]))
        if observe is not None:
            observers.append(observe(lambda weights: prepared.ensemble([weights]), folds))
        return CallbackList(observers, score if len(held_out) else None)

    return watch


def _to_all(reports: Sequence[OnProgress]) -> OnProgress | None:
    def report(progress: Progress) -> None:
        for own in reports:
            own(progress)

    return report if reports else None


def warn_of(
    networks: Sequence[TrainedNetwork], *, at_every_point: bool, is_null: bool = False
) -> None:
    """Warn where the training of a chosen network did not end as planned.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        The chosen networks.
    at_every_point : bool
        Whether others were there to choose from.
    is_null : bool, default=False
        Whether the model predicts the mean, as none of them is better.
    """
    if any(network.interrupted for network in networks):
        if not any(network.losses for network in networks):
            raise KeyboardInterrupt
        warnings.warn("Training interrupted by user.", UserWarning, stacklevel=4)
    if any(network.diverged for network in networks):
        which = "at every point of the path " if at_every_point else ""
        kept = "the model predicts the mean" if is_null else "the last weights that do are kept"
        warnings.warn(
            f"The training diverged {which}(not every loss, weight and output is finite and of a "
            f"usual size); {kept}. Try a smaller learning_rate, a smaller "
            "scale_learning_rate_factor, or normalization='standard'.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _history(networks: Sequence[TrainedNetwork]) -> dict[str, list[float]]:
    n_epochs = min(len(network.losses) for network in networks)
    found = {
        "loss": [network.losses for network in networks],
        "val_loss": [network.validation_losses for network in networks],
    }
    return {
        name: np.mean([own[:n_epochs] for own in losses], axis=0).tolist()
        for name, losses in found.items()
        # Nothing is held out from most networks.
        if name == "loss" or all(losses)
    }
