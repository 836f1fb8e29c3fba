"""Keras callbacks, called between the epochs of one network on a Keras model of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skscale._body import body_variables, own_draws
from skscale._frozen import Frozen
from skscale._keras_network import keras_network
from skscale._keras_objects import keras_object
from skscale._network import NetworkSpec
from skscale._step import UpdateRule
from skscale._watch import Observer, Weights

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")

# Keras' own callbacks with a hook for batches that they can do without.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "TerminateOnNaN": lambda callback: True,
    "ModelCheckpoint": lambda callback: callback.save_freq == "epoch",
}


def check_callbacks(callbacks: Any) -> list[Any]:
    """Return Keras callbacks as a list, and refuse what cannot be called between epochs.

    Parameters
    ----------
    callbacks : None, Callback or sequence of Callback
        The parameter.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
        Those of the user, not copied.

    Raises
    ------
    TypeError
        If one of them is no Keras callback.
    ValueError
        If one of them has a hook for batches.
    """
    if callbacks is None:
        return []
    import keras

    if isinstance(callbacks, Frozen):
        callbacks = callbacks.thaw()
    found = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}, but instances of keras.callbacks.Callback are "
                "needed. Callbacks of scikit-learn go to set_callbacks()."
            )
        hooks = [name for name in _BATCH_HOOKS if _is_own(callback, name)]
        is_harmless = _HARMLESS.get(type(callback).__name__, lambda _: False)
        if hooks and not is_harmless(callback):
            raise ValueError(
                f"callbacks holds {callback!r} with {', '.join(hooks)}: batches run inside one "
                "compiled program, which calls nothing. Use on_epoch_begin or on_epoch_end, or "
                "to_scikeras() for Keras' own fit."
            )
    return found


def _is_own(callback: Any, name: str) -> bool:
    import keras

    method = getattr(callback, name)
    return getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, name)


class KerasCallbacks(Observer):
    """Copies of Keras callbacks, and the model that they see.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Those of the user, which stay as they are.
    spec : NetworkSpec
        The network.
    rule : UpdateRule
        Loss and optimizer.
    dtype : {"float32", "float64"}
        Training precision.
    """

    def __init__(self, callbacks: Sequence[Any], spec: NetworkSpec, rule: UpdateRule, dtype: str):
        self._callbacks = [copy.deepcopy(callback) for callback in callbacks]
        self._spec, self._rule, self._dtype = spec, rule, dtype
        self._shown: Weights = []
        # A rate that a callback has set, which ends the schedule of the plan.
        self._rate: float | None = None
        self._logs: dict[str, float] = {}

    def begin(self, weights: Weights, n_epochs: int) -> None:
        """Build the model and tell the callbacks that training begins."""
        import keras

        with own_draws(0):
            self._model = keras_network(self._spec, weights, dtype=self._dtype)
        self._variables = body_variables(self._model)
        self._shown = weights
        self._model.compile(
            optimizer=keras_object("optimizers", self._rule.optimizer),
            loss=keras_object("losses", self._rule.loss),
        )
        self._model.stop_training = False
        self._list = keras.callbacks.CallbackList(
            self._callbacks, model=self._model, epochs=n_epochs, steps=None, verbose=0
        )
        self._list.on_train_begin()

    def epoch_begin(self, epoch: int, rate: float) -> None:
        """Show the rate, and see whether a callback sets another."""
        optimizer = self._model.optimizer
        if self._rule.scheduled and self._rate is None:
            optimizer.learning_rate = rate
        before = float(optimizer.learning_rate)
        self._list.on_epoch_begin(epoch)
        self._take_rate(before)

    def _take_rate(self, before: float) -> None:
        rate = float(self._model.optimizer.learning_rate)
        if rate != before:
            self._rate = rate

    def rates(self, planned: np.ndarray) -> np.ndarray:
        """Return the rate that a callback has set, or those of the plan."""
        return planned if self._rate is None else np.full(len(planned), self._rate)

    def epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Show the weights, and see whether a callback sets others or stops."""
        self._logs = logs
        before = float(self._model.optimizer.learning_rate)
        self._show(weights)
        self._list.on_epoch_end(epoch, logs)
        self._take_rate(before)
        return self._model.stop_training, self._seen()

    def failed(self, loss: float) -> None:
        """Tell callbacks that wait for a NaN."""
        for callback in self._callbacks:
            if type(callback).__name__ in _HARMLESS:
                callback.on_batch_end(0, {"loss": loss})

    def end(self, weights: Weights) -> Weights:
        """Tell the callbacks that training ends, and return the weights that they leave."""
        self._show(weights)
        self._list.on_train_end(self._logs)
        return self._seen()

    def _show(self, weights: Weights) -> None:
        self._shown = weights
        for variable, array in zip(self._variables, weights, strict=True):
            variable.assign(array)

    def _seen(self) -> Weights:
        arrays = [np.asarray(variable.value) for variable in self._variables]
        same = all(np.array_equal(a, b) for a, b in zip(arrays, self._shown, strict=True))
        return self._shown if same else arrays
