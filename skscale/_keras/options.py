"""What users write for a Keras option, as a JSON-able config: name, config dict, class, instance.

Keras is imported here only when an option is resolved, which is when `fit` needs it anyway.
"""

from __future__ import annotations

import functools
import inspect
import json
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import did_you_mean
from skscale._keras.config_numbers import check_numbers
from skscale._keras.initializers import build_initializer, complete_initializer
from skscale._keras.objects import KerasConfig, keras_object
from skscale._keras.private_api import loss_arguments
from skscale._keras.quiet_import import keras_module

FAMILIES = ("initializers", "regularizers", "constraints", "activations", "losses", "optimizers")

# What modules of Keras export besides objects to use: tools, base classes, two functions that no
# layer can end in (see `skscale._network.activations`), and an initializer of convolution kernels.
_TOOLS = frozenset({"get", "serialize", "deserialize"})
_BASES = frozenset({"Initializer", "Regularizer", "Constraint", "Loss", "Optimizer"})
_UNUSABLE = frozenset({"glu", "threshold", "stft"})

# Parameters that take "auto" besides Keras' names.
_WITH_AUTO = frozenset(
    {"scale_regularizer", "kernel_initializer", "bias_initializer", "loss", "optimizer"}
)

_KerasErrors = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError)
"""What Keras raises on names, configs and objects that it cannot use."""


def keras_names(family: str) -> list[str]:
    """Names that Keras takes for a family of objects, in its snake case.

    Parameters
    ----------
    family : str
        A module of Keras: one of `FAMILIES`.

    Returns
    -------
    names : list of str
        Sorted.
    """
    exported = vars(keras_module(family))
    callables = {name: value for name, value in exported.items() if callable(value)}
    if family == "optimizers":
        names = {name.lower() for name in callables}
    else:
        # A class stands beside its snake case, or beside a function of the same meaning.
        names = {name for name in callables if name.islower()}
        spellings = {name.replace("_", "") for name in names}
        objects = {id(callables[name]) for name in names}
        names |= {
            name
            for name, value in callables.items()
            if name.lower() not in spellings and id(value) not in objects
        }
    return sorted(name for name in names - _UNUSABLE if _is_known(family, name))


def _is_known(family: str, name: str) -> bool:
    try:
        return _get(family, name) is not None
    except _KerasErrors:
        return False


def keras_config(family: str, value: Any, *, parameter: str) -> KerasConfig:
    """Turn what a user wrote into a name or a config dict that Keras takes.

    Parameters
    ----------
    family : str
        A module of Keras: one of `FAMILIES`.
    value : str, dict, class, callable or Keras object
        The option.
    parameter : str
        Name of the parameter, for the error message.

    Returns
    -------
    config : str or dict
        JSON-able.

    Raises
    ------
    InvalidParameterError
        If Keras knows no such name, cannot build the config, or cannot save the object, or if a
        number in its config means nothing.
    """
    module = keras_module(family)
    if family == "initializers":
        value = complete_initializer(value)
    if isinstance(value, str):
        # What users register under a name may be something else the next time.
        is_fixed = family == "optimizers" or hasattr(module, value)
        find = _cached_config if is_fixed else _named_config
        return json.loads(find(family, value, parameter))
    config = value if isinstance(value, dict) else _serialized(module, value, parameter)
    check_numbers(family, config, value, parameter=parameter)
    try:
        instance = _get(family, config)
    except _KerasErrors as error:
        raise InvalidParameterError(
            f"{parameter}={value!r} cannot be rebuilt by Keras from its config. Register a class "
            "or function of your own with keras.saving.register_keras_serializable() first, and "
            "give a config dict the keys 'class_name' and 'config', as keras."
            f"{family}.serialize() does. Keras says: {error}"
        ) from None
    _check_kind(family, instance, value, parameter)
    if family == "optimizers":
        return _optimizer_config(module, instance, None if inspect.isclass(value) else config)
    # The config of a function that Keras has is the function's name.
    return _json_able(module.serialize(instance) if inspect.isfunction(instance) else config)


