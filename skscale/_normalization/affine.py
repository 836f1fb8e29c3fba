"""An affine map of each feature: applied, inverted, composed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skscale._limits import FLOAT32_MAX
from skscale._parallel import map_threads

Float64Array = NDArray[np.float64]

# 256 KiB of float64: a block stays in the cache while it is shifted and scaled.
_BLOCK_SIZE = 32_768
# So few are not worth cutting into blocks.
_FEW = 1024
# Numbers that one thread takes at a time.
_PIECE_SIZE = 2**20
# From here on x - center can overflow although the result does not.
_HUGE_CENTER = 2.0**960


@dataclass(frozen=True, eq=False)
class AffineMap:
    """An affine map of each feature, ``z = (x - center) * scale + shift``.

    It is never expanded to ``a * x + c`` for computing: at an offset of 1e9 standard deviations
    that sum has lost its digits.

    What the dtype of the result cannot hold becomes the largest number that it holds, of the same
    sign. NaN stays NaN. A feature of which nothing is known has a center and a scale of NaN, and
    becomes NaN.

    Parameters
    ----------
    center : array-like of shape (n_features,)
        What is subtracted first, in the units of the input. Copied, as float64.
    scale : array-like of shape (n_features,)
        The factors; they multiply. Zero is allowed.
    shift : array-like of shape (n_features,)
        What is added last, in the units of the output.

    Raises
    ------
    ValueError
        If the three are not one-dimensional or differ in length, or hold infinity, or NaN where
        something is known of the feature.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._normalization.affine import AffineMap
    >>> celsius = AffineMap(center=[32.0], scale=[5 / 9], shift=[0.0])
    >>> celsius.apply(np.array([[212.0]]))
    array([[100.]])
    >>> kelvin = celsius.then(AffineMap(center=[0.0], scale=[1.0], shift=[273.15]))
    >>> kelvin.inverse(np.array([[373.15]]))
    array([[212.]])
    """

    center: Float64Array
    scale: Float64Array
    shift: Float64Array

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.array(getattr(self, field.name), dtype=np.float64)
            if array.ndim != 1:
                raise ValueError(
                    f"AffineMap takes one number per feature: {field.name} must have shape "
                    f"(n_features,), got {array.shape}."
                )
            # The dataclass is frozen for its users; converting its own fields is part of building.
            object.__setattr__(self, field.name, array)
        if not self.center.shape == self.scale.shape == self.shift.shape:
            raise ValueError(
                "AffineMap takes arrays of one length, got center "
                f"{self.center.shape}, scale {self.scale.shape}, shift {self.shift.shape}."
            )
        unknown = self.unknown
        for field in fields(self):
            array = getattr(self, field.name)
            spoiled = np.flatnonzero(~(np.isfinite(array) | unknown))
            if len(spoiled):
                where = int(spoiled[0])
                raise ValueError(
                    f"AffineMap takes finite numbers: {field.name}[{where}] is {array[where]}. "
                    "Multiply that feature by a constant that brings it to a usual magnitude."
                )

    @classmethod
    def identity(cls, n_features: int) -> AffineMap:
        """Return the map that leaves each of `n_features` features as it is.

        Parameters
        ----------
        n_features : int
            Number of features.

        Returns
        -------
        AffineMap
            Center 0, scale 1, shift 0.
        """
        zeros = np.zeros(n_features)
        return cls(center=zeros, scale=np.ones(n_features), shift=zeros)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.center)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Features of which nothing is known, and that become NaN."""
        return np.isnan(self.center) & np.isnan(self.scale)

    def where(self, features: NDArray[np.bool_], other: AffineMap | None = None) -> AffineMap:
        """Keep this map for some features alone.

        Parameters
        ----------
        features : ndarray of bool of shape (n_features,)
            Those features.
        other : AffineMap, default=None
            The map of the others; None if nothing is known of them.

        Returns
        -------
        AffineMap
            The map of all features.
        """
        unknown = np.full(self.n_features, np.nan)
        other = other or AffineMap(unknown, unknown, np.zeros(self.n_features))
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return AffineMap(*(np.where(features, *pair) for pair in pairs))

    @property
    def offset(self) -> Float64Array:
        """What is added where the map is shown, not computed, as ``scale * x + offset``."""
        return self.shift - self.center * self.scale

    def apply(self, X: ArrayLike) -> NDArray[np.floating]:
        """Map inputs to outputs.

        Parameters
        ----------
        X : array-like of shape (..., n_features)
            Inputs; they are not changed.

        Returns
        -------
        ndarray of shape (..., n_features)
            ``(X - center) * scale + shift``, computed in float64; float32 for float32 input,
            float64 for every other.

        Raises
        ------
        ValueError
            If the last axis of `X` is not `n_features` long.
        """
        half = np.where(np.abs(self.center) >= _HUGE_CENTER, 0.5, 1.0)
        halved, shifted = bool((half != 1.0).any()), bool(self.shift.any())

        def formula(x, z, center, scale, shift, half):  # type: ignore[no-untyped-def]
            np.subtract(x * half if halved else x, center, out=z)
            z *= scale
            if halved:
                z /= half
            if shifted:
                z += shift

        parameters = (self.center * half, self.scale, self.shift, half)
        return _in_blocks(formula, self._check(X), parameters)

    def inverse(self, Z: ArrayLike) -> NDArray[np.floating]:
        """Map outputs back to inputs.

        Parameters
        ----------
        Z : array-like of shape (..., n_features)
            Outputs; they are not changed.

        Returns
        -------
        ndarray of shape (..., n_features)
            ``(Z - shift) / scale + center``, and the center where the scale is zero; float32 for
            float32 input that comes from numbers which float32 holds, float64 for every other.

        Raises
        ------
        ValueError
            If the last axis of `Z` is not `n_features` long.
        """
        # Dividing by infinity is what leaves the center.
        divisor = np.where(self.scale == 0.0, np.inf, self.scale)

        def formula(z, x, shift, divisor, center):  # type: ignore[no-untyped-def]
            np.subtract(z, shift, out=x)
            x /= divisor
            x += center

        Z = self._check(Z)
        if Z.dtype == np.float32:
            with np.errstate(over="ignore"):
                size = np.abs(self.center) + np.abs(1 / divisor)
            Z = Z.astype(np.float64) if (size > FLOAT32_MAX).any() else Z
        return _in_blocks(formula, Z, (self.shift, divisor, self.center))

    def then(self, outer: AffineMap) -> AffineMap:
        """Compose two maps: this one first, `outer` on its result.

        Parameters
        ----------
        outer : AffineMap
            The map that is applied second.

        Returns
        -------
        AffineMap
            The map with ``self.then(outer).apply(X)`` equal to ``outer.apply(self.apply(X))``
            up to rounding.

        Raises
        ------
        ValueError
            If the numbers of features differ, or an offset overflows.
        """
        if outer.n_features != self.n_features:
            raise ValueError(
                f"A map of {self.n_features} features cannot be followed by one of "
                f"{outer.n_features}."
            )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            offset = outer.center - self.shift
            # A scale so small that the centre overflows is left to the other form.
            moved = self.center + offset / np.where(self.scale == 0.0, 1.0, self.scale)
            # What outer subtracts goes where it is rounded least: into the centre, which keeps the
            # digits of an identity followed by a far centre, or into the shift, which keeps those
            # of a far centre followed by a small correction.
            in_center = (
                (self.scale != 0.0)
                & np.isfinite(moved)
                & (np.abs(moved * self.scale) <= np.abs(offset))
            )
            # A subnormal feature has the largest float as its scale: the product ends there too.
            largest = np.finfo(np.float64).max
            return AffineMap(
                center=np.where(in_center, moved, self.center),
                scale=np.clip(self.scale * outer.scale, -largest, largest),
                shift=np.where(in_center, outer.shift, outer.shift - offset * outer.scale),
            )

    def _check(self, X: ArrayLike) -> NDArray:
        X = np.asarray(X)
        if X.ndim == 0 or X.shape[-1] != self.n_features:
            raise ValueError(
                f"This map has {self.n_features} features, so it takes arrays of shape "
                f"(..., {self.n_features}); got shape {X.shape}."
            )
        return X


