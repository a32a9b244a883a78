"""Latent noise and dropout masks."""

import numpy as np
import pytest
from trainers import CPU

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.training import batches, noise


def test_a_byte_at_the_threshold_is_decided_by_another():
    kept = noise._kept(np.random.SFC64(3), 0.3, 1000, 1000)
    assert kept.mean() == pytest.approx(round(0.3 * 2**16) / 2**16, abs=5 * 0.46 / 1000)


def test_dropout_keeps_its_share_and_is_scaled_to_keep_the_mean():
    config = ModelConfig(decoder_size=400, encoder_size=300, dropout=0.25)
    flat = batches.FlatSketches(
        np.ones((50, 2), np.float32), np.zeros(50, bool), np.full(5, 10), np.arange(5), np.zeros(5)
    )
    batch = batches.pack(flat, device=CPU)
    drawn = noise.draw(batch, config, seed=1, dropout=True, device=CPU)
    assert drawn.decoder.shape == (55, 400)
    assert drawn.encoder.shape == (100, 300)
    assert drawn.keep == 0.75
    for mask in (drawn.decoder, drawn.encoder):
        assert mask.double().mean().item() == pytest.approx(0.75, abs=0.02)
    ahead, back = drawn.encoder.view(10, 2, 5, 300).unbind(1)
    assert (ahead != back).any()
    again = noise.draw(batch, config, seed=1, dropout=True, device=CPU)
    assert (again.decoder == drawn.decoder).all()
    assert (again.latent == drawn.latent).all()
