"""Index streams: every row once an epoch, no empty batch, the same orders however they are cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from skscale._compiled.train_function import MAX_BLOCK_STEPS
from skscale._training.batches import Block, batches, bucket, n_batches

_PADDING = 999


def _blocks(rows, n_epochs=3, seeds=None, **options):
    seeds = range(len(rows)) if seeds is None else seeds
    options = {"batch_size": 8, "padding_row": _PADDING, **options}
    return list(batches(rows, n_epochs=n_epochs, seeds=seeds, **options))


def _steps(blocks: list[Block]) -> np.ndarray:
    """All batches one after another, of shape (n_steps, n_networks, batch_size)."""
    return np.concatenate(
        [
            block.rows[: block.n_steps]
            if block.rows.ndim == 3
            else np.repeat(block.rows[None], block.n_steps, axis=0)
            for block in blocks
        ]
    )


def _visited(steps: np.ndarray, network: int) -> list[int]:
    rows = steps[:, network].ravel()
    return rows[rows != _PADDING].tolist()


def test_buckets_waste_at_most_an_eighth_or_31_rows():
    sizes = np.array([bucket(n) for n in range(1, 5000)])
    waste = sizes - np.arange(1, 5000)
    assert (waste >= 0).all()
    assert (waste <= np.maximum(31, np.arange(1, 5000) / 8)).all()
    assert len(set(sizes)) < 60


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("sizes", [(8,), (5, 3), (17,), (17, 20, 24), (24, 17, 16, 9)])
def test_every_epoch_visits_every_row_once(sizes, shuffle):
    rows = [np.arange(size) + 100 * k for k, size in enumerate(sizes)]
    steps = _steps(_blocks(rows, shuffle=shuffle))
    n_steps = n_batches(rows, 8)
    assert steps.shape == (3 * n_steps, len(sizes), 8)
    for epoch in range(3):
        part = steps[epoch * n_steps : (epoch + 1) * n_steps]
        for network, rows_of_network in enumerate(rows):
            assert sorted(_visited(part, network)) == rows_of_network.tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 9, 16, 17, 25, 33])
def test_no_batch_of_any_network_is_empty(size):
    steps = _steps(_blocks([np.arange(40), np.arange(size)]))
    assert (steps != _PADDING).any(axis=2).all()
    # Also where rows are fewer than batches, none is left out.
    assert set(_visited(steps[:5], 1)) == set(range(size))


def test_batches_without_shuffle_are_those_of_keras():
    steps = _steps(_blocks([np.arange(19)], n_epochs=1, shuffle=False))[:, 0]
    assert steps[0].tolist() == list(range(8))
    assert steps[1].tolist() == list(range(8, 16))
    assert steps[2].tolist() == [16, 17, 18] + [_PADDING] * 5


def test_orders_differ_between_epochs_and_seeds_and_agree_for_equal_seeds():
    rows = [np.arange(30)] * 3
    steps = _steps(_blocks(rows, n_epochs=4, seeds=[1, 2, 1])).reshape(4, 4, 3, 8)
    np.testing.assert_array_equal(steps[:, :, 0], steps[:, :, 2])
    streams = [steps[epoch, :, k].tolist() for epoch in range(4) for k in range(2)]
    assert all(a != b for a, b in itertools.combinations(streams, 2))


def test_every_position_of_an_order_is_equally_likely():
    steps = _steps(_blocks([np.arange(20)], n_epochs=2000, max_epochs=50))
    orders = steps.reshape(2000, -1)[:, :20]
    counts = np.array([np.bincount(orders[:, place], minlength=20) for place in range(20)])
    # Binomial with 2000 draws of 1/20: a standard deviation of 9.7; five of them in 400 counts.
    assert np.abs(counts - 100).max() < 50


@pytest.mark.parametrize("n_rows", [6, 20, 300])
@pytest.mark.parametrize("max_steps", [1, 2, 7, 64, MAX_BLOCK_STEPS])
@pytest.mark.parametrize("max_epochs", [1, 3, MAX_BLOCK_STEPS])
def test_any_cut_into_blocks_gives_the_same_batches(n_rows, max_steps, max_epochs):
    rows = [np.arange(n_rows), np.arange(max(1, n_rows - 3))]
    whole = _steps(_blocks(rows, n_epochs=70))
    blocks = _blocks(rows, n_epochs=70, max_steps=max_steps, max_epochs=max_epochs)
    np.testing.assert_array_equal(_steps(blocks), whole)
    n_steps = n_batches(rows, 8)
    assert [block.first_step for block in blocks] == list(
        itertools.accumulate([0] + [block.n_steps for block in blocks[:-1]])
    )
    for block in blocks:
        assert block.n_steps <= max_steps
        assert block.n_steps <= max_epochs * n_steps
        assert block.ends_epoch == ((block.first_step + block.n_steps) % n_steps == 0)


@pytest.mark.parametrize("n_rows", [6, 20])
def test_a_later_first_epoch_continues_the_same_stream(n_rows):
    rows = [np.arange(n_rows)]
    whole = _blocks(rows, n_epochs=90)
    # 64 epochs are drawn at once: the cut falls inside such a group and behind it.
    for cut in (40, 70):
        late = _blocks(rows, n_epochs=90 - cut, first_epoch=cut)
        n_steps = n_batches(rows, 8)
        np.testing.assert_array_equal(_steps(late), _steps(whole)[cut * n_steps :])
        assert late[0].first_step == cut * n_steps


def test_all_blocks_of_a_training_have_one_shape():
    for n_rows in (6, 20, 300):
        for options in ({}, {"max_epochs": 1}, {"max_steps": 5}):
            blocks = _blocks([np.arange(n_rows)] * 2, n_epochs=23, **options)
            assert len({block.rows.shape for block in blocks}) == 1


def test_tables_of_similar_size_share_the_shape_of_their_blocks():
    shapes = {_blocks([np.arange(n)], max_epochs=1)[0].rows.shape for n in range(33, 65)}
    assert shapes == {(8, 1, 8)}
    shapes = {_blocks([np.arange(n)])[0].rows.shape for n in (20, 500, 5000)}
    assert shapes == {(MAX_BLOCK_STEPS, 1, 8)}


def test_row_numbers_of_one_block_stay_small():
    n_rows = 200_000
    block = next(
        batches(
            [np.arange(n_rows)] * 8, batch_size=50_000, n_epochs=1, padding_row=0, seeds=[0] * 8
        )
    )
    assert block.rows.nbytes <= 32 * 2**20
