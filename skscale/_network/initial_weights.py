"""The initial weights of a network, each from a stream of its own."""

from __future__ import annotations

import functools

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import listed
from skscale._keras.initializers import build_initializer
from skscale._keras.objects import KerasConfig
from skscale._network.auto_initializers import draw_auto, draw_periodic
from skscale._network.custom_layers import initialize_custom_layers
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import NetworkSpec


def initialize_weights(spec: NetworkSpec, random: np.random.Generator) -> list[np.ndarray]:
    """Draw the initial weights of one network.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    random : numpy.random.Generator
        Source of every draw; Keras initializers get a seed derived from it.

    Returns
    -------
    weights : list of ndarray of float32
        In the order of `spec.arrays`, rounded to float32 so that both training precisions start
        from the same values.

    Raises
    ------
    InvalidParameterError
        If an initializer draws numbers that are not finite.
    """
    # A stream for each weight, so that the choice for one moves the draw of no other.
    streams = random.spawn(len(spec.arrays))
    drawn_by_layers = _layer_weights(spec, random)
    return [
        np.asarray(
            drawn_by_layers[parameter.name]
            if parameter.name in drawn_by_layers
            else _draw(parameter, spec.initializers.get(parameter.role), stream),
            np.float32,
        )
        for parameter, stream in zip(spec.arrays, streams, strict=True)
    ]


@functools.singledispatch
def _layer_weights(spec: NetworkSpec, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the weights that layers draw for themselves, by name."""
    return {}


@_layer_weights.register
def _(spec: CustomSpec, random: np.random.Generator) -> dict[str, np.ndarray]:
    return initialize_custom_layers(spec.custom_layers, int(random.integers(2**31 - 1)))


@_layer_weights.register
def _(spec: DenseSpec, random: np.random.Generator) -> dict[str, np.ndarray]:
    if not isinstance(spec.embedding, PeriodicSpec):
        return {}
    return draw_periodic(spec.embedding, spec.n_features, random)


def _draw(
    parameter: Parameter, initializer: KerasConfig | None, random: np.random.Generator
) -> np.ndarray:
    if initializer is None:
        return draw_auto(parameter, random)
    seed = int(random.integers(2**31 - 1))
    option = f"{parameter.role}_initializer={initializer!r}"
    try:
        drawn = _keras_draw(initializer, parameter.shape, seed)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{option} cannot draw an array of shape {parameter.shape}. Keras says: {error}"
        ) from None
    if not np.isfinite(drawn).all():
        raise InvalidParameterError(
            f"{option} draws {listed(drawn[~np.isfinite(drawn)], most=1)} in float32, but no "
            "training begins with that. Give an initializer of finite numbers of usual size."
        )
    return drawn


def _keras_draw(initializer: KerasConfig, shape: tuple[int, ...], seed: int) -> np.ndarray:
    import keras

    drawn = build_initializer(initializer, seed)(shape, dtype="float32")
    return np.asarray(keras.ops.convert_to_numpy(drawn))
