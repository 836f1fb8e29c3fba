"""From sensitivities to the factors of the transform: how strongly to trust them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._importance.neighbors import neighbor_vote, vote_score
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import Table
from skscale._normalization.sample_weight import relative_weights
from skscale._selection.folds import Fold

# Without a proper square root a feature of no importance would vanish from every distance.
_FLOOR = 1e-3
_CANDIDATES = (0.0, 0.5, 1.0)
# What a larger power must gain, relative to the score: more than rounding.
_MIN_GAIN = 1e-6
# Without folds nothing can be scored: half way between no and full trust.
POWER_WITHOUT_FOLDS = 0.5
# Rows of the neighbour vote, at most; its cost grows with their square.
_MAX_ROWS = 2000
# Rows of them that are held out, at least, where others never are: as many as of five folds.
_MIN_HELD_OUT = _MAX_ROWS // 5
# Different rows of mean weight that vote on one.
_N_NEIGHBORS = 10


def power_factors(r: np.ndarray, power: float, active: np.ndarray) -> np.ndarray:
    """Factors of mean square one: power, then a floor at 1e-3 of the largest, then rescaling.

    Total variance is what `StandardScaler` would give, so that hyperparameters such as
    ``gamma="scale"`` keep their meaning.

    Parameters
    ----------
    r : ndarray of shape (n_features,)
        Sensitivities; all zero means no preference.
    power : float
        Exponent; 0 gives one for every feature.
    active : ndarray of int
        Features that vary. The others keep a factor of one.

    Returns
    -------
    ndarray of shape (n_features,)
        The factors, to be applied to standardized features.
    """
    factors = np.ones(len(r))
    relative = r[active]
    if power == 0.0 or not relative.any():
        return factors
    relative = (relative / relative.max()) ** power
    relative = np.maximum(relative, _FLOOR)
    factors[active] = relative / np.sqrt(np.mean(relative**2))
    return factors


def choose_power(
    X: Table,
    targets: np.ndarray,
    sample_weight: np.ndarray,
    *,
    standard: AffineMap,
    members: np.ndarray,
    folds: Sequence[Fold],
    active: np.ndarray,
    is_classification: bool,
    random: np.random.RandomState,
) -> float:
    """Choose the power by a vote of nearest neighbours, each fold's scale on its held-out rows.

    Parameters
    ----------
    X : ndarray or DenseRows of shape (n_samples, n_features)
        Rows in raw units.
    targets : ndarray of shape (n_samples, n_outputs)
        Targets, or one column per class.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows; they count as repetition, and times a constant they are the same.
    standard : AffineMap
        Standardization of `X`.
    members : ndarray of shape (n_folds, n_features)
        Sensitivities of the network of each fold.
    folds : sequence of Fold
        Rows of each network.
    active : ndarray of int
        Features that vary.
    is_classification : bool
        Whether the score is accuracy instead of R2.
    random : numpy.random.RandomState
        Draws the rows where there are more than enough.

    Returns
    -------
    power : float
        A larger one must win against every smaller one.
    """
    rows: slice | np.ndarray = slice(None)
    if len(X) > _MAX_ROWS:
        kept = np.sort(_drawn(np.flatnonzero(sample_weight > 0), folds, random))
        place = np.full(len(X), -1)
        place[kept] = np.arange(len(kept))
        rows, targets, sample_weight = kept, targets[kept], sample_weight[kept]
        placed = [Fold(place[train], place[test]) for train, test in folds]
        folds = [Fold(train[train >= 0], test[test >= 0]) for train, test in placed]
    # Only these rows of a large table are read. Constant features add nothing to a distance but
    # another order of its additions.
    Z = standard.apply(X[rows]).take(active, axis=1)
    sample_weight = relative_weights(sample_weight)
    # All rows three times, by weight or one by one, are the same table, with the same neighbours.
    n_different = len({row.tobytes() for row in Z[sample_weight > 0]})
    n_neighbors = _N_NEIGHBORS * sample_weight.sum() / n_different

    def score(power: float) -> float:
        truths, votes, weights = [], [], []
        for r, (train, test) in zip(members, folds, strict=True):
            if not len(train):
                continue
            scaled = Z * power_factors(r, power, active)[active]
            vote = neighbor_vote(
                scaled[train],
                targets[train],
                scaled[test],
                n_neighbors=n_neighbors,
                sample_weight=sample_weight[train],
            )
            votes.append(vote)
            truths.append(targets[test])
            weights.append(sample_weight[test])
        return vote_score(
            np.concatenate(truths),
            np.concatenate(votes),
            np.concatenate(weights),
            is_classification=is_classification,
        )

    best, *larger = _CANDIDATES
    best_score = score(best)
    for power in larger:
        power_score = score(power)
        if power_score > best_score + _MIN_GAIN * abs(best_score):
            best, best_score = power, power_score
    return best


def _drawn(used: np.ndarray, folds: Sequence[Fold], random: np.random.RandomState) -> np.ndarray:
    """Draw rows to vote with and on; of few that are held out, more than their share."""
    is_held_out = np.isin(used, np.concatenate([held_out for _, held_out in folds]))
    held_out, others = used[is_held_out], used[~is_held_out]
    n_rows = min(len(used), _MAX_ROWS)
    if not len(others) or n_rows == len(used):
        return random.choice(used, n_rows, replace=False)
    share = n_rows * len(held_out) // len(used)
    n_held_out = min(len(held_out), n_rows - _MIN_HELD_OUT, max(share, _MIN_HELD_OUT))
    parts = (held_out, n_held_out), (others, min(len(others), n_rows - n_held_out))
    return np.concatenate([random.choice(rows, n, replace=False) for rows, n in parts])
