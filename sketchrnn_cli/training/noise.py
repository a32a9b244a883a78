"""Latent noise and dropout masks as functions of (seed, number of the sketch).

Every sketch has random numbers of its own, so they do not depend on how a batch is shared between
processes; on every device they are the same, latents up to rounding.
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
    """Latent noise and dropout masks of a batch, made on the device from one key per row.

    A row's key is a hash of the seed, its sketch's number, its point, and its use; a random
    number is a hash of its row's key and its column.
    """
    keep, input_keep, output_keep = (
        round((1 - share) * 2**16) / 2**16 if dropout else 1.0
        for share in (model.dropout, model.input_dropout, model.output_dropout)
    )
    none, each = np.empty(0, np.int32), Packing((batch.n_sketches,), (0, batch.n_sketches))
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
        return _kept(keys, columns, share) if len(keys) else None

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
    x = x ^ (x >> 16).bitwise_and_(0xFFFF)
    x *= 0x7FEB352D
    x ^= (x >> 15).bitwise_and_(0x1FFFF)
    x *= 0x846CA68B - 2**32
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def _bits(keys: torch.Tensor, columns: int) -> torch.Tensor:
    """(rows, columns) int32, all bits random, from keys (rows,)."""
    column = mixed(torch.arange(1, columns + 1, dtype=torch.int32, device=keys.device))
    return mixed(keys[:, None] ^ column)


def _kept(keys: torch.Tensor, columns: int, keep: float) -> torch.Tensor:
    """(rows, columns) True with a keep probability given in 65,536ths: 16 bits decide."""
    halves = _bits(keys, -(-columns // 2)).view(torch.int16)  # from -32768 to 32767
    return (halves < round(keep * 2**16) - 2**15)[:, :columns].contiguous()


def _normal(keys: torch.Tensor, columns: int) -> torch.Tensor:
    """(rows, columns) float32, standard normal. Source: Box & Muller 1958."""
    bits = _bits(keys, 2 * columns).bitwise_right_shift(8).bitwise_and(0xFFFFFF)
    u, v = ((bits + 0.5) / 2**24).chunk(2, dim=1)  # in (0, 1]
    return (-2 * u.log()).sqrt() * (2 * math.pi * v).cos()
