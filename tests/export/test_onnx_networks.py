"""Networks of every kind, with drawn weights, give in ONNX what they give in NumPy."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from drawn_ensembles import N_FEATURES, SPECS, X, draw_ensemble, draw_overflowing_waves

from skscale._export.onnx_networks import classifier_outputs, regressor_outputs
from skscale._export.to_onnx import onnx_model
from skscale._inference.calibration import average_log_probabilities
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap

# Rounding of float32 sums of a few terms, and of float64 ones.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def run(outputs, dtype, rows=X):
    model = onnx_model(
        lambda graph, rows: {"y": outputs(graph, rows)},
        n_features=N_FEATURES,
        dtype=dtype,
        target_opset=None,
        name="test",
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"X": rows.astype(dtype)})[0]


def assert_close(found, expected, dtype):
    """Compare relative to the largest number, as sums are rounded."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == dtype
    error = np.abs(found - expected).max(axis=0)
    assert (error <= TOLERANCES[dtype] * np.abs(expected).max(axis=0)).all(), error


def assert_regressor(ensemble, target_map, dtype):
    found = run(lambda graph, rows: regressor_outputs(graph, ensemble, target_map, rows), dtype)
    expected = target_map.inverse(ensemble.mean_output(X.astype(dtype)))
    assert_close(found, expected, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("name", SPECS)
def test_mean_of_networks_is_that_of_numpy(name, n_networks, dtype):
    spec = SPECS[name]
    target_map = AffineMap(
        *np.array([[1e6, -3e-20], [1e-3, 1e20], [0.0, 1.0]])[:, : spec.n_outputs]
    )
    assert_regressor(draw_ensemble(spec, n_networks, shift=0.5), target_map, dtype)


def test_waves_of_huge_features_are_finite():
    ensemble, huge = draw_overflowing_waves()
    identity = AffineMap.identity(2)
    found = run(lambda graph, X: regressor_outputs(graph, ensemble, identity, X), "float64", huge)
    assert_close(found, ensemble.mean_output(huge), "float64")


@pytest.mark.parametrize("active", [[0, 2], [3], []], ids=str)
def test_features_that_do_not_vary_are_left_out(active):
    spec = DenseSpec(max(1, len(active)), 2, (6,))
    ensemble = draw_ensemble(spec, active=np.array(active, int))
    assert_regressor(ensemble, AffineMap.identity(2), "float64")


def test_target_that_is_normalized_to_zero_is_its_center():
    target_map = AffineMap(center=[5.0, 7.0], scale=[0.0, 1.0], shift=[0.0, 0.0])
    assert_regressor(draw_ensemble(SPECS["dense"]), target_map, "float64")


def outputs_of(ensemble, rows):
    return [ensemble.member_output(rows, member) for member in range(len(ensemble.members))]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize(
    ("n_outputs", "activation"), [(1, "linear"), (3, "linear"), (1, "sigmoid"), (3, "softmax")]
)
def test_probabilities_are_those_of_numpy(n_outputs, activation, temperature, n_networks, dtype):
    ensemble = draw_ensemble(DenseSpec(4, n_outputs, (6,), "silu", activation), n_networks)
    options = {"from_logits": activation == "linear", "temperature": temperature}
    found = run(lambda graph, rows: classifier_outputs(graph, ensemble, rows, **options), dtype)
    outputs = outputs_of(ensemble, X.astype(dtype))
    assert_close(found, average_log_probabilities(outputs, **options), dtype)


def test_probabilities_too_small_for_floating_point_are_averaged():
    ensemble = draw_ensemble(DenseSpec(4, 1, ()))
    for weights in ensemble.members:
        weights[-2] *= 1e4
    options = {"from_logits": True, "temperature": 1.0}
    found = run(lambda graph, rows: classifier_outputs(graph, ensemble, rows, **options), "float64")
    assert found.min() < np.log(np.finfo(np.float64).tiny)
    outputs = outputs_of(ensemble, X)
    assert_close(found, average_log_probabilities(outputs, **options), "float64")
