"""Batches as functions of (seed, step)."""

import dataclasses

import numpy as np
import pytest
import reference
from trainers import CPU, corpus_in

from sketchrnn_cli.training import batches
from sketchrnn_cli.training.config import (
    TrainingConfig,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


def ones(n):
    """n drawings of ten moves (1, 1)."""
    return batches.FlatSketches(
        np.ones((10 * n, 2), np.float32),
        np.zeros(10 * n, bool),
        np.full(n, 10),
        np.arange(n),
        np.zeros(n, int),
    )


def test_every_epoch_shows_every_drawing_once_in_a_new_order():
    shown = np.concatenate(
        [batches.positions_of(step, n=23, batch_size=10, seed=4) for step in range(23)]
    )
    epochs = shown.reshape(10, 23)
    for epoch in epochs:
        assert sorted(epoch) == list(range(23))
    assert len({tuple(epoch) for epoch in epochs}) == 10


def test_batches_of_like_lengths_show_every_drawing_once_an_epoch():
    lengths = np.random.default_rng(0).integers(1, 250, 230)

    def positions(step, window=8):
        return batches.positions_of(
            step, n=230, batch_size=10, seed=4, lengths_of=lengths.__getitem__, window=window
        )

    epochs = np.concatenate([positions(step) for step in range(4 * 23)]).reshape(4, 230)
    for epoch in epochs:
        assert sorted(epoch) == list(range(230))
    spread = [np.ptp(lengths[positions(step)]) for step in range(16)]
    assert max(spread) < 80
    assert np.mean([np.ptp(lengths[positions(step, window=1)]) for step in range(16)]) > 170
    # a window's batches do not come from short to long
    means = [lengths[positions(step)].mean() for step in range(8)]
    assert means != sorted(means)


@pytest.mark.slow
def test_every_drawing_is_as_likely_at_every_step_whatever_its_length():
    lengths = np.arange(1, 41)  # known by its position
    counts = np.zeros((4, 40))
    for seed in range(2000):
        for step in range(4):
            chosen = batches.positions_of(
                step, n=40, batch_size=10, seed=seed, lengths_of=lengths.__getitem__, window=4
            )
            counts[step, chosen] += 1
    # each is in a step's batch with probability 1/4: 500 times, give or take five deviations
    assert np.abs(counts - 500).max() < 5 * np.sqrt(2000 * 3 / 16)


def test_a_batch_across_two_epochs_is_composed_like_any_other():
    shown = [
        batches.positions_of(
            step, n=23, batch_size=10, seed=4, lengths_of=np.arange(23).__getitem__, window=16
        )
        for step in range(23)
    ]
    for epoch in np.concatenate(shown).reshape(10, 23):
        assert sorted(epoch) == list(range(23))


def test_a_batch_larger_than_the_set_repeats_it():
    positions = batches.positions_of(0, n=3, batch_size=10, seed=0)
    assert np.bincount(positions).tolist() in ([3, 3, 4], [3, 4, 3], [4, 3, 3])


def test_positions_depend_on_the_seed():
    a, b = (batches.positions_of(0, n=100, batch_size=100, seed=seed) for seed in (0, 1))
    assert (a != b).any()


def test_some_drawings_are_chosen_from_everywhere():
    indices = np.arange(500, 1500)
    chosen = batches.some(indices, 100, seed=1)
    assert len(set(chosen.tolist())) == 100
    assert (np.diff(chosen) > 0).all()
    assert np.histogram(chosen, bins=5, range=(500, 1500))[0].min() >= 8
    assert (batches.some(indices, 100, seed=1) == chosen).all()
    assert batches.some(indices, 1000, seed=1) is indices


def test_gather_clips_and_scales(corpus):
    indices = corpus.indices("train")[:5]
    flat = batches.gather(corpus, indices, scale_factor=2.0)
    expected = [corpus.moves_of(i) for i in indices]
    assert flat.lengths.tolist() == [len(moves) for moves in expected]
    moves = np.concatenate(expected)
    np.testing.assert_allclose(flat.offsets, np.clip(moves[:, :2], -1000, 1000) / 2)
    assert (flat.lifts == (moves[:, 2] > 0)).all()


def dropped_one_by_one(moves, draws, probability):
    """Magenta's loop over one drawing's points, written out."""
    kept, count, before_lifts = [], 0, True
    for (dx, dy, lift), draw in zip(moves, draws, strict=True):
        count = 0 if lift or before_lifts else count + 1
        if not lift and not before_lifts and count > 2 and draw < probability:
            kept[-1] = [kept[-1][0] + dx, kept[-1][1] + dy, kept[-1][2]]
        else:
            kept.append([dx, dy, lift])
            before_lifts = bool(lift)
    return np.asarray(kept)


@pytest.mark.parametrize("seed", range(10))
def test_point_dropping_is_that_of_the_textbook_loop(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40, 12)
    offsets = rng.normal(size=(lengths.sum(), 2)).astype(np.float32)
    lifts = rng.random(len(offsets)) < 0.1
    words = rng.integers(0, 3, 12)
    flat = batches.FlatSketches(offsets, lifts, lengths, np.arange(12), words)
    result = batches.augment(
        flat, random_scale=0.0, point_dropping=0.4, rng=np.random.default_rng(seed)
    )
    replay = np.random.default_rng(seed)
    replay.uniform(-1, 1, (12, 2))
    draws = replay.random(len(offsets), dtype=np.float32)
    moves = np.column_stack([offsets, lifts])
    cuts = np.cumsum(lengths)[:-1]
    slow = [
        dropped_one_by_one(m, d, 0.4)
        for m, d in zip(np.split(moves, cuts), np.split(draws, cuts), strict=True)
    ]
    assert result.lengths.tolist() == [len(s) for s in slow]
    assert result.lengths.sum() < lengths.sum()
    flat_slow = np.concatenate(slow)
    np.testing.assert_allclose(result.offsets, flat_slow[:, :2], atol=1e-5)
    assert (result.lifts == (flat_slow[:, 2] > 0)).all()


def test_random_scale_stretches_a_whole_drawing_by_at_most_its_share():
    flat = ones(3)
    rng = np.random.default_rng(0)
    offsets = batches.augment(flat, random_scale=0.15, point_dropping=0.0, rng=rng).offsets
    per_sketch = offsets.reshape(3, 10, 2)
    assert (per_sketch == per_sketch[:, :1]).all()
    assert 0.85 <= offsets.min() < 1 < offsets.max() <= 1.15
    assert len(np.unique(offsets)) == 6


def test_packed_rows_are_the_drawings_step_by_step():
    rng = np.random.default_rng(3)
    lengths = np.array([3, 7, 1, 7])
    sketches = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    for sketch in sketches:
        sketch[:, 2] = rng.random(len(sketch)) < 0.4
    flat = np.concatenate(sketches)
    batch = batches.pack(
        batches.FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, np.arange(4), np.arange(5, 9)),
        device=CPU,
    )
    assert batch.packing.batch_sizes == (4, 4, 3, 3, 2, 2, 2, 2)
    assert batch.moves_packing.batch_sizes == (4, 3, 3, 2, 2, 2, 2)
    for rank, k in enumerate([1, 3, 0, 2]):  # longest first, ties in order
        rows = reference.stroke5(sketches[k])
        starts = batch.packing.starts[: lengths[k] + 1]
        inputs = batch.inputs[[start + rank for start in starts]].numpy()
        np.testing.assert_allclose(inputs, [[0, 0, 1, 0, 0], *rows])
        offsets = batch.offsets[[start + rank for start in starts]].numpy()
        np.testing.assert_allclose(offsets, [*rows[:, :2], [0, 0]])
        pen = batch.pen[[start + rank for start in starts]].tolist()
        assert pen == [*(rows[:, 3] > 0).astype(int), 2]
        starts = batch.moves_packing.starts[: lengths[k]]
        picked = [start + rank for start in starts]
        np.testing.assert_allclose(batch.moves[picked].numpy(), rows)
        np.testing.assert_allclose(batch.backwards[picked].numpy(), rows[::-1])


