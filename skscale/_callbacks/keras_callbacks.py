"""Keras callbacks, called between the epochs of one network on a Keras model of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._callbacks.batch_hooks import check_batch_hooks
from skscale._callbacks.callback import Callback, TrainingInfo, Weights
from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._callbacks.used_callbacks import UsedCallbacks, copies
from skscale._keras.objects import keras_object
from skscale._network.compile_config import CompileConfig
from skscale._network.custom_layers import custom_variables
from skscale._network.keras_model import keras_network
from skscale._network.spec import NetworkSpec


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
        If one of them is no Keras callback, or cannot be copied.
    ValueError
        If one of them has a hook for batches.

    Warns
    -----
    UserWarning
        If one of them logs by batch too.
    """
    if callbacks is None:
        return []
    import keras

    if isinstance(callbacks, PickledCallbacks):
        callbacks = callbacks.load()
    listed = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in listed:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds {callback!r}, but instances of keras.callbacks.Callback are "
                "needed. Callbacks of scikit-learn go to set_callbacks()."
            )
    check_batch_hooks(listed)
    copies(listed)
    return listed


class KerasCallbackAdapter(Callback):
    """Calls Keras callbacks on a Keras model of the network.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Those of this network alone.
    spec : NetworkSpec
        The network.
    compile_config : CompileConfig
        Loss and optimizer.
    dtype : {"float32", "float64"}
        Training precision.
    """

    def __init__(
        self, callbacks: Sequence[Any], spec: NetworkSpec, compile_config: CompileConfig, dtype: str
    ):
        self._used = UsedCallbacks(callbacks)
        self._spec, self._compile_config, self._dtype = spec, compile_config, dtype
        # Those that the model has.
        self._weights: Weights = []
        # A rate that a callback has set, which ends the schedule.
        self._learning_rate: float | None = None
        self._was_rate_set = False
        self._logs: dict[str, float] = {}

    def on_train_begin(self, weights: Weights, info: TrainingInfo) -> Weights:
        """Build the model before its callbacks begin."""
        import keras

        self._model = keras_network(self._spec, weights, dtype=self._dtype)
        self._variables = custom_variables(self._model)
        self._weights, self._n_batches = weights, info.n_batches
        self._model.compile(
            optimizer=keras_object("optimizers", self._compile_config.optimizer),
            loss=keras_object("losses", self._compile_config.loss),
        )
        # A model that is saved with its optimizer needs the slots to load without complaint.
        self._optimizer.build(self._model.trainable_variables)
        self._set_learning_rate(info.learning_rate)
        self._record_assignments_of_the_rate()
        self._model.stop_training = False
        self._list = keras.callbacks.CallbackList(
            self._used.callbacks,
            model=self._model,
            epochs=info.n_epochs,
            steps=info.n_batches,
            verbose=0,
        )
        self._call("on_train_begin")
        return self._read_weights()

    def on_epoch_begin(self, epoch: int, learning_rate: float, weights: Weights) -> Weights:
        """Return other weights where a callback sets them; it may also set another rate."""
        if self._learning_rate is None:
            self._set_learning_rate(learning_rate)
        # The model has these weights already, but maybe in other arrays.
        self._weights = weights
        self._call("on_epoch_begin", epoch)
        return self._read_weights()

    def learning_rates(self, scheduled: np.ndarray) -> np.ndarray:
        """Return the rate that a callback has set, or the scheduled ones."""
        if self._learning_rate is None:
            return scheduled
        return np.full(len(scheduled), self._learning_rate)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        """Return whether a callback stops, and other weights where one sets them."""
        self._set_weights(weights)
        self._optimizer.iterations.assign((epoch + 1) * self._n_batches)
        # A copy, because callbacks add to it.
        self._logs = dict(logs)
        self._call("on_epoch_end", epoch, self._logs)
        return self._model.stop_training, self._read_weights()

    def on_diverged(self) -> None:
        """Call those that wait for a NaN."""
        from keras.callbacks import TerminateOnNaN

        for callback in self._used.callbacks:
            if isinstance(callback, TerminateOnNaN):
                callback.on_batch_end(0, {"loss": np.nan})

    def on_train_end(self, weights: Weights) -> Weights:
        """Return the weights that the callbacks leave."""
        self._set_weights(weights)
        self._list.on_train_end(self._logs)
        return self._read_weights()

    @property
    def keras_callbacks(self) -> Sequence[Any]:
        """The callbacks."""
        return self._used.callbacks

    def rest(self) -> None:
        """Leave the callbacks without a model, as nothing that is fitted holds one."""
        self._used.rest()
        self._model = self._list = None
        self._variables = []

    @property
    def _optimizer(self) -> Any:
        return self._model.optimizer

    def _set_learning_rate(self, learning_rate: float) -> None:
        if self._compile_config.scheduled:
            self._optimizer.learning_rate = learning_rate

    def _record_assignments_of_the_rate(self) -> None:
        """Notice also where a callback sets the rate that is there already."""
        variable = self._optimizer.learning_rate
        assign = getattr(variable, "assign", None)
        if assign is None:
            return

        def recorded(value: Any) -> Any:
            self._was_rate_set = True
            return assign(value)

        variable.assign = recorded

    def _call(self, hook: str, *arguments: Any) -> None:
        """Call a hook of all callbacks, and take the rate that one of them sets."""
        before, self._was_rate_set = float(self._optimizer.learning_rate), False
        getattr(self._list, hook)(*arguments)
        rate = float(self._optimizer.learning_rate)
        is_set = self._was_rate_set or rate != before
        if is_set and not self._compile_config.scheduled:
            raise ValueError(
                f"A callback sets the learning rate to {rate}, but the optimizer has a schedule of "
                "its own. Give it a float learning_rate, or leave it to its schedule."
            )
        if is_set or self._learning_rate is not None:
            self._learning_rate = rate

    def _set_weights(self, weights: Weights) -> None:
        self._weights = weights
        for variable, array in zip(self._variables, weights, strict=True):
            variable.assign(array)

    def _read_weights(self) -> Weights:
        """Return the weights of the model: the very list that it got, where they are equal."""
        # Counts are whole numbers in Keras, but not here.
        arrays = [np.asarray(variable.numpy(), self._dtype) for variable in self._variables]
        same = all(np.array_equal(a, b) for a, b in zip(arrays, self._weights, strict=True))
        return self._weights if same else arrays
