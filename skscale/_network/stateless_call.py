"""Custom layers as a pure function of tensors, which the compiled program can hold."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.objects import KerasConfig
from skscale._keras.private_api import inner_layers
from skscale._keras.seeds import KerasSeeds
from skscale._network.custom_layers import build_model, generator_states
from skscale._network.custom_spec import CustomLayers

# Keras' random generators count in the second number of their state, once for each draw.
_DRAWS_PER_STEP = 1024
# Between the seeds of two generators of one network: seeds of networks lie closer together.
_SEED_STRIDE = 1_000_003


def stateless_call(custom_layers: CustomLayers, dtype: str) -> StatelessCall:
    """Return the function of custom layers, built once per process for each precision."""
    return _built(custom_layers.key(), dtype)


@functools.lru_cache(maxsize=16)
def _built(key: str, dtype: str) -> StatelessCall:
    return StatelessCall(CustomLayers.from_key(key).config, dtype)


class StatelessCall:
    """Custom layers as a pure function of tensors, in one precision.

    Parameters
    ----------
    config : dict
        As `CustomLayers` has it.
    dtype : {"float32", "float64"}
        Precision.
    """

    def __init__(self, config: KerasConfig, dtype: str):
        self._model = build_model(config, dtype, seeds=KerasSeeds(0))
        self._row_mask = _RowMask()
        for layer in inner_layers(self._model):
            _leave_out_padding(layer, self._row_mask)
        self._dtype = dtype
        self.constraints = [v.constraint for v in self._model.trainable_variables]
        self._generators = generator_states(self._model)

    def __call__(
        self,
        parameters: Sequence[Any],
        statistics: Sequence[Any],
        inputs: Any,
        *,
        row_weights: Any = None,
        seed: Any = 0,
        step: Any = 0,
    ) -> tuple[Any, list[Any], Any]:
        """Run the layers, in training where rows have weights.

        Parameters
        ----------
        parameters, statistics : sequence of tensor
            As `CustomLayers` lists them.
        inputs : tensor of shape (n_rows, n_features)
            Scaled features.
        row_weights : tensor of shape (n_rows,) or None
            Weights of the rows of a training batch; None at inference.
        seed, step : scalar tensor of int32
            Decide random draws.

        Returns
        -------
        outputs : tensor of shape (n_rows, n_outputs)
            Outputs of the last layer.
        statistics : list of tensor
            After the call.
        penalty : scalar tensor
            Sum of the losses that the layers add.
        """
        import tensorflow as tf

        is_training = row_weights is not None
        remaining = iter(statistics)
        variables, states = self._model.non_trainable_variables, []
        for number, variable in enumerate(variables):
            if id(variable) in self._generators:
                state = tf.stack([seed + number * _SEED_STRIDE, step * _DRAWS_PER_STEP])
                states.append(tf.cast(state, variable.dtype))
            else:
                states.append(tf.cast(next(remaining), variable.dtype))
        self._row_mask.mask = None if row_weights is None else row_weights > 0
        try:
            outputs, updated, losses = self._model.stateless_call(
                list(parameters), states, inputs, training=is_training, return_losses=True
            )
        finally:
            self._row_mask.mask = None
        kept = [
            tf.cast(new, self._dtype)
            for new, variable in zip(updated, variables, strict=True)
            if id(variable) not in self._generators
        ]
        penalty = tf.add_n([tf.zeros((), self._dtype), *(tf.cast(x, self._dtype) for x in losses)])
        return tf.cast(outputs, self._dtype), kept, penalty


class _RowMask(threading.local):
    """Which rows of the batch at hand count, of shape (n_rows,); None for all of them."""

    mask: Any = None


def _leave_out_padding(layer: Any, row_mask: _RowMask) -> None:
    """Let a layer that looks at whole batches leave out padding."""
    import keras
    import tensorflow as tf

    if isinstance(layer, keras.layers.BatchNormalization):
        normalize = layer.call

        def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if row_mask.mask is not None:
                shape = (-1, *[1] * (len(inputs.shape) - 2))
                counted = tf.broadcast_to(tf.reshape(row_mask.mask, shape), tf.shape(inputs)[:-1])
                mask = counted if mask is None else counted & mask
            return normalize(inputs, training=training, mask=mask)

        layer.call = call
    penalty = layer.activity_regularizer
    if penalty is not None:

        def penalize(outputs: Any) -> Any:
            if row_mask.mask is None:
                return penalty(outputs)
            shape = (-1, *[1] * (len(outputs.shape) - 1))
            counted = tf.cast(tf.reshape(row_mask.mask, shape), outputs.dtype)
            # Keras divides by the number of all rows.
            share = tf.math.divide_no_nan(tf.ones((), outputs.dtype), tf.reduce_mean(counted))
            return penalty(outputs * counted) * share

        layer.activity_regularizer = penalize


def check_custom_layers(custom_layers: CustomLayers, dtype: str, *, parameter: str) -> None:
    """Run custom layers once, so that what it cannot do is known before training starts.

    Parameters
    ----------
    custom_layers : CustomLayers
        The layers.
    dtype : {"float32", "float64"}
        Training precision.
    parameter : str
        Name of the parameter that the layers come from, for the error message.

    Raises
    ------
    InvalidParameterError
        If the layers fail on two rows.
    """
    import tensorflow as tf

    parameters = (*custom_layers.parameters, *custom_layers.statistics)
    arrays = [tf.ones(parameter.shape, dtype) for parameter in parameters]
    n_trained = len(custom_layers.parameters)
    try:
        call = stateless_call(custom_layers, dtype)
        for constraint, array in zip(call.constraints, arrays, strict=False):
            if constraint is not None:
                constraint(tf.cast(array, "float32"))
        call(
            arrays[:n_trained],
            arrays[n_trained:],
            tf.ones((2, custom_layers.n_features), dtype),
            row_weights=tf.ones(2, dtype),
            seed=tf.constant(0),
            step=tf.constant(0),
        )
    except Exception as error:  # of any type: the layers are the user's
        raise InvalidParameterError(
            f"{parameter} gives layers that fail in {dtype}. Compute in the dtype of the inputs, "
            f"or set dtype='float32'. Keras says: {error}"
        ) from error
