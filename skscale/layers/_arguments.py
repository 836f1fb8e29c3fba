"""What layers are given besides Keras objects: counts, and positions of features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral


def count(parameter: str, value: int, thing: str) -> int:
    """Return a number of at least 1, or say what is wrong with it.

    Parameters
    ----------
    parameter : str
        Name of the argument, for the error.
    value : int
        What the user gave.
    thing : str
        What is counted, for the error.

    Returns
    -------
    int
        The number.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is below 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{parameter}={value!r} is no number of {thing}s. Give an int of at least 1."
        )
    if value < 1:
        raise ValueError(f"{parameter}={value} leaves no {thing}. Give an int of at least 1.")
    return int(value)


def positions(indices: Sequence[int]) -> tuple[int, ...]:
    """Return positions of features, counted from 0, or say what is wrong with them.

    Parameters
    ----------
    indices : sequence of int
        What the user gave.

    Returns
    -------
    tuple of int
        The positions; none where there are none.

    Raises
    ------
    TypeError
        If one is no whole number.
    ValueError
        If one is negative.
    """
    given = tuple(indices)
    for index in given:
        # A mask of booleans would be read as the features 0 and 1.
        if isinstance(index, bool) or not isinstance(index, Integral):
            raise TypeError(
                f"indices={list(given)!r} holds {index!r}, which is no position. Give ints "
                "that count the features from 0; numpy.flatnonzero makes them of a mask."
            )
        if index < 0:
            raise ValueError(
                f"indices={list(given)!r} holds {index!r}. Give ints that count the features "
                "from 0."
            )
    return tuple(int(index) for index in given)
