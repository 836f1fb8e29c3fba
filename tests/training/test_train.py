"""What training gives: weights as repetition, padding without effect, constraints that hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_networks import (
    COMPILE_CONFIG,
    N_ROWS,
    SPEC,
    assert_same_bits,
    dataset_of,
    draw_rows,
    full_batches,
    make_dataset,
    make_run,
    train_networks,
)

from skscale._callbacks.progress import Progress
from skscale._network.compile_config import CompileConfig
from skscale._parallel import n_threads
from skscale._training.config import TrainingConfig
from skscale._training.evaluate import evaluate_losses
from skscale._training.train import train


@pytest.mark.parametrize("strength", [0.0, 0.1])
def test_weights_equal_repetition(strength):
    counts = np.random.default_rng(1).integers(0, 4, N_ROWS)
    used = np.flatnonzero(counts)
    repeated = np.repeat(used, counts[used])
    X, y = draw_rows()
    config = full_batches(300, batch_size=96)
    weighted = train_networks(
        config, [make_run(rows=used, strength=strength)], make_dataset(weights=counts)
    )[0]
    dataset = dataset_of(X[repeated], y[repeated])
    run = make_run(rows=np.arange(len(repeated)), strength=strength)
    plain = train_networks(config, [run], dataset)[0]
    for a, b in zip(weighted.weights, plain.weights, strict=True):
        # Rounding of 1e-16 in sums of another order, which 300 steps may amplify.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_rows_that_no_network_learns_from_do_not_matter():
    rows = np.arange(5, 30)
    plain = train_networks(full_batches(), [make_run(rows=rows)])
    X, y = draw_rows()
    X[30:], y[:5] = 1e6, -1e6
    changed = train_networks(full_batches(), [make_run(rows=rows)], dataset_of(X, y))
    assert_same_bits(plain, changed)


def test_padding_changes_rounding_at_most():
    # 30 rows in a table of 40 and of 120, in batches 32 and 64 wide.
    plain = train_networks(full_batches(batch_size=32), [make_run(rows=np.arange(30))])[0]
    X, y = draw_rows()
    dataset = dataset_of(np.tile(X, (3, 1)), np.tile(y, (3, 1)))
    runs = [make_run(rows=np.arange(30)), make_run(1, rows=np.arange(60))]
    padded = train_networks(full_batches(), runs, dataset, stack=2)[0]
    for a, b in zip(plain.weights, padded.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(plain.losses, padded.losses, rtol=1e-12)


def test_a_stack_gives_what_each_network_gives_alone():
    runs = [
        make_run(k, rows=np.arange(k, N_ROWS), strength=0.1 * k, weight_decay=0.1 * k)
        for k in range(3)
    ]
    stacked = train_networks(full_batches(), runs, stack=3)
    for run, one in zip(runs, stacked, strict=True):
        alone = train_networks(full_batches(), [run])[0]
        for a, b in zip(one.weights, alone.weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.losses, alone.losses, rtol=1e-12)


def test_a_short_last_stack_is_filled_up_and_cut_off():
    runs = [make_run(k) for k in range(5)]
    pairs = train_networks(full_batches(), runs, stack=2)
    assert len(pairs) == 5
    threes = train_networks(full_batches(), runs, stack=3)
    for one, other in zip(pairs, threes, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-12)


def test_a_network_with_fewer_rows_than_batches_trains_in_every_step():
    rows = [np.arange(40), np.arange(33), np.arange(32), np.arange(3)]
    runs = [make_run(k, rows=rows_of_run) for k, rows_of_run in enumerate(rows)]
    trained = train_networks(TrainingConfig(5, 8, 0.01), runs, stack=4)
    for network in trained:
        assert not network.diverged
        assert np.isfinite(network.losses).all()
        assert network.losses[-1] < network.losses[0]


def _unusual(case):
    import keras

    if case == "optimizer":
        muon = keras.optimizers.serialize(keras.optimizers.Muon())
        return SPEC, CompileConfig("mean_squared_error", muon)
    if case == "regularizer":
        # It takes matrices only.
        config = {"class_name": "OrthogonalRegularizer", "config": {"factor": 0.1}}
        return dataclasses.replace(SPEC, regularizers={"kernel": config}), COMPILE_CONFIG
    constraints = {"kernel": {"class_name": "MaxNorm", "config": {"max_value": 0.5}}}
    return dataclasses.replace(
        SPEC, constraints={**constraints, "scale": "non_neg"}
    ), COMPILE_CONFIG


@pytest.mark.parametrize("case", ["optimizer", "regularizer", "constraint"])
def test_what_must_see_one_network_runs_one_at_a_time(case):
    spec, compile_config = _unusual(case)
    runs = [make_run(k, spec=spec) for k in range(2)]
    dataset = make_dataset()
    together = train(compile_config, full_batches(), dataset, runs, stack=2)
    assert_same_bits(together[:1], train(compile_config, full_batches(), dataset, runs[:1]))
    assert not np.array_equal(together[0].weights[2], together[1].weights[2])
    assert together[0].losses[-1] < together[0].losses[0]


def test_constraints_hold_after_every_update():
    spec, compile_config = _unusual("constraint")
    for n_epochs in (1, 2, 7):
        config = full_batches(n_epochs, learning_rate=0.3)
        weights = train(compile_config, config, make_dataset(), [make_run(spec=spec)])[0].weights
        assert (weights[0] >= 0).all()
        for kernel in (weights[2], weights[4]):
            # Keras adds its epsilon of 1e-7 to the norm it divides by.
            assert (np.linalg.norm(kernel, axis=0) <= 0.5 + 1e-6).all()
    assert (weights[0] == 0).any()


@pytest.mark.parametrize("loss", ["mean_squared_error", "huber"])
def test_held_out_losses_are_those_of_each_row(loss):
    compile_config = dataclasses.replace(COMPILE_CONFIG, loss=loss)
    dataset, run, rows = make_dataset("float32"), make_run(), np.array([3, 1, 20])
    losses = evaluate_losses(SPEC, compile_config, run.weights, dataset, rows)
    s, t, W, a, V, b = run.weights
    X, y = draw_rows()
    residual = np.abs(np.tanh((s * X[rows] + t) @ W + a) @ V + b - y[rows])
    values = (
        residual**2
        if loss == "mean_squared_error"
        else np.where(residual < 1, residual**2 / 2, residual - 0.5)
    )
    np.testing.assert_allclose(losses, values.mean(axis=1), rtol=1e-5)
    assert losses.dtype == np.float64
    assert evaluate_losses(SPEC, compile_config, run.weights, dataset, rows[:0]).shape == (0,)


def test_the_progress_says_how_far_each_stack_has_come():
    calls: list[Progress] = []
    runs = [make_run(k) for k in range(4)]
    train_networks(full_batches(), runs, stack=2, on_progress=calls.append)
    assert {progress.first_network for progress in calls} == {0, 2}
    for progress in calls:
        assert (progress.n_stacked, progress.n_networks, progress.n_epochs) == (2, 4, 25)
        assert progress.epoch == 25
        assert np.isfinite(progress.loss)


def test_networks_too_large_for_a_stack_train_alone_with_the_same_result(monkeypatch):
    runs, calls = [make_run(k) for k in range(2)], []
    stacked = train_networks(full_batches(), runs, stack=2)
    monkeypatch.setattr("skscale._training.train._MAX_STACKED_PRODUCTS", 0)
    alone = train_networks(full_batches(), runs, stack=2, on_progress=calls.append)
    assert {call.n_stacked for call in calls} == {1}
    for one, other in zip(stacked, alone, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            # Rounding of 1e-16 in products of another order, over 25 steps.
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_an_error_of_on_progress_ends_all_stacks():
    n_calls = 0

    def fail_once(progress):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 1:
            raise RuntimeError("enough")

    runs = [make_run(k) for k in range(6)]
    # Twenty calls each, if nothing stopped them.
    with pytest.raises(RuntimeError, match="enough"):
        train_networks(full_batches(20 * 512), runs, stack=2, on_progress=fail_once)
    assert n_calls < 30


@pytest.mark.parametrize(
    ("limit", "expected"), [("1", 1), ("100000", None), ("", None), ("x", None)]
)
def test_a_worker_keeps_to_the_threads_that_joblib_grants(monkeypatch, limit, expected):
    import joblib

    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert n_threads() == (expected or joblib.cpu_count())


_WORKERS = """
import joblib

def work(chunk):
    import numpy as np
    from skscale import LearnedScaleRegressor
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = LearnedScaleRegressor(scale_regularizer=None, hidden_layer_sizes=(2,), epochs=1)
    (model.partial_fit if chunk else model.fit)(X, X[:, 0])
    import tensorflow as tf
    return tf.config.threading.get_intra_op_parallelism_threads()

with joblib.parallel_config("loky", inner_max_num_threads=1):
    # Each is the first in its process.
    for chunk in (False, True):
        print(joblib.Parallel(n_jobs=2)([joblib.delayed(work)(chunk)]))
        joblib.externals.loky.get_reusable_executor().shutdown()
"""


@pytest.mark.slow
def test_tensorflow_keeps_to_them_too_in_a_worker_process(run_python):
    assert run_python(_WORKERS).split() == ["[1]", "[1]"]


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    runs = [make_run(k // 2, strength=0.1 * k) for k in range(8)]
    results = []
    for limit in ("1", "8"):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        results.append(train_networks(full_batches(), runs, stack=2))
    assert_same_bits(*results)
