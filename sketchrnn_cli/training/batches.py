"""Batches as functions of (seed, step): which drawings, and how they are augmented.

Symbols: N sketches, P points of all of them, R rows (P + N: every move and every end).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.network import PackedBatch
from sketchrnn_cli.model.packing import Packing, copied
from sketchrnn_cli.sketches.sketch import START
from sketchrnn_cli.training.config import TrainingConfig

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# independent streams of one seed
ORDER, AUGMENTATION, NOISE, VALIDATION, LATENTS, SHUFFLE, WORD_DROPOUT = range(7)


def seed_of(seed: int, stream: int, step: int) -> int:
    """A 63-bit seed that differs for every run, purpose and step."""
    state = np.random.SeedSequence([seed, stream, step]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@functools.lru_cache(maxsize=2)
def _epoch_order(n: int, seed: int, epoch: int) -> Integers:
    return np.random.default_rng(seed_of(seed, ORDER, epoch)).permutation(n)


def positions_of(
    step: int,
    *,
    n: int,
    batch_size: int,
    seed: int,
    lengths_of: Callable[[Integers], Integers] | None = None,
    window: int = 1,
) -> Integers:
    """Which of n training drawings make the batch of a step.

    Every epoch is a new permutation of all drawings; a batch may span two epochs. Within an
    epoch, every ``window`` batches are sorted by length, so that the drawings of a batch end at
    about the same time, and then taken in random order. A drawing is as likely to be in the next
    batch as any other, so the expected gradient of a step stays that of the whole set; what
    changes is that drawings of one length come together.

    Args:
        step: number of the step, from 0.
        n: drawings.
        batch_size: drawings per batch.
        seed: of the run.
        lengths_of: points of the drawings at some of the n positions; None: any order will do.
        window: batches that are sorted by length together.

    Returns:
        (batch_size,) int64 in [0, n).
    """
    epoch = step * batch_size // n
    whole, end = -(-epoch * n // batch_size), (epoch + 1) * n // batch_size  # batches in it
    if lengths_of is not None and window > 1 and whole <= step < end:
        number, place = divmod(step - whole, window)
        first = whole + number * window
        count = min(window, end - first)
        start = first * batch_size - epoch * n
        positions = _epoch_order(n, seed, epoch)[start : start + count * batch_size]
        by_length = positions[np.argsort(lengths_of(positions), kind="stable")]
        shuffle = np.random.default_rng(seed_of(seed, SHUFFLE, first)).permutation(count)
        start = int(shuffle[place]) * batch_size
        return by_length[start : start + batch_size]
    first, parts = step * batch_size, []
    while batch_size > 0:
        epoch, start = divmod(first, n)
        part = _epoch_order(n, seed, epoch)[start : start + batch_size]
        parts.append(part)
        first += len(part)
        batch_size -= len(part)
    return np.concatenate(parts)


def some(indices: Integers, at_most: int, *, seed: int) -> Integers:
    """A random subset of at most so many drawings: files come word by word."""
    if len(indices) <= at_most:
        return indices
    chosen = np.random.default_rng(seed).choice(len(indices), at_most, replace=False)
    return indices[np.sort(chosen)]


def per_word(corpus: Corpus, indices: Integers, at_most: int, *, seed: int) -> Integers:
    """A random subset with at most so many drawings of each word."""
    words = corpus.word_ids[indices]
    shuffled = np.random.default_rng(seed).permutation(len(indices))
    order = shuffled[np.argsort(words[shuffled], kind="stable")]
    counts = np.bincount(words)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(indices[order[rank < at_most]])


@dataclass(frozen=True, slots=True)
class FlatSketches:
    """Sketches one after the other."""

    offsets: Floats  # (P, 2) dx, dy in model units
    lifts: npt.NDArray[np.bool_]  # (P,) the pen leaves the paper after this move
    lengths: Integers  # (N,)
    numbers: Integers  # (N,) the sketches within their batch; seeds of their noise
    words: Integers  # (N,) the label of each; W: the null label


def gather(corpus: Corpus, indices: Integers, *, scale_factor: float) -> FlatSketches:
    """Read drawings from the corpus: clipped, in model units."""
    lengths = corpus.offsets[indices + 1] - corpus.offsets[indices]
    moves = corpus.rows_of(indices)
    clip = corpus.preparation.clip
    offsets = np.clip(moves[:, :2].astype(np.float32), -clip, clip) / np.float32(scale_factor)
    return FlatSketches(
        offsets,
        moves[:, 2] >= 1,
        lengths.astype(np.int64),
        np.arange(len(lengths)),
        corpus.word_ids[indices].astype(np.int64),
    )


def share(sketches: FlatSketches, rank: int, world: int) -> FlatSketches:
    """The part of a batch that one of so many processes works on, under the same numbers.

    Sketches are assigned in snake order by length, so that all parts cost about the same.
    """
    if world == 1:
        return sketches
    snake = np.arange(len(sketches.lengths)) % (2 * world)
    mine = (snake == rank) | (snake == 2 * world - 1 - rank)
    chosen = np.zeros(len(mine), bool)
    chosen[np.argsort(-sketches.lengths, kind="stable")[mine]] = True
    points = np.repeat(chosen, sketches.lengths)
    return FlatSketches(
        sketches.offsets[points],
        sketches.lifts[points],
        sketches.lengths[chosen],
        sketches.numbers[chosen],
        sketches.words[chosen],
    )


def augment(
    sketches: FlatSketches,
    *,
    random_scale: float,
    point_dropping: float,
    rng: np.random.Generator,
) -> FlatSketches:
    """Stretch each drawing in x and y, and leave out points within strokes.

    A left-out point's offset is added to the point kept before it. The first three points of a
    stroke, and the first and last of every stroke, stay.

    Source: magenta utils.py, ``random_scale`` of DataLoader and ``augment_strokes``.
    """
    n, lengths = len(sketches.lengths), sketches.lengths
    stretch = 1 + random_scale * rng.uniform(-1, 1, (n, 2))
    offsets = sketches.offsets * np.repeat(stretch.astype(np.float32), lengths, axis=0)
    draws = rng.random(len(offsets), dtype=np.float32)
    if not point_dropping:
        return replace(sketches, offsets=offsets)
    lifts = sketches.lifts
    begins = np.zeros(len(lifts), bool)  # rows after a lift, or first of a drawing
    begins[1:] = lifts[:-1]
    begins[np.cumsum(lengths) - lengths] = True
    row = np.arange(len(lifts))
    reset = np.maximum.accumulate(np.where(begins | lifts, row, 0))
    dropped = (row - reset > 2) & (draws < point_dropping)
    kept = np.flatnonzero(~dropped)
    sketch = np.repeat(np.arange(n), lengths)
    return FlatSketches(
        np.add.reduceat(offsets, kept, axis=0, dtype=np.float32),
        lifts[kept],
        np.bincount(sketch[kept], minlength=n).astype(np.int64),
        sketches.numbers,
        sketches.words,
    )


def pack(
    sketches: FlatSketches,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    padded_to: int = 0,
) -> PackedBatch:
    """Lay sketches out step after step, longest first.

    Args:
        sketches: N of them.
        device: where the batch is wanted.
        dtype: of its tensors.
        padded_to: predictions of every sketch, as magenta takes them: what comes after a drawing
            is read as end rows and predicted as ends, and of one of so many points the end is
            not predicted. 0: every move and one end.
    """
    lengths = sketches.lengths
    n = len(lengths)
    order = np.argsort(-lengths, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    rows = np.full(n, padded_to) if padded_to else lengths[order] + 1
    packing = Packing.of_lengths(rows.tolist())
    starts = np.asarray(packing.starts)  # first row of each step
    moves_packing = Packing.of_lengths(lengths[order].tolist())
    move_starts = np.asarray(moves_packing.starts)
    point_rank = np.repeat(rank, lengths)  # (P,)
    ends = np.cumsum(lengths)
    t = np.arange(len(point_rank)) - np.repeat(ends - lengths, lengths)  # step of each point

    moves = np.zeros((len(t), 5), np.float32)
    moves[:, :2] = sketches.offsets
    moves[:, 3] = sketches.lifts
    moves[:, 2] = ~sketches.lifts

    inputs = np.zeros((starts[-1], 5), np.float32)
    inputs[:, 4] = 1  # of what comes after a drawing
    inputs[:n] = START
    is_input = t + 1 < len(packing.batch_sizes)  # before the last prediction
    inputs[starts[t[is_input] + 1] + point_rank[is_input]] = moves[is_input]
    offsets = np.zeros((starts[-1], 2), np.float32)
    offsets[starts[t] + point_rank] = sketches.offsets
    pen = np.full(starts[-1], 2, np.int64)
    pen[starts[t] + point_rank] = sketches.lifts
    forwards, backwards = np.empty_like(moves), np.empty_like(moves)
    forwards[move_starts[t] + point_rank] = moves
    from_end = np.repeat(lengths, lengths) - 1 - t
    backwards[move_starts[from_end] + point_rank] = moves

    inputs_there, offsets_there, forwards_there, backwards_there, pen_there, words_there = copied(
        [inputs, offsets, forwards, backwards, pen, sketches.words[order]], device
    )
    return PackedBatch(
        inputs=inputs_there.to(dtype),
        offsets=offsets_there.to(dtype),
        pen=pen_there,
        packing=packing,
        moves_packing=moves_packing,
        moves=forwards_there.to(dtype),
        backwards=backwards_there.to(dtype),
        numbers=tuple(sketches.numbers[order].tolist()),
        lengths=tuple(lengths[order].tolist()),
        words=words_there,
    )


def training_sketches(
    corpus: Corpus, train: Integers, config: TrainingConfig, step: int
) -> FlatSketches:
    """The drawings of a step, chosen and augmented, some with the null label.

    So a conditional model learns to draw without a label, too.
    """

    def lengths_of(positions: Integers) -> Integers:
        return corpus.offsets[train[positions] + 1] - corpus.offsets[train[positions]]

    positions = positions_of(
        step,
        n=len(train),
        batch_size=config.batch_size,
        seed=config.seed,
        lengths_of=lengths_of,
        window=config.window,
    )
    sketches = gather(corpus, train[positions], scale_factor=corpus.scale_factor)
    rng = np.random.default_rng(seed_of(config.seed, WORD_DROPOUT, step))
    dropped = rng.random(len(sketches.words)) < config.word_dropout
    return augment(
        replace(sketches, words=np.where(dropped, len(corpus.words), sketches.words)),
        random_scale=config.random_scale,
        point_dropping=config.point_dropping,
        rng=np.random.default_rng(seed_of(config.seed, AUGMENTATION, step)),
    )
