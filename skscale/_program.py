"""The compiled program: many steps of one or several networks in a single XLA call."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from skscale._batches import MAX_BLOCK_STEPS
from skscale._network import JSON, NetworkSpec, forward_tensors
from skscale._objective import check_row_loss, row_loss
from skscale._updates import StatelessOptimizer, is_elementwise, proximal_slots, proximal_step

# A compiled program takes some MB; a search over architectures must not keep them all.
_MAX_PROGRAMS = 32


@dataclass(frozen=True)
class UpdateRule:
    """How weights change; together with the network, what a program is compiled for.

    Parameters
    ----------
    loss : str or dict
        Keras loss by name or config.
    optimizer : dict
        Serialized Keras optimizer.
    scheduled : bool
        Whether the rates of `State` replace the optimizer's own learning rate.
    proximal : bool
        Whether the scale is updated by the proximal step instead of the optimizer.
    scale_rate_factor : float
        Learning rate of the scale over that of the other weights.
    proximal_epsilon : float
        Added to the root of the second moment in the proximal step.
    """

    loss: JSON
    optimizer: JSON
    scheduled: bool = True
    proximal: bool = False
    scale_rate_factor: float = 1.0
    proximal_epsilon: float = 1e-7

    def key(self) -> str:
        """Everything that shapes a compiled program, as one string."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class State:
    """Weights and optimizer slots between two calls; arrays or tensors."""

    weights: Sequence[Any]
    slots: Sequence[Sequence[Any]]


def is_stackable(spec: NetworkSpec, rule: UpdateRule) -> bool:
    """Whether several networks may train along a leading axis.

    Constraints, regularizers and unknown optimizers always see one network in its own shape.
    """
    return (
        check_row_loss(rule.loss, spec.n_outputs)
        and is_elementwise(rule.optimizer)
        and not spec.constraints
        and not spec.regularizers
    )


