"""The null model: the constant that fits the training rows of each fold best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from skscale._inference.network import network_outputs
from skscale._selection.folds import Fold
from skscale._selection.null_model import null_networks, null_outputs
from skscale._target.encoding import encode_classes, encode_target

NUMBERS = np.random.default_rng(0).normal(size=(6, 2))
# The first fold learns from no row of the last class.
LABELS = {"two": np.array([0, 0, 0, 1, 0, 1]), "three": np.array([0, 1, 0, 1, 2, 2])}
FOLDS = [Fold(np.array([0, 1, 2]), np.array([3, 4, 5])), Fold(np.array([5, 4, 3, 1]), np.arange(1))]
WEIGHTS = np.array([1.0, 2.0, 1.0, 1.0, 5.0, 1.0])


def test_quantities_have_weighted_means():
    outputs = null_outputs(encode_target(NUMBERS), FOLDS, WEIGHTS)
    rows = np.array([0, 1, 1, 2]), np.array([5, 4, 4, 4, 4, 4, 3, 1, 1])
    # A sum in another order.
    assert_allclose(outputs, [NUMBERS[repeated].mean(axis=0) for repeated in rows], rtol=1e-14)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("activation", ["linear", "its own"])
@pytest.mark.parametrize("n_classes", LABELS)
def test_classes_have_weighted_shares_and_networks_that_give_them(n_classes, activation, center):
    target = encode_classes(LABELS[n_classes])
    own = "sigmoid" if n_classes == "two" else "softmax"
    target = replace(target, output_activation="linear" if activation == "linear" else own)
    outputs = null_outputs(target, FOLDS, WEIGHTS)
    shares = outputs
    if activation == "linear":
        shares = expit(outputs) if n_classes == "two" else softmax(outputs, axis=1)
    # A millionth stands for a class that has no row, so that its logit is finite.
    expected = {
        "two": [[1e-6], [2 / 9]],
        "three": [[0.5, 0.5, 1e-6], [1e-6, 1 / 3, 2 / 3]],
    }
    # Three shares of which one was raised add up to a millionth more than one.
    assert_allclose(shares, expected[n_classes], rtol=2e-6)

    spec, members = null_networks(target, outputs, 4, center=center)
    assert spec.center == center
    rows = np.random.default_rng(0).normal(size=(3, 4))
    for output, weights in zip(outputs, members, strict=True):
        assert [w.shape for w in weights] == [parameter.shape for parameter in spec.arrays]
        found = network_outputs(spec, weights, rows)
        assert_array_equal(found, found[[0, 0, 0]])
        assert_allclose(found[0], output, rtol=2e-6)
