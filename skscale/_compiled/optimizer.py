"""How one step changes the weights: any Keras optimizer as a pure function.

Tensors in, tensors out, so that one compiled program serves any number of fits, in any number of
threads.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._keras.objects import keras_object
from skscale._keras.private_api import (
    keep_rate_in_float32,
    moving_averages,
    stateless_optimizer_class,
)

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


def is_elementwise(config: dict[str, Any]) -> bool:
    """Whether a serialized Keras optimizer may run on networks stacked along a leading axis."""
    name, settings = config["class_name"], config["config"]
    return (
        # Keras takes class names in any case.
        name.lower() in {known.lower() for known in ELEMENTWISE_OPTIMIZERS}
        and config.get("registered_name") in (None, name)
        and settings.get("clipnorm") is None
        and settings.get("global_clipnorm") is None
    )


class StatelessOptimizer:
    """A Keras optimizer as a pure function of weights, gradients, slots, step and rate.

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
    rate_from_config : bool
        Whether the learning rate, or schedule, of the config is used, or an argument of each step.

    Raises
    ------
    ValueError
        If the optimizer needs control flow over its own state (gradient accumulation, overwriting
        moving averages, loss scaling), which has no stateless form.
    """

    def __init__(
        self,
        config: dict[str, Any],
        shapes: Sequence[tuple[int, ...]],
        dtype: str,
        *,
        rate_from_config: bool,
    ):
        optimizer = keras_object("optimizers", config)
        _refuse_conditional_state(optimizer)
        self._settings = optimizer.get_config()
        # Losses are not scaled here, so gradients must not be scaled back.
        self._settings["loss_scale_factor"] = None
        # The rate of the optimizer itself is rounded to floatx.
        rate = config["config"].get("learning_rate", self._settings["learning_rate"])
        self._settings["learning_rate"] = rate if rate_from_config else 1.0
        self._class = stateless_optimizer_class(type(optimizer))
        self._build(shapes, dtype)
        if dtype != "float32" and not self._runs(shapes):
            self._build(shapes, "float32")

    def _build(self, shapes: Sequence[tuple[int, ...]], dtype: str) -> None:
        import keras

        self._dtype = dtype
        self._optimizer = self._class.from_config(copy.deepcopy(self._settings))
        keep_rate_in_float32(self._optimizer)
        # Random references tell a slot that starts as a copy of its weight from a constant one.
        draw = np.random.default_rng(0).normal
        weights = [keras.Variable(draw(size=shape), dtype=dtype) for shape in shapes]
        self._optimizer.build(weights)
        # Count of steps and learning rate come from outside: they are no state of ours. The rate
        # of a schedule is no variable.
        outside = {id(self._optimizer.iterations), id(self._optimizer.learning_rate)}
        self._is_slot = [id(variable) not in outside for variable in self._optimizer.variables]
        rate = np.asarray(self._settings["learning_rate"])
        self._starts = [
            rate if variable is self._optimizer.learning_rate else np.asarray(variable.value)
            for variable in self._optimizer.variables
        ]
        self._slots = list(itertools.compress(self._starts, self._is_slot))
        starts = [np.asarray(variable.value) for variable in weights]
        self._copies = {
            i: j
            for i, slot in enumerate(self._slots)
            for j, start in enumerate(starts)
            if slot.size and slot.shape == start.shape and np.array_equal(slot, start)
        }

    def _runs(self, shapes: Sequence[tuple[int, ...]]) -> bool:
        """Whether the optimizer mixes no float32 numbers of its own into its arithmetic."""
        import tensorflow as tf

        zeros = [tf.zeros(shape, self._dtype) for shape in shapes]
        try:
            self.apply(zeros, zeros, self._slots, step=0, rate=None)
        except (TypeError, tf.errors.InvalidArgumentError):
            return False
        return True

    def initial_slots(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Slots before the first step, from the initial weights."""
        return [
            weights[self._copies[i]] if i in self._copies else slot
            for i, slot in enumerate(self._slots)
        ]

    def learning_rate(self, step: Any) -> Any:
        """Learning rate of the config after `step` steps, scalar tensor."""
        import keras

        variables = self._fill(self._slots, step, None)
        mapping = list(zip(self._optimizer.variables, variables, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return keras.ops.convert_to_tensor(self._optimizer.learning_rate)

    def apply(
        self,
        weights: Sequence[Any],
        gradients: Sequence[Any],
        slots: Sequence[Any],
        *,
        step: Any,
        rate: Any,
    ) -> tuple[list[Any], list[Any]]:
        """One update after `step` steps; without a rate the optimizer takes its own."""
        import tensorflow as tf

        dtype = weights[0].dtype
        gradients = [tf.cast(gradient, self._dtype) for gradient in gradients]
        updated, variables = self._optimizer.stateless_apply(
            self._fill(slots, step, rate), gradients, list(weights)
        )
        if dtype != self._dtype:
            # The rounding of an optimizer that computes in float32 stays out of the weights.
            moves = [
                new - tf.cast(old, self._dtype) for new, old in zip(updated, weights, strict=True)
            ]
            updated = [old + tf.cast(move, dtype) for old, move in zip(weights, moves, strict=True)]
        return list(updated), list(itertools.compress(variables, self._is_slot))

    def final_weights(self, weights: Sequence[Any], slots: Sequence[Any]) -> list[Any]:
        """Weights after the last step: the moving averages where the optimizer keeps them."""
        if not self._optimizer.use_ema:
            return list(weights)
        names = list(itertools.compress(self._optimizer.variables, self._is_slot))
        by_variable = {id(variable): slot for variable, slot in zip(names, slots, strict=True)}
        averages = moving_averages(self._optimizer)
        return [by_variable[id(variable)] for variable in averages]

    def _fill(self, slots: Sequence[Any], step: Any, rate: Any) -> list[Any]:
        """Values of all variables of the Keras optimizer, in its order."""
        arguments = {id(self._optimizer.iterations): step}
        if rate is not None:
            arguments[id(self._optimizer.learning_rate)] = rate
        remaining = iter(slots)
        return [
            next(remaining) if is_slot else arguments.get(id(variable), start)
            for variable, is_slot, start in zip(
                self._optimizer.variables, self._is_slot, self._starts, strict=True
            )
        ]


def _refuse_conditional_state(optimizer: Any) -> None:
    name = type(optimizer).__name__
    if hasattr(optimizer, "inner_optimizer"):
        raise ValueError(
            f"optimizer={name} scales losses for float16, which is not a training precision here. "
            "Pass its inner optimizer."
        )
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            f"optimizer={name} hands each weight to an optimizer of its own, which cannot be "
            "compiled. Pass one of them; the scale has a learning rate of its own in any case."
        )
    if optimizer.gradient_accumulation_steps:
        raise ValueError(
            f"optimizer with gradient_accumulation_steps={optimizer.gradient_accumulation_steps!r} "
            "cannot run inside the compiled training program. Set it to None and raise batch_size "
            "instead."
        )
    if optimizer.use_ema and optimizer.ema_overwrite_frequency:
        raise ValueError(
            f"optimizer with ema_overwrite_frequency={optimizer.ema_overwrite_frequency!r} cannot "
            "run inside the compiled training program. Set it to None: the averages become the "
            "weights after the last step."
        )
