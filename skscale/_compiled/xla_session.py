"""Devices for a few functions each: what XLA has compiled lives as long as the device."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from skscale._keras.private_api import session_function
from skscale._parallel import n_threads

# Lanes of a session, at most.
_MAX_LANES = 8


class Definition(NamedTuple):
    """A traced function by itself.

    Parameters
    ----------
    graph : bytes
        A serialized graph.
    inputs, outputs : list of str
        Names of its tensors.
    """

    graph: bytes
    inputs: list[str]
    outputs: list[str]

    @classmethod
    def of(cls, traced: Any, arrays: Sequence[Any]) -> Definition:
        """Write down a call of a function that TensorFlow has traced."""
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            inputs = [tf.compat.v1.placeholder(array.dtype, array.shape) for array in arrays]
            outputs = traced(*inputs)
        names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
        return cls(graph.as_graph_def().SerializeToString(), *names)


class XlaSession:
    """Where a few functions run. All goes with the last function that holds the session.

    It has lanes, devices of one thread each, which compile what they run. One call at a time is
    always in the same lane; others at the same time have lanes of their own.

    Parameters
    ----------
    side_by_side : bool, default=False
        Whether calls at the same time are the rule. Then one lane takes them all, with as many
        threads as a fit may use: what is compiled once and waits for threads is ready sooner than
        what each lane compiles by itself.
    max_lanes : int or None, default=None
        Lanes otherwise, at most; None for as many as a fit may use cores, up to eight.
    """

    def __init__(self, *, side_by_side: bool = False, max_lanes: int | None = None) -> None:
        self.side_by_side, self._max_lanes = side_by_side, max_lanes
        self._lanes, self._free = list[_Lane](), list[_Lane]()
        self._changed = threading.Condition()

    @property
    def n_executables(self) -> int:
        """Number of functions that were compiled, once for each lane."""
        return sum(len(lane.functions) for lane in self._lanes)

    def run(self, key: object, definition: Definition, arrays: Sequence[Any]) -> list[np.ndarray]:
        """Call a function that `key` stands for; from any number of threads."""
        with self._lane(key) as lane:
            return lane.function(key, definition)(*arrays)

    @contextmanager
    def _lane(self, key: object) -> Iterator[_Lane]:
        with self._changed:
            lane = self._shared_lane() if self.side_by_side else self._own_lane(key)
        try:
            yield lane
        finally:
            if not self.side_by_side:
                with self._changed:
                    self._free.append(lane)
                    self._changed.notify()

    def _shared_lane(self) -> _Lane:
        if not self._lanes:
            self._lanes.append(_Lane(n_threads()))
        return self._lanes[0]

    def _own_lane(self, key: object) -> _Lane:
        max_lanes = self._max_lanes or min(_MAX_LANES, n_threads())
        if not self._free and len(self._lanes) < max_lanes:
            self._lanes.append(_Lane(1))
            self._free.append(self._lanes[-1])
        self._changed.wait_for(lambda: self._free)
        # One that has compiled it already, or else the one that was used last.
        known = [i for i, lane in enumerate(self._free) if key in lane.functions]
        return self._free.pop(known[-1] if known else -1)


class _Lane:
    """A device with a pool of threads of its own."""

    def __init__(self, n_threads: int) -> None:
        import tensorflow as tf

        self._graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=n_threads, inter_op_parallelism_threads=1
        )
        self._session = tf.compat.v1.Session(graph=self._graph, config=config)
        self._scopes: set[str] = set()
        self._lock = threading.Lock()
        self.functions: dict[object, Callable[..., list[np.ndarray]]] = {}

    def function(self, key: object, definition: Definition) -> Callable[..., list[np.ndarray]]:
        """Return a function of arrays that runs here, compiled at its first call."""
        with self._lock:
            if key not in self.functions:
                self.functions[key] = self._add(definition)
            return self.functions[key]

    def _add(self, definition: Definition) -> Callable[..., list[np.ndarray]]:
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef.FromString(definition.graph)
        names = [*definition.inputs, *definition.outputs]
        with self._graph.as_default():
            scope = _rename(graph, self._scopes)
            tensors = tf.graph_util.import_graph_def(graph, name=scope, return_elements=names)
        names = [tensor.name for tensor in tensors]
        n_inputs = len(definition.inputs)
        # The thread that calls waits for nobody else's, however many fits are at work.
        return session_function(
            self._session, names[:n_inputs], names[n_inputs:], inter_op_thread_pool=-1
        )


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
