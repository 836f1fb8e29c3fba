"""From data to the affine map that normalizes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skscale._errors import hint
from skscale._normalization.affine import AffineMap
from skscale._normalization.criteria import NORMALIZATIONS, UndefinedCriterionError, refuse
from skscale._normalization.sample_weight import drop_zero_weights
from skscale._normalization.scalers import fit_scaler, reciprocal
from skscale._normalization.statistics import ColumnStatistics


def fit_normalization(
    normalization: str | Any | None,
    X: Any,
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
    `StandardScaler`). NaN is left out; a feature without any value has d = 1 and c = 0.

    Parameters
    ----------
    normalization : str, transformer or None
        A name of the table, None for the identity, or an instance of a scikit-learn transformer
        that is an affine map of each feature, such as ``MinMaxScaler(feature_range=(-1, 1))``.
        The instance is cloned before it is fitted.
    X : array-like or sparse CSR of shape (n_samples, n_features)
        Data in any units, finite or NaN; the statistics are float64.
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
        not affine per feature or clips, or that does not take the NaN that there is.
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
    >>> from skscale._normalization.fit import fit_normalization
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
    return fit_scaler(normalization, X, sample_weight, parameter)


def fit_standardization(statistics: ColumnStatistics) -> AffineMap:
    """Return the map to mean zero and standard deviation one, which no data leave undefined."""
    return _fit_criterion("standard", statistics, None, "normalization")


def _fit_criterion(
    name: str,
    stats: ColumnStatistics,
    feature_names: Sequence[str] | None,
    parameter: str,
) -> AffineMap:
    """Fit the criterion of this name."""
    if name not in NORMALIZATIONS:
        # Batch normalization is a layer in front of the network: targets cannot pass it.
        allowed = [*NORMALIZATIONS, *(["batch"] if parameter == "normalization" else [])]
        raise ValueError(
            f"{parameter}={name!r} is unknown. {hint(name, allowed)}Allowed names: "
            f"{', '.join(allowed)}; "
            "or None, or an affine scikit-learn scaler such as StandardScaler()."
        )
    try:
        # Divisors of constant features, such as the root of a negative mean, are replaced below.
        with np.errstate(all="ignore"):
            center, divisor = NORMALIZATIONS[name](stats)
        divisor = np.where(stats.is_constant | (divisor == 0.0), 1.0, np.abs(divisor))
        refuse(stats, ~np.isfinite(divisor), "its divisor overflows float64", "'standard'")
    except UndefinedCriterionError as error:
        names = [repr(str(n)) for n in feature_names] if feature_names is not None else None
        undefined = [names[i] if names else str(i) for i in np.flatnonzero(error.undefined)]
        more = f" (and {len(undefined) - 1} more)" if len(undefined) > 1 else ""
        raise ValueError(
            f"{parameter}={name!r} is undefined for feature {undefined[0]}{more}: "
            f"{error.reason}. Use {error.alternative} instead."
        ) from None
    center = np.where(stats.is_empty, 0.0, center)
    return AffineMap(center=center, scale=reciprocal(divisor), shift=np.zeros(stats.n_features))
