"""Regularizers and constraints of Keras, one for each weight, in the training precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skscale._keras.objects import KerasConfig, keras_object
from skscale._network.spec import NetworkSpec

OfWeight = Callable[[Any], Any] | None
"""From a weight to its penalty, or to where it may be; None where there is neither."""


def penalties(spec: NetworkSpec, dtype: str) -> list[OfWeight]:
    """Return what is added to the loss.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    dtype : {"float32", "float64"}
        Training precision.

    Returns
    -------
    penalties : list of (callable or None)
        In the order of `NetworkSpec.parameters`.
    """
    return _by_role(spec, "regularizers", spec.regularizers, dtype)


def projections(spec: NetworkSpec, of_layers: Sequence[OfWeight], dtype: str) -> list[OfWeight]:
    """Return what is done to the weights after each step.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    of_layers : sequence of (callable or None)
        Constraints that the layers behind the scaling layer bring along, whose weights come last.
    dtype : {"float32", "float64"}
        Training precision.

    Returns
    -------
    projections : list of (callable or None)
        In the order of `NetworkSpec.parameters`.
    """
    by_role = _by_role(spec, "constraints", spec.constraints, dtype)
    first = len(by_role) - len(of_layers)
    return [
        *by_role[:first],
        *(
            None if project is None else _in_dtype(project, parameter.shape, dtype)
            for project, parameter in zip(of_layers, spec.parameters[first:], strict=True)
        ),
    ]


def _by_role(
    spec: NetworkSpec, family: str, configs: Mapping[str, KerasConfig], dtype: str
) -> list[OfWeight]:
    """Regularizer or constraint of every weight, in the training precision."""
    functions = {role: keras_object(family, config) for role, config in configs.items()}
    return [
        _in_dtype(functions[parameter.role], parameter.shape, dtype)
        if parameter.role in functions
        else None
        for parameter in spec.parameters
    ]


def _in_dtype(
    function: Callable[[Any], Any], shape: tuple[int, ...], dtype: str
) -> Callable[[Any], Any]:
    import tensorflow as tf

    try:
        function(tf.ones(shape, dtype))
    except (TypeError, tf.errors.InvalidArgumentError):
        # It mixes float32 numbers of its own into its arithmetic.
        return lambda weight: tf.cast(function(tf.cast(weight, tf.float32)), dtype)
    return lambda weight: tf.cast(function(weight), dtype)
