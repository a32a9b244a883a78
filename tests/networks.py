"""Small networks with random weights, for tests that draw, encode and score."""

import dataclasses

import numpy as np

from sketchrnn_cli.inference import request
from sketchrnn_cli.model import recogniser
from sketchrnn_cli.model.checkpoint import Checkpoint, shapes
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches.preparation import Preparation

FITTED = Preparation(fit=True, simplified=True).to_dict()


def tiny(
    *,
    encoder=True,
    seed=0,
    decoder_size=24,
    encoder_size=16,
    latent_size=8,
    n_mixtures=5,
    n_words=0,
    cell="lstm",
    encoder_cell="lstm",
    **kept,
):
    """A network whose drawings end after some twenty moves."""
    config = ModelConfig(
        encoder=encoder,
        decoder_size=decoder_size,
        encoder_size=encoder_size,
        latent_size=latent_size,
        n_mixtures=n_mixtures,
        n_words=n_words,
        word_size=6,
        cell=cell,
        encoder_cell=encoder_cell,
        hyper_size=10,
        hyper_embedding=4,
    )
    rng = np.random.default_rng(seed)
    weights = {
        name: (rng.normal(size=shape) / np.sqrt(shape[0] if len(shape) > 1 else 4)).astype("f4")
        for name, shape in shapes(config).items()
    }
    weights["decoder.out_b"][:3] = 1, 0, -1.5
    kept = {"scale_factor": 20.0, "words": ("blob",), **kept}
    return Checkpoint(config=config, weights=weights, **kept)


def of_words(*, encoder=True, words=("cat", "ice cream", "pig")):
    """A network conditioned on words, which knows where their latents lie."""
    model = tiny(encoder=encoder, n_words=len(words), words=words, preparation=FITTED)
    rng = np.random.default_rng(3)
    n, z = len(words), model.config.latent_size
    fitted = {
        "latent.share": np.full(n, 1 / n, np.float32),
        "latent.weight": np.tile(np.array([0.3, 0.7], np.float32), (n, 1)),
        "latent.mean": rng.normal(size=(n, 2, z)).astype(np.float32),
        "latent.scale": np.tril(rng.normal(size=(n, z, z))).astype(np.float32),
    }
    weights = model.weights | (fitted if encoder else {})
    return dataclasses.replace(model, weights=weights)


def with_recogniser(checkpoint, *, seed=0):
    """The same model, with a recogniser of random weights."""
    rng = np.random.default_rng(seed)
    weights = {
        name: (rng.normal(size=shape) * np.sqrt(2 / shape[0])).astype("f2").astype("f4")
        for name, shape in recogniser.shapes(len(checkpoint.words)).items()
    }
    return dataclasses.replace(checkpoint, weights=checkpoint.weights | weights)


def exact(checkpoint):
    """Its weights in float64, for the slow reference."""
    return {name: array.astype(np.float64) for name, array in checkpoint.weights.items()}


def random_moves(rng, n_points):
    """Stroke-3 moves (n_points, 3) in model units, the last one lifting."""
    moves = rng.normal(size=(n_points, 3)).astype(np.float32)
    moves[:, 2] = rng.random(n_points) < 0.2
    moves[-1:, 2] = 1
    return moves


def draw(engine, n, *, settings=None, batch_size=512, **given):
    """So many drawings with what is given of each; see ``request.Request``."""
    asked = request.Request(n=n, **given)
    return request.draw(engine, asked, settings, batch_size=batch_size)
