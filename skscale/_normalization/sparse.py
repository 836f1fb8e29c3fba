"""Affine maps of sparse tables, whose zeros stay zeros."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from skscale._normalization.affine import AffineMap

NOT_CENTRED = ("maxabs", "rms")
"""Names of the criteria whose centre is zero."""


def refuse_centring() -> NoReturn:
    """Refuse to move the zeros of a sparse table, as StandardScaler does."""
    raise ValueError(
        "Cannot center sparse matrices, as no zero would be left: transform X.toarray(), or fit "
        "with readout='gain', normalization='maxabs' (or 'rms', or None) and center=False, which "
        "give a factor alone. The learned factors are scale_, in either case."
    )


def scale_sparse(affine: AffineMap, X: Any, *, inverse: bool = False) -> Any:
    """Map the values of a sparse table.

    Parameters
    ----------
    affine : AffineMap
        The map, without an offset.
    X : sparse CSR of shape (n_samples, n_features)
        The table; it is not changed.
    inverse : bool, default=False
        Whether to go from outputs to inputs.

    Returns
    -------
    sparse CSR of shape (n_samples, n_features)
        Computed in float64; float32 for float32 input. What overflows becomes the largest number.

    Raises
    ------
    ValueError
        If zeros would not stay zeros.
    """
    if affine.offset[~affine.unknown].any():
        refuse_centring()
    factors, result = affine.scale, X.copy()
    with np.errstate(over="ignore"):
        if inverse:
            values = X.data / np.where(factors == 0.0, np.inf, factors)[X.indices]
        else:
            values = X.data * factors[X.indices]
    largest = np.finfo(X.dtype).max
    result.data = np.clip(values, -largest, largest).astype(X.dtype, copy=False)
    return result
