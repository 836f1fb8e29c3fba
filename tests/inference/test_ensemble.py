"""Small networks of an ensemble lie side by side, and predict what each predicts alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from drawn_ensembles import SPECS, X, draw_ensemble

from skscale._inference.network import network_outputs
from skscale._network.keras_model import keras_network


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
