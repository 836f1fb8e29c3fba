"""From data to the affine map that normalizes them: criteria by name, scikit-learn's scalers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import has_fit_parameter

from skscale._affine import AffineMap, find_affine_map, is_affine_map
from skscale._sample_weight import drop_zero_weights
from skscale._statistics import ColumnStatistics

Float64Array = NDArray[np.float64]
Criterion = Callable[[ColumnStatistics], tuple[Float64Array, Float64Array]]

_FLOAT = np.finfo(np.float64)


class _UndefinedError(ValueError):
    """A criterion is undefined for some features; `fit_normalization` adds their names."""

    def __init__(self, undefined: NDArray[np.bool_], reason: str, instead: str) -> None:
        super().__init__(reason)
        self.undefined, self.reason, self.instead = undefined, reason, instead


def _refuse(stats: ColumnStatistics, undefined: NDArray, reason: str, instead: str) -> None:
    """Raise for undefined features, but for constant ones: these get scale one in any case."""
    undefined = undefined & ~stats.is_constant
    if undefined.any():
        raise _UndefinedError(undefined, reason, instead)


def _unless_rounding(divisor: Float64Array, size: Float64Array) -> Float64Array:
    """Zero where a difference of values of this size is nothing but their rounding."""
    return np.where(divisor <= 4 * _FLOAT.eps * size, 0.0, divisor)


def _mean_as_divisor(stats: ColumnStatistics) -> Float64Array:
    _refuse(stats, stats.is_mean_zero, "its mean is zero", "'standard' or 'range'")
    return stats.mean


def _standard(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std


def _pareto(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, np.sqrt(stats.std)


def _vast(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std * (stats.std / _mean_as_divisor(stats))


def _vast_2(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    center, divisor = _vast(stats)
    return center, divisor * stats.kurtosis**2


def _vast_3(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    _refuse(stats, stats.max == 0.0, "its maximum is zero", "'vast_4'")
    return stats.mean, stats.std * (stats.std / stats.max) * stats.kurtosis**2


def _vast_4(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.std * (stats.std / stats.range) * stats.kurtosis**2


def _range(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.range


def _minmax(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.min, stats.range


def _minmax_symmetric(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.midrange, stats.range / 2


def _level(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, _mean_as_divisor(stats)


def _max(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.max


def _maxabs(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return np.zeros(stats.n_features), stats.maxabs


def _robust(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    q25, median, q75 = stats.quantiles([0.25, 0.5, 0.75])
    return median, _unless_rounding(q75 - q25, np.maximum(np.abs(q25), np.abs(q75)))


def _mad(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    # 1 / 0.6745, rounded as in the literature: a normal distribution then has divisor sd.
    return stats.median, 1.4826 * _unless_rounding(stats.mad, np.abs(stats.median))


def _variance(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    with np.errstate(over="ignore", under="ignore"):
        variance = stats.std**2
    out_of_range = (variance < _FLOAT.tiny) | ~np.isfinite(variance)
    _refuse(stats, out_of_range, "its variance is beyond float64", "'standard'")
    return stats.mean, variance


def _median(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.median


def _poisson(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    not_positive = (stats.mean < 0.0) | stats.is_mean_zero
    _refuse(stats, not_positive, "the square root needs a positive mean", "'standard' or 'pareto'")
    return stats.mean, np.sqrt(np.maximum(stats.mean, 0.0))


def _rms(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return np.zeros(stats.n_features), stats.rms


def _l2(stats: ColumnStatistics) -> tuple[Float64Array, Float64Array]:
    return stats.mean, stats.norm


NORMALIZATIONS: dict[str, Criterion] = {
    "l2": _l2,
    "level": _level,
    "mad": _mad,
    "max": _max,
    "maxabs": _maxabs,
    "median": _median,
    "minmax": _minmax,
    "minmax_symmetric": _minmax_symmetric,
    "pareto": _pareto,
    "poisson": _poisson,
    "range": _range,
    "rms": _rms,
    "robust": _robust,
    "standard": _standard,
    "variance": _variance,
    "vast": _vast,
    "vast_2": _vast_2,
    "vast_3": _vast_3,
    "vast_4": _vast_4,
}
"""Criteria by name: statistics of the columns -> (center, divisor), each (n_features,)."""


def _standard_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    center = scaler.mean_ if scaler.with_mean else np.zeros(n_features)
    divisor = scaler.scale_ if scaler.with_std else np.ones(n_features)
    return AffineMap(center=center, scale=_reciprocal(divisor), shift=np.zeros(n_features))


def _min_max_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    # Not its min_, which is the expanded offset.
    shift = np.full(n_features, scaler.feature_range[0], dtype=np.float64)
    return AffineMap(center=scaler.data_min_, scale=scaler.scale_, shift=shift)


def _robust_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    center = scaler.center_ if scaler.with_centering else np.zeros(n_features)
    divisor = scaler.scale_ if scaler.with_scaling else np.ones(n_features)
    return AffineMap(center=center, scale=_reciprocal(divisor), shift=np.zeros(n_features))


def _max_abs_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    zeros = np.zeros(n_features)
    return AffineMap(center=zeros, scale=_reciprocal(scaler.scale_), shift=zeros)


_SCALER_MAPS: dict[type, Callable[[Any, int], AffineMap]] = {
    StandardScaler: _standard_scaler_map,
    MinMaxScaler: _min_max_scaler_map,
    RobustScaler: _robust_scaler_map,
    MaxAbsScaler: _max_abs_scaler_map,
}


def fit_normalization(
    normalization: str | Any | None,
    X: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    parameter: str = "normalization",
    statistics: ColumnStatistics | None = None,
) -> AffineMap:
    r"""Fit the affine map that normalizes data, ``z = (x - c) / d`` per feature.

    ==================  ==============================================  =============
    name                d                                               c
    ==================  ==============================================  =============
    `l2`                :math:`\sqrt{\sum x^2}`                         mean
    `level`             mean                                            mean
    `mad`               1.4826 median \|x - median\|                    median
    `max`               maximum                                         mean
    `maxabs`            maximum of \|x\|                                0
    `median`            median                                          mean
    `minmax`            maximum - minimum                               minimum
    `minmax_symmetric`  (maximum - minimum) / 2                         their middle
    `pareto`            :math:`\sqrt{sd}`                               mean
    `poisson`           :math:`\sqrt{mean}`                             mean
    `range`             maximum - minimum                               mean
    `rms`               :math:`\sqrt{mean(x^2)}`                        0
    `robust`            75 % quantile - 25 % quantile                   median
    `standard`          population standard deviation sd                mean
    `variance`          sd\ :sup:`2`                                    mean
    `vast`              sd\ :sup:`2` / mean                             mean
    `vast_2`            sd\ :sup:`2` k\ :sup:`2` / mean                 mean
    `vast_3`            sd\ :sup:`2` k\ :sup:`2` / maximum              mean
    `vast_4`            sd\ :sup:`2` k\ :sup:`2` / (maximum - minimum)  mean
    ==================  ==============================================  =============

    k is the kurtosis, the fourth central moment over sd\ :sup:`4`. The absolute value of d is
    taken, and 1 for a d of zero and for features that are constant to rounding (decided as in
    `StandardScaler`).

    Parameters
    ----------
    normalization : str, transformer or None
        A name of the table, None for the identity, or an instance of a scikit-learn transformer
        that is an affine map of each feature, such as ``MinMaxScaler(feature_range=(-1, 1))``.
        The instance is cloned before it is fitted.
    X : array-like of shape (n_samples, n_features)
        Finite data in any units; the statistics are float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row: a weight of 2 counts as the row twice, rows of weight zero are
        dropped. A transformer gets it if its `fit` takes it.
    feature_names : sequence of str, default=None
        Names for the error messages.
    parameter : str, default="normalization"
        Name of the parameter for the error messages.
    statistics : ColumnStatistics, default=None
        Those of the same rows and weights, where they are known already.

    Returns
    -------
    AffineMap
        The fitted map.

    Raises
    ------
    ValueError
        For an unknown name, for a criterion that is undefined for a feature (a mean of zero or a
        maximum of zero as a divisor, a negative mean under the root), for a transformer that is
        not affine per feature or clips.
    TypeError
        If `normalization` is neither a name, None nor a transformer instance.

    Notes
    -----
    Sources: `standard`, `pareto`, `range`, `vast` and `level` are compared in [1]_; `vast`
    (variable stability) is from [2]_, `poisson` from [4]_, and [3]_ discusses `pareto`; `minmax`,
    `maxabs` and `robust` are scikit-learn's; the others are in use for combustion data, of which
    [5]_ is a study.

    References
    ----------
    .. [1] van den Berg et al. "Centering, scaling, and transformations: improving the biological
       information content of metabolomics data". BMC Genomics 7:142 (2006).
    .. [2] Keun et al. "Improved analysis of multivariate data by variable stability scaling:
       application to NMR-based metabolic profiling". Analytica Chimica Acta 490:265 (2003).
    .. [3] Noda. "Scaling techniques to enhance two-dimensional correlation spectra". Journal of
       Molecular Structure 883-884:216 (2008).
    .. [4] Keenan and Kotula. "Accounting for Poisson noise in the multivariate analysis of
       ToF-SIMS spectrum images". Surface and Interface Analysis 36:203 (2004).
    .. [5] Parente and Sutherland. "Principal component analysis of turbulent combustion data:
       Data pre-processing and manifold sensitivity". Combustion and Flame 160:340 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._normalization import fit_normalization
    >>> X = np.array([[1.0, 100.0], [3.0, 500.0]])
    >>> fit_normalization("standard", X).apply(X)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    if isinstance(normalization, str):
        statistics = statistics or ColumnStatistics(X, sample_weight)
        return _fit_criterion(normalization, statistics, feature_names, parameter)
    X, sample_weight = drop_zero_weights(X, sample_weight)
    if normalization is None:
        return AffineMap.identity(X.shape[1])
    if isinstance(normalization, type) or not (
        hasattr(normalization, "fit") and hasattr(normalization, "transform")
    ):
        raise TypeError(
            f"{parameter} must be None, a name or an instance of a scikit-learn transformer, "
            f"got {normalization!r}. Allowed names: {', '.join(NORMALIZATIONS)}."
        )
    return _fit_transformer(
        normalization, np.asarray(X, dtype=np.float64), sample_weight, parameter
    )


