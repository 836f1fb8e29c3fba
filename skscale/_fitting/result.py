"""What came out of a training: the model, its history, and warnings of what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skscale._errors import warn
from skscale._fitting.preprocess import PreprocessedData
from skscale._fitting.state import FitResult, WarmStartState
from skscale._fitting.training_set import TrainingSet
from skscale._parameters import LearnedScaleParameters
from skscale._selection.folds import Fold, folds_of_networks
from skscale._selection.null_model import null_networks
from skscale._selection.point_score import path_attribute
from skscale._selection.regularization_path import Selection
from skscale._training.config import TrainedNetwork
from skscale._training.path_points import Candidate


class Seeds(NamedTuple):
    """What random draws start from: integers that JSON and every pickle know."""

    folds: int
    networks: int
    validation: int

    @classmethod
    def draw(cls, random: np.random.RandomState) -> Seeds:
        """Draw all at once, so that the use of one moves no other."""
        return cls(*map(int, random.randint(2**31 - 1, size=3)))


@dataclass(frozen=True)
class Outcome:
    """Networks of one architecture, and the penalties that they were trained under."""

    networks: Sequence[TrainedNetwork]
    candidate: Candidate
    path: dict[str, Any] | None = None
    null_outputs: np.ndarray | None = None


def outcome_of(selection: Selection, data: PreprocessedData, *, has_temperatures: bool) -> Outcome:
    """Return what the choice among the points of a path has left.

    Parameters
    ----------
    selection : Selection
        The choice.
    data : PreprocessedData
        What the networks were trained on.
    has_temperatures : bool
        Whether the networks are calibrated, as those of classes are.

    Returns
    -------
    outcome : Outcome
        Networks of the best point, and what all points showed.
    """
    scales = [
        data.ensemble(weights, candidate.spec).member_scales().mean(axis=0)
        for weights, candidate in zip(selection.fold_weights, selection.candidates, strict=True)
    ]
    path = path_attribute(
        selection.candidates,
        selection.scores,
        np.array(scales),
        selection.best,
        stopped=selection.stopped,
        null_loss=selection.null_loss,
        parts=(selection.epochs, selection.losses),
        has_temperatures=has_temperatures,
    )
    chosen = selection.candidates[selection.best]
    return Outcome(selection.networks, chosen, path, selection.null_outputs)


def fit_result(
    parameters: LearnedScaleParameters,
    data: PreprocessedData,
    folds: Sequence[Fold],
    training_set: TrainingSet,
    outcome: Outcome,
    seeds: Seeds,
    n_epochs_before: int,
    *,
    has_path: bool,
) -> FitResult:
    """Warn of what did not go as planned, and keep what another fit needs."""
    networks = outcome.networks
    if any(network.interrupted for network in networks) and not any(n.losses for n in networks):
        raise KeyboardInterrupt
    is_null = outcome.null_outputs is not None
    warn_of(outcome.networks, has_path=has_path, is_null=is_null)
    history = _history(outcome.networks)
    point, spec = outcome.candidate
    is_validated = training_set.n_held_out > 0
    ensemble = data.ensemble([network.weights for network in outcome.networks], spec)
    # Only a splitter of the user's own may give other folds when it is asked again.
    is_asked = has_path and not is_validated and not isinstance(parameters.cv, int | None)
    state = WarmStartState(
        *point,
        n_epochs=n_epochs_before + len(history["loss"]),
        n_samples=training_set.n_learned,
        fold_seed=seeds.folds,
        has_path=has_path,
        is_validated=is_validated,
        folds=folds if is_asked and parameters.warm_start else None,
        trained=ensemble if is_null else None,
        has_diverged=is_null and any(network.diverged for network in outcome.networks),
    )
    scored = folds if has_path else []
    if outcome.null_outputs is not None:
        spec, members = null_networks(
            training_set.target,
            outcome.null_outputs,
            ensemble.spec.n_features,
            center=ensemble.spec.center,
        )
        ensemble = replace(ensemble, spec=spec, members=members)
        # There is nothing to calibrate: shares of classes are right as they are.
        folds = [Fold(fold.train, fold.held_out[:0]) for fold in folds]
    n_networks = len(ensemble.members)
    of_networks = folds_of_networks(folds, n_networks)
    held_out = [fold.held_out for fold in scored] * (n_networks // len(folds))
    keras_callbacks = [network.keras_callbacks for network in outcome.networks]
    return FitResult(
        ensemble,
        of_networks,
        held_out,
        history,
        outcome.path,
        state,
        keras_callbacks if has_path else keras_callbacks[0],
    )


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
