"""What enters the networks of a table."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skscale._normalization.active_features import select_active

Z = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_no_feature_varies_the_networks_get_one_column_of_zeros(dtype):
    found = select_active(Z.astype(dtype), np.array([], int))
    assert_array_equal(found, np.zeros((4, 1), dtype), strict=True)


def test_features_that_vary_keep_their_order_in_memory():
    assert select_active(Z, np.arange(3)) is Z
    for table in (Z, np.asfortranarray(Z)):
        assert_array_equal(select_active(table, np.array([0, 2])), table[:, [0, 2]])
