"""What all displays have in common: colours, new axes and their style.

Matplotlib is imported where something is drawn, never by an import of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/): colour-blind readers tell them apart.
# Their yellow is left out, which is hard to see on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, ORANGE = COLORS[:2]
GREY = "0.65"

_MOST_CHARACTERS = 30
# Largest over smallest loss from which a logarithm shows more.
_WIDE = 20.0


def new_axes(display: str, n_panels: int, size: tuple[float, float]) -> list[Axes]:
    """Return the axes of a new figure, one above the other.

    Parameters
    ----------
    display : str
        Name of the display, for the message.
    n_panels : int
        Number of axes.
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    list of Axes
        From top to bottom; they share their horizontal axis.

    Raises
    ------
    ImportError
        If matplotlib is not there.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display} draws with matplotlib, which is not installed. Run: "
            "pip install 'skscale[plot]'"
        ) from error
    _, axes = plt.subplots(n_panels, sharex=True, squeeze=False, figsize=size, layout="constrained")
    return list(axes[:, 0])


def clean(ax: Axes, grid: str) -> None:
    """Leave out what carries no information.

    Parameters
    ----------
    ax : Axes
        What was drawn into.
    grid : {"x", "y"}
        The axis that numbers are read from.
    """
    ax.grid(axis=grid, color="0.9")  # type: ignore[arg-type]
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def scale_losses(ax: Axes, losses: np.ndarray) -> None:
    """Put losses on a logarithmic axis where they span more than one order of magnitude.

    Parameters
    ----------
    ax : Axes
        What they are drawn into.
    losses : ndarray
        All of them; what is not finite is left out.
    """
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() > _WIDE * finite.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")


def finite_or_nan(values: np.ndarray) -> np.ndarray:
    """Return what can be drawn; a line has a gap elsewhere."""
    return np.where(np.isfinite(values), values, np.nan)


def shortened(name: str) -> str:
    """Return a name that leaves room for the drawing."""
    return name if len(name) <= _MOST_CHARACTERS else name[: _MOST_CHARACTERS - 1] + "…"
