"""One training step of one or several networks, as a pure function of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skscale._compiled.forward import Batch, Forward
from skscale._compiled.losses import check_per_sample_loss, per_sample_loss
from skscale._compiled.optimizer import StatelessOptimizer, is_elementwise
from skscale._compiled.packing import Packing
from skscale._compiled.proximal import proximal_slots, proximal_step
from skscale._compiled.regularizers_and_constraints import penalties, projections
from skscale._compiled.rows import Rows
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec


def is_stackable(spec: NetworkSpec, compile_config: CompileConfig) -> bool:
    """Whether several networks may train along a leading axis.

    Constraints, regularizers, functions of the user and unknown optimizers always see one network
    in its own shape.
    """
    return (
        spec.is_stackable
        and check_per_sample_loss(compile_config.loss, spec.n_outputs)
        and is_elementwise(compile_config.optimizer)
        and not spec.constraints
        and not spec.regularizers
    )


class Slots(NamedTuple):
    """What optimizers keep from step to step.

    Parameters
    ----------
    front : list of array or tensor
        Those of the proximal step or the scale's optimizer; empty where the scale has neither.
    rest : list of array or tensor
        Those of the optimizer of the other weights.
    """

    front: list[Any]
    rest: list[Any]


class TrainStep:
    """Gradients of the loss on one batch, then new weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    compile_config : CompileConfig
        How its weights change.
    axis : tuple of int
        Number of networks along a leading axis of every weight; empty for one without that axis.
    dtype : {"float32", "float64"}
        Training precision.
    """

    def __init__(
        self, spec: NetworkSpec, compile_config: CompileConfig, axis: tuple[int, ...], dtype: str
    ):
        self._spec, self._compile_config, self._dtype = spec, compile_config, dtype
        # The scale, alone at the front, has a rate or a step of its own; without either it
        # shares the optimizer of the rest, so that a norm over all gradients is one.
        alone = compile_config.proximal or compile_config.scale_learning_rate_factor != 1.0
        self._n_front = 1 if alone else 0
        self._packing = Packing(
            spec.parameters,
            axis,
            n_front=self._n_front,
            joined=is_elementwise(compile_config.optimizer),
        )
        trained = self._packing.shapes
        self._n_trained = len(trained)
        self.shapes = [*trained, *((*axis, *statistic.shape) for statistic in spec.statistics)]
        self._front = (
            StatelessOptimizer(compile_config.optimizer, trained[:1], dtype, rate_from_config=False)
            if alone and not compile_config.proximal
            else None
        )
        self._rest = StatelessOptimizer(
            compile_config.optimizer,
            trained[self._n_front :],
            dtype,
            rate_from_config=not compile_config.scheduled,
        )
        self._loss = per_sample_loss(compile_config.loss)
        self._forward = Forward(spec, dtype)
        self._penalties = penalties(spec, dtype)
        self._projections = projections(spec, self._forward.constraints, dtype)

    def packed(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Arrays in the shapes that a step works on, from those of `NetworkSpec.arrays`."""
        n_parameters = len(self._spec.parameters)
        trained = self._packing.pack(
            weights[:n_parameters], reshape=np.reshape, concatenate=np.concatenate
        )
        return [*trained, *weights[n_parameters:]]

    def initial_slots(self, weights: Sequence[np.ndarray]) -> Slots:
        """Slots before the first step, from the initial weights."""
        front, rest = weights[: self._n_front], weights[self._n_front : self._n_trained]
        if self._compile_config.proximal:
            front_slots = proximal_slots(self.shapes[0], self._dtype)
        else:
            front_slots = self._front.initial_slots(front) if self._front else []
        return Slots(front_slots, self._rest.initial_slots(rest))

    def final_weights(self, weights: Sequence[np.ndarray], slots: Slots) -> list[np.ndarray]:
        """Weights to predict with, in the order of `NetworkSpec.arrays`, if these were the last."""
        front, rest = list(weights[: self._n_front]), weights[self._n_front : self._n_trained]
        if self._front:
            front = self._front.final_weights(front, slots.front)
        trained = [*front, *self._rest.final_weights(rest, slots.rest)]
        return [*self._packing.unpack(trained, reshape=np.reshape), *weights[self._n_trained :]]

    def gradients(
        self, weights: Sequence[Any], rows: Rows, *, seeds: Any, step: Any
    ) -> tuple[Any, list[Any], list[Any]]:
        """Weighted mean loss with the penalties of regularizers, and its gradients.

        Parameters
        ----------
        weights : sequence of tensor
            As `packed` gives them.
        rows : Rows
            Those of the batch.
        seeds : tensor of int32 of shape (...,)
            Decide random draws, one for each network.
        step : scalar tensor of int32
            Number of steps done before.

        Returns
        -------
        loss : tensor of shape (...,)
            One value for each network.
        gradients : list of tensor
            In the order and the shapes of the trained weights.
        statistics : list of tensor
            In the order of `NetworkSpec.statistics`, after the step.
        """
        import tensorflow as tf

        inputs, targets, row_weights = rows
        trained = self._packing.unpack(weights[: self._n_trained], reshape=tf.reshape)
        with tf.GradientTape() as tape:
            tape.watch(trained)
            outputs = self._forward(
                [*trained, *weights[self._n_trained :]],
                inputs,
                batch=Batch(row_weights, seeds, step),
            )
            # Keras would take what it remembers as the logits of a softmax for those of sigmoids.
            losses = self._loss(targets, tf.identity(outputs.values))
            # Weights may round to zero in float32; a batch without any then moves nothing.
            loss = tf.math.divide_no_nan(
                tf.reduce_sum(row_weights * losses, -1), tf.reduce_sum(row_weights, -1)
            )
            for penalty, weight in zip(self._penalties, trained, strict=True):
                if penalty is not None:
                    loss += penalty(weight)
            if outputs.penalty is not None:
                loss += outputs.penalty
            total = tf.reduce_sum(loss)
        gradients = tape.gradient(total, trained, unconnected_gradients="zero")
        packed = self._packing.pack(gradients, reshape=tf.reshape, concatenate=tf.concat)
        return loss, packed, outputs.statistics

    def update(
        self,
        weights: Sequence[Any],
        gradients: Sequence[Any],
        slots: Slots,
        *,
        step: Any,
        rate: Any,
        strengths: Any,
        decays: Any,
        n_features: Any,
    ) -> tuple[list[Any], Slots]:
        """Return new weights and slots.

        Parameters
        ----------
        weights, gradients : sequence of tensor
            In the order and the shapes of the trained weights.
        slots : Slots
            As `initial_slots` gives them.
        step : scalar tensor of int32
            Number of steps done before.
        rate : scalar tensor of float32
            Learning rate; not used where the optimizer keeps its own.
        strengths, decays : tensor of shape (...,)
            Strength of the penalty on the scale and decoupled weight decay of the kernels.
        n_features : tensor of shape (...,)
            Number of features that count in the mean of the penalty.

        Returns
        -------
        weights : list of tensor
            After the step and its projections.
        slots : Slots
            After the step.
        """
        import tensorflow as tf

        n_front, factor = self._n_front, self._compile_config.scale_learning_rate_factor
        scheduled_rate = rate if self._compile_config.scheduled else None
        rate = rate if self._compile_config.scheduled else self._rest.learning_rate(step)
        rest, rest_slots = self._rest.apply(
            weights[n_front:], gradients[n_front:], slots.rest, step=step, rate=scheduled_rate
        )
        front, front_slots = [], slots.front
        if self._compile_config.proximal:
            moved, front_slots = proximal_step(
                weights[0],
                gradients[0],
                slots.front,
                step=step,
                rate=rate * factor,
                strength=strengths,
                n_features=n_features,
                epsilon=self._compile_config.proximal_epsilon,
            )
            front = [moved]
        elif self._front:
            front, front_slots = self._front.apply(
                weights[:1], gradients[:1], slots.front, step=step, rate=rate * factor
            )
        if self._compile_config.slow_learning_rate_factor != 1.0:
            rest = self._slowed(weights[n_front:], rest)
        updated = [
            self._decayed(old, new, n_decayed, tf.cast(rate, new.dtype) * decays)
            for old, new, n_decayed in zip(
                weights, (*front, *rest), self._packing.n_decayed, strict=True
            )
        ]
        if any(self._projections):
            updated = self._projected(updated)
        return updated, Slots(list(front_slots), list(rest_slots))

    def _slowed(self, old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
        """Let weights of a lower rate go a part of their way, which is what a rate stands for."""
        factor = self._compile_config.slow_learning_rate_factor
        is_slow = self._packing.is_slow[self._n_front :]
        return [
            before + factor * (after - before) if slow else after
            for before, after, slow in zip(old, new, is_slow, strict=True)
        ]

    def _decayed(self, old: Any, new: Any, n_decayed: int, shrinkage: Any) -> Any:
        """Subtract the decoupled weight decay of the kernels, which come first in an array."""
        import tensorflow as tf

        n_axes = len(shrinkage.shape)
        if not n_decayed:
            return new
        shrinkage = tf.reshape(shrinkage, (*shrinkage.shape, *[1] * (len(new.shape) - n_axes)))
        n_entries = math.prod(new.shape[n_axes:])
        if n_decayed < n_entries:
            shrinkage *= tf.cast(tf.range(n_entries) < n_decayed, new.dtype)
        return new - shrinkage * old

    def _projected(self, packed: Sequence[Any]) -> list[Any]:
        """Apply the constraints, each to a weight in its own shape."""
        import tensorflow as tf

        weights = self._packing.unpack(packed, reshape=tf.reshape)
        projected = [
            weight if project is None else project(weight)
            for weight, project in zip(weights, self._projections, strict=True)
        ]
        return self._packing.pack(projected, reshape=tf.reshape, concatenate=tf.concat)
