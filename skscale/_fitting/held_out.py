"""Rows that a user gives to be held out: `X_val`, `y_val` and `sample_weight_val` of `fit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

LEAVE_OUT = "Leave such rows out of X_val and y_val."
"""What to do with labels that there are none of to learn from."""


class HeldOutRows(NamedTuple):
    """Rows to hold out, validated as those to learn from.

    Parameters
    ----------
    X : ndarray, sparse CSR or DenseRows of shape (n_held_out, n_features)
        Rows in raw units.
    y : array-like of shape (n_held_out,) or (n_held_out, n_outputs), or None
        Targets, which are still to be read as those to learn from; None for an autoencoder.
    sample_weight : ndarray of shape (n_held_out,)
        Weights of the rows.
    """

    X: Any
    y: Any
    sample_weight: np.ndarray


def are_given(
    X_val: Any, y_val: Any, sample_weight_val: Any, *, has_y: bool, groups: Any = None
) -> bool:
    """Tell whether there are rows to hold out, and refuse what says half of it.

    Parameters
    ----------
    X_val, y_val, sample_weight_val : object
        The arguments of `fit`.
    has_y : bool
        Whether `fit` was given a `y`.
    groups : object, default=None
        The argument of `fit`.

    Returns
    -------
    bool
        Whether there are.

    Raises
    ------
    ValueError
        If one is given without another that it needs, or beside what it takes the place of.
    """
    if X_val is None:
        targets_and_weights = {"y_val": y_val, "sample_weight_val": sample_weight_val}
        for name, value in targets_and_weights.items():
            if value is not None:
                raise ValueError(
                    f"{name} is given without X_val. Give both to hold those rows out, or neither."
                )
        return False
    if has_y and y_val is None:
        raise ValueError(
            "X_val is given without y_val. Give both to hold those rows out, or neither."
        )
    if not has_y and y_val is not None:
        raise ValueError("y_val is given, but y is not. Give y too, or leave y_val out.")
    if groups is not None:
        raise ValueError(
            "groups and X_val are given. groups say which rows stay together where some are held "
            "out, but with X_val these are, and no others. Leave one of them out."
        )
    return True


def check_columns(y_val: Any, n_outputs: int) -> None:
    """Refuse another number of targets than there are to learn.

    Parameters
    ----------
    y_val : array-like of shape (n_held_out,) or (n_held_out, n_columns)
        Targets of the rows held out.
    n_outputs : int
        Columns of `y`.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    shape = np.shape(y_val)
    n_columns = shape[1] if len(shape) > 1 else 1
    if n_columns != n_outputs:
        raise ValueError(
            f"y_val has {n_columns} columns, but y has {n_outputs}. Give the same targets."
        )


@contextmanager
def named(arguments: str) -> Iterator[None]:
    """Begin errors with the arguments that they are about; scikit-learn speaks of X and y.

    Parameters
    ----------
    arguments : str
        Their names.

    Yields
    ------
    None
        Nothing.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{arguments}: {error}") from None
