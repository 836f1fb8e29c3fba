"""The order of events of one fit: fold, normalize, resolve, train and choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypedDict

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import InvalidParameterError

from skscale._callbacks.callback import CallbackList
from skscale._callbacks.keras_callbacks import check_callbacks
from skscale._callbacks.progress import OnProgress, Progress
from skscale._callbacks.sklearn_callbacks import SklearnCallbackAdapter
from skscale._errors import warn
from skscale._fitting.network_callbacks import NetworkCallbacks
from skscale._fitting.preprocess import PreprocessedData, preprocess
from skscale._fitting.state import FitResult, WarmStartState
from skscale._inference.ensemble import Ensemble
from skscale._network.initial_weights import initialize_weights
from skscale._normalization.fit import fit_standardization
from skscale._normalization.statistics import ColumnStatistics
from skscale._parameters import LearnedScaleParameters, is_auto
from skscale._selection.folds import Fold, hold_out, make_folds
from skscale._selection.null_model import null_networks
from skscale._selection.point_score import path_attribute
from skscale._selection.regularization_path import select
from skscale._target.target import Target
from skscale._training.config import NetworkRun, PathPoint, TrainedNetwork
from skscale._training.train import train

FittedAttributes = Callable[[Ensemble, Sequence[Fold]], Mapping[str, Any]]
"""From networks and their folds to the fitted attributes of an estimator that has them."""


class Seeds(NamedTuple):
    """What random draws start from: integers that JSON and every pickle know."""

    folds: int
    networks: int
    validation: int

    @classmethod
    def draw(cls, random: np.random.RandomState) -> Seeds:
        """Draw all at once, so that the use of one moves no other."""
        return cls(*map(int, random.randint(2**31 - 1, size=3)))


class _Hooks(TypedDict):
    """What is called while networks train."""

    callbacks: Callable[[int], CallbackList] | None
    on_progress: OnProgress | None


@dataclass(frozen=True)
class _Outcome:
    """Networks, and the penalties that they were trained under."""

    networks: Sequence[TrainedNetwork]
    point: PathPoint
    path: dict[str, Any] | None = None
    null_outputs: np.ndarray | None = None


def fit(
    parameters: LearnedScaleParameters,
    X: np.ndarray,
    target: Target,
    sample_weight: np.ndarray,
    *,
    random: np.random.RandomState,
    groups: Any = None,
    feature_names: Sequence[str] | None = None,
    statistics: ColumnStatistics | None = None,
    previous: tuple[Ensemble, WarmStartState] | None = None,
    on_progress: Sequence[OnProgress] = (),
    sklearn_callbacks: SklearnCallbackAdapter | None = None,
    fitted_attributes: FittedAttributes | None = None,
) -> FitResult:
    """Train the ensemble that the parameters of an estimator ask for.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.
    X : ndarray of shape (n_samples, n_features)
        Rows in raw units.
    target : Target
        What to learn.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, not all zero.
    random : numpy.random.RandomState
        Source of every seed.
    groups : array-like of shape (n_samples,), default=None
        Groups for the folds.
    feature_names : sequence of str, default=None
        Names for error messages.
    statistics : ColumnStatistics, default=None
        Those of the rows, where they are known already.
    previous : tuple of (Ensemble, WarmStartState), default=None
        A model whose networks go on, under the same penalties and on the same folds.
    on_progress : sequence of callable, default=()
        Called with the progress.
    sklearn_callbacks : SklearnCallbackAdapter, default=None
        Callbacks of scikit-learn, for each epoch of a single network, or for the progress of many.
    fitted_attributes : callable, default=None
        What those callbacks see of an estimator.

    Returns
    -------
    result : FitResult
        The ensemble, its folds, and what training and choice showed.

    Raises
    ------
    ValueError
        If a parameter does not fit the data, or the data do not fit `previous`.
    """
    check_contradictions(parameters)
    keras_callbacks = check_callbacks(parameters.callbacks)
    seeds, has_path = Seeds.draw(random), is_auto(parameters.scale_regularizer)
    if previous is not None:
        previous = _checked(previous, X, sample_weight, statistics, has_path=has_path)
    folds = _folds(parameters, X, target, sample_weight, groups, seeds, previous)
    data = preprocess(
        parameters,
        X,
        target,
        sample_weight,
        n_training=max(len(fold.train) for fold in folds),
        feature_names=feature_names,
        previous=None if previous is None else previous[0],
        statistics=statistics,
    )
    callbacks = NetworkCallbacks(data, folds, keras_callbacks)
    if parameters.early_stopping:
        callbacks.add_early_stopping(parameters.n_iter_no_change)
    if sklearn_callbacks is not None and has_path:
        on_progress = [*on_progress, sklearn_callbacks.on_progress]
    elif sklearn_callbacks is not None and fitted_attributes is not None:
        callbacks.add_sklearn(sklearn_callbacks, fitted_attributes)
    hooks: _Hooks = {"callbacks": callbacks.factory, "on_progress": _to_all(on_progress)}
    if previous is not None:
        outcome = _resume(data, folds, *previous, seeds, hooks)
    elif has_path:
        outcome = _train_path(data, folds, target, seeds, hooks)
    else:
        outcome = _train_single(data, folds, seeds, hooks)
    n_before = 0 if previous is None else previous[1].n_epochs
    return _result(parameters, data, folds, target, outcome, seeds, n_before, has_path=has_path)


def check_contradictions(parameters: LearnedScaleParameters) -> None:
    """Refuse parameters that each are allowed but not together.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.

    Raises
    ------
    InvalidParameterError
        If early stopping is asked for on the path.
    """
    if parameters.early_stopping and is_auto(parameters.scale_regularizer):
        raise InvalidParameterError(
            "early_stopping=True is for a single network, but scale_regularizer='auto' trains "
            "one for each fold and chooses among them on held-out rows. Set "
            "scale_regularizer=None (or 'l1', ...), or early_stopping=False."
        )


def _checked(
    previous: tuple[Ensemble, WarmStartState],
    X: np.ndarray,
    sample_weight: np.ndarray,
    statistics: ColumnStatistics | None,
    *,
    has_path: bool,
) -> tuple[Ensemble, WarmStartState]:
    """Refuse rows that the networks cannot go on with, and standardize by the others."""
    ensemble, state = previous
    n_features = ensemble.input_map.n_features
    if X.shape[1] != n_features:
        raise ValueError(
            f"warm_start=True goes on with networks of {n_features} features, but X has "
            f"{X.shape[1]}. Give the same features, or set warm_start=False."
        )
    if has_path != state.has_folds:
        raise ValueError(
            "warm_start=True goes on with the present networks, but scale_regularizer has changed "
            "between 'auto' and another value, or they come from partial_fit. Go on with the same "
            "value, or with partial_fit, or set warm_start=False."
        )
    if has_path and len(X) != state.n_samples:
        raise ValueError(
            f"warm_start=True under scale_regularizer='auto' goes on with the same folds, which "
            f"are of {state.n_samples} rows, but X has {len(X)}. Give the same rows, use "
            "partial_fit for new ones, or set warm_start=False."
        )
    # Features matter by how they spread in the rows of this fit, not of the first.
    standard = fit_standardization(statistics or ColumnStatistics(X, sample_weight))
    return replace(ensemble, standard=standard), state


def _folds(
    parameters: LearnedScaleParameters,
    X: np.ndarray,
    target: Target,
    sample_weight: np.ndarray,
    groups: Any,
    seeds: Seeds,
    previous: tuple[Ensemble, WarmStartState] | None,
) -> Sequence[Fold]:
    """Return rows to learn from and rows held out, of each network."""
    seed = seeds.folds
    if previous is not None:
        seed = previous[1].fold_seed
        if previous[1].folds is not None:
            return previous[1].folds
    if is_auto(parameters.scale_regularizer):
        cv = 5 if parameters.cv is None else parameters.cv
        return make_folds(
            cv, X, sample_weight, y=target.y, labels=target.codes, groups=groups, seed=seed
        )
    if parameters.early_stopping:
        fraction, seed = parameters.validation_fraction, seeds.validation
        return [hold_out(fraction, sample_weight, labels=target.codes, groups=groups, seed=seed)]
    used = np.flatnonzero(sample_weight > 0)
    return [Fold(used, used[:0])]


def _to_all(receivers: Sequence[OnProgress]) -> OnProgress | None:
    def on_progress(progress: Progress) -> None:
        for receiver in receivers:
            receiver(progress)

    return on_progress if receivers else None


def _resume(
    data: PreprocessedData,
    folds: Sequence[Fold],
    ensemble: Ensemble,
    state: WarmStartState,
    seeds: Seeds,
    hooks: _Hooks,
) -> _Outcome:
    """Train the networks of an earlier fit further, in orders of the rows not seen before."""
    point, seed = PathPoint(state.strength, state.weight_decay), seeds.networks + state.n_epochs
    runs = [
        NetworkRun(fold.train, weights, seed + k, *point)
        for k, (fold, weights) in enumerate(zip(folds, ensemble.members, strict=True))
    ]
    return _Outcome(_train(data, runs, hooks), point)


def _train_single(
    data: PreprocessedData, folds: Sequence[Fold], seeds: Seeds, hooks: _Hooks
) -> _Outcome:
    """Train one network on all rows, or on those that early stopping leaves."""
    point, seed = PathPoint(0.0, data.resolved.weight_decay), seeds.networks
    weights = initialize_weights(data.resolved.spec, np.random.default_rng(seed))
    run = NetworkRun(folds[0].train, weights, seed, *point)
    return _Outcome(_train(data, [run], hooks), point)


def _train(
    data: PreprocessedData, runs: Sequence[NetworkRun], hooks: _Hooks
) -> Sequence[TrainedNetwork]:
    resolved = data.resolved
    return train(
        resolved.spec,
        resolved.compile_config,
        resolved.config,
        data.dataset,
        runs,
        stack=len(runs),
        **hooks,
    )


def _train_path(
    data: PreprocessedData, folds: Sequence[Fold], target: Target, seeds: Seeds, hooks: _Hooks
) -> _Outcome:
    """Train one network for every point of the path and every fold, and choose a point."""
    selection = select(
        data.resolved, data.dataset, folds, seed=seeds.networks, target=target, **hooks
    )
    path = path_attribute(
        selection.points,
        selection.scores,
        selection.best,
        null_loss=selection.null_loss,
        has_temperatures=target.scorer is not None,
    )
    point = selection.points[selection.best]
    return _Outcome(selection.networks, point, path, selection.null_outputs)


def _result(
    parameters: LearnedScaleParameters,
    data: PreprocessedData,
    folds: Sequence[Fold],
    target: Target,
    outcome: _Outcome,
    seeds: Seeds,
    n_epochs_before: int,
    *,
    has_path: bool,
) -> FitResult:
    """Warn of what did not go as planned, and keep what another fit needs."""
    is_null = outcome.null_outputs is not None
    warn_of(outcome.networks, has_path=has_path, is_null=is_null)
    history = _history(outcome.networks)
    ensemble = data.ensemble([network.weights for network in outcome.networks])
    if outcome.null_outputs is not None:
        spec, members = null_networks(
            target, outcome.null_outputs, ensemble.spec.n_features, center=ensemble.spec.center
        )
        ensemble = replace(ensemble, spec=spec, members=members)
    # Only a splitter of the user's own may give other folds when it is asked again.
    keeps_folds = parameters.warm_start and not isinstance(parameters.cv, int | None)
    state = WarmStartState(
        *outcome.point,
        n_epochs=n_epochs_before + len(history["loss"]),
        n_samples=len(target.values),
        fold_seed=seeds.folds,
        has_folds=has_path,
        folds=folds if keeps_folds else None,
        is_null=is_null,
    )
    return FitResult(ensemble, folds, history, outcome.path, state)


def warn_of(networks: Sequence[TrainedNetwork], *, has_path: bool, is_null: bool = False) -> None:
    """Warn where the training of a chosen network did not end as planned.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        The chosen networks.
    has_path : bool
        Whether others were there to choose from.
    is_null : bool, default=False
        Whether the model predicts the mean, as none of them is better.
    """
    if any(network.interrupted for network in networks):
        if not any(network.losses for network in networks):
            raise KeyboardInterrupt
        warn("Training interrupted by user.")
    if any(network.diverged for network in networks):
        which = "at every point of the path " if has_path else ""
        kept = "the model predicts the mean" if is_null else "the last weights that do are kept"
        warn(
            f"The training diverged {which}(not every loss, weight and output is finite and of a "
            f"usual size); {kept}. Try a smaller learning_rate, a smaller "
            "scale_learning_rate_factor, or normalization='standard'.",
            ConvergenceWarning,
        )


def _history(networks: Sequence[TrainedNetwork]) -> dict[str, list[float]]:
    """Average the losses of the networks, as long as all of them trained."""
    n_epochs = min(len(network.losses) for network in networks)
    losses = {
        "loss": [network.losses for network in networks],
        "val_loss": [network.validation_losses for network in networks],
    }
    return {
        name: np.mean([values[:n_epochs] for values in of_networks], axis=0).tolist()
        for name, of_networks in losses.items()
        # Nothing is held out from most networks.
        if name == "loss" or all(of_networks)
    }
