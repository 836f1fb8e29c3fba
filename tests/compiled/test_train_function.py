"""The compiled program: the same bits however it is cut and shared, compiled once, kept few."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

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
    n_traces,
    train_networks,
)

from skscale._compiled.program_cache import PROGRAMS, ProgramCache
from skscale._network.compile_config import CompileConfig
from skscale._training.config import TrainingConfig
from skscale._training.train import train

_MINI_BATCHES = TrainingConfig(12, 16, 0.01, "float64")


# Where every step sees every row, and in parts of the three steps of an epoch.
@pytest.mark.parametrize(("config", "cuts"), [(full_batches(12), (1, 2, 5)), (_MINI_BATCHES, (2,))])
def test_any_cut_into_calls_gives_the_same_bits(config, cuts):
    runs = [make_run(k, strength=0.1) for k in range(2)]
    whole = train_networks(config, runs, stack=2)
    assert len(whole[0].losses) == 12
    work = 3 * 2 * min(config.batch_size, 48) * SPEC.n_weights
    for n_steps in cuts:
        # As if a second were enough for that many steps.
        shorter = dataclasses.replace(config, max_call_work=n_steps * work)
        assert_same_bits(train_networks(shorter, runs, stack=2), whole)


def test_two_runs_give_the_same_bits():
    runs = [make_run(k) for k in range(4)]
    assert_same_bits(
        train_networks(_MINI_BATCHES, runs, stack=2), train_networks(_MINI_BATCHES, runs, stack=2)
    )


def test_several_fits_at_once_give_the_bits_that_each_gives_alone():
    fits = [[make_run(k, strength=0.2 * k), make_run(k + 10)] for k in range(6)]
    configs = [full_batches(60, learning_rate=0.01 * (k + 1)) for k in range(6)]
    alone = [
        train_networks(config, runs, stack=2) for config, runs in zip(configs, fits, strict=True)
    ]
    for _ in range(3):
        with ThreadPoolExecutor(6) as pool:
            together = list(
                pool.map(lambda config, runs: train_networks(config, runs, stack=2), configs, fits)
            )
        for one, other in zip(alone, together, strict=True):
            assert_same_bits(one, other)


def test_a_cold_program_is_built_once_for_all_threads_that_want_it():
    spec = dataclasses.replace(SPEC, hidden_layer_sizes=(3,))
    programs, ready = [], threading.Barrier(4)

    def get():
        ready.wait()
        programs.append(PROGRAMS.get(spec, COMPILE_CONFIG, None, "float64", 48, (1, 48)))

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(programs) == 4
    assert len({id(program) for program in programs}) == 1


def test_rates_strengths_decays_epochs_and_seeds_compile_nothing_anew():
    def fit(seed=0, n_runs=2, n_rows=N_ROWS, n_epochs=5, options=None, **penalties):
        rows = np.arange(n_rows)
        runs = [make_run(seed + k, rows=rows, **penalties) for k in range(n_runs)]
        train_networks(full_batches(n_epochs, **(options or {})), runs, stack=2)

    fit()
    n_programs, traces = len(PROGRAMS), n_traces()
    fit(options={"learning_rate": 0.1})
    fit(options={"decay": False})
    fit(n_epochs=7)
    fit(n_epochs=600)
    fit(seed=3)
    fit(strength=0.3)
    fit(weight_decay=0.3)
    fit(n_runs=6)
    # The same bucket of rows.
    fit(n_rows=N_ROWS - 5)
    train_networks(full_batches(5), [make_run(0), make_run(1)], make_dataset(n_rows=45), stack=2)
    assert len(PROGRAMS) == n_programs
    assert n_traces() == traces


def test_a_replaced_rate_and_the_names_of_keras_compile_nothing_anew():
    import keras

    programs = set()
    for rate in (0.1, 0.2):
        config = keras.optimizers.serialize(keras.optimizers.Adam(rate))
        for spec in (SPEC, dataclasses.replace(SPEC, initializers={"bias": "ones"})):
            compile_config = CompileConfig("mse", config)
            programs.add(id(PROGRAMS.get(spec, compile_config, None, "float64", 48, (1, 48))))
    assert len(programs) == 1


def test_the_cache_is_bounded_and_frees_together_what_was_used_least_recently():
    cache = ProgramCache(2, 3)

    def get(n_rows):
        return cache.get(SPEC, COMPILE_CONFIG, None, "float64", n_rows, (1, 16))

    first, second = get(0), get(1)
    for n_rows in range(2, 20):
        latest = get(n_rows)
        assert get(0) is first
        assert len(cache) <= 6
    assert get(19) is latest
    # It shares the session of the first, while others have made room.
    assert get(1) is second
    freed = weakref.ref(latest)
    for n_rows in range(20, 26):
        get(n_rows)
    del latest
    assert freed() is None
    assert get(25) is get(25)


def test_an_optimizer_that_cannot_run_leaves_nothing_in_the_cache():
    config = {"class_name": "SGD", "config": {"gradient_accumulation_steps": 2}}
    before = len(PROGRAMS)
    with pytest.raises(ValueError, match="gradient_accumulation_steps=2"):
        train(CompileConfig("mse", config), full_batches(), make_dataset(), [make_run()])
    assert len(PROGRAMS) == before


def test_a_fit_leaves_its_arguments_as_they_were():
    config = {"class_name": "Adam", "config": {"learning_rate": 0.001}}
    run, dataset = make_run(strength=0.1), make_dataset()
    before = [weight.copy() for weight in run.weights]
    first = train(
        dataclasses.replace(COMPILE_CONFIG, optimizer=config), full_batches(), dataset, [run]
    )
    second = train(
        dataclasses.replace(COMPILE_CONFIG, optimizer=config), full_batches(), dataset, [run]
    )
    assert config == {"class_name": "Adam", "config": {"learning_rate": 0.001}}
    assert_same_bits(first, second)
    for weight, start in zip(run.weights, before, strict=True):
        np.testing.assert_array_equal(weight, start)