def _in_blocks(
    formula: Callable[..., None], A: NDArray, parameters: tuple[Float64Array, ...]
) -> NDArray[np.floating]:
    """Compute ``formula(source, target, *parameters)`` in float64, block by block.

    The first and the third of the parameters are numbers to add, in units of source and target.
    """
    dtype = np.dtype(np.float32 if A.dtype == np.float32 else np.float64)
    if A.size <= _FEW:
        few = np.array(A, np.float64)
        try:
            with np.errstate(over="raise"):
                formula(few, few, *parameters)
                return few.astype(dtype, copy=False)
        except FloatingPointError:
            return _saturated(formula, A, parameters, dtype).astype(dtype)
    if not (A.flags.c_contiguous or (A.ndim == 2 and A.flags.f_contiguous)):
        A = np.ascontiguousarray(A)
    result: NDArray[np.floating] = np.empty_like(A, dtype=dtype)
    n_features = A.shape[-1]
    shape = (math.prod(A.shape[:-1]), n_features)
    all_sources, all_outs = (array.reshape(shape, order="A") for array in (A, result))
    by_rows = A.flags.c_contiguous
    blocks, axis = (_row_blocks, 0) if by_rows else (_column_blocks, 1)
    length = max(1, _PIECE_SIZE // max(1, shape[1 - axis]))

    def compute(start: int) -> None:
        part = slice(start, start + length)
        piece = (part, slice(None)) if by_rows else (slice(None), part)
        scratch: NDArray = np.empty(0)
        for source, out, values in blocks(
            all_sources[piece], all_outs[piece], tuple(values[piece[1]] for values in parameters)
        ):
            if source.dtype != np.float64 and out.dtype == np.float64:
                source = source.astype(np.float64)
            try:
                # NumPy looks for overflow in any case: to be told of it costs nothing.
                with np.errstate(over="raise"):
                    if out.dtype == np.float64:
                        formula(source, out, *values)
                        continue
                    if scratch.shape != source.shape:
                        scratch = np.empty_like(source, dtype=np.float64)
                    scratch[...] = source
                    formula(scratch, scratch, *values)
                    out[...] = scratch
            except FloatingPointError:
                out[...] = _saturated(formula, source, values, out.dtype)

    map_threads(compute, range(0, shape[axis], length))
    return result


def _saturated(
    formula: Callable[..., None],
    source: NDArray,
    parameters: Sequence[Float64Array],
    dtype: np.dtype,
) -> Float64Array:
    """Compute a block of which some numbers overflow: these end at the largest that there is."""
    source = source.astype(np.float64)
    result, quarter = np.empty_like(source), np.empty_like(source)
    first, factor, last, *others = parameters
    largest = np.finfo(dtype).max
    with np.errstate(over="ignore", invalid="ignore"):
        formula(source, result, *parameters)
        # Of a quarter of everything no sum overflows that does not in the end.
        formula(source / 4, quarter, first / 4, factor, last / 4, *others)
    quarter = np.clip(quarter, -largest / 4, largest / 4)
    result = np.where(np.isfinite(result), result, 4 * quarter)
    return np.clip(result, -largest, largest)


def _row_blocks(
    A: NDArray, B: NDArray, parameters: tuple[Float64Array, ...]
) -> Iterator[tuple[NDArray, NDArray, list[Float64Array]]]:
    """Flat pieces of whole rows, the parameters repeated to their length.

    Five times faster for narrow tables than broadcasting over rows of a few numbers.
    """
    n_features = A.shape[-1]
    n_repeats = max(1, min(_BLOCK_SIZE, A.size) // max(1, n_features))
    tiled = [np.tile(values, n_repeats) for values in parameters]
    step = max(1, n_repeats * n_features)
    A, B = A.reshape(-1), B.reshape(-1)
    for start in range(0, A.size, step):
        source = A[start : start + step]
        yield source, B[start : start + step], [values[: source.size] for values in tiled]


def _column_blocks(
    A: NDArray, B: NDArray, parameters: tuple[Float64Array, ...]
) -> Iterator[tuple[NDArray, NDArray, list[Float64Array]]]:
    """Pieces of columns, for column-major tables as data frames give them."""
    n_samples, n_features = A.shape
    step = max(1, _BLOCK_SIZE // max(1, n_samples))
    for j in range(0, n_features, step):
        values = [v[j : j + step] for v in parameters]
        for i in range(0, n_samples, _BLOCK_SIZE):
            piece = np.s_[i : i + _BLOCK_SIZE, j : j + step]
            yield A[piece], B[piece], values
