"""How one step changes the weights: a Keras optimizer, and the proximal step of the scale.

Everything here is stateless: tensors in, tensors out, so that one compiled program serves any
number of fits, in any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Optimizers whose update of one entry sees that entry alone: on weights with a leading network
# axis they do what they do on each network by itself. A test walks all that Keras offers.
ELEMENTWISE_OPTIMIZERS = frozenset(
    {
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Ftrl",
        "Lion",
        "Nadam",
        "RMSprop",
        "SGD",
        "ScheduleFreeAdamW",
    }
)

_BETA_1 = 0.9
_BETA_2 = 0.999


def is_elementwise(config: dict[str, Any]) -> bool:
    """Whether a serialized Keras optimizer may run on networks stacked along a leading axis."""
    settings = config["config"]
    return (
        config["class_name"] in ELEMENTWISE_OPTIMIZERS
        and config.get("registered_name") in (None, config["class_name"])
        and settings.get("clipnorm") is None
        and settings.get("global_clipnorm") is None
    )


class StatelessOptimizer:
    """A Keras optimizer as a pure function of weights, gradients and slots.

    Keras gives its TensorFlow optimizers no `stateless_apply`, for the sake of `tf.distribute`:
    the class is rebuilt here with the backend-independent methods of its own base.

    Parameters
    ----------
    config : dict
        A serialized Keras optimizer.
    shapes : sequence of tuple of int
        Shapes of the weights, in order.
    dtype : str
        Dtype of the weights.

    Raises
    ------
    ValueError
        If the optimizer needs control flow over its own state (gradient accumulation, overwriting
        moving averages, loss scaling), which has no stateless form.
    """

    def __init__(self, config: dict[str, Any], shapes: Sequence[tuple[int, ...]], dtype: str):
        import keras

        optimizer = keras.optimizers.deserialize(config)
        _refuse_conditional_state(optimizer)
        self._optimizer = _stateless_class(type(optimizer)).from_config(optimizer.get_config())
        # Random references tell a slot that starts as a copy of its weight from a constant one.
        draw = np.random.default_rng(0).normal
        weights = [keras.Variable(draw(size=shape), dtype=dtype) for shape in shapes]
        self._optimizer.build(weights)
        starts = [np.asarray(variable.value) for variable in weights]
        self._slots = [np.asarray(variable.value) for variable in self._optimizer.variables]
        self._copies = {
            i: j
            for i, slot in enumerate(self._slots)
            for j, start in enumerate(starts)
            if slot.size and slot.shape == start.shape and np.array_equal(slot, start)
        }
        self._rate_index = next(
            (
                i
                for i, variable in enumerate(self._optimizer.variables)
                if variable is self._optimizer._learning_rate
            ),
            None,
        )
        self._average_indices = self._find_averages()

    def _find_averages(self) -> list[int]:
        if not self._optimizer.use_ema:
            return []
        position = {id(variable): i for i, variable in enumerate(self._optimizer.variables)}
        averages = self._optimizer._model_variables_moving_average
        return [position[id(variable)] for variable in averages]

    @property
    def learning_rate(self) -> float | None:
        """The rate in the optimizer's own configuration; None where it is a schedule."""
        return None if self._rate_index is None else float(self._slots[self._rate_index])

    def initial_slots(self, weights: Sequence[Any]) -> list[Any]:
        """Slots before the first step, for the given initial weights."""
        return [
            weights[self._copies[i]] if i in self._copies else slot
            for i, slot in enumerate(self._slots)
        ]

    def current_rate(self, slots: Sequence[Any]) -> Any:
        """The optimizer's own rate at the step that `slots` are at, scalar tensor."""
        import keras

        mapping = list(zip(self._optimizer.variables, slots, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return keras.ops.convert_to_tensor(self._optimizer.learning_rate)

    def apply(
        self, weights: Sequence[Any], gradients: Sequence[Any], slots: Sequence[Any], rate: Any
    ) -> tuple[list[Any], list[Any]]:
        """One update; `rate` replaces the optimizer's own learning rate unless it is None."""
        slots = list(slots)
        if rate is not None and self._rate_index is not None:
            slots[self._rate_index] = rate
        weights, slots = self._optimizer.stateless_apply(slots, list(gradients), list(weights))
        return list(weights), list(slots)

    def final_weights(self, weights: Sequence[Any], slots: Sequence[Any]) -> list[Any]:
        """Weights after the last step: the moving averages where the optimizer keeps them."""
        return [slots[i] for i in self._average_indices] or list(weights)


def _refuse_conditional_state(optimizer: Any) -> None:
    for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        if getattr(optimizer, name, None) and (
            name != "ema_overwrite_frequency" or optimizer.use_ema
        ):
            raise ValueError(
                f"optimizer with {name}={getattr(optimizer, name)!r} cannot run inside the "
                f"compiled training program. Set {name}=None"
                + (" and raise batch_size instead." if name.startswith("gradient") else ".")
            )
    if hasattr(optimizer, "inner_optimizer"):
        raise ValueError(
            f"optimizer={type(optimizer).__name__} scales losses for float16, which is not a "
            "training precision here. Pass its inner optimizer."
        )


def _stateless_class(cls: type) -> type:
    bases = {base.__name__: base for base in cls.__mro__}
    distributed, neutral = vars(bases["TFOptimizer"]), vars(bases["BaseOptimizer"])
    methods = {
        name: method
        for name, method in neutral.items()
        if name in distributed and not name.startswith("__")
    }
    return type(cls.__name__, (cls,), methods)


def proximal_slots(scale_shape: tuple[int, ...], dtype: str) -> list[np.ndarray]:
    """First moment of every factor and the one second moment of each network."""
    return [np.zeros(scale_shape, dtype), np.zeros((*scale_shape[:-1], 1), dtype)]


def proximal_step(
    scale: Any,
    gradient: Any,
    slots: Sequence[Any],
    *,
    step: Any,
    rate: Any,
    strength: Any,
    epsilon: float,
) -> tuple[Any, list[Any]]:
    """Proximal Adam step of the factors under ``strength * mean(|scale|)``.

    All factors of a network share one second moment, so that step and threshold live in the same
    metric and a dropped feature is exactly zero (soft thresholding: Parikh and Boyd 2014, Proximal
    Algorithms, section 6.5.2; moments: Kingma and Ba 2015, Adam).

    Parameters
    ----------
    scale, gradient : tensor of shape (..., n_features)
        Factors and gradient of the data loss.
    slots : list of tensor
        As `proximal_slots` gives them.
    step : scalar tensor
        Number of steps done before this one.
    rate : scalar tensor
        Learning rate of the factors.
    strength : tensor of shape (...,)
        Strength of the penalty, one for each network.
    epsilon : float
        Added to the root of the second moment.

    Returns
    -------
    scale : tensor of shape (..., n_features)
    slots : list of tensor
    """
    import tensorflow as tf

    first, second = slots
    first = _BETA_1 * first + (1 - _BETA_1) * gradient
    squares = tf.reduce_mean(gradient * gradient, axis=-1, keepdims=True)
    second = _BETA_2 * second + (1 - _BETA_2) * squares
    count = tf.cast(step + 1, scale.dtype)
    first_hat = first / (1 - tf.constant(_BETA_1, scale.dtype) ** count)
    second_hat = second / (1 - tf.constant(_BETA_2, scale.dtype) ** count)
    eta = tf.cast(rate, scale.dtype) / (tf.sqrt(second_hat) + epsilon)
    threshold = eta * strength[..., None] / scale.shape[-1]
    moved = scale - eta * first_hat
    return tf.sign(moved) * tf.maximum(tf.abs(moved) - threshold, 0), [first, second]
