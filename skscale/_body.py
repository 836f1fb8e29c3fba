"""Keras layers behind the scaling layer: from layers to a JSON-able body, and back to tensors."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import random as python_random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._network import JSON, Body, Parameter

# Keras' random generators count in the second number of their state, once for each draw.
_DRAWS_A_STEP = 1024
# Between the seeds of two generators of one network: seeds of networks lie closer together.
_SEED_STRIDE = 1_000_003

# Factories of layers and the layers that they build may both ask for it.
_lock = threading.RLock()


@contextmanager
def own_draws(seed: int) -> Iterator[None]:
    """Let Keras objects that are built without a seed take one from here.

    They ask Python's global generator, which is put back: a fit must neither change what the
    user's program draws next, nor depend on what it has drawn.
    """
    with _lock:
        state = python_random.getstate()
        python_random.seed(seed)
        try:
            yield
        finally:
            python_random.setstate(state)


def make_body(layers: Sequence[Any], n_features: int, n_outputs: int, *, parameter: str) -> Body:
    """Describe Keras layers by their config and the shapes of their weights.

    Parameters
    ----------
    layers : sequence of keras.layers.Layer
        From scaled features to outputs.
    n_features, n_outputs : int
        Width of input and output.
    parameter : str
        Name of the parameter that the layers come from, for error messages.

    Returns
    -------
    body : Body
        Everything needed to build the layers again, in any process that knows their classes.

    Raises
    ------
    InvalidParameterError
        If the layers give something else than one row of `n_outputs` for each row, or cannot be
        saved.
    """
    import keras

    try:
        with own_draws(0):
            model = keras.Sequential([keras.Input((n_features,)), *layers])
            config = _renamed(layer_config(model))
            json.dumps(config)
            again = build_model(config, "float32")
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
    return Body(
        config,
        tuple(_parameter(i, v) for i, v in enumerate(again.trainable_variables)),
        tuple(
            _parameter(len(again.trainable_variables) + i, v)
            for i, v in enumerate(_statistics(again))
        ),
    )


def layer_config(layer: Any) -> JSON:
    """Serialize a Keras layer or model, without what a model was compiled with."""
    import keras

    return without_compilation(keras.saving.serialize_keras_object(layer))


def without_compilation(value: Any) -> Any:
    """Leave optimizers and losses out of a config: the training here has its own."""
    if isinstance(value, list | tuple):
        return [without_compilation(item) for item in value]
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != "compile_config"}
        return {key: without_compilation(item) for key, item in kept.items()}
    return value


def _parameter(number: int, variable: Any) -> Parameter:
    shape = tuple(int(n) for n in variable.shape)
    role = "kernel" if variable.name.endswith("kernel") and len(shape) > 1 else "body"
    return Parameter(f"body_{number}/{variable.name}", role, shape)


def build_model(config: JSON, dtype: str, seed: int = 0) -> Any:
    """Build the Keras model of a body's config, in one precision, with seeds of ours."""
    import keras

    return keras.saving.deserialize_keras_object(_adapted(copy.deepcopy(config), dtype, seed))


def draw_body(body: Body, seed: int) -> dict[str, np.ndarray]:
    """Draw the initial weights of a body by its own initializers, by name of the weight."""
    with own_draws(seed):
        model = build_model(body.config, "float32", seed)
    pairs = zip((*body.parameters, *body.statistics), body_variables(model), strict=True)
    return {parameter.name: np.asarray(variable.value) for parameter, variable in pairs}


def body_variables(model: Any) -> list[Any]:
    """Return the variables of a built body, trained ones first, as `Body` lists them."""
    return [*model.trainable_variables, *_statistics(model)]


def body_call(body: Body, dtype: str) -> BodyCall:
    """Return a body's function, built once per process for each precision."""
    return _built(json.dumps(asdict(body), sort_keys=True), dtype)


@functools.lru_cache(maxsize=16)
def _built(key: str, dtype: str) -> BodyCall:
    return BodyCall(json.loads(key)["config"], dtype)


class BodyCall:
    """A body as a pure function of tensors, in one precision.

    Parameters
    ----------
    config : dict
        As `Body` has it.
    dtype : {"float32", "float64"}
        Precision.
    """

    def __init__(self, config: JSON, dtype: str):
        with own_draws(0):
            self._model = build_model(config, dtype)
        self._rows = _Rows()
        for layer in self._model._flatten_layers(include_self=False):
            _see_rows_that_count(layer, self._rows)
        self._dtype = dtype
        self.constraints = [v.constraint for v in self._model.trainable_variables]
        self._generators = {id(generator.state) for generator in _generators(self._model)}

    def __call__(
        self,
        parameters: Sequence[Any],
        statistics: Sequence[Any],
        inputs: Any,
        *,
        row_weights: Any = None,
        seed: Any = 0,
        step: Any = 0,
    ) -> tuple[Any, list[Any], Any]:
        """Run the layers, in training where rows have weights.

        Parameters
        ----------
        parameters, statistics : sequence of tensor
            As `Body` lists them.
        inputs : tensor of shape (n_rows, n_features)
            Scaled features.
        row_weights : tensor of shape (n_rows,) or None
            Weights of the rows of a training batch; None at inference.
        seed, step : scalar tensor of int32
            Decide random draws.

        Returns
        -------
        outputs : tensor of shape (n_rows, n_outputs)
            Outputs of the last layer.
        statistics : list of tensor
            After the call.
        penalty : scalar tensor
            Sum of the losses that the layers add.
        """
        import tensorflow as tf

        is_training = row_weights is not None
        remaining = iter(statistics)
        variables, given = self._model.non_trainable_variables, []
        for number, variable in enumerate(variables):
            if id(variable) in self._generators:
                state = tf.stack([seed + number * _SEED_STRIDE, step * _DRAWS_A_STEP])
                given.append(tf.cast(state, variable.dtype))
            else:
                given.append(tf.cast(next(remaining), variable.dtype))
        self._rows.count = None if row_weights is None else row_weights > 0
        try:
            outputs, updated, losses = self._model.stateless_call(
                list(parameters), given, inputs, training=is_training, return_losses=True
            )
        finally:
            self._rows.count = None
        kept = [
            tf.cast(new, self._dtype)
            for new, variable in zip(updated, variables, strict=True)
            if id(variable) not in self._generators
        ]
        penalty = tf.add_n([tf.zeros((), self._dtype), *(tf.cast(x, self._dtype) for x in losses)])
        return tf.cast(outputs, self._dtype), kept, penalty


