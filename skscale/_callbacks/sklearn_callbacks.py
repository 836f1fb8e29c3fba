"""Callbacks of scikit-learn (from 1.9 on), which see a fit as a tree of tasks."""

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


FittedAttributes = Callable[[Weights], Mapping[str, Any]]
"""From the weights of one network to the fitted attributes of an estimator that has it."""


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks are set on an estimator, by its user or by one that it is a part of."""
    # A search marks its estimators in any case: a mark alone must not slow them down.
    return bool(getattr(estimator, "_skl_callbacks", None))


class SklearnCallbackAdapter:
    """Calls scikit-learn's callbacks for the task of one fit and its subtasks.

    A single network has a subtask for each epoch. Several have one for each network, with the
    epochs below it; they train side by side, so that none of their epochs is an estimator.

    Parameters
    ----------
    estimator : estimator
        With callbacks.
    X, y : array-like
        The very arguments of `fit`: a scorer asks for the names of the features again.
    metadata : dict or None
        Sample weights, by name.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, metadata: dict[str, Any] | None):
        self._estimator = estimator
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context: Any = None
        self._networks: dict[int, Any] = {}
        self._n_epochs: dict[int, int] = {}

    def on_fit_begin(self, n_subtasks: int, *, in_order: bool) -> None:
        """Begin the task, as soon as the number of subtasks is known: progress bars need it."""
        self._context = self._estimator._init_callback_context(
            max_subtasks=n_subtasks, sequential_subtasks=in_order
        )
        self._context.call_on_fit_task_begin(**self._data)

    def on_fit_end(self, attributes: Mapping[str, Any]) -> None:
        """End the task; the estimator has these fitted attributes."""
        if self._context is None:
            self.on_fit_begin(0, in_order=True)
        for context in self._networks.values():
            # Those that stopped before their last epoch.
            context.call_on_fit_task_end(**self._data)
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict(attributes))

    def on_progress(self, progress: Progress) -> None:
        """Begin and end the epochs that a stack of networks has done since the last call."""
        if self._context is None:
            self.on_fit_begin(progress.n_networks, in_order=False)
        first = progress.first_network
        # The last stack may be filled up with a network that is there already.
        for network in range(first, min(first + progress.n_stacked, progress.n_networks)):
            self._add_epochs(network, progress)

    def _add_epochs(self, network: int, progress: Progress) -> None:
        if network not in self._n_epochs:
            self._n_epochs[network] = 0
            self._networks[network] = self._context.subcontext(
                task_name="network", task_id=network, max_subtasks=progress.n_epochs
            )
            self._networks[network].call_on_fit_task_begin(**self._data)
        if network not in self._networks:
            # Where another point has taken the lead, further networks are trained once more under
            # the numbers of those of the first, whose tasks have ended.
            return
        context = self._networks[network]
        for _ in range(self._n_epochs[network], progress.epoch):
            self._begin_epoch(context).call_on_fit_task_end(**self._data)
        self._n_epochs[network] = progress.epoch
        if progress.epoch == progress.n_epochs:
            self._networks.pop(network).call_on_fit_task_end(**self._data)

    def begin_epoch(self) -> Any:
        """Begin a subtask of the fit, and return its context."""
        return self._begin_epoch(self._context)

    def _begin_epoch(self, context: Any) -> Any:
        epoch = context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self._data)
        return epoch

    def end_epoch(self, epoch: Any, attributes: Callable[[], Mapping[str, Any]]) -> bool:
        """End a subtask, and return whether a callback stops the training."""
        return bool(epoch.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes))

    def epoch_callback(self, fitted_attributes: FittedAttributes) -> Callback:
        """Return the callback of a single network, with a subtask for each epoch.

        Parameters
        ----------
        fitted_attributes : callable
            From weights to fitted attributes; called only where one of scikit-learn's callbacks
            asks for an estimator.

        Returns
        -------
        callback : Callback
            Stops the training where one of scikit-learn's callbacks does.
        """
        return _EpochCallback(self, fitted_attributes)


class _EpochCallback(Callback):
    def __init__(self, adapter: SklearnCallbackAdapter, fitted_attributes: FittedAttributes):
        self._adapter, self._fitted_attributes = adapter, fitted_attributes

    def on_train_begin(self, weights: Weights, info: TrainingInfo) -> Weights:
        self._adapter.on_fit_begin(info.n_epochs, in_order=True)
        return weights

    def on_epoch_begin(self, epoch: int, learning_rate: float, weights: Weights) -> Weights:
        self._epoch = self._adapter.begin_epoch()
        return weights

    def on_epoch_end(
        self, epoch: int, logs: dict[str, float], weights: Weights
    ) -> tuple[bool, Weights]:
        copies = [np.array(array) for array in weights]
        stops = self._adapter.end_epoch(self._epoch, lambda: self._fitted_attributes(copies))
        return stops, weights
