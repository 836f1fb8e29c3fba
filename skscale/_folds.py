"""Training and held-out rows of every fold, from what scikit-learn calls `cv`."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, check_cv

Fold = tuple[np.ndarray, np.ndarray]
"""Rows to learn from and rows held out, without those of weight zero."""


def make_folds(
    cv: Any,
    X: np.ndarray,
    sample_weight: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    groups: Any = None,
    seed: int,
) -> list[Fold]:
    """Split the rows as given, then drop those of weight zero.

    Parameters
    ----------
    cv : int, splitter or iterable
        As in scikit-learn; an int means shuffled folds, stratified where there are labels, by
        group where there are groups, and is lowered to what the table allows.
    X : ndarray of shape (n_samples, n_features)
        The rows.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    labels : ndarray of shape (n_samples,), default=None
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Group of each row.
    seed : int
        Decides the shuffling of an int `cv`.

    Returns
    -------
    folds : list of (train, test)
        Row numbers.

    Raises
    ------
    ValueError
        If a splitter gives rows that the table does not have, or no row of positive weight to
        learn from in some fold, or none to hold out in any.
    """
    used = sample_weight > 0
    if isinstance(cv, numbers.Integral):
        splitter = _splitter(int(cv), used, labels, groups, seed)
    else:
        splitter = check_cv(cv, y=labels, classifier=labels is not None)
    folds = []
    y = np.zeros(len(X)) if labels is None else labels
    with warnings.catch_warnings():
        # _splitter has said already that a class is too small, and what follows from it.
        warnings.filterwarnings("ignore", message="The least populated class", module="sklearn")
        for number, (train, test) in enumerate(splitter.split(X, y, groups)):
            rows = [_row_numbers(part, len(X), number, cv) for part in (train, test)]
            folds.append((rows[0][used[rows[0]]], rows[1][used[rows[1]]]))
            if not len(folds[-1][0]):
                raise ValueError(
                    f"cv={cv!r} leaves no row of positive weight to learn from in fold {number}. "
                    "Use fewer folds, or splits that keep such rows in every training set."
                )
    if not any(len(test) for _, test in folds):
        raise ValueError(
            f"cv={cv!r} holds out no row of positive weight in any of its {len(folds)} folds. "
            "Use an int such as cv=5, or splits with rows to test on."
        )
    return folds


def _splitter(
    n_splits: int, used: np.ndarray, labels: np.ndarray | None, groups: Any, seed: int
) -> Any:
    what, most = "rows of positive weight", int(used.sum())
    cls: Any = KFold
    if groups is not None:
        what, most, cls = "groups", len(np.unique(np.asarray(groups))), GroupKFold
    elif labels is not None:
        counts = np.unique(labels[used], return_counts=True)[1]
        what, most, cls = "rows in the smallest class", int(counts.min()), StratifiedKFold
    allowed = max(2, min(n_splits, most))
    if allowed < n_splits:
        warnings.warn(
            f"cv={n_splits} is more than the {most} {what}: using cv={allowed}.",
            UserWarning,
            stacklevel=2,
        )
    return cls(allowed, shuffle=True, random_state=seed)


def _row_numbers(part: Any, n_rows: int, fold: int, cv: Any) -> np.ndarray:
    rows = np.asarray(part)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    # An empty list has a float dtype.
    rows = rows.astype(np.int64) if rows.size == 0 else rows
    fits = rows.ndim == 1 and rows.dtype.kind in "iu"
    if not fits or (rows.size and not (-n_rows <= rows.min() and rows.max() < n_rows)):
        raise ValueError(
            f"cv={cv!r} does not fit the table: fold {fold} holds {rows!r}, but row numbers from "
            f"0 to {n_rows - 1} are needed."
        )
    return rows % n_rows if rows.size else rows
