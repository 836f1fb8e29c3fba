"""The activations of Keras in NumPy: their values, and gradients pulled back through them.

`ACTIVATIONS` has every name that Keras lists, with the parameters at the defaults of the Keras
functions. The formulas are those of https://keras.io/api/layers/activations, rearranged where the
literal form overflows, cancels or is slow. Values come in the dtype of `x`, float32 or float64.
`out` means what it means to a NumPy ufunc and may be `x`: a network overwrites what it owns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from skscale._errors import hint

_Array = np.ndarray
_Out = np.ndarray | None

# The fixed point of self-normalizing networks (Klambauer et al. 2017, arXiv:1706.02515).
_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation and its vector-Jacobian product.

    Parameters
    ----------
    forward : callable
        ``forward(x, out=None)`` returns the values at `x`, of shape (..., n_units).
    vjp : callable
        ``vjp(x, g)`` returns ``g @ J``, with J the Jacobian of `forward` at each row of `x`. The
        leading dimensions of `g` broadcast against those of `x`.
    """

    forward: Callable[..., np.ndarray]
    vjp: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _elementwise(
    forward: Callable[..., _Array], derivative: Callable[[_Array], _Array]
) -> Activation:
    def vjp(x: _Array, g: _Array) -> _Array:
        # A derivative made of steps is bool or float64, and must not widen a float32 gradient.
        return np.multiply(g, derivative(x), dtype=g.dtype)

    return Activation(forward, vjp)


def _clip(x: _Array, low: float, high: float, out: _Out = None) -> _Array:
    # On a single row np.clip costs three times as much.
    y = np.maximum(x, low, out=out)
    return np.minimum(y, high, out=y)


# The exponential and its relatives


def _exponential(x: _Array, out: _Out = None) -> _Array:
    with np.errstate(over="ignore"):  # infinity is the right value
        return np.exp(x, out=out)


def _expm1_of_negative(x: _Array) -> _Array:
    y = np.minimum(x, 0)
    return np.expm1(y, out=y)


def _elu(x: _Array, out: _Out = None) -> _Array:
    # exp(x) - 1 >= x, so the larger of the two is the right branch on either side of zero.
    return np.maximum(x, _expm1_of_negative(x), out=out)


def _elu_derivative(x: _Array) -> _Array:
    return np.exp(np.minimum(x, 0))


def _selu(x: _Array, out: _Out = None) -> _Array:
    y = _expm1_of_negative(x)
    y *= _SELU_ALPHA
    y += np.maximum(x, 0)
    return np.multiply(y, _SELU_SCALE, out=out)


def _selu_derivative(x: _Array) -> _Array:
    return _SELU_SCALE * np.where(x > 0, 1, _SELU_ALPHA * _elu_derivative(x))


# The logistic function and its relatives


def _one_plus_exp_minus(x: _Array, out: _Out = None) -> _Array:
    # NumPy's vectorized exp: the logistic function is three times as fast as scipy's expit.
    y = np.negative(x, out=out)
    _exponential(y, out=y)
    y += 1
    return y


def _sigmoid(x: _Array, out: _Out = None) -> _Array:
    y = _one_plus_exp_minus(x, out=out)
    return np.reciprocal(y, out=y)


def _sigmoid_derivative(x: _Array) -> _Array:
    y = _sigmoid(x)
    return y * (1 - y)


def _silu(x: _Array, out: _Out = None) -> _Array:
    return np.divide(x, _one_plus_exp_minus(x), out=out)


def _silu_derivative(x: _Array) -> _Array:
    y = _sigmoid(x)
    return y * (1 + x * (1 - y))


def _log1p_exp_minus_abs(x: _Array) -> _Array:
    y = np.abs(x)
    np.negative(y, out=y)
    np.exp(y, out=y)
    return np.log1p(y, out=y)


def _softplus(x: _Array, out: _Out = None) -> _Array:
    return np.add(np.maximum(x, 0), _log1p_exp_minus_abs(x), out=out)


def _log_sigmoid(x: _Array, out: _Out = None) -> _Array:
    return np.subtract(np.minimum(x, 0), _log1p_exp_minus_abs(x), out=out)


def _mish(x: _Array, out: _Out = None) -> _Array:
    y = _softplus(x)
    return np.multiply(x, np.tanh(y, out=y), out=out)


def _mish_derivative(x: _Array) -> _Array:
    y = np.tanh(_softplus(x))
    return y + x * _sigmoid(x) * (1 - y * y)


# Other smooth functions


def _tanh_shrink(x: _Array, out: _Out = None) -> _Array:
    return np.subtract(x, np.tanh(x), out=out)


def _gelu(x: _Array, out: _Out = None) -> _Array:
    return np.multiply(x, ndtr(x), out=out)


def _gelu_derivative(x: _Array) -> _Array:
    # The density is zero from 40 standard deviations on, where the square is still finite.
    density = np.exp(-0.5 * np.square(_clip(x, -40, 40))) / math.sqrt(2 * math.pi)
    return ndtr(x) + x * density