def _fit_criterion(
    name: str,
    stats: ColumnStatistics,
    feature_names: Sequence[str] | None,
    parameter: str,
) -> AffineMap:
    """Fit the criterion of this name."""
    if name not in NORMALIZATIONS:
        # Only inputs can go through a layer that sees batches.
        allowed = [*NORMALIZATIONS, *(["batch"] if parameter == "normalization" else [])]
        close = get_close_matches(name.lower(), allowed, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{parameter}={name!r} is unknown.{hint} Allowed names: {', '.join(allowed)}; "
            "or None, or an affine scikit-learn scaler such as StandardScaler()."
        )
    try:
        # What a constant feature makes of a formula does not matter: it is replaced below.
        with np.errstate(all="ignore"):
            center, divisor = NORMALIZATIONS[name](stats)
        divisor = np.where(stats.is_constant | (divisor == 0.0), 1.0, np.abs(divisor))
        _refuse(stats, ~np.isfinite(divisor), "its divisor overflows float64", "'standard'")
    except _UndefinedError as error:
        names = [repr(str(n)) for n in feature_names] if feature_names is not None else None
        undefined = [names[i] if names else str(i) for i in np.flatnonzero(error.undefined)]
        more = f" (and {len(undefined) - 1} more)" if len(undefined) > 1 else ""
        raise ValueError(
            f"{parameter}={name!r} is undefined for feature {undefined[0]}{more}: "
            f"{error.reason}. Use {error.instead} instead."
        ) from None
    return AffineMap(center=center, scale=_reciprocal(divisor), shift=np.zeros(stats.n_features))


