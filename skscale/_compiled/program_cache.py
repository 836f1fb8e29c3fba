"""The compiled programs of a process, shared by all fits and threads, up to a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from skscale._compiled.train_function import TrainFunction
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec

# A compiled program takes 11 MB; a search over architectures must not keep them all.
_MAX_PROGRAMS = 32


class ProgramCache:
    """Keeps programs for later fits, and frees those used least recently beyond a bound.

    Parameters
    ----------
    max_programs : int
        The bound.
    """

    def __init__(self, max_programs: int):
        self.max_programs = max_programs
        self._programs: OrderedDict[tuple[Any, ...], TrainFunction] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    @property
    def n_traces(self) -> int:
        """Number of times that the programs in the cache were traced and compiled."""
        return sum(program.n_traces for program in self._programs.values())

    def get(
        self,
        spec: NetworkSpec,
        compile_config: CompileConfig,
        n_networks: int | None,
        dtype: str,
        n_rows: int,
        batch_shape: tuple[int, ...],
    ) -> TrainFunction:
        """Return the program for this network, config and number of rows.

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
        n_rows : int
            Rows of the dataset, padding included.
        batch_shape : tuple of int
            Shape of `Block.rows`.

        Returns
        -------
        program : TrainFunction
            Compiled already, or at its first run.
        """
        key = (spec.key(), compile_config.key(), n_networks, dtype, n_rows, batch_shape)
        with self._lock:
            if key not in self._programs:
                self._programs[key] = TrainFunction(spec, compile_config, n_networks, dtype)
                if len(self._programs) > self.max_programs:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(key)
            return self._programs[key]


PROGRAMS = ProgramCache(_MAX_PROGRAMS)
"""Those of this process."""