def _softsign(x: _Array, out: _Out = None) -> _Array:
    return np.divide(x, 1 + np.abs(x), out=out)


def _squareplus(x: _Array, out: _Out = None) -> _Array:
    negative = x < 0
    y = np.add(np.hypot(x, 2), np.abs(x), out=out)
    y /= 2
    # f(x) f(-x) = 1: the reciprocal keeps the digits that x + sqrt(x^2 + 4) cancels.
    return np.reciprocal(y, out=y, where=negative)


# Piecewise polynomials


def _relu(x: _Array, out: _Out = None) -> _Array:
    return np.maximum(x, 0, out=out)


def _relu6(x: _Array, out: _Out = None) -> _Array:
    return _clip(x, 0, 6, out=out)


def _leaky_relu(x: _Array, out: _Out = None) -> _Array:
    return np.maximum(x, 0.2 * x, out=out)


def _hard_tanh(x: _Array, out: _Out = None) -> _Array:
    return _clip(x, -1, 1, out=out)


def _soft_shrink(x: _Array, out: _Out = None) -> _Array:
    return np.subtract(x, _clip(x, -0.5, 0.5), out=out)


def _hard_shrink(x: _Array, out: _Out = None) -> _Array:
    return np.multiply(x, np.abs(x) > 0.5, out=out)


def _hard_sigmoid(x: _Array, out: _Out = None) -> _Array:
    y = _clip(x, -3, 3, out=out)
    y += 3
    y /= 6
    return y


def _hard_silu(x: _Array, out: _Out = None) -> _Array:
    return np.multiply(x, _hard_sigmoid(x), out=out)


def _sparse_sigmoid(x: _Array, out: _Out = None) -> _Array:
    y = _clip(x, -1, 1, out=out)
    y += 1
    y /= 2
    return y


def _sparse_plus(x: _Array, out: _Out = None) -> _Array:
    # ((x + 1) / 2)^2 >= x, so the larger of the two is the right branch everywhere.
    y = _sparse_sigmoid(x)
    return np.maximum(x, np.square(y, out=y), out=out)


# Functions of a whole row, the last axis


def _minus_max(x: _Array, out: _Out = None) -> _Array:
    return np.subtract(x, x.max(axis=-1, keepdims=True), out=out)


def _softmax(x: _Array, out: _Out = None) -> _Array:
    y = _minus_max(x, out=out)
    np.exp(y, out=y)
    y /= y.sum(axis=-1, keepdims=True)
    return y


def _softmax_vjp(x: _Array, g: _Array) -> _Array:
    y = _softmax(x)
    return y * (g - (g * y).sum(axis=-1, keepdims=True))


def _log_softmax(x: _Array, out: _Out = None) -> _Array:
    y = _minus_max(x, out=out)
    y -= np.log(np.exp(y).sum(axis=-1, keepdims=True))
    return y


def _log_softmax_vjp(x: _Array, g: _Array) -> _Array:
    return g - _softmax(x) * g.sum(axis=-1, keepdims=True)


def _sparsemax_threshold(x: _Array) -> tuple[_Array, _Array]:
    """Return the threshold of each row, and its derivative with respect to the row."""
    order = np.argsort(-x, axis=-1)
    descending = np.take_along_axis(x, order, axis=-1)
    # Nothing 1 below the maximum is in the support: cut there, the sums keep their digits.
    below = np.maximum(descending - descending[..., :1], -1)
    rank = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = rank * below > below.cumsum(axis=-1) - 1
    size = support.sum(axis=-1, keepdims=True, dtype=x.dtype)
    # Keras up to 3.15 takes the sum of the cumulative sums over the support where the projection on
    # the simplex has the sum, `support / size` (keras-team/keras#23425). A network predicts what it
    # was trained to, so this is what it computes.
    slope = np.maximum(size + 1 - rank, 0) / size
    threshold = (slope * descending).sum(axis=-1, keepdims=True) - 1 / size
    derivative = np.empty_like(x)
    np.put_along_axis(derivative, order, slope, axis=-1)
    return threshold, derivative


def _sparsemax(x: _Array, out: _Out = None) -> _Array:
    # Martins & Astudillo 2016, arXiv:1602.02068, algorithm 1.
    threshold, _ = _sparsemax_threshold(x)
    y = np.subtract(x, threshold, out=out)
    return np.maximum(y, 0, out=y)


def _sparsemax_vjp(x: _Array, g: _Array) -> _Array:
    threshold, derivative = _sparsemax_threshold(x)
    g = g * (x > threshold)
    return g - g.sum(axis=-1, keepdims=True) * derivative


