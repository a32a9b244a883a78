"""Latent noise and dropout masks."""

import dataclasses

import numpy as np
import pytest
import torch
from packed_batches import CPU, SMALL, packed, random_sketches

from sketchrnn_cli.training import batches, noise
from sketchrnn_cli.training.batches import share


def noise_of(batch, seed=3, keep=0.75, config=SMALL):
    config = dataclasses.replace(config, dropout=1 - keep, input_dropout=0.0, output_dropout=0.0)
    return noise.draw(batch, config, seed, dropout=True, device=CPU)


def test_the_hash_is_the_published_one():
    def lowbias32(x):
        x ^= x >> 16
        x = x * 0x7FEB352D % 2**32
        x ^= x >> 15
        x = x * 0x846CA68B % 2**32
        return x ^ x >> 16

    values = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    ours = noise.mixed(torch.from_numpy(values.view(np.int32))).numpy().view(np.uint32)
    assert ours.tolist() == [lowbias32(int(value)) for value in values]


def test_noise_has_its_share_and_its_shape():
    config = dataclasses.replace(SMALL, decoder_size=401, encoder_size=300, latent_size=500)
    batch = packed(random_sketches(np.random.default_rng(1), lengths=(20,) * 40))
    noise = noise_of(batch, config=config)
    assert (noise.decoder.shape, noise.encoder.shape) == ((840, 401), (1600, 300))
    for mask in (noise.decoder, noise.encoder):
        assert mask.dtype is torch.bool
        assert mask.is_contiguous()
        kept = mask.double()
        assert kept.mean().item() == pytest.approx(0.75, abs=0.003)
        for dim in (0, 1):  # no row and no column stands out
            expected = (0.75 * 0.25 / mask.shape[dim]) ** 0.5
            assert kept.mean(dim).std().item() == pytest.approx(expected, rel=0.25)
        for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])):  # nor do neighbours
            assert ((a - 0.75) * (b - 0.75)).mean().item() == pytest.approx(0, abs=0.002)
    assert noise.latent.mean().item() == pytest.approx(0, abs=0.03)
    assert noise.latent.std().item() == pytest.approx(1, abs=0.02)
    assert noise.latent.pow(4).mean().item() == pytest.approx(3, abs=0.2)
    ahead, back = noise.encoder.view(20, 2, 40, 300).unbind(1)
    assert (ahead != back).double().mean().item() == pytest.approx(2 * 0.75 * 0.25, abs=0.01)


def test_noise_goes_by_the_seed():
    batch = packed(random_sketches(np.random.default_rng(1)))
    for seeds, same in (((3, 3), True), ((3, 4), False), ((3, 3 + 2**40), False)):
        first, second = (noise_of(batch, seed) for seed in seeds)
        for a, b in zip(dataclasses.astuple(first)[:3], dataclasses.astuple(second), strict=False):
            assert torch.equal(a, b) == same


def test_without_dropout_there_is_latent_noise_alone():
    noise = noise_of(packed(random_sketches(np.random.default_rng(1))), keep=1.0)
    assert noise.decoder is None
    assert noise.encoder is None
    assert noise.latent is not None
    alone = noise_of(packed(random_sketches(np.random.default_rng(1))), config=DECODER_ONLY)
    assert alone.latent is None
    assert alone.encoder is None
    assert alone.decoder is not None


DECODER_ONLY = dataclasses.replace(SMALL, encoder=False)


def by_sketch(batch, noise):
    """Latent noise and masks of every sketch, under its number."""
    n, moves = batch.n_sketches, batch.moves_packing
    pairs = list(zip(moves.starts, moves.batch_sizes, strict=False))
    return {
        number: (
            noise.latent[rank],
            noise.decoder[[start + rank for start in batch.packing.starts[: length + 1]]],
            noise.encoder[[2 * start + rank for start, _ in pairs[:length]]],
            noise.encoder[[2 * start + alive + rank for start, alive in pairs[:length]]],
        )
        for rank, (number, length) in enumerate(zip(batch.numbers, batch.lengths, strict=True))
        if rank < n
    }


def test_noise_does_not_depend_on_the_dealing():
    rng = np.random.default_rng(7)
    sketches = random_sketches(rng, lengths=rng.integers(1, 12, 9))
    flat = np.concatenate(sketches)
    lengths = np.array([len(s) for s in sketches])
    words = np.arange(9) % 2
    whole = batches.FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, np.arange(9), words)
    batch = batches.pack(whole, device=CPU)
    wanted = by_sketch(batch, noise_of(batch))
    found = {}
    for rank in range(2):
        part = batches.pack(share(whole, rank, 2), device=CPU)
        found |= by_sketch(part, noise_of(part))
    assert found.keys() == wanted.keys()
    for number, parts in wanted.items():
        for a, b in zip(parts, found[number], strict=True):
            assert torch.equal(a, b)
