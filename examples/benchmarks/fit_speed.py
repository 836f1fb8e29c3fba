"""Seconds of the training of one network, beside Keras, its wrappers, scikit-learn, torch and JAX.

Two relu layers of 32 or of 256 units, Adam, in float32 and float64, on

=======  ================================  ==========  ======
case     rows x features                   batch size  epochs
=======  ================================  ==========  ======
small    442 x 10 (diabetes)               32          100
medium   20,000 x 20                       64          10
large    200,000 x 50                      512         3
huge     1,000,000 x 100 (float32 only)    4096        1
=======  ================================  ==========  ======

Peers (what each does is in `fit_peers.py`): keras `Model.fit`, scikeras, `keras.wrappers`,
scikit-learn's MLPRegressor, a torch loop with torch's own number of threads and with one, and the
whole training as one `jax.lax.scan`. All get standardized data in NumPy in the dtype of the case,
in which scikit-learn computes, too; a time is that from the data to the weights, with the network
built anew. LearnedScaleRegressor does more than the others: it standardizes rows and target once
more, trains a factor and an offset for each feature, and anneals its rate. Keras has its defaults,
without XLA on a CPU. In float64 its layers and its loss compute in float64, but it casts rows and
target to `keras.config.floatx()`, float32, on their way in.

In every row of the table each library has a process of its own. Cold is the first fit in it, with
all imports done; that it starts TensorFlow counts. Ratios are the medians of
run-by-run ratios to the warm fit, above one where LearnedScaleRegressor is faster. Keras and its
wrappers do only ``--slow-runs`` of the runs outside the small case, the first ones.

The second table has the arithmetic beside its limit: operations of the products alone (six for
each weight of a kernel, row and epoch) in a second of the warm fit; of those same products done
by NumPy, batch after batch; and of NumPy's product of two 1024 x 1024 matrices.

Run it with ``python examples/benchmarks/fit_speed.py`` after ``pip install -e '.[benchmarks]'``.
All of it takes the better part of an hour; ``--case small --widths 32 --runs 1`` a few minutes.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from fit_peers import PEERS, Work, learned_scale
from harness import in_turn, parser, ratio, require, seconds, table, write_json

# Rows, features, batch size, epochs.
CASES = {
    "small": (442, 10, 32, 100),
    "medium": (20_000, 20, 64, 10),
    "large": (200_000, 50, 512, 3),
    "huge": (1_000_000, 100, 4096, 1),
}
WIDTHS, DTYPES = (32, 256), ("float32", "float64")
SLOW_PEERS = ("keras", "scikeras", "keras.wrappers")
OWN = "learned scale"


def make_data(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and target, standardized, in the dtype of the work."""
    if work.case == "small":
        from sklearn.datasets import load_diabetes

        X, y = load_diabetes(return_X_y=True, scaled=False)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    else:
        random = np.random.default_rng(0)
        X = random.standard_normal((work.n_samples, work.n_features), dtype=np.float32)
        directions = random.standard_normal((work.n_features, 3), dtype=np.float32)
        y = np.tanh(X @ directions / np.sqrt(np.float32(work.n_features))).sum(axis=1)
        y += 0.1 * random.standard_normal(work.n_samples, dtype=np.float32)
    y = (y - y.mean()) / y.std()
    return X.astype(work.dtype, copy=False), y.astype(work.dtype, copy=False)


