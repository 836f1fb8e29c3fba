"""The activations of Keras as operations of ONNX.

The formulas are those of `skscale._network.activations`. Operators that onnxruntime has in float32
alone (Elu, Selu, Softplus, Softsign, Erf and others) are written out, so that one graph serves
both precisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from skscale._export.onnx_graph import OnnxGraph

_Formula = Callable[[OnnxGraph, str], str]

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772
# Beyond it the distribution function of a normal variable is 0 or 1 to 1e-19.
_NORMAL_END = 9.0


def apply_activation(graph: OnnxGraph, name: str, x: str) -> str:
    """Add an activation to a graph.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    name : str
        A name of `skscale._network.activations`.
    x : str
        Name of its argument, of shape (..., n_units).

    Returns
    -------
    y : str
        Name of its values.
    """
    return _ACTIVATIONS[name](graph, x)


def softplus(graph: OnnxGraph, x: str) -> str:
    """Add ``log(1 + exp(x))``, which does not overflow.

    Parameters
    ----------
    graph : OnnxGraph
        The graph.
    x : str
        Name of its argument.

    Returns
    -------
    y : str
        Name of its values.
    """
    decay = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add(
        "Add", graph.add("Max", x, 0.0), graph.add("Log", graph.add("Add", decay, 1.0))
    )


def _operator(op_type: str, **attributes: int) -> _Formula:
    return lambda g, x: g.add(op_type, x, **attributes)


def _clip(low: float, high: float) -> _Formula:
    return lambda g, x: g.add("Clip", x, low, high)


def _ramp(low: float, high: float) -> _Formula:
    """From 0 at `low` to 1 at `high`, and constant beyond."""

    def formula(g: OnnxGraph, x: str) -> str:
        return g.add("Div", g.add("Sub", g.add("Clip", x, low, high), low), high - low)

    return formula


def _times(formula: _Formula) -> _Formula:
    """Multiply x by a function of it."""
    return lambda g, x: g.add("Mul", x, formula(g, x))


def _minus(formula: _Formula) -> _Formula:
    """Subtract a function of x from it."""
    return lambda g, x: g.add("Sub", x, formula(g, x))


def _expm1_of_negative(g: OnnxGraph, x: str) -> str:
    return g.add("Sub", g.add("Exp", g.add("Min", x, 0.0)), 1.0)


def _elu(g: OnnxGraph, x: str) -> str:
    return g.add("Max", x, _expm1_of_negative(g, x))


def _selu(g: OnnxGraph, x: str) -> str:
    negative = g.add("Mul", _expm1_of_negative(g, x), _SELU_ALPHA)
    return g.add("Mul", g.add("Add", negative, g.add("Max", x, 0.0)), _SELU_SCALE)


def _log_sigmoid(g: OnnxGraph, x: str) -> str:
    return g.add("Neg", softplus(g, g.add("Neg", x)))


def _tanh_of_softplus(g: OnnxGraph, x: str) -> str:
    return g.add("Tanh", softplus(g, x))


def _leaky_relu(g: OnnxGraph, x: str) -> str:
    return g.add("Max", x, g.add("Mul", x, 0.2))


def _normal_distribution(g: OnnxGraph, x: str) -> str:
    """Distribution function of a normal variable."""
    if g.dtype == np.float32:
        return g.add("Add", g.add("Mul", g.add("Erf", g.add("Div", x, math.sqrt(2))), 0.5), 0.5)
    # A Fourier series (Beaulieu 1989, IEEE Trans. Commun. 37, 989) of period 4 * 9, to 1e-16 on
    # [-9, 9]: sum_n exp(-(n w)^2 / 2) sin(n w x) / n over odd n, by Clenshaw's recurrence.
    rate = math.pi / (2 * _NORMAL_END)
    orders = np.arange(1, 51, 2)
    coefficients = (2 / math.pi) * np.exp(-((orders * rate) ** 2) / 2) / orders
    angle = g.add("Mul", g.add("Clip", x, -_NORMAL_END, _NORMAL_END), rate)
    twice_cosine = g.add("Mul", g.add("Cos", g.add("Mul", angle, 2.0)), 2.0)
    later, latest = g.add("Mul", angle, 0.0), g.add("Mul", angle, 0.0)
    for coefficient in reversed(coefficients.tolist()):
        product = g.add("Sub", g.add("Mul", twice_cosine, latest), later)
        later, latest = latest, g.add("Add", product, coefficient)
    series = g.add("Mul", g.add("Sin", angle), g.add("Add", latest, later))
    return g.add("Add", series, 0.5)


def _hard_shrink(g: OnnxGraph, x: str) -> str:
    return g.add("Where", g.add("Greater", g.add("Abs", x), 0.5), x, 0.0)


def _softsign(g: OnnxGraph, x: str) -> str:
    return g.add("Div", x, g.add("Add", g.add("Abs", x), 1.0))


def _sparse_plus(g: OnnxGraph, x: str) -> str:
    ramp = _ramp(-1.0, 1.0)(g, x)
    return g.add("Max", x, g.add("Mul", ramp, ramp))


def _squareplus(g: OnnxGraph, x: str) -> str:
    size = g.add("Abs", x)
    # sqrt(x^2 + 4), without a square that overflows.
    largest = g.add("Max", size, 2.0)
    ratios = [g.add("Div", part, largest) for part in (size, g.constant(2.0))]
    squares = [g.add("Mul", ratio, ratio) for ratio in ratios]
    root = g.add("Mul", largest, g.add("Sqrt", g.add("Add", *squares)))
    y = g.add("Div", g.add("Add", root, size), 2.0)
    # f(x) f(-x) = 1.
    return g.add("Where", g.add("Less", x, 0.0), g.add("Div", 1.0, y), y)


def _sparsemax(g: OnnxGraph, x: str) -> str:
    # With the threshold of Keras up to 3.15, as in `skscale._network.activations`.
    last, n = np.array([-1]), g.add("Shape", x, start=-1)
    descending = g.add("TopK", x, n, axis=-1)
    below = g.add("Sub", descending, g.add("ReduceMax", descending, last, keepdims=1))
    below = g.add("Max", below, -1.0)
    rank = g.add("CumSum", g.add("Expand", 1.0, n), np.array(0))
    sums = g.add("Sub", g.add("CumSum", below, np.array(-1)), 1.0)
    is_in_support = g.add("Greater", g.add("Mul", rank, below), sums)
    size = g.add("ReduceSum", g.cast(is_in_support, g.dtype), last, keepdims=1)
    slope = g.add("Max", g.add("Sub", g.add("Add", size, 1.0), rank), 0.0)
    slope = g.add("Div", slope, size)
    threshold = g.add("ReduceSum", g.add("Mul", slope, descending), last, keepdims=1)
    threshold = g.add("Sub", threshold, g.add("Div", 1.0, size))
    return g.add("Max", g.add("Sub", x, threshold), 0.0)


_ACTIVATIONS: dict[str, _Formula] = {
    "celu": _elu,
    "elu": _elu,
    "exponential": _operator("Exp"),
    "gelu": _times(_normal_distribution),
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _ramp(-3.0, 3.0),
    "hard_silu": _times(_ramp(-3.0, 3.0)),
    "hard_swish": _times(_ramp(-3.0, 3.0)),
    "hard_tanh": _clip(-1.0, 1.0),
    "leaky_relu": _leaky_relu,
    "linear": lambda _, x: x,
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _operator("LogSoftmax", axis=-1),
    "mish": _times(_tanh_of_softplus),
    "relu": _operator("Relu"),
    "relu6": _clip(0.0, 6.0),
    "selu": _selu,
    "sigmoid": _operator("Sigmoid"),
    "silu": _times(_operator("Sigmoid")),
    "sine": _operator("Sin"),
    "soft_shrink": _minus(_clip(-0.5, 0.5)),
    "softmax": _operator("Softmax", axis=-1),
    "softplus": softplus,
    "softsign": _softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _ramp(-1.0, 1.0),
    "sparsemax": _sparsemax,
    "squareplus": _squareplus,
    "swish": _times(_operator("Sigmoid")),
    "tanh": _operator("Tanh"),
    "tanh_shrink": _minus(_operator("Tanh")),
}
