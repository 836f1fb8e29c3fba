"""The first import of TensorFlow is silent, and everything but its log still reaches stderr."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib import metadata

import pytest
from sklearn.utils.fixes import parse_version

from skscale import LearnedScaleRegressor
from skscale._keras.stderr_filter import is_harmless

# They decide what TensorFlow says, or keep compiled programs, whose loading XLA comments on.
LOG_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE", "TF_XLA_FLAGS"}


def run(code, *arguments, path="", **environment):
    """Run code in a fresh interpreter whose environment says nothing of logs."""
    kept = {name: value for name, value in os.environ.items() if name not in LOG_SETTINGS}
    kept["PYTHONPATH"] = os.pathsep.join([str(path), os.getcwd()])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# The real TensorFlow


DATA = """
import os, pickle, sys
import numpy as np
import skscale

X = np.random.default_rng(0).normal(size=(40, 2))
y = X[:, 0] > 0
quick = {"hidden_layer_sizes": (4,), "epochs": 2, "random_state": 0}
path = {"cv": 2, "regularization_path": [0.0]}
"""
ENTRIES = {
    "regressor": "skscale.LearnedScaleRegressor(**quick, **path).fit(X, X).predict(X)",
    "chunks": "skscale.LearnedScaleRegressor(**quick).partial_fit(X, X)",
    "loss": "skscale.LearnedScaleClassifier(**quick, **path, loss='hinge').fit(X, y)",
    "network": "skscale.build_network(2, 1)(X)",
    "layers": "skscale.layers.ScalingLayer",
    "scikeras": "skscale.LearnedScaleRegressor().to_scikeras()",
    "loaded": "pickle.load(open(sys.argv[1], 'rb')).to_keras()(X)",
    "transform": "skscale.LearnedScaleTransformer().fit(X).to_keras()(X)",
}
LEFT = "\nassert 'tensorflow' in sys.modules\nassert 'TF_CPP_MIN_LOG_LEVEL' not in os.environ"

# Before it, lines of the first compilation come whatever the threshold is.
compiles_silently = parse_version(metadata.version("tensorflow")) >= parse_version("2.21")
COMPILING = {"regressor", "chunks", "loss"}


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_fresh_process_writes_nothing_to_stderr(entry, tmp_path):
    if entry in COMPILING and not compiles_silently:
        pytest.skip("this TensorFlow logs its first compilation")
    model = tmp_path / "model.pickle"
    quick = {"hidden_layer_sizes": (4,), "epochs": 2, "scale_regularizer": None}
    rows = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]]
    model.write_bytes(pickle.dumps(LearnedScaleRegressor(**quick).fit(rows, [0.0, 1.0, 2.0])))
    finished = run(DATA + ENTRIES[entry] + LEFT, model)
    assert (finished.returncode, finished.stderr) == (0, "")


# A Keras that says what it is told to, so that what happens around its import is seen


IMPORT = "from skscale._keras.quiet_import import import_keras; import_keras();"
LOGGED = "I0000 00:00:1795601989.423439   27672 port.cc:153] oneDNN custom operations are on."


def keras_that(tmp_path, *, runs):
    """Write a package that stands in the place of Keras."""
    says = f"import os, subprocess, sys, threading, warnings\nos.write(2, b'{LOGGED}\\n')\n{runs}\n"
    (tmp_path / "keras.py").write_text(says)
    return tmp_path


@pytest.mark.parametrize(
    "runs",
    [
        "warnings.warn('it is said')",
        "print('it is said', file=sys.stderr, end='')",
        "thread = threading.Thread(target=os.write, args=(2, b'it is said')); thread.start()",
        "subprocess.run(['sh', '-c', 'echo it is said >&2'])",
        # It writes when the import has long ended.
        "subprocess.Popen(['sh', '-c', 'sleep 2; echo it is said >&2'])",
        "raise ImportError('it is said')",
        "os.write(2, b'F0000 00:00:1.0  1 cpu.cc:1] it is said\\n'); os.abort()",
        "os.write(2, b'E0000 00:00:1.0  1 cuda.cc:52] failed call to cuInit: it is said\\n')",
        # More than a pipe holds.
        "os.write(2, b'.' * 200_000 + b'it is said')",
    ],
)
def test_what_is_no_log_of_the_start_arrives(tmp_path, runs):
    finished = run(IMPORT, path=keras_that(tmp_path, runs=runs))
    assert "it is said" in finished.stderr
    assert LOGGED not in finished.stderr
    assert (finished.returncode == 0) == ("abort" not in runs and "raise" not in runs)


def test_a_failed_import_leaves_stderr_and_the_environment_as_they_were(tmp_path):
    code = f"""
