"""Pieces of a training step that XLA runs one operation after the other.

XLA hands the operations of a computation of more than eight to a pool of threads, and there a
small network waits longer for a thread than for the operation. The branches of a condition are
computations of their own: cut in such pieces, a step stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def run_inline(always: Any, compute: Callable[[], Any], shape: tuple[int, ...], dtype: Any) -> Any:
    """Compute a tensor as a piece.

    Parameters
    ----------
    always : scalar tensor of bool or None
        True, in a way that the compiler cannot know; None makes no piece.
    compute : callable
        Returns the tensor.
    shape, dtype : tuple of int, dtype
        Those of the tensor.

    Returns
    -------
    result : tensor
        What `compute` returns.
    """
    import tensorflow as tf

    if always is None:
        return compute()
    return tf.cond(always, compute, lambda: tf.zeros(shape, dtype))
