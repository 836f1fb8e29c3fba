"""Tables, targets, weights and groups for the fuzzer: honest, odd and impossible ones."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp

# Few, so that programs are compiled for few shapes.
ROWS = [1, 2, 12, 30, 30, 30, 30]
WIDTHS = [1, 3, 6]

Random = np.random.Generator


def pick(random: Random, choices: Any) -> Any:
    """Draw one of a few things, of any type."""
    choices = list(choices)
    return choices[random.integers(len(choices))]


# What the columns of a table of numbers hold: functions of a column of order one.


def _sparse_column(x: np.ndarray, random: Random) -> np.ndarray:
    return np.where(random.random(len(x)) < 0.8, 0.0, x)


def _with_outlier(x: np.ndarray, random: Random) -> np.ndarray:
    x[random.integers(len(x))] = 10.0 ** random.uniform(2, 30)
    return x


COLUMNS: dict[str, Callable[[np.ndarray, Random], np.ndarray]] = {
    "normal": lambda x, _: x,
    "positive": lambda x, _: np.exp(x),
    "constant": lambda x, random: np.full(len(x), pick(random, [0.0, 1.0, -3.7, 1e300, 1e-310])),
    "any unit": lambda x, random: x * 10.0 ** random.uniform(-300, 300),
    "subnormal": lambda x, _: x * 1e-310,
    "far": lambda x, random: x + 10.0 ** random.uniform(0, 17),
    "constant to rounding": lambda x, _: 0.1 + 1e-17 * np.sign(x),
    "two values": lambda x, _: (x > 0).astype(float),
    "one other value": lambda x, _: (np.arange(len(x)) == 0).astype(float),
    "mostly zero": _sparse_column,
    "whole": lambda x, _: np.round(3 * x),
    "outlier": _with_outlier,
    "largest": lambda x, _: np.sign(x) * np.finfo(float).max,
    "many decades": lambda x, _: np.sign(x) * 10.0 ** (20 * np.abs(x)),
}


def draw_rows(random: Random, n_rows: int, n_columns: int, *, is_odd: bool) -> np.ndarray:
    """Draw a table of numbers; an odd one has any columns."""
    X = random.normal(size=(n_rows, n_columns))
    if is_odd:
        for j in range(n_columns):
            X[:, j] = COLUMNS[pick(random, COLUMNS)](X[:, j], random)
    return X


# Forms of a table that an estimator should take, or refuse in a sentence.


def _mapped(X: np.ndarray, _: Random) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        array = np.memmap(file, X.dtype, "w+", shape=X.shape)
    array[:] = X
    return array


def _read_only(X: np.ndarray, _: Random) -> np.ndarray:
    X.flags.writeable = False
    return X


def _frame(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])


def _float32(X: np.ndarray, _: Random) -> np.ndarray:
    return np.clip(X, -1e38, 1e38).astype(np.float32)


def _whole(dtype: type) -> Callable[[np.ndarray, Random], np.ndarray]:
    limits = np.iinfo(dtype)
    # A float just below the largest integer would be rounded up to one too large.
    low, high = float(limits.min) / 20, float(limits.max) / 20
    return lambda X, _: (10 * np.clip(X, low, high)).astype(dtype)


def _spoiled(value: Any, dtype: Any = float) -> Callable[[np.ndarray, Random], np.ndarray]:
    def spoil(X: np.ndarray, random: Random) -> np.ndarray:
        X = X.astype(dtype)
        X[tuple(random.integers(X.shape))] = value
        return X

    return spoil


def _with_column(values: Callable[[int], Any]) -> Callable[[np.ndarray, Random], pd.DataFrame]:
    return lambda X, _: _frame(X).assign(other=values(len(X)))


FORMS: dict[str, Callable[[np.ndarray, Random], Any]] = {
    "array": lambda X, _: X,
    "columns first": lambda X, _: np.asfortranarray(X),
    "strided": lambda X, _: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X, _: X[::-1, ::-1],
    "read-only": _read_only,
    "memory-mapped": _mapped,
    "float32": _float32,
    "float16": lambda X, _: np.clip(X, -6e4, 6e4).astype(np.float16),
    "longdouble": lambda X, _: X.astype(np.longdouble),
    "big-endian": lambda X, _: X.astype(">f8"),
    "int64": _whole(np.int64),
    "int8": _whole(np.int8),
    "uint16": _whole(np.uint16),
    "bool": lambda X, _: X > 0,
    "objects": lambda X, _: X.astype(object),
    "Python integers": lambda X, _: np.array(
        [[int(v * 10**20) for v in row] for row in np.clip(X, -1, 1)], object
    ),
    "decimals": lambda X, _: np.array([[Decimal(repr(float(v))) for v in r] for r in X], object),
    "numbers as text": lambda X, _: X.astype(str),
    "list": lambda X, _: X.tolist(),
    "tuple of arrays": lambda X, _: tuple(X),
    "frame": lambda X, _: _frame(X),
    "frame of numbered columns": lambda X, _: pd.DataFrame(X),
    "frame of mixed names": lambda X, _: pd.DataFrame(X, columns=[*range(X.shape[1] - 1), "a"]),
    "frame of equal names": lambda X, _: pd.DataFrame(X, columns=["a"] * X.shape[1]),
    "frame of nullable numbers": lambda X, _: _frame(X).convert_dtypes(),
    "frame of Arrow": lambda X, _: _frame(X).convert_dtypes(dtype_backend="pyarrow"),
    "sparse frame": lambda X, _: _frame(X).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda X, _: pl.DataFrame(X, schema=[f"c{j}" for j in range(X.shape[1])]),
    "lazy polars": lambda X, _: pl.DataFrame(X).lazy(),
    "CSR": lambda X, _: sp.csr_array(X),
    "CSC": lambda X, _: sp.csc_array(X),
    "COO": lambda X, _: sp.coo_matrix(X),
    "CSR of zeros": lambda X, _: sp.csr_array(X.shape),
    "CSR with a gap": lambda X, random: sp.csr_array(_spoiled(np.nan)(X, random)),
    "masked": lambda X, _: np.ma.masked_array(X, X > 1),
    "matrix": lambda X, _: np.asmatrix(X),
    "NaN": _spoiled(np.nan),
    "column of NaN": lambda X, _: np.where(np.arange(X.shape[1]) == 0, np.nan, X),
    "infinity": _spoiled(-np.inf),
    "None": _spoiled(None, object),
    "pandas.NA": _spoiled(pd.NA, object),
    "word": _spoiled("red", object),
    "words": lambda X, _: np.full(X.shape, "red"),
    "bytes": lambda X, _: np.full(X.shape, b"red"),
    "list of numbers and words": lambda X, _: [[*row, "red"] for row in X.tolist()],
    "column of text": _with_column(lambda n: ["red"] * n),
    "column of categories": _with_column(lambda n: pd.Categorical(["red"] * n)),
    "column of whole categories": _with_column(lambda n: pd.Categorical([1, 2] * n)[:n]),
    "column of dates": _with_column(lambda n: pd.date_range("2020-01-01", periods=n)),
    "column of days": _with_column(lambda n: [dt.date(2020, 1, 1)] * n),
    "column of lists": _with_column(lambda n: [[1, 2]] * n),
    "dates": lambda X, _: np.full(X.shape, np.datetime64("2020-01-01")),
    "complex": lambda X, _: X * 1j,
    "records": lambda X, _: np.zeros(X.shape, [("a", float)]),
    "one axis": lambda X, _: X[:, 0],
    "three axes": lambda X, _: X[:, :, np.newaxis],
    "no rows": lambda X, _: X[:0],
    "no columns": lambda X, _: X[:, :0],
    "ragged": lambda X, _: [row[: 1 + i % 2] for i, row in enumerate(X.tolist())],
    "series": lambda X, _: pd.Series(X[:, 0]),
    "dict": lambda X, _: {"a": X[:, 0].tolist()},
    "set": lambda _X, _: {1.0, 2.0},
    "generator": lambda X, _: (row for row in X.tolist()),
    "text": lambda _X, _: "table.csv",
    "number": lambda _X, _: 3.0,
    "nothing": lambda _X, _: None,
    "one row too many": lambda X, _: np.vstack([X, X[:1]]),
}
PLAIN_FORMS = list(FORMS)[:16]

# Targets of a quantity: functions of the rows' own, of order one.

QUANTITIES: dict[str, Callable[[np.ndarray, Random], Any]] = {
    "floats": lambda y, _: y,
    "float32": lambda y, _: y.astype(np.float32),
    "whole": lambda y, _: np.round(9 * y).astype(int),
    "bool": lambda y, _: y > 0,
    "list": lambda y, _: y.tolist(),
    "series": lambda y, _: pd.Series(y, name="y"),
    "nullable series": lambda y, _: pd.Series(y).convert_dtypes(),
    "polars": lambda y, _: pl.Series(y),
    "column": lambda y, _: y[:, np.newaxis],
    "frame of one column": lambda y, _: pd.DataFrame({"y": y}),
    "two columns": lambda y, _: np.column_stack([y, -y]),
    "frame of two columns": lambda y, _: pd.DataFrame({"a": y, "b": y**2}),
    "two columns of other units": lambda y, _: np.column_stack([y * 1e-200, y * 1e200]),
    "one constant of two": lambda y, _: np.column_stack([y, np.ones_like(y)]),
    "constant": lambda y, random: np.full_like(y, pick(random, [0.0, 5.0, 1e300, -1e-310])),
    "any unit": lambda y, random: y * 10.0 ** random.uniform(-300, 300),
    "subnormal": lambda y, _: y * 1e-310,
    "largest": lambda y, _: np.sign(y) * np.finfo(float).max,
    "far": lambda y, _: y + 1e12,
    "outlier": _with_outlier,
    "positive": lambda y, _: np.exp(y),
    "between 0 and 1": lambda y, _: 1 / (1 + np.exp(-y)),
    "objects": lambda y, _: y.astype(object),
    "decimals": lambda y, _: np.array([Decimal(repr(float(v))) for v in y], object),
    "numbers as text": lambda y, _: y.astype(str),
    "words": lambda y, _: np.where(y > 0, "a", "b"),
    "NaN": lambda y, _: np.where(np.arange(len(y)) == 0, np.nan, y),
    "infinity": lambda y, _: np.where(np.arange(len(y)) == 0, np.inf, y),
    "None": lambda y, _: [None, *y[1:]],
    "complex": lambda y, _: y * 1j,
    "dates": lambda y, _: np.full(len(y), np.datetime64("2020-01-01")),
    "sparse": lambda y, _: sp.csr_array(y[:, np.newaxis]),
    "masked": lambda y, _: np.ma.masked_array(y, y > 1),
    "no columns": lambda y, _: np.empty((len(y), 0)),
    "three axes": lambda y, _: y[:, np.newaxis, np.newaxis],
    "one row": lambda y, _: y[np.newaxis],
    "too few": lambda y, _: y[:-1],
    "number": lambda _y, _: 3.0,
    "nothing": lambda _y, _: None,
}

# Class labels: functions of codes from 0 on.

_WORDS = np.array(["red", "green", "blue", "gray", "pink", "white"])

LABELS: dict[str, Callable[[np.ndarray, Random], Any]] = {
    "codes": lambda codes, _: codes,
    "words": lambda codes, _: _WORDS[codes % 6],
    "word objects": lambda codes, _: _WORDS[codes % 6].astype(object),
    "bool": lambda codes, _: codes > 0,
    "list": lambda codes, _: codes.tolist(),
    "whole floats": lambda codes, _: codes.astype(float),
    "negative": lambda codes, _: codes - 5,
    "huge": lambda codes, _: codes + 2**60,
    "uint8": lambda codes, _: codes.astype(np.uint8),
    "series": lambda codes, _: pd.Series(_WORDS[codes % 6]),
    "string series": lambda codes, _: pd.Series(_WORDS[codes % 6], dtype="string"),
    "categories": lambda codes, _: pd.Series(pd.Categorical(_WORDS[codes % 6], [*_WORDS, "none"])),
    "ordered codes": lambda codes, _: pd.Series(pd.Categorical(codes, ordered=True)),
    "nullable": lambda codes, _: pd.Series(codes, dtype="Int64"),
    "polars": lambda codes, _: pl.Series(_WORDS[codes % 6]),
    "polars categories": lambda codes, _: pl.Series(_WORDS[codes % 6], dtype=pl.Categorical),
    "column": lambda codes, _: codes[:, np.newaxis],
    "frame": lambda codes, _: pd.DataFrame({"y": _WORDS[codes % 6]}),
    "one of each": lambda codes, _: np.arange(len(codes)),
    "one other": lambda codes, _: (np.arange(len(codes)) == 0).astype(int),
    "one class": lambda codes, _: np.zeros_like(codes),
    "fractions": lambda codes, _: codes + 0.5,
    "numbers and words": lambda codes, _: [v if v else "none" for v in codes.tolist()],
    "None": lambda codes, _: [None, *_WORDS[codes[1:] % 6]],
    "NaN": lambda codes, _: np.where(np.arange(len(codes)) == 0, np.nan, codes),
    "missing category": lambda codes, _: pd.Series(
        [None, *_WORDS[codes[1:] % 6]], dtype="category"
    ),
    "two columns": lambda codes, _: np.eye(2)[codes % 2],
    "bytes": lambda codes, _: _WORDS[codes % 6].astype(bytes),
    "dates": lambda codes, _: np.datetime64("2020-01-01") + codes,
    "tuples": lambda codes, _: [(int(v), 0) for v in codes],
    "complex": lambda codes, _: codes * 1j,
    "too few": lambda codes, _: codes[:-1],
    "text": lambda _codes, _: "red",
    "nothing": lambda _codes, _: None,
}
if hasattr(np.dtypes, "StringDType"):  # since NumPy 2
    LABELS["strings of NumPy 2"] = lambda codes, _: _WORDS[codes % 6].astype(
        np.dtypes.StringDType()
    )

# Weights of n rows.

WEIGHTS: dict[str, Callable[[int, Random], Any]] = {
    "ones": lambda n, _: np.ones(n),
    "drawn": lambda n, random: random.uniform(0.1, 3, n),
    "whole with zeros": lambda n, random: random.integers(0, 4, n),
    "600 decades": lambda n, random: 10.0 ** random.uniform(-300, 300, n),
    "equal and huge": lambda n, _: np.full(n, 1e300),
    "equal and tiny": lambda n, _: np.full(n, 1e-300),
    "subnormal": lambda n, random: random.uniform(0.1, 3, n) * 1e-310,
    "one among tiny": lambda n, _: np.where(np.arange(n) == 0, 1e200, 1e-200),
    "overflowing": lambda n, _: np.full(n, 1.7e308),
    "bool": lambda n, _: np.arange(n) % 3 > 0,
    "float32": lambda n, random: random.uniform(0.1, 3, n).astype(np.float32),
    "list": lambda n, _: [1] * n,
    "series": lambda n, random: pd.Series(random.uniform(0.1, 3, n)),
    "polars": lambda n, random: pl.Series(random.uniform(0.1, 3, n)),
    "number": lambda _n, _: 2.0,
    "only two": lambda n, _: (np.arange(n) < 2).astype(float),
    "only one": lambda n, _: np.eye(n)[0],
    "zeros": lambda n, _: np.zeros(n),
    "negative": lambda n, random: random.normal(size=n),
    "NaN": lambda n, _: np.full(n, np.nan),
    "infinite": lambda n, _: np.where(np.arange(n) == 0, np.inf, 1.0),
    "words": lambda n, _: ["heavy"] * n,
    "columns": lambda n, _: np.ones((n, 2)),
    "too few": lambda n, _: np.ones(n - 1),
    "complex": lambda n, _: np.full(n, 1j),
    "text": lambda _n, _: "balanced",
}

GROUPS: dict[str, Callable[[int, Random], Any]] = {
    "numbers": lambda n, random: random.integers(0, 4, n),
    "words": lambda n, random: pick_many(random, n),
    "one group": lambda n, _: np.zeros(n, int),
    "each its own": lambda n, _: list(range(n)),
    "series": lambda n, random: pd.Series(pick_many(random, n)),
    "floats": lambda n, _: np.arange(n) // 3 / 2,
    "NaN": lambda n, _: np.where(np.arange(n) % 2, np.nan, 1.0),
    "None": lambda n, _: [None, *range(n - 1)],
    "numbers and words": lambda n, _: [*range(n - 1), "a"],
    "too few": lambda n, _: list(range(n - 1)),
    "columns": lambda n, _: np.zeros((n, 2)),
    "text": lambda _n, _: "patient",
}


def pick_many(random: Random, n: int) -> np.ndarray:
    """Draw n words."""
    return _WORDS[random.integers(0, 3, n)]
