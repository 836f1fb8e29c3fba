"""From raw rows and a goal to what training takes: normalized rows on a table, and a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._compiled.train_step import is_stackable
from skscale._inference.ensemble import Ensemble
from skscale._network.from_parameters import is_batch
from skscale._normalization.active_features import select_active
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization
from skscale._normalization.sample_weight import relative_weights
from skscale._normalization.statistics import ColumnStatistics
from skscale._parallel import limit_tensorflow_threads
from skscale._target.target import Goal
from skscale._training.dataset import Dataset
from skscale._training.defaults import ResolvedParameters, regularization_path, resolve_parameters
from skscale._training.padding import padded_width


@dataclass(frozen=True)
class PreprocessedData:
    """Everything that is known before the first step.

    Parameters
    ----------
    input_map : AffineMap
        Normalization of all features.
    standard : AffineMap
        Standardization of all features, to whatever they are normalized.
    active : ndarray of int
        Features that enter the networks; constant ones do not.
    resolved : ResolvedParameters
        Network, rule and plan.
    points : ndarray of shape (n_points, 2)
        Strength and weight decay of the points of the path.
    dataset : Dataset
        Normalized rows.
    """

    input_map: AffineMap
    standard: AffineMap
    active: np.ndarray
    resolved: ResolvedParameters
    points: np.ndarray
    dataset: Dataset

    def ensemble(self, members: Sequence[Sequence[np.ndarray]]) -> Ensemble:
        """Return a model of networks with these weights."""
        return Ensemble(self.input_map, self.active, self.resolved.spec, members, self.standard)


def preprocess(
    params: Mapping[str, Any],
    X: np.ndarray,
    goal: Goal,
    sample_weight: np.ndarray,
    *,
    n_training: int,
    feature_names: Sequence[str] | None = None,
    present: Ensemble | None = None,
) -> PreprocessedData:
    """Normalize the rows, and resolve the parameters for them.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.
    X : ndarray of shape (n_samples, n_features)
        Rows in raw units.
    goal : Goal
        What to learn.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, not all zero.
    n_training : int
        Rows of the largest training set.
    feature_names : sequence of str, default=None
        Names for error messages.
    present : Ensemble, default=None
        A model to go on from: its normalization stays, because its weights belong to it.

    Returns
    -------
    prepared : PreprocessedData
        Rows, recipe and path.

    Raises
    ------
    ValueError
        If a parameter does not fit the data, or the network is not that of `present`.
    """
    # An optimizer or the table starts TensorFlow.
    limit_tensorflow_threads()
    if present is None:
        normalization = params["normalization"]
        if is_batch(normalization):
            # Exact first: the epsilon of batch statistics spoils columns of small numbers.
            normalization = "standard"
        known = ColumnStatistics(X, sample_weight)
        input_map = fit_normalization(
            normalization, X, sample_weight, feature_names=feature_names, statistics=known
        )
        standard = input_map
        if normalization != "standard":
            standard = fit_normalization("standard", X, sample_weight, statistics=known)
        active = np.flatnonzero(~known.is_constant)
    else:
        input_map, active = present.input_map, present.active
        standard = present.standard or input_map
    n_outputs = goal.targets.shape[1]
    resolved = resolve_parameters(
        params,
        # Rows without any information have one column of zeros.
        n_features=max(1, len(active)),
        n_outputs=n_outputs,
        n_samples=len(X),
        n_training=n_training,
        loss=goal.loss,
        output_activation=goal.output_activation,
    )
    if present is not None:
        _check_same_network(present, resolved)
    points = regularization_path(
        params["regularization_path"],
        params["weight_decay"],
        is_ours=isinstance(params["optimizer"], str),
    )
    # Losses take weights relative to each other; a mean of one keeps them in float32's range.
    relative = relative_weights(sample_weight)
    relative /= relative.mean(where=relative > 0)
    targets = _rounded(goal.targets, range(n_outputs), "y", "target_normalization", params)

    def normalized(rows: slice) -> np.ndarray:
        Z = select_active(input_map.apply(X[rows]), active)
        return _rounded(Z, active.tolist(), "X", "normalization", params)

    # What may not be stacked sees its weights in their own shape, too.
    spec = resolved.spec
    stackable = is_stackable(spec, resolved.compile_config)
    dataset = Dataset.from_rows(
        normalized,
        targets,
        relative,
        resolved.config.dtype,
        n_columns=padded_width(spec.n_features) if stackable else spec.n_features,
    )
    return PreprocessedData(input_map, standard, active, resolved, points, dataset)


def _check_same_network(present: Ensemble, resolved: ResolvedParameters) -> None:
    old, new = ([p.shape for p in spec.arrays] for spec in (present.spec, resolved.spec))
    if old != new:
        raise ValueError(
            f"The present networks have weights of shapes {old}, but the parameters now ask for "
            f"{new}. Keep the layer options and the number of targets, or start anew with "
            "fit and warm_start=False."
        )


def _rounded(
    values: np.ndarray,
    columns: Sequence[int],
    name: str,
    parameter: str,
    params: Mapping[str, Any],
) -> np.ndarray:
    """Round to float32 in either precision: a change of units then leaves the same numbers."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values, np.float32)
    finite = np.isfinite(rounded).all(axis=0)
    if not finite.all():
        raise ValueError(
            f"Column {columns[int(np.argmin(finite))]} of {name} is too large for float32 under "
            f"{parameter}={params[parameter]!r}. Use {parameter}='standard', or divide that "
            "column by its magnitude."
        )
    return rounded


def check_contradictions(params: Mapping[str, Any]) -> None:
    """Refuse parameters that each are allowed but not together.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.

    Raises
    ------
    InvalidParameterError
        If early stopping is asked for on the path.
    """
    if params["early_stopping"] and params["scale_regularizer"] == "auto":
        raise InvalidParameterError(
            "early_stopping=True is for a single network, but scale_regularizer='auto' trains "
            "one for each fold and chooses among them on held-out rows. Set "
            "scale_regularizer=None (or 'l1', ...), or early_stopping=False."
        )
