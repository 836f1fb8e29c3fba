"""The networks of one compiled program: padded to the columns of the dataset, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skscale._callbacks.callback import Weights
from skscale._compiled.program_cache import PROGRAMS
from skscale._compiled.train_function import RunSettings, State
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._training.batches import Block
from skscale._training.config import NetworkRun, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.evaluate import has_finite_outputs
from skscale._training.padding import narrow, widen, widen_weights


class Stack:
    """Networks that train in one program, along a leading axis where they are several.

    It holds no result: every method takes the state that it works on.

    Parameters
    ----------
    spec : NetworkSpec
        The architecture, without padded features.
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Batches and precision.
    dataset : Dataset
        All rows.
    runs : sequence of NetworkRun
        The networks.
    batch_shape : tuple of int
        Shape of `Block.rows`, for which the program is compiled.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        compile_config: CompileConfig,
        config: TrainingConfig,
        dataset: Dataset,
        runs: Sequence[NetworkRun],
        *,
        batch_shape: tuple[int, ...],
    ):
        self._spec, self._dataset = spec, dataset
        self._n_steps_before = config.n_steps_before
        self._wide, self._runs = widen(spec, runs, dataset.n_columns)
        self._program = PROGRAMS.get(
            self._wide,
            compile_config,
            len(runs) if len(runs) > 1 else None,
            config.dtype,
            dataset.n_padded_rows,
            batch_shape,
        )
        self._settings = RunSettings(
            strengths=np.array([run.strength for run in runs]),
            decays=np.array([run.weight_decay for run in runs]),
            seeds=np.array([run.seed % 2**31 for run in runs], np.int32),
            n_features=spec.n_features,
        )

    def initial_state(self) -> State:
        """State of initial weights, or where earlier runs of the networks ended."""
        earlier = [run.state for run in self._runs if run.state is not None]
        if earlier:
            return self._program.joined(earlier)
        return self._program.initial_state([run.weights for run in self._runs])

    def run_block(self, state: State, block: Block, rates: np.ndarray) -> tuple[State, np.ndarray]:
        """Do as many steps of a block as there are rates, in one call of the program.

        Parameters
        ----------
        state : State
            Before the steps.
        block : Block
            Their rows.
        rates : ndarray of shape (n_steps,)
            Learning rate of each step.

        Returns
        -------
        state : State
            After the steps.
        losses : ndarray of shape (n_steps, n_networks)
            Before each step.
        """
        return self._program.run(
            state,
            self._dataset.padded,
            block.rows,
            self._settings,
            first_step=self._n_steps_before + block.first_step,
            rates=rates,
        )

    def padded_weights(self, state: State) -> list[Weights]:
        """Weights of each network to predict with, those of padded features included."""
        return self._program.weights(state)

    def narrow(self, padded: Weights) -> Weights:
        """Weights without those of padded features."""
        return narrow(self._spec, self._wide, padded)

    def with_weights(self, state: State, weights: Weights) -> State:
        """State of a single network with other weights and the same slots."""
        return self._program.with_weights(state, [widen_weights(self._spec, self._wide, weights)])

    def split(self, state: State) -> list[np.ndarray]:
        """State of each network by itself."""
        return self._program.split(state)

    def is_sound(self, network: int, padded: Weights) -> bool:
        """Whether a network gives finite outputs for the rows that it learns."""
        return has_finite_outputs(self._wide, padded, self._dataset, self._runs[network].rows)
