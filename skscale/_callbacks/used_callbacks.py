"""Callbacks of a user in a training and after it: what they saw stays, and they copy and pickle."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from skscale._callbacks.pickled_callbacks import dumps
from skscale._keras.private_api import tensorboard_writers


def copies(callbacks: Sequence[Any]) -> list[Any]:
    """Copy callbacks, without the models that they have seen elsewhere.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Those of the user.

    Returns
    -------
    copied : list of keras.callbacks.Callback
        Copies that know each other where the callbacks do.

    Raises
    ------
    TypeError
        If one of them cannot be copied.
    """
    try:
        return copy.deepcopy(list(callbacks), _without_models(callbacks))
    except Exception as error:  # of any type: the callbacks are the user's
        raise TypeError(
            f"callbacks={list(callbacks)!r} cannot be copied, but every network of several gets a "
            "copy of its own, and so does every clone of an estimator. Open files and locks in "
            f"on_train_begin. Python says: {error}"
        ) from error


def with_folder(callback: Any, number: int) -> Any:
    """Let a TensorBoard of one of several networks write to a folder of its own.

    Parameters
    ----------
    callback : keras.callbacks.Callback
        A copy. Others than TensorBoard stay as they are.
    number : int
        Of the network, in the order of training.

    Returns
    -------
    callback : keras.callbacks.Callback
        The same.
    """
    from keras.callbacks import TensorBoard

    if isinstance(callback, TensorBoard):
        callback.log_dir = os.path.join(callback.log_dir, f"network_{number}")
    return callback


class UsedCallbacks:
    """Callbacks that one training uses.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Before the training.
    """

    def __init__(self, callbacks: Sequence[Any]):
        self.callbacks = list(callbacks)
        self._before = [dict(vars(callback)) for callback in self.callbacks]
        self._models = [getattr(callback, "model", None) for callback in self.callbacks]
        self._params = [getattr(callback, "params", None) for callback in self.callbacks]
        self._is_resting = False

    def rest(self) -> None:
        """Take from them model and params, and what cannot be copied, as writers and closed files.

        They have again there what they had before the training.
        """
        from keras.callbacks import Callback

        if self._is_resting:
            return
        self._is_resting = True
        # A callback that keeps nothing is as it was, as parameters of an estimator stay.
        used = zip(self.callbacks, self._models, self._params, strict=True)
        for callback, model, params in used:
            # Not the method of a subclass, which may write the model somewhere.
            Callback.set_model(callback, model)
            Callback.set_params(callback, params)
        for callback, before in zip(self.callbacks, self._before, strict=True):
            for name, value in list(vars(callback).items()):
                if value is before.get(name) or _can_be_copied(value):
                    continue
                if name in before:
                    setattr(callback, name, before[name])
                else:
                    delattr(callback, name)


def _without_models(callbacks: Sequence[Any]) -> dict[int, Any]:
    """Return the memo of a copy that leaves out models, and writers that a `TensorBoard` left."""
    models = [getattr(callback, "model", None) for callback in callbacks]
    memo: dict[int, Any] = {id(model): None for model in models if model is not None}
    for callback in callbacks:
        memo.update({id(v): v for v in vars(callback).values() if isinstance(v, ModuleType)})
        writers = tensorboard_writers(callback)
        if writers is not None:
            memo[id(writers)] = {}
    return memo


def _can_be_copied(value: Any) -> bool:
    # By a pickle, which builds nothing: half a copy of what TensorFlow holds, as a writer does,
    # takes its caches along when it goes.
    try:
        dumps(value)
    except Exception:  # of any type: the value is the user's
        return False
    return not isinstance(value, ModuleType)
