"""The periodic embedding on tensors: waves of every feature, for all rows in few products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skscale._compiled.scaling import Scaling
from skscale._limits import PERIODIC_LIMIT
from skscale._network.periodic_spec import PeriodicSpec

# cos(2 pi f) on |f| <= 1/2, by even powers of f: the largest error is 2.5e-8. XLA computes a cosine
# on a CPU one number at a time, products and sums several at once.
_COSINE = (
    1.0,
    -19.7392045,
    64.9391175,
    -85.4501395,
    60.167631,
    -25.9675992,
    6.5286582,
)
# Its derivative over f.
_DERIVATIVE = tuple(2 * i * c for i, c in enumerate(_COSINE) if i)


def waves(spec: PeriodicSpec, weights: Sequence[Any], inputs: Any, scaling: Scaling) -> Any:
    """Return the embedding of scaled features, without the features themselves.

    Parameters
    ----------
    spec : PeriodicSpec
        The embedding.
    weights : sequence of tensor
        Frequency, phase, kernel and bias, with or without a leading network axis.
    inputs : tensor of shape (..., n_rows, n_features)
        Normalized features, with the same leading axis.
    scaling : Scaling
        What scales them.

    Returns
    -------
    outputs : tensor of shape (..., n_embedded * units, n_rows)
        What `skscale.layers.PeriodicEmbedding` adds to its inputs, to its cosine's polynomial,
        and transposed.
    """
    import tensorflow as tf

    frequency, phase, kernel, bias = weights
    # Rows come last, so that every product and every sum runs along them.
    features = tf.linalg.matrix_transpose(inputs)
    features = tf.clip_by_value(features, -PERIODIC_LIMIT, PERIODIC_LIMIT)
    if spec.columns is not None:
        features = tf.gather(features, spec.columns, axis=-2)
        scaling = scaling.of_features(spec.columns)
    # w (s z + t) + b as a product: so are its gradients, which sum over all rows.
    slope, height = scaling.fold_each(frequency, phase)
    lines = tf.stack([slope, height], -1) @ tf.stack([features, tf.ones_like(features)], -2)
    outputs = tf.matmul(kernel, cosine(lines), transpose_a=True) + bias[..., None]
    return tf.reshape(outputs, (*features.shape[:-2], -1, features.shape[-1]))


def cosine(cycles: Any) -> Any:
    """Return the cosine of a number of full turns, with a gradient that keeps no intermediates."""
    import tensorflow as tf

    @tf.custom_gradient
    def compute(cycles: Any) -> Any:
        part = cycles - tf.round(cycles)

        def gradient(upstream: Any) -> Any:
            return upstream * part * _polynomial(_DERIVATIVE, part * part)

        return _polynomial(_COSINE, part * part), gradient

    return compute(cycles)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    value = coefficients[-1] * x + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        value = value * x + coefficient
    return value
