"""The null model: what predicts the mean, where no network does better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._network.spec import DenseSpec
from skscale._selection.folds import Fold
from skscale._target.target import Goal

# Share of a class that a fold has no row of: a logit must be finite.
_LEAST_SHARE = 1e-6


def null_outputs(goal: Goal, folds: Sequence[Fold], weights: np.ndarray) -> np.ndarray:
    """Compute the one output that fits the training rows of each fold best.

    Parameters
    ----------
    goal : Goal
        Normalized targets, or classes.
    folds : sequence of (train, held-out)
        Row numbers.
    weights : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_folds, n_outputs)
        Weighted means of the targets; of classes their shares, or the logits of these where that
        is what the network gives.
    """
    means = np.array([np.average(goal.targets[t], axis=0, weights=weights[t]) for t, _ in folds])
    if goal.labels is None:
        return means
    shares = np.clip(means, _LEAST_SHARE, 1 - _LEAST_SHARE)
    return _logits(shares) if goal.output_activation == "linear" else shares


def _logits(shares: np.ndarray) -> np.ndarray:
    # Two classes share one output.
    return np.log(shares) - (np.log1p(-shares) if shares.shape[-1] == 1 else 0.0)


def null_network(
    goal: Goal, n_features: int, output: np.ndarray, *, center: bool
) -> tuple[DenseSpec, list[np.ndarray]]:
    """Return a network that gives the same output for every row.

    Parameters
    ----------
    goal : Goal
        As `null_outputs` was given it.
    n_features : int
        Width of its input, of which it uses nothing.
    output : ndarray of shape (n_outputs,)
        The output.
    center : bool
        Whether its scaling layer has offsets.

    Returns
    -------
    spec : DenseSpec
        Without hidden layers.
    weights : list of ndarray
        In the order of `spec.arrays`; all zero but the bias of the output.
    """
    has_shares = goal.labels is not None and goal.output_activation != "linear"
    # Whoever exports a classifier finds the logits of its probabilities before the activation.
    activation, bias = (
        (goal.output_activation, _logits(output)) if has_shares else ("linear", output)
    )
    spec = DenseSpec(n_features, len(output), (), output_activation=activation, center=center)
    weights = [np.zeros(parameter.shape) for parameter in spec.arrays]
    weights[-1] = np.asarray(bias)
    return spec, weights
