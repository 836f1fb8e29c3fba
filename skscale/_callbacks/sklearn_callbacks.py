"""Callbacks of scikit-learn (from 1.9 on): tasks for networks and epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skscale._callbacks.callback import Callback, TrainingInfo, Weights
from skscale._callbacks.progress import Progress

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's own class where that has none yet."""


Attributes = Callable[[Weights], Mapping[str, Any]]
"""From the weights of one network to the fitted attributes of an estimator that has it."""


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks are set on an estimator, by its user or by one that it is a part of."""
    # A search marks its estimators in any case: a mark alone must not slow them down.
    return bool(getattr(estimator, "_skl_callbacks", None))


class SklearnCallbackAdapter:
    """The task of one fit, which callbacks are told about from on_train_begin to end.

    A single network has a subtask for each epoch. Several have one for each, with the epochs
    below it; they train side by side, so that none of their epochs is an estimator.

    Parameters
    ----------
    estimator : estimator
        With callbacks.
    X, y : array-like
        As they were given to `fit`.
    metadata : dict or None
        Sample weights, by name.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, metadata: dict[str, Any] | None):
        self._estimator = estimator
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context: Any = None
        self._networks: dict[int, Any] = {}
        self._n_epochs: dict[int, int] = {}

    def _begin(self, n_subtasks: int, *, in_order: bool) -> None:
        # Not before the number of subtasks is known, which progress bars need.
        self._context = self._estimator._init_callback_context(
            max_subtasks=n_subtasks, sequential_subtasks=in_order
        )
        self._context.call_on_fit_task_begin(**self._data)

    def end(self, attributes: Mapping[str, Any]) -> None:
        """Tell that the fit has ended with these fitted attributes."""
        if self._context is None:
            self._begin(0, in_order=True)
        for context in self._networks.values():
            # Those that stopped before their last epoch.
            context.call_on_fit_task_end(**self._data)
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict(attributes))

    def report(self, progress: Progress) -> None:
        """Tell the epochs that a stack of networks has done since it was last heard of."""
        if self._context is None:
            self._begin(progress.n_networks, in_order=False)
        for number in range(progress.n_stacked):
            self._report(progress.first_network + number, progress)

    def _report(self, network: int, progress: Progress) -> None:
        if network >= progress.n_networks:
            return
        if network not in self._n_epochs:
            self._n_epochs[network] = 0
            self._networks[network] = self._context.subcontext(
                task_name="network", task_id=network, max_subtasks=progress.n_epochs
            )
            self._networks[network].call_on_fit_task_begin(**self._data)
        context = self._networks[network]
        for _ in range(self._n_epochs[network], progress.epoch):
            epoch = context.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(**self._data)
            epoch.call_on_fit_task_end(**self._data)
        self._n_epochs[network] = progress.epoch
        if progress.epoch == progress.n_epochs:
            self._networks.pop(network).call_on_fit_task_end(**self._data)

    def observer(self, attributes: Attributes) -> Callback:
        """Return who tells of every epoch of a single network.

        Parameters
        ----------
        attributes : callable
            From weights to fitted attributes, called where a callback asks for an estimator.

        Returns
        -------
        observer : Callback
            Stops the training where a callback asks for it.
        """
        return _Epochs(self, attributes)


class _Epochs(Callback):
    def __init__(self, task: SklearnCallbackAdapter, attributes: Attributes):
        self._task, self._attributes = task, attributes

    def on_train_begin(self, weights: Weights, outlook: TrainingInfo) -> Weights:
        self._task._begin(outlook.n_epochs, in_order=True)
        return weights

    def on_epoch_begin(self, epoch: int, rate: float, weights: Weights) -> Weights:
        self._epoch = self._task._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._task._data)
        return weights

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        copies = [np.array(array) for array in weights]
        stops = self._epoch.call_on_fit_task_end(
            **self._task._data, reconstruction_attributes=lambda: self._attributes(copies)
        )
        return bool(stops), weights
