"""Random drawings as packed batches, for tests of the network in training."""

import dataclasses

import numpy as np
import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.training.batches import FlatSketches, pack

SMALL = ModelConfig(
    encoder_size=5, latent_size=4, decoder_size=7, n_mixtures=3, hyper_size=6, hyper_embedding=2
)
CPU = torch.device("cpu")


def random_sketches(rng, lengths=(6, 1, 9, 3, 9)):
    """Stroke-3 rows in model units."""
    sketches = []
    for length in lengths:
        moves = rng.normal(size=(length, 3)).astype(np.float32)
        moves[:, 2] = rng.random(length) < 0.3
        moves[-1, 2] = 1
        sketches.append(moves)
    return sketches


def packed(sketches, words=None):
    flat = np.concatenate(sketches)
    lengths = np.array([len(s) for s in sketches])
    numbers = np.arange(len(lengths))
    words = np.zeros(len(lengths), int) if words is None else np.asarray(words)
    return pack(FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, numbers, words), device=CPU)


def double(batch):
    return dataclasses.replace(
        batch,
        inputs=batch.inputs.double(),
        moves=batch.moves.double(),
        offsets=batch.offsets.double(),
        backwards=batch.backwards.double(),
    )
