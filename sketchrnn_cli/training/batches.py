"""Batches as functions of (seed, step): which drawings, how stretched, with which noise.

Letters: N sketches, P points of all of them, R rows (P + N: every move and every end).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.packed import Packing
from sketchrnn_cli.model.sketch_rnn import Noise, PackedBatch
from sketchrnn_cli.sketches.sketch import START
from sketchrnn_cli.training.config import TrainingConfig

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

ORDER, AUGMENTATION, NOISE, VALIDATION, LATENTS = range(5)  # independent streams of one seed


def seed_of(seed: int, stream: int, step: int) -> int:
    """A 63-bit seed that differs for every run, purpose and step."""
    state = np.random.SeedSequence([seed, stream, step]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@functools.lru_cache(maxsize=2)
def _epoch_order(n: int, seed: int, epoch: int) -> Integers:
    return np.random.default_rng(seed_of(seed, ORDER, epoch)).permutation(n)


def positions_of(step: int, *, n: int, batch_size: int, seed: int) -> Integers:
    """Which of n training drawings make the batch of a step.

    Every epoch is a new permutation of all drawings; a batch may span two epochs.

    Returns:
        (batch_size,) int64 in [0, n).
    """
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


def gather(corpus: Corpus, indices: Integers, *, scale_factor: float) -> FlatSketches:
    """Read drawings from the corpus: clipped, in model units."""
    starts = corpus.offsets[indices]
    lengths = corpus.offsets[indices + 1] - starts
    ends = np.cumsum(lengths)
    rows = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
    moves = np.asarray(corpus.moves[rows])
    clip = corpus.preparation.clip
    offsets = np.clip(moves[:, :2].astype(np.float32), -clip, clip) / np.float32(scale_factor)
    return FlatSketches(
        offsets, moves[:, 2] >= 1, lengths.astype(np.int64), np.arange(len(lengths))
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
        return FlatSketches(offsets, sketches.lifts, lengths, sketches.numbers)
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
    )


def pack(
    sketches: FlatSketches, *, device: torch.device, dtype: torch.dtype = torch.float32
) -> PackedBatch:
    """Lay sketches out step after step, longest first; numbers of this type."""
    lengths = sketches.lengths
    n = len(lengths)
    order = np.argsort(-lengths, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    packing = Packing.of_lengths((lengths[order] + 1).tolist())
    starts = np.asarray(packing.starts)  # first row of each step
    point_rank = np.repeat(rank, lengths)  # (P,)
    ends = np.cumsum(lengths)
    t = np.arange(len(point_rank)) - np.repeat(ends - lengths, lengths)  # step of each point

    moves = np.zeros((len(t), 5), np.float32)
    moves[:, :2] = sketches.offsets
    moves[:, 3] = sketches.lifts
    moves[:, 2] = ~sketches.lifts

    inputs = np.empty((starts[-1], 5), np.float32)
    inputs[:n] = START
    inputs[starts[t + 1] + point_rank] = moves
    offsets = np.zeros((starts[-1], 2), np.float32)
    offsets[starts[t] + point_rank] = sketches.offsets
    pen = np.full(starts[-1], 2, np.int64)
    pen[starts[t] + point_rank] = sketches.lifts
    backwards = np.empty_like(moves)
    from_end = np.repeat(lengths, lengths) - 1 - t
    backwards[starts[from_end + 1] - n + point_rank] = moves

    sizes = packing.batch_sizes[1:]
    moves_packing = Packing(sizes, tuple((starts[1:] - n).tolist()))

    def tensor(array: npt.NDArray[np.generic]) -> torch.Tensor:
        moved = torch.from_numpy(array).to(device)
        return moved.to(dtype) if moved.is_floating_point() else moved

    return PackedBatch(
        inputs=tensor(inputs),
        offsets=tensor(offsets),
        pen=tensor(pen),
        packing=packing,
        moves_packing=moves_packing,
        backwards=tensor(backwards),
        numbers=tuple(sketches.numbers[order].tolist()),
        lengths=tuple(lengths[order].tolist()),
    )


def training_sketches(
    corpus: Corpus, train: Integers, config: TrainingConfig, step: int
) -> FlatSketches:
    """The drawings of a step, chosen and augmented."""
    positions = positions_of(step, n=len(train), batch_size=config.batch_size, seed=config.seed)
    return augment(
        gather(corpus, train[positions], scale_factor=corpus.scale_factor),
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

    On a CPU every sketch has random numbers of its own, named by the seed and its number, so
    that they do not depend on how a batch is dealt out.
    """
    keep = round((1 - model.dropout) * 2**16)  # in 65,536ths: two random bytes decide
    dropout = dropout and keep < 2**16
    if device.type != "cpu":
        return _noise_on_device(batch, model, seed, keep if dropout else 0, device, dtype)
    n, n_rows = batch.n_sketches, len(batch.inputs)
    latent = np.empty((n, model.latent_size), np.float32)
    starts = np.asarray(batch.packing.starts)
    widths = [model.decoder_size, *([model.encoder_size] * 2 if model.encoder else [])]
    masks = [np.empty((n_rows - (k > 0) * n, width), np.bool_) for k, width in enumerate(widths)]
    for rank, (number, length) in enumerate(zip(batch.numbers, batch.lengths, strict=True)):
        rng = np.random.Generator(np.random.SFC64([seed, number]))
        rng.standard_normal(dtype=np.float32, out=latent[rank])
        if not dropout:
            continue
        for k, mask in enumerate(masks):
            rows = starts[: length + 1] + rank if k == 0 else starts[1 : length + 1] - n + rank
            mask[rows] = rng.integers(0, 2**16, (len(rows), mask.shape[1]), np.uint16) < keep
    scaled = [
        torch.from_numpy(mask).to(dtype).mul_(2**16 / keep) if dropout else None for mask in masks
    ]
    if not model.encoder:
        return Noise(None, scaled[0], (None, None))
    return Noise(torch.from_numpy(latent).to(dtype), scaled[0], (scaled[1], scaled[2]))


def _noise_on_device(
    batch: PackedBatch,
    model: ModelConfig,
    seed: int,
    keep: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Noise:
    """The same from the device's own generator: no numbers cross the bus. keep 0: no dropout."""
    generator = torch.Generator(device).manual_seed(seed)
    n, n_rows = batch.n_sketches, len(batch.inputs)

    def mask(rows: int, width: int) -> torch.Tensor | None:
        if not keep:
            return None
        values = torch.empty(rows, width, device=device, dtype=dtype)
        return values.bernoulli_(keep / 2**16, generator=generator).mul_(2**16 / keep)

    decoder = mask(n_rows, model.decoder_size)
    if not model.encoder:
        return Noise(None, decoder, (None, None))
    latent = torch.randn(n, model.latent_size, generator=generator, device=device, dtype=dtype)
    size = model.encoder_size
    return Noise(latent, decoder, (mask(n_rows - n, size), mask(n_rows - n, size)))
