"""Keras layers behind the scaling layer: from layers to JSON-able `CustomLayers`, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.layer_configs import (
    layer_config,
    renumber_names,
    with_dtype_and_seed,
    without_floatx,
)
from skscale._keras.objects import KerasConfig
from skscale._keras.private_api import seed_generators
from skscale._keras.seeds import KerasSeeds, are_known, build_layer
from skscale._network.custom_spec import CustomLayers
from skscale._network.parameter import Parameter


def make_custom_layers(
    layers: Sequence[Any],
    n_features: int,
    n_outputs: int,
    *,
    parameter: str,
    seeds: KerasSeeds | None = None,
) -> CustomLayers:
    """Describe Keras layers by their config and the shapes of their weights.

    Parameters
    ----------
    layers : sequence of keras.layers.Layer
        From scaled features to outputs.
    n_features, n_outputs : int
        Width of input and output.
    parameter : str
        Name of the parameter that the layers come from, for error messages.
    seeds : KerasSeeds or None, default=None
        What the layers were built with; the seeds that it gave are no part of the architecture.

    Returns
    -------
    custom_layers : CustomLayers
        Everything needed to build the layers again, in any process that knows their classes.

    Raises
    ------
    InvalidParameterError
        If the layers give something else than one row of `n_outputs` for each row, cannot be
        saved, or have weights that begin with numbers that are not finite.
    """
    import keras

    try:
        building = KerasSeeds(0)
        with building.guard(needed=not are_known(layers)):
            model = keras.Sequential([keras.Input((n_features,)), *layers])
            config = renumber_names(without_floatx(layer_config(model)))
            if seeds is not None:
                config = seeds.left_out_of(config)
            json.dumps(config)
            again = build_model(config, "float32", seeds=building)
    except Exception as error:  # of any type: the layers are the user's
        raise InvalidParameterError(
            f"{parameter} gives layers that cannot be built on {n_features} features (those that "
            "vary) and saved. "
            "Give Keras layers, or classes of your own that are registered with "
            "keras.saving.register_keras_serializable() and have a get_config(). "
            f"Keras says: {error}"
        ) from error
    shape = getattr(model, "output_shape", None)
    if shape != (None, n_outputs):
        raise InvalidParameterError(
            f"{parameter} gives outputs of shape {shape}, but (None, {n_outputs}) is needed: one "
            f"row of {n_outputs} for each row of features. End in keras.layers.Dense({n_outputs})."
        )
    for variable in custom_variables(again):
        if not np.isfinite(np.asarray(variable.value, np.float64)).all():
            raise InvalidParameterError(
                f"{parameter} gives layers of which {variable.path!r} begins with numbers that are "
                "not finite. Give that weight another initializer; where it is not of a layer of "
                "yours, by kernel_initializer or bias_initializer."
            )
    return CustomLayers(
        config,
        tuple(_parameter(i, v) for i, v in enumerate(again.trainable_variables)),
        tuple(
            _parameter(len(again.trainable_variables) + i, v)
            for i, v in enumerate(_statistics(again))
        ),
    )


def _parameter(number: int, variable: Any) -> Parameter:
    shape = tuple(int(n) for n in variable.shape)
    role = "kernel" if variable.name.endswith("kernel") and len(shape) > 1 else "custom"
    return Parameter(f"custom_{number}/{variable.name}", role, shape)


def build_model(
    config: KerasConfig, dtype: str, seed: int = 0, *, seeds: KerasSeeds | None = None
) -> Any:
    """Build the Keras model of custom layers.

    Parameters
    ----------
    config : dict
        As `CustomLayers` has it.
    dtype : {"float32", "float64"}
        Precision.
    seed : int, default=0
        What is added to the seeds in the config.
    seeds : KerasSeeds or None, default=None
        Seeds of what has none; None lets Keras draw them from Python's generator.

    Returns
    -------
    model : keras.Model
        With weights that are drawn.
    """
    return build_layer(with_dtype_and_seed(config, dtype, seed), seeds)


def initialize_custom_layers(custom_layers: CustomLayers, seed: int) -> dict[str, np.ndarray]:
    """Draw the initial weights by the initializers of the layers, by name of the weight."""
    model = build_model(custom_layers.config, "float32", seed, seeds=KerasSeeds(seed))
    parameters = (*custom_layers.parameters, *custom_layers.statistics)
    pairs = zip(parameters, custom_variables(model), strict=True)
    return {parameter.name: np.asarray(variable.value) for parameter, variable in pairs}


def custom_variables(model: Any) -> list[Any]:
    """Return the variables of a built model, trained ones first, as `CustomLayers` lists them."""
    return [*model.trainable_variables, *_statistics(model)]


def generator_states(model: Any) -> set[int]:
    """Return the identities of the variables that random generators of the layers count in."""
    return {id(generator.state) for generator in seed_generators(model)}


def _statistics(model: Any) -> list[Any]:
    states = generator_states(model)
    return [v for v in model.non_trainable_variables if id(v) not in states]