class _Rows(threading.local):
    """Which rows of the present batch count, of shape (n_rows,); None for all of them."""

    count: Any = None


def _see_rows_that_count(layer: Any, rows: _Rows) -> None:
    """Let a layer that looks at whole batches leave out padding."""
    import keras
    import tensorflow as tf

    if isinstance(layer, keras.layers.BatchNormalization):
        normalize = layer.call

        def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if rows.count is not None:
                shape = (-1, *[1] * (len(inputs.shape) - 2))
                counted = tf.broadcast_to(tf.reshape(rows.count, shape), tf.shape(inputs)[:-1])
                mask = counted if mask is None else counted & mask
            return normalize(inputs, training=training, mask=mask)

        layer.call = call
    penalty = layer.activity_regularizer
    if penalty is not None:

        def penalize(outputs: Any) -> Any:
            if rows.count is None:
                return penalty(outputs)
            shape = (-1, *[1] * (len(outputs.shape) - 1))
            counted = tf.cast(tf.reshape(rows.count, shape), outputs.dtype)
            # Keras divides by the number of all rows.
            share = tf.math.divide_no_nan(tf.ones((), outputs.dtype), tf.reduce_mean(counted))
            return penalty(outputs * counted) * share

        layer.activity_regularizer = penalize


def check_body(body: Body, dtype: str, *, parameter: str) -> None:
    """Run a body once, so that what it cannot do is known before training starts.

    Parameters
    ----------
    body : Body
        The layers.
    dtype : {"float32", "float64"}
        Training precision.
    parameter : str
        Name of the parameter that the layers come from, for the error message.

    Raises
    ------
    InvalidParameterError
        If the layers fail on two rows.
    """
    import tensorflow as tf

    arrays = [tf.ones(p.shape, dtype) for p in (*body.parameters, *body.statistics)]
    n, n_features = len(body.parameters), body.config["build_config"]["input_shape"][-1]
    try:
        call = body_call(body, dtype)
        for constraint, array in zip(call.constraints, arrays, strict=False):
            if constraint is not None:
                constraint(tf.cast(array, "float32"))
        call(
            arrays[:n],
            arrays[n:],
            tf.ones((2, n_features), dtype),
            row_weights=tf.ones(2, dtype),
            seed=tf.constant(0),
            step=tf.constant(0),
        )
    except Exception as error:  # of any type: the layers are the user's
        raise InvalidParameterError(
            f"{parameter} gives layers that fail in {dtype}. Compute in the dtype of the inputs, "
            f"or set dtype='float32'. Keras says: {error}"
        ) from error


def _statistics(model: Any) -> list[Any]:
    states = {id(generator.state) for generator in _generators(model)}
    return [v for v in model.non_trainable_variables if id(v) not in states]


def _generators(model: Any) -> list[Any]:
    layers = model._flatten_layers()
    return [generator for layer in layers for generator in layer._seed_generators]


_PRECISIONS = ("float32", "float64")


def _adapted(value: Any, dtype: str, seed: int) -> Any:
    """Set the precision, and add a seed of ours to those of the user."""
    if isinstance(value, list):
        return [_adapted(item, dtype, seed) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy" and value["config"].get("name") in _PRECISIONS:
        return {**value, "config": {**value["config"], "name": dtype}}
    adapted: dict[str, Any] = {}
    for key, item in value.items():
        if key == "dtype" and item in _PRECISIONS:
            adapted[key] = dtype
        elif key == "seed" and isinstance(item, int) and not isinstance(item, bool):
            adapted[key] = (item + seed) % (2**31 - 1)
        else:
            adapted[key] = _adapted(item, dtype, seed)
    return adapted


def _renamed(config: JSON) -> JSON:
    """Replace the names that Keras numbered: with them, no two networks would be equal."""
    stems: dict[str, str | None] = {}

    def collect(value: Any) -> None:
        if isinstance(value, list | tuple):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            settings = value.get("config")
            name = settings.get("name") if isinstance(settings, dict) else None
            if isinstance(name, str) and name not in stems:
                stem = _snake_case(str(value.get("class_name")))
                stems[name] = stem if re.fullmatch(rf"{stem}(_\d+)?", name) else None
            for item in value.values():
                collect(item)

    collect(config)
    # A name without a number may be an option's value too, as "softmax" is.
    taken = {name for name, stem in stems.items() if stem in (None, name)}
    names: dict[str, str] = {}
    for name, stem in stems.items():
        if stem is not None and name not in taken:
            numbered = (f"{stem}_{number}" for number in itertools.count(1))
            names[name] = next(n for n in itertools.chain([stem], numbered) if n not in taken)
            taken.add(names[name])

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [rename(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    return rename(config)


def _snake_case(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
