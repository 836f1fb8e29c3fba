"""Learning chunk after chunk: one pass over the rows of each, at a constant rate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skscale._callbacks.progress import Report
from skscale._fitting.fit import warn_of
from skscale._fitting.preprocess import Prepared, check_contradictions, prepare
from skscale._fitting.state import Carried, Past, Stream, best_point, mean_losses
from skscale._inference.ensemble import Ensemble
from skscale._network.initial_weights import draw_weights
from skscale._target.target import Goal
from skscale._training.batches import n_batches
from skscale._training.config import Task, Trained
from skscale._training.defaults import Recipe
from skscale._training.evaluate import held_out_losses
from skscale._training.train import train


def learn_chunk(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    *,
    present: Stream | tuple[Ensemble, Past] | None,
    feature_names: Sequence[str] | None = None,
    random: np.random.RandomState,
    report: Report | None = None,
) -> Stream:
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
    present : Stream, tuple of (Ensemble, Past) or None
        What earlier chunks, or a fit, have led to.
    feature_names : sequence of str, default=None
        Names for error messages.
    random : numpy.random.RandomState
        Source of the seeds of the first chunk.
    report : callable, default=None
        Told about the progress.

    Returns
    -------
    stream : Stream
        After the chunk.
    """
    check_contradictions(params)
    stream = present if isinstance(present, Stream) else None
    model = None
    if present is not None:
        model = stream.ensemble if stream is not None else present[0]  # type: ignore[index]
    # Precision and number of steps must not depend on the size of a chunk.
    dtype = "float32" if params["dtype"] == "auto" else params["dtype"]
    prepared = prepare(
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
    recipe, table = prepared.recipe, prepared.table
    rows = np.flatnonzero(sample_weight > 0)
    sums, weight = stream.loss_sums, stream.loss_weight
    row_weights = sample_weight[rows]
    losses = np.zeros(len(stream.members))
    if stream.n_chunks:
        dtype, members = recipe.plan.dtype, stream.members
        cast = [[np.asarray(array, dtype) for array in own] for own in members]
        by_row = [held_out_losses(recipe.spec, recipe.rule, own, table, rows) for own in cast]
        losses = by_row @ row_weights
    # Slots of another optimizer or precision are of no use: it starts anew.
    key = _key(recipe)
    before = stream.carried if key == stream.carried.key else Carried()
    networks = _learn(prepared, stream, rows, before, report)
    n_steps = before.n_steps + n_batches([rows], recipe.plan.batch_size)
    states = [network.state for network in networks if network.state is not None]
    # Where one has diverged, what optimizers carry is spoilt: they start anew, from the weights
    # that were kept.
    spoilt = any(network.diverged for network in networks)
    carried = Carried() if spoilt else Carried(states, n_steps, key)
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


def _key(recipe: Recipe) -> str:
    keys = recipe.spec.key(), recipe.rule.key(), recipe.plan.dtype
    return hashlib.sha256("".join(keys).encode()).hexdigest()


def _begin(
    params: Mapping[str, Any],
    prepared: Prepared,
    present: Any,
    random: np.random.RandomState,
) -> Stream:
    """Return the networks before the first chunk: drawn anew, or those of a fit."""
    seed = int(random.randint(2**31 - 1))
    if present is not None:
        ensemble, past = present
        members = ensemble.members
        points = np.tile([past.strength, past.weight_decay], (len(members), 1))
        competes = False
    else:
        competes = params["scale_regularizer"] == "auto"
        points = np.array([[0.0, prepared.recipe.weight_decay]])
        points = prepared.points if competes else points
        drawn = draw_weights(prepared.recipe.spec, np.random.default_rng(seed))
        members = [drawn] * len(points)
        ensemble = prepared.ensemble([drawn])
    return Stream(
        ensemble,
        members,
        points,
        competes,
        seed,
        Carried(),
        0,
        np.zeros(len(points)),
        0.0,
        np.nan,
    )


def _learn(
    prepared: Prepared, stream: Stream, rows: np.ndarray, carried: Carried, report: Report | None
) -> list[Trained]:
    recipe = prepared.recipe
    tasks = [
        Task(
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
        recipe.spec,
        recipe.rule,
        replace(recipe.plan, decay=False, n_steps_before=carried.n_steps),
        prepared.table,
        tasks,
        stack=len(tasks),
        full_batches=True,
        report=report,
    )
