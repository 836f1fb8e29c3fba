"""The scale of the transformer, read from networks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skscale._fitting.training_set import TrainingSet
from skscale._importance.power import power_factors
from skscale._importance.readout import read_out
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization
from skscale._selection.folds import make_folds
from skscale._target.encoding import encode_target

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 4)) * [1.0, 100.0, 1e-3, 1.0] + [0.0, 5.0, 0.0, 3.0]
X[:, 3] = 7.0
STANDARD = fit_normalization("standard", X)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 0] > 0.7)
# Of two networks one sees the first two features, and the other the first alone.
FACTORS = np.array([[2.0, 1.0, 0.0], [3.0, 0.0, 0.0]])


def read(y, readout="sensitivity", power=None, factors=FACTORS, kernel=None):
    target = encode_target(y)
    kernel = np.ones((3, target.n_outputs)) if kernel is None else kernel
    spec = DenseSpec(3, target.n_outputs, (), center=False)
    members = [[own, kernel, np.zeros(target.n_outputs)] for own in factors]
    normalization = AffineMap(STANDARD.center, STANDARD.scale / 2, STANDARD.shift)
    ensemble = Ensemble(normalization, np.arange(3), spec, members, STANDARD)
    random, weight = np.random.RandomState(0), np.ones(len(X))
    folds = make_folds(len(factors), X, weight, seed=0)
    data = TrainingSet(X, target, weight, random)
    return read_out(readout, power, ensemble, folds, data, random)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_factors_are_a_power_of_the_pooled_sensitivities_of_networks_that_respond(power):
    found = read(X[:, 0], power=power, factors=[*FACTORS, np.zeros(3)])
    active = np.arange(3)
    # Of mean square one for each network, then the root mean square over two of them.
    members = FACTORS / np.sqrt((FACTORS**2).mean(axis=1, keepdims=True))
    r = np.append(np.sqrt((members**2).mean(axis=0)), 0.0)
    expected = power_factors(r, power, active)
    assert_allclose(found.relative_scale, expected, rtol=1e-12)
    assert_allclose(found.affine.apply(X), STANDARD.apply(X) * expected, rtol=1e-12, atol=1e-15)
    own = [power_factors(np.append(member, 0.0), power, active) for member in members]
    assert_allclose(found.member_scales, own, rtol=1e-12)
    assert_allclose(found.importances, r**2 / (r**2).sum(), rtol=1e-12)
    assert found.power == power


def test_held_out_rows_choose_the_power_of_what_helps_and_of_what_does_not():
    assert read(X[:, 0]).power == 1.0
    assert read(X[:, 0], factors=FACTORS[:, ::-1]).power == 0.0


def test_of_three_classes_only_what_moves_their_logits_apart_matters():
    kernel = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    found = read(LABELS, factors=np.ones((2, 3)), kernel=kernel)
    assert_allclose(found.importances, [0.0, 1.0, 0.0, 0.0], atol=1e-30)
    # The classes are those of the first feature.
    assert found.power == 0.0
    assert read(LABELS, factors=np.ones((2, 3)), kernel=kernel[[1, 0, 2]]).power > 0.0


def test_two_classes_share_one_logit():
    found = read(LABELS > 0, factors=FACTORS[[0, 0]])
    assert_allclose(found.importances, [0.8, 0.2, 0.0, 0.0], rtol=1e-12)
    assert found.power > 0.0


def test_networks_that_respond_to_nothing_leave_plain_standardization():
    found = read(X[:, 0], factors=np.zeros((2, 3)))
    assert_array_equal(found.affine.apply(X), STANDARD.apply(X))
    assert_array_equal(found.member_scales, np.empty((0, 4)))
    assert_array_equal(found.importances, [1 / 3, 1 / 3, 1 / 3, 0.0])
    assert found.power == 0.0


def test_gain_is_the_mean_output_of_the_scaling_layer():
    found = read(X[:, 0], "gain")
    # The networks see half a standard deviation as one.
    scales = np.column_stack([FACTORS / 2, [1.0, 1.0]])
    assert_allclose(found.member_scales, scales, rtol=1e-12)
    assert_allclose(found.relative_scale, scales.mean(axis=0), rtol=1e-12)
    expected = STANDARD.apply(X) * [1.25, 0.25, 0.0, 0.5]
    assert_allclose(found.affine.apply(X), expected, rtol=1e-12, atol=1e-15)
    assert found.power == 1.0
