"""Between the calls of a training: divergence, early stopping, Ctrl-C."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from small_networks import (
    COMPILE_CONFIG,
    N_ROWS,
    SPEC,
    assert_same_bits,
    full_batches,
    make_dataset,
    make_run,
    train_networks,
)

from skscale._callbacks.callback import CallbackList, EarlyStopping
from skscale._network.compile_config import CompileConfig
from skscale._training.config import TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.evaluate import evaluate_losses
from skscale._training.loop import train_stack
from skscale._training.train import train

# Plain gradient descent, which diverges at a rate that Adam would survive.
_SGD = CompileConfig("mse", {"class_name": "SGD", "config": {"learning_rate": 0.1}})
# Decoupled decay of 1 - rate * decay = -9 a step: kernels grow beyond float32 within 40 epochs.
_EXPLODING = {"weight_decay": 100.0}


def _descend(n_epochs, runs, *, rate=0.1, batch_size=64, **options):
    config = TrainingConfig(n_epochs, batch_size, rate, "float32", decay=False)
    return train(_SGD, config, make_dataset("float32"), runs, **options)


def _assert_finite(network: TrainedNetwork) -> None:
    assert all(np.isfinite(weight).all() for weight in network.weights)
    assert np.isfinite(network.losses).all()


@pytest.mark.parametrize("batch_size", [64, 16])
def test_a_diverged_network_has_the_weights_of_its_last_finite_epoch(batch_size):
    options = {"rate": 3.0, "batch_size": batch_size}
    trained = _descend(300, [make_run()], **options)
    assert trained[0].diverged
    assert not trained[0].interrupted
    _assert_finite(trained[0])
    n_epochs = len(trained[0].losses)
    assert 3 < n_epochs < 40
    shorter = _descend(n_epochs, [make_run()], **options)
    assert not shorter[0].diverged
    assert_same_bits(trained, shorter)
    assert _descend(n_epochs + 2, [make_run()], **options)[0].diverged


def test_a_network_that_diverges_at_once_keeps_its_first_weights():
    trained = _descend(5, [make_run()], rate=1e30)[0]
    assert trained.diverged
    assert trained.losses == []
    for weight, start in zip(trained.weights, make_run().weights, strict=True):
        np.testing.assert_array_equal(weight, start)


@pytest.mark.parametrize("batch_size", [64, 16])
def test_a_diverging_network_leaves_the_others_of_its_stack_alone(batch_size):
    runs = [make_run(0), make_run(1, **_EXPLODING), make_run(2)]
    calls = []
    # More epochs than one call does.
    trained = _descend(600, runs, batch_size=batch_size, stack=3, on_progress=calls.append)
    assert [network.diverged for network in trained] == [False, True, False]
    for network in trained:
        _assert_finite(network)
    assert [len(network.losses) for network in trained[::2]] == [600, 600]
    assert 3 < len(trained[1].losses) < 40
    assert all(np.isfinite(progress.loss) for progress in calls)
    calm = [make_run(0), make_run(1), make_run(2)]
    expected = _descend(600, calm, batch_size=batch_size, stack=3)
    assert_same_bits(trained[::2], expected[::2])


def test_a_stack_in_which_all_diverge_stops_early():
    runs = [make_run(k, **_EXPLODING) for k in range(3)]
    calls = []
    trained = _descend(100_000, runs, stack=3, on_progress=calls.append)
    assert all(network.diverged for network in trained)
    assert calls == []


def _early_stopping(n_iter_no_change: int, dataset: Dataset):
    seen = []

    def score(weights):
        seen.append([weight.copy() for weight in weights])
        rows = np.arange(30, N_ROWS)
        return float(evaluate_losses(SPEC, COMPILE_CONFIG, weights, dataset, rows).mean())

    return lambda number, spec: CallbackList([EarlyStopping(n_iter_no_change)], score), seen


@pytest.mark.parametrize("batch_size", [64, 8])
def test_early_stopping_restores_the_epoch_of_least_held_out_loss(batch_size):
    dataset, run = make_dataset(), make_run(rows=np.arange(30))
    callbacks, seen = _early_stopping(4, dataset)
    config = full_batches(400, learning_rate=0.05, batch_size=batch_size)
    trained = train_networks(config, [run], dataset, callbacks=callbacks)[0]
    losses = trained.validation_losses
    best = int(np.argmin(losses))
    assert len(losses) == len(trained.losses) == len(seen) == best + 1 + 4 < 400
    assert_same_bits([TrainedNetwork(seen[best], [])], [dataclasses.replace(trained, losses=[])])
    assert not trained.diverged
    # Every epoch was scored with its own weights.
    assert len({weights[2].tobytes() for weights in seen}) == len(seen)


def test_early_stopping_changes_no_bit_of_the_epochs_before():
    dataset, run = make_dataset(), make_run(rows=np.arange(30))
    callbacks, seen = _early_stopping(400, dataset)
    config = full_batches(6, batch_size=8)
    with_callbacks = train_networks(config, [run], dataset, callbacks=callbacks)[0]
    plain = train_networks(config, [run], dataset)[0]
    assert with_callbacks.losses == plain.losses
    for weight, expected in zip(seen[-1], plain.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_network_that_diverges_under_early_stopping_keeps_its_best_epoch():
    dataset, run = make_dataset("float32"), make_run(rows=np.arange(30), **_EXPLODING)
    callbacks, seen = _early_stopping(1000, dataset)
    trained = _descend(100, [run], callbacks=callbacks)[0]
    assert trained.diverged
    _assert_finite(trained)
    best = int(np.argmin(trained.validation_losses))
    np.testing.assert_array_equal(trained.weights[2], seen[best][2])


def test_networks_that_were_stopped_before_they_began_are_interrupted():
    stopping = threading.Event()
    stopping.set()
    runs = [make_run(k) for k in range(2)]
    trained = _run_stack(25, runs, stopping)
    for network, run in zip(trained, runs, strict=True):
        assert network.interrupted
        assert network.losses == []
        np.testing.assert_array_equal(network.weights[2], run.weights[2])


def _run_stack(n_epochs, runs, stopping, **options) -> list[TrainedNetwork]:
    return train_stack(
        COMPILE_CONFIG,
        full_batches(n_epochs, decay=False, **options),
        make_dataset(),
        runs,
        callbacks=None,
        stopping=stopping,
        on_progress=lambda epoch, loss: None,
    )


class _StopAfter(threading.Event):
    """Set after so many calls of `is_set`."""

    def __init__(self, n_calls: int):
        super().__init__()
        self._n_calls = n_calls

    def is_set(self) -> bool:
        self._n_calls -= 1
        return self._n_calls < 0


@pytest.mark.parametrize(("n_calls", "n_epochs"), [(1, 0), (2, 1), (3, 1), (4, 2)])
def test_a_training_that_is_stopped_within_an_epoch_keeps_the_last_whole_one(n_calls, n_epochs):
    # Two of the three steps of an epoch in one call.
    options = {"batch_size": 16, "max_call_work": 2 * 3 * 16 * SPEC.n_weights}
    stopped = _run_stack(9, [make_run()], _StopAfter(n_calls), **options)
    assert stopped[0].interrupted
    assert len(stopped[0].losses) == n_epochs
    whole = _run_stack(n_epochs or 1, [make_run()], _StopAfter(10 * n_epochs), **options)
    assert whole[0].interrupted == (n_epochs == 0)
    assert_same_bits(stopped, whole)


_ENDLESS = """
import signal
import sys
# Processes that a shell starts in the background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, "tests")
from small_networks import make_run, train_networks, full_batches

def print_epoch(progress):
    print(progress.epoch, flush=True)

runs = [make_run(k) for k in range(2)]
config = full_batches(10**9, batch_size=16, decay=False)
trained = train_networks(config, runs, on_progress=print_epoch)
print("end", flush=True)
for network, run in zip(trained, runs):
    assert network.interrupted and not network.diverged
    config = full_batches(max(1, len(network.losses)), batch_size=16, decay=False)
    if network.losses:
        again = train_networks(config, [run])[0]
        assert again.losses == network.losses
        assert all((a == b).all() for a, b in zip(again.weights, network.weights))
    print(len(network.losses), flush=True)
"""


@pytest.mark.slow
def test_ctrl_c_gives_the_networks_of_the_last_whole_epoch():
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _ENDLESS]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        # The first call has ended: the training is in full swing.
        assert process.stdout.readline().strip().isdigit()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    lines = output.split()
    n_epochs = [int(line) for line in lines[lines.index("end") + 1 :]]
    assert len(n_epochs) == 2
    assert max(n_epochs) > 1
