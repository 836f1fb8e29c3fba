"""A tensor computed in the thread that asks for it, not in a pool of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def run_inline(
    runtime_true: Any, compute: Callable[[], Any], shape: tuple[int, ...], dtype: Any
) -> Any:
    """Compute a tensor in the thread that asks for it (see README.md).

    Parameters
    ----------
    runtime_true : scalar tensor of bool or None
        True, in a way that the compiler cannot know; None leaves it to XLA.
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

    if runtime_true is None:
        return compute()
    return tf.cond(runtime_true, compute, lambda: tf.zeros(shape, dtype))
