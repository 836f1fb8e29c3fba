"""Small weights share one array, kernels in front; large ones and what must be alone do not."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._compiled.packing import Packing
from skscale._network.dense_spec import DenseSpec

SPEC = DenseSpec(5, 2, (300, 6))
AXES = [(), (3,)]


def _arrays(axis):
    random = np.random.default_rng(0)
    return [random.normal(size=(*axis, *parameter.shape)) for parameter in SPEC.parameters]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("n_front", [0, 1])
def test_unpack_takes_back_what_pack_does(axis, joined, n_front):
    packing = Packing(SPEC.parameters, axis, n_front=n_front, joined=joined)
    arrays = _arrays(axis)
    packed = packing.pack(arrays, reshape=np.reshape, concatenate=np.concatenate)
    assert [array.shape for array in packed] == packing.shapes
    assert len(packed) < len(arrays) if joined else len(packed) == len(arrays)
    for array, back in zip(arrays, packing.unpack(packed, reshape=np.reshape), strict=True):
        np.testing.assert_array_equal(array, back)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("joined", [True, False])
def test_kernels_come_first_in_each_array(axis, joined):
    packing = Packing(SPEC.parameters, axis, n_front=1, joined=joined)
    is_kernel = [
        np.full((*axis, *parameter.shape), parameter.role == "kernel")
        for parameter in SPEC.parameters
    ]
    packed = packing.pack(is_kernel, reshape=np.reshape, concatenate=np.concatenate)
    for array, n_decayed in zip(packed, packing.n_decayed, strict=True):
        entries = array.reshape(*axis, -1)
        assert entries[..., :n_decayed].all()
        assert not entries[..., n_decayed:].any()


def test_large_weights_and_those_at_the_front_lie_alone():
    packing = Packing(SPEC.parameters, (), n_front=1, joined=True)
    assert packing.shapes[:3] == [(5,), (5, 300), (300, 6)]
    assert len(packing.shapes) == 4