class Library:
    """A process that has imported what its fits need, and times one fit after the other.

    Libraries that bring a compiler each, such as torch beside TensorFlow, do not always live in
    one process.

    Parameters
    ----------
    work : Work
        What its fits do.
    name : str
        A peer, or `OWN`.
    """

    def __init__(self, work: Work, name: str):
        row = ["--case", work.case, "--widths", str(work.width), "--dtype", work.dtype]
        command = [sys.executable, __file__, *row, "--serve", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate("")

    def ask(self, what: str) -> Any:
        """Send "fit", "warm up" or "rates", and return the answer: seconds, or rates."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(what, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def serve(work: Work, name: str) -> None:
    """Time fits in this process, for each line of its input; what `Library` starts."""
    modules = ("tensorflow", "keras", "skscale._regressor") if name == OWN else PEERS[name][1]
    for module in modules:
        importlib.import_module(module)
    X, y = make_data(work)
    fit = learned_scale if name == OWN else PEERS[name][0]
    for line in sys.stdin:
        if line.strip() == "rates":
            products = products_rate(work), matmul_rate([(1024, 1024, 1024)], work.dtype)
            print(json.dumps(products), flush=True)
            continue
        chosen, rows = work, slice(work.n_samples)
        if line.strip() == "warm up" and name in SLOW_PEERS:
            # These trace every network anew: what can be warm is only TensorFlow.
            chosen = replace(work, n_samples=2 * work.batch_size, epochs=1)
            rows = slice(chosen.n_samples)
        print(seconds(lambda w=chosen, rows=rows: fit(w, X[rows], y[rows])), flush=True)


def measure(work: Work, peers: list[str], runs: int, slow_runs: int) -> dict[str, Any]:
    """Time one row of the table, each library in a process of its own, in turns."""
    with ExitStack() as stack:
        libraries = {name: stack.enter_context(Library(work, name)) for name in (OWN, *peers)}
        first = {name: library.ask("warm up") for name, library in libraries.items()}
        n_all = runs if work.case == "small" else min(runs, slow_runs)

        def times_of(names: list[str], runs: int) -> dict[str, list[float]]:
            fits = {name: functools.partial(libraries[name].ask, "fit") for name in names}
            return in_turn(fits, runs, clock=lambda fit: fit())

        times = times_of(list(libraries), n_all)
        fast = [name for name in libraries if name not in SLOW_PEERS]
        for name, more in times_of(fast, runs - n_all).items():
            times[name] += more
        products, matmul = libraries[OWN].ask("rates")
    own = times[OWN]
    return {
        **asdict(work),
        "cold": first.pop(OWN),
        "first": first,
        "times": times,
        "ratios": {peer: ratio(times[peer], own[: len(times[peer])]) for peer in peers},
        "n_operations": work.n_operations,
        "operations_per_second": work.n_operations / float(np.median(own)),
        "products_per_second": products,
        "matmul_per_second": matmul,
    }


def products_rate(work: Work) -> float:
    """Operations a second of the products of one batch, done by NumPy."""
    n = work.batch_size
    shapes = []
    for n_in, n_out in work.kernels:
        shapes += [(n, n_in, n_out), (n_in, n, n_out), (n, n_out, n_in)]
    return matmul_rate(shapes, work.dtype)


def matmul_rate(shapes: list[tuple[int, int, int]], dtype: str, budget: float = 0.5) -> float:
    """Operations a second of products of (rows, inner, columns), the best of `budget` seconds."""
    random = np.random.default_rng(0)
    products = [
        (
            random.standard_normal((n, k)).astype(dtype),
            random.standard_normal((k, m)).astype(dtype),
            np.empty((n, m), dtype),
        )
        for n, k, m in shapes
    ]
    best, stop = np.inf, time.perf_counter() + budget
    while time.perf_counter() < stop:
        start = time.perf_counter()
        for a, b, out in products:
            np.matmul(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return sum(2 * n * k * m for n, k, m in shapes) / best


def report(results: list[dict[str, Any]], peers: list[str]) -> str:
    """Return the tables of seconds and ratios, and of arithmetic."""
    names = [(r["case"], f"{r['width']}-{r['width']}", r["dtype"]) for r in results]
    own = [float(np.median(r["times"][OWN])) for r in results]
    speed = [
        (*name, warm, r["cold"] - warm, *(r["ratios"][peer] for peer in peers))
        for name, warm, r in zip(names, own, results, strict=True)
    ]
    keys = ("operations_per_second", "products_per_second", "matmul_per_second")
    rates = [
        (*name, *(r[key] / 1e9 for key in keys)) for name, r in zip(names, results, strict=True)
    ]
    head = ("case", "widths", "dtype")
    return "\n\n".join(
        [
            table(
                (*head, "warm, s", "cold - warm, s", *(f"{peer} / warm" for peer in peers)), speed
            ),
            table((*head, "Gflop/s of the fit", "of its products", "of 1024 x 1024"), rates),
        ]
    )


def options() -> argparse.Namespace:
    """Read the command line, and stop where a peer is not installed."""
    arguments = parser(__doc__, runs=5)
    add = arguments.add_argument
    add("--case", action="append", choices=CASES, help="may be repeated; default: all")
    add("--widths", action="append", type=int, choices=WIDTHS, help="units of each layer")
    add("--dtype", action="append", choices=DTYPES)
    add("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    add("--slow-runs", type=int, default=1, help="of Keras and its wrappers, outside small")
    add("--serve", choices=[OWN, *PEERS], help=argparse.SUPPRESS)
    given = arguments.parse_args()
    require(*sorted({m.partition(".")[0] for peer in given.peers for m in PEERS[peer][1]}))
    return given


def main() -> None:
    given = options()
    results = []
    for case in given.case or CASES:
        for width in given.widths or WIDTHS:
            for dtype in given.dtype or DTYPES:
                if case == "huge" and dtype == "float64":
                    continue
                work = Work(case, *CASES[case], width, dtype)
                if given.serve:
                    serve(work, given.serve)
                    return
                print(f"{case}, {width}-{width}, {dtype} ...", file=sys.stderr, flush=True)
                results.append(measure(work, given.peers, given.runs, given.slow_runs))
                # After every row: the rows before an interruption are kept.
                write_json(given.json, results)
    print(report(results, given.peers))


if __name__ == "__main__":
    main()
