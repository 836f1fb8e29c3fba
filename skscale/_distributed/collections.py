"""Dask collections as partitions: features, targets and weights of the same rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Partition(NamedTuple):
    """Some rows, which are there where they are computed.

    Parameters
    ----------
    number : int
        Place among the partitions.
    X, y, sample_weight : dask.delayed.Delayed or None
        The rows, as NumPy arrays or pandas frames.
    """

    number: int
    X: Any
    y: Any
    sample_weight: Any


def partitions_of(X: Any, y: Any, sample_weight: Any) -> list[Partition]:
    """Take collections of the same rows apart.

    Parameters
    ----------
    X : dask array or data frame of shape (n_samples, n_features)
        Features.
    y : dask array, series or data frame, or None
        Targets.
    sample_weight : dask array or series, or None
        Weights.

    Returns
    -------
    partitions : list of Partition
        In order.

    Raises
    ------
    TypeError
        If one of them is no such collection.
    ValueError
        If they are not in the same partitions.
    """
    given = {"X": X, "y": y, "sample_weight": sample_weight}
    parts = {
        name: [None] * _n_partitions(X) if value is None else _parts(name, value, X)
        for name, value in given.items()
    }
    for name, of_name in parts.items():
        if len(of_name) != len(parts["X"]):
            raise ValueError(
                f"{name} has {len(of_name)} partitions, but X has {len(parts['X'])}. Take both "
                "from one collection, or give both the same chunks: y.rechunk(X.chunks[0])."
            )
    rows = zip(*parts.values(), strict=True)
    return [Partition(number, *part) for number, part in enumerate(rows)]


def meta_of(X: Any) -> Any:
    """Return rows without any, which have the columns of a collection of features."""
    meta = getattr(X, "_meta", None)
    # That of an array may have lost its width.
    return meta if hasattr(meta, "columns") else np.empty((0, X.shape[1]))


def _n_partitions(X: Any) -> int:
    return len(_parts("X", X, X))


def _parts(name: str, value: Any, X: Any) -> list[Any]:
    if not _is_collection(value):
        in_memory = "estimator.fit takes what is in memory" if name == "X" else "X is one"
        raise TypeError(
            f"{name} must be a dask array or data frame, got {type(value).__name__}: {in_memory}. "
            f"To try it, use dask.array.from_array({name}, chunks=...)."
        )
    allowed = {"X": (2,), "y": (1, 2), "sample_weight": (1,)}[name]
    if value.ndim not in allowed:
        raise ValueError(
            f"{name} has {value.ndim} axes, but {' or '.join(map(str, allowed))} are needed."
        )
    if not hasattr(value, "chunks"):
        # Optimized by itself, a single column of a file would be read in fewer partitions.
        return list(value.to_delayed(optimize_graph=False))
    if value.ndim == 2 and value.numblocks[1] > 1:
        # Rows are learned whole.
        value = value.rechunk({1: -1})
    if name != "X" and hasattr(X, "chunks") and _may_rechunk(name, value, X):
        value = value.rechunk({0: X.chunks[0]})
    return list(value.to_delayed().ravel())


def _is_collection(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("__dask_graph__", "to_delayed", "ndim"))


def _may_rechunk(name: str, value: Any, X: Any) -> bool:
    """Whether chunks differ that can be made the same; those of unknown sizes stay as they are."""
    if np.isnan(value.shape[0]) or np.isnan(X.shape[0]):
        return False
    if value.shape[0] != X.shape[0]:
        raise ValueError(
            f"{name} has {value.shape[0]} rows, but X has {X.shape[0]}. Give as many of both."
        )
    return value.chunks[0] != X.chunks[0]
