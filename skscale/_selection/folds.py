"""Training and held-out rows of every fold, from what scikit-learn calls `cv`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)
from sklearn.utils.metadata_routing import get_routing_for_object

from skscale._errors import warn


class Fold(NamedTuple):
    """Row numbers of one fold, without rows of weight zero.

    Parameters
    ----------
    train : ndarray of int
        Rows to learn from.
    held_out : ndarray of int
        Rows held out.
    """

    train: np.ndarray
    held_out: np.ndarray


def make_folds(
    cv: Any,
    X: Any,
    sample_weight: np.ndarray,
    *,
    y: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    groups: Any = None,
    seed: int,
) -> list[Fold]:
    """Split the rows as given, without those of weight zero.

    Parameters
    ----------
    cv : int, splitter or iterable
        As in scikit-learn; an int means shuffled folds, stratified where there are labels, by
        group where there are groups, and is lowered to what the table allows.
    X : ndarray or sparse CSR of shape (n_samples, n_features)
        The rows as given, for splitters that look at them.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, at least two of them positive.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, for splitters that look at them.
    labels : ndarray of shape (n_samples,), default=None
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Group of each row.
    seed : int
        Decides the shuffling of an int `cv`.

    Returns
    -------
    folds : list of Fold
        Row numbers.

    Raises
    ------
    ValueError
        If a splitter needs groups that are not given; if it gives rows that the table does not
        have, or holds out rows that it learns from; or if it gives no row of positive weight to
        learn from in some fold, or none to hold out in any.
    """
    groups = _read_groups(groups, X.shape[0])
    used = np.flatnonzero(sample_weight > 0)
    if isinstance(cv, numbers.Integral):
        # Rows of weight zero would leave some folds with less, or nothing, to learn from.
        labels, groups = (_take(values, used) for values in (labels, groups))
        splitter, strata = _splitter(int(cv), len(used), labels, groups, seed)
        splits = splitter.split(used, strata, groups)
        return [Fold(used[train], used[test]) for train, test in splits]
    is_iterable = isinstance(cv, Iterable) and not hasattr(cv, "split")
    folds, splitter = [], check_cv(_pairs(cv) if is_iterable else cv)
    if groups is None and get_routing_for_object(splitter).consumes("split", ["groups"]):
        raise ValueError(
            f"cv={cv!r} splits by groups, but none are given. Pass groups to fit, as in "
            "fit(X, y, groups=groups), or use an int such as cv=5."
        )
    splits = splitter.split(X, y if labels is None else labels, groups)
    for number, (train, test) in enumerate(splits):
        parts = [_row_numbers(part, X.shape[0], number, cv) for part in (train, test)]
        fold = Fold(*(rows[sample_weight[rows] > 0] for rows in parts))
        if not len(fold.train):
            raise ValueError(
                f"cv={cv!r} leaves no row of positive weight to learn from in fold {number}. "
                "Use fewer folds, or splits that keep such rows in every training set."
            )
        both = np.intersect1d(fold.train, fold.held_out)
        if len(both):
            raise ValueError(
                f"cv={cv!r} holds out rows that it learns from: {len(both)} in fold {number}, such "
                f"as row {both[0]}. Give splits of which the two parts share no row."
            )
        folds.append(fold)
    if not any(len(fold.held_out) for fold in folds):
        raise ValueError(
            f"cv={cv!r} holds out no row of positive weight in any of its {len(folds)} folds. "
            "Use an int such as cv=5, or splits with rows to test on."
        )
    return folds


def folds_of_networks(folds: Sequence[Fold], n_networks: int) -> list[Fold]:
    """Return the fold of each network, of networks that are kept fold by fold, again and again.

    Parameters
    ----------
    folds : sequence of Fold
        Each fold once.
    n_networks : int
        A multiple of the number of folds.

    Returns
    -------
    folds : list of Fold
        One for each network.
    """
    return [*folds] * (n_networks // len(folds))


def given_fold(sample_weight: np.ndarray, n_held_out: int) -> Fold:
    """Learn from all rows but the last, which were given to be held out.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of all rows.
    n_held_out : int
        Rows to hold out, which come last.

    Returns
    -------
    fold : Fold
        Row numbers.
    """
    used = np.flatnonzero(sample_weight > 0)
    is_learned = used < len(sample_weight) - n_held_out
    return Fold(used[is_learned], used[~is_learned])


def hold_out(
    fraction: float,
    sample_weight: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    groups: Any = None,
    seed: int,
) -> Fold:
    """Hold out a share of the rows of positive weight: whole groups, or of each class its part.

    Parameters
    ----------
    fraction : float
        Share of the rows, or of the groups, to hold out.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, at least two of them positive.
    labels : ndarray of shape (n_samples,), default=None
        Class labels; of classes too small to be split nothing is promised.
    groups : array-like of shape (n_samples,), default=None
        Group of each row.
    seed : int
        Decides the draw.

    Returns
    -------
    fold : Fold
        Row numbers, in order.

    Raises
    ------
    ValueError
        If nothing would be left to learn from.
    """
    groups = _read_groups(groups, len(sample_weight))
    used = np.flatnonzero(sample_weight > 0)
    labels, groups = (_take(values, used) for values in (labels, groups))
    n_parts = len(used) if groups is None else len(np.unique(groups))
    n_test = math.ceil(fraction * n_parts)
    if n_test >= n_parts:
        raise ValueError(
            f"validation_fraction={fraction!r} holds out all of the {n_parts} "
            f"{'rows of positive weight' if groups is None else 'groups'}. Give a smaller fraction."
        )
    cls: Any = ShuffleSplit
    if groups is not None:
        cls = GroupShuffleSplit
    elif labels is not None:
        labels = _without_single_labels(labels)
        n_classes = len(np.unique(labels))
        if n_classes <= min(n_test, len(used) - n_test):
            cls = StratifiedShuffleSplit
    splitter = cls(1, test_size=fraction, random_state=seed)
    train, held_out = next(splitter.split(used, labels, groups))
    return Fold(used[np.sort(train)], used[np.sort(held_out)])


def _pairs(cv: Any) -> list[Any]:
    """Return the splits of an iterable."""
    splits = list(cv)
    for number, split in enumerate(splits):
        if isinstance(split, str) or not hasattr(split, "__len__") or len(split) != 2:
            raise ValueError(
                f"cv={cv!r} does not give folds: fold {number} is {split!r}, but a pair of the row "
                "numbers to learn from and to hold out is needed."
            )
    return splits


def _read_groups(groups: Any, n_samples: int) -> np.ndarray | None:
    """Return the group of each row, which splitters sort."""
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.shape != (n_samples,):
        raise ValueError(
            f"groups has shape {array.shape}, but one group for each row of X is needed, of shape "
            f"({n_samples},)."
        )
    try:
        np.sort(array)
    except TypeError as error:
        raise TypeError(
            "groups holds values that cannot be sorted. Give numbers for all rows, or strings, as "
            f"by pandas.factorize(groups)[0]. Python says: {error}"
        ) from None
    return array


def _take(values: Any, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else np.asarray(values)[rows]


def _splitter(
    n_splits: int, n_samples: int, labels: np.ndarray | None, groups: np.ndarray | None, seed: int
) -> tuple[Any, np.ndarray | None]:
    """Splitter and what it stratifies by."""
    what, most = "rows of positive weight", n_samples
    cls: Any = KFold
    if groups is not None:
        what, most, cls = "groups", len(np.unique(groups)), GroupKFold
    elif labels is not None:
        most = int(np.unique(labels, return_counts=True)[1].min())
        what, cls = "rows in the smallest class", StratifiedKFold
        labels = _without_single_labels(labels)
    allowed = max(2, min(n_splits, most))
    if allowed < n_splits:
        warn(f"cv={n_splits} is more than the {most} {what}: using cv={allowed}.")
    return cls(allowed, shuffle=True, random_state=seed), labels


def _without_single_labels(labels: np.ndarray) -> np.ndarray:
    """Count classes of a single row, which no split can share, to the largest class."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = np.where(counts > 1, np.arange(len(classes)), counts.argmax())
    return kept[codes]


def _row_numbers(part: Any, n_samples: int, fold: int, cv: Any) -> np.ndarray:
    rows = np.asarray(part)
    if rows.dtype == bool and rows.shape == (n_samples,):
        return np.flatnonzero(rows)
    # An empty list has a float dtype.
    rows = rows.astype(np.int64) if rows.size == 0 else rows
    fits = rows.ndim == 1 and rows.dtype.kind in "iu"
    if not fits or (rows.size and not (-n_samples <= rows.min() and rows.max() < n_samples)):
        raise ValueError(
            f"cv={cv!r} does not fit the table: fold {fold} holds {rows!r}, but row numbers from "
            f"0 to {n_samples - 1} are needed."
        )
    return rows % n_samples
