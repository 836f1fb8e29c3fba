"""A fit that is spread over workers of any kind is the fit of one process, to the last bit."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import threading
import time

import joblib
import keras
import numpy as np
import pytest
from distributed import Client, LocalCluster
from numpy.testing import assert_array_equal
from small_networks import make_dataset

from skscale import LearnedScaleRegressor
from skscale._training.distributed import SharedDataset

# All rungs of the path, one compiled program.
PATH = {
    "embedding": None,
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "epochs": 20,
    "cv": 2,
    "regularization_path": [(0.0, 0.0), (0.1, 1.0), (1.0, 1.0)],
    "random_state": 0,
}

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3))
y = 2 * X[:, 0] + X[:, 1] + 0.1 * _random.normal(size=40)


@pytest.fixture(scope="module")
def here():
    """The fit of one process."""
    return LearnedScaleRegressor(**PATH).fit(X, y)


@pytest.fixture
def _loky():
    with joblib.parallel_config(backend="loky"):
        yield


@pytest.fixture(scope="module")
def client():
    # Two threads, which import TensorFlow in one worker at the same time.
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def assert_same_bits(model, other):
    assert model.history_ == other.history_
    assert model.path_.keys() == other.path_.keys()
    for name, values in model.path_.items():
        assert_array_equal(values, other.path_[name])
    assert_array_equal(model.predict(X), other.predict(X))


def test_a_dataset_that_has_travelled_is_the_same():
    dataset, rows = make_dataset("float32"), [np.arange(3), np.arange(5)]
    shared = SharedDataset(dataset, rows)
    assert shared.dataset() is dataset
    arrived = pickle.loads(pickle.dumps(shared))
    for _ in range(2):
        for array, other in zip(arrived.dataset().padded, dataset.padded, strict=True):
            assert_array_equal(array, other)
            # As XLA takes it without a copy, of which there would be one in each call.
            assert array.ctypes.data % 64 == 0
        # It may travel on, from one worker to another.
        arrived = pickle.loads(pickle.dumps(arrived))
    assert_array_equal(arrived.dataset().weights, dataset.weights)
    assert arrived.dataset().max_input == dataset.max_input
    # Once for all tasks of a worker that keeps it.
    assert arrived.dataset() is arrived.dataset()
    for one, other in zip(arrived.row_sets, rows, strict=True):
        assert_array_equal(one, other)


def test_engines_are_told_how_large_a_dataset_is():
    dataset = make_dataset("float32", n_rows=1000)
    table = sum(array.nbytes for array in dataset.padded)
    rows = np.arange(800)
    size = SharedDataset(dataset, [rows]).__sizeof__()
    assert size == table + dataset.weights.nbytes + rows.nbytes


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_threads_give_the_same_bits(here, n_jobs):
    with joblib.parallel_config(backend="threading"):
        assert_same_bits(LearnedScaleRegressor(**PATH, n_jobs=n_jobs).fit(X, y), here)


def test_one_network_and_callbacks_train_in_this_process(here):
    # Elsewhere this backend forks, and TensorFlow runs in no fork of a process that it runs in.
    with joblib.parallel_config(backend="multiprocessing"):
        assert_same_bits(LearnedScaleRegressor(**PATH, n_jobs=1).fit(X, y), here)
        seen = []
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(0))
        settings = {**PATH, "epochs": 2, "callbacks": [callback], "n_jobs": 2}
        LearnedScaleRegressor(**settings).fit(X, y)
        # As many rows as a fold learns from, and so the same program.
        settings = {**settings, "callbacks": None, "scale_regularizer": None}
        LearnedScaleRegressor(**settings).fit(X[:20], y[:20])
    assert seen


@pytest.mark.slow
@pytest.mark.usefixtures("_loky")
def test_processes_of_joblib_give_the_same_bits(here):
    spread = LearnedScaleRegressor(**PATH, n_jobs=2, verbose=1)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        spread.fit(X, y)
    assert_same_bits(spread, here)
    # Lines of progress come at the end of every part.
    assert "epoch 20/20" in printed.getvalue()


@pytest.mark.slow
@pytest.mark.usefixtures("_loky")
def test_layers_that_only_a_script_knows_are_known_to_workers():
    # Of a function's own, as of a script: there is no module to import it from.
    @keras.saving.register_keras_serializable("skscale_tests")
    class Shifted(keras.layers.Dense):
        def call(self, inputs):
            return super().call(inputs) + 1.0

    settings = {
        **PATH,
        "embedding": "auto",
        "network": lambda n_features, n_outputs: Shifted(n_outputs),
        "regularization_path": [(0.0, 0.0)],
        "epochs": 2,
    }
    alone = LearnedScaleRegressor(**settings).fit(X, y)
    assert_same_bits(LearnedScaleRegressor(**settings, n_jobs=2).fit(X, y), alone)


@pytest.mark.slow
def test_a_worker_of_dask_that_dies_is_replaced(client, here):
    pids = client.run(os.getpid)
    killed = []

    def kill_one_that_trains():
        while not killed:
            busy = [address for address, tasks in client.processing().items() if tasks]
            if busy:
                killed.append(pids[busy[0]])
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one_that_trains)
    killer.start()
    try:
        with joblib.parallel_config(backend="dask"):
            model = LearnedScaleRegressor(**PATH, n_jobs=-1).fit(X, y)
    finally:
        killed.append(None)
        killer.join()
    assert killed[0] is not None
    assert_same_bits(model, here)
    # The table does not stay.
    deadline = time.monotonic() + 10
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_ray_gives_the_same_bits(here):
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    # One worker is another process too.
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with joblib.parallel_config(backend="ray"):
            assert_same_bits(LearnedScaleRegressor(**PATH, n_jobs=-1).fit(X, y), here)
    finally:
        ray.shutdown()


class Terminal(io.StringIO):
    """Someone presses Ctrl-C a little after the first line, when the next part is under way."""

    def __init__(self):
        super().__init__()
        main = threading.main_thread().ident
        self._timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))

    def write(self, text: str) -> int:
        if "epoch" in text and not self._timer.is_alive():
            self._timer.start()
        return super().write(text)


@pytest.mark.slow
@pytest.mark.usefixtures("_loky")
def test_ctrl_c_keeps_what_was_learned_by_the_last_score():
    # The second part takes seconds.
    n_epochs = 1_000_000
    model = LearnedScaleRegressor(**{**PATH, "epochs": n_epochs}, n_jobs=2, verbose=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.redirect_stdout(Terminal()), pytest.raises(KeyboardInterrupt) as raised:
            model.fit(X, y)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "last whole epoch" in str(raised.value)
    assert model.n_iter_ == len(model.history_["loss"]) == 0.05 * n_epochs
    assert_array_equal(model.path_["epochs"], [model.n_iter_])
    assert np.isfinite(model.predict(X)).all()
