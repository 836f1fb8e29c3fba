"""Learning chunk after chunk: one pass over the rows of each, at a constant rate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skscale._batches import n_batches
from skscale._draws import draw_weights
from skscale._ensemble import Ensemble
from skscale._evaluation import held_out_losses
from skscale._fitting import Past, warn_of
from skscale._goal import Goal
from skscale._plan import Report, Task, Trained
from skscale._preparation import Prepared, prepare
from skscale._recipe import Recipe
from skscale._refusals import check_contradictions
from skscale._training import train


@dataclass(frozen=True)
class Carried:
    """What optimizers hand from one chunk to the next.

    Parameters
    ----------
    states : list of ndarray
        Weights and slots of each network; empty before the first chunk.
    n_steps : int
        Steps that they have seen.
    key : str
        Network, rule and precision that they are of.
    """

    states: Sequence[np.ndarray] = ()
    n_steps: int = 0
    key: str = ""


@dataclass(frozen=True)
class Stream:
    """Networks that learn chunk after chunk, and what is known of them so far.

    Parameters
    ----------
    ensemble : Ensemble
        The model: the network of the best point, or all networks where an earlier fit chose.
    members : list of list of ndarray
        Weights of all networks that learn.
    points : ndarray of shape (n_networks, 2)
        Strength and weight decay of each network.
    competes : bool
        Whether the networks are points of a path, of which one is chosen.
    seed : int
        Decides the order of the rows.
    carried : Carried
        What optimizers hand on.
    n_chunks : int
        Chunks learned.
    loss_sums : ndarray of shape (n_networks,)
        Losses of rows before they were learned, summed by weight.
    loss_weight : float
        Weight of those rows.
    loss : float
        Training loss of the model on the last chunk.
    """

    ensemble: Ensemble
    members: Sequence[Sequence[np.ndarray]]
    points: np.ndarray
    competes: bool
    seed: int
    carried: Carried
    n_chunks: int
    loss_sums: np.ndarray
    loss_weight: float
    loss: float

    @property
    def path(self) -> dict[str, Any]:
        """Points and progressive losses, as a fit reports its path."""
        losses = _mean_losses(self.loss_sums, self.loss_weight)
        return {
            "strength": self.points[:, 0],
            "weight_decay": self.points[:, 1],
            "mean_loss": losses,
            "std_loss": np.full(len(losses), np.nan),
            "best_index": best_point(losses),
        }


def _mean_losses(sums: np.ndarray, weight: float) -> np.ndarray:
    """Return infinity before the first chunk that has told anything."""
    return sums / weight if weight else np.full(len(sums), np.inf)


def best_point(losses: np.ndarray) -> int:
    """Return the point of least loss; the last, whose networks move least, where none is finite."""
    return int(np.nanargmin(losses)) if np.isfinite(losses).any() else len(losses) - 1


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
    best = best_point(_mean_losses(sums, weight))
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
