"""The wording of errors: what was meant, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """End of an error message: the closest allowed name, and all of them."""
    allowed = sorted(allowed)
    close = closest(name, allowed)
    hint = f"Did you mean {close!r}? " if close else ""
    return f"{hint}Allowed are: {', '.join(map(repr, allowed))}."


def closest(name: str, allowed: Iterable[str]) -> str | None:
    """Find the allowed name that was probably meant; None where none is near."""
    lower = {candidate.lower(): candidate for candidate in sorted(allowed, reverse=True)}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return lower[close[0]] if close else None


def listed(values: np.ndarray, most: int = 5) -> str:
    """Return the first values of an array, as Python writes them."""
    text = ", ".join(repr(value) for value in values[:most].tolist())
    return text if len(values) <= most else f"{text}, ..."
