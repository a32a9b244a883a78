"""Latent noise and dropout masks as functions of (seed, number of the sketch).

Every sketch has random numbers of its own, so they do not depend on how a batch is shared between
processes. Those of a CPU and of other devices differ.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.network import Noise, PackedBatch
from sketchrnn_cli.model.packing import Packing, copied, steps_and_ranks

GOLDEN = 0x9E3779B9 - 2**32  # 2^32 over the golden ratio: so that a key of 0 does not stay 0


def draw(
    batch: PackedBatch,
    model: ModelConfig,
    seed: int,
    *,
    dropout: bool,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Noise:
    """Latent noise and dropout masks of a batch."""
    keep, input_keep, output_keep = (
        round((1 - share) * 2**16) / 2**16 if dropout else 1.0
        for share in (model.dropout, model.input_dropout, model.output_dropout)
    )
    if device.type != "cpu":
        return _draw_on_device(batch, model, seed, (keep, input_keep, output_keep), device, dtype)
    n, n_rows, n_moves = batch.n_sketches, len(batch.inputs), len(batch.backwards)
    starts = np.asarray(batch.packing.starts)
    sizes = np.asarray(batch.packing.batch_sizes)
    moves_starts = np.asarray(batch.moves_packing.starts)
    alive = np.asarray(batch.moves_packing.batch_sizes)
    latent = np.empty((n, model.latent_size), np.float32)
    decoder = np.empty((n_rows, model.decoder_size), np.bool_)
    encoder = np.empty((2 * n_moves if model.encoder else 0, model.encoder_size), np.bool_)
    inputs, cond = np.empty((n_rows, 5), np.bool_), np.empty((n, model.constant_size), np.bool_)
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
            cond[rank] = _kept(random, input_keep, 1, cond.shape[1])[0]
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
        factors(cond, input_keep),
        factors(outputs, output_keep),
    )


def _kept(
    random: np.random.BitGenerator, keep: float, rows: int, columns: int
) -> npt.NDArray[np.bool_]:
    """(rows, columns) True with a keep probability given in 65,536ths.

    One random byte decides nearly always; at the threshold itself a second one does.
    """
    first, second = divmod(round(keep * 2**16), 256)
    n = rows * columns
    values = np.asarray(random.random_raw(-(-n // 8))).view(np.uint8)[:n]
    kept = values < first
    undecided = np.flatnonzero(values == first)
    more = np.asarray(random.random_raw(-(-len(undecided) // 8))).view(np.uint8)
    kept[undecided] = more[: len(undecided)] < second
    return kept.reshape(rows, columns)


def _draw_on_device(
    batch: PackedBatch,
    model: ModelConfig,
    seed: int,
    keeps: tuple[float, float, float],
    device: torch.device,
    dtype: torch.dtype,
) -> Noise:
    """The same, made on the device from one key per row; keep 1: no dropout.

    A row's key is a hash of the seed, its sketch's number, its point, and its use; a random
    number is a hash of its row's key and its column.
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
    cond = _keys(each, batch, seed, 5) if input_keep < 1 else none
    outputs = _keys(batch.packing, batch, seed, 6) if output_keep < 1 else none
    there = copied([decoder, latent, encoder, inputs, cond, outputs], device)

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
    """Map 32-bit numbers one to one, so that each bit depends on all bits.

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
    """(rows, columns) True with a keep probability given in 65,536ths: 16 bits decide."""
    halves = _bits(keys, -(-columns // 2)).view(torch.int16)  # from -32768 to 32767
    return (halves < round(keep * 2**16) - 2**15)[:, :columns].contiguous()


def _normal(keys: torch.Tensor, columns: int) -> torch.Tensor:
    """(rows, columns) float32, standard normal. Source: Box & Muller 1958."""
    bits = _bits(keys, 2 * columns).bitwise_right_shift(8).bitwise_and(0xFFFFFF)
    u, v = ((bits + 0.5) / 2**24).chunk(2, dim=1)  # in (0, 1]
    return (-2 * u.log()).sqrt() * (2 * math.pi * v).cos()
