"""The proximal step: how the factors of the scaling layer learn under an L1 penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_BETA_1 = 0.9
_BETA_2 = 0.999


def proximal_slots(scale_shape: tuple[int, ...], dtype: str) -> list[np.ndarray]:
    """First moment of every factor and the one second moment of each network."""
    return [np.zeros(scale_shape, dtype), np.zeros((*scale_shape[:-1], 1), dtype)]


def proximal_step(
    scale: Any,
    gradient: Any,
    slots: Sequence[Any],
    *,
    step: Any,
    rate: Any,
    strength: Any,
    n_features: Any,
    epsilon: float,
) -> tuple[Any, list[Any]]:
    """Proximal Adam step of the factors under ``strength * mean(|scale|)``.

    All factors of a network share one second moment, so that step and threshold live in the same
    metric and a dropped feature is exactly zero (soft thresholding: Parikh and Boyd 2014, Proximal
    Algorithms, section 6.5.2; moments: Kingma and Ba 2015, Adam).

    Parameters
    ----------
    scale, gradient : tensor of shape (..., n_features)
        Factors and gradient of the data loss.
    slots : list of tensor
        As `proximal_slots` gives them.
    step : scalar tensor
        Number of steps done before this one.
    rate : scalar tensor
        Learning rate of the factors.
    strength : tensor of shape (...,)
        Strength of the penalty, one for each network.
    n_features : tensor of shape (...,)
        Number of features that count; columns of zeros behind them do not.
    epsilon : float
        Added to the root of the second moment.

    Returns
    -------
    scale : tensor of shape (..., n_features)
        Factors after the step, some of them exactly zero.
    slots : list of tensor
        Moments after the step.
    """
    import tensorflow as tf

    first, second = slots
    first = _BETA_1 * first + (1 - _BETA_1) * gradient
    n_features = n_features[..., None]
    squares = tf.reduce_sum(gradient * gradient, axis=-1, keepdims=True) / n_features
    second = _BETA_2 * second + (1 - _BETA_2) * squares
    count = tf.cast(step + 1, scale.dtype)
    first_hat = first / (1 - tf.constant(_BETA_1, scale.dtype) ** count)
    second_hat = second / (1 - tf.constant(_BETA_2, scale.dtype) ** count)
    eta = tf.cast(rate, scale.dtype) / (tf.sqrt(second_hat) + epsilon)
    threshold = eta * strength[..., None] / n_features
    moved = scale - eta * first_hat
    return tf.sign(moved) * tf.maximum(tf.abs(moved) - threshold, 0), [first, second]
