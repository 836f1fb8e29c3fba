"""How much each feature matters to the networks, per standard deviation of the feature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._inference.ensemble import Ensemble
from skscale._normalization.dense_rows import Table
from skscale._normalization.sample_weight import relative_weights
from skscale._selection.folds import Fold

# Rows of one network, at most: the mean over more changes little.
_MAX_ROWS = 1024


def member_sensitivities(
    ensemble: Ensemble,
    folds: Sequence[Fold],
    X: Table,
    sample_weight: np.ndarray,
    random: np.random.RandomState,
    **outputs: bool,
) -> np.ndarray:
    """Sensitivity of each network on its training rows, of mean square one over the features.

    The root of the diagonal of the average gradient outer product (Radhakrishnan et al. 2024,
    Science 383:1461), by features in units of their standard deviation, whatever the
    normalization is.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    folds : sequence of Fold
        Rows of each network.
    X : ndarray or DenseRows of shape (n_samples, n_features)
        Rows in raw units.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    random : numpy.random.RandomState
        Draws the rows where there are more than enough.
    **outputs : bool
        `of_logits` and `logits_centred` of `skscale._inference.gradients.sensitivity`.

    Returns
    -------
    ndarray of shape (n_networks, n_features)
        Zero for constant features, and for a network that responds to nothing.
    """
    sample_weight = relative_weights(sample_weight)
    rows = np.zeros((len(ensemble.members), X.shape[1]))
    for member, (train, _) in enumerate(folds):
        if len(train) > _MAX_ROWS:
            train = np.sort(random.choice(train, _MAX_ROWS, replace=False))
        r = ensemble.member_sensitivity(X[train], sample_weight[train], member, **outputs)
        rows[member] = _unit_mean_square(r * ensemble.size, ensemble.active)
    return rows


def pooled_sensitivity(
    ensemble: Ensemble,
    folds: Sequence[Fold],
    X: Table,
    sample_weight: np.ndarray,
    random: np.random.RandomState,
    **outputs: bool,
) -> np.ndarray:
    """Root mean square over the networks of `member_sensitivities`; see `pool`."""
    return pool(member_sensitivities(ensemble, folds, X, sample_weight, random, **outputs))


def pool(members: np.ndarray) -> np.ndarray:
    """Root mean square over networks; one that responds to nothing is left out."""
    responding = members[members.any(axis=1)]
    if not len(responding):
        return np.zeros(members.shape[1])
    return np.sqrt((responding**2).mean(axis=0))


def importances(r: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Share of each feature in the squared sensitivity; uniform where there is none at all."""
    shares = np.zeros(len(r))
    # Sums over the active features alone: a zero more would change the order of the additions.
    squares = r[active] ** 2
    total = squares.sum()
    shares[active] = squares / total if total > 0 else 1 / max(1, len(active))
    return shares


def _unit_mean_square(r: np.ndarray, active: np.ndarray) -> np.ndarray:
    if not np.isfinite(r[active]).all():
        # Squares of a network that diverged overflow; beside them all others count for nothing.
        r = np.where(np.isfinite(r), 0.0, 1.0)
    root = np.sqrt(np.mean(r[active] ** 2)) if len(active) else 0.0
    return r / root if root > 0 else np.zeros_like(r)
