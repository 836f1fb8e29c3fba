"""Clones, copies and saved states of estimators whose parameters may be Keras objects."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Self, SupportsIndex

from sklearn.base import BaseEstimator

from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._keras.layer_configs import plain_layers
from skscale._keras.options import keras_config
from skscale._parameters import KERAS_FAMILIES
from skscale._state_encoding import check_type, decode, encode
from skscale._state_version import damaged_state, stamped, unstamped

_LAYER_PARAMETERS = ("hidden_layer", "network", "embedding")
_CALLBACKS_TEXT = "skscale_callbacks"


class KerasPicklingMixin:
    """Copies share Keras objects, saved states hold their configs. Stands before `BaseEstimator`.

    Keras copies its objects by saving and loading them, and loses settings such as the delta of
    Huber on the way. Nothing changes these objects here, so that copies may share them.
    """

    callbacks: Any

    _prediction_state: ClassVar[Mapping[str, type]] = {}
    """What a fitted estimator predicts with: attributes and their types."""

    def __getstate__(self) -> dict[str, Any]:
        """Return a state that loads without Keras, of dicts, arrays and JSON-able values.

        Keras parameters become their configs, callbacks of a fitted estimator their text.
        """
        given: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        state = _without_callbacks(given)
        state.update({k: encode(v) for k, v in state.items() if k.startswith("_")})
        if self._saves_callbacks_as_bytes():
            state["callbacks"] = {_CALLBACKS_TEXT: repr(self.callbacks)}
        if sys.modules.get("keras") is not None:
            layers = (state[name] for name in _LAYER_PARAMETERS)
            plain = {name: _plain(name, state[name]) for name in KERAS_FAMILIES if name in state}
            state.update({**plain, **plain_layers(*layers)})
        return stamped(state)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Return what pickle takes, which carries callbacks too, as it runs code in any case."""
        reduced: Any = super().__reduce_ex__(protocol)
        if not self._saves_callbacks_as_bytes():
            return reduced
        callbacks = self.callbacks
        if not isinstance(callbacks, PickledCallbacks):
            callbacks = PickledCallbacks(callbacks)
        constructor, arguments, state, *others = reduced
        return constructor, arguments, {**state, "callbacks": callbacks}, *others

    def __dask_tokenize__(self) -> Any:
        """Return what dask tells estimators apart by: of a dataclass it would be the parameters."""
        from dask.base import normalize_token

        return normalize_token((type(self), self.__getstate__()))

    def _saves_callbacks_as_bytes(self) -> bool:
        """Whether callbacks are of use to `fit` alone, so that nothing else should load them."""
        if self.callbacks is None:
            return False
        return isinstance(self.callbacks, PickledCallbacks) or self.__sklearn_is_fitted__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state of this version or of an earlier one, once it is known to be whole."""
        name = type(self).__name__
        if not isinstance(state, dict):
            raise damaged_state(name, f"it is a {type(state).__name__} instead of a dict.")
        state = unstamped(state, name)
        try:
            state.update({k: decode(v, k) for k, v in state.items() if k.startswith("_")})
            self._check_state(state)
        except Exception as error:  # of any type: the state is what somebody wrote
            raise damaged_state(name, str(error)) from error
        callbacks = state.get("callbacks")
        if isinstance(callbacks, dict) and _CALLBACKS_TEXT in callbacks:
            state["callbacks"] = PickledCallbacks.without_content(callbacks[_CALLBACKS_TEXT])
        super().__setstate__(state)  # type: ignore[misc]

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a fitted state that does not hold what it predicts with."""
        if "scale_" not in state:
            return
        for name, kind in self._prediction_state.items():
            if name not in state:
                raise ValueError(f"{name} is missing.")
            check_type(state[name], kind, name)
            if kind is float and not math.isfinite(state[name]):
                raise ValueError(f"{name} is {state[name]}.")

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
        copied.__dict__.update(copy.deepcopy(_without_callbacks(vars(self)), memo))
        return copied

    def _keras_objects(self) -> dict[str, Any]:
        """Return the parameters that are no plain values, by name."""
        names = (*KERAS_FAMILIES, *_LAYER_PARAMETERS)
        values = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return {k: v for k, v in values.items() if not (v is None or isinstance(v, str | dict))}


def _without_callbacks(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out what callbacks saw, which stays with the estimator that was fitted."""
    return {name: value for name, value in state.items() if name != "callbacks_"}


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | dict):
        return value
    try:
        return keras_config(KERAS_FAMILIES[name], value, parameter=name)
    except ValueError:
        # Not Keras' to save: pickle itself decides about a callable of the user's own.
        return value