ACTIVATIONS = {
    "celu": _elementwise(_elu, _elu_derivative),  # alpha = 1 makes it elu
    "elu": _elementwise(_elu, _elu_derivative),
    "exponential": _elementwise(_exponential, _exponential),
    "gelu": _elementwise(_gelu, _gelu_derivative),
    "hard_shrink": _elementwise(_hard_shrink, lambda x: np.abs(x) > 0.5),
    "hard_sigmoid": _elementwise(_hard_sigmoid, lambda x: (np.abs(x) < 3) / 6),
    "hard_silu": _elementwise(_hard_silu, lambda x: _hard_sigmoid(x) + x * (np.abs(x) < 3) / 6),
    "hard_tanh": _elementwise(_hard_tanh, lambda x: np.abs(x) < 1),
    "leaky_relu": _elementwise(_leaky_relu, lambda x: np.where(x > 0, 1.0, 0.2)),
    "linear": Activation(np.positive, lambda _, g: g),
    "log_sigmoid": _elementwise(_log_sigmoid, lambda x: _sigmoid(-x)),
    "log_softmax": Activation(_log_softmax, _log_softmax_vjp),
    "mish": _elementwise(_mish, _mish_derivative),
    "relu": _elementwise(_relu, lambda x: x > 0),
    "relu6": _elementwise(_relu6, lambda x: (x > 0) & (x < 6)),
    "selu": _elementwise(_selu, _selu_derivative),
    "sigmoid": _elementwise(_sigmoid, _sigmoid_derivative),
    "silu": _elementwise(_silu, _silu_derivative),
    "soft_shrink": _elementwise(_soft_shrink, lambda x: np.abs(x) > 0.5),
    "softmax": Activation(_softmax, _softmax_vjp),
    "softplus": _elementwise(_softplus, _sigmoid),
    "softsign": _elementwise(_softsign, lambda x: np.square(1 / (1 + np.abs(x)))),
    "sparse_plus": _elementwise(_sparse_plus, _sparse_sigmoid),
    "sparse_sigmoid": _elementwise(_sparse_sigmoid, lambda x: (np.abs(x) < 1) / 2),
    "sparsemax": Activation(_sparsemax, _sparsemax_vjp),
    "squareplus": _elementwise(_squareplus, lambda x: _squareplus(x) / np.hypot(x, 2)),
    "tanh": _elementwise(np.tanh, lambda x: 1 - np.square(np.tanh(x))),
    "tanh_shrink": _elementwise(_tanh_shrink, lambda x: np.square(np.tanh(x))),
}
ACTIVATIONS |= {"hard_swish": ACTIVATIONS["hard_silu"], "swish": ACTIVATIONS["silu"]}

# Those that layers of our own have, and Keras has no name for.
LAYER_ACTIVATIONS = {"sine": _elementwise(np.sin, np.cos)}


# Those of layers that have numbers of their own


def relu(slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Activation:
    """Return the activation of a `keras.layers.ReLU` or `LeakyReLU`.

    Parameters
    ----------
    slope : float, default=0.0
        What ``x - threshold`` is multiplied by below the threshold.
    max_value : float or None, default=None
        Largest value.
    threshold : float, default=0.0
        Where it starts.

    Returns
    -------
    activation : Activation
        Its values and its vector-Jacobian product.
    """
    largest = np.inf if max_value is None else max_value

    def forward(x: _Array, out: _Out = None) -> _Array:
        below = slope * np.minimum(x - threshold, 0) if slope else 0
        return np.minimum(np.where(x > threshold, x, below), largest, out=out)

    return _elementwise(forward, lambda x: np.where(x > threshold, x < largest, slope))


def elu(alpha: float = 1.0) -> Activation:
    """Return the activation of a `keras.layers.ELU`, which tends to minus `alpha`."""

    def forward(x: _Array, out: _Out = None) -> _Array:
        return np.add(np.maximum(x, 0), alpha * _expm1_of_negative(x), out=out)

    return _elementwise(forward, lambda x: np.where(x > 0, 1, alpha * _elu_derivative(x)))


def prelu(slopes: np.ndarray) -> Activation:
    """Return the activation of a `keras.layers.PReLU`, with a slope for each unit."""

    def forward(x: _Array, out: _Out = None) -> _Array:
        return np.multiply(x, np.where(x > 0, 1, slopes), out=out)

    return _elementwise(forward, lambda x: np.where(x > 0, 1, slopes))


_REFUSED = {
    "glu": "it halves the number of units, so the layers no longer fit together",
    "threshold": "its two parameters have no defaults, so Keras cannot call it by name either",
}


def get_activation(name: str) -> Activation:
    """Return the activation of a name.

    Parameters
    ----------
    name : str
        A name that `keras.activations` lists.

    Returns
    -------
    Activation
        Its values and its vector-Jacobian product, in NumPy.

    Raises
    ------
    ValueError
        If the name is unknown, or is one of a function that no Dense layer can use by name.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._network.activations import get_activation
    >>> get_activation("relu").forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    if name in LAYER_ACTIVATIONS:
        return LAYER_ACTIVATIONS[name]
    allowed = f"Allowed are {', '.join(sorted(ACTIVATIONS))}."
    if name in _REFUSED:
        raise ValueError(f"The activation {name!r} cannot be used: {_REFUSED[name]}. {allowed}")
    raise ValueError(f"Unknown activation {name!r}. {hint(str(name), ACTIVATIONS)}{allowed}")
