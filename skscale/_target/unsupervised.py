"""What the transformer's network should learn: y, or the structure of X itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skscale._normalization.active_features import constant_features, select_active
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization
from skscale._target.checks import check_loss_domain, check_n_targets
from skscale._target.encoding import encode_known, encode_target
from skscale._target.target import Goal


@dataclass(frozen=True)
class TargetCode:
    """How targets were turned into what the network learns.

    Parameters
    ----------
    target_type : str
        "continuous", "binary" or "multiclass".
    classes : ndarray of shape (n_classes,) or None
        The labels in sorted order.
    target_map : AffineMap or None
        Normalization of continuous targets.
    """

    target_type: str
    classes: np.ndarray | None = None
    target_map: AffineMap | None = None


@dataclass(frozen=True)
class TrainingSet:
    """Rows, goal and weights of one training.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows in raw units.
    goal : Goal
        What the network learns.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    groups : array-like or None
        Rows that stay together in the folds, as the user gave them.
    code : TargetCode
        What the targets of the goal mean.
    """

    X: np.ndarray
    goal: Goal
    sample_weight: np.ndarray
    groups: Any
    code: TargetCode

    @property
    def is_classification(self) -> bool:
        """Whether the targets are classes."""
        return self.code.target_type != "continuous"

    @property
    def vote_targets(self) -> np.ndarray:
        """Targets for a vote: one column per class, or the targets themselves."""
        targets = self.goal.targets
        if self.code.target_type == "binary":
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
    known: TargetCode | None = None,
) -> TrainingSet:
    """Learn to predict y; the parameters are those of the transformer's constructor and `fit`.

    Where an earlier fit has decided how targets are read, they are read the same way.
    """
    classes = None if known is None else known.classes
    if classes is not None:
        encoded = encode_known(y, classes)
    else:
        encoded = encode_target(y, target_type if known is None else known.target_type)
    targets, target_map = encoded.values, None
    if encoded.target_type == "continuous":
        target_map = None if known is None else known.target_map
        target_map = target_map or fit_normalization(
            target_normalization, targets, sample_weight, parameter="target_normalization"
        )
        check_n_targets(targets, target_map)
        check_loss_domain(loss, target_map, targets, target_normalization)
        targets = target_map.apply(targets)
    y_given = encoded.values[:, 0] if encoded.n_outputs == 1 else encoded.values
    goal = Goal(targets, encoded.loss, y=y_given, labels=encoded.codes)
    code = TargetCode(encoded.target_type, encoded.classes, target_map)
    return TrainingSet(X, goal, sample_weight, groups, code)


def autoencoder_task(
    X: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    groups: Any,
    known: TargetCode | None = None,
    active: np.ndarray | None = None,
) -> TrainingSet:
    """Predict the features from themselves, through hidden layers of any width.

    An earlier fit may have decided which features are active, and how they are normalized.
    """
    if active is None:
        active = np.flatnonzero(~constant_features(X, sample_weight))
    targets = select_active(X, active)
    target_map = None if known is None else known.target_map
    target_map = target_map or fit_normalization(
        target_normalization, targets, sample_weight, parameter="target_normalization"
    )
    code = TargetCode("continuous", target_map=target_map)
    return TrainingSet(X, Goal(target_map.apply(targets)), sample_weight, groups, code)
