"""Which version has saved an estimator, and whether this one can read it."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from skscale._errors import warn
from skscale._version import __version__

STATE_FORMAT = 1
"""Goes up by one where an older version could not read what this one saves."""

_VERSION, _FORMAT = "_skscale_version", "_skscale_state_format"


class InconsistentSkscaleVersionWarning(InconsistentVersionWarning):
    """An estimator was saved by another version of skscale.

    Parameters
    ----------
    estimator_name : str
        Class of the estimator.
    original_skscale_version : str
        What has saved it.
    current_skscale_version : str
        What loads it.
    """

    def __init__(
        self, estimator_name: str, original_skscale_version: str, current_skscale_version: str
    ):
        self.estimator_name = estimator_name
        self.original_skscale_version = original_skscale_version
        self.current_skscale_version = current_skscale_version

    def __str__(self) -> str:
        return (
            f"This {self.estimator_name} was saved by skscale {self.original_skscale_version} and "
            f"is loaded by skscale {self.current_skscale_version}, which may compute other "
            "numbers. Compare its predictions, save it anew, or install "
            f"skscale=={self.original_skscale_version}."
        )


def damaged_state(estimator_name: str, reason: str) -> ValueError:
    """Return the error of a state that no version has saved like this."""
    return ValueError(
        f"This {estimator_name} cannot be loaded, as its saved state is incomplete or was changed: "
        f"{reason} Load another copy of the file, or fit and save the estimator anew."
    )


def stamped(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the present version and format."""
    return {**state, _VERSION: __version__, _FORMAT: STATE_FORMAT}


def unstamped(state: dict[str, Any], estimator_name: str) -> dict[str, Any]:
    """Return a state without version and format, once they are known to be readable.

    Parameters
    ----------
    state : dict
        A state as `stamped` gives it, of any version.
    estimator_name : str
        Class of the estimator, for messages.

    Returns
    -------
    state : dict
        The rest of it.

    Raises
    ------
    ValueError
        If there is no version, or the format is newer than what this version reads.

    Warns
    -----
    InconsistentVersionWarning
        If it is of another version.
    """
    state = dict(state)
    version, state_format = state.pop(_VERSION, None), state.pop(_FORMAT, None)
    if not isinstance(version, str) or not isinstance(state_format, int):
        raise damaged_state(estimator_name, f"{_VERSION} or {_FORMAT} is missing.")
    if state_format > STATE_FORMAT:
        raise ValueError(
            f"This {estimator_name} was saved by skscale {version} in format {state_format}, but "
            f"skscale {__version__} reads formats up to {STATE_FORMAT}. Install "
            f"skscale=={version} or a later one."
        )
    if version != __version__:
        warn(InconsistentSkscaleVersionWarning(estimator_name, version, __version__))
    return state
