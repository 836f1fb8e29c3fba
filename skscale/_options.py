"""What users write for a Keras option, as a JSON-able config: name, config dict, class, instance.

Keras is imported here only when an option is resolved, which is when `fit` needs it anyway.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._network import JSON

FAMILIES = ("initializers", "regularizers", "constraints", "activations", "losses", "optimizers")

# A gate halves its input, so no layer of a given width can end in it.
_REFUSED = {"glu": "it halves the width of its layer; use 'silu' or 'sigmoid'"}


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """End of an error message: the closest allowed name, and all of them."""
    allowed = sorted(allowed)
    lower = {candidate.lower(): candidate for candidate in reversed(allowed)}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"Did you mean {lower[close[0]]!r}? " if close else ""
    return f"{hint}Allowed are: {', '.join(map(repr, allowed))}."


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
    module = importlib.import_module(f"keras.{family}")
    skipped = {"get", "serialize", "deserialize"}
    names = set()
    for name, value in vars(module).items():
        if name.startswith("_") or name in skipped or name in _REFUSED or not callable(value):
            continue
        if inspect.isclass(value) and _is_abstract(value):
            continue
        names.add(name.lower() if family == "optimizers" else name)
    # Classes stand beside functions of the same meaning; the function's name is the shorter.
    return sorted(name for name in names if name.islower()) or sorted(names)


def _is_abstract(cls: type) -> bool:
    return cls.__name__ in {"Initializer", "Regularizer", "Constraint", "Loss", "Optimizer"}


def keras_config(family: str, value: Any, *, parameter: str) -> JSON:
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
        If Keras knows no such name, cannot build the config, or cannot save the object.
    """
    module = importlib.import_module(f"keras.{family}")
    if isinstance(value, str):
        return _named(module, family, value, parameter)
    if inspect.isclass(value):
        value = value()
    if isinstance(value, dict):
        config: JSON = value
    else:
        try:
            config = module.serialize(value)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise InvalidParameterError(
                f"{parameter}={value!r} cannot be saved by Keras: {error}"
            ) from error
    _check_config(module, config, value, parameter)
    return config


def _named(module: Any, family: str, name: str, parameter: str) -> JSON:
    if name in _REFUSED:
        raise InvalidParameterError(f"{parameter}={name!r} cannot be used: {_REFUSED[name]}.")
    try:
        found = module.get(name)
    except (ValueError, TypeError) as error:
        raise InvalidParameterError(
            f"{parameter}={name!r} is no name that keras.{family} knows. "
            + did_you_mean(name, keras_names(family))
        ) from error
    # An optimizer's defaults are part of what its name means; other names speak for themselves.
    return module.serialize(found) if family == "optimizers" else name


def _check_config(module: Any, config: JSON, value: Any, parameter: str) -> None:
    try:
        module.get(config)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidParameterError(
            f"{parameter}={value!r} cannot be rebuilt by Keras from its config. Register a class "
            "or function of your own with keras.saving.register_keras_serializable() first, and "
            f"give a config dict the keys 'class_name' and 'config'. Keras says: {error}"
        ) from error
