"""Results of the accuracy benchmark in a file: a line of JSON for each fit that is done.

A line is appended in one piece, so an interrupted run loses at most the fit it was at, and the
next one goes on behind it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Key(NamedTuple):
    """What one fit was of."""

    part: str
    table: str
    model: str
    fold: int
    seed: int


@dataclass(frozen=True)
class Result:
    """One fit: a score with its seconds, or an error.

    Parameters
    ----------
    part : {"predictors", "transformers"}
        Part of the benchmark.
    table, model : str
        Names.
    fold, seed : int
        Number of the split, and `random_state` of the model.
    score : float, default=None
        R2 or accuracy of the held-out rows.
    seconds : float, default=None
        Wall clock of the fit.
    error : str, default=None
        Why there is no score.
    versions : dict, default={}
        Of the libraries that took part.
    """

    part: str
    table: str
    model: str
    fold: int
    seed: int
    score: float | None = None
    seconds: float | None = None
    error: str | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What it was of."""
        return Key(self.part, self.table, self.model, self.fold, self.seed)


def append(path: Path, results: Iterable[Result]) -> None:
    """Add results at the end of the file, each line in one write."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        end = os.lseek(file, 0, os.SEEK_END)
        # A run that was killed amidst a line: what follows must not continue it.
        torn = end > 0 and os.pread(file, 1, end - 1) != b"\n"
        for result in results:
            known = {name: value for name, value in asdict(result).items() if value is not None}
            line = json.dumps(known) + "\n"
            os.write(file, (("\n" if torn else "") + line).encode())
            torn = False
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> dict[Key, Result]:
    """Return all results by what they are of; of two of the same, the later one."""
    if not path.exists():
        return {}
    return {result.key: result for result in _results(path)}


def _results(path: Path) -> Iterator[Result]:
    for line in path.read_text().splitlines():
        try:
            known: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            # Torn by an interruption; its fit is done again.
            continue
        yield Result(**known)