import os
before = dict(os.environ), os.fstat(2)
try:
    {IMPORT}
except ImportError:
    assert (dict(os.environ), os.fstat(2)) == before
"""
    finished = run(code, path=keras_that(tmp_path, runs="raise ImportError"))
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("setting", ["TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL"])
def test_a_setting_of_the_user_stays_and_nothing_is_held_back(tmp_path, setting):
    path = keras_that(tmp_path, runs="print(dict(os.environ))")
    code = f"import os; before = dict(os.environ); {IMPORT} assert dict(os.environ) == before"
    finished = run(code, path=path, **{setting: "1"})
    assert finished.returncode == 0, finished.stderr
    assert f"'{setting}': '1'" in finished.stdout
    assert LOGGED in finished.stderr


# A stand-in for TensorFlow that has started its threads.
RUNNING = """
class config:
    class threading:
        def get_inter_op_parallelism_threads():
            return 0

        def set_inter_op_parallelism_threads(n):
            raise RuntimeError
"""


def test_nothing_is_touched_where_keras_or_tensorflow_is_there_already(tmp_path):
    path = keras_that(tmp_path, runs="print(os.environ.get('TF_CPP_MIN_LOG_LEVEL'))")
    after_keras = run(f"import keras; {IMPORT}", path=path)
    assert (after_keras.stdout.strip(), after_keras.stderr.strip()) == ("None", LOGGED)
    (path / "tensorflow.py").write_text(RUNNING)
    after_tensorflow = run(f"import tensorflow; {IMPORT} import keras", path=path)
    assert (after_tensorflow.stdout.strip(), after_tensorflow.stderr.strip()) == ("None", LOGGED)


@pytest.mark.parametrize(
    "preparation",
    ["sys.executable = '/usr/sbin/uwsgi'", "sys.executable = '/nowhere/python'", "os.close(2)"],
)
def test_keras_is_imported_where_no_filter_can_run(tmp_path, preparation):
    path = keras_that(tmp_path, runs="print('imported')").joinpath("keras.py")
    # Nothing can be written where stderr is closed.
    path.write_text("print('imported')")
    finished = run(f"import os, sys; {preparation}; {IMPORT}", path=tmp_path)
    assert (finished.returncode, finished.stdout.strip()) == (0, "imported")


# Lines


@pytest.mark.parametrize(
    "line",
    [
        LOGGED,
        "W0000 00:00:1795601989.4   27672 gpu_device.cc:2431] Skipping registering GPU devices...",
        "2026-11-25 10:22:03.591606: I external/local_tsl/tsl/cuda/cudart_stub.cc:32] Could not",
        "2026-11-25 10:22:03.591606: E external/xla/cuda_driver.cc:152] failed call to cuInit: "
        "INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
        "E0000 00:00:1795602119.283809   28423 cuda_dnn.cc:8310] Unable to register cuDNN factory: "
        "Attempting to register factory for plugin cuDNN when one has already been registered",
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow "
        "with the appropriate compiler flags.",
    ],
)
def test_lines_of_a_healthy_start_are_harmless(line):
    assert is_harmless(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "I am a line of the user",
        "Traceback (most recent call last):",
        "F0000 00:00:1795601989.4   27672 cpu_feature_guard.cc:17] compiled to use AVX",
        "E0000 00:00:1795601989.4   27672 cuda_platform.cc:52] failed call to cuInit: "
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported display driver",
        "2026-11-25 10:22:03.591606: E external/xla/gpu.cc:1] out of memory",
        "UserWarning: I0000 00:00:1795601989.423439 is quoted here",
    ],
)
def test_errors_and_lines_of_others_are_not(line):
    assert not is_harmless(line.encode())
