"""How many rows a step learns from, and how often all rows pass."""

from __future__ import annotations

import math
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._parameters import is_auto

# Steps that small tables need, in shuffled batches and in whole-table batches.
_MIN_STEPS = 1500
_MIN_WHOLE_TABLE_STEPS = 500
# Passes that larger tables need, until they are so many rows that this takes its time. On two
# generated tables of 200,000 rows ten passes lost .0008 and .0005 of R2 to twenty.
_MAX_EPOCHS, _MIN_EPOCHS, _MAX_VISITS = 100, 10, 1_000_000
# Steps are counted in int32.
_MAX_STEPS = 2**31 - 1
# Rows of a batch, up to a number of rows to learn from.
_BATCH_SIZES = ((8_000, 128), (30_000, 256), (100_000, 512), (math.inf, 1024))


def resolve_batch_size(value: Any, n_training: int) -> int:
    """Return the rows of one step.

    Parameters
    ----------
    value : "auto" or int
        What the user wrote.
    n_training : int
        Rows of the largest training set.

    Returns
    -------
    batch_size : int
        More for more rows, as Holzmueller et al. 2024 have it.
    """
    if not is_auto(value):
        return int(value)
    return next(size for limit, size in _BATCH_SIZES if n_training <= limit)


def resolve_epochs(value: Any, n_training: int, batch_size: int) -> int:
    """Return the passes over the rows.

    Parameters
    ----------
    value : "auto" or int
        What the user wrote.
    n_training : int
        Rows of the largest training set.
    batch_size : int
        Rows of one step.

    Returns
    -------
    n_epochs : int
        More for small tables, which need a number of steps; fewer where many rows take their time.

    Raises
    ------
    InvalidParameterError
        If steps are more than the compiled program can count.
    """
    steps = math.ceil(n_training / batch_size)
    if not is_auto(value):
        if value * steps > _MAX_STEPS:
            raise InvalidParameterError(
                f"epochs={value!r} of {steps} steps are more than {_MAX_STEPS} steps, by which a "
                "training is counted. Give fewer epochs; warm_start=True goes on after them."
            )
        return int(value)
    if steps == 1:
        return _MIN_WHOLE_TABLE_STEPS
    n_passes = max(_MIN_EPOCHS, min(_MAX_EPOCHS, _MAX_VISITS // n_training))
    return max(n_passes, math.ceil(_MIN_STEPS / steps))
