"""What one pass over all partitions tells: statistics, labels, folds and a sample of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from skscale._distributed.partition import RawRows, Reader
from skscale._fitting.held_out import named
from skscale._normalization.merged_statistics import ColumnSummary
from skscale._target.target_type import MAX_INTEGER_CLASSES, resolve_target_type

# Rows that are kept of all partitions: for quantiles, sensitivities, temperatures and the vote of
# neighbours, which take at most 2,000 of them.
_SAMPLE_ROWS = 10_000
# More of them are no classes, but would have to be gathered from all partitions.
_MAX_LABELS = 10_000


@dataclass(frozen=True)
class FoldSummary:
    """What is known of the target in the rows of one fold.

    Parameters
    ----------
    quantities : ColumnSummary or None
        Their columns, where y may hold quantities and the fold has rows.
    labels : mapping
        Weight of the rows of each label, where y may hold classes.
    """

    quantities: ColumnSummary | None
    labels: Mapping[Any, float]

    @classmethod
    def merged(cls, parts: Sequence[FoldSummary]) -> FoldSummary:
        """Merge what is known of rows in different partitions, or in different folds."""
        columns = [part.quantities for part in parts if part.quantities is not None]
        labels: dict[Any, float] = {}
        for part in parts:
            for label, weight in part.labels.items():
                labels[label] = labels.get(label, 0.0) + weight
        return cls(ColumnSummary.merged(columns) if columns else None, labels)


@dataclass(frozen=True)
class Summary:
    """What is known of some partitions, and can be merged with that of others.

    Parameters
    ----------
    counts : mapping of int to ndarray of int of shape (n_folds,)
        Rows of positive weight in each fold, of each partition that has any, by its number; in one
        fold without folds.
    features : ColumnSummary
        Columns of the features.
    folds : sequence of FoldSummary
        The target in each fold.
    sample : RawRows
        Rows drawn from all of them, each as likely as any other.
    """

    counts: Mapping[int, np.ndarray]
    features: ColumnSummary
    folds: Sequence[FoldSummary]
    sample: RawRows


def summarize(reader: Reader, number: int, X: Any, y: Any, sample_weight: Any) -> Summary | None:
    """Read a partition, and say what it holds.

    Parameters
    ----------
    reader : Reader
        Reads it.
    number : int
        Its place among the partitions.
    X, y, sample_weight : array-like or None
        Its rows.

    Returns
    -------
    summary : Summary or None
        Of its rows; None where there are none of positive weight.
    """
    rows = reader.read(number, X, y, sample_weight)
    if rows is None:
        return None
    n_folds, numbers = max(1, reader.n_folds), np.maximum(rows.folds, 0)
    with named(f"Partition {number}"):
        folds = [_summarize_target(reader, rows.take(numbers == fold)) for fold in range(n_folds)]
    return Summary(
        {number: np.bincount(numbers, minlength=n_folds)},
        ColumnSummary.of(rows.X, rows.sample_weight),
        folds,
        _drawn(rows),
    )


def merge(parts: Sequence[Summary | None]) -> Summary | None:
    """Merge summaries of partitions, in their order.

    Parameters
    ----------
    parts : sequence of Summary or None
        At least one.

    Returns
    -------
    summary : Summary or None
        Of all that have rows.

    Raises
    ------
    ValueError
        If they hold targets that do not go together.
    """
    full = [part for part in parts if part is not None]
    if not full:
        return None
    counts, sample = dict(full[0].counts), full[0].sample
    for part in full[1:]:
        counts.update(part.counts)
        sample = _followed_by(sample, part.sample)
    return Summary(
        counts,
        ColumnSummary.merged([part.features for part in full]),
        [FoldSummary.merged(of_fold) for of_fold in zip(*(p.folds for p in full), strict=True)],
        _drawn(sample),
    )


def _summarize_target(reader: Reader, rows: RawRows) -> FoldSummary:
    y, estimator = rows.y, reader.estimator
    if not len(rows) or not y.size:
        return FoldSummary(None, {})
    columns, labels = None, {}
    if not is_classifier(estimator) and y.dtype.kind in "biuf":
        columns = ColumnSummary.of(y.reshape(len(y), -1).astype(np.float64), rows.sample_weight)
    if not is_regressor(estimator):
        labels = _weights_of_labels(y, rows, getattr(estimator, "target_type", None))
    return FoldSummary(columns, labels)


def _weights_of_labels(y: np.ndarray, rows: RawRows, target_type: str | None) -> dict[Any, float]:
    """Weight of each label, as far as it takes to tell classes from quantities."""
    if y.ndim > 1:
        # Classes in several columns are refused here, as one partition is enough to tell.
        resolve_target_type(y, rows.is_category, target_type or "multiclass")
        return {}
    is_open = target_type == "auto" and not rows.is_category
    if target_type == "continuous" or (is_open and y.dtype.kind == "f"):
        return {}
    labels, codes = np.unique(y, return_inverse=True)
    weights = np.bincount(codes, weights=rows.sample_weight)
    if y.dtype.kind == "f" and not rows.is_category and (labels != np.round(labels)).any():
        # One fraction says that these are no labels.
        labels = labels[labels != np.round(labels)][:1]
    elif is_open and y.dtype.kind in "iu":
        labels = labels[: MAX_INTEGER_CLASSES + 1]
    if len(labels) > _MAX_LABELS:
        raise ValueError(
            f"y holds {len(labels)} labels, but at most {_MAX_LABELS} classes can be told apart "
            "over partitions. Use LearnedScaleRegressor, or target_type='continuous', for "
            "quantities."
        )
    return dict(zip(labels.tolist(), weights.tolist(), strict=False))


def _followed_by(sample: RawRows, other: RawRows) -> RawRows:
    if sample.y.shape[1:] != other.y.shape[1:]:
        raise ValueError(
            f"Partitions have y of {sample.y.shape[1:]} and of {other.y.shape[1:]} columns. Give "
            "the same columns in all of them."
        )
    if (sample.y.dtype.kind in "biuf") != (other.y.dtype.kind in "biuf"):
        raise ValueError(
            "Some partitions of y hold numbers, and some hold text. Convert all of it, as by "
            "y.astype(str) or y.astype(float)."
        )
    is_category = sample.is_category or other.is_category
    return replace(sample.followed_by(other), is_category=is_category)


def _drawn(rows: RawRows) -> RawRows:
    """Keep the rows of the smallest draws, in the order of the draws."""
    return rows.take(np.argsort(rows.draws, kind="stable")[:_SAMPLE_ROWS])