def _fit_transformer(
    normalization: Any, X: Float64Array, sample_weight: Float64Array | None, parameter: str
) -> AffineMap:
    """Fit a clone of the transformer and take its map, or refuse it."""
    scaler = clone(normalization)
    weights = {"sample_weight": sample_weight} if sample_weight is not None else {}
    if not has_fit_parameter(scaler, "sample_weight"):
        weights = {}
    exact = _SCALER_MAPS.get(type(scaler))
    with np.errstate(all="ignore"):
        # A stranger with copy=False may write to what it is fitted on.
        scaler.fit(X if exact else X.copy(), **weights)
    try:
        affine = (
            exact(scaler, X.shape[1])
            if exact
            else find_affine_map(scaler.transform, X.min(axis=0), X.max(axis=0))
        )
    except ValueError as error:
        raise ValueError(
            f"{parameter}={normalization!r} overflows on these data; a name such as 'standard' "
            f"does not. {error}"
        ) from error
    if affine is None or not is_affine_map(scaler.transform, affine, X):
        raise ValueError(
            f"{parameter}={normalization!r} is not an affine map of each feature, so it cannot "
            "be composed with the learned scale. Use StandardScaler(), MinMaxScaler(), "
            "RobustScaler() or MaxAbsScaler() without clip=True, another transformer that only "
            f"shifts and scales each feature, None, or a name: {', '.join(NORMALIZATIONS)}; or put "
            "the transformer in front, in a Pipeline."
        )
    return affine


def _reciprocal(divisor: Float64Array) -> Float64Array:
    """One over a positive divisor; the largest float where a subnormal one would overflow."""
    with np.errstate(over="ignore"):
        return np.minimum(1.0 / np.asarray(divisor, dtype=np.float64), _FLOAT.max)
