"""Fit a table that is larger than the memory of each worker, on a dask cluster of two processes.

Usage: python distributed_fit.py [--rows 10000000] [--partition-rows 200000] [--epochs 1]
       [--workers 2] [--memory-limit 2GB] [--scheduler ADDRESS] [--folder FOLDER] [--quick]

It writes a table of 20 features as Parquet files, one for each partition (in a temporary folder, or
in FOLDER, where it is left), starts a local cluster, shows the address of its dashboard, and fits a
LearnedScaleRegressor to all rows by `skscale.distributed.fit`: a pass for the statistics, then
one network for each point of the path and fold, partition by partition. Its R2 on rows that no fit
has seen is compared with that of `estimator.fit` to 100,000 of the rows, which fit into memory.

With the ADDRESS of a scheduler it starts no cluster; FOLDER is then one that all workers reach.

It needs `pip install 'skscale[dask]'`, and bokeh for the dashboard.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster

from skscale import LearnedScaleRegressor, distributed

N_FEATURES = 20
# Rows that fit into memory, and rows to score on.
N_SAMPLE, N_TEST = 100_000, 50_000


QUICK = {
    "hidden_layer_sizes": (8,),
    "embedding": None,
    "batch_size": 64,
    "epochs": 4,
    "cv": 2,
    "regularization_path": [0.03, 1.0],
}


def generated(n_rows: int, seed: int) -> pd.DataFrame:
    """Features in any units, of which seven matter, and a target with noise: R2 is .97 at best."""
    random = np.random.default_rng(seed)
    Z = random.normal(size=(n_rows, N_FEATURES))
    y = np.sin(2 * Z[:, 0]) + Z[:, 1] * Z[:, 2] + np.abs(Z[:, 3]) + np.cos(3 * Z[:, 4]) * Z[:, 5]
    y = y + 0.5 * Z[:, 6] + 0.3 * random.normal(size=n_rows)
    units = 10.0 ** np.linspace(-6, 6, N_FEATURES)
    table = pd.DataFrame(Z * units + units, columns=[f"x{k}" for k in range(N_FEATURES)])
    return table.assign(y=y)


def write_parquet(folder: Path, n_rows: int, partition_rows: int) -> None:
    """Write one file for each partition, as many rows at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, n_rows, partition_rows)):
        table = generated(min(partition_rows, n_rows - start), seed=number)
        table.to_parquet(folder / f"part-{number:05d}.parquet")


def peak_memory() -> int:
    """Most bytes that this process has held in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def features_and_target(table: Any) -> tuple[Any, Any]:
    return table.drop(columns="y"), table["y"]


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--partition-rows", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=1, help="passes over the table")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-limit", default="2GB", help="of each worker")
    parser.add_argument("--scheduler", default=None, help="address of a running scheduler")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--quick", action="store_true", help="few small networks, to try it")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start = time.perf_counter()
        write_parquet(folder, options.rows, options.partition_rows)
        size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        seconds = time.perf_counter() - start
        print(f"{options.rows:,} rows written, {size / 1e9:.2f} GB, in {seconds:.0f} s", flush=True)
        address = options.scheduler or stack.enter_context(
            LocalCluster(
                n_workers=options.workers,
                threads_per_worker=1,
                memory_limit=options.memory_limit,
                dashboard_address=":0",
            )
        )
        client = stack.enter_context(Client(address))
        print(f"dashboard: {client.dashboard_link}", flush=True)
        X, y = features_and_target(dd.read_parquet(folder))
        start = time.perf_counter()
        settings = QUICK if options.quick else {"epochs": options.epochs}
        model = LearnedScaleRegressor(**settings, random_state=0, verbose=1)
        distributed.fit(model, X, y)
        seconds = time.perf_counter() - start
        peaks = sorted(client.run(peak_memory).values())
    X_test, y_test = features_and_target(generated(N_TEST, seed=2**31))
    r2 = model.score(X_test, y_test)
    print(f"all rows: R2 {r2:.4f} after {seconds:.0f} s")
    print("peak memory of each worker: " + ", ".join(f"{peak / 1e9:.2f} GB" for peak in peaks))
    start = time.perf_counter()
    n_sample = min(N_SAMPLE, options.rows)
    sample = generated(n_sample, seed=0)
    settings = QUICK if options.quick else {}
    in_memory = LearnedScaleRegressor(**settings, random_state=0)
    in_memory.fit(*features_and_target(sample))
    r2_of_sample, seconds = in_memory.score(X_test, y_test), time.perf_counter() - start
    print(f"{n_sample:,} rows in memory: R2 {r2_of_sample:.4f} after {seconds:.0f} s")
    return {"r2": r2, "r2_of_sample": r2_of_sample, "peaks": peaks, "model": model}


if __name__ == "__main__":
    main()
