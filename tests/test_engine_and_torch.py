"""The two networks, trained through torch and used through numpy, are one."""

import networks
import numpy as np
import pytest
import reference
import torch

from sketchrnn_cli.inference.conditioning import condition, label_rows
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.score import log_likelihood
from sketchrnn_cli.model.config import CELLS, PRESETS, ModelConfig
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.model.loss import reconstruction_nats
from sketchrnn_cli.model.network import SketchRNN
from sketchrnn_cli.training.batches import FlatSketches, pack


def packed(sketches):
    flat, numbers = np.concatenate(sketches), np.arange(len(sketches))
    lengths = np.array([len(sketch) for sketch in sketches])
    offsets = np.ascontiguousarray(flat[:, :2])
    words = np.arange(len(sketches)) % 3
    flat_sketches = FlatSketches(offsets, flat[:, 2] > 0, lengths, numbers, words)
    return pack(flat_sketches, device=torch.device("cpu"))


def in_torch(model):
    network = SketchRNN(model.config)
    network.load_weights(model.weights)
    return network.requires_grad_(False)


def agree_within_1e_5(preset, encoder, n_words, cell):
    sizes = {name: getattr(ModelConfig(**PRESETS[preset]), name) for name in PRESETS["tiny"]}
    words = ("ant", "bee")[: n_words or 1]
    cells = {"cell": cell, "encoder_cell": cell}
    model = networks.tiny(encoder=encoder, seed=1, n_words=n_words, words=words, **cells, **sizes)
    rng = np.random.default_rng(2)
    sketches = [networks.random_moves(rng, n) for n in (12, 1, 40, 7, 40)]
    engine, network, batch = Engine(model), in_torch(model), packed(sketches)
    z = None
    if encoder:
        mu, sigma = engine.encode(sketches)
        mu_torch, presig = network.encoder(batch)
        np.testing.assert_allclose(mu_torch, mu[list(batch.numbers)], atol=1e-5)
        np.testing.assert_allclose((presig / 2).exp(), sigma[list(batch.numbers)], atol=1e-5)
        z = mu
    longest_first = None if z is None else torch.from_numpy(z[list(batch.numbers)])
    constant = network.decoder.conditioning(longest_first, batch.words)
    outputs = network.decoder(batch.inputs, batch.packing, constant).numpy()
    labels = label_rows(model, ["ant", "bee", None, "ant", "bee"])
    ours = engine.forward(sketches, condition(model, 5, z=z, labels=labels))
    for rank, number in enumerate(batch.numbers):
        rows = [start + rank for start in batch.packing.starts[: len(sketches[number]) + 1]]
        np.testing.assert_allclose(outputs[rows], ours[number], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_words", [0, 2])
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_numpy_and_torch_agree_within_1e_5(encoder, n_words, cell):
    agree_within_1e_5("tiny", encoder, n_words, cell)


@pytest.mark.slow
@pytest.mark.parametrize("n_words", [0, 2])
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_numpy_and_torch_agree_within_1e_5_in_large_networks(encoder, n_words, cell):
    agree_within_1e_5("base", encoder, n_words, cell)


@pytest.mark.parametrize("word", ["bird", "bicycle", "bear"])
def test_googles_decoders_score_a_drawing_alike_three_ways(shared_data, word):
    model = open_model(shared_data / "sketch-rnn-js" / f"{word}.gen.json")
    rng = np.random.default_rng(0)
    sketch = networks.random_moves(rng, 30)
    slow = reference.sketch_nats(networks.exact(model), sketch.astype(np.float64))
    network, batch = in_torch(model), packed([sketch])
    outputs = network.decoder(batch.inputs, batch.packing, None)
    by_torch = reconstruction_nats(outputs, batch.offsets, batch.pen).sum().item()
    (by_numpy,) = log_likelihood(Engine(model), [sketch], None)
    assert by_torch == pytest.approx(slow, rel=1e-5)
    assert by_numpy == pytest.approx(-slow, rel=1e-5)
