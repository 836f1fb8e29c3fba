"""Small datasets, networks and configs, which the tests of the training share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._compiled.program_cache import PROGRAMS
from skscale._network.compile_config import CompileConfig
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale._training.config import NetworkRun, TrainedNetwork, TrainingConfig
from skscale._training.dataset import Dataset
from skscale._training.train import train

N_ROWS, N_FEATURES, N_OUTPUTS = 40, 3, 2
SPEC = DenseSpec(N_FEATURES, N_OUTPUTS, (4,), "tanh")
ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.001}}
# One for most tests, so that they share compiled programs.
COMPILE_CONFIG = CompileConfig(
    "mean_squared_error", ADAM, proximal=True, scale_learning_rate_factor=10.0
)


def draw_rows(n_rows: int = N_ROWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n_rows, 3) and noisy targets (n_rows, 2), rounded to float32."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n_rows, N_FEATURES))
    targets = np.sin(inputs @ random.normal(size=(N_FEATURES, N_OUTPUTS)))
    targets += 0.1 * random.normal(size=targets.shape)
    return inputs.astype(np.float32), targets.astype(np.float32)


def make_dataset(dtype: str = "float64", weights: Any = None, n_rows: int = N_ROWS) -> Dataset:
    """Drawn rows, of weight one by default."""
    return dataset_of(*draw_rows(n_rows), weights, dtype=dtype)


def dataset_of(
    X: np.ndarray, y: np.ndarray, weights: Any = None, *, dtype: str = "float64"
) -> Dataset:
    """These rows without padded features, of weight one by default."""
    weights = np.ones(len(X)) if weights is None else weights
    return Dataset.from_rows(X.__getitem__, y, weights, dtype, n_columns=X.shape[1])


def make_run(
    seed: int = 0, rows: Any = None, spec: DenseSpec = SPEC, **penalties: Any
) -> NetworkRun:
    """Network with initial weights and an order from its seed, on all rows by default."""
    rows = np.arange(N_ROWS) if rows is None else np.asarray(rows)
    return NetworkRun(
        spec, rows, initialize_weights(spec, np.random.default_rng(seed)), seed, **penalties
    )


def full_batches(n_epochs: int = 25, **options: Any) -> TrainingConfig:
    """Config of whole-table batches in float64, at a rate of 0.01."""
    return TrainingConfig(
        **{"batch_size": 64, "learning_rate": 0.01, "dtype": "float64", **options},
        n_epochs=n_epochs,
    )


def train_networks(
    config: TrainingConfig,
    runs: Sequence[NetworkRun],
    dataset: Dataset | None = None,
    **options: Any,
) -> list[TrainedNetwork]:
    """Train the common network with the common config."""
    dataset = dataset or make_dataset(config.dtype)
    return train(COMPILE_CONFIG, config, dataset, runs, **options)


def assert_same_bits(first: Sequence[TrainedNetwork], second: Sequence[TrainedNetwork]) -> None:
    """Weights and losses are equal to the last bit."""
    for one, other in zip(first, second, strict=True):
        assert one.losses == other.losses
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(a, b)


def n_traces() -> int:
    """Programs compiled so far, of those that are kept."""
    return PROGRAMS.n_traces
