"""The compiled programs of a process, shared by all fits and threads, up to a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from skscale._compiled.train_function import TrainFunction
from skscale._compiled.xla_session import XlaSession
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec

# A session has some threads, whatever it holds; but it frees all that it holds, or nothing.
_PROGRAMS_PER_SESSION = 8
_MAX_SESSIONS = 4
# A compiled program takes 11 MB, in each lane; a search over architectures must not keep them all.
_MAX_EXECUTABLES = 64

Key = tuple[Any, ...]


class ProgramCache:
    """Keeps programs for later fits, and frees those used least recently beyond a bound.

    They are freed together with those that share their session, all where they have been compiled
    for many lanes.

    Parameters
    ----------
    max_sessions : int
        Number of sessions that are kept.
    programs_per_session : int
        Number of programs in each.
    """

    def __init__(self, max_sessions: int, programs_per_session: int):
        self.max_sessions, self.programs_per_session = max_sessions, programs_per_session
        self._sessions: OrderedDict[XlaSession, dict[Key, TrainFunction]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(map(len, self._sessions.values()))

    @property
    def n_traces(self) -> int:
        """Number of times that the programs in the cache were traced and compiled."""
        return sum(p.n_traces for programs in self._sessions.values() for p in programs.values())

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
            for session, programs in self._sessions.items():
                if key in programs:
                    self._sessions.move_to_end(session)
                    return programs[key]
            # A path trains many networks at once.
            session = self._session_with_room(side_by_side=compile_config.proximal)
            program = TrainFunction(spec, compile_config, n_networks, dtype, session)
            self._sessions.setdefault(session, {})[key] = program
            self._sessions.move_to_end(session)
            while self._is_full():
                self._sessions.popitem(last=False)
            return program

    def _is_full(self) -> bool:
        n_executables = sum(session.n_executables for session in self._sessions)
        return len(self._sessions) > self.max_sessions or (
            n_executables > _MAX_EXECUTABLES and len(self._sessions) > 1
        )

    def _session_with_room(self, *, side_by_side: bool) -> XlaSession:
        # One of each kind, at most, is not full.
        for session, programs in self._sessions.items():
            is_full = len(programs) == self.programs_per_session
            if session.side_by_side == side_by_side and not is_full:
                return session
        return XlaSession(side_by_side=side_by_side)


PROGRAMS = ProgramCache(_MAX_SESSIONS, _PROGRAMS_PER_SESSION)
"""Those of this process."""
