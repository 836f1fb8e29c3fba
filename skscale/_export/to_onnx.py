"""A fitted estimator as an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from skscale._export.onnx_graph import ONNX_TYPES, OnnxGraph, OnnxNode, check_opset
from skscale._export.precision import check_dtype

if TYPE_CHECKING:
    import onnx

# Of May 2024: read by onnxruntime 1.18 and later.
_OPSET = 21
_INPUT = "X"


def onnx_model(
    outputs: Callable[[OnnxGraph, str], Mapping[str, str]],
    *,
    n_features: int,
    dtype: str,
    target_opset: int | None,
    name: str,
) -> onnx.ModelProto:
    """Write a graph of one input as a model.

    Parameters
    ----------
    outputs : callable
        From an empty graph and the name of its input to the names of results by those of the
        outputs.
    n_features : int
        Width of the input.
    dtype : {"float32", "float64"}
        Precision of inputs, networks and outputs.
    target_opset : int or None
        Version of the operators; None is 21.
    name : str
        Name of the graph.

    Returns
    -------
    model : onnx.ModelProto
        The model.

    Raises
    ------
    InvalidParameterError
        If `dtype` or `target_opset` is none that the graph can be written in.
    ImportError
        If onnx is not there.
    """
    check_dtype(dtype)
    opset = check_opset(_OPSET if target_opset is None else target_opset)
    try:
        from onnx import helper, numpy_helper, shape_inference
    except ImportError as error:
        raise ImportError(
            "to_onnx writes with onnx, which is not installed. Run: pip install 'skscale[onnx]'"
        ) from error
    graph, shape = OnnxGraph(dtype), ("n_samples", n_features)
    results = outputs(graph, _INPUT)
    nodes = [*graph.nodes, *(OnnxNode("Identity", [x], [y], {}) for y, x in results.items())]
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node(n.op_type, n.inputs, n.outputs, **n.attributes) for n in nodes],
            name,
            [helper.make_tensor_value_info(_INPUT, ONNX_TYPES[np.dtype(dtype)], shape)],
            [helper.make_empty_tensor_value_info(output) for output in results],
            [numpy_helper.from_array(a, constant) for constant, a in graph.constants.items()],
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="skscale",
    )
    # Types and shapes of the outputs follow from the graph.
    return shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
