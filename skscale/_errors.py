"""Errors and warnings: what was meant, what is allowed, and the line of the user's program."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable
from types import FrameType

import numpy as np


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """End of an error message: the closest allowed name, and all of them."""
    allowed = sorted(allowed)
    return f"{hint(name, allowed)}Allowed are: {', '.join(map(repr, allowed))}."


def hint(name: str, allowed: Iterable[str]) -> str:
    """Ask about the closest allowed name, with a space for what follows; empty where none is."""
    close = closest(name, allowed)
    return f"Did you mean {close!r}? " if close else ""


def closest(name: str, allowed: Iterable[str]) -> str | None:
    """Find the allowed name that was probably meant; None where none is near."""
    lower = {candidate.lower(): candidate for candidate in sorted(allowed, reverse=True)}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return lower[close[0]] if close else None


def listed(values: np.ndarray, most: int = 5) -> str:
    """Return the first values of an array, as Python writes them."""
    text = ", ".join(repr(value) for value in values[:most].tolist())
    return text if len(values) <= most else f"{text}, ..."


# Between the user's line and ours may stand a pipeline, a search, or the check of parameters.
_SKIPPED_PACKAGES = frozenset({"skscale", "sklearn", "joblib"})


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's program that has called this package.

    Calls through scikit-learn, as by a pipeline, point at the line that called scikit-learn.

    Parameters
    ----------
    message : str or Warning
        The text, or a warning that has one.
    category : type of Warning, default=UserWarning
        Class of a text.
    """
    # Python 3.12 has skip_file_prefixes for it.
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_skipped(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_skipped(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _SKIPPED_PACKAGES
