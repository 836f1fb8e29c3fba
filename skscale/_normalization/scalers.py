"""Scalers of scikit-learn, and those of third parties, as affine maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import has_fit_parameter

from skscale._normalization.affine import AffineMap, Float64Array
from skscale._normalization.criteria import NORMALIZATIONS
from skscale._normalization.dense_rows import dense_block
from skscale._normalization.sample_weight import weights_about_one


def _standard_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    center = scaler.mean_ if scaler.with_mean else np.zeros(n_features)
    divisor = scaler.scale_ if scaler.with_std else np.ones(n_features)
    return AffineMap(center=center, scale=reciprocal(divisor), shift=np.zeros(n_features))


def _min_max_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    # Not its min_, which is the expanded offset.
    shift = np.full(n_features, scaler.feature_range[0])
    return AffineMap(center=scaler.data_min_, scale=scaler.scale_, shift=shift)


def _robust_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    center = scaler.center_ if scaler.with_centering else np.zeros(n_features)
    divisor = scaler.scale_ if scaler.with_scaling else np.ones(n_features)
    return AffineMap(center=center, scale=reciprocal(divisor), shift=np.zeros(n_features))


def _max_abs_scaler_map(scaler: Any, n_features: int) -> AffineMap:
    zeros = np.zeros(n_features)
    return AffineMap(center=zeros, scale=reciprocal(scaler.scale_), shift=zeros)


# Numbers of a sparse table that are dense at a time: 64 MB.
_BLOCK_SIZE = 2**23

_SCALER_MAPS: dict[type, Callable[[Any, int], AffineMap]] = {
    StandardScaler: _standard_scaler_map,
    MinMaxScaler: _min_max_scaler_map,
    RobustScaler: _robust_scaler_map,
    MaxAbsScaler: _max_abs_scaler_map,
}


def fit_scaler(
    normalization: Any, X: Any, sample_weight: Float64Array | None, parameter: str
) -> AffineMap:
    """Fit a clone of the transformer and take its map, or refuse it."""
    if not issparse(X):
        return _fit_scaler(normalization, np.asarray(X, np.float64), sample_weight, parameter)
    # Those of scikit-learn know nothing of other columns: some at a time become dense.
    n_columns = X.shape[1]
    width = max(1, _BLOCK_SIZE // X.shape[0]) if type(normalization) in _SCALER_MAPS else n_columns
    maps = []
    for start in range(0, n_columns, width):
        block = dense_block(X, slice(None), slice(start, start + width)).astype(np.float64)
        maps.append(_fit_scaler(normalization, block, sample_weight, parameter))
    return AffineMap(
        np.concatenate([affine.center for affine in maps]),
        np.concatenate([affine.scale for affine in maps]),
        np.concatenate([affine.shift for affine in maps]),
    )


def _fit_scaler(
    normalization: Any, X: Float64Array, sample_weight: Float64Array | None, parameter: str
) -> AffineMap:
    scaler = clone(normalization)
    weights = {}
    if sample_weight is not None and has_fit_parameter(scaler, "sample_weight"):
        # StandardScaler's own bound of what is constant grows with their sum.
        weights["sample_weight"] = weights_about_one(sample_weight)
    exact = _SCALER_MAPS.get(type(scaler))
    gaps = np.isnan(X)
    has_gaps = bool(gaps.any())
    if has_gaps:
        # A feature without any value is taken as constant; they warn of it, or refuse it.
        X = np.where(gaps.all(axis=0), 0.0, X)
    try:
        with np.errstate(all="ignore"):
            # A third-party transformer may write to the array that it is fitted on.
            scaler.fit(X if exact else X.copy(), **weights)
    except (TypeError, ValueError) as error:
        if has_gaps and "NaN" in str(error):
            raise ValueError(_refusal_of_gaps(normalization, parameter)) from error
        raise ValueError(f"{parameter}={normalization!r} cannot be fitted: {error}") from error
    try:
        affine = (
            exact(scaler, X.shape[1])
            if exact
            else find_affine_map(
                scaler.transform, np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
            )
        )
    except ValueError as error:
        raise ValueError(
            f"{parameter}={normalization!r} overflows on these data; a name such as 'standard' "
            f"does not. {error}"
        ) from error
    if affine is None and has_gaps:
        raise ValueError(_refusal_of_gaps(normalization, parameter))
    if affine is None or not is_affine_map(scaler.transform, affine, X):
        raise ValueError(
            f"{parameter}={normalization!r} is not an affine map of each feature, so it cannot "
            "be composed with the learned scale. Use StandardScaler(), MinMaxScaler(), "
            "RobustScaler() or MaxAbsScaler() without clip=True, another transformer that only "
            f"shifts and scales each feature, None, or a name: {', '.join(NORMALIZATIONS)}; or put "
            "the transformer in front, in a Pipeline."
        )
    return affine


def _refusal_of_gaps(normalization: Any, parameter: str) -> str:
    return (
        f"{parameter}={normalization!r} does not leave out NaN, which X contains. Use "
        "StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler() or a name such as "
        "'standard', which do, or fill the gaps before, as by make_pipeline(SimpleImputer(), ...)."
    )


def reciprocal(divisor: Float64Array) -> Float64Array:
    """One over a positive divisor; the largest float where a subnormal one would overflow."""
    with np.errstate(over="ignore"):
        return np.minimum(1.0 / np.asarray(divisor, dtype=np.float64), np.finfo(np.float64).max)


# Far above the rounding of a transformer that computes in float32, far below what a curve shows
# outside the training range.
_PROBE_TOLERANCE = 1e-5


def find_affine_map(
    transform: Callable[[NDArray], NDArray], lower: Float64Array, upper: Float64Array
) -> AffineMap | None:
    """Recognise the affine map that a transform computes, from three points.

    Parameters
    ----------
    transform : callable
        Takes a float64 array of shape (n_samples, n_features), gives one of the same shape.
    lower, upper : ndarray of shape (n_features,)
        Range of the training data.

    Returns
    -------
    AffineMap or None
        Centred in the middle of the range; None where the transform gives another shape or
        numbers that are not finite. `is_affine_map` checks whether the transform is this map
        elsewhere too.
    """
    middle, spread = _middle_and_spread(lower, upper)
    low, high = middle - 1e3 * spread, middle + 1e3 * spread
    Z = _transform_or_none(transform, np.stack([middle, low, high]))
    if Z is None:
        return None
    return AffineMap(center=middle, scale=(Z[2] - Z[1]) / (high - low), shift=Z[0])


def is_affine_map(
    transform: Callable[[NDArray], NDArray], affine: AffineMap, X: Float64Array
) -> bool:
    """Check whether a transform is an affine map, on the data and far outside them.

    Parameters
    ----------
    transform : callable
        Takes a float64 array of shape (n_samples, n_features), gives one of the same shape.
    affine : AffineMap
        What the transform should be.
    X : ndarray of shape (n_samples, n_features)
        Training data; some 256 of its rows are compared, and random points up to a thousand
        times as far out as they lie, in which features move independently. For NaN stands the
        middle of the feature.

    Returns
    -------
    bool
        Whether the two agree to rounding.
    """
    middle, spread = _middle_and_spread(np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0))
    rng = np.random.default_rng(0)
    far = [k * rng.uniform(-1.0, 1.0, size=(8, len(middle))) for k in (1.0, 30.0, 1e3)]
    some = X[:: 1 + len(X) // 256]
    some = np.where(np.isnan(some), middle, some)
    points = np.concatenate([some, middle + np.concatenate(far) * spread])
    actual, expected = _transform_or_none(transform, points), affine.apply(points)
    if actual is None:
        return False
    size = np.abs(affine.scale)
    with np.errstate(over="ignore"):
        # What an expanded a * x + c may lose at a far offset, and what float32 loses of the rest.
        rounding = np.abs(actual) + np.abs(affine.shift) + size * np.abs(points)
        rest = np.abs(expected - affine.shift) + size * spread
        tolerance = 64 * np.finfo(np.float64).eps * rounding + _PROBE_TOLERANCE * rest
    return bool(np.all(np.abs(actual - expected) <= tolerance + np.finfo(np.float64).tiny))


def _middle_and_spread(
    lower: Float64Array, upper: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Middle and width of a range; a range of one point is as wide as its value, or one."""
    middle = lower / 2 + upper / 2
    width = upper / 2 - lower / 2
    width = np.where(width > 0.0, width, np.where(middle == 0.0, 1.0, np.abs(middle)))
    # A thousand widths must not overflow.
    return middle, np.minimum(width, np.finfo(np.float64).max / 1e4)


def _transform_or_none(
    transform: Callable[[NDArray], NDArray], points: Float64Array
) -> Float64Array | None:
    """Transform a copy of the points; None if that fails or is not finite, of the same shape."""
    try:
        with np.errstate(all="ignore"):
            Z = np.asarray(transform(points.copy()), dtype=np.float64)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return Z if Z.shape == points.shape and np.isfinite(Z).all() else None
