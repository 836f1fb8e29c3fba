"""From a JSON-able config to the Keras object that it stands for."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from skscale._keras.quiet_import import keras_module


def keras_object(family: str, config: KerasConfig) -> Any:
    """Build a Keras object from its name or config dict, which is left as it is.

    The `get` of Keras misses some of the classes that Keras exports, and changes the dict that it
    is called with.

    Parameters
    ----------
    family : str
        A module of Keras, as in "losses".
    config : str or dict
        Name or config.

    Returns
    -------
    instance : object
        Class names give an instance, function names the function.

    Raises
    ------
    ValueError
        If Keras knows no such object.
    """
    module = keras_module(family)
    try:
        return module.get(copy.deepcopy(config))
    except ValueError:
        if isinstance(config, dict):
            from keras.saving import deserialize_keras_object

            return deserialize_keras_object(config)
        exported = {name.lower(): item for name, item in vars(module).items()}
        if config.lower() not in exported:
            raise
        value = exported[config.lower()]
        return value() if inspect.isclass(value) else value


KerasConfig = Any
"""A value that `json.dumps` takes: the name of a Keras object, or its config dict."""
