"""The callbacks of each network: Keras', early stopping, and scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from skscale._callbacks.callback import Callback, CallbackList, EarlyStopping
from skscale._callbacks.keras_callbacks import KerasCallbackAdapter
from skscale._callbacks.sklearn_callbacks import SklearnCallbackAdapter
from skscale._callbacks.used_callbacks import copies, with_folder
from skscale._fitting.preprocess import PreprocessedData
from skscale._inference.ensemble import Ensemble
from skscale._network.spec import NetworkSpec
from skscale._selection.folds import Fold
from skscale._training.evaluate import evaluate_losses


class NetworkCallbacks:
    """Makes callbacks for every network, which keep a state of their own.

    Parameters
    ----------
    data : PreprocessedData
        What the networks are trained on.
    folds : sequence of Fold
        Rows of each network, in turn.
    keras_callbacks : sequence of keras.callbacks.Callback
        Those of the user. A single network calls them, and each of several copies of its own.
    is_single : bool
        Whether there is a single network.
    """

    def __init__(
        self,
        data: PreprocessedData,
        folds: Sequence[Fold],
        keras_callbacks: Sequence[Any],
        *,
        is_single: bool,
    ):
        self._data, self._folds = data, folds
        self._scores_epochs = False
        self._makers: list[Callable[[NetworkSpec], Callback]] = []
        self._keras_callbacks, self._is_single = keras_callbacks, is_single
        self._made: list[CallbackList] = []
        if keras_callbacks:
            self._makers.append(self._keras_adapter)

    def add_early_stopping(self, n_iter_no_change: int) -> None:
        """Stop where the held-out loss no longer falls."""
        self._makers.append(lambda spec: EarlyStopping(n_iter_no_change))

    def score_epochs(self) -> None:
        """Score the held-out rows after every epoch, also where nothing is called then."""
        self._scores_epochs = True

    def add_sklearn(
        self,
        adapter: SklearnCallbackAdapter,
        fitted_attributes: Callable[[Ensemble, Sequence[Fold]], Mapping[str, Any]],
    ) -> None:
        """Call scikit-learn's callbacks after every epoch, with an estimator if they ask for it."""
        self._makers.append(
            lambda spec: adapter.epoch_callback(
                lambda weights: fitted_attributes(self._data.ensemble([weights], spec), self._folds)
            )
        )

    @property
    def factory(self) -> Callable[[int, NetworkSpec], CallbackList] | None:
        """From the number and spec of a network to its callbacks; None where nothing is to do."""
        return self._make if self._makers or self._scores_epochs else None

    def _make(self, number: int, spec: NetworkSpec) -> CallbackList:
        held_out = self._folds[number % len(self._folds)].held_out
        resolved, dataset = self._data.resolved, self._data.dataset

        def score(weights: Sequence[np.ndarray]) -> float:
            losses = evaluate_losses(spec, resolved.compile_config, weights, dataset, held_out)
            return float(np.average(losses, weights=dataset.weights[held_out]))

        callbacks = [make(spec) for make in self._makers]
        self._made.append(CallbackList(callbacks, score if len(held_out) else None))
        return self._made[-1]

    def _keras_adapter(self, spec: NetworkSpec) -> KerasCallbackAdapter:
        callbacks, resolved = self._keras_callbacks, self._data.resolved
        if not self._is_single:
            number = len(self._made)
            callbacks = [with_folder(callback, number) for callback in copies(callbacks)]
        return KerasCallbackAdapter(callbacks, spec, resolved.compile_config, resolved.config.dtype)

    def rest(self) -> None:
        """Let all callbacks go of their networks."""
        for callbacks in self._made:
            callbacks.rest()
