"""Networks on rows of a dataset: outputs, the loss of every row, and whether they overflow."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skscale._compiled.forward import forward_tensors
from skscale._compiled.losses import per_sample_loss
from skscale._inference.dense import dense_form, forward
from skscale._network.compile_config import CompileConfig
from skscale._network.spec import NetworkSpec
from skscale._network.stateless_call import StatelessCall, stateless_call
from skscale._training.dataset import Dataset

# Rows of one evaluation, so that held-out rows of large tables pass in pieces.
_EVALUATION_ROWS = 65_536
# Rows whose outputs must be finite, at most: the losses of an epoch have seen all of them.
_MAX_CHECKED_ROWS = 1024


def predict_rows(
    spec: NetworkSpec, weights: Sequence[Any], dataset: Dataset, rows: np.ndarray
) -> np.ndarray:
    """Compute the outputs of one network for the given rows, of shape (n_rows, n_outputs)."""
    inputs = np.asarray(dataset.tensors[0])[:, : spec.n_features]
    if spec.body is None:
        # NumPy is faster than one call of TensorFlow after the other.
        arrays, layers, center = dense_form(spec, weights)
        run = functools.partial(forward, weights=arrays, layers=layers, center=center)
    else:
        body = stateless_call(spec.body, inputs.dtype.name)
        run = functools.partial(_body_outputs, spec, weights, body)
    # Networks that diverge overflow here, and whoever asked looks at what comes out.
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = [run(inputs[part]) for part in _parts(rows)]
    return np.concatenate(outputs) if outputs else np.empty((0, spec.n_outputs))


def _body_outputs(
    spec: NetworkSpec, weights: Sequence[Any], body: StatelessCall, inputs: np.ndarray
) -> np.ndarray:
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(weight) for weight in weights]
    outputs = forward_tensors(spec, tensors, tf.convert_to_tensor(inputs), body=body)
    return np.asarray(outputs.values)


def evaluate_losses(
    spec: NetworkSpec,
    compile_config: CompileConfig,
    weights: Sequence[Any],
    dataset: Dataset,
    rows: np.ndarray,
) -> np.ndarray:
    """Compute the data loss of every given row under one network, float64 of shape (n_rows,)."""
    return losses_of(compile_config, predict_rows(spec, weights, dataset, rows), dataset, rows)


def losses_of(
    compile_config: CompileConfig, outputs: np.ndarray, dataset: Dataset, rows: np.ndarray
) -> np.ndarray:
    """Compute the data loss of outputs for the given rows, float64 of shape (n_rows,)."""
    import tensorflow as tf

    compute, targets = per_sample_loss(compile_config.loss), dataset.tensors.targets
    losses = [np.empty(0)]
    for start, part in zip(itertools.count(step=_EVALUATION_ROWS), _parts(rows), strict=False):
        predicted = outputs[start : start + len(part)]
        losses.append(np.asarray(compute(tf.gather(targets, part), predicted), np.float64))
    return np.concatenate(losses)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + _EVALUATION_ROWS] for i in range(0, len(rows), _EVALUATION_ROWS)]


def has_finite_outputs(
    spec: NetworkSpec, weights: Sequence[Any], dataset: Dataset, rows: np.ndarray
) -> bool:
    """Whether one network gives finite outputs for rows that it has learned."""
    step = math.ceil(len(rows) / _MAX_CHECKED_ROWS)
    return bool(np.isfinite(predict_rows(spec, weights, dataset, rows[::step])).all())
