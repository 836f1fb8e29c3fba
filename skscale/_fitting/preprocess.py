"""From raw rows and a target to what training takes: a dataset, and parameters without "auto"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skscale._compiled.train_step import is_stackable
from skscale._fitting.float32_range import Float32Range
from skscale._fitting.training_set import TrainingSet
from skscale._inference.ensemble import Ensemble
from skscale._network.from_parameters import is_batch
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import NetworkSpec
from skscale._normalization.active_features import select_active
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization, fit_standardization
from skscale._normalization.sample_weight import relative_weights
from skscale._normalization.statistics import ColumnStatistics
from skscale._parallel import limit_tensorflow_threads
from skscale._parameters import LearnedScaleParameters, is_auto
from skscale._target.target import Target
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters, resolve_parameters
from skscale._training.padding import padded_width


@dataclass(frozen=True)
class InputMaps:
    """How features are normalized, and which of them vary.

    Parameters
    ----------
    input_map : AffineMap
        Normalization of all features.
    standard : AffineMap
        Standardization of all features, whatever they are normalized by.
    active : ndarray of int
        Features that enter the networks; constant ones do not.
    """

    input_map: AffineMap
    standard: AffineMap
    active: np.ndarray

    def normalized(self, X: np.ndarray) -> np.ndarray:
        """Return what networks learn of rows in raw units."""
        return select_active(self.input_map.apply(X), self.active)


@dataclass(frozen=True)
class PreprocessedData:
    """Everything that is known before the first step.

    Parameters
    ----------
    maps : InputMaps
        Normalization of the features.
    resolved : ResolvedParameters
        Network, loss, optimizer, training and path.
    dataset : Dataset
        Normalized rows.
    """

    maps: InputMaps
    resolved: ResolvedParameters
    dataset: Dataset

    def ensemble(
        self, members: Sequence[Sequence[np.ndarray]], spec: NetworkSpec | None = None
    ) -> Ensemble:
        """Return a model of networks with these weights; without a spec they are of no path."""
        maps = self.maps
        spec = self.resolved.spec if spec is None else spec
        return Ensemble(maps.input_map, maps.active, spec, members, maps.standard)


def preprocess(
    parameters: LearnedScaleParameters,
    training_set: TrainingSet,
    *,
    n_training: int,
    n_samples: float | None = None,
    feature_names: Sequence[str] | None = None,
    previous: Ensemble | None = None,
) -> PreprocessedData:
    """Normalize the rows, and resolve the parameters for them.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.
    training_set : TrainingSet
        Rows, target and weights.
    n_training : int
        Rows of the largest training set.
    n_samples : float, default=None
        Rows of the table that these are a sample of.
    feature_names : sequence of str, default=None
        Names for error messages.
    previous : Ensemble, default=None
        A model to go on from: its normalization stays, because its weights belong to it.

    Returns
    -------
    data : PreprocessedData
        Rows and parameters.

    Raises
    ------
    ValueError
        If a parameter does not fit the data, or the network is not that of `previous`.
    """
    # An optimizer or the dataset starts TensorFlow.
    limit_tensorflow_threads()
    if previous is None:
        statistics = training_set.column_statistics()
        maps = _fit_maps(parameters.normalization, training_set, statistics, feature_names)
        choice = _choose_embedding(parameters.embedding, training_set, statistics)
    else:
        maps = InputMaps(previous.input_map, previous.standard, previous.active)
        choice = _keep_embedding(parameters.embedding, previous.spec.embedding)
    target, (embedding, embedded) = training_set.target, choice
    if n_samples is None:
        n_samples = math.inf if training_set.is_chunk else training_set.n_learned
    resolved = resolve_parameters(
        replace(parameters, embedding=embedding),
        # Rows without any information have one column of zeros.
        n_features=max(1, len(maps.active)),
        n_outputs=target.n_outputs,
        n_samples=n_samples,
        n_training=n_training,
        loss=target.default_loss,
        output_activation=target.output_activation,
        embedded=embedded,
    )
    if previous is not None:
        _check_same_network(previous, resolved)
    dataset = _dataset(parameters, training_set, maps, resolved, is_earlier=previous is not None)
    return PreprocessedData(maps, resolved, dataset)


def _fit_maps(
    normalization: Any,
    training_set: TrainingSet,
    statistics: ColumnStatistics,
    feature_names: Sequence[str] | None,
) -> InputMaps:
    if is_batch(normalization):
        # Exact first: the epsilon of batch statistics spoils columns of small numbers.
        normalization = "standard"
    input_map = fit_normalization(
        normalization,
        training_set.table,
        training_set.learned_weight,
        feature_names=feature_names,
        statistics=statistics,
    )
    standard = input_map
    if not (isinstance(normalization, str) and normalization == "standard"):
        standard = fit_standardization(statistics)
    return InputMaps(input_map, standard, statistics.varying)


def _choose_embedding(
    value: Any, training_set: TrainingSet, statistics: ColumnStatistics
) -> tuple[Any, Sequence[int] | None]:
    """Return an `embedding`, and the features that a periodic one is for; None for all."""
    if training_set.is_chunk:
        # Later chunks may have more values, and more rows.
        return None if is_auto(value) else value, None
    if not isinstance(value, str):
        return value, None
    # Two values have a line through them, and need no waves.
    has_two_values = statistics.has_two_values[statistics.varying]
    return value, np.flatnonzero(~has_two_values).tolist() if has_two_values.any() else None


def _keep_embedding(
    value: Any, embedding: PeriodicSpec | bool | None
) -> tuple[Any, Sequence[int] | None]:
    """Return what earlier networks have, in place of "auto", and for which features."""
    if is_auto(value):
        value = "periodic" if embedding else None
    return value, embedding.columns if isinstance(embedding, PeriodicSpec) else None


def _check_same_network(previous: Ensemble, resolved: ResolvedParameters) -> None:
    old, new = ([p.shape for p in spec.arrays] for spec in (previous.spec, resolved.spec))
    if old != new:
        raise ValueError(
            f"The present networks have weights of shapes {old}, but the parameters now ask for "
            f"{new}. Keep the layer options and the number of targets, or start anew with "
            "fit and warm_start=False."
        )


def _dataset(
    parameters: LearnedScaleParameters,
    training_set: TrainingSet,
    maps: InputMaps,
    resolved: ResolvedParameters,
    *,
    is_earlier: bool,
) -> Dataset:
    X, target = training_set.X, training_set.target
    # Apart, so that the weights of rows held out change nothing that is learned.
    parts = np.split(training_set.sample_weight, [training_set.n_learned])
    weights = np.concatenate([_weights_of_mean_one(part) for part in parts])
    inputs = Float32Range(
        "X", maps.active.tolist(), "normalization", parameters.normalization, parts[0], is_earlier
    )

    def normalized(rows: slice) -> np.ndarray:
        return inputs.rounded(maps.normalized(X[rows]), rows.start)

    return Dataset.from_rows(
        normalized,
        float32_targets(target, parts[0], is_earlier=is_earlier),
        weights,
        resolved.config.dtype,
        n_columns=n_columns(resolved),
    )


def float32_targets(
    target: Target, sample_weight: np.ndarray, *, is_earlier: bool = False
) -> np.ndarray:
    """Round normalized targets to float32, or say which row it cannot hold.

    Parameters
    ----------
    target : Target
        What is learned.
    sample_weight : ndarray of shape (n_learned,)
        Weights of the rows to learn from; rows behind them are held out.
    is_earlier : bool, default=False
        Whether the normalization is that of an earlier fit or chunk.

    Returns
    -------
    values : ndarray of float32 of shape (n_samples, n_outputs)
        The same numbers.
    """
    columns, value = range(target.n_outputs), target.normalization
    targets = Float32Range("y", columns, "target_normalization", value, sample_weight, is_earlier)
    return targets.rounded(target.values)


def n_columns(resolved: ResolvedParameters) -> int:
    """Return how many columns a dataset has for these networks, padding included."""
    # What may not be stacked sees its weights in their own shape, too.
    is_padded = is_stackable(resolved.spec, resolved.compile_config)
    n_features = resolved.spec.n_features
    return padded_width(n_features) if is_padded else n_features


def _weights_of_mean_one(weights: np.ndarray) -> np.ndarray:
    """Divide weights, as losses take them relative to each other; float32 holds those of one."""
    if not len(weights):
        return weights
    relative = relative_weights(weights)
    return relative / relative.mean(where=relative > 0)
