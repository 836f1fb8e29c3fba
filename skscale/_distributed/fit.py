"""The order of events of a fit to partitions: summarize, resolve, then path or single network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from dask.base import compute
from dask.delayed import delayed
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import validate_data

from skscale._base import BaseLearnedScale, copy_random_state
from skscale._callbacks.progress import OnProgress, ProgressLines
from skscale._callbacks.sklearn_callbacks import has_callbacks
from skscale._distributed.block import Plan
from skscale._distributed.collections import Partition, meta_of, partitions_of
from skscale._distributed.partition import RawRows, Reader
from skscale._distributed.summary import FoldSummary, Summary, merge, summarize
from skscale._distributed.trainer import PartitionTrainer, in_passes, n_steps_of_visits
from skscale._fitting.fit import check_contradictions
from skscale._fitting.preprocess import PreprocessedData, preprocess
from skscale._fitting.result import Outcome, Seeds, fit_result, outcome_of
from skscale._fitting.training_set import TrainingSet
from skscale._keras.training_process import require_tensorflow
from skscale._network.initial_weights import initialize_weights
from skscale._normalization.dense_rows import DenseRows
from skscale._normalization.fit import fit_normalization
from skscale._normalization.merged_statistics import ColumnSummary, MergedStatistics
from skscale._normalization.statistics import ColumnStatistics
from skscale._parameters import is_auto, shared_parameters
from skscale._selection.folds import Fold
from skscale._selection.null_model import constant_outputs
from skscale._selection.regularization_path import select
from skscale._target.class_weight import class_factors
from skscale._target.target import Target, TargetEncoding
from skscale._target.target_type import TargetKind, resolve_classes, resolve_target_type
from skscale._training.config import NetworkRun
from skscale._training.path_points import Candidate, PathPoint

# Summaries that one task merges.
_N_MERGED = 8
# Held-out rows that points are scored on, at most: their loss is known to a thousandth then.
_MAX_SCORED_ROWS = 1_000_000


def fit_partitions(estimator: BaseLearnedScale, X: Any, y: Any, sample_weight: Any) -> None:
    """Fit an estimator, whose parameters are valid, to dask collections.

    Parameters
    ----------
    estimator : BaseLearnedScale
        Keeps what it learns.
    X, y, sample_weight : dask collection, or None but for X
        The rows.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used.
    """
    partitions = partitions_of(X, y, sample_weight)
    _check_parameters(estimator, has_network=y is not None)
    _set_features(estimator, meta_of(X))
    random = check_random_state(estimator.random_state)
    of_samples, seeds = copy_random_state(random), Seeds.draw(random)
    has_path = y is not None and is_auto(estimator.scale_regularizer)
    n_folds = int(5 if estimator.cv is None else estimator.cv) if has_path else 0
    reader = Reader(_unfitted(estimator), n_folds, seeds.folds)
    summary = _summarize(reader, partitions)
    if y is None:
        estimator._standardize(_statistics(summary.features, summary.sample.X, summary.sample))
        return
    require_tensorflow()
    known = _read_target(estimator, summary)
    data, sample = _preprocess(estimator, summary, known, of_samples)
    counts = np.array(list(summary.counts.values()))
    n_passes, n_full = data.resolved.config.n_epochs, len(counts)
    # From here on an epoch is one visit to one partition.
    config = replace(data.resolved.config, n_epochs=n_passes * n_full)
    resolved = replace(data.resolved, config=config)
    n_steps = n_steps_of_visits(counts, config.batch_size)
    plan = Plan(
        reader,
        known.encoding,
        known.class_factors,
        known.total_weight / counts.sum(),
        _gap_values(sample.column_statistics()),
        data.maps,
        resolved,
        n_steps=n_passes * int(n_steps.sum()),
        max_rows=int(counts.sum(axis=1).max()),
        held_out_step=math.ceil(counts.sum() / _MAX_SCORED_ROWS),
        from_logits=None if sample.target.scorer is None else sample.target.scorer.from_logits,
    )
    folds = _folds_of_sample(summary.sample.folds, sample.sample_weight, n_folds)
    trainer = PartitionTrainer(
        plan,
        [partitions[number] for number in summary.counts],
        n_steps=n_steps,
        seed=seeds.networks,
        target=sample.target,
        sample=data.dataset,
        sample_folds=folds if has_path else [],
        null_outputs=_null_outputs(sample.target, known, summary.folds),
    )
    name = type(estimator).__name__
    on_progress = ProgressLines(name, "partition") if estimator.verbose else None
    if has_path:
        selection = select(resolved, trainer, seed=seeds.networks, on_progress=on_progress)
        has_temperatures = sample.target.scorer is not None
        selection = replace(selection, epochs=[visits / n_full for visits in selection.epochs])
        outcome = outcome_of(selection, data, has_temperatures=has_temperatures)
    else:
        outcome = _train_single(trainer, data, config.n_epochs, seeds, on_progress)
    outcome = replace(outcome, networks=in_passes(outcome.networks, n_passes))
    result = fit_result(
        shared_parameters(estimator), data, folds, sample, outcome, seeds, 0, has_path=has_path
    )
    state = replace(result.state, n_samples=int(counts.sum()), is_streamed=True)
    own: dict[str, Any] = {}
    if is_classifier(estimator):
        own["_class_totals"] = known.class_totals
    estimator._keep_result(sample, replace(result, state=state), **own)
    # Rows of the sample are no rows that the user knows by number.
    estimator.__dict__.pop("held_out_prediction_", None)


def _check_parameters(estimator: BaseLearnedScale, *, has_network: bool) -> None:
    """Refuse what asks for all rows in one place, or for a process of its own."""
    name = type(estimator).__name__
    if not has_network and (
        is_regressor(estimator) or is_classifier(estimator) or estimator.unsupervised != "standard"
    ):
        raise ValueError(
            f"y=None, but {name} needs a target here. Give y; LearnedScaleTransformer with "
            "unsupervised='standard' standardizes without one."
        )
    check_contradictions(estimator)
    if estimator.early_stopping:
        raise InvalidParameterError(
            "early_stopping=True holds out rows of one table, but partitions are in many places. "
            "Use early_stopping=False, and epochs=... for a shorter training."
        )
    if estimator.callbacks or has_callbacks(estimator):
        raise InvalidParameterError(
            "callbacks are called in one process, but the networks train in many. Leave them out; "
            "dask's dashboard and verbose=1 show the progress."
        )
    if estimator.warm_start:
        raise InvalidParameterError(
            "warm_start=True goes on with rows that are in memory. Set warm_start=False, or go on "
            "with partial_fit."
        )
    if not isinstance(estimator.cv, Integral | None):
        raise InvalidParameterError(
            f"cv={estimator.cv!r} splits rows by their number in a table, but partitions are in "
            "many places, and are split by chance. Give a number of folds, such as cv=5."
        )


def _set_features(estimator: BaseLearnedScale, meta: Any) -> None:
    for name in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(name, None)
    validate_data(estimator, meta, skip_check_array=True)


def _unfitted(estimator: BaseLearnedScale) -> BaseLearnedScale:
    """Return the parameters and the features alone, which is what workers need."""
    reader = clone(estimator)
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(reader, name, getattr(estimator, name))
    return reader


def _summarize(reader: Reader, partitions: Sequence[Partition]) -> Summary:
    """Pass over all partitions once, and refuse too few rows."""
    parts: list[Any] = [delayed(summarize, pure=False)(reader, *part) for part in partitions]
    while len(parts) > 1:
        groups = [parts[start : start + _N_MERGED] for start in range(0, len(parts), _N_MERGED)]
        parts = [delayed(merge, pure=False)(group) for group in groups]
    (summary,) = compute(*parts)
    counts = [0] if summary is None else np.sum(list(summary.counts.values()), axis=0)
    n, n_needed = np.sum(counts), max(2, reader.n_folds)
    if summary is None or n < n_needed or not np.all(counts):
        raise ValueError(
            f"All partitions together have {n} rows of positive weight, but at least {n_needed} "
            "are needed, and one in each fold. Give more rows, or use estimator.fit for few."
        )
    return summary


def _statistics(summary: ColumnSummary, sample: np.ndarray, rows: RawRows) -> MergedStatistics:
    return MergedStatistics(summary, ColumnStatistics(sample, rows.sample_weight))


class _KnownTarget(NamedTuple):
    """How y is read, and what it weighs."""

    encoding: TargetEncoding
    total_weight: float
    class_totals: np.ndarray | None = None
    class_factors: np.ndarray | None = None


def _read_target(estimator: Any, summary: Summary) -> _KnownTarget:
    """Decide what y is by what all partitions hold."""
    sample, target = summary.sample, FoldSummary.merged(summary.folds)
    kind = TargetKind("continuous")
    if not is_regressor(estimator):
        labels = _labels(target, sample.y)
        if is_classifier(estimator):
            kind = TargetKind(*resolve_classes(labels, sample.is_category))
        else:
            kind = resolve_target_type(labels, sample.is_category, estimator.target_type)
    if kind.classes is not None:
        totals = np.array([target.labels[label] for label in kind.classes.tolist()])
        factors = np.ones(len(totals))
        if is_classifier(estimator):
            factors = class_factors(estimator.class_weight, kind.classes, totals)
        encoding = TargetEncoding.from_classes(kind.classes)
        return _KnownTarget(encoding, float(totals @ factors), totals, factors)
    if target.quantities is None:
        raise ValueError("y has no column. Give a target, or leave it out.")
    columns = _columns(sample.y)
    target_map = fit_normalization(
        estimator.target_normalization,
        columns,
        sample.sample_weight,
        parameter="target_normalization",
        statistics=_statistics(target.quantities, columns, sample),
    )
    return _KnownTarget(TargetEncoding(target_map=target_map), float(target.quantities.weight[0]))


def _labels(target: FoldSummary, y: np.ndarray) -> np.ndarray:
    """Labels of all partitions; of quantities some rows, which tell as much."""
    if not target.labels:
        return y
    # The width of text is that of the sample.
    return np.array(list(target.labels), None if y.dtype.kind == "U" else y.dtype)


def _columns(y: np.ndarray) -> np.ndarray:
    return y.reshape(len(y), -1).astype(np.float64)


def _preprocess(
    estimator: Any,
    summary: Summary,
    known: _KnownTarget,
    random: np.random.RandomState,
) -> tuple[PreprocessedData, TrainingSet]:
    """Normalize the sample by the statistics of all rows, and resolve the parameters for these."""
    rows = summary.sample
    statistics = _statistics(summary.features, rows.X, rows)
    table = DenseRows(rows.X, _gap_values(statistics))[:]
    target = estimator._encode_as(known.encoding, table, rows.y, rows.sample_weight)
    weights = rows.sample_weight
    if known.class_factors is not None:
        weights = weights * known.class_factors[target.codes]
    sample = TrainingSet(table, target, weights, random, statistics)
    counts = np.sum(list(summary.counts.values()), axis=0)
    n_held_out = counts.min() if len(counts) > 1 else 0
    data = preprocess(
        shared_parameters(estimator),
        sample,
        n_training=int(counts.sum() - n_held_out),
        n_samples=int(counts.sum()),
        feature_names=getattr(estimator, "feature_names_in_", None),
    )
    return data, sample


def _gap_values(statistics: ColumnStatistics) -> np.ndarray:
    """Return what stands for NaN: the mean, where there is one."""
    return np.where(statistics.is_empty, 0.0, statistics.mean)


def _folds_of_sample(numbers: np.ndarray, sample_weight: np.ndarray, n_folds: int) -> list[Fold]:
    # Without folds all rows have the number -1, and none is held out.
    used, numbers_of_folds = np.flatnonzero(sample_weight > 0), range(max(1, n_folds))
    is_held_out = [numbers[used] == number for number in numbers_of_folds]
    return [Fold(used[~held_out], used[held_out]) for held_out in is_held_out]


def _null_outputs(target: Target, known: _KnownTarget, folds: Sequence[FoldSummary]) -> np.ndarray:
    """Compute the one output that fits the rows best that each network learns from."""
    means = []
    for number in range(len(folds)):
        others = [fold for k, fold in enumerate(folds) if k != number or len(folds) == 1]
        learned, (encoding, _, _, factors) = FoldSummary.merged(others), known
        if encoding.target_map is not None and learned.quantities is not None:
            means.append(encoding.target_map.apply(learned.quantities.mean_in_units[np.newaxis])[0])
        elif encoding.classes is not None and factors is not None:
            totals = [learned.labels.get(label, 0.0) for label in encoding.classes.tolist()]
            shares = factors * totals / (factors @ totals)
            # Two classes share one output.
            means.append(shares if len(shares) > 2 else shares[1:])
    return constant_outputs(target, np.array(means))


def _train_single(
    trainer: PartitionTrainer,
    data: PreprocessedData,
    n_visits: int,
    seeds: Seeds,
    on_progress: OnProgress | None,
) -> Outcome:
    """Train one network on all rows."""
    spec, point = data.resolved.spec, PathPoint(0.0, data.resolved.weight_decay)
    weights = initialize_weights(spec, np.random.default_rng(seeds.networks))
    run = NetworkRun(spec, np.empty(0, int), weights, seeds.networks, *point)
    return Outcome(trainer.train([run], [0], n_visits, on_progress), Candidate(point, spec))
