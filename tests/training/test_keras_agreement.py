"""The numbers of a training: those of Keras' own, and of a plain NumPy reimplementation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_networks import (
    N_FEATURES,
    N_ROWS,
    SPEC,
    dataset_of,
    draw_rows,
    full_batches,
    make_dataset,
    make_run,
)

from skscale._network.compile_config import CompileConfig
from skscale._network.periodic_spec import PeriodicSpec
from skscale._training.config import TrainingConfig
from skscale._training.train import train

_PENALIZED = dataclasses.replace(
    SPEC,
    regularizers={"kernel": {"class_name": "L2", "config": {"l2": 0.05}}},
    constraints={"kernel": {"class_name": "MaxNorm", "config": {"max_value": 0.9}}},
)
_EMBEDDED = dataclasses.replace(SPEC, embedding=PeriodicSpec())


def _optimizer(name: str):
    import keras

    schedules = keras.optimizers.schedules
    return {
        "sgd": keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "adam": keras.optimizers.Adam(0.01),
        "adamw": keras.optimizers.AdamW(0.01, weight_decay=0.1),
        "averages": keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8),
        "schedule": keras.optimizers.SGD(schedules.ExponentialDecay(0.2, 3, 0.7)),
    }[name]


def _keras_fit(spec, weights, optimizer, X, y, sample_weight, **options):
    """Weights and losses of Keras' own training."""
    import keras

    from skscale.layers import CenteringScalingLayer, PeriodicEmbedding

    def dense(layer, width):
        return keras.layers.Dense(
            width,
            layer.activation,
            kernel_regularizer=keras.regularizers.get(spec.regularizers.get("kernel")),
            kernel_constraint=keras.constraints.get(spec.constraints.get("kernel")),
        )

    widths = (*spec.hidden_layer_sizes, spec.n_outputs)
    layers = [dense(layer, width) for layer, width in zip(spec.layers, widths, strict=True)]
    if spec.embedding:
        layers.insert(0, PeriodicEmbedding())
    model = keras.Sequential([keras.Input((N_FEATURES,)), CenteringScalingLayer(), *layers])
    model.set_weights(weights)
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model.compile(optimizer, loss, run_eagerly=True)
    fitted = model.fit(
        X, y, sample_weight=sample_weight, epochs=20, shuffle=False, verbose=0, **options
    )
    return model.get_weights(), fitted.history["loss"]


@pytest.mark.parametrize(
    ("optimizer", "weighted", "spec", "batch_size"),
    [
        ("sgd", True, SPEC, N_ROWS),
        ("adam", True, SPEC, N_ROWS),
        ("adamw", True, _PENALIZED, N_ROWS),
        # 40 rows in batches of 16: two whole ones and one of 8.
        ("schedule", False, SPEC, 16),
        ("sgd", True, _EMBEDDED, N_ROWS),
        pytest.param("adamw", False, _EMBEDDED, 16, marks=pytest.mark.slow),
        pytest.param("sgd", False, SPEC, N_ROWS, marks=pytest.mark.slow),
        pytest.param("adamw", True, SPEC, N_ROWS, marks=pytest.mark.slow),
        pytest.param("adam", False, SPEC, 16, marks=pytest.mark.slow),
        pytest.param("averages", False, SPEC, N_ROWS, marks=pytest.mark.slow),
    ],
)
def test_twenty_epochs_agree_with_keras(optimizer, weighted, spec, batch_size):
    import keras

    X, y = draw_rows()
    sample_weight = np.random.default_rng(1).uniform(0.2, 3.0, N_ROWS) if weighted else None
    config = keras.optimizers.serialize(_optimizer(optimizer))
    compile_config = CompileConfig("mean_squared_error", config, scheduled=False)
    config = TrainingConfig(20, batch_size, np.nan, "float32", shuffle=False)
    dataset = dataset_of(X, y, sample_weight, dtype="float32")
    run = make_run(spec=spec)
    trained = train(compile_config, config, dataset, [run])[0]
    weights, losses = _keras_fit(
        spec, run.weights, _optimizer(optimizer), X, y, sample_weight, batch_size=batch_size
    )
    moved = max(np.abs(a - b).max() for a, b in zip(weights, run.weights, strict=True))
    assert moved > 0.05
    for ours, theirs in zip(trained.weights, weights, strict=True):
        assert ours.dtype == np.float32
        # float32, twenty or sixty steps of rounding.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-5)


def _numpy_training(weights, X, y, n_epochs, *, rate, factor, strength, decay, epsilon):
    """All of it in float64: tanh network, SGD with momentum, decay, proximal scale."""
    s, t, W, a, V, b = (np.asarray(weight, np.float64) for weight in weights)
    momentum, losses = float(np.float32(0.9)), []
    velocities = [np.zeros_like(weight) for weight in (t, W, a, V, b)]
    first, second = np.zeros_like(s), 0.0
    for step in range(n_epochs):
        # Rates are float32, as Keras keeps them.
        eta = np.float32(rate * 0.5 * (1 + np.cos(np.pi * step / n_epochs)))
        h = s * X + t
        u = np.tanh(h @ W + a)
        residual = u @ V + b - y
        losses.append(np.mean(residual**2))
        dz = 2 * residual / residual.size
        du = dz @ V.T * (1 - u**2)
        dh = du @ W.T
        gradients = [dh.sum(0), h.T @ du, du.sum(0), u.T @ dz, dz.sum(0)]
        velocities = [
            momentum * v - float(eta) * g for v, g in zip(velocities, gradients, strict=True)
        ]
        shrink = float(eta) * decay
        t, W, a, V, b = (
            weight + v - (shrink * weight if weight.ndim == 2 else 0)
            for weight, v in zip((t, W, a, V, b), velocities, strict=True)
        )
        ds = (dh * X).sum(0)
        first, second = 0.9 * first + 0.1 * ds, 0.999 * second + 0.001 * np.mean(ds**2)
        c = step + 1
        eta_s = float(eta * np.float32(factor)) / (np.sqrt(second / (1 - 0.999**c)) + epsilon)
        moved = s - eta_s * first / (1 - 0.9**c)
        s = np.sign(moved) * np.maximum(np.abs(moved) - eta_s * strength / len(s), 0)
    return [s, t, W, a, V, b], losses


def test_a_float64_run_follows_a_plain_numpy_reimplementation():
    config = {"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.9}}
    compile_config = CompileConfig(
        "mean_squared_error",
        config,
        proximal=True,
        scale_learning_rate_factor=3.0,
        proximal_epsilon=1e-2,
    )
    run = make_run(strength=0.3, weight_decay=0.2)
    trained = train(compile_config, full_batches(60, learning_rate=0.05), make_dataset(), [run])[0]
    X, y = draw_rows()
    settings = {"rate": 0.05, "factor": 3.0, "strength": 0.3, "decay": 0.2, "epsilon": 1e-2}
    weights, losses = _numpy_training(run.weights, X.astype(float), y, 60, **settings)
    for ours, theirs in zip(trained.weights, weights, strict=True):
        assert ours.dtype == np.float64
        # A few hundred roundings of 1e-16.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-12)
