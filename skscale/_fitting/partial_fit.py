"""Learning chunk after chunk: one pass over the rows of each, at a constant rate."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skscale._callbacks.progress import OnProgress
from skscale._fitting.fit import check_contradictions
from skscale._fitting.preprocess import PreprocessedData, preprocess
from skscale._fitting.result import warn_of
from skscale._fitting.state import OptimizerState, PartialFitState
from skscale._fitting.training_set import TrainingSet
from skscale._inference.ensemble import Ensemble
from skscale._keras.training_process import require_tensorflow
from skscale._network.initial_weights import initialize_weights
from skscale._parameters import LearnedScaleParameters, is_auto
from skscale._training.batches import n_batches
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.defaults import ResolvedParameters
from skscale._training.evaluate import evaluate_losses
from skscale._training.path_points import PathPoint
from skscale._training.steps import resolve_batch_size
from skscale._training.train import train


def partial_fit(
    parameters: LearnedScaleParameters,
    training_set: TrainingSet,
    *,
    seed: int,
    state: PartialFitState | None = None,
    previous: Ensemble | None = None,
    feature_names: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
    stopping: threading.Event | None = None,
) -> PartialFitState:
    """Let networks learn the rows of one chunk, each row once.

    Under ``scale_regularizer="auto"`` one network for each point of the path learns. Every chunk
    scores them before they learn it (progressive validation: Blum, Kalai and Langford 1999); the
    first one, which finds them all equal, by its batches.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.
    training_set : TrainingSet
        Rows, target and weights.
    seed : int
        Decides what the first chunk starts from.
    state : PartialFitState, default=None
        After earlier chunks, or a fit.
    previous : Ensemble, default=None
        Networks of a fit that diverged, where there is no state: their normalization stays.
    feature_names : sequence of str, default=None
        Names for error messages.
    on_progress : callable, default=None
        Called with the progress.
    stopping : threading.Event, default=None
        Set where the user stops the training.

    Returns
    -------
    state : PartialFitState
        After the chunk.

    Raises
    ------
    ValueError
        If a parameter does not fit the chunk, or the chunk does not fit earlier ones.
    KeyboardInterrupt
        If the user stops it before all of the chunk is learned.
    """
    check_contradictions(parameters)
    require_tensorflow()
    # The number of steps must not depend on the size of a chunk.
    batch_size = resolve_batch_size(parameters.batch_size, n_training=1)
    data = preprocess(
        replace(parameters, epochs=1, batch_size=batch_size),
        training_set,
        n_training=len(training_set.X),
        feature_names=feature_names,
        previous=previous if state is None else state.ensemble,
    )
    state = state or _initial_state(parameters, data, seed)
    sample_weight = training_set.sample_weight
    rows = np.flatnonzero(sample_weight > 0)
    # Slots of another optimizer or precision are of no use: it starts anew.
    key = _key(data.resolved)
    optimizer = state.optimizer if key == state.optimizer.key else OptimizerState()
    losses = _losses_before(data, state, rows) if state.n_chunks else None
    networks = _train(data, state, rows, optimizer, on_progress, stopping)
    # Points that have not learned the same rows cannot be compared.
    if any(network.interrupted and not network.losses for network in networks):
        raise KeyboardInterrupt
    if losses is None:
        losses = np.array([n.losses[0] if n.losses else np.inf for n in networks])
        losses = losses * sample_weight[rows].sum()
    else:
        losses = losses @ sample_weight[rows]
    state = _scored(state, losses, float(sample_weight[rows].sum()))
    n_steps = optimizer.n_steps + n_batches([rows], data.resolved.config.batch_size)
    return _chosen(data, state, networks, _optimizer_state(networks, n_steps, key))


def _initial_state(
    parameters: LearnedScaleParameters, data: PreprocessedData, seed: int
) -> PartialFitState:
    """Return equal networks before the first chunk, one for each point."""
    resolved, has_path = data.resolved, is_auto(parameters.scale_regularizer)
    points = [PathPoint(0.0, resolved.weight_decay)]
    if has_path:
        # Chunks compare penalties; the network is the same for all.
        points = [point for point, _ in resolved.path]
    weights = initialize_weights(resolved.spec, np.random.default_rng(seed))
    members = [weights] * len(points)
    ensemble = data.ensemble([weights])
    return PartialFitState(ensemble, members, points, has_path, seed, np.zeros(len(points)))


def _key(resolved: ResolvedParameters) -> str:
    keys = resolved.spec.key(), resolved.compile_config.key(), resolved.config.dtype
    return hashlib.sha256("".join(keys).encode()).hexdigest()


def _losses_before(data: PreprocessedData, state: PartialFitState, rows: np.ndarray) -> np.ndarray:
    """Loss of every row under every network, before they learn it."""
    resolved, dtype = data.resolved, data.resolved.config.dtype
    members = [[np.asarray(array, dtype) for array in weights] for weights in state.members]
    losses = [
        evaluate_losses(resolved.spec, resolved.compile_config, weights, data.dataset, rows)
        for weights in members
    ]
    return np.array(losses)


def _train(
    data: PreprocessedData,
    state: PartialFitState,
    rows: np.ndarray,
    optimizer: OptimizerState,
    on_progress: OnProgress | None,
    stopping: threading.Event | None,
) -> list[TrainedNetwork]:
    resolved = data.resolved
    runs = [
        NetworkRun(
            resolved.spec,
            rows,
            weights,
            # The networks of a path see the same order: points are compared, and not draws.
            state.seed + state.n_chunks + (0 if state.has_path else k),
            *point,
            optimizer.states[k] if optimizer.states else None,
        )
        for k, (weights, point) in enumerate(zip(state.members, state.points, strict=True))
    ]
    return train(
        resolved.compile_config,
        replace(resolved.config, decay=False, n_steps_before=optimizer.n_steps),
        data.dataset,
        runs,
        stack=len(runs),
        full_batches=True,
        on_progress=on_progress,
        stopping=stopping,
    )


def _optimizer_state(networks: Sequence[TrainedNetwork], n_steps: int, key: str) -> OptimizerState:
    # Where one has diverged, what optimizers hand on is spoilt: they start anew, from the weights
    # that were kept.
    if any(network.diverged for network in networks):
        return OptimizerState()
    states = [network.state for network in networks if network.state is not None]
    return OptimizerState(states, n_steps, key)


def _scored(state: PartialFitState, losses: np.ndarray, weight: float) -> PartialFitState:
    # A chunk that no network has a finite loss on says nothing about any of them.
    if not np.isfinite(losses).any():
        return state
    return replace(
        state, loss_sums=state.loss_sums + losses, loss_weight=state.loss_weight + weight
    )


def _chosen(
    data: PreprocessedData,
    state: PartialFitState,
    networks: Sequence[TrainedNetwork],
    optimizer: OptimizerState,
) -> PartialFitState:
    """Return the state with what was learned, and the model of its best networks."""
    chosen = [state.best_point] if state.has_path else list(range(len(networks)))
    warn_of([networks[k] for k in chosen], has_path=state.has_path)
    losses = [networks[k].losses[0] for k in chosen if networks[k].losses]
    return replace(
        state,
        ensemble=data.ensemble([networks[k].weights for k in chosen]),
        members=[network.weights for network in networks],
        optimizer=optimizer,
        n_chunks=state.n_chunks + 1,
        loss=float(np.mean(losses or [np.nan])),
    )
