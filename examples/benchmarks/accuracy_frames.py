"""Data frames as arrays for the accuracy benchmark, by the same rules for every table.

1. Identifiers, and columns that are known only together with the target, are named and dropped.
2. A date becomes the number of its day and its weekday.
3. A text column of two levels becomes one column of 0 and 1, one of up to 29 levels a column for
   each level. Text of 30 levels or more is dropped.
4. A column of which more than a tenth is missing is dropped, then every row with a missing value.
5. Constant columns are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MAX_LEVELS, MAX_MISSING = 29, 0.1


class Data(NamedTuple):
    """The arrays of one table."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


def from_frame(
    frame: pd.DataFrame,
    target: str,
    *,
    drop: Sequence[str] = (),
    dates: Sequence[str] = (),
    groups: Sequence[str] = (),
    transform: np.ufunc | None = None,
    min_class_size: int = 0,
) -> Data:
    """Turn a data frame into numbers, by the rules above.

    Parameters
    ----------
    frame : DataFrame
        One row for each sample.
    target : str
        Column to predict; text is a class.
    drop : sequence of str, default=()
        Identifiers, and what is known only together with the target.
    dates : sequence of str, default=()
        Columns that hold dates.
    groups : sequence of str, default=()
        Columns that say together which rows must not be parted; they are no features.
    transform : ufunc, default=None
        Of a numeric target, where the field looks at its logarithm or its root.
    min_class_size : int, default=0
        Rows of rarer classes are dropped.

    Returns
    -------
    Data
        X in float64, y in float64 or as whole numbers from zero, and the groups.
    """
    frame = frame.drop(columns=list(drop)).dropna(subset=[target])
    if min_class_size:
        frame = frame[frame.groupby(target)[target].transform("size") >= min_class_size]
    features = _as_numbers(frame.drop(columns=[target, *groups]), dates).dropna()
    frame = frame.loc[features.index]
    y = frame[target]
    X = features.to_numpy(np.float64)
    return Data(
        X[:, np.ptp(X, axis=0) > 0],
        _as_classes(y) if not _is_numeric(y) else _as_values(y, transform),
        frame.groupby(list(groups)).ngroup().to_numpy() if groups else None,
    )


def _as_numbers(frame: pd.DataFrame, dates: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    columns = []
    for name in frame:
        column = frame[name]
        if column.isna().mean() > MAX_MISSING:
            continue
        if name in dates:
            day = pd.to_datetime(column)
            columns.append((day - day.min()).dt.days.rename(f"{name} day"))
            columns.append(_one_hot(day.dt.day_name()))
        elif _is_numeric(column):
            columns.append(column)
        elif column.nunique() <= MAX_LEVELS:
            columns.append(_one_hot(column))
    return pd.concat(columns, axis=1)


def _one_hot(column: pd.Series) -> pd.DataFrame:
    import pandas as pd

    levels = pd.get_dummies(column, prefix=column.name, dtype=float)
    # A missing level stays missing, so that its row is dropped as all others are.
    levels[column.isna()] = np.nan
    return levels.iloc[:, :1] if levels.shape[1] == 2 else levels


def _is_numeric(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _as_classes(y: pd.Series) -> np.ndarray:
    return np.unique(y.astype(str), return_inverse=True)[1]


def _as_values(y: pd.Series, transform: np.ufunc | None) -> np.ndarray:
    values = y.to_numpy(np.float64)
    return values if transform is None else transform(values)
