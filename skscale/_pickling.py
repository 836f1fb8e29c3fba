"""Clones, copies and pickles of estimators whose parameters may be Keras objects."""

from __future__ import annotations

import copy
import sys
from typing import Any, Self

from sklearn.base import BaseEstimator

from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._keras.layer_configs import plain_layers
from skscale._keras.options import keras_config
from skscale._parameters import KERAS_FAMILIES

_LAYER_PARAMETERS = ("hidden_layer", "network", "embedding")


class KerasPicklingMixin:
    """Copies share Keras objects, pickles hold their configs. Stands before `BaseEstimator`.

    Keras copies its objects by saving and loading them, and loses settings such as the delta of
    Huber on the way. Nothing changes these objects here, so that copies may share them.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return a state that loads without Keras: Keras parameters become their configs."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        if sys.modules.get("keras") is None:
            return state
        plain = {name: _plain(name, state[name]) for name in KERAS_FAMILIES if name in state}
        is_live = not isinstance(state["callbacks"], PickledCallbacks | None)
        if is_live and self.__sklearn_is_fitted__():
            plain["callbacks"] = PickledCallbacks(state["callbacks"])
        layers = (state[name] for name in _LAYER_PARAMETERS)
        return {**state, **plain, **plain_layers(*layers)}

    def __sklearn_is_fitted__(self) -> bool:
        raise NotImplementedError

    def __sklearn_clone__(self) -> Self:
        """Clone, and keep the very Keras objects."""
        shared, bare = self._keras_objects(), copy.copy(self)
        bare.__dict__.update(dict.fromkeys(shared))
        cloned = BaseEstimator.__sklearn_clone__(bare)
        return cloned.set_params(**shared)

    def __copy__(self) -> Self:
        """Copy within the process, where Keras parameters stay what they are."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy within the process, where Keras parameters stay what they are."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        memo.update({id(value): value for value in self._keras_objects().values()})
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def _keras_objects(self) -> dict[str, Any]:
        """Return the parameters that are no plain values, by name."""
        names = (*KERAS_FAMILIES, *_LAYER_PARAMETERS)
        values = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return {k: v for k, v in values.items() if not (v is None or isinstance(v, str | dict))}


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | dict):
        return value
    try:
        return keras_config(KERAS_FAMILIES[name], value, parameter=name)
    except ValueError:
        # Not Keras' to save: pickle itself decides about a callable of the user's own.
        return value
