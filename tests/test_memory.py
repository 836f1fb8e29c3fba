"""Memory: many fits in one process, and one fit of a large table."""

from __future__ import annotations

from pathlib import Path

import pytest

_MANY_FITS = """
import gc, resource
import numpy as np
from skscale import LearnedScaleRegressor

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

random = np.random.default_rng(0)
X, y = random.normal(size=(150, 6)), random.normal(size=150)

def fit(number):
    # What a search changes without a new architecture: rates, decays, seeds, rows.
    LearnedScaleRegressor(
        scale_regularizer=None, hidden_layer_sizes=(8,), epochs=3, random_state=number,
        learning_rate=0.001 * (1 + number % 7), weight_decay=0.1 * (number % 3),
    ).fit(X[: 140 + number % 10], y[: 140 + number % 10])

for number in range(20):
    fit(number)
gc.collect()
before = resident()
for number in range(500):
    fit(number)
gc.collect()
print(resident() - before)
"""

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
def test_five_hundred_fits_grow_the_process_by_less_than_50_megabytes(run_python):
    assert float(run_python(_MANY_FITS)) < 50


@ON_LINUX
@pytest.mark.slow
def test_a_fit_needs_at_most_two_copies_of_its_table(run_python):
    # The table of 64 columns itself is one and a fifteenth.
    assert float(run_python(_LARGE_FIT)) < 2
