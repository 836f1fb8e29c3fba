"""The compiled program: many steps of one or several networks in a single XLA call."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skscale._compiled.compiled_function import CompiledFunction
from skscale._compiled.rows import Rows
from skscale._compiled.train_step import Slots, TrainStep
from skscale._compiled.xla_session import XlaSession
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec

# Steps of one call of the compiled program, at most.
MAX_BLOCK_STEPS = 512

State = np.ndarray
"""Weights and slots between two calls, as one vector: a call costs by the number of arrays."""


class RunSettings(NamedTuple):
    """What differs from network to network, or from run to run, without compiling anew.

    Parameters
    ----------
    strengths, decays : ndarray of shape (n_networks,)
        Strength of the penalty on the scale and decoupled weight decay of the kernels.
    seeds : ndarray of int32 of shape (n_networks,)
        Decide what is dropped in training.
    n_features : int
        Number of features that count; columns of zeros behind them do not.
    """

    strengths: np.ndarray
    decays: np.ndarray
    seeds: np.ndarray
    n_features: int


class TrainFunction:
    """One training step after another, compiled once and free of any state.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    compile_config : CompileConfig
        How its weights change.
    n_networks : int or None
        Number of networks along the leading axis; None for a single one without that axis.
    dtype : {"float32", "float64"}
        Training precision.
    session : XlaSession
        Where it runs.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        compile_config: CompileConfig,
        n_networks: int | None,
        dtype: str,
        session: XlaSession,
    ):
        self._dtype, self._session = dtype, session
        self._axis = () if n_networks is None else (n_networks,)
        self._step = TrainStep(spec, compile_config, self._axis, dtype)
        placeholders = [np.zeros(shape) for shape in self._step.shapes]
        slots = self._step.initial_slots(placeholders)
        self._n_weights, self._n_front_slots = len(placeholders), len(slots.front)
        self._shapes = [np.shape(array) for array in (*placeholders, *slots.front, *slots.rest)]
        self._compiled: CompiledFunction | None = None
        self._lock = threading.Lock()
        self.n_traces = 0
        """Number of times that the function was traced."""

    def initial_state(self, members: Sequence[Sequence[np.ndarray]]) -> State:
        """State before the first step, from the initial weights of each network."""
        weights = self._packed(members)
        slots = self._step.initial_slots(weights)
        arrays = (*weights, *slots.front, *slots.rest)
        return np.concatenate([np.ravel(array) for array in arrays]).astype(self._dtype)

    def joined(self, states: Sequence[np.ndarray]) -> State:
        """State of a stack from those of its networks, as `split` gives them."""
        if not self._axis:
            return states[0]
        sizes = [math.prod(shape[1:]) for shape in self._shapes]
        starts = [0, *itertools.accumulate(sizes)]
        columns = zip(starts, starts[1:], self._shapes, strict=False)
        parts = [
            # What has no network axis is the same for all.
            states[0][start:stop] if not shape else np.stack([s[start:stop] for s in states])
            for start, stop, shape in columns
        ]
        return np.concatenate([np.ravel(part) for part in parts])

    def split(self, state: State) -> list[np.ndarray]:
        """State of each network by itself."""
        if not self._axis:
            return [state]
        weights, slots = self._unpack(state, np.reshape)
        arrays = (*weights, *slots.front, *slots.rest)
        return [
            np.concatenate([np.ravel(array[k] if array.ndim else array) for array in arrays])
            for k in range(self._axis[0])
        ]

    def weights(self, state: State) -> list[list[np.ndarray]]:
        """Weights of each network to predict with, if `state` were the last."""
        arrays = self._step.final_weights(*self._unpack(state, np.reshape))
        if not self._axis:
            return [arrays]
        return [list(network) for network in zip(*arrays, strict=True)]

    def with_weights(self, state: State, members: Sequence[Sequence[np.ndarray]]) -> State:
        """State with other weights and the same slots."""
        front = np.concatenate([np.ravel(array) for array in self._packed(members)])
        return np.concatenate([front, state[len(front) :]])

    def _packed(self, members: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
        weights = [np.stack(arrays).astype(self._dtype) for arrays in zip(*members, strict=True)]
        return self._step.packed(weights if self._axis else [array[0] for array in weights])

    def run(
        self,
        state: State,
        dataset: Rows,
        rows: np.ndarray,
        settings: RunSettings,
        *,
        first_step: int,
        rates: np.ndarray,
    ) -> tuple[State, np.ndarray]:
        """Do as many steps as there are rates.

        Parameters
        ----------
        state : State
            Where to start from.
        dataset : Rows
            All rows, padding included.
        rows : ndarray of int32
            Numbers of the rows of each batch, as in `Block.rows`.
        settings : RunSettings
            Those of each network.
        first_step : int
            Steps done before.
        rates : ndarray of shape (n_steps,)
            Learning rate of every step; at most `MAX_BLOCK_STEPS`.

        Returns
        -------
        state : State
            Where to go on from.
        losses : ndarray of float64 of shape (n_steps, n_networks)
            Loss of each batch before its step, with the penalties of Keras regularizers.
        """
        n_steps = len(rates)
        strengths, decays, seeds, n_features = settings
        numbers = np.array([strengths, decays, np.full(len(strengths), n_features)], self._dtype)
        seeds = np.asarray(seeds, np.int32)
        if not self._axis:
            rows, numbers, seeds = rows[..., 0, :], numbers[:, 0], seeds[0]
        padded_rates = np.zeros(MAX_BLOCK_STEPS, np.float32)
        padded_rates[:n_steps] = rates
        span = np.array([first_step, n_steps], np.int32)
        arrays = state, *dataset, rows, span, padded_rates, numbers, seeds
        with self._lock:
            if self._compiled is None:
                self._compiled = CompiledFunction(self._trace, arrays, self._session)
        state, losses = self._compiled(arrays)
        return state, np.asarray(losses, np.float64)[:n_steps].reshape(n_steps, -1)

    def _unpack(self, vector: Any, reshape: Callable[..., Any]) -> tuple[list[Any], Slots]:
        """Weights, and the slots of the front and of the rest."""
        ends = list(itertools.accumulate(int(np.prod(shape)) for shape in self._shapes))
        arrays = [
            reshape(vector[start:stop], shape)
            for start, stop, shape in zip([0, *ends], ends, self._shapes, strict=False)
        ]
        weights, slots = arrays[: self._n_weights], arrays[self._n_weights :]
        return weights, Slots(slots[: self._n_front_slots], slots[self._n_front_slots :])

    def _trace(
        self,
        state: Any,
        inputs: Any,
        targets: Any,
        row_weights: Any,
        rows: Any,
        span: Any,
        rates: Any,
        numbers: Any,
        seeds: Any,
    ) -> tuple[Any, Any]:
        import tensorflow as tf

        self.n_traces += 1
        first_step, n_steps = span[0], span[1]
        strengths, decays, n_features = numbers[0], numbers[1], numbers[2]
        sees_everything = len(rows.shape) == len(self._axis) + 1

        def gather(chosen: Any) -> Rows:
            return Rows(*(tf.gather(array, chosen) for array in (inputs, targets, row_weights)))

        everything = gather(rows) if sees_everything else None

        def do_step(step: Any, weights: Any, slots: Any, losses: Any) -> tuple[Any, ...]:
            batch = gather(rows[step]) if everything is None else everything
            loss, gradients, statistics = self._step.gradients(
                weights, batch, seeds=seeds, step=first_step + step
            )
            trained, slots = self._step.update(
                weights[: len(gradients)],
                gradients,
                slots,
                step=first_step + step,
                rate=rates[step],
                strengths=strengths,
                decays=decays,
                n_features=n_features,
            )
            # Slots of any other dtype, such as counts, go on in that of the weights.
            weights, slots = tf.nest.map_structure(
                lambda array: tf.cast(array, self._dtype), ([*trained, *statistics], slots)
            )
            losses = tf.tensor_scatter_nd_update(losses, [[step]], [loss])
            return step + 1, weights, slots, losses

        losses = tf.zeros((MAX_BLOCK_STEPS, *self._axis), self._dtype)
        start = (tf.constant(0), *self._unpack(state, tf.reshape), losses)
        _, weights, slots, losses = tf.while_loop(
            lambda step, *_: step < n_steps, do_step, start, parallel_iterations=1
        )
        arrays = (*weights, *slots.front, *slots.rest)
        return tf.concat([tf.reshape(array, [-1]) for array in arrays], 0), losses
