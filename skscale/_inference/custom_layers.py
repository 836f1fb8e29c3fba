"""Outputs and input gradients of networks that only Keras can run, compiled once per process."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._keras.private_api import forget_custom_gradients
from skscale._keras.training_process import require_tensorflow
from skscale._network.custom_spec import CustomLayers
from skscale._network.stateless_call import stateless_call

# As many rows as one call sees, so that intermediates of large tables fit into memory.
_CHUNK_ROWS = 8192


def custom_outputs(
    custom_layers: CustomLayers, weights: Sequence[np.ndarray], hidden: np.ndarray
) -> np.ndarray:
    """Compute the outputs of custom layers.

    Parameters
    ----------
    custom_layers : CustomLayers
        The layers.
    weights : sequence of ndarray
        Their trained weights and statistics.
    hidden : ndarray of shape (n_rows, n_features), float32 or float64
        Scaled features, which decide the precision.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        In the dtype of `hidden`.
    """
    runner = _runner(custom_layers, hidden)
    return _in_chunks(runner.outputs, runner.dtype, weights, hidden)


def custom_gradients(
    custom_layers: CustomLayers, weights: Sequence[np.ndarray], hidden: np.ndarray
) -> np.ndarray:
    """Compute the gradients of the outputs of custom layers by their inputs.

    Parameters
    ----------
    custom_layers : CustomLayers
        The layers.
    weights : sequence of ndarray
        Their trained weights and statistics.
    hidden : ndarray of shape (n_rows, n_features), float32 or float64
        Scaled features.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs, n_features)
        In the dtype of `hidden`.
    """
    runner = _runner(custom_layers, hidden)
    return _in_chunks(runner.gradients, runner.dtype, weights, hidden)


def _in_chunks(
    function: Any, dtype: str, weights: Sequence[np.ndarray], hidden: np.ndarray
) -> np.ndarray:
    import tensorflow as tf

    cast, rows = [tf.constant(weight, dtype) for weight in weights], np.asarray(hidden, dtype)
    starts = range(0, max(1, len(rows)), _CHUNK_ROWS)
    parts = [
        function(cast, tf.constant(rows[start : start + _CHUNK_ROWS])).numpy() for start in starts
    ]
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return np.asarray(values, hidden.dtype)


class _Runner:
    """Two compiled functions of weights and rows, for any number of rows."""

    def __init__(self, custom_layers: CustomLayers, dtype: str):
        self.dtype, self._layers = dtype, custom_layers
        self._call, self._n_trained = (
            stateless_call(custom_layers, dtype),
            len(custom_layers.parameters),
        )
        self.outputs = self._compiled(self._outputs)

    @functools.cached_property
    def gradients(self) -> Any:
        """The function of the gradients, compiled when it is first asked for."""
        return self._compiled(self._gradients)

    def _outputs(self, weights: Sequence[Any], hidden: Any) -> Any:
        n = self._n_trained
        return self._call(weights[:n], weights[n:], hidden)[0]

    def _gradients(self, weights: Sequence[Any], hidden: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(hidden)
            values = self._outputs(weights, hidden)
            columns = tf.unstack(values, axis=1)
        rows = [tape.gradient(c, hidden, unconnected_gradients="zero") for c in columns]
        return tf.stack(rows, axis=1)

    def _compiled(self, function: Any) -> Any:
        import tensorflow as tf

        layers = self._layers
        parameters = (*layers.parameters, *layers.statistics)
        weights = [tf.TensorSpec(parameter.shape, self.dtype) for parameter in parameters]
        rows = tf.TensorSpec((None, layers.n_features), self.dtype)
        # A concrete function is one also where the user has all functions run eagerly.
        traced = tf.function(function, autograph=False).get_concrete_function(weights, rows)
        forget_custom_gradients(traced.graph)
        return traced


def _runner(custom_layers: CustomLayers, hidden: np.ndarray) -> _Runner:
    # Those that were compiled before wait for ever in a fork, and run in no graph.
    require_tensorflow()
    return _cached(custom_layers.key(), hidden.dtype.name)


@functools.lru_cache(maxsize=16)
def _cached(key: str, dtype: str) -> _Runner:
    try:
        runner = _Runner(CustomLayers.from_key(key), dtype)
    except Exception as error:  # of any type: the layers are the user's
        if dtype == "float32":
            raise ValueError(
                "The Keras layers of this model cannot be built from their saved config. Import "
                "what registers classes of your own first; if there is none, the saved state was "
                f"changed. Keras says: {error}"
            ) from error
        # Layers that know float32 only were trained in it.
        return _cached(key, "float32")
    return runner
