"""Which rows go into which batch: shuffled index streams, padded to shapes that repeat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from skscale._compiled.train_function import MAX_BLOCK_STEPS

# Memory for the row numbers of one call, at most.
_MAX_BLOCK_BYTES = 32 * 2**20
# Orders of several epochs are drawn at once: a generator costs as much as an order of 1000 rows.
_MAX_DRAWN_EPOCHS = 64
_MAX_DRAWN_ROWS = 2**15


def bucket(n: int) -> int:
    """Round a number of rows up to one of few sizes, so that similar tables share a program.

    Multiples of 32 up to 256, then steps of an eighth: at most an eighth is padding.
    """
    if n <= 256:
        return max(32, math.ceil(n / 32) * 32)
    step = 2 ** (n.bit_length() - 4)
    return math.ceil(n / step) * step


def n_batches(rows: Sequence[np.ndarray], batch_size: int) -> int:
    """Count the steps of one epoch: as many as the longest of the row sets needs."""
    return max(1, math.ceil(max(map(len, rows)) / batch_size))


@dataclass(frozen=True)
class Block:
    """The steps of one call of the compiled program.

    Parameters
    ----------
    rows : ndarray of int32
        Row numbers, of shape (n_networks, batch_size) where every step sees every row, and of
        shape (n_padded_steps, n_networks, batch_size) otherwise.
    first_step, n_steps : int
        Steps done before this block, and steps in it without padding.
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
    max_steps: int = MAX_BLOCK_STEPS,
) -> Iterator[Block]:
    """Blocks of batches for several networks, each over rows and in an order of its own.

    Every epoch visits every row of a network once. Rows of a network that would leave its last
    batch empty, while another network fills it, are spread over all batches instead.

    Parameters
    ----------
    rows : sequence of ndarray of int
        Row numbers of each network; at least one each.
    batch_size : int
        Rows of one batch, padding included.
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
    max_epochs, max_steps : int
        Epochs and steps of one block, at most.

    Yields
    ------
    block : Block
        A whole number of epochs, or a part of one where an epoch is longer than a block.
    """
    n_steps = n_batches(rows, batch_size)
    stop_epoch = first_epoch + n_epochs
    if n_steps == 1:
        everything = np.full((len(rows), batch_size), padding_row, np.int32)
        for network, rows_of_network in enumerate(rows):
            everything[network, : len(rows_of_network)] = rows_of_network
        at_once = min(max_epochs, max_steps)
        for epoch in range(first_epoch, stop_epoch, at_once):
            yield Block(everything, epoch, min(at_once, stop_epoch - epoch), ends_epoch=True)
        return
    size = max(1, min(max_steps, _MAX_BLOCK_BYTES // (4 * len(rows) * batch_size)))
    # Few epochs need less, in powers of two, so that similar tables share a program.
    size = min(size, 2 ** (max_epochs * n_steps - 1).bit_length())
    orders = [
        _Orders(rows_of_network, seed if shuffle else None, padding_row)
        for rows_of_network, seed in zip(rows, seeds, strict=True)
    ]
    at_once = max(1, min(max_epochs, size // n_steps))
    for epoch in range(first_epoch, stop_epoch, at_once):
        ordered = [order.epochs(epoch, min(epoch + at_once, stop_epoch)) for order in orders]
        for start in range(0, n_steps, size):
            steps = range(start, min(start + size, n_steps))
            by_network = [
                order[:, _places(order.shape[1] - 1, n_steps, batch_size, steps)]
                for order in ordered
            ]
            part = np.stack(by_network, axis=2).reshape(-1, len(rows), batch_size)
            padding = np.full((size - len(part), *part.shape[1:]), padding_row, np.int32)
            yield Block(
                np.concatenate([part, padding]),
                epoch * n_steps + start,
                len(part),
                ends_epoch=steps.stop == n_steps,
            )


class _Orders:
    """The rows of one network in the order of each epoch, followed by the padding row."""

    def __init__(self, rows: np.ndarray, seed: int | None, padding_row: int):
        self._rows, self._seed = np.append(rows, padding_row).astype(np.int32), seed
        self._n_drawn = min(_MAX_DRAWN_EPOCHS, max(1, _MAX_DRAWN_ROWS // len(rows)))
        self._number, self._n_ready, self._drawn = -1, 0, np.empty((0, 0), np.int32)
        self._random = np.random.default_rng(0)

    def epochs(self, first: int, stop: int) -> np.ndarray:
        """Orders of shape (stop - first, n_rows + 1)."""
        return np.stack([self._epoch(number, stop - number) for number in range(first, stop)])

    def _epoch(self, epoch: int, n_to_come: int) -> np.ndarray:
        if self._seed is None:
            return self._rows
        number, position = divmod(epoch, self._n_drawn)
        if number != self._number:
            self._random = np.random.default_rng((self._seed, number))
            self._drawn = np.tile(self._rows, (self._n_drawn, 1))
            self._number, self._n_ready = number, 0
        if position >= self._n_ready:
            # A single epoch, as of a chunk, draws no more than its own order.
            part = self._drawn[self._n_ready : position + n_to_come, :-1]
            self._random.permuted(part, axis=1, out=part)
            self._n_ready += len(part)
        return self._drawn[position]


def _places(n_rows: int, n_steps: int, batch_size: int, steps: range) -> np.ndarray:
    """Where in an order the rows of some steps stand, of shape (len(steps), batch_size)."""
    edges = np.arange(steps.start, steps.stop + 1)
    if math.ceil(n_rows / batch_size) == n_steps:
        edges = np.minimum(edges * batch_size, n_rows)
    else:
        # Rows repeat in the one case where they are fewer than the batches.
        edges = edges * max(n_rows, n_steps) // n_steps
    places = edges[:-1, None] + np.arange(batch_size)
    # The last place of an order is the padding row.
    return np.where(places < edges[1:, None], places % n_rows, n_rows)
