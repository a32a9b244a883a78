"""Batches as functions of (seed, step): which drawings, how stretched, with which noise.

Letters: N sketches, P points of all of them, R rows (P + N: every move and every end).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.packing import Packing, copied, steps_and_ranks
from sketchrnn_cli.model.sketch_rnn import Noise, PackedBatch
from sketchrnn_cli.sketches.sketch import START
from sketchrnn_cli.training.config import TrainingConfig

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# independent streams of one seed
ORDER, AUGMENTATION, NOISE, VALIDATION, LATENTS, DEALING, TELLING = range(7)
GOLDEN = 0x9E3779B9 - 2**32  # 2^32 over the golden ratio: so that a key of 0 does not stay 0


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
    epoch, runs of ``window`` batches are dealt by length, so that the drawings of a batch end at
    about the same time, and then taken in random order. A drawing is as likely to be in the next
    batch as any other, so the expected gradient of a step stays that of the whole set; what
    changes is that drawings of one length come together.

    Args:
        step: number of the step, from 0.
        n: drawings.
        batch_size: drawings a batch.
        seed: of the run.
        lengths_of: points of the drawings at some of the n positions; None: any order will do.
        window: batches that are dealt by length together.

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
        dealt = positions[np.argsort(lengths_of(positions), kind="stable")]
        shuffle = np.random.default_rng(seed_of(seed, DEALING, first)).permutation(count)
        start = int(shuffle[place]) * batch_size
        return dealt[start : start + batch_size]
    first, parts = step * batch_size, []
    while batch_size > 0:
        epoch, start = divmod(first, n)
        part = _epoch_order(n, seed, epoch)[start : start + batch_size]
        parts.append(part)
        first += len(part)
        batch_size -= len(part)
    return np.concatenate(parts)


def some(indices: Integers, at_most: int, *, seed: int) -> Integers:
    """So many of the drawings, chosen by chance: files come word by word."""
    if len(indices) <= at_most:
        return indices
    chosen = np.random.default_rng(seed).choice(len(indices), at_most, replace=False)
    return indices[np.sort(chosen)]


@dataclass(frozen=True, slots=True)
class FlatSketches:
    """Sketches one after the other."""

    offsets: Floats  # (P, 2) dx, dy in model units
    lifts: npt.NDArray[np.bool_]  # (P,) the pen leaves the paper after this move
    lengths: Integers  # (N,)
    numbers: Integers  # (N,) names of the sketches within their batch
    words: Integers  # (N,) the word of each, that the decoder is told


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

    Longest first the sketches are dealt there and back, so that all parts cost about the same.
    """
    if world == 1:
        return sketches
    deal = np.arange(len(sketches.lengths)) % (2 * world)
    mine = (deal == rank) | (deal == 2 * world - 1 - rank)
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
        dtype: type of its numbers.
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
    heard = t + 1 < len(packing.batch_sizes)  # before the last prediction
    inputs[starts[t[heard] + 1] + point_rank[heard]] = moves[heard]
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
    """The drawings of a step, chosen and augmented, and some without their word.

    One not told its word has the number after the last: so a model learns to draw without, too.
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
    telling = np.random.default_rng(seed_of(config.seed, TELLING, step))
    untold = telling.random(len(sketches.words)) < config.word_dropout
    return augment(
        replace(sketches, words=np.where(untold, len(corpus.words), sketches.words)),
        random_scale=config.random_scale,
        point_dropping=config.point_dropping,
        rng=np.random.default_rng(seed_of(config.seed, AUGMENTATION, step)),
    )


def noise_of(
    batch: PackedBatch,
    model: ModelConfig,
    seed: int,
    *,
    dropout: bool,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Noise:
    """Latent noise and dropout masks drawn from one seed.

    Every sketch has random numbers of its own, named by the seed and its number, so that they do
    not depend on how a batch is dealt out. Those of a CPU and of other devices differ.
    """
    keep, input_keep, output_keep = (
        round((1 - share) * 2**16) / 2**16 if dropout else 1.0
        for share in (model.dropout, model.input_dropout, model.output_dropout)
    )
    if device.type != "cpu":
        return _noise_on_device(batch, model, seed, (keep, input_keep, output_keep), device, dtype)
    n, n_rows, n_moves = batch.n_sketches, len(batch.inputs), len(batch.backwards)
    starts = np.asarray(batch.packing.starts)
    sizes = np.asarray(batch.packing.batch_sizes)
    moves_starts = np.asarray(batch.moves_packing.starts)
    alive = np.asarray(batch.moves_packing.batch_sizes)
    latent = np.empty((n, model.latent_size), np.float32)
    decoder = np.empty((n_rows, model.decoder_size), np.bool_)
    encoder = np.empty((2 * n_moves if model.encoder else 0, model.encoder_size), np.bool_)
    inputs, heard = np.empty((n_rows, 5), np.bool_), np.empty((n, model.constant_size), np.bool_)
    outputs = np.empty_like(decoder)
    for rank, (number, length) in enumerate(zip(batch.numbers, batch.lengths, strict=True)):
        random = np.random.SFC64([seed, number])
        np.random.Generator(random).standard_normal(dtype=np.float32, out=latent[rank])
        n_steps = int(np.count_nonzero(sizes > rank))
        steps = starts[:n_steps] + rank
        if keep < 1:
            decoder[steps] = _kept(random, keep, n_steps, decoder.shape[1])
        if keep < 1 and model.encoder:
            rows = 2 * moves_starts[:length] + rank  # forwards
            encoder[rows] = _kept(random, keep, length, encoder.shape[1])
            encoder[rows + alive[:length]] = _kept(random, keep, length, encoder.shape[1])
        if input_keep < 1:
            inputs[steps] = _kept(random, input_keep, n_steps, inputs.shape[1])
            heard[rank] = _kept(random, input_keep, 1, heard.shape[1])[0]
        if output_keep < 1:
            outputs[steps] = _kept(random, output_keep, n_steps, outputs.shape[1])

    def factors(kept: npt.NDArray[np.bool_], share: float) -> torch.Tensor | None:
        return torch.from_numpy(kept).to(dtype) / share if share < 1 else None

    return Noise(
        torch.from_numpy(latent).to(dtype) if model.encoder else None,
        torch.from_numpy(decoder) if keep < 1 else None,
        torch.from_numpy(encoder) if keep < 1 and model.encoder else None,
        keep,
        factors(inputs, input_keep),
        factors(heard, input_keep),
        factors(outputs, output_keep),
    )


def _kept(
    random: np.random.BitGenerator, keep: float, rows: int, columns: int
) -> npt.NDArray[np.bool_]:
    """(rows, columns) True with a probability given in 65,536ths.

    One random byte decides nearly always; where it is just the one at the threshold, a second
    does.
    """
    first, second = divmod(round(keep * 2**16), 256)
    n = rows * columns
    values = np.asarray(random.random_raw(-(-n // 8))).view(np.uint8)[:n]
    kept = values < first
    undecided = np.flatnonzero(values == first)
    more = np.asarray(random.random_raw(-(-len(undecided) // 8))).view(np.uint8)
    kept[undecided] = more[: len(undecided)] < second
    return kept.reshape(rows, columns)


def _noise_on_device(
    batch: PackedBatch,
    model: ModelConfig,
    seed: int,
    keeps: tuple[float, float, float],
    device: torch.device,
    dtype: torch.dtype,
) -> Noise:
    """The same, made on the device from one key a row that goes there; keep 1: no dropout.

    A row's key is a hash of the seed, its sketch's number, its point, and what it is for; a
    random number is a hash of its row's key and its column.
    """
    n, (keep, input_keep, output_keep) = batch.n_sketches, keeps
    none, each = np.empty(0, np.int32), Packing((n,), (0, n))
    decoder = _keys(batch.packing, batch, seed, 0) if keep < 1 else none
    latent = _keys(each, batch, seed, 1) if model.encoder else none
    encoder = none
    if model.encoder and keep < 1:
        ahead, back = (_keys(batch.moves_packing, batch, seed, use) for use in (2, 3))
        steps = zip(batch.moves_packing.starts, batch.moves_packing.starts[1:], strict=False)
        encoder = np.concatenate([part[a:b] for a, b in steps for part in (ahead, back)])
    inputs = _keys(batch.packing, batch, seed, 4) if input_keep < 1 else none
    heard = _keys(each, batch, seed, 5) if input_keep < 1 else none
    outputs = _keys(batch.packing, batch, seed, 6) if output_keep < 1 else none
    there = copied([decoder, latent, encoder, inputs, heard, outputs], device)

    def kept(keys: torch.Tensor, columns: int, share: float) -> torch.Tensor | None:
        return _kept_on_device(keys, columns, share) if len(keys) else None

    def factors(keys: torch.Tensor, columns: int, share: float) -> torch.Tensor | None:
        found = kept(keys, columns, share)
        return None if found is None else found.to(dtype) / share

    return Noise(
        _normal(there[1], model.latent_size).to(dtype) if len(latent) else None,
        kept(there[0], model.decoder_size, keep),
        kept(there[2], model.encoder_size, keep),
        keep,
        factors(there[3], 5, input_keep),
        factors(there[4], model.constant_size, input_keep),
        factors(there[5], model.decoder_size, output_keep),
    )


def _keys(packing: Packing, batch: PackedBatch, seed: int, use: int) -> npt.NDArray[np.int32]:
    """A hash of the seed, the use, and the sketch and the point of every row."""
    points, ranks = steps_and_ranks(packing)
    numbers = np.asarray(batch.numbers)[ranks]
    key = torch.zeros(len(points), dtype=torch.int32)
    for word in (seed & 0xFFFFFFFF, seed >> 32, use, numbers, points):
        words = np.full(len(points), word).astype(np.uint32).view(np.int32)
        key = mixed(key ^ torch.from_numpy(words)) + GOLDEN
    return cast("npt.NDArray[np.int32]", key.numpy())


def mixed(x: torch.Tensor) -> torch.Tensor:
    """Every 32-bit number to another one, one to one, so that each bit depends on all bits.

    Source: C. Wellons, "Prospecting for hash functions", 2018, lowbias32. int32 stands for
    unsigned: torch's shift repeats the sign, so it is masked away.
    """
    x = x ^ (x >> 16 & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ (x >> 15 & 0x1FFFF)
    x = x * (0x846CA68B - 2**32)
    return x ^ (x >> 16 & 0xFFFF)


def _bits(keys: torch.Tensor, columns: int) -> torch.Tensor:
    """(rows, columns) int32, all bits random, from keys (rows,)."""
    column = mixed(torch.arange(1, columns + 1, dtype=torch.int32, device=keys.device))
    return mixed(keys[:, None] ^ column)


def _kept_on_device(keys: torch.Tensor, columns: int, keep: float) -> torch.Tensor:
    """(rows, columns) True with a probability given in 65,536ths: 16 bits decide."""
    halves = _bits(keys, -(-columns // 2)).view(torch.int16)  # from -32768 to 32767
    return (halves < round(keep * 2**16) - 2**15)[:, :columns].contiguous()


def _normal(keys: torch.Tensor, columns: int) -> torch.Tensor:
    """(rows, columns) float32, standard normal. Source: Box & Muller 1958."""
    bits = _bits(keys, 2 * columns).bitwise_right_shift(8).bitwise_and(0xFFFFFF)
    u, v = ((bits + 0.5) / 2**24).chunk(2, dim=1)  # in (0, 1]
    return (-2 * u.log()).sqrt() * (2 * math.pi * v).cos()
