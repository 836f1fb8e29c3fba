"""The nodes and constants of an ONNX graph, before any library of ONNX has a part in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils._param_validation import InvalidParameterError

MIN_OPSET = 18
"""Since then reductions take their axes as an input, as all other operators do."""


# Operators with more than one result.
_N_OUTPUTS = {"TopK": 2}


class OnnxNode(NamedTuple):
    """One operation.

    Parameters
    ----------
    op_type : str
        Name of an operator of the main domain.
    inputs : list of str
        Names of what it reads.
    outputs : list of str
        Names of what it gives.
    attributes : dict
        Its attributes.
    """

    op_type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class OnnxGraph:
    """A graph that grows by one operation after the other.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of the networks.
    unique : callable or None, default=None
        From a name to one that the graph does not have yet; None numbers them.

    Attributes
    ----------
    nodes : list of OnnxNode
        In the order of the computation.
    constants : dict of str to ndarray
        Constants by their names.

    Examples
    --------
    >>> from skscale._export.onnx_graph import OnnxGraph
    >>> graph = OnnxGraph("float32")
    >>> graph.add("Sqrt", graph.add("Add", "X", 1.0))
    'Sqrt_2'
    >>> [(node.op_type, node.inputs) for node in graph.nodes]
    [('Add', ['X', 'constant_0']), ('Sqrt', ['Add_1'])]
    """

    def __init__(self, dtype: str, unique: Callable[[str], str] | None = None):
        numbers = itertools.count()
        self.dtype = np.dtype(dtype)
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, np.ndarray] = {}
        self._unique = unique or (lambda name: f"{name}_{next(numbers)}")

    def constant(self, values: ArrayLike, dtype: DTypeLike | None = None) -> str:
        """Add a constant.

        Parameters
        ----------
        values : array-like
            Its numbers or strings.
        dtype : dtype or None, default=None
            Its dtype; None is that of the graph for floats, int64 for integers, and its own for
            strings.

        Returns
        -------
        name : str
            Its name.
        """
        array = np.asarray(values)
        if dtype is None:
            own: dict[str, np.dtype] = {"f": self.dtype, "i": np.dtype(np.int64)}
            dtype = own.get(array.dtype.kind, array.dtype)
        name = self._unique("constant")
        self.constants[name] = array.astype(dtype)
        return name

    def add(self, op_type: str, *operands: str | ArrayLike, **attributes: Any) -> str:
        """Add an operation.

        Parameters
        ----------
        op_type : str
            Name of an operator of ONNX.
        *operands : str or array-like
            Names of results, or constants.
        **attributes : dict
            Attributes of the operator.

        Returns
        -------
        name : str
            Name of its only or first result.
        """
        inputs = [x if isinstance(x, str) else self.constant(x) for x in operands]
        outputs = [self._unique(op_type) for _ in range(_N_OUTPUTS.get(op_type, 1))]
        self.nodes.append(OnnxNode(op_type, inputs, outputs, attributes))
        return outputs[0]

    def cast(self, x: str, dtype: DTypeLike) -> str:
        """Convert to a dtype.

        Parameters
        ----------
        x : str
            Name of a result.
        dtype : dtype
            float32, float64 or int64.

        Returns
        -------
        name : str
            Name of the converted result.
        """
        return self.add("Cast", x, to=ONNX_TYPES[np.dtype(dtype)])


ONNX_TYPES = {np.dtype(name): i for name, i in {"float32": 1, "int64": 7, "float64": 11}.items()}
"""Numbers of ONNX (``TensorProto.DataType``) by dtype."""


def check_opset(opset: int) -> int:
    """Refuse versions of the operators that the graph cannot be written in.

    Parameters
    ----------
    opset : int
        Version of the main domain.

    Returns
    -------
    opset : int
        The same.

    Raises
    ------
    InvalidParameterError
        If it is older than `MIN_OPSET`.
    """
    if opset < MIN_OPSET:
        raise InvalidParameterError(
            f"target_opset={opset} is too old: the graph of a skscale estimator needs operators of "
            f"{MIN_OPSET} or later (onnxruntime 1.14). Use target_opset={MIN_OPSET}."
        )
    return opset
