"""What fits take, and keep: many of them in one process, and one of a large table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

_LONG_RUN = "import sys; sys.path.insert(0, 'tests'); import long_run; long_run.main()"
# So few programs are kept that others make room.
_SHORTER = "--fits 200 --tables 1 --architectures 6 --sessions 1 --programs 2 --predictions 1000"

_LARGE_FIT = """
import numpy as np
import keras
from skscale import LearnedScaleRegressor

def peak():
    # Not ru_maxrss: that of a process is at least what its parent had when it started it.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

random = np.random.default_rng(0)
X = random.standard_normal((400_000, 60), dtype=np.float32)
y = X[:, 0] + X[:, 1]
model = LearnedScaleRegressor(scale_regularizer=None, epochs=1, hidden_layer_sizes=(4,))
# The first fit of this shape compiles its program, which takes as much as it takes for any table.
model.fit(X, y)
open("/proc/self/clear_refs", "w").write("5")
before = peak()
model.fit(X, y)
print((peak() - before) / X.nbytes)
"""


ON_LINUX = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux' /proc"
)


@ON_LINUX
@pytest.mark.slow
def test_a_process_keeps_nothing_of_fits_architectures_and_predictions(run_python):
    last_line = run_python(_LONG_RUN, *_SHORTER.split()).splitlines()[-1]
    added = json.loads(last_line)
    assert added["fits"]["megabytes"] < 50
    # Six programs are 66 MB where they stay.
    assert added["architectures"]["megabytes"] < 30
    assert added["predictions"]["megabytes"] < 10
    for stage in added.values():
        assert stage["descriptors"] <= 0
        assert stage["threads"] <= 0


@ON_LINUX
@pytest.mark.slow
def test_a_fit_needs_at_most_two_copies_of_its_table(run_python):
    # The table of 64 columns itself is one and a fifteenth.
    assert float(run_python(_LARGE_FIT)) < 2
