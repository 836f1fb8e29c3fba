"""Which rows go into which batch: shuffled index streams, padded to shapes that repeat."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Steps of one call of the compiled program, at most: some 0.1 to 1 s of work.
MAX_BLOCK_STEPS = 256
# Memory for the row numbers of one call, at most.
_MAX_BLOCK_BYTES = 32 * 2**20


def bucket(n: int) -> int:
    """Round a number of rows up to one of few sizes, so that similar tables share a program.

    Multiples of 16 up to 128, then steps of an eighth: at most an eighth is padding.
    """
    if n <= 128:
        return max(16, math.ceil(n / 16) * 16)
    step = 2 ** (n.bit_length() - 4)
    return math.ceil(n / step) * step


def n_batches(rows: Sequence[np.ndarray], batch_size: int) -> int:
    """Steps of one epoch: as many as the longest of the row sets needs."""
    return max(1, math.ceil(max(len(own) for own in rows) / batch_size))


@dataclass(frozen=True)
class Block:
    """The steps of one call of the compiled program.

    Parameters
    ----------
    rows : ndarray of int32 of shape (n_steps or 1, n_networks, batch_size)
        Row numbers; one leading entry stands for all steps where every step sees every row.
    first_step, n_steps : int
        Steps done before this block, and steps in it.
    ends_epoch : bool
        Whether the last step of the block is the last of an epoch.
    """

    rows: np.ndarray
    first_step: int
    n_steps: int
    ends_epoch: bool


def batches(
    rows: Sequence[np.ndarray],
    *,
    batch_size: int,
    n_epochs: int,
    padding_row: int,
    seeds: Sequence[int],
    first_epoch: int = 0,
    shuffle: bool = True,
    max_epochs: int = MAX_BLOCK_STEPS,
) -> Iterator[Block]:
    """Blocks of batches for several networks, each over its own rows in its own order.

    Every epoch visits every row of a network once. Rows of a network that would leave its last
    batch empty, while another network fills it, are spread over all batches instead.

    Parameters
    ----------
    rows : sequence of ndarray of int
        Row numbers of each network; at least one each.
    batch_size : int
        Rows of one batch.
    n_epochs : int
        Passes over the rows.
    padding_row : int
        Number of a row of weight zero, which fills short batches.
    seeds : sequence of int
        One for each network; equal seeds give equal orders.
    first_epoch : int
        Number of the first epoch, from 0; an epoch's order depends on its number alone.
    shuffle : bool
        Whether the order of the rows is drawn anew in every epoch.
    max_epochs : int
        Epochs of one block, at most.

    Yields
    ------
    block : Block
        A whole number of epochs, or a part of one where an epoch is longer than a block.
    """
    n_steps = n_batches(rows, batch_size)
    if n_steps == 1:
        width = min(batch_size, bucket(max(len(own) for own in rows)))
        everything = _layout(rows, 1, width, padding_row)
        for epoch in range(first_epoch, first_epoch + n_epochs, max_epochs):
            n_steps_here = min(max_epochs, first_epoch + n_epochs - epoch)
            yield Block(everything, epoch, n_steps_here, ends_epoch=True)
        return
    block_steps = max(1, min(MAX_BLOCK_STEPS, _MAX_BLOCK_BYTES // (4 * len(rows) * batch_size)))
    epochs_a_block = max(1, min(max_epochs, block_steps // n_steps))
    for epoch in range(first_epoch, first_epoch + n_epochs, epochs_a_block):
        stop = min(epoch + epochs_a_block, first_epoch + n_epochs)
        drawn = np.concatenate(
            [
                _layout(
                    _shuffled(rows, seeds, number) if shuffle else rows,
                    n_steps,
                    batch_size,
                    padding_row,
                )
                for number in range(epoch, stop)
            ]
        )
        for start in range(0, len(drawn), block_steps):
            part = drawn[start : start + block_steps]
            yield Block(part, epoch * n_steps + start, len(part), start + len(part) == len(drawn))


def _shuffled(rows: Sequence[np.ndarray], seeds: Sequence[int], epoch: int) -> list[np.ndarray]:
    orders: dict[tuple[int, int], np.ndarray] = {}
    shuffled = []
    for own, seed in zip(rows, seeds, strict=True):
        key = (seed, len(own))
        if key not in orders:
            orders[key] = np.random.default_rng((seed, epoch)).permutation(len(own))
        shuffled.append(own[orders[key]])
    return shuffled


def _layout(
    rows: Sequence[np.ndarray], n_steps: int, batch_size: int, padding_row: int
) -> np.ndarray:
    laid = np.full((n_steps, len(rows), batch_size), padding_row, np.int32)
    for network, own in enumerate(rows):
        if math.ceil(len(own) / batch_size) == n_steps:
            bounds = np.minimum(np.arange(n_steps + 1) * batch_size, len(own))
        else:
            # np.resize repeats rows in the one case where they are fewer than the batches.
            own = np.resize(own, max(len(own), n_steps))
            bounds = np.arange(n_steps + 1) * len(own) // n_steps
        for step, (start, stop) in enumerate(itertools.pairwise(bounds)):
            laid[step, network, : stop - start] = own[start:stop]
    return laid
