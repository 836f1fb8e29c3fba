"""The same numbers come out whatever Keras, TensorFlow and the process around them are set to.

Another backend and forks are in `keras/test_training_process.py`, workers of joblib in
`training/test_train.py` and `test_state.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import few_fits
import keras
import numpy as np
import pytest
import sklearn
import tensorflow as tf

from skscale._compiled.program_cache import ProgramCache


@pytest.fixture(scope="module")
def expected():
    return few_fits.predictions()


@contextlib.contextmanager
def setting(get, set_to, value):
    before = get()
    set_to(value)
    try:
        yield
    finally:
        set_to(before)


@contextlib.contextmanager
def checked_numerics():
    tf.debugging.enable_check_numerics()
    try:
        yield
    finally:
        tf.debugging.disable_check_numerics()


def policy(name):
    return setting(keras.config.dtype_policy, keras.config.set_dtype_policy, name)


def eagerly():
    return setting(tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, True)


def jit():
    return setting(
        lambda: tf.config.optimizer.get_jit() or False, tf.config.optimizer.set_jit, True
    )


# Each as a whole, so that a program is traced and compiled in few of them.
SURROUNDINGS = {
    "strategy, scopes, tape, NumPy that raises": [
        lambda: tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        lambda: tf.name_scope("outer/scope"),
        lambda: keras.name_scope("outer"),
        tf.GradientTape,
        lambda: np.errstate(all="raise"),
    ],
    "eager functions, jit, a device, checks of numbers, a stateless scope": [
        eagerly,
        jit,
        lambda: tf.device("/cpu:0"),
        checked_numerics,
        keras.StatelessScope,
    ],
    "another strategy, float64, channels first, warnings that raise, frames": [
        lambda: tf.distribute.OneDeviceStrategy("/cpu:0").scope(),
        lambda: policy("float64"),
        lambda: setting(
            keras.config.image_data_format, keras.config.set_image_data_format, "channels_first"
        ),
        lambda: warnings.catch_warnings(action="error"),
        lambda: sklearn.config_context(transform_output="pandas", enable_metadata_routing=True),
    ],
    "mixed precision": [lambda: policy("mixed_float16")],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_settings_around_a_fit_change_no_bit(name, expected, monkeypatch):
    # What has been compiled outside would be used inside.
    monkeypatch.setattr("skscale._training.stack.PROGRAMS", ProgramCache(1, 8))
    for predict, right in zip(few_fits.ALL, expected, strict=True):
        if name == "mixed precision" and predict is few_fits.predict_by_own_layers:
            # Layers that a user makes under a policy of half precision compute in it.
            continue
        with contextlib.ExitStack() as stack:
            for enter in SURROUNDINGS[name]:
                stack.enter_context(enter())
            predicted = predict()
        np.testing.assert_array_equal(predicted, right)


PREDICT = "import json, few_fits; print(json.dumps(few_fits.predictions()))"
SPAWN = """
import json, multiprocessing, few_fits, tensorflow as tf

if __name__ == "__main__":
    # TensorFlow runs here; the child starts anew.
    tf.zeros(1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps(pool.apply(few_fits.predictions)))
"""
# One core, if the system can tell.
ONE_CORE = "import os; getattr(os, 'sched_setaffinity', lambda *_: 0)(0, {0});"
PROCESSES = {
    "optimized, no home, one core": (
        ["-O", "-W", "error"],
        ONE_CORE + PREDICT,
        {"HOME": None, "PYTHONHASHSEED": "1", "LC_ALL": "C", "OMP_NUM_THREADS": "1"},
    ),
    "spawned, a home that cannot be written, other flags of XLA": (
        ["-P"],
        SPAWN,
        {
            "HOME": os.devnull,
            "PYTHONHASHSEED": "2",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
            "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "TF_DETERMINISTIC_OPS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
def test_settings_of_a_process_change_no_result(name, expected, tmp_path):
    options, code, settings = PROCESSES[name]
    here = Path(__file__).parent
    environment = {**os.environ, **settings}
    environment["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent)])
    program = tmp_path / "program.py"
    program.write_text(code)
    finished = subprocess.run(
        [sys.executable, *options, program],
        cwd=tmp_path,
        env={key: value for key, value in environment.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    for predicted, right in zip(json.loads(finished.stdout), expected, strict=True):
        # All are the same bits, but that XLA sums in another order for one thread: 6e-17 here.
        np.testing.assert_allclose(predicted, right, rtol=1e-9 * ("XLA" in name), atol=0.0)
