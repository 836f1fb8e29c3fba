"""Tables, weights and maps as hypothesis draws them, and all forms that a table comes in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st

from skscale._normalization.affine import AffineMap

MAX_ROWS, MAX_COLUMNS = 12, 3

# Of few digits, so that they shrink to what can be read, and some are equal.
_NUMBERS = st.integers(-(2**20), 2**20).map(lambda i: i / 2**18) | st.integers(-2, 2).map(float)
# Powers of ten of units: squares, and a thousand of them, leave float64 at both ends.
_EXPONENTS = st.integers(-300, 300) | st.just(0)
_OFFSETS = st.sampled_from([0.0, 0.0, 1.0, -30.0, 1e6, -1e12])

POWERS_OF_TWO = st.integers(-900, 900)
"""Exponents of units in which no column of `tables(ordinary=True)` leaves the normal floats."""


@st.composite
def tables(draw: Any, *, min_rows: int = 1, ordinary: bool = False) -> np.ndarray:
    """Draw a finite table: columns of any unit, far from zero or not, some of them constant.

    Parameters
    ----------
    draw : callable
        Of hypothesis.
    min_rows : int, default=1
        Least number of rows.
    ordinary : bool, default=False
        Whether the units are usual ones.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        The numbers.
    """
    shape = (draw(st.integers(min_rows, MAX_ROWS)), draw(st.integers(1, MAX_COLUMNS)))
    X = draw(hnp.arrays(np.float64, shape, elements=_NUMBERS))
    for column in X.T:
        column += draw(_OFFSETS)
        column *= 10.0 ** (draw(st.integers(-20, 20)) if ordinary else draw(_EXPONENTS) * 0.97)
        if draw(st.integers(0, 7)) == 0:
            column[:] = column[0]
    return X


def weights(n_rows: int) -> st.SearchStrategy[np.ndarray]:
    """Draw positive weights of `n_rows` rows, of one decade or over 600 of them."""
    usual = st.floats(0.125, 8.0, width=32)
    decades = st.floats(-300.0, 300.0, width=32).map(lambda exponent: 10.0**exponent)
    elements = st.sampled_from([usual, decades])
    return elements.flatmap(lambda e: hnp.arrays(np.float64, n_rows, elements=e))


def counts(n_rows: int) -> st.SearchStrategy[np.ndarray]:
    """Draw how often each of `n_rows` rows is there, and one of them at least once."""
    return hnp.arrays(np.int64, n_rows, elements=st.integers(0, 3)).filter(np.any)


def orders(n: int) -> st.SearchStrategy[np.ndarray]:
    """Draw an order of `n` things."""
    return st.permutations(range(n)).map(np.array)


@st.composite
def maps(draw: Any, n_features: int, *, min_scale: float = 0.0) -> AffineMap:
    """Draw an affine map of usual numbers, of factors of at least `min_scale`."""
    center, shift = (draw(hnp.arrays(np.float64, n_features, elements=_NUMBERS)) for _ in "ab")
    sizes = st.floats(min_scale, 1e3, width=32)
    scale = draw(hnp.arrays(np.float64, n_features, elements=sizes))
    signs = draw(hnp.arrays(np.float64, n_features, elements=st.sampled_from([1.0, -1.0])))
    return AffineMap(center, scale * signs, shift)


def _memory_mapped(X: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, X.dtype, "w+", shape=X.shape)
    mapped[:] = X
    return mapped


def _read_only(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X.flags.writeable = False
    return X


# The same numbers, in other places of memory.
ARRAY_FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "columns first": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _read_only,
    "memory-mapped": _memory_mapped,
    "big-endian": lambda X: X.astype(">f8"),
}
# And what becomes such an array.
FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    **ARRAY_FORMS,
    "objects": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "frame": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(X, schema=[f"c{j}" for j in range(X.shape[1])]),
}

# The same numbers in other types, where these can hold them.
TYPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    # So far from its largest number that the maps do not leave it.
    "float32": lambda X: np.clip(X, -1e30, 1e30).astype(np.float32),
    "float16": lambda X: np.clip(X, -6e4, 6e4).astype(np.float16),
    "int64": lambda X: np.clip(X, -1e15, 1e15).astype(np.int64),
    "uint8": lambda X: np.clip(X, 0, 255).astype(np.uint8),
}


def rounding(X: np.ndarray) -> np.ndarray:
    """Bound what rounding makes of a sum over each column, divided by its number of rows."""
    return 4 * len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0) + np.finfo(np.float64).tiny
