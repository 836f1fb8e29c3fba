"""Rows as far beyond the training data as floats go give finite numbers, and change no others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from drawn_ensembles import SPECS, UNITS, X, draw_ensemble
from numpy.testing import assert_array_equal

from skscale._inference.calibration import average_log_probabilities
from skscale._inference.network import network_outputs
from skscale._network.activations import ACTIVATIONS
from skscale._network.dense_spec import DenseSpec

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def far_rows(dtype):
    """Rows of each sign, and of both, at every distance up to the largest number."""
    largest = float(np.finfo(dtype).max)
    signs = np.array([[1, 1, 1, 1], [-1, -1, -1, -1], [1, -1, 1, -1], [-1, 1, 0, 0]])
    sizes = largest ** np.linspace(0, 1, 30)
    rows = (sizes[:, np.newaxis, np.newaxis] * signs).reshape(-1, 4)
    return np.clip(rows, -largest, largest).astype(dtype)


def near_rows(ensemble, dtype):
    """Rows on which no network overflows, as exponentials of exponentials do on some."""
    rows = X.astype(dtype)
    Z = ensemble.normalized(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = [network_outputs(ensemble.spec, weights, Z) for weights in ensemble.members]
    return rows[np.isfinite(outputs).all(axis=(0, 2))]


def assert_finite_beside_others(method, near):
    dtype = near.dtype
    far = far_rows(dtype)
    found = method(np.concatenate([near, far]))
    assert np.isfinite(found).all()
    assert found.dtype == dtype
    # As many rows, as products are summed in an order that depends on their number.
    beside_near = np.concatenate([near, np.resize(near, far.shape)])
    assert_array_equal(found[: len(near)], method(beside_near)[: len(near)])


@DTYPES
@pytest.mark.parametrize("name", SPECS)
def test_outputs_of_every_kind_of_network_are_finite(name, dtype):
    ensemble = draw_ensemble(SPECS[name])
    near = near_rows(ensemble, dtype)
    assert len(near) == len(X)
    assert_finite_beside_others(ensemble.mean_output, near)
    assert_finite_beside_others(ensemble.mean_and_spread, near)
    assert_finite_beside_others(partial(ensemble.member_output, member=1), near)


@DTYPES
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_outputs_of_every_activation_are_finite(activation, dtype):
    ensemble = draw_ensemble(DenseSpec(4, 2, (6, 5), activation, "linear"))
    assert_finite_beside_others(ensemble.mean_output, near_rows(ensemble, dtype))


@DTYPES
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_probabilities_are_finite(n_outputs, dtype):
    ensemble = draw_ensemble(DenseSpec(4, n_outputs, (6, 5)))
    average = partial(average_log_probabilities, from_logits=True, temperature=1.5)
    combined = partial(ensemble.combined, combine=average)
    assert_finite_beside_others(combined, near_rows(ensemble, dtype))


def test_far_rows_are_predicted_as_near_ones_in_their_direction_are():
    # One linear layer, whose outputs have the sign of their direction at any distance.
    ensemble = draw_ensemble(DenseSpec(4, 1, ()), n_networks=1)
    weights = ensemble.members[0]
    weights[0][:], weights[1][:] = 1e10, 0.0
    weights[2][:] = np.array([[1.0], [1.0], [1.0], [-10.0]])
    direction = np.array([1.0, 0.0, 0.0, 1.0])
    for size in (1e30, 1e300, 1.7e308):
        assert ensemble.mean_output(size * direction * np.sign(UNITS)[np.newaxis])[0, 0] < -1e30
