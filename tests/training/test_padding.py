"""Tables of similar width share a program, and padded features change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._compiled.program_cache import PROGRAMS
from skscale._network.compile_config import CompileConfig
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale._network.periodic_spec import PeriodicSpec
from skscale._training.config import NetworkRun, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.padding import narrow, padded_width, widen
from skscale._training.train import train

ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.01}}
COMPILE_CONFIG = CompileConfig(
    "mean_squared_error", ADAM, proximal=True, scale_learning_rate_factor=10.0
)
CONFIG = TrainingConfig(n_epochs=60, batch_size=32, learning_rate=0.01, dtype="float64")


def _training(n_features, n_columns=None, embedding=None):
    spec = DenseSpec(n_features, 1, (4,), embedding=embedding)
    X = np.random.default_rng(0).normal(size=(20, n_features))
    n_columns = n_columns or padded_width(n_features)
    dataset = Dataset.from_rows(
        X.__getitem__, X[:, :1] ** 2, np.ones(20), "float64", n_columns=n_columns
    )
    drawn = [initialize_weights(spec, np.random.default_rng(k)) for k in range(2)]
    rows = np.arange(20)
    return spec, dataset, [NetworkRun(spec, rows, weights, 0, 0.1, 0.1) for weights in drawn]


EMBEDDINGS = [None, PeriodicSpec(), PeriodicSpec((0, 2), n_frequencies=4, units=1)]


@pytest.mark.parametrize("n_features", [3, 5])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_padded_features_change_no_weight(n_features, embedding):
    _, dataset, runs = _training(n_features, embedding=embedding)
    padded = train(COMPILE_CONFIG, CONFIG, dataset, runs, stack=2)
    _, dataset, runs = _training(n_features, n_features, embedding)
    plain = train(COMPILE_CONFIG, CONFIG, dataset, runs, stack=2)
    for one, other in zip(padded, plain, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            # float64 over 60 steps; sums over zeros may only be grouped in another way.
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_tables_of_similar_width_share_a_program():
    n_programs = []
    for n_features in (3, 5, 7):
        _, dataset, runs = _training(n_features)
        train(COMPILE_CONFIG, CONFIG, dataset, runs, stack=2)
        n_programs.append(len(PROGRAMS))
    assert len(set(n_programs)) == 1


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_narrow_takes_back_what_widen_adds(embedding):
    spec, dataset, runs = _training(5, embedding=embedding)
    wide, wide_runs = widen(spec, runs, dataset.n_columns)
    assert wide.n_features == dataset.n_columns == 8
    for wide_run, run in zip(wide_runs, runs, strict=True):
        assert [a.shape for a in wide_run.weights] == [p.shape for p in wide.parameters]
        for a, b in zip(narrow(spec, wide, wide_run.weights), run.weights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("n_features", "expected"), [(1, 8), (8, 8), (57, 64), (65, 65)])
def test_widths_are_few_up_to_one_that_is_rare(n_features, expected):
    assert padded_width(n_features) == expected


def test_networks_as_wide_as_their_table_are_left_as_they_are():
    spec, _, runs = _training(8)
    assert widen(spec, runs, 8) == (spec, runs)
