"""Networks on rows of a dataset: outputs, the loss of every row, and whether they overflow."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skscale._compiled.forward import Forward
from skscale._compiled.losses import per_sample_loss
from skscale._inference.dense import dense_form, forward
from skscale._network.compile_config import CompileConfig
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.spec import NetworkSpec
from skscale._training.dataset import Dataset

# Rows of one evaluation, so that held-out rows of large tables pass in pieces.
_EVALUATION_ROWS = 65_536
# Rows whose outputs must be finite, at most: the losses of an epoch have seen all of them.
_MAX_CHECKED_ROWS = 1024
# Products and sums of numbers below it are finite in float32.
_SAFE_BOUND = 1e30


def predict_rows(
    spec: NetworkSpec, weights: Sequence[Any], dataset: Dataset, rows: np.ndarray
) -> np.ndarray:
    """Compute the outputs of one network for some rows, of shape (n_rows, n_outputs)."""
    inputs = dataset.padded.inputs[:, : spec.n_features]
    run = _outputs(spec, weights, inputs.dtype.name)
    # Networks that diverge overflow here; the callers check the outputs.
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = [run(inputs[part]) for part in _parts(rows)]
    return np.concatenate(outputs) if outputs else np.empty((0, spec.n_outputs))


@functools.singledispatch
def _outputs(
    spec: NetworkSpec, weights: Sequence[Any], dtype: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the network as a function of normalized rows."""
    raise NotImplementedError(type(spec))


@_outputs.register
def _(spec: DenseSpec, weights: Sequence[Any], dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    # NumPy is faster than one call of TensorFlow after the other.
    return functools.partial(forward, network=dense_form(spec, weights))


@_outputs.register
def _(spec: CustomSpec, weights: Sequence[Any], dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    import tensorflow as tf

    run, tensors = Forward(spec, dtype), [tf.convert_to_tensor(weight) for weight in weights]
    return lambda inputs: np.asarray(run(tensors, tf.convert_to_tensor(inputs)).values)


def evaluate_losses(
    spec: NetworkSpec,
    compile_config: CompileConfig,
    weights: Sequence[Any],
    dataset: Dataset,
    rows: np.ndarray,
) -> np.ndarray:
    """Compute the data loss of some rows under one network, float64 of shape (n_rows,)."""
    return losses_of(compile_config, predict_rows(spec, weights, dataset, rows), dataset, rows)


def losses_of(
    compile_config: CompileConfig, outputs: np.ndarray, dataset: Dataset, rows: np.ndarray
) -> np.ndarray:
    """Compute the data loss of outputs for some rows, float64 of shape (n_rows,)."""
    import tensorflow as tf

    compute, targets = per_sample_loss(compile_config.loss), dataset.padded.targets
    losses = [np.empty(0)]
    for start, part in zip(itertools.count(step=_EVALUATION_ROWS), _parts(rows), strict=False):
        part_outputs = outputs[start : start + len(part)]
        losses.append(
            np.asarray(compute(tf.convert_to_tensor(targets[part]), part_outputs), np.float64)
        )
    return np.concatenate(losses)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + _EVALUATION_ROWS] for i in range(0, len(rows), _EVALUATION_ROWS)]


def has_finite_outputs(
    spec: NetworkSpec, weights: Sequence[Any], dataset: Dataset, rows: np.ndarray
) -> bool:
    """Whether one network gives finite outputs for rows that it has learned."""
    if isinstance(spec, DenseSpec) and _output_bound(spec, weights, dataset) < _SAFE_BOUND:
        return True
    step = math.ceil(len(rows) / _MAX_CHECKED_ROWS)
    return bool(np.isfinite(predict_rows(spec, weights, dataset, rows[::step])).all())


def _output_bound(spec: DenseSpec, weights: Sequence[Any], dataset: Dataset) -> float:
    """Bound what any unit can give on any row: by far too large, but of a few numbers."""
    scale, offset, layers, embedding = dense_form(spec, weights)
    bound = dataset.max_input * _largest(scale) + _largest(offset)
    if embedding is not None:
        # Waves are between -1 and 1.
        n_waves = embedding.kernel.shape[1]
        bound = max(bound, n_waves * _largest(embedding.kernel) + _largest(embedding.bias))
    for layer, (kernel, bias, _) in zip(spec.layers, layers, strict=True):
        bound = bound * len(kernel) * _largest(kernel) + _largest(bias)
        if layer.activation == "exponential":
            return math.inf
        # No other activation grows faster than this; SELU comes nearest.
        bound = 1.1 * bound + 2.0
    return bound


def _largest(array: np.ndarray | None) -> float:
    return 0.0 if array is None else float(np.abs(array).max(initial=0.0))
