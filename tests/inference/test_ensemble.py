"""Small networks of an ensemble lie side by side, and predict what each predicts alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from drawn_ensembles import SPECS, UNITS, X, draw_ensemble

from skscale._inference.network import network_outputs
from skscale._network.dense_spec import DenseSpec
from skscale._network.keras_model import keras_network
from skscale._normalization.affine import AffineMap


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_each_network_is_that_of_keras(spec):
    ensemble = draw_ensemble(spec, n_networks=1)
    Z, weights = ensemble.normalized(X), ensemble.members[0]
    expected = keras_network(spec, weights, dtype="float64")(Z)
    # Sums of some ten terms in another order, and waves of a few turns.
    np.testing.assert_allclose(network_outputs(spec, weights, Z), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_a_few_rows_get_what_each_network_says_alone(spec, dtype, rtol):
    ensemble = draw_ensemble(spec)
    rows = X[:3].astype(dtype)
    outputs = ensemble.combined(rows, lambda outputs: np.stack(list(outputs)).swapaxes(0, 1))
    Z = ensemble.normalized(rows)
    for output, weights in zip(outputs.swapaxes(0, 1), ensemble.members, strict=True):
        alone = network_outputs(spec, weights, Z)
        assert output.dtype == dtype
        # Sums in another order, of some hundred terms at most.
        np.testing.assert_allclose(output, alone, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_one_row_gets_what_it_gets_among_many(spec):
    ensemble = draw_ensemble(spec)
    many = np.tile(X, (2, 1))
    # As above.
    np.testing.assert_allclose(
        ensemble.mean_output(X[:1]), ensemble.mean_output(many)[:1], rtol=1e-12, atol=1e-12
    )


def test_copies_have_weights_of_their_own():
    ensemble = draw_ensemble(SPECS["dense"])
    before = ensemble.mean_output(X[:1])
    copied = copy.deepcopy(ensemble)
    for array in copied.members[0]:
        array *= 2.0
    assert (copied.mean_output(X[:1]) != before).all()
    np.testing.assert_array_equal(ensemble.mean_output(X[:1]), before)


@pytest.mark.parametrize("center", [True, False])
def test_factors_are_averaged_by_size_and_a_constant_feature_has_none(center):
    active = np.array([0, 2, 3])
    drawn = draw_ensemble(DenseSpec(3, 2, (), center=center), active=active, shift=0.5)
    places, shift = drawn.input_map.center, drawn.input_map.shift
    # Features as the networks see them are twice as wide as standardized ones, and mirrored.
    ensemble = replace(drawn, input_map=AffineMap(places, -2 / UNITS, shift))
    factors = np.array([member[0] for member in ensemble.members])
    expected = ensemble.input_map.apply(X)
    expected[:, active] *= np.abs(factors).mean(axis=0)
    if center:
        offsets = np.array([member[1] for member in ensemble.members])
        expected[:, active] += (np.sign(factors) * offsets).mean(axis=0)
    # Some roundings of numbers of order one.
    np.testing.assert_allclose(ensemble.scaling_map().apply(X), expected, rtol=0, atol=1e-13)
    scales = np.ones((3, 4))
    scales[:, active] = 2 * np.abs(factors)
    np.testing.assert_allclose(ensemble.member_scales(), scales, rtol=1e-15)
    read, affine = ensemble.network_inputs()
    np.testing.assert_array_equal(affine.apply(X[:, read]), ensemble.normalized(X))


def test_where_no_feature_varies_the_networks_read_one_times_zero():
    ensemble = draw_ensemble(DenseSpec(1, 2, ()), active=np.array([], int))
    read, affine = ensemble.network_inputs()
    np.testing.assert_array_equal(affine.apply(X[:, read]), np.zeros((50, 1)))
    np.testing.assert_array_equal(ensemble.normalized(X), np.zeros((50, 1)))
    np.testing.assert_array_equal(ensemble.member_scales(), np.ones((3, 4)))
    np.testing.assert_array_equal(ensemble.scaling_map().apply(X), ensemble.input_map.apply(X))


@pytest.mark.parametrize("n_rows", [3, 50, 100])
def test_mean_and_spread_are_those_over_networks(n_rows):
    ensemble, rows = draw_ensemble(SPECS["dense"]), np.resize(X, (n_rows, 4))
    outputs = [ensemble.member_output(rows, member) for member in range(3)]
    found = ensemble.mean_and_spread(rows)
    assert found.shape == (n_rows, 2, 2)
    # Sums in another order.
    np.testing.assert_allclose(found[:, 0], np.mean(outputs, axis=0), rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[:, 1], np.std(outputs, axis=0), rtol=0, atol=1e-13)