def _check_kind(family: str, instance: Any, value: Any, parameter: str) -> None:
    """Refuse what Keras has for another purpose; a class of the user needs no base class."""
    import keras

    kinds = {
        "initializers": keras.initializers.Initializer,
        "regularizers": keras.regularizers.Regularizer,
        "constraints": keras.constraints.Constraint,
        "losses": keras.losses.Loss,
        "optimizers": keras.optimizers.Optimizer,
        "metrics": keras.metrics.Metric,
        "layers": keras.layers.Layer,
    }
    # A layer without weights may be an activation.
    allowed = {family, "layers"} if family == "activations" else {family}
    # Some are built from their config as something else of the same name.
    candidates = {type(instance), value if inspect.isclass(value) else type(value)}
    for name, kind in kinds.items():
        is_of_kind = any(issubclass(candidate, kind) for candidate in candidates)
        # Functions have no class, but a module.
        is_of_kind |= str(getattr(value, "__module__", "")).startswith(f"keras.src.{name}.")
        if name not in allowed and is_of_kind:
            raise InvalidParameterError(
                f"{parameter}={value!r} is of keras.{name}, but one of keras.{family} is needed. "
                + did_you_mean("", keras_names(family))
            )


def _serialized(module: Any, value: Any, parameter: str) -> KerasConfig:
    if getattr(value, "__name__", "") == "<lambda>":
        raise InvalidParameterError(
            f"{parameter}={value!r} cannot be saved. Use def instead of lambda, and register the "
            "function with keras.saving.register_keras_serializable()."
        )
    try:
        instance = _instance(value) if inspect.isclass(value) else value
        return _completed(module.serialize(instance), instance)
    except _KerasErrors as error:
        raise InvalidParameterError(
            f"{parameter}={value!r} cannot be saved by Keras: {error}"
        ) from None


def _completed(config: KerasConfig, instance: Any) -> KerasConfig:
    """Add what Keras leaves out of the configs of its losses, such as the delta of Huber."""
    settings = loss_arguments(instance)
    if settings:
        parameters = inspect.signature(type(instance)).parameters
        arguments = {name: value for name, value in settings.items() if name in parameters}
        config["config"] = {**arguments, **config["config"]}
    return config


def _instance(cls: type) -> Any:
    if "seed" in inspect.signature(cls).parameters:
        # With a seed, as it draws one otherwise; `build_initializer` adds it to ours.
        return cls(seed=0)
    return cls()


def _named(family: str, name: str, parameter: str) -> Any:
    try:
        return _get(family, name)
    except _KerasErrors:
        allowed = ["auto"] * (parameter in _WITH_AUTO) + keras_names(family)
        raise InvalidParameterError(
            f"{parameter}={name!r} is no name that keras.{family} knows. "
            + did_you_mean(name, allowed)
        ) from None


def _get(family: str, config: KerasConfig) -> Any:
    if family == "initializers":
        instance = build_initializer(config, seed=0)
    else:
        instance = keras_object(family, config)
    kind = instance if inspect.isfunction(instance) else type(instance)
    if isinstance(instance, dict) or kind.__name__ in _TOOLS | _BASES:
        raise ValueError(f"{config!r} does not name one of keras.{family}.")
    return instance


def _named_config(family: str, name: str, parameter: str) -> str:
    """Config of what Keras has by name, as JSON."""
    instance = _named(family, name, parameter)
    if family == "optimizers":
        # Its defaults are read later.
        return json.dumps(_optimizer_config(keras_module(family), instance, name))
    # An activation must have the one name that its NumPy form has; other names stay.
    is_activation = family == "activations"
    return json.dumps(keras_module(family).serialize(instance) if is_activation else name)


# Building an optimizer takes as long as hundreds of steps.
_cached_config = functools.lru_cache(maxsize=256)(_named_config)


def _optimizer_config(module: Any, optimizer: Any, written: KerasConfig) -> KerasConfig:
    config = _json_able(module.serialize(optimizer))
    # Keras rounds it to floatx, which is to decide nothing here.
    settings = (written.get("config") if isinstance(written, dict) else None) or {}
    default = inspect.signature(type(optimizer)).parameters.get("learning_rate")
    rate = settings.get("learning_rate", default and default.default)
    if isinstance(rate, Real):
        config["config"]["learning_rate"] = float(np.float32(rate))
    # Keras numbers the names of its optimizers: with the name, no two configs would be equal, and
    # no compiled program would be used twice.
    config["config"].pop("name", None)
    return config


def _json_able(config: KerasConfig) -> KerasConfig:
    """Plain numbers for the NumPy numbers that a config may hold."""
    return json.loads(json.dumps(config, default=_plain_number))


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is neither a number, a string, a list nor a dict.")
