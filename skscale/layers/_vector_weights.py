"""What a weight with one value for each feature, or unit, can be started and penalized with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from skscale._keras.initializers import complete_initializer
from skscale._keras.objects import keras_object

Shape = Sequence[int | None]
Choice = str | dict[str, Any] | Callable[..., Any] | None

# By name, because STFT is younger than Keras 3 itself.
_MATRIX_INITIALIZERS: tuple[type, ...] = tuple(
    getattr(keras.initializers, name)
    for name in ("Identity", "Orthogonal", "STFT")
    if hasattr(keras.initializers, name)
)
_MATRIX_REGULARIZERS: tuple[type, ...] = (keras.regularizers.OrthogonalRegularizer,)


def keras_initializer(value: Choice) -> Any:
    """Resolve an initializer as Keras does, and by the names that Keras cannot build."""
    return keras.initializers.get(complete_initializer(value))


def keras_regularizer(value: Choice) -> Any:
    """Resolve a regularizer as Keras does, and by the names that Keras exports but misses."""
    is_name = isinstance(value, str)
    return keras_object("regularizers", value) if is_name else keras.regularizers.get(value)


_KINDS = ("initializer", "regularizer", "constraint")


def add_option_weight(layer: Any, name: str, shape: tuple[int, ...]) -> Any:
    """Create a weight of a layer with the options that go by its name, as ``bias_constraint``."""
    options = {kind: getattr(layer, f"{name}_{kind}") for kind in _KINDS}
    return layer.add_weight(name=name, shape=shape, **options)


def option_configs(layer: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the serialized options of the weights of a layer, by the names of its arguments."""
    return {
        f"{name}_{kind}": getattr(keras, f"{kind}s").serialize(getattr(layer, f"{name}_{kind}"))
        for name in names
        for kind in _KINDS
    }


def vector_initializer(parameter: str, value: Choice, *, each: str = "feature") -> Any:
    """Resolve an initializer as Keras does and refuse those that only make matrices.

    Parameters
    ----------
    parameter : str
        Name of the argument, for the error.
    value : str, dict, callable or None
        What the user gave.
    each : {"feature", "unit"}, default="feature"
        What the weight has one value for, for the error.

    Returns
    -------
    keras.initializers.Initializer, callable or None
        The initializer; None stays None.

    Raises
    ------
    ValueError
        If the initializer is unknown or needs a matrix.
    """
    initializer = keras_initializer(value)
    if isinstance(initializer, _MATRIX_INITIALIZERS):
        raise ValueError(
            f"{parameter}={value!r} makes a matrix, but the weight is a vector of shape "
            f"({_LENGTHS[each]},): one value for each {each}. Use an initializer that fills any "
            "shape, for example 'ones', 'zeros', 'glorot_uniform' or "
            "keras.initializers.RandomNormal(mean=1.0, stddev=0.1)."
        )
    return initializer


def vector_regularizer(parameter: str, value: Choice, *, each: str = "feature") -> Any:
    """Resolve a regularizer as Keras does and refuse those that only measure matrices.

    Parameters
    ----------
    parameter : str
        Name of the argument, for the error.
    value : str, dict, callable or None
        What the user gave.
    each : {"feature", "unit"}, default="feature"
        What the weight has one value for, for the error.

    Returns
    -------
    keras.regularizers.Regularizer, callable or None
        The regularizer; None stays None.

    Raises
    ------
    ValueError
        If the regularizer is unknown or needs a matrix.
    """
    regularizer = keras_regularizer(value)
    if isinstance(regularizer, _MATRIX_REGULARIZERS):
        raise ValueError(
            f"{parameter}={value!r} measures a matrix, but the weight is a vector of shape "
            f"({_LENGTHS[each]},): one value for each {each}. Use a regularizer that takes any "
            "shape, for example 'l1', 'l2', 'l1_l2', or None."
        )
    return regularizer


_LENGTHS = {"feature": "n_features", "unit": "units"}
