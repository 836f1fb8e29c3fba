"""Every activation of NumPy networks is written in ONNX, with the same values."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from skscale._export.onnx_activations import apply_activation
from skscale._export.onnx_graph import MIN_OPSET
from skscale._export.to_onnx import onnx_model
from skscale._network.activations import ACTIVATIONS, LAYER_ACTIVATIONS, get_activation

NAMES = sorted({**ACTIVATIONS, **LAYER_ACTIVATIONS})

# A few roundings, relative to the largest number.
TOLERANCES = {"float32": 5e-7, "float64": 1e-15}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", NAMES)
def test_activation_has_the_values_of_numpy(name, dtype):
    model = onnx_model(
        lambda graph, X: {"y": apply_activation(graph, name, X)},
        n_features=7,
        dtype=dtype,
        target_opset=MIN_OPSET,
        name=name,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for size in (1, 5, 20):
        x = size * np.random.default_rng(0).normal(size=(200, 7)).astype(dtype)
        x[0] = [0, 0.5, -0.5, 1, -1, 3, -3]
        (y,) = session.run(None, {"X": x})
        expected = get_activation(name).forward(x)
        assert y.dtype == dtype
        assert np.abs(y - expected).max() <= TOLERANCES[dtype] * np.abs(expected).max()
