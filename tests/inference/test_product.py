"""Products in blocks of rows: the same numbers, and no block that BLAS would give to threads."""

from __future__ import annotations

import numpy as np
import pytest

from skscale._inference.product import _MAX_MULTIPLICATIONS, product

SMALL, LARGE = (80, 64), (300, 200)


def arrays(shape, kernel_shape, dtype="float64"):
    random = np.random.default_rng(0)
    return random.normal(size=shape).astype(dtype), random.normal(size=kernel_shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel_shape", [SMALL, LARGE, (80, 1)])
@pytest.mark.parametrize("n_rows", [0, 1, 51, 52, 64, 500, 512])
def test_products_are_those_of_numpy(n_rows, kernel_shape, dtype):
    rows, kernel = arrays((n_rows, kernel_shape[0]), kernel_shape, dtype)
    outputs = product(rows, kernel)
    assert outputs.dtype == dtype
    # Sums of up to 300 terms of size one.
    atol = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(outputs, rows @ kernel, rtol=0, atol=atol)


@pytest.mark.parametrize("shape", [(3, 170, 80), (2, 5, 33, 80)])
def test_leading_axes_stay(shape):
    rows, kernel = arrays(shape, SMALL)
    np.testing.assert_allclose(product(rows, kernel), rows @ kernel, rtol=0, atol=1e-12)


def test_transposed_arrays_are_read_as_they_are():
    rows, kernel = arrays((80, 500), (64, 80))
    expected = rows.T @ kernel.T
    np.testing.assert_allclose(product(rows.T, kernel.T), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_rows", [64, 500, 512])
@pytest.mark.parametrize("kernel_shape", [SMALL, (64, 64), (20, 64), (128, 128)])
def test_no_block_is_large_enough_for_threads(monkeypatch, n_rows, kernel_shape):
    rows, kernel = arrays((n_rows, kernel_shape[0]), kernel_shape)
    n_multiplications, matmul = [], np.matmul

    def spy(a, b, **options):
        n_multiplications.append(a.shape[-2] * a.shape[-1] * b.shape[-1])
        return matmul(a, b, **options)

    monkeypatch.setattr(np, "matmul", spy)
    product(rows, kernel)
    if n_rows * kernel.size > _MAX_MULTIPLICATIONS:
        assert 0 < max(n_multiplications) <= _MAX_MULTIPLICATIONS
    else:
        assert not n_multiplications
