"""A function of arrays that XLA compiles, and that leaves no memory behind when it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from skscale._keras.private_api import forget_custom_gradients


class CompiledFunction:
    """One function for arrays of fixed shapes and dtypes, compiled at its first call.

    It runs in a session of its own, as README.md says, and holds nothing between two calls.

    Parameters
    ----------
    function : callable
        Takes tensors, and returns tensors; traced once.
    arrays : sequence of array
        What it will be called with, in shape and dtype.
    """

    def __init__(self, function: Callable[..., Any], arrays: Sequence[Any]):
        import tensorflow as tf

        v1 = tf.compat.v1
        traced = tf.function(function, jit_compile=True, autograph=False).get_concrete_function(
            *(tf.TensorSpec(array.shape, array.dtype) for array in arrays)
        )
        forget_custom_gradients(traced.graph)
        # What layers of a user hold by themselves, such as a large table, exists outside of a
        # session alone.
        self._traced = traced if traced.captured_inputs else None
        if self._traced is not None:
            return
        with tf.Graph().as_default() as numbered:
            inputs = [v1.placeholder(array.dtype, array.shape) for array in arrays]
            outputs = traced(*inputs)
        with tf.Graph().as_default() as graph:
            v1.import_graph_def(_renamed(numbered.as_graph_def()), name="")
        self._session = v1.Session(graph=graph)
        self._inputs = [tensor.name for tensor in inputs]
        self._outputs = [tensor.name for tensor in outputs]
        # As many fits as there are threads may be at work: none waits for a thread of TensorFlow.
        self._options = v1.RunOptions(inter_op_thread_pool=-1)

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
        if self._traced is not None:
            import tensorflow as tf

            return [np.asarray(x) for x in self._traced(*map(tf.convert_to_tensor, arrays))]
        feeds = dict(zip(self._inputs, arrays, strict=True))
        return self._session.run(self._outputs, feeds, options=self._options)


def _renamed(graph: Any) -> Any:
    """Name the functions of a graph by their order in it.

    TensorFlow numbers those of a process as they come, and XLA finds what it has kept on disk by
    their names too: another process, or another order of fits, would find nothing.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    names: dict[str, str] = {}

    def rename(nodes: Iterable[Any]) -> None:
        for node in nodes:
            for _, attribute in sorted(node.attr.items()):
                for called in (attribute.func, *attribute.list.func):
                    if called.name not in functions:
                        continue
                    if called.name not in names:
                        names[called.name] = f"skscale_{len(names)}"
                        rename(functions[called.name].node_def)
                    called.name = names[called.name]

    rename(graph.node)
    for function in functions.values():
        function.signature.name = names.get(function.signature.name, function.signature.name)
    return graph