def test_some_drawings_come_without_their_word_the_same_ones_again(corpus):
    config = TrainingConfig(batch_size=8, word_dropout=0.3)
    train, untold = corpus.indices("train"), []
    for step in range(60):
        sketches = batches.training_sketches(corpus, train, config, step)
        again = batches.training_sketches(corpus, train, config, step)
        np.testing.assert_array_equal(sketches.words, again.words)
        whole = batches.training_sketches(
            corpus, train, dataclasses.replace(config, word_dropout=0.0), step
        )
        told = sketches.words != len(corpus.words)
        np.testing.assert_array_equal(sketches.words[told], whole.words[told])
        assert whole.words.max() < len(corpus.words)
        untold.append(~told)
    assert 0.2 < np.mean(untold) < 0.4


def test_a_subset_has_so_many_of_every_word_from_everywhere(corpus):
    indices = np.arange(len(corpus))
    counts = np.bincount(corpus.word_ids)
    chosen = batches.per_word(corpus, indices, 3, seed=1)
    assert (np.diff(chosen) > 0).all()
    assert np.bincount(corpus.word_ids[chosen]).tolist() == np.minimum(counts, 3).tolist()
    assert (batches.per_word(corpus, indices, 3, seed=1) == chosen).all()
    assert (batches.per_word(corpus, indices, 3, seed=2) != chosen).any()
    assert (batches.per_word(corpus, indices, 10**6, seed=1) == indices).all()
    train = corpus.indices("train")
    assert set(batches.per_word(corpus, train, 2, seed=1)) <= set(train)
