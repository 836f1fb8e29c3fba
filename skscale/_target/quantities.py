"""Targets that are quantities: normalized, in as many columns as there are outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from skscale._normalization.active_features import select_active
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import Table
from skscale._normalization.fit import fit_normalization
from skscale._normalization.sample_weight import cover_zero_weights
from skscale._normalization.statistics import ColumnStatistics
from skscale._parameters import KerasOption
from skscale._target.checks import check_loss_domain, check_n_targets
from skscale._target.target import Target, TargetEncoding


def quantities_target(
    y: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    *,
    loss: Any = "auto",
    output_activation: KerasOption = "linear",
    target_map: AffineMap | None = None,
) -> Target:
    """Normalize quantities.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Quantities in any units.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the samples.
    target_normalization, loss : object
        The parameters of these names.
    output_activation : str, dict or callable
        Keras activation of the output.
    target_map : AffineMap, default=None
        Normalization of an earlier fit, which stays.

    Returns
    -------
    target : Target
        Of type "continuous".

    Raises
    ------
    ValueError
        If a normalization is undefined for y, the loss does not fit the normalized values, or the
        number of columns is not that of the earlier fit.
    """
    columns = np.asarray(y, np.float64).reshape(len(y), -1)
    columns = cover_zero_weights(columns, sample_weight)
    is_constant = np.zeros(columns.shape[1], bool)
    if target_map is None:
        statistics = ColumnStatistics(columns, sample_weight)
        target_map = fit_normalization(
            target_normalization,
            columns,
            sample_weight,
            parameter="target_normalization",
            statistics=statistics,
        )
        is_constant = statistics.is_constant
    check_n_targets(columns, target_map)
    check_loss_domain(loss, target_map, columns, target_normalization)
    # What is left of a constant at its centre is rounding, which is no small number of a large one.
    is_rounding = is_constant & (target_map.center != 0)
    return Target(
        np.where(is_rounding, target_map.shift, target_map.apply(columns)),
        TargetEncoding(target_map=target_map),
        y=y,
        output_activation=output_activation,
        normalization=target_normalization,
    )


def autoencoder_target(
    X: Table,
    active: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
    *,
    target_map: AffineMap | None = None,
) -> Target:
    """Let the features be predicted from themselves, through hidden layers of any width.

    Parameters
    ----------
    X : ndarray or DenseRows of shape (n_samples, n_features)
        Features in raw units.
    active : ndarray of int
        Features that vary, which are the targets.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the samples.
    target_normalization : object
        The parameter.
    target_map : AffineMap, default=None
        Normalization of an earlier fit, which stays.

    Returns
    -------
    target : Target
        Of type "continuous".
    """
    columns = select_active(X[:], active)
    target_map = target_map or fit_normalization(
        target_normalization, columns, sample_weight, parameter="target_normalization"
    )
    return Target(
        target_map.apply(columns),
        TargetEncoding(target_map=target_map),
        normalization=target_normalization,
    )
