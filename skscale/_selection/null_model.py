"""The null model: what predicts the mean, where no network does better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._network.dense_spec import DenseSpec
from skscale._selection.folds import Fold
from skscale._target.target import Target

# Share of a class that a fold has no row of: a logit must be finite.
_LEAST_SHARE = 1e-6


def null_outputs(target: Target, folds: Sequence[Fold], weights: np.ndarray) -> np.ndarray:
    """Compute the one output that fits the training rows of each fold best.

    Parameters
    ----------
    target : Target
        Normalized targets, or classes.
    folds : sequence of Fold
        Row numbers.
    weights : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_folds, n_outputs)
        Weighted means of the targets; of classes their shares, or the logits of these where that
        is what the network gives.
    """
    training_rows = [fold.train for fold in folds]
    means = np.array(
        [np.average(target.values[t], axis=0, weights=weights[t]) for t in training_rows]
    )
    return constant_outputs(target, means)


def constant_outputs(target: Target, means: np.ndarray) -> np.ndarray:
    """Turn means of the values of a target into outputs of a network.

    Parameters
    ----------
    target : Target
        Normalized targets, or classes.
    means : ndarray of shape (n_folds, n_outputs)
        Weighted means of the values.

    Returns
    -------
    ndarray of shape (n_folds, n_outputs)
        As `null_outputs` returns them.
    """
    if not target.is_classification:
        return means
    shares = np.clip(means, _LEAST_SHARE, 1 - _LEAST_SHARE)
    return _logits(shares) if target.output_activation == "linear" else shares


def _logits(shares: np.ndarray) -> np.ndarray:
    # Two classes share one output.
    return np.log(shares) - (np.log1p(-shares) if shares.shape[-1] == 1 else 0.0)


def null_networks(
    target: Target, outputs: np.ndarray, n_features: int, *, center: bool
) -> tuple[DenseSpec, list[list[np.ndarray]]]:
    """Return networks that give the same output for every row.

    Parameters
    ----------
    target : Target
        The one that `null_outputs` was called with.
    outputs : ndarray of shape (n_networks, n_outputs)
        The output of each.
    n_features : int
        Width of their input, of which they use nothing.
    center : bool
        Whether their scaling layer has offsets.

    Returns
    -------
    spec : DenseSpec
        Without hidden layers.
    members : list of list of ndarray
        Weights in the order of `spec.arrays`; all zero but the bias of the output.
    """
    has_shares = target.is_classification and target.output_activation != "linear"
    spec = DenseSpec(
        n_features,
        outputs.shape[1],
        (),
        # `to_keras` takes the logits from before this activation. Classes have it by name.
        output_activation=str(target.output_activation) if has_shares else "linear",
        center=center,
    )
    zeros = [np.zeros(parameter.shape) for parameter in spec.arrays[:-1]]
    biases = _logits(outputs) if has_shares else outputs
    return spec, [[*zeros, bias] for bias in biases]
