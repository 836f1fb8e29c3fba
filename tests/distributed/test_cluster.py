"""Two processes of a dask cluster fit what one process does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose

from skscale import LearnedScaleRegressor, distributed

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "distributed_fit.py"
pytestmark = [
    pytest.mark.slow,
    # distributed warns of its own sockets and ports.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


# Network and partitions of the example, which share a compiled program.
EXAMPLE = runpy.run_path(str(SCRIPT))
OPTIONS = {**EXAMPLE["QUICK"], "random_state": 0}
SIZE = 800


def collections(value=0.0):
    random = np.random.default_rng(0)
    X = random.normal(size=(4 * SIZE, 20))
    y = X[:, 0] + X[:, 1] ** 2
    X[-1, 2] += value
    return da.from_array(X, chunks=(SIZE, 20)), da.from_array(y, chunks=SIZE)


def has_tensorflow():
    return "tensorflow" in sys.modules


def test_two_processes_fit_what_one_does(client):
    X, y = collections()
    with client.as_current(), dask.config.set(scheduler=client):
        # What is in the memory of the workers stays there.
        model = distributed.fit(LearnedScaleRegressor(**OPTIONS), *dask.persist(X, y))
    # Nothing but a network needs it.
    assert list(client.run(has_tensorflow).values()) == [True, True]
    with dask.config.set(scheduler="synchronous"):
        in_one = distributed.fit(LearnedScaleRegressor(**OPTIONS), X, y)
    # Threads of TensorFlow may add in another order than one thread.
    rows = X.compute()
    assert_allclose(model.predict(rows), in_one.predict(rows), atol=1e-3)
    assert_allclose(model.path_["mean_loss"], in_one.path_["mean_loss"], rtol=1e-3)


def test_what_a_worker_refuses_is_raised_here(client):
    X, y = collections(value=np.nan)
    with dask.config.set(scheduler=client), pytest.raises(ValueError, match=r"Partition 3: .*NaN"):
        distributed.fit(LearnedScaleRegressor(), X, y)


def test_the_example_fits_parquet_files(client, tmp_path, capsys):
    arguments = ["--quick", "--rows", str(4 * SIZE), "--partition-rows", str(SIZE)]
    arguments += ["--scheduler", client.scheduler.address, "--folder", str(tmp_path)]
    result = EXAMPLE["main"](arguments)
    assert len(list(tmp_path.glob("*.parquet"))) == 4
    printed = capsys.readouterr().out
    assert "dashboard: http" in printed
    assert "peak memory of each worker" in printed
    assert len(result["peaks"]) == 2
    # Few small steps; the mean has 0.
    assert min(result["r2"], result["r2_of_sample"]) > 0.2
