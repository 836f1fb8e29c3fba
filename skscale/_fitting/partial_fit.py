"""Learning chunk after chunk: one pass over the rows of each, at a constant rate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skscale._callbacks.progress import OnProgress
from skscale._fitting.fit import warn_of
from skscale._fitting.preprocess import PreprocessedData, check_contradictions, preprocess
from skscale._fitting.state import (
    OptimizerState,
    PartialFitState,
    WarmStartState,
    best_point,
    mean_losses,
)
from skscale._inference.ensemble import Ensemble
from skscale._network.initial_weights import initialize_weights
from skscale._target.target import Goal
from skscale._training.batches import n_batches
from skscale._training.config import NetworkRun, TrainedNetwork
from skscale._training.defaults import ResolvedParameters
from skscale._training.evaluate import evaluate_losses
from skscale._training.train import train


def partial_fit(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    *,
    present: PartialFitState | tuple[Ensemble, WarmStartState] | None,
    feature_names: Sequence[str] | None = None,
    random: np.random.RandomState,
    report: OnProgress | None = None,
) -> PartialFitState:
    """Let networks learn the rows of one chunk, each row once.

    Under ``scale_regularizer="auto"`` one network for each point of the path learns. Every chunk
    scores them before they learn it (progressive validation: Blum, Kalai and Langford 1999); the
    first one, which finds them all equal, by its batches.

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
    present : PartialFitState, tuple of (Ensemble, WarmStartState) or None
        What earlier chunks, or a fit, have led to.
    feature_names : sequence of str, default=None
        Names for error messages.
    random : numpy.random.RandomState
        Source of the seeds of the first chunk.
    report : callable, default=None
        Told about the progress.

    Returns
    -------
    stream : PartialFitState
        After the chunk.
    """
    check_contradictions(params)
    stream = present if isinstance(present, PartialFitState) else None
    model = None
    if present is not None:
        model = stream.ensemble if stream is not None else present[0]  # type: ignore[index]
    # Precision and number of steps must not depend on the size of a chunk.
    dtype = "float32" if params["dtype"] == "auto" else params["dtype"]
    prepared = preprocess(
        {**params, "epochs": 1, "dtype": dtype},
        X,
        goal,
        sample_weight,
        n_training=len(X),
        feature_names=feature_names,
        present=model,
    )
    if stream is None:
        stream = _begin(params, prepared, present, random)
    resolved, dataset = prepared.resolved, prepared.dataset
    rows = np.flatnonzero(sample_weight > 0)
    sums, weight = stream.loss_sums, stream.loss_weight
    row_weights = sample_weight[rows]
    losses = np.zeros(len(stream.members))
    if stream.n_chunks:
        dtype, members = resolved.config.dtype, stream.members
        cast = [[np.asarray(array, dtype) for array in own] for own in members]
        by_row = [
            evaluate_losses(resolved.spec, resolved.compile_config, own, dataset, rows)
            for own in cast
        ]
        losses = by_row @ row_weights
    # Slots of another optimizer or precision are of no use: it starts anew.
    key = _key(resolved)
    before = stream.carried if key == stream.carried.key else OptimizerState()
    networks = _learn(prepared, stream, rows, before, report)
    n_steps = before.n_steps + n_batches([rows], resolved.config.batch_size)
    states = [network.state for network in networks if network.state is not None]
    # Where one has diverged, what optimizers carry is spoilt: they start anew, from the weights
    # that were kept.
    spoilt = any(network.diverged for network in networks)
    carried = OptimizerState() if spoilt else OptimizerState(states, n_steps, key)
    if not stream.n_chunks:
        first = [network.losses[0] if network.losses else np.inf for network in networks]
        losses = np.array(first) * row_weights.sum()
    # A chunk that no network has a finite loss on tells nothing about any of them.
    if np.isfinite(losses).any():
        sums, weight = sums + losses, weight + row_weights.sum()
    members = [network.weights for network in networks]
    best = best_point(mean_losses(sums, weight))
    chosen = [best] if stream.competes else list(range(len(members)))
    warn_of([networks[k] for k in chosen], at_every_point=stream.competes)
    return replace(
        stream,
        ensemble=prepared.ensemble([members[k] for k in chosen]),
        members=members,
        carried=carried,
        n_chunks=stream.n_chunks + 1,
        loss_sums=sums,
        loss_weight=float(weight),
        loss=float(
            np.mean([networks[k].losses[0] for k in chosen if networks[k].losses] or [np.nan])
        ),
    )


def _key(resolved: ResolvedParameters) -> str:
    keys = resolved.spec.key(), resolved.compile_config.key(), resolved.config.dtype
    return hashlib.sha256("".join(keys).encode()).hexdigest()


def _begin(
    params: Mapping[str, Any],
    prepared: PreprocessedData,
    present: Any,
    random: np.random.RandomState,
) -> PartialFitState:
    """Return the networks before the first chunk: drawn anew, or those of a fit."""
    seed = int(random.randint(2**31 - 1))
    if present is not None:
        ensemble, past = present
        members = ensemble.members
        points = np.tile([past.strength, past.weight_decay], (len(members), 1))
        competes = False
    else:
        competes = params["scale_regularizer"] == "auto"
        points = np.array([[0.0, prepared.resolved.weight_decay]])
        points = prepared.points if competes else points
        drawn = initialize_weights(prepared.resolved.spec, np.random.default_rng(seed))
        members = [drawn] * len(points)
        ensemble = prepared.ensemble([drawn])
    return PartialFitState(
        ensemble,
        members,
        points,
        competes,
        seed,
        OptimizerState(),
        0,
        np.zeros(len(points)),
        0.0,
        np.nan,
    )


def _learn(
    prepared: PreprocessedData,
    stream: PartialFitState,
    rows: np.ndarray,
    carried: OptimizerState,
    report: OnProgress | None,
) -> list[TrainedNetwork]:
    resolved = prepared.resolved
    tasks = [
        NetworkRun(
            rows,
            weights,
            # The networks of a path see the same order: points are compared, and not draws.
            stream.seed + stream.n_chunks + (0 if stream.competes else k),
            float(strength),
            float(decay),
            carried.states[k] if carried.states else None,
        )
        for k, (weights, (strength, decay)) in enumerate(
            zip(stream.members, stream.points, strict=True)
        )
    ]
    return train(
        resolved.spec,
        resolved.compile_config,
        replace(resolved.config, decay=False, n_steps_before=carried.n_steps),
        prepared.dataset,
        tasks,
        stack=len(tasks),
        full_batches=True,
        on_progress=report,
    )
