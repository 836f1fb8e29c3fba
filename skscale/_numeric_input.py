"""Tables and targets that hold no numbers: which column it is, what it holds, and what to do.

scikit-learn says of them that a string or a date could not be converted, wherever it stands.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skscale._dask_collections import is_dask_collection

_NUMBERS = "biufc"
_DATES = "Mm"

_CURES = {
    "text": "Encode it, as by make_column_transformer((OneHotEncoder(), {columns}), "
    "remainder='passthrough') of scikit-learn in front, or leave it out.",
    "categories": "Encode them, as by make_column_transformer((OneHotEncoder(), {columns}), "
    "remainder='passthrough') of scikit-learn in front, or leave them out.",
    "dates": "Encode them as numbers with a meaning, such as the month, or the days since the "
    "first one, or leave them out.",
    "objects": "Convert them, with NaN where there is no value, or leave them out.",
}


class _Column(NamedTuple):
    name: Any
    dtype: Any
    values: Any


def refuse_lazy_tables(**data: Any) -> None:
    """Refuse frames and arrays whose rows are not there yet, by the name of the argument.

    Parameters
    ----------
    **data : object
        What may be one.

    Raises
    ------
    TypeError
        If there is one.
    """
    for name, value in data.items():
        if is_dask_collection(value):
            raise TypeError(
                f"{name} is a dask {type(value).__name__}, whose rows are not there yet. "
                "skscale.distributed.fit(estimator, X, y) learns from it partition by partition; "
                f"or give {name}.compute(), if that fits into memory."
            )
        if type(value).__name__ == "LazyFrame":
            raise TypeError(
                f"{name} is a LazyFrame, whose rows are not there yet. Give {name}.collect()."
            )


def refuse_dates(X: Any) -> None:
    """Refuse columns of dates, which NumPy would silently count in nanoseconds or days.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        What a user gave.

    Raises
    ------
    TypeError
        If there are any.
    """
    dates = [column for column in _columns(X) if _is_date(column.dtype)]
    if dates:
        raise TypeError(_refusal("dates", dates))


def explain_table(X: Any) -> str | None:
    """Say why a table is none of numbers, and what to do; None where it is one."""
    return _explain_shape(X) or _explain_columns(X)


def _explain_shape(X: Any) -> str | None:
    if hasattr(type(X), "columns"):
        return None
    try:
        n_axes = np.ndim(X)
    except ValueError:
        found = "holds lists of different lengths"
    else:
        if n_axes >= 2:
            return None
        found = f"is of type {type(X).__name__}" + (", with one axis" if n_axes == 1 else "")
    return (
        f"X {found}, but a table of shape (n_samples, n_features) is needed. Give an array, a list "
        "of rows or a data frame."
    )


def _explain_columns(X: Any) -> str | None:
    found: dict[str, list[_Column]] = {}
    for column in _columns(X):
        kind = _kind(column)
        if kind is not None:
            found.setdefault(kind, []).append(column)
    return " ".join(_refusal(kind, columns) for kind, columns in found.items()) or None


def explain_labels(y: Any) -> str | None:
    """Say that a regressor cannot learn strings; None where y holds none."""
    array = np.asarray(y, object)
    text = next((value for value in array.flat if _is_text(value)), None)
    if text is None:
        return None
    return (
        f"y holds text such as {str(text)!r}, but a regressor predicts numbers. Use "
        "LearnedScaleClassifier for labels, or y.astype(float) if they are numbers."
    )


def read_weights(sample_weight: Any, X: Any) -> np.ndarray:
    """Read weights as scikit-learn does, but name them where they hold no numbers.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        What a user gave.
    X : ndarray or sparse CSR of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    ndarray of float64 of shape (n_samples,)
        Finite numbers of at least zero.

    Raises
    ------
    ValueError
        If there are others, or another number of them.
    TypeError
        If they are of a type that is none of numbers.
    """
    try:
        if np.asarray(sample_weight).dtype.kind in tuple(_DATES):
            raise TypeError("NumPy would count dates in days or shorter.")
        return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    except (TypeError, ValueError) as error:
        if "weight" in str(error):
            raise
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"sample_weight holds something else than numbers: {error}") from None


def advice_on_gaps(estimator: str) -> str:
    """Say what to do about NaN in the rows of a predictor of this name."""
    return (
        f"With {estimator}, fill the gaps in front, and let it know where they were: "
        f"make_pipeline(SimpleImputer(add_indicator=True), {estimator}())."
    )


def _columns(X: Any) -> Iterator[_Column]:
    """Yield the columns of a frame or of an array."""
    if hasattr(type(X), "columns"):
        for name in X.columns:
            values = X[name]
            # A name that comes twice, which scikit-learn refuses, gives a frame in pandas.
            if hasattr(values, "dtype"):
                yield _Column(name, values.dtype, values)
        return
    try:
        array = np.asarray(X) if isinstance(X, list | tuple | np.ndarray) else np.empty(0)
    except ValueError:
        # Rows of different lengths have no columns.
        return
    if array.ndim == 2 and array.dtype.kind not in _NUMBERS:
        for number in range(array.shape[1]):
            yield _Column(number, array.dtype, array[:, number])


def _is_date(dtype: Any) -> bool:
    # The kind is NumPy's and pandas', the method that of polars.
    is_temporal = getattr(dtype, "is_temporal", None)
    return getattr(dtype, "kind", "") in tuple(_DATES) or bool(is_temporal and is_temporal())


def _kind(column: _Column) -> str | None:
    """Return what a column holds in place of numbers."""
    dtype = column.dtype
    if getattr(dtype, "kind", "") in tuple(_NUMBERS):
        return None
    # Periods of pandas have a frequency.
    if _is_date(dtype) or hasattr(dtype, "freq"):
        return "dates"
    values = np.asarray(column.values, object)
    if any(isinstance(value, dt.date | dt.timedelta) for value in values):
        return "dates"
    if not any(map(_is_text, values)):
        return "objects" if _first_object(values) is not None else None
    # Those of pandas, and the two types of polars.
    is_category = hasattr(dtype, "categories") or str(dtype).startswith(("Categorical", "Enum"))
    return "categories" if is_category else "text"


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes) and _problem(value) is not None


def _problem(value: Any) -> str | None:
    """Return what Python says of a value that is no number; None of one that is."""
    try:
        float(value)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _first_object(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None and _problem(value)), None)


def _refusal(kind: str, columns: list[_Column]) -> str:
    names = [column.name for column in columns]
    few = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    head = f"Column {few} of X holds" if len(names) == 1 else f"Columns {few} of X hold"
    what = kind
    if kind == "objects":
        value = _first_object(np.asarray(columns[0].values, object))
        what = f"objects of type {type(value).__name__} ({_problem(value)})"
    return f"{head} {what}, but numbers are needed. {_CURES[kind].format(columns=f'[{few}]')}"
