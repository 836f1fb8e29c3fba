"""Numbers in the configs of Keras: those that mean nothing are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, InvalidParameterError

from skscale._keras.objects import KerasConfig
from skscale._keras.quiet_import import keras_module

_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_SHARE = Interval(Real, 0, 1, closed="both")
# The share of what was before in a moving average: with all of it nothing new counts.
_MEMORY = Interval(Real, 0, 1, closed="left")

# By the names that they have in configs of Keras' own classes, and by nothing else: a class that a
# later version adds is checked too. A rate of zero may be raised by a callback.
_RANGES = {
    # Optimizers and their schedules
    "learning_rate": _NOT_NEGATIVE,
    "initial_learning_rate": _NOT_NEGATIVE,
    "end_learning_rate": _NOT_NEGATIVE,
    "warmup_target": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,
    "decay_steps": _POSITIVE,
    "first_decay_steps": _POSITIVE,
    "decay_rate": _NOT_NEGATIVE,
    "beta_1": _MEMORY,
    "beta_2": _MEMORY,
    "adam_beta_1": _MEMORY,
    "adam_beta_2": _MEMORY,
    "rho": _MEMORY,
    "momentum": _MEMORY,
    "ema_momentum": _SHARE,
    "epsilon": _POSITIVE,
    "epsilon_1": _POSITIVE,
    "epsilon_2": _POSITIVE,
    "clip_threshold": _POSITIVE,
    "initial_accumulator_value": _NOT_NEGATIVE,
    "l1_regularization_strength": _NOT_NEGATIVE,
    "l2_regularization_strength": _NOT_NEGATIVE,
    "l2_shrinkage_regularization_strength": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "adam_weight_decay": _NOT_NEGATIVE,
    "adam_lr_ratio": _NOT_NEGATIVE,
    "clipnorm": _POSITIVE,
    "global_clipnorm": _POSITIVE,
    "clipvalue": _POSITIVE,
    # Initializers
    "stddev": _NOT_NEGATIVE,
    "scale": _POSITIVE,
    # Regularizers
    "l1": _NOT_NEGATIVE,
    "l2": _NOT_NEGATIVE,
    "factor": _NOT_NEGATIVE,
    # Constraints
    "min_value": _NOT_NEGATIVE,
    "max_value": _NOT_NEGATIVE,
    "rate": _SHARE,
    # Losses
    "delta": _POSITIVE,
    "gamma": _NOT_NEGATIVE,
    "label_smoothing": _SHARE,
    "q": Interval(Real, 0, 1, closed="right"),
}


def check_numbers(family: str, config: KerasConfig, value: Any, *, parameter: str) -> None:
    """Refuse numbers that mean nothing in the config of a Keras object, at any depth.

    Parameters
    ----------
    family : str
        A module of Keras, as in "losses".
    config : str or dict
        Name or config of the object.
    value : object
        What the user wrote.
    parameter : str
        Name of the parameter, for the error message.

    Raises
    ------
    InvalidParameterError
        If a number is NaN; of Keras' own classes also if it is infinite, or out of the range that
        its name has. What the numbers of other classes mean is theirs to say.
    """
    for name, number, is_of_keras in _numbers(family, config):
        allowed = _RANGES.get(name) if is_of_keras else None
        needed = None
        if np.isnan(number) or (is_of_keras and np.isinf(number)):
            needed = "a finite number"
        elif allowed is not None and number not in allowed:
            needed = str(allowed)
        if needed is not None:
            raise InvalidParameterError(
                f"{parameter}={value!r} has {name}={number!r}, but {needed} is needed."
            )


def _numbers(family: str, config: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield the name of each number, the number, and whether Keras gives the name its meaning."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return
    is_of_keras = _is_of_keras(family, config)
    for name, item in config["config"].items():
        if isinstance(item, dict):
            yield from _numbers(family, item)
        else:
            for number in np.ravel(_plain(item)).tolist():
                yield name, number, is_of_keras


def _plain(item: Any) -> Any:
    """Return the numbers of an item of a config; none where it is something else."""
    try:
        array = np.asarray(item)
    except ValueError:  # lists of different lengths
        return []
    return array if array.dtype.kind in "iuf" else []


def _is_of_keras(family: str, config: dict[str, Any]) -> bool:
    """Whether a config is that of a class that Keras has, and not of one registered by a user."""
    if config.get("module"):
        return config["module"].split(".")[0] == "keras"
    exported = {name.lower() for name in vars(keras_module(family))}
    return str(config.get("registered_name") or config.get("class_name")).lower() in exported
