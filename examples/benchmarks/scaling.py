"""Seconds and peak memory of a fit against rows, features, outputs and networks on the path.

One network (``scale_regularizer=None``, the default widths, 5 epochs, float32) on generated tables
of float32: 1,000 to 1,000,000 rows of 20 features, and 20,000 rows of 10 to 1,000 features, or with
1 to 100 outputs, or in 1 to 125 epochs; and the path with its folds, 2 to 70 networks on 5,000 rows
of 20 features. Points of the path that are far behind stop early, as in every fit.

Each case has a fresh process, in which Keras is imported and the data are loaded first. The first
fit counts as cold, with compilation; the second as warm. Memory is what the process grew by at the
peak of the first fit, and also over one copy of features and targets in float32. What TensorFlow
needs for itself and for compiling, a few hundred megabytes whatever the data, is in it: subtract
the smallest case to see the data alone.

Run it with ``python examples/benchmarks/scaling.py``; it takes some six minutes on two cores.
``--figure FILE`` draws it. There are no peers.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib.pyplot as plt
import numpy as np
from harness import (
    generated,
    in_fresh_process,
    parser,
    part_of,
    seconds,
    seconds_and_memory,
    table,
    write_json,
)
from matplotlib.axes import Axes

from skscale import LearnedScaleRegressor

EPOCHS = 5
BLUE, ORANGE = "#0072B2", "#D55E00"  # colour-blind readers tell them apart


class Case(NamedTuple):
    """Sizes of a table, and of the path; no path is one network."""

    rows: int = 20_000
    features: int = 20
    outputs: int = 1
    points: int = 0
    folds: int = 1
    epochs: int = EPOCHS

    @property
    def networks(self) -> int:
        """Number of networks that begin to train."""
        return max(1, self.points) * self.folds


SERIES: dict[str, list[Case]] = {
    "rows": [Case(rows=n) for n in (1_000, 10_000, 100_000, 1_000_000)],
    "features": [Case(features=n) for n in (10, 30, 100, 300, 1_000)],
    "outputs": [Case(outputs=n) for n in (1, 3, 10, 30, 100)],
    "epochs": [Case(epochs=n) for n in (1, 5, 25, 125)],
    "networks": [
        Case(rows=5_000, points=points, folds=folds)
        for points, folds in ((1, 2), (1, 5), (3, 5), (7, 5), (7, 10))
    ],
}


def estimator(case: Case) -> LearnedScaleRegressor:
    settings: dict[str, Any] = {"scale_regularizer": None}
    if case.points:
        settings = {"regularization_path": np.geomspace(0.01, 10, case.points), "cv": case.folds}
    # What "auto" chooses depends on the number of rows, which is what is varied here.
    settings |= {"embedding": None, "batch_size": 128}
    return LearnedScaleRegressor(epochs=case.epochs, dtype="float32", random_state=0, **settings)


def measure(case: Case, runs: int) -> dict[str, float]:
    """Return seconds, cold and warm, and the peak memory of a fit in this process, in bytes."""
    import keras  # noqa: F401 (imports do not count)

    X, y = generated(case.rows, case.features, case.outputs)
    model = estimator(case)
    cold, memory = seconds_and_memory(lambda: model.fit(X, y))
    warm = float(np.median([seconds(lambda: model.fit(X, y)) for _ in range(runs)]))
    return {
        "cold": cold,
        "warm": warm,
        "warm_per_row_epoch": warm / (case.rows * case.epochs * case.networks),
        "memory": memory,
        "copies": memory / (X.nbytes + y.nbytes),
    }


def shown(name: str, cases: list[Case], results: list[dict[str, float]]) -> str:
    header = ["rows", "features", "outputs", "networks", "epochs", "cold (s)", "warm (s)"]
    header += ["ns per row, epoch, network", "memory (MB)", "copies of the input"]
    rows = [
        [
            *(f"{case.rows:,}", case.features, case.outputs, case.networks, case.epochs),
            *(own["cold"], own["warm"], 1e9 * own["warm_per_row_epoch"]),
            *(own["memory"] / 1e6, own["copies"]),
        ]
        for case, own in zip(cases, results, strict=True)
    ]
    return f"Against {name}\n\n" + table(header, rows)


def draw(axes: Axes, sizes: np.ndarray, values: np.ndarray, color: str) -> None:
    """Draw values against sizes, and through the last of them what would be proportional."""
    axes.loglog(sizes, values[-1] * sizes / sizes[-1], color="0.7", linestyle=":")
    axes.loglog(sizes, values, color=color, marker="o", markersize=4)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.set_xticks([], minor=True)
    # A proportional line may leave far below: the values decide what is shown.
    axes.set_ylim(values.min() / 2, values.max() * 2)


def draw_figure(results: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw a panel for each series, seconds above memory."""
    figure, panels = plt.subplots(
        2, len(results), figsize=(2.6 * len(results) + 1, 5), sharex="col", layout="constrained"
    )
    panels = panels.reshape(2, -1)
    for column, (name, series) in zip(panels.T, results.items(), strict=True):
        sizes = np.array([getattr(case, name) for case in SERIES[name]], float)
        draw(column[0], sizes, np.array([own["warm"] for own in series]), BLUE)
        draw(column[1], sizes, np.array([own["memory"] for own in series]) / 1e6, ORANGE)
        column[1].set_xlabel(name)
    panels[0, 0].set_ylabel("seconds, warm")
    panels[1, 0].set_ylabel("peak memory (MB)")
    figure.suptitle(f"A fit, of {EPOCHS} epochs unless told; dotted: proportional")
    part = part_of(path)
    figure.savefig(part, dpi=150)
    part.replace(path)


def options() -> argparse.Namespace:
    options = parser(__doc__, runs=3)
    options.add_argument("--series", nargs="+", choices=list(SERIES), default=list(SERIES))
    options.add_argument("--figure", type=Path, help="file for the figure")
    # One case, in a process that is started by this script itself.
    options.add_argument("--case", nargs=6, type=int, help=argparse.SUPPRESS)
    return options.parse_args()


def main() -> None:
    chosen = options()
    if chosen.case:
        print(json.dumps(measure(Case(*chosen.case), chosen.runs)))
        return
    results: dict[str, list[dict[str, float]]] = {}
    for name in chosen.series:
        cases = SERIES[name]
        results[name] = [
            in_fresh_process(__file__, "--runs", str(chosen.runs), "--case", *map(str, case))
            for case in cases
        ]
        print(shown(name, cases, results[name]), end="\n\n", flush=True)
    if chosen.figure:
        draw_figure(results, chosen.figure)
    write_json(
        chosen.json,
        {
            name: [
                {**case._asdict(), "dtype": "float32", **own}
                for case, own in zip(SERIES[name], series, strict=True)
            ]
            for name, series in results.items()
        },
    )


if __name__ == "__main__":
    main()
