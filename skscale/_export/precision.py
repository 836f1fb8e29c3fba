"""What an exported model can compute in float32, and what it cannot."""

from __future__ import annotations

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import did_you_mean, listed, warn
from skscale._normalization.affine import AffineMap

DTYPES = ("float32", "float64")

# Of a feature that lies this many standard deviations from zero float32 keeps some 1e-5 of one, as
# good as what the layers behind it keep.
_FAR = 100.0
# Numbers this much larger than the smallest of float32 keep five digits where their sums and
# products are flushed to zero.
_DIGITS = 1e5


def check_dtype(dtype: str) -> None:
    """Refuse every dtype that is not in `DTYPES`.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of the model.

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64".
    """
    if dtype not in DTYPES:
        raise InvalidParameterError(
            f"dtype={dtype!r} is no precision of an exported model. "
            + did_you_mean(str(dtype), DTYPES)
        )


def check_features(
    dtype: str,
    affine: AffineMap,
    standard: AffineMap | None,
    active: np.ndarray,
    *,
    instead: str = "to_keras(dtype='float64')",
) -> None:
    """Refuse float32 where it cannot hold a feature that varies, and warn where it loses digits.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of the model.
    affine : AffineMap
        What the model does to raw features.
    standard : AffineMap or None
        Their standardization, which decides which digits matter; None if it is not known.
    active : ndarray of int
        Features that vary.
    instead : str, default="to_keras(dtype='float64')"
        What keeps the digits, for the message.

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64".
    ValueError
        If float32 cannot hold the units of a feature.

    Warns
    -----
    UserWarning
        If a feature lies far from zero.
    """
    check_units(dtype, affine, "features", active)
    if standard is None or dtype == "float64":
        return
    distance = np.abs(standard.center * standard.scale)[active]
    far = distance > _FAR
    if far.any():
        warn(
            f"In float32 the model loses digits of features {listed(active[far])}, counted from "
            f"0, which lie up to {distance.max():.3g} standard deviations from zero; up to "
            f"{_FAR:g} are harmless. Use {instead}.",
        )


def check_units(
    dtype: str, affine: AffineMap, what: str, columns: np.ndarray | None = None
) -> None:
    """Refuse float32 where it cannot hold raw units, and every dtype that is not in `DTYPES`.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of the model.
    affine : AffineMap
        Map from raw units.
    what : {"features", "targets"}
        What is mapped, for the message.
    columns : ndarray of int or None, default=None
        Those that vary; None for all.

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64".
    ValueError
        If float32 cannot hold a unit or a centre.
    """
    check_dtype(dtype)
    if dtype == "float64":
        return
    kept = np.arange(affine.n_features) if columns is None else columns
    center, scale = np.abs(affine.center[kept]), np.abs(affine.scale[kept])
    limits = np.finfo(np.float32)
    unit = 1 / np.where(scale == 0, 1.0, scale)
    lost = (unit < _DIGITS * float(limits.tiny)) | (np.maximum(unit, center) > limits.max / _DIGITS)
    if lost.any():
        raise ValueError(
            f"dtype='float32' cannot hold {what} {listed(kept[lost])}, counted from 0, whose unit "
            f"is {float(unit[lost][0]):.3g}. Use dtype='float64', or fit on {what} of more usual "
            "magnitude."
        )
