"""What the speed benchmarks share: turns, ratios, fresh processes, tables and JSON."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = (
    *("skscale", "numpy", "scikit-learn", "tensorflow", "keras", "scikeras"),
    *("torch", "jax", "pytabkit"),
)

# Of Linux.
_STATUS, _CLEAR_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def parser(doc: str, *, runs: int) -> argparse.ArgumentParser:
    """Return the options that every benchmark has.

    Parameters
    ----------
    doc : str
        Docstring of the script.
    runs : int
        Default of ``--runs``.

    Returns
    -------
    argparse.ArgumentParser
        With ``--runs`` and ``--json``.
    """
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument("--runs", type=int, default=runs, help="runs of each, taking turns")
    options.add_argument("--json", type=Path, help="file for every single time")
    return options


def require(*modules: str) -> None:
    """Stop where a peer is not installed, and say how to install all of them."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"Not installed: {', '.join(missing)}. Run pip install -e '.[benchmarks]' first.")


def seconds(work: Callable[[], object]) -> float:
    """Time one call, without the garbage of the one before."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(
    works: Mapping[str, Callable[[], object]],
    runs: int,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> dict[str, list[float]]:
    """Time several works, one after the other in every run, in the opposite order every other run.

    Parameters
    ----------
    works : mapping of str to callable
        What to time. Warm it before where it must be warm.
    runs : int
        Number of runs.
    clock : callable, default=seconds
        Takes a work and returns its seconds.

    Returns
    -------
    dict of str to list of float
        Seconds of every run, in the order of the runs.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for run in range(runs):
        for name in list(works)[:: -1 if run % 2 else 1]:
            times[name].append(clock(works[name]))
    return times


def ratio(times: Sequence[float], own: Sequence[float]) -> float:
    """Return the median over the runs of one time over another of the same run."""
    return float(np.median(np.divide(times, own)))


def in_fresh_process(
    script: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Any:
    """Run a script in a new interpreter and return the JSON of the last line it prints.

    Parameters
    ----------
    script : str
        ``__file__`` of the benchmark.
    *arguments : str
        What to call it with.
    environment : mapping, default=None
        Variables beside those of this process.

    Returns
    -------
    object
        What it printed.
    """
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def seconds_and_memory(work: Callable[[], object]) -> tuple[float, int]:
    """Time one call, and tell by how many bytes the process grew at its peak.

    Call it once in a process, as `in_fresh_process` starts it: memory that an earlier call gave
    back to the allocator alone would be used again and not count.

    Parameters
    ----------
    work : callable
        What to measure, with its data loaded before.

    Returns
    -------
    seconds : float
        Wall clock.
    memory : int
        Bytes of resident memory above those before the call.
    """
    gc.collect()
    if _CLEAR_PEAK.exists():
        # The peak down to what is in use now: loading the data may have had one of its own.
        _CLEAR_PEAK.write_text("5")
    before = _peak()
    return seconds(work), _peak() - before


def _peak() -> int:
    """Most resident memory so far, in bytes."""
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    import resource  # not on Windows

    # At least what the process had that started this one.
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def generated(
    n_samples: int, n_features: int, n_outputs: int = 1, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a table of eight informative features in mixed units, and of noise.

    Parameters
    ----------
    n_samples, n_features, n_outputs : int
        Sizes; at least eight features.
    seed : int
        Decides everything.

    Returns
    -------
    X : ndarray of float32 of shape (n_samples, n_features)
        Normal features, of standard deviations from 1e-3 to 1e3, up to three of them off zero.
    y : ndarray of float32 of shape (n_samples,) or (n_samples, n_outputs)
        A smooth, a periodic, a bent and a broken function of products and sums, of variance five,
        and noise of variance 1/4. Each of many outputs mixes its terms in its own way.
    """
    rng = np.random.default_rng(seed)
    units = (10.0 ** rng.uniform(-3, 3, n_features)).astype(np.float32)
    offsets = rng.uniform(-3, 3, n_features).astype(np.float32)
    mixing = rng.normal(size=(5, n_outputs)) if n_outputs > 1 else np.ones((5, 1))
    X, y = np.empty((n_samples, n_features), np.float32), np.empty((n_samples, n_outputs), "f4")
    for start in range(0, n_samples, 16_384):
        # In pieces and in place: a large table is in memory once.
        Z = X[start : start + 16_384]
        rng.standard_normal(dtype=np.float32, out=Z)
        terms = [Z[:, 0] * Z[:, 1], 1.4 * np.sin(3 * Z[:, 2]), 1.2 * np.abs(Z[:, 3] + Z[:, 4])]
        terms += [2 * (Z[:, 5] > 0), 0.9 * (Z[:, 6] + Z[:, 7] / 2)]
        noise = 0.5 * rng.standard_normal((len(Z), n_outputs), dtype=np.float32)
        y[start : start + 16_384] = np.stack(terms, axis=1) @ mixing + noise
        Z += offsets
        Z *= units
    return X, y if n_outputs > 1 else y[:, 0]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are rounded to three digits, None is left empty."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def write_json(path: Path | None, results: Any) -> None:
    """Write the results together with what they were measured on, where a file is asked for."""
    if path is not None:
        part = part_of(path)
        part.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
        part.replace(path)


def part_of(path: Path) -> Path:
    """Return where to write a file until it is whole: a full disk then leaves the one of before."""
    return path.with_suffix(f".part{path.suffix}")


def machine() -> dict[str, Any]:
    """Return versions, cores and processor."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "versions": versions,
    }


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    found = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor()
