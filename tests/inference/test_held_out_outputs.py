"""Rows get the mean of the networks that have not seen them."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_ensembles import SPECS, X, draw_ensemble
from numpy.testing import assert_allclose, assert_array_equal

from skscale._inference.held_out import held_out_mean


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_has_the_mean_of_the_networks_that_held_it_out(dtype):
    ensemble, rows = draw_ensemble(SPECS["dense"]), X.astype(dtype)
    # Twice in one network, in two networks, and in none.
    held_out = [np.array([7, 3, 3, 0]), np.array([], int), np.array([49, 7])]
    found = held_out_mean(ensemble, held_out, rows, np.tanh)
    expected = np.full((50, 2), np.nan)
    for network, kept in ((0, [0, 3]), (2, [49])):
        expected[kept] = np.tanh(ensemble.member_output(rows[kept], network))
    both = [np.tanh(ensemble.member_output(rows[[7]], network)) for network in (0, 2)]
    expected[7] = np.mean(both, axis=0)[0]
    assert found.dtype == dtype
    # Products of other numbers of rows.
    assert_allclose(found, expected, rtol=0, atol=1e-14 if dtype == np.float64 else 1e-5)


def test_rows_of_many_parts_are_all_there():
    # More than are copied at a time, of one linear layer.
    ensemble = draw_ensemble(SPECS["without hidden layers"], n_networks=1)
    rows = np.resize(X, (70_000, 4))
    found = held_out_mean(ensemble, [np.arange(70_000)], rows)
    assert_array_equal(np.isnan(found), False)
    # Products of other numbers of rows.
    assert_allclose(found, np.resize(found[:50], (70_000, 2)), rtol=0, atol=1e-12)
