"""Rows in dask arrays and data frames: what estimators compute of them, partition by partition.

dask is used where such rows come, and never imported by anything else.
"""

from __future__ import annotations

import copy
import functools
import itertools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Estimator = TypeVar("Estimator", bound=type)

# What a fit shows of itself, which may be large, and what it goes on from: no method reads it that
# rows are given to.
_NOT_NEEDED = (
    "callbacks",
    "callbacks_",
    "held_out_prediction_",
    "history_",
    "path_",
    "_partial_fit_state",
    "_sklearn_output_config",
    "_warm_start_state",
)


def is_dask_collection(data: Any) -> bool:
    """Tell whether data are a dask array, data frame or series, without importing dask."""
    return _is_array(data) or _is_of("dask.dataframe", ("DataFrame", "Series"), data)


def _is_array(data: Any) -> bool:
    return _is_of("dask.array", ("Array",), data)


def _is_of(module: str, names: tuple[str, ...], data: Any) -> bool:
    # Data of its types have imported it.
    imported = sys.modules.get(module)
    return imported is not None and isinstance(data, tuple(getattr(imported, n) for n in names))


def by_partition(*methods: str) -> Callable[[Estimator], Estimator]:
    """Let methods of an estimator take dask collections as their rows.

    They return dask arrays, as they return NumPy arrays for other rows, whatever these are in;
    `transform` returns a data frame after ``set_output(transform="pandas")``. Rows are computed
    where the result is, by partitions of `X` or blocks of rows. What is wrong with `X` is raised at
    once.

    Parameters
    ----------
    *methods : str
        Their names. Each takes rows first.

    Returns
    -------
    decorator : callable
        For the class. It stands around all of it, as scikit-learn's `set_output` would compute what
        a method returns.
    """

    def decorate(cls: Estimator) -> Estimator:
        for name in methods:
            setattr(cls, name, _taking_collections(getattr(cls, name)))
        return cls

    return decorate


def _taking_collections(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, X: Any, *arguments: Any, **settings: Any) -> Any:
        if not is_dask_collection(X):
            return method(self, X, *arguments, **settings)
        return _lazily(self, method.__name__, X, arguments, settings)

    return call


def _lazily(
    estimator: Any, method: str, X: Any, arguments: tuple[Any, ...], settings: dict[str, Any]
) -> Any:
    """Return what a method gives for rows of a collection, as a collection."""
    from dask.delayed import delayed

    output = getattr(estimator, method)(_sample(X), *arguments, **settings)
    is_frame = not isinstance(output, np.ndarray | tuple)
    if is_frame and not hasattr(output, "iloc"):
        library = type(output).__module__.partition(".")[0]
        raise ValueError(
            f"{type(estimator).__name__}.set_output asks for frames of {library}, which dask has "
            "no collection of. Use set_output(transform='pandas') or 'default'."
        )
    estimator = _without_results(estimator)
    if method == "transform":
        # Workers have no global configuration of scikit-learn.
        keeps_frame = is_frame and not _is_array(X)
        estimator.set_output(transform="pandas" if keeps_frame else "default")
    # One node of the graph, which every worker gets once, instead of a part of every task.
    node = delayed(estimator, pure=True, traverse=False)
    call = {"estimator": node, "method": method, "arguments": arguments, "settings": settings}
    if not _is_array(X):
        meta = output.iloc[:0] if is_frame else _joined(output)[:0]
        return _split(X.map_partitions(_compute, meta=meta, empty=meta, **call), output)
    X, meta = X.rechunk({1: -1}), _joined(np.asarray(output) if is_frame else output)[:0]
    shape = {"drop_axis": 1} if meta.ndim == 1 else {"chunks": (X.chunks[0], meta.shape[1:])}
    mapped = X.map_blocks(_compute, dtype=meta.dtype, meta=meta, empty=meta, **shape, **call)
    if not is_frame:
        return _split(mapped, output)
    from dask.dataframe import from_dask_array

    return from_dask_array(mapped, columns=list(output.columns))


def _sample(X: Any) -> Any:
    """Return a row or two of the types of a collection."""
    if _is_array(X):
        return np.ones((1, *X.shape[1:]), X.dtype)
    from dask.dataframe.dispatch import meta_nonempty

    return meta_nonempty(X._meta)


def _without_results(estimator: Any) -> Any:
    """Return a copy that travels, with what its methods need."""
    lean = copy.copy(estimator)
    for name in _NOT_NEEDED:
        lean.__dict__.pop(name, None)
    return lean


def _compute(
    rows: Any,
    *,
    estimator: Any,
    method: str,
    arguments: tuple[Any, ...],
    settings: dict[str, Any],
    empty: Any,
) -> Any:
    """Compute one partition. One without rows, as filters leave them, is nothing to refuse."""
    if not len(rows):
        return empty
    return _joined(getattr(estimator, method)(rows, *arguments, **settings))


def _joined(output: Any) -> Any:
    """Return several outputs as the columns of one."""
    if not isinstance(output, tuple):
        return output
    return np.concatenate([part.reshape(len(part), -1) for part in output], axis=1)


def _split(joined: Any, output: Any) -> Any:
    """Return the columns of each of several outputs, as they were before they were joined."""
    if not isinstance(output, tuple):
        return joined
    widths = [1 if part.ndim == 1 else part.shape[1] for part in output]
    stops = list(itertools.accumulate(widths))
    return tuple(
        joined[:, stop - 1] if part.ndim == 1 else joined[:, stop - width : stop]
        for part, width, stop in zip(output, widths, stops, strict=True)
    )
