"""A function of arrays that XLA compiles, and that leaves no memory behind when it goes."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from skscale._keras.private_api import forget_custom_gradients, session_function


class XlaSession:
    """A device of its own for a few functions: what XLA has compiled lives as long as the device.

    It goes with the last function that holds it.
    """

    def __init__(self) -> None:
        import tensorflow as tf

        self._graph = tf.Graph()
        # Several fits, and the stacks of one, use the cores side by side: a program that hands its
        # operations to a pool of threads waits longer for them than it computes.
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        )
        self._session = tf.compat.v1.Session(graph=self._graph, config=config)
        self._scopes: set[str] = set()
        self._lock = threading.Lock()

    def add(self, traced: Any, arrays: Sequence[Any]) -> tuple[list[str], list[str]]:
        """Add a call of a traced function, and return the names of its inputs and outputs."""
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            inputs = [tf.compat.v1.placeholder(array.dtype, array.shape) for array in arrays]
            names = [tensor.name for tensor in (*inputs, *traced(*inputs))]
        definition = graph.as_graph_def()
        with self._lock, self._graph.as_default():
            scope = _rename(definition, self._scopes)
            tensors = tf.graph_util.import_graph_def(definition, name=scope, return_elements=names)
        names = [tensor.name for tensor in tensors]
        return names[: len(arrays)], names[len(arrays) :]

    def function(self, inputs: Sequence[str], outputs: Sequence[str]) -> Callable[..., Any]:
        """Return what computes outputs by name from arrays, from any number of threads."""
        # As many fits as there are threads may be at work: none waits for a thread of TensorFlow.
        return session_function(self._session, inputs, outputs, inter_op_thread_pool=-1)


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
            self._run = session.function(*session.add(traced, arrays))

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
            return self._run(*arrays)
        import tensorflow as tf

        return [np.asarray(x) for x in self._traced(*map(tf.convert_to_tensor, arrays))]


def _rename(graph: Any, taken: set[str]) -> str:
    """Name the functions of a graph by what the graph does, and return that name, which is taken.

    TensorFlow numbers the functions of a process as they come, and XLA finds what it has kept on
    disk by their names too: another process, or another order of fits, would find nothing.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    names: list[str] = []

    def visit(nodes: Iterable[Any]) -> None:
        for node in nodes:
            # Numbered too, and of use only where a gradient is taken through the finished graph.
            node.attr.pop("_gradient_op_type", None)
            for called in _calls(node):
                if called.name not in names:
                    names.append(called.name)
                    visit(functions[called.name].node_def)

    visit(graph.node)
    used = [functions[name] for name in names]
    text = "".join(map(str, [*graph.node, *used]))
    for number, name in enumerate(names):
        text = text.replace(name, f"function {number}")
    digest = f"skscale_{hashlib.sha256(text.encode()).hexdigest()}"
    # The same once more, as of a loss by name and as an object, still has numbers in other places.
    while digest in taken:
        digest += "_again"
    taken.add(digest)
    new = {name: f"{digest}_{number}" for number, name in enumerate(names)}
    for function in used:
        function.signature.name = new[function.signature.name]
    for node in itertools.chain(graph.node, *(function.node_def for function in used)):
        for called in _calls(node):
            called.name = new[called.name]
    return digest


def _calls(node: Any) -> Iterator[Any]:
    """Yield the functions that a node calls, in an order that does not depend on the process."""
    for _, attribute in sorted(node.attr.items()):
        yield from (called for called in (attribute.func, *attribute.list.func) if called.name)
