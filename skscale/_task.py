"""What the transformer's network should learn: y, or the structure of X itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skscale._ensemble import select_active
from skscale._fitting import Goal
from skscale._normalization import fit_normalization
from skscale._refusals import check_loss_domain
from skscale._statistics import constant_features
from skscale._target import DEFAULT_LOSSES, encode_target


@dataclass(frozen=True)
class LearningTask:
    """Rows, goal and weights of one training.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Rows in raw units.
    goal : Goal
        What the network learns.
    sample_weight : ndarray of shape (n_rows,)
        Weights of the rows.
    groups : array-like or None
        Rows that stay together in the folds, as the user gave them.
    target_type : str
        "continuous", "binary" or "multiclass".
    """

    X: np.ndarray
    goal: Goal
    sample_weight: np.ndarray
    groups: Any
    target_type: str

    @property
    def is_classification(self) -> bool:
        """Whether the targets are classes."""
        return self.target_type != "continuous"

    @property
    def vote_targets(self) -> np.ndarray:
        """Targets for a vote: one column per class, or the targets themselves."""
        targets = self.goal.targets
        if self.target_type == "binary":
            return np.concatenate([1 - targets, targets], axis=1)
        return targets


def supervised_task(
    X: np.ndarray,
    y: ArrayLike,
    sample_weight: np.ndarray,
    target_type: str,
    target_normalization: Any,
    loss: Any,
    groups: Any,
) -> LearningTask:
    """Learn to predict y; the parameters are those of the transformer's constructor and `fit`."""
    encoded = encode_target(y, target_type)
    targets = encoded.values
    if encoded.target_type == "continuous":
        target_map = fit_normalization(
            target_normalization, targets, sample_weight, parameter="target_normalization"
        )
        check_loss_domain(loss, target_map, targets, target_normalization)
        targets = target_map.apply(targets)
    y_given = encoded.values[:, 0] if encoded.n_outputs == 1 else encoded.values
    goal = Goal(targets, encoded.loss, y=y_given, labels=encoded.codes)
    return LearningTask(X, goal, sample_weight, groups, encoded.target_type)


def unsupervised_task(
    name: str,
    X: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    groups: Any,
    random: np.random.RandomState,
) -> LearningTask:
    """Learn from the features alone, by one of `UNSUPERVISED`."""
    varying = np.flatnonzero(~constant_features(X, sample_weight))
    return UNSUPERVISED[name](X, varying, sample_weight, target_normalization, groups, random)


def _autoencoder(
    X: np.ndarray,
    varying: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    groups: Any,
    random: np.random.RandomState,
) -> LearningTask:
    """Predict the features from themselves, through hidden layers of any width."""
    targets = select_active(X, varying)
    targets = fit_normalization(
        target_normalization, targets, sample_weight, parameter="target_normalization"
    ).apply(targets)
    return LearningTask(X, Goal(targets), sample_weight, groups, "continuous")


def _contrast(
    X: np.ndarray,
    varying: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    groups: Any,
    random: np.random.RandomState,
) -> LearningTask:
    """Tell rows from rows whose columns were shuffled one by one (Hastie et al. 2009, 14.2.4)."""
    shuffled = X.copy()
    used = np.flatnonzero(sample_weight > 0)
    share = sample_weight[used] / sample_weight[used].sum()
    is_uniform = np.ptp(share) == 0.0
    for feature in varying:
        # With weights, values are drawn as often as they weigh: each column alone must not tell.
        rows = random.permutation(used) if is_uniform else random.choice(used, len(used), p=share)
        shuffled[used, feature] = X[rows, feature]
    is_real = np.repeat([1.0, 0.0], len(X))
    goal = Goal(is_real[:, np.newaxis], DEFAULT_LOSSES["binary"], n_copies=2)
    return LearningTask(
        np.concatenate([X, shuffled]), goal, np.tile(sample_weight, 2), groups, "binary"
    )


UNSUPERVISED = {"autoencoder": _autoencoder, "contrast": _contrast}
