"""How far a training has come, and the lines that verbose=1 prints of it and of its choice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Between two lines, at least: often enough to see it move, seldom enough to read.
_MIN_SECONDS = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a stack of networks has come.

    Parameters
    ----------
    first_network, n_stacked, n_networks : int
        Number of the first network of the stack, networks in the stack, and in all.
    epoch, n_epochs : int
        Epochs done, and planned.
    loss : float
        Mean loss of the last batch.
    n_planned : int
        Epochs that are planned for all networks together.
    """

    first_network: int
    n_stacked: int
    n_networks: int
    epoch: int
    n_epochs: int
    loss: float
    n_planned: int


OnProgress = Callable[[Progress], None]
"""Called between epochs, from the training threads, one at a time."""


class ProgressLines:
    """Prints the progress of a fit now and then.

    Parameters
    ----------
    name : str
        Start of every line.
    unit : str, default="epoch"
        What is counted.
    """

    def __init__(self, name: str, unit: str = "epoch"):
        self._name, self._unit = name, unit
        self._next_line = 0.0
        self._n_epochs_done: dict[int, int] = {}

    def __call__(self, progress: Progress) -> None:
        """Print a line if the last one is old enough, or this is the end of a network."""
        self._n_epochs_done[progress.first_network] = progress.epoch * progress.n_stacked
        is_last = progress.epoch == progress.n_epochs
        if time.monotonic() < self._next_line and not is_last:
            return
        self._next_line = time.monotonic() + _MIN_SECONDS
        share = sum(self._n_epochs_done.values()) / progress.n_planned
        # The last stack may be filled up with a network that is there already.
        first = progress.first_network
        last = min(first + progress.n_stacked, progress.n_networks)
        which = f"networks {first + 1}-{last} of {progress.n_networks}, "
        print(  # noqa: T201
            f"[{self._name}] {100 * min(share, 1.0):3.0f} %  "
            f"{which if progress.n_networks > 1 else ''}"
            f"{self._unit} {progress.epoch}/{progress.n_epochs}, loss {progress.loss:.4g}",
            flush=True,
        )


def print_choice(name: str, path: Mapping[str, Any], n_networks: int, *, is_null: bool) -> None:
    """Print the last line of a fit that chooses: which point of the path its networks are of.

    Parameters
    ----------
    name : str
        Start of the line.
    path : mapping
        As estimators show it in `path_`.
    n_networks : int
        Networks that are averaged.
    is_null : bool
        Whether predicting the mean was better than every point.
    """
    strength, loss = (float(path[key][path["best_index"]]) for key in ("strength", "mean_loss"))
    if is_null:
        chosen = (
            f"no strength is better than the mean (held-out loss {path['null_loss']:.3g}): "
            "the model predicts the mean"
        )
    else:
        plural = "" if n_networks == 1 else "s"
        chosen = f"strength {strength:.3g}, held-out loss {loss:.3g}, {n_networks} network{plural}"
    print(f"[{name}] chosen: {chosen}", flush=True)  # noqa: T201
