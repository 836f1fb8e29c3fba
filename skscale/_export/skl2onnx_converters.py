"""Converters of the estimators for skl2onnx, so that it writes pipelines with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int32TensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes

from skscale._export.onnx_graph import ONNX_TYPES, OnnxGraph, check_opset
from skscale._export.onnx_networks import onnx_classes

_NUMBERS = (BooleanTensorType, DoubleTensorType, FloatTensorType, Int32TensorType, Int64TensorType)
_CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
# For the warning of digits that float32 loses; the precision is that of the rows.
_FLOAT64_ROWS = "float64 rows, as in skl2onnx.to_onnx(model, X[:1].astype('float64'))"


def register_regressor(kind: type) -> None:
    """Register a regressor with skl2onnx.

    Parameters
    ----------
    kind : type
        Its class.
    """
    update_registered_converter(kind, f"Skscale{kind.__name__}", _shape_of_targets, _convert)


def register_classifier(kind: type) -> None:
    """Register a classifier with skl2onnx, with the options that its own classifiers have.

    Parameters
    ----------
    kind : type
        Its class.
    """
    update_registered_converter(
        kind,
        f"Skscale{kind.__name__}",
        _shapes_of_classes,
        _convert_classifier,
        options=_CLASSIFIER_OPTIONS,
    )


def register_transformer(kind: type) -> None:
    """Register a transformer with skl2onnx.

    Parameters
    ----------
    kind : type
        Its class.
    """
    update_registered_converter(kind, f"Skscale{kind.__name__}", _shape_of_features, _convert)


# The arguments of all below are named as skl2onnx asks for.


def _shape_of_targets(operator: Any) -> None:
    _set_shape(operator, operator.outputs[0], operator.raw_operator.n_outputs_)


def _shape_of_features(operator: Any) -> None:
    _set_shape(operator, operator.outputs[0], operator.raw_operator.n_features_in_)


def _shapes_of_classes(operator: Any) -> None:
    classes = _classes(operator.scope_inst, operator.raw_operator)
    kind = StringTensorType if classes.dtype.kind == "U" else Int64TensorType
    operator.outputs[0].set_type(kind([operator.inputs[0].get_first_dimension()]))
    _set_shape(operator, operator.outputs[1], len(classes))


def _set_shape(operator: Any, output: Any, width: int) -> None:
    wrong = [v.type for v in operator.inputs if not isinstance(v.type, _NUMBERS)]
    if wrong:
        raise TypeError(
            f"{type(operator.raw_operator).__name__} takes numbers, but the graph gives it "
            f"{wrong[0]}. Encode such columns first, for example by a ColumnTransformer with a "
            "OneHotEncoder, as in the fit."
        )
    kind = DoubleTensorType if _dtype(operator) == "float64" else FloatTensorType
    output.set_type(kind([operator.inputs[0].get_first_dimension(), width]))


def _dtype(operator: Any) -> str:
    """Precision as skl2onnx has it: float64 where a column is, and float32 for whole numbers."""
    is_double = any(isinstance(v.type, DoubleTensorType) for v in operator.inputs)
    return "float64" if is_double else "float32"


def _classes(scope: Any, classifier: Any) -> np.ndarray:
    """Return the labels; their numbers under the option "nocl"."""
    return onnx_classes(np.asarray(get_label_classes(scope, classifier)))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    _write(scope, operator, container, {})


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    classifier = operator.raw_operator
    options = container.get_options(classifier, {"raw_scores": False})
    arguments = {
        "classes": _classes(scope, classifier),
        "raw_scores": options["raw_scores"],
    }
    _write(scope, operator, container, arguments)


def _write(scope: Any, operator: Any, container: Any, arguments: Mapping[str, Any]) -> None:
    """Write the graph of an estimator into that of skl2onnx."""
    check_opset(container.target_opset)
    graph = OnnxGraph(_dtype(operator), scope.get_unique_variable_name)
    names = [variable.full_name for variable in operator.inputs]
    if len(names) > 1:
        # Columns of a data frame, which may have several types.
        X = graph.add("Concat", *(graph.cast(name, np.float64) for name in names), axis=1)
    else:
        X = names[0]
    results = operator.raw_operator._onnx_outputs(graph, X, instead=_FLOAT64_ROWS, **arguments)
    for name, values in graph.constants.items():
        container.add_initializer(name, _onnx_type(values), values.shape, values.ravel())
    for node in graph.nodes:
        unique = scope.get_unique_operator_name(node.op_type)
        container.add_node(node.op_type, node.inputs, node.outputs, name=unique, **node.attributes)
    for output, result in zip(operator.outputs, results.values(), strict=True):
        unique = scope.get_unique_operator_name("Identity")
        container.add_node("Identity", result, output.full_name, name=unique)


def _onnx_type(values: np.ndarray) -> int:
    strings = 8
    return strings if values.dtype.kind == "U" else ONNX_TYPES[values.dtype]
