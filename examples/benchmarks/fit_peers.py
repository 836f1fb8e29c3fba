"""One network, trained by every library: the work that `fit_speed.py` times.

Each function builds the network, trains it and has its weights in NumPy, or in an estimator, when
it returns. All train relu layers with a linear output on the mean squared error, with Adam at a
rate of 1e-3 and an epsilon of 1e-7 (Keras' defaults), in the same batches and epochs, in an order
drawn anew in every epoch; the last batch of an epoch is a short one.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LEARNING_RATE, EPSILON = 1e-3, 1e-7


@dataclass(frozen=True)
class Work:
    """What is to be done: a table's shape, a network and a training."""

    case: str
    n_samples: int
    n_features: int
    batch_size: int
    epochs: int
    width: int
    dtype: str

    @property
    def widths(self) -> tuple[int, int]:
        """Units of the hidden layers."""
        return self.width, self.width

    @property
    def kernels(self) -> list[tuple[int, int]]:
        """Shapes of the kernels."""
        widths = (self.n_features, *self.widths, 1)
        return list(itertools.pairwise(widths))

    @property
    def n_operations(self) -> int:
        """Floating-point operations of all products: forward, to the kernels, to the inputs."""
        n_weights = sum(n_in * n_out for n_in, n_out in self.kernels)
        return 6 * n_weights * self.n_samples * self.epochs


def learned_scale(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    from skscale import LearnedScaleRegressor

    return LearnedScaleRegressor(
        scale_regularizer=None,
        embedding=None,
        hidden_layer_sizes=work.widths,
        activation="relu",
        optimizer="adam",
        # Adam, not AdamW.
        weight_decay=0.0,
        batch_size=work.batch_size,
        epochs=work.epochs,
        dtype=work.dtype,
        random_state=0,
    ).fit(X, y)


def keras_model(work: Work) -> Any:
    import keras

    # No seed is set: Keras only sets all of them at once, which empties TensorFlow's caches.
    model = keras.Sequential(
        [
            keras.Input((work.n_features,)),
            *(keras.layers.Dense(n, "relu", dtype=work.dtype) for n in work.widths),
            keras.layers.Dense(1, dtype=work.dtype),
        ]
    )
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON),
        keras.losses.MeanSquaredError(dtype=work.dtype),
    )
    return model


def keras_fit(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    model = keras_model(work)
    model.fit(X, y, batch_size=work.batch_size, epochs=work.epochs, verbose=0)
    return model.get_weights()


def scikeras(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    from scikeras.wrappers import KerasRegressor

    return KerasRegressor(
        lambda: keras_model(work), batch_size=work.batch_size, epochs=work.epochs, verbose=0
    ).fit(X, y)


def keras_wrappers(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    from keras.wrappers import SKLearnRegressor

    settings = {"batch_size": work.batch_size, "epochs": work.epochs, "verbose": 0}
    return SKLearnRegressor(lambda X, y: keras_model(work), fit_kwargs=settings).fit(X, y)


def mlp(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        # All epochs are wanted, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPRegressor(
            hidden_layer_sizes=work.widths,
            activation="relu",
            alpha=0.0,
            learning_rate_init=LEARNING_RATE,
            epsilon=EPSILON,
            batch_size=work.batch_size,
            max_iter=work.epochs,
            n_iter_no_change=work.epochs,
            tol=0.0,
            random_state=0,
        ).fit(X, y)


def torch_loop(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    import torch

    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for n_in, n_out in work.kernels:
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).to(getattr(torch, work.dtype))
    # One kernel for the whole update: faster here than the default, a loop over the weights.
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=EPSILON, fused=True)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y[:, None])
    for _ in range(work.epochs):
        for rows in torch.randperm(len(inputs)).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.mse_loss(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    return [parameter.detach().numpy() for parameter in model.parameters()]


def torch_single(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return torch_loop(work, X, y)
    finally:
        torch.set_num_threads(n_threads)


def jax_scan(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    import jax

    jax.config.update("jax_enable_x64", work.dtype == "float64")
    random = np.random.default_rng(0)
    weights = []
    for n_in, n_out in work.kernels:
        limit = math.sqrt(6 / (n_in + n_out))
        kernel = random.uniform(-limit, limit, (n_in, n_out)).astype(work.dtype)
        weights.append((kernel, np.zeros(n_out, work.dtype)))
    # Drawn in NumPy: jax.random.permutation sorts, and took twice the time of the small case.
    n_steps = math.ceil(work.n_samples / work.batch_size)
    rows = np.full((work.epochs, n_steps * work.batch_size), work.n_samples, np.int32)
    for order in rows:
        order[: work.n_samples] = random.permutation(work.n_samples)
    rows = rows.reshape(work.epochs, n_steps, work.batch_size)
    trained = jax.block_until_ready(_jax_program(work)(weights, X, y, rows))
    return jax.tree.map(np.asarray, trained)


@functools.cache
def _jax_program(work: Work) -> Callable[..., Any]:
    """Return the whole training as one program, which is compiled in its first call."""
    import jax
    import jax.numpy as jnp

    def loss(weights: Any, inputs: Any, targets: Any, is_row: Any) -> Any:
        *hidden, (kernel, bias) = weights
        for own_kernel, own_bias in hidden:
            inputs = jax.nn.relu(inputs @ own_kernel + own_bias)
        errors = (inputs @ kernel + bias)[:, 0] - targets
        return jnp.sum(is_row * errors**2) / jnp.sum(is_row)

    @jax.jit
    def train(weights: Any, X: Any, y: Any, rows: Any) -> Any:
        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            weights, m, v, count = state
            # Row numbers beyond the last fill up the last batch, and weigh nothing.
            is_row = (batch < work.n_samples).astype(X.dtype)
            batch = jnp.minimum(batch, work.n_samples - 1)
            value, slopes = jax.value_and_grad(loss)(weights, X[batch], y[batch], is_row)
            count = count + 1
            rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, slopes)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, slopes)
            weights = jax.tree.map(
                lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, m, v
            )
            return (weights, m, v, count), value

        def epoch(state: Any, batches: Any) -> tuple[Any, Any]:
            state, losses = jax.lax.scan(step, state, batches)
            return state, losses.mean()

        zeros = jax.tree.map(jnp.zeros_like, weights)
        state = (weights, zeros, zeros, jnp.zeros((), X.dtype))
        (weights, *_), losses = jax.lax.scan(epoch, state, rows)
        return weights, losses

    return train


Fit = Callable[[Work, np.ndarray, np.ndarray], Any]

PEERS: dict[str, tuple[Fit, tuple[str, ...]]] = {
    "keras": (keras_fit, ("keras",)),
    "scikeras": (scikeras, ("scikeras.wrappers",)),
    "keras.wrappers": (keras_wrappers, ("keras.wrappers",)),
    "mlp": (mlp, ("sklearn.neural_network",)),
    "torch": (torch_loop, ("torch",)),
    "torch-1-thread": (torch_single, ("torch",)),
    "jax": (jax_scan, ("jax", "jax.numpy")),
}
"""Who else does it, by name, and what must be imported before."""
