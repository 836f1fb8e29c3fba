"""A map without an offset leaves the zeros of a sparse table where they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skscale._normalization.affine import AffineMap
from skscale._normalization.sparse import scale_sparse

ZEROS = np.zeros(4)
NAN = np.nan


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inverse", [False, True])
def test_values_are_mapped_as_in_a_dense_table(inverse, dtype):
    largest = np.finfo(dtype).max
    X = np.array([[0, 2, largest, 0], [-3, 0, -largest, 5], [1, NAN, 0.5, 0]], dtype)
    # A zero factor brings back the centre, which is zero.
    affine = AffineMap(ZEROS, np.array([2.0, 0.0, 0.25 if inverse else 4.0, -8.0]), ZEROS)
    table = csr_array(X)
    found = scale_sparse(affine, table, inverse=inverse)
    expected = (affine.inverse if inverse else affine.apply)(X)
    # What overflows ends at the largest number, without a warning.
    assert_array_equal(found.toarray(), expected, strict=True)
    assert (np.abs(expected[:2, 2]) == largest).all()
    assert_array_equal(table.toarray(), X)


def test_an_offset_is_refused_but_of_features_of_which_nothing_is_known():
    table = csr_array(np.eye(4))
    with pytest.raises(ValueError, match="Cannot center sparse matrices"):
        scale_sparse(AffineMap(np.array([0.0, 1.0, 0.0, 0.0]), ZEROS + 2.0, ZEROS), table)
    unknown = AffineMap(np.array([0, NAN, 0, 0]), np.array([2, NAN, 4, 8]), ZEROS)
    assert_array_equal(scale_sparse(unknown, table).toarray().diagonal(), [2, NAN, 4, 8])