class Program:
    """One training step after another, compiled once and free of any state.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    rule : UpdateRule
        How its weights change.
    n_networks : int or None
        Number of networks along the leading axis; None for a single one without that axis.
    dtype : {"float32", "float64"}
        Training precision.
    """

    def __init__(self, spec: NetworkSpec, rule: UpdateRule, n_networks: int | None, dtype: str):
        import tensorflow as tf

        self._spec, self._rule, self._dtype = spec, rule, dtype
        self._axis = () if n_networks is None else (n_networks,)
        shapes = [(*self._axis, *parameter.shape) for parameter in spec.parameters]
        # The scale, alone at the front, has a rate or a rule of its own; without either it
        # shares the optimizer of the rest, so that a norm over all gradients is one.
        alone = rule.proximal or rule.scale_rate_factor != 1.0
        self._n_front = 1 if alone else 0
        self._front = (
            StatelessOptimizer(rule.optimizer, shapes[:1], dtype)
            if alone and not rule.proximal
            else None
        )
        self._rest = StatelessOptimizer(rule.optimizer, shapes[self._n_front :], dtype)
        self._scale_shape = shapes[0]
        self._loss = row_loss(rule.loss)
        self._penalties = _by_role(spec, spec.regularizers, "regularizers")
        self._projections = _by_role(spec, spec.constraints, "constraints")
        self._decays = [parameter.role == "kernel" for parameter in spec.parameters]
        self._run = tf.function(self._trace, jit_compile=True, autograph=False)

    @property
    def is_stacked(self) -> bool:
        """Whether weights have a leading network axis."""
        return bool(self._axis)

    def initial_state(self, members: Sequence[Sequence[np.ndarray]]) -> State:
        """State before the first step, from the initial weights of each network."""
        weights = [np.stack(arrays).astype(self._dtype) for arrays in zip(*members, strict=True)]
        if not self.is_stacked:
            weights = [array[0] for array in weights]
        front, rest = weights[: self._n_front], weights[self._n_front :]
        if self._rule.proximal:
            front_slots = proximal_slots(self._scale_shape, self._dtype)
        else:
            front_slots = self._front.initial_slots(front) if self._front else []
        return State(weights, [front_slots, self._rest.initial_slots(rest)])

    def weights(self, state: State) -> list[list[np.ndarray]]:
        """Weights of each network to predict with, if `state` were the last."""
        front, rest = state.weights[: self._n_front], state.weights[self._n_front :]
        if self._front:
            front = self._front.final_weights(front, state.slots[0])
        rest = self._rest.final_weights(rest, state.slots[1])
        arrays = [np.asarray(weight) for weight in (*front, *rest)]
        if not self.is_stacked:
            return [arrays]
        return [list(own) for own in zip(*arrays, strict=True)]

    def run(
        self,
        state: State,
        table: tuple[Any, Any, Any],
        rows: np.ndarray,
        *,
        first_step: int,
        rates: np.ndarray,
        strengths: np.ndarray,
        decays: np.ndarray,
    ) -> tuple[State, np.ndarray]:
        """Do as many steps as there are rates.

        Parameters
        ----------
        state : State
            Where to start from.
        table : tuple of tensor
            Inputs (n_rows, n_features), targets (n_rows, n_outputs), row weights (n_rows,).
        rows : ndarray of int32 of shape (n_steps or 1, n_networks, batch_size)
            Rows of each batch; a single entry stands for all steps.
        first_step : int
            Steps done before.
        rates : ndarray of shape (n_steps,)
            Learning rate of every step.
        strengths, decays : ndarray of shape (n_networks,)
            Strength of the penalty on the scale and decoupled weight decay of the kernels.

        Returns
        -------
        state : State
        losses : ndarray of shape (n_steps, n_networks)
            Loss of each batch before its step, with the penalties of Keras regularizers.
        """
        n_steps = len(rates)
        if len(rows) > 1 and len(rows) < MAX_BLOCK_STEPS:
            rows = np.concatenate([rows, np.repeat(rows[:1], MAX_BLOCK_STEPS - len(rows), 0)])
        if not self._axis:
            rows, strengths, decays = rows[:, 0], strengths[0], decays[0]
        weights, slots, losses = self._run(
            [_tensor(weight) for weight in state.weights],
            [[_tensor(slot) for slot in slots] for slots in state.slots],
            *table,
            _tensor(rows),
            _tensor(np.int32(first_step)),
            _tensor(np.int32(n_steps)),
            _tensor(np.resize(rates, MAX_BLOCK_STEPS).astype(np.float32)),
            _tensor(np.asarray(strengths, self._dtype)),
            _tensor(np.asarray(decays, self._dtype)),
        )
        losses = np.asarray(losses)[:n_steps]
        return State(weights, slots), losses.reshape(n_steps, -1)

    def _trace(self, weights, slots, inputs, targets, row_weights, rows, *arguments):
        import tensorflow as tf

        first_step, n_steps, rates, strengths, decays = arguments
        repeated = rows.shape[0] == 1

        def gather(step):
            chosen = rows[0] if repeated else rows[step]
            return [tf.gather(column, chosen) for column in (inputs, targets, row_weights)]

        whole = gather(0) if repeated else None

        def body(step, weights, slots, losses):
            batch = gather(step) if whole is None else whole
            loss, gradients = self._gradients(weights, *batch)
            weights, slots = self._update(
                weights, gradients, slots, first_step + step, rates[step], strengths, decays
            )
            losses = tf.tensor_scatter_nd_update(losses, [[step]], [loss])
            return step + 1, weights, slots, losses

        losses = tf.zeros((MAX_BLOCK_STEPS, *self._axis), self._dtype)
        start = (tf.constant(0), list(weights), [list(group) for group in slots], losses)
        _, weights, slots, losses = tf.while_loop(
            lambda step, *_: step < n_steps, body, start, parallel_iterations=1
        )
        return weights, slots, losses

    def _gradients(self, weights, inputs, targets, row_weights):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs = forward_tensors(self._spec, weights, inputs)
            losses = self._loss(targets, outputs)
            loss = tf.reduce_sum(row_weights * losses, -1) / tf.reduce_sum(row_weights, -1)
            for penalty, weight in zip(self._penalties, weights, strict=True):
                if penalty is not None:
                    loss += tf.cast(penalty(weight), loss.dtype)
            total = tf.reduce_sum(loss)
        gradients = tape.gradient(total, weights, unconnected_gradients="zero")
        return loss, gradients

    def _update(self, weights, gradients, slots, step, rate, strengths, decays):
        import tensorflow as tf

        rule, n_front = self._rule, self._n_front
        own_rate = rate if rule.scheduled else None
        applied = rate if rule.scheduled else self._rest.current_rate(slots[1])
        rest, rest_slots = self._rest.apply(
            weights[n_front:], gradients[n_front:], slots[1], own_rate
        )
        front, front_slots = list(weights[:n_front]), list(slots[0])
        scale_rate = applied * rule.scale_rate_factor
        if rule.proximal:
            moved, front_slots = proximal_step(
                weights[0],
                gradients[0],
                slots[0],
                step=step,
                rate=scale_rate,
                strength=strengths,
                epsilon=rule.proximal_epsilon,
            )
            front = [moved]
        elif self._front:
            front, front_slots = self._front.apply(weights[:1], gradients[:1], slots[0], scale_rate)
        updated = []
        for old, new, decayed, project in zip(
            weights, (*front, *rest), self._decays, self._projections, strict=True
        ):
            if decayed:
                new -= tf.cast(applied, new.dtype) * decays[..., None, None] * old
            updated.append(new if project is None else project(new))
        return updated, [front_slots, rest_slots]


def _tensor(array: Any) -> Any:
    import tensorflow as tf

    return tf.convert_to_tensor(array)


def _by_role(spec: NetworkSpec, configs: Any, family: str) -> list[Any]:
    import keras

    get = getattr(keras, family).get
    found = {role: get(config) for role, config in configs.items()}
    return [found.get(parameter.role) for parameter in spec.parameters]


_programs: OrderedDict[tuple[Any, ...], Program] = OrderedDict()
_lock = threading.Lock()


def get_program(
    spec: NetworkSpec, rule: UpdateRule, n_networks: int | None, dtype: str, n_rows: int
) -> Program:
    """The program for this network, rule and table size, compiled at its first run.

    Programs are shared by all threads and kept for later fits, the least recently used ones
    only up to a bound.
    """
    key = (spec.key(), rule.key(), n_networks, dtype, n_rows)
    with _lock:
        if key not in _programs:
            _programs[key] = Program(spec, rule, n_networks, dtype)
            if len(_programs) > _MAX_PROGRAMS:
                _programs.popitem(last=False)
        _programs.move_to_end(key)
        return _programs[key]
