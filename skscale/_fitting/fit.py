"""The order of events of one fit: fold, normalize, resolve, train and choose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypedDict

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._callbacks.keras_callbacks import check_callbacks
from skscale._callbacks.progress import OnProgress, Progress
from skscale._callbacks.sklearn_callbacks import SklearnCallbackAdapter
from skscale._fitting.network_callbacks import NetworkCallbacks
from skscale._fitting.preprocess import PreprocessedData, preprocess
from skscale._fitting.result import Outcome, Seeds, fit_result, outcome_of
from skscale._fitting.state import FitResult, FittedModel
from skscale._fitting.training_set import TrainingSet
from skscale._fitting.warm_start import continued_model
from skscale._inference.ensemble import Ensemble
from skscale._keras.training_process import require_tensorflow
from skscale._network.initial_weights import initialize_weights
from skscale._normalization.dense_rows import table_of
from skscale._parameters import LearnedScaleParameters, is_auto
from skscale._selection.fold_trainer import DatasetTrainer
from skscale._selection.folds import Fold, folds_of_networks, given_fold, hold_out, make_folds
from skscale._selection.regularization_path import select
from skscale._target.target import Target
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.distributed import Workers
from skscale._training.path_points import Candidate, PathPoint
from skscale._training.train import CallbackFactory, train

FittedAttributes = Callable[[Ensemble, Sequence[Fold]], Mapping[str, Any]]
"""From networks and their folds to the fitted attributes of an estimator that has them."""


class _Hooks(TypedDict):
    """What is called while networks train, and what stops them."""

    callbacks: CallbackFactory | None
    on_progress: OnProgress | None
    stopping: threading.Event | None


def fit(
    parameters: LearnedScaleParameters,
    training_set: TrainingSet,
    *,
    random: np.random.RandomState,
    groups: Any = None,
    feature_names: Sequence[str] | None = None,
    previous: FittedModel | None = None,
    on_progress: Sequence[OnProgress] = (),
    sklearn_callbacks: SklearnCallbackAdapter | None = None,
    fitted_attributes: FittedAttributes | None = None,
    stopping: threading.Event | None = None,
) -> FitResult:
    """Train the ensemble that the parameters of an estimator ask for.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.
    training_set : TrainingSet
        Rows, target and weights; with rows to hold out, which take the place of folds and of
        `validation_fraction`.
    random : numpy.random.RandomState
        Source of every seed.
    groups : array-like of shape (n_samples,), default=None
        Groups for the folds.
    feature_names : sequence of str, default=None
        Names for error messages.
    previous : FittedModel, default=None
        A model whose networks go on, under the same penalties and on the same folds.
    on_progress : sequence of callable, default=()
        Called with the progress.
    sklearn_callbacks : SklearnCallbackAdapter, default=None
        Callbacks of scikit-learn, for each epoch of a single network, or for the progress of many.
    fitted_attributes : callable, default=None
        What those callbacks see of an estimator.
    stopping : threading.Event, default=None
        Set where the user stops the training.

    Returns
    -------
    result : FitResult
        The ensemble, its folds, and what training and choice showed.

    Raises
    ------
    ValueError
        If a parameter does not fit the data, or the data do not fit `previous`.
    KeyboardInterrupt
        If the user stops it before anything is learned.
    """
    check_contradictions(parameters)
    require_tensorflow()
    keras_callbacks = check_callbacks(parameters.callbacks)
    seeds, has_path = Seeds.draw(random), is_auto(parameters.scale_regularizer)
    if previous is not None:
        previous = continued_model(previous, training_set, has_path=has_path)
    folds = _folds(parameters, training_set, groups, seeds, previous)
    data = preprocess(
        parameters,
        training_set,
        n_training=max(len(fold.train) for fold in folds),
        feature_names=feature_names,
        previous=None if previous is None else previous.ensemble,
    )
    callbacks = NetworkCallbacks(data, folds, keras_callbacks, is_single=not has_path)
    if parameters.early_stopping:
        callbacks.add_early_stopping(parameters.n_iter_no_change)
    elif training_set.n_held_out and not has_path:
        callbacks.score_epochs()
    if sklearn_callbacks is not None and has_path:
        on_progress = [*on_progress, sklearn_callbacks.on_progress]
    elif sklearn_callbacks is not None and fitted_attributes is not None:
        callbacks.add_sklearn(sklearn_callbacks, fitted_attributes)
    hooks: _Hooks = {
        "callbacks": callbacks.factory,
        "on_progress": _to_all(on_progress),
        "stopping": stopping,
    }
    try:
        if previous is not None:
            outcome = _resume(data, folds, previous, seeds, hooks)
        elif has_path:
            with _workers(parameters.n_jobs, data, folds) as workers:
                outcome = _train_path(data, folds, training_set.target, seeds, hooks, workers)
        else:
            outcome = _train_single(data, folds, seeds, hooks)
    finally:
        callbacks.rest()
    n_before = 0 if previous is None else previous.state.n_epochs
    return fit_result(
        parameters, data, folds, training_set, outcome, seeds, n_before, has_path=has_path
    )


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


def _folds(
    parameters: LearnedScaleParameters,
    training_set: TrainingSet,
    groups: Any,
    seeds: Seeds,
    previous: FittedModel | None,
) -> Sequence[Fold]:
    """Return rows to learn from and rows held out, of each network."""
    target, weights, seed = training_set.target, training_set.sample_weight, seeds.folds
    if training_set.n_held_out:
        return [given_fold(weights, training_set.n_held_out)]
    if previous is not None:
        seed = previous.state.fold_seed
        if previous.state.folds is not None:
            return previous.state.folds
    if is_auto(parameters.scale_regularizer):
        cv = 5 if parameters.cv is None else parameters.cv
        table = table_of(training_set.X)
        return make_folds(
            cv, table, weights, y=target.y, labels=target.codes, groups=groups, seed=seed
        )
    if parameters.early_stopping:
        fraction, seed = parameters.validation_fraction, seeds.validation
        return [hold_out(fraction, weights, labels=target.codes, groups=groups, seed=seed)]
    used = np.flatnonzero(weights > 0)
    return [Fold(used, used[:0])]


def _workers(
    n_jobs: int | None, data: PreprocessedData, folds: Sequence[Fold]
) -> AbstractContextManager[Workers | None]:
    if n_jobs is None:
        return nullcontext()
    return Workers(n_jobs, data.dataset, [fold.train for fold in folds])


def _to_all(receivers: Sequence[OnProgress]) -> OnProgress | None:
    def on_progress(progress: Progress) -> None:
        for receiver in receivers:
            receiver(progress)

    return on_progress if receivers else None


def _resume(
    data: PreprocessedData,
    folds: Sequence[Fold],
    previous: FittedModel,
    seeds: Seeds,
    hooks: _Hooks,
) -> Outcome:
    """Train the networks of an earlier fit further, in orders of the rows not seen before."""
    ensemble, state = previous
    spec, folds = data.resolved.spec, folds_of_networks(folds, len(ensemble.members))
    point, seed = PathPoint(state.strength, state.weight_decay), seeds.networks + state.n_epochs
    runs = [
        NetworkRun(spec, fold.train, weights, seed + k, *point)
        for k, (fold, weights) in enumerate(zip(folds, ensemble.members, strict=True))
    ]
    return Outcome(_train(data, runs, hooks), Candidate(point, spec))


def _train_single(
    data: PreprocessedData, folds: Sequence[Fold], seeds: Seeds, hooks: _Hooks
) -> Outcome:
    """Train one network on all rows, or on those that early stopping leaves."""
    point, seed = PathPoint(0.0, data.resolved.weight_decay), seeds.networks
    spec = data.resolved.spec
    weights = initialize_weights(spec, np.random.default_rng(seed))
    run = NetworkRun(spec, folds[0].train, weights, seed, *point)
    return Outcome(_train(data, [run], hooks), Candidate(point, spec))


def _train(
    data: PreprocessedData, runs: Sequence[NetworkRun], hooks: _Hooks
) -> Sequence[TrainedNetwork]:
    resolved = data.resolved
    return train(
        resolved.compile_config,
        resolved.config,
        data.dataset,
        runs,
        stack=len(runs),
        **hooks,
    )


def _train_path(
    data: PreprocessedData,
    folds: Sequence[Fold],
    target: Target,
    seeds: Seeds,
    hooks: _Hooks,
    workers: Workers | None,
) -> Outcome:
    """Train one network for every point of the path and every fold, and choose a point."""
    callbacks = hooks["callbacks"]
    trainer = DatasetTrainer(
        data.resolved,
        data.dataset,
        folds,
        target=target,
        callbacks=callbacks,
        stopping=hooks["stopping"],
        workers=workers,
    )
    selection = select(
        data.resolved,
        trainer,
        seed=seeds.networks,
        # Callbacks see every network to its end.
        stops_early=callbacks is None,
        on_progress=hooks["on_progress"],
    )
    return outcome_of(selection, data, has_temperatures=target.scorer is not None)
