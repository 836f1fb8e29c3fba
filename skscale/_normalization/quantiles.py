"""Quantiles of weighted columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._normalization.affine import Float64Array
from skscale._normalization.sample_weight import relative_weights


def weighted_quantiles(
    columns: Float64Array, weights: Float64Array | None, q: Sequence[float]
) -> Float64Array:
    """Compute quantiles, linearly interpolated.

    For whole weights these are ``np.quantile`` of the values repeated as often as they weigh.
    For any weights the quantile is the average of the step function ``x(cumulative weight)``
    over a window from ``q * (total - unit)`` on, `unit` wide, where `unit` is one value: a
    weight of 1, or the weighted mean of the weights if that is less (so that weights that
    sum to one have quantiles too).

    Parameters
    ----------
    columns : ndarray of shape (n_columns, n_samples)
        A row for each column of a table. NaN is left out.
    weights : ndarray of shape (n_samples,) or None
        Positive weights; None stands for ones.
    q : sequence of float
        Probabilities in [0, 1].

    Returns
    -------
    ndarray of shape (len(q), n_columns)
        The quantiles; NaN of a column without any value.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._normalization.quantiles import weighted_quantiles
    >>> weighted_quantiles(np.array([[1.0, 2.0]]), np.array([3.0, 1.0]), [0.5, 1.0])
    array([[1.],
           [2.]])
    """
    is_value = ~np.isnan(columns)
    if not is_value.all():
        result = np.full((len(q), len(columns)), np.nan)
        for column, kept, quantiles in zip(columns, is_value, result.T, strict=True):
            if kept.any():
                kept_weights = None if weights is None else weights[kept]
                quantiles[:] = weighted_quantiles(column[np.newaxis, kept], kept_weights, q)[:, 0]
        return result
    if weights is None:
        return np.quantile(columns, q, axis=1)
    relative = relative_weights(weights)
    with np.errstate(over="ignore"):
        # A weight of one in the units of the relative ones; infinite where all are subnormal.
        one = float(np.ldexp(1.0, -np.frexp(weights.max())[1]))
    unit = min(one, float(relative @ (relative / relative.sum())))
    result = np.empty((len(q), len(columns)))
    for j, column in enumerate(columns):
        order = np.argsort(column)
        values, cumulative = column[order], np.cumsum(relative[order])
        starts = np.asarray(q) * (cumulative[-1] - unit)
        # A value covers the cumulative weights from that of the value before it to its own.
        first = np.searchsorted(cumulative, starts, side="right")
        # A unit may be lost in the rounding of the total.
        first = np.minimum(first, len(values) - 1)
        last = np.searchsorted(cumulative, starts + unit, side="left")
        last = np.clip(last, first, len(values) - 1)
        for i, (start, a, b) in enumerate(zip(starts, first, last, strict=True)):
            overlaps = np.diff(np.concatenate([[start], cumulative[a:b], [start + unit]]))
            share = overlaps / max(unit, overlaps.sum())
            result[i, j] = values[a] + share @ (values[a : b + 1] - values[a])
    return result
