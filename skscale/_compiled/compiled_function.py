"""A function of arrays that XLA compiles, and that leaves no memory behind when it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skscale._compiled.xla_session import Definition, XlaSession
from skscale._keras.private_api import forget_custom_gradients


class CompiledFunction:
    """One function for arrays of fixed shapes and dtypes, compiled at its first call.

    It holds nothing between two calls, as README.md says.

    Parameters
    ----------
    function : callable
        Takes tensors, and returns tensors; traced once.
    arrays : sequence of array
        What it will be called with, in shape and dtype.
    session : XlaSession
        Where it runs.
    """

    def __init__(self, function: Callable[..., Any], arrays: Sequence[Any], session: XlaSession):
        import tensorflow as tf

        traced = tf.function(function, jit_compile=True, autograph=False).get_concrete_function(
            *(tf.TensorSpec(array.shape, array.dtype) for array in arrays)
        )
        forget_custom_gradients(traced.graph)
        self._session = session
        # What layers of a user hold by themselves, such as a large table, exists outside of a
        # session alone.
        self._traced = traced if traced.captured_inputs else None
        if self._traced is None:
            self._key, self._definition = object(), Definition.of(traced, arrays)

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """Return what the function gives.

        Parameters
        ----------
        arrays : sequence of array
            In the shapes and dtypes that it was compiled for. One that starts at a multiple of 64
            bytes is not copied.

        Returns
        -------
        outputs : list of array
            Those of the function.
        """
        if self._traced is None:
            return self._session.run(self._key, self._definition, arrays)
        import tensorflow as tf

        return [np.asarray(x) for x in self._traced(*map(tf.convert_to_tensor, arrays))]
