"""Products of many rows with a kernel, each too small for the threads of BLAS.

Those threads wait for each other after every product, and hold the cores while they do. On two
cores that were busy with other processes, predictions of the default network took 4 to 14 times
as long with them. On idle cores nothing is lost: most of the time goes into activations and waves.
"""

from __future__ import annotations

import numpy as np

# Up to here OpenBLAS takes one thread: 65,536 multiplications times its GEMM_MULTITHREAD_THRESHOLD,
# which is 4.
_MAX_MULTIPLICATIONS = 2**18
# Blocks of 16 rows cost up to half as much again as whole chunks, as the kernel is copied for each;
# larger kernels would need smaller blocks, and are left to the threads.
_MIN_ROWS = 16


def product(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return ``rows @ kernel``.

    Parameters
    ----------
    rows : ndarray of shape (..., n_inputs)
        Rows.
    kernel : ndarray of shape (n_inputs, n_units)
        What they are multiplied by.

    Returns
    -------
    ndarray of shape (..., n_units)
        The product. Where many rows meet a small kernel, it is computed in blocks of rows.
    """
    *shape, n_inputs = rows.shape
    n_units = kernel.shape[1]
    is_small = rows.size * n_units <= _MAX_MULTIPLICATIONS
    if is_small or _MIN_ROWS * kernel.size > _MAX_MULTIPLICATIONS:
        return rows @ kernel
    # A power of two, into which chunks are cut without a remainder.
    size = 1 << (_MAX_MULTIPLICATIONS // kernel.size).bit_length() - 1
    flat = rows.reshape(-1, n_inputs)
    outputs = np.empty((len(flat), n_units), rows.dtype)
    in_blocks = len(flat) // size * size
    blocks = flat[:in_blocks].reshape(-1, size, n_inputs)
    # One call for all blocks, of which each is a product of its own.
    np.matmul(blocks, kernel, out=outputs[:in_blocks].reshape(-1, size, n_units))
    if in_blocks < len(flat):
        np.matmul(flat[in_blocks:], kernel, out=outputs[in_blocks:])
    return outputs.reshape(*shape, n_units)
