"""The loss of every row, by any Keras loss, in the dtype of the outputs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from skscale._keras.objects import KerasConfig, keras_object

PerSampleLoss = Callable[[Any, Any], Any]
"""(targets, outputs), both of shape (..., n_rows, n_outputs) -> losses of shape (..., n_rows)."""


def per_sample_loss(loss: KerasConfig) -> PerSampleLoss:
    """Return the Keras loss of a name or config, without its reduction and its cast to float32."""
    import keras

    function = keras_object("losses", loss)
    # `Loss.__call__` casts to floatx and reduces over rows; `call` does neither.
    return function.call if isinstance(function, keras.losses.Loss) else function


def check_per_sample_loss(loss: KerasConfig, n_outputs: int) -> bool:
    """Whether the loss may see several networks stacked along a leading axis.

    Parameters
    ----------
    loss : str or dict
        Keras loss by name or config.
    n_outputs : int
        Width of targets and outputs.

    Returns
    -------
    is_stackable : bool
        True if the loss of a stack is the stack of the losses.

    Raises
    ------
    ValueError
        If the loss does not give one value for each row, from that row alone.
    """
    return _check_per_sample_loss(json.dumps(loss, sort_keys=True), n_outputs)


@functools.lru_cache(maxsize=64)
def _check_per_sample_loss(key: str, n_outputs: int) -> bool:
    import tensorflow as tf

    loss = json.loads(key)
    compute = per_sample_loss(loss)
    # Values inside (0, 1) are in the domain of every loss, probabilities and logs included.
    draw = np.random.default_rng(0).uniform(0.1, 0.9, (2, 2, 3, n_outputs))
    targets, outputs = tf.constant(draw[0]), tf.constant(draw[1])
    # Losses that compare rows take targets for labels, of which some must be equal.
    labels = tf.constant(np.broadcast_to([[0.0], [0.0], [1.0]], draw[0, 0].shape))
    try:
        single = np.stack([compute(targets[i], outputs[i]) for i in range(2)])
        pairs = [
            (compute(target, outputs[0]), compute(target[1:2], outputs[0, 1:2]))
            for target in (targets[0], labels)
        ]
    except (ValueError, TypeError, IndexError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"loss={loss!r} cannot be computed on targets and outputs of shape "
            f"{tuple(targets.shape[1:])}: {error} {_HINT}"
        ) from error
    if single.shape != (2, 3):
        raise ValueError(
            f"loss={loss!r} gives values of shape {single.shape[1:]} for 3 rows, but one value for "
            f"each row is needed to weight rows. {_HINT}"
        )
    for in_batch, by_itself in pairs:
        if not np.allclose(in_batch[1:2], by_itself, rtol=1e-12, atol=0.0, equal_nan=True):
            raise ValueError(
                f"loss={loss!r} mixes rows: the value of a row depends on which others are in its "
                f"batch, so that rows cannot be weighted. {_HINT}"
            )
    try:
        stacked = np.asarray(compute(targets, outputs))
    except (ValueError, TypeError, IndexError, tf.errors.InvalidArgumentError):
        return False
    return stacked.shape == (2, 3) and np.allclose(stacked, single, rtol=1e-12, atol=0.0)


_HINT = (
    "Use a loss that sees one row at a time and reduces over the last axis only, such as "
    "'mean_squared_error' or 'huber'."
)
