"""The points of the path: penalties and networks that are trained and chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._limits import FLOAT32_MAX
from skscale._network.spec import NetworkSpec
from skscale._parameters import is_auto

# (strength of the penalty on the mean of |scale|, decoupled weight decay), weak to strong. The
# last points leave nothing of the network: where there is no signal, they must win.
REGULARIZATION_PATH = (
    (0.0, 0.0),
    (0.01, 0.1),
    (0.03, 0.3),
    (0.1, 1.0),
    (0.3, 1.0),
    (1.0, 1.0),
    (3.0, 1.0),
    (10.0, 1.0),
)
# Stronger penalties leave little to embed.
_MAX_EMBEDDED_STRENGTH = 1.0


class PathPoint(NamedTuple):
    """Penalties that a network is trained under.

    Parameters
    ----------
    strength : float
        Strength of the penalty on the mean of |scale|.
    weight_decay : float
        Decoupled weight decay of the kernels.
    """

    strength: float
    weight_decay: float


class Candidate(NamedTuple):
    """A point of the path: penalties, and the network that is trained under them.

    Parameters
    ----------
    point : PathPoint
        The penalties.
    spec : NetworkSpec
        The network.
    """

    point: PathPoint
    spec: NetworkSpec


def regularization_path(value: Any, weight_decay: Any, is_ours: bool) -> list[PathPoint]:
    """Resolve the points of the path.

    Parameters
    ----------
    value : "auto" or sequence
        Pairs, or strengths alone, which take the default weight decay of their strength.
    weight_decay : "auto" or float
        A number replaces the decay of every point.
    is_ours : bool
        Whether learning rate and decay are ours; an optimizer instance keeps its own.

    Returns
    -------
    path : list of PathPoint
        Penalties of each point.

    Raises
    ------
    InvalidParameterError
        If the path is empty, or is no sequence of numbers or pairs of at least zero that float32
        holds.
    """
    if isinstance(value, str):
        value = REGULARIZATION_PATH
    points = _numbers(value)
    if points.ndim == 1 and points.size:
        points = np.stack([points, np.minimum(1.0, 10 * points)], axis=1)
    is_path = points.ndim == 2 and points.shape[1] == 2 and points.size > 0
    if not is_path or not (points >= 0).all():
        raise InvalidParameterError(
            f"regularization_path={value!r} is no path. Give a sequence of strengths from 0 to "
            f"{FLOAT32_MAX:.2g}, or of pairs (strength, weight decay), such as [(0, 0), (0.1, 1), "
            "(1, 1)]."
        )
    path = [PathPoint(*map(float, point)) for point in points]
    if is_ours and is_auto(weight_decay):
        return path
    decay = 0.0 if is_auto(weight_decay) else float(weight_decay)
    return [point._replace(weight_decay=decay) for point in path]


def _numbers(value: Any) -> np.ndarray:
    """Return numbers as an array; truth values and text are none."""
    try:
        as_given = np.asarray(value, dtype=object)
        is_number = [isinstance(v, Real) and not isinstance(v, bool) for v in as_given.flat]
        points = as_given.astype(np.float64) if all(is_number) else np.empty(0)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
    # A strength alone gets ten times its size: beyond the limit that may overflow.
    return np.where(np.abs(points) <= FLOAT32_MAX, points, np.nan)


def path_candidates(points: Sequence[PathPoint], specs: Sequence[NetworkSpec]) -> list[Candidate]:
    """Return every point with every network, but null models once.

    Parameters
    ----------
    points : sequence of PathPoint
        Penalties.
    specs : sequence of NetworkSpec
        The network without an embedding, then the one with it if it is a choice.

    Returns
    -------
    candidates : list of Candidate
        Without the embedding first.
    """
    plain, *embedded = specs
    candidates = [Candidate(point, plain) for point in points]
    return candidates + [
        Candidate(point, spec)
        for spec in embedded
        for point in points
        if point.strength <= _MAX_EMBEDDED_STRENGTH
    ]
