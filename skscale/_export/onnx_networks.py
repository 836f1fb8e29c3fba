"""Fitted networks and affine maps as operations of ONNX.

The networks of an ensemble are computed together, along a first axis. Affine maps are computed in
float64 whatever the precision of the networks, as in the estimators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skscale._errors import listed
from skscale._export.onnx_activations import apply_activation, softplus
from skscale._export.onnx_graph import OnnxGraph
from skscale._inference.dense import DenseForm, dense_form, fold
from skscale._inference.ensemble import Ensemble
from skscale._limits import PERIODIC_LIMIT
from skscale._network.dense_spec import DenseSpec
from skscale._network.spec import NetworkSpec
from skscale._normalization.affine import AffineMap

_NETWORKS = np.array([0])
"""The axis of the networks, as operators take it."""


def affine_outputs(graph: OnnxGraph, affine: AffineMap, X: str) -> str:
    """Add an affine map.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    affine : AffineMap
        The map.
    X : str
        Name of its inputs, of shape (..., n_features) and any dtype of numbers.

    Returns
    -------
    Z : str
        Name of its outputs, in the dtype of the graph.
    """
    Z = graph.cast(X, np.float64)
    if affine.center.any():
        Z = graph.add("Sub", Z, graph.constant(affine.center, np.float64))
    Z = graph.add("Mul", Z, graph.constant(affine.scale, np.float64))
    if affine.shift.any():
        Z = graph.add("Add", Z, graph.constant(affine.shift, np.float64))
    return graph.cast(Z, graph.dtype)


def regressor_outputs(graph: OnnxGraph, ensemble: Ensemble, target_map: AffineMap, X: str) -> str:
    """Add networks that predict quantities.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    ensemble : Ensemble
        The networks.
    target_map : AffineMap
        Normalization of their targets.
    X : str
        Name of the features in raw units, of shape (n_rows, n_features).

    Returns
    -------
    targets : str
        Name of the predictions in raw units, of shape (n_rows, n_outputs).

    Raises
    ------
    ValueError
        If the networks have layers that only Keras runs.
    """
    outputs = _network_outputs(graph, ensemble, X)
    outputs = graph.cast(graph.add("ReduceMean", outputs, _NETWORKS, keepdims=0), np.float64)
    # Dividing by infinity is what leaves the centre.
    divisor = np.where(target_map.scale == 0, np.inf, target_map.scale)
    parts = (("Sub", target_map.shift), ("Div", divisor), ("Add", target_map.center))
    for op_type, values in parts:
        outputs = graph.add(op_type, outputs, graph.constant(values, np.float64))
    return graph.cast(outputs, graph.dtype)


def classifier_outputs(
    graph: OnnxGraph, ensemble: Ensemble, X: str, *, from_logits: bool, temperature: float
) -> str:
    """Add networks that predict classes.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    ensemble : Ensemble
        The networks.
    X : str
        Name of the features in raw units, of shape (n_rows, n_features).
    from_logits : bool
        Whether their outputs are logits, or probabilities after a sigmoid or softmax.
    temperature : float
        What logits are divided by.

    Returns
    -------
    log_p : str
        Name of the logarithms of the probabilities, of shape (n_rows, n_classes).

    Raises
    ------
    ValueError
        If the networks have layers that only Keras runs.
    """
    outputs = _network_outputs(graph, ensemble, X)
    log_p = _log_probabilities(graph, outputs, ensemble.spec.n_outputs, from_logits=from_logits)
    if temperature != 1:
        log_p = graph.add("LogSoftmax", graph.add("Div", log_p, temperature), axis=-1)
    if len(ensemble.members) == 1:
        return graph.add("Squeeze", log_p, _NETWORKS)
    # The mean of probabilities, which may be too small for floating point.
    log_sum = graph.add("ReduceLogSumExp", log_p, _NETWORKS, keepdims=0)
    return graph.add("Sub", log_sum, math.log(len(ensemble.members)))


def _log_probabilities(graph: OnnxGraph, outputs: str, n_outputs: int, *, from_logits: bool) -> str:
    """As `skscale._inference.calibration.log_probabilities`, of which these are the formulas."""
    if from_logits:
        if n_outputs > 1:
            return graph.add("LogSoftmax", outputs, axis=-1)
        both = graph.add("Concat", outputs, graph.add("Neg", outputs), axis=-1)
        return graph.add("Neg", softplus(graph, both))
    if n_outputs == 1:
        outputs = graph.add("Concat", graph.add("Sub", 1.0, outputs), outputs, axis=-1)
    positive = graph.add("Max", outputs, float(np.finfo(graph.dtype).eps))
    return graph.add("LogSoftmax", graph.add("Log", positive), axis=-1)


def decisions(graph: OnnxGraph, log_p: str, n_classes: int) -> str:
    """Add what `decision_function` gives.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    log_p : str
        Name of the logarithms of the probabilities.
    n_classes : int
        Number of classes.

    Returns
    -------
    scores : str
        Name of the scores, of shape (n_rows, n_classes); of two classes the log odds of each, as
        skl2onnx has them.
    """
    if n_classes > 2:
        return log_p
    return graph.add("Sub", log_p, graph.add("Gather", log_p, np.array([1, 0]), axis=1))


def labels(graph: OnnxGraph, log_p: str, classes: np.ndarray) -> str:
    """Add the most probable class.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    log_p : str
        Name of the logarithms of the probabilities.
    classes : ndarray of shape (n_classes,)
        Labels, as `onnx_classes` gives them.

    Returns
    -------
    labels : str
        Name of the labels, of shape (n_rows,).
    """
    codes = graph.add("ArgMax", log_p, axis=1, keepdims=0)
    return graph.add("Gather", graph.constant(classes), codes)


def onnx_classes(classes: np.ndarray) -> np.ndarray:
    """Return labels as ONNX has them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of a classifier.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        int64 for whole numbers and booleans, str for strings.

    Raises
    ------
    ValueError
        If they are fractions.
    """
    if classes.dtype.kind not in "biuf":
        return classes.astype(str)
    numbers = classes.astype(np.int64)
    if (numbers == classes).all():
        return numbers
    raise ValueError(
        f"ONNX labels are whole numbers or strings, but the classes are {listed(classes)}. Fit on "
        "strings: y.astype(str)."
    )


def _network_outputs(graph: OnnxGraph, ensemble: Ensemble, X: str) -> str:
    """Add normalization and networks: outputs of shape (n_networks, n_rows, n_outputs)."""
    spec = _expressible(ensemble.spec)
    forms = [dense_form(spec, w).astype(np.dtype(np.float64)) for w in ensemble.members]
    h = _normalized(graph, ensemble, X)
    if forms[0].embedding is None:
        for form in forms:
            form.layers[0] = fold(form.scale, form.offset, form.layers[0])
    else:
        h = _embedded(graph, forms, h)
    for i, layer in enumerate(spec.layers):
        h = graph.add("MatMul", h, np.stack([form.layers[i].kernel for form in forms]))
        biases = [b for b in (form.layers[i].bias for form in forms) if b is not None]
        if biases:
            h = graph.add("Add", h, np.stack(biases)[:, np.newaxis])
        h = apply_activation(graph, layer.activation, h)
    return h


def _normalized(graph: OnnxGraph, ensemble: Ensemble, X: str) -> str:
    """Add the features that enter the networks, as they see them."""
    active, affine = ensemble.network_inputs()
    if affine.n_features < ensemble.input_map.n_features:
        X = graph.add("Gather", X, active.astype(np.int64), axis=1)
    return affine_outputs(graph, affine, X)


def _embedded(graph: OnnxGraph, forms: Sequence[DenseForm], Z: str) -> str:
    """Add the scaling layers and, behind the scaled features, their waves."""
    h = graph.add("Mul", Z, np.stack([form.scale for form in forms])[:, np.newaxis])
    offsets = [form.offset for form in forms if form.offset is not None]
    if offsets:
        h = graph.add("Add", h, np.stack(offsets)[:, np.newaxis])
    embeddings = [form.embedding for form in forms if form.embedding is not None]
    columns = embeddings[0].columns
    embedded = h if columns is None else graph.add("Gather", h, np.array(columns), axis=2)
    embedded = graph.add("Clip", embedded, -PERIODIC_LIMIT, PERIODIC_LIMIT)
    # (n_networks, n_embedded, n_rows, 1), from here with the waves along the last axis.
    embedded = graph.add("Transpose", embedded, perm=[0, 2, 1])
    embedded = graph.add("Unsqueeze", embedded, np.array([3]))
    lines = np.stack([embedding.lines for embedding in embeddings])[:, :, np.newaxis]
    turns = graph.add("Mul", embedded, lines[..., 0])
    turns = graph.add("Add", turns, lines[..., 1])
    # A product of many turns with 2 pi would round away what the cosine sees of them.
    turns = graph.add("Sub", turns, graph.add("Round", turns))
    waves = graph.add("Cos", graph.add("Mul", turns, 2 * math.pi))
    waves = graph.add("MatMul", waves, np.stack([e.kernel for e in embeddings]))
    biases = np.stack([embedding.bias for embedding in embeddings])
    waves = graph.add("Add", waves, biases[:, :, np.newaxis])
    waves = graph.add("Transpose", waves, perm=[0, 2, 1, 3])
    # Zero leaves an axis as it is.
    shape = np.array([0, 0, biases[0].size])
    return graph.add("Concat", h, graph.add("Reshape", waves, shape), axis=2)


def _expressible(spec: NetworkSpec) -> DenseSpec:
    if isinstance(spec, DenseSpec):
        return spec
    raise ValueError(
        "ONNX graphs are written for networks that NumPy runs, and this one has layers that only "
        "Keras runs (of network, or a hidden_layer, embedding or activation of your own). Fit "
        "with options by name, or use to_keras().export('model.onnx', format='onnx')."
    )
