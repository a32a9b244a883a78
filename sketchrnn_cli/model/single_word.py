"""A model of one word out of a model that is told words. Torch-free.

What stands for a word is the same all along a drawing, so what it adds to the gates and to the
start state is a constant: it goes into the biases, exactly.

Letters: Z latent size, C = Z + numbers that stand for a word, H decoder size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.model.checkpoint import Checkpoint, Weights

ZERO = 1e-6  # a start state of less is none


def of(checkpoint: Checkpoint, word: str, *, guidance: float = 1.0) -> Checkpoint:
    """The same model, told this word for ever.

    One without encoder starts each word from a state of its own. Where that is not zero it stays,
    and hangs on an encoder that reads nothing: one unit and a latent of one number, all its
    weights zero. Its mean is 0, its sigma 1, and the decoder does not hear it.

    Args:
        checkpoint: of a model that is told words.
        word: one of its words.
        guidance: how much the word counts, see ``Settings.guidance``; 1: as it was learned.
    """
    config, weights = checkpoint.config, checkpoint.weights
    z = config.latent_size if config.encoder else 0
    place = checkpoint.words.index(word)
    table = weights["decoder.words"].astype(np.float64)
    told = table[-1] + guidance * (table[place] - table[-1])

    def with_bias(matrix: str, bias: str) -> npt.NDArray[np.float32]:
        total = weights[bias] + told @ weights[matrix][z:]
        return np.asarray(total, np.float32)

    made: Weights = {name: array for name, array in weights.items() if name != "decoder.words"} | {
        "decoder.cell.b": with_bias("decoder.cell.w_const", "decoder.cell.b"),
        "decoder.start_b": with_bias("decoder.start_w", "decoder.start_b"),
        "decoder.cell.w_const": weights["decoder.cell.w_const"][:z],
        "decoder.start_w": weights["decoder.start_w"][:z],
    }
    for name in ("latent.weight", "latent.mean", "latent.scale"):
        if name in made:
            made[name] = made[name][place : place + 1]
    if "latent.share" in made:
        made["latent.share"] = np.ones(1, np.float32)
    config = replace(config, n_words=0)
    if not config.encoder:
        if np.abs(np.tanh(made["decoder.start_b"])).max() < ZERO:
            for name in ("decoder.start_w", "decoder.start_b", "decoder.cell.w_const"):
                del made[name]
        else:
            made |= _deaf_encoder(config.decoder_size)
            config = replace(config, encoder=True, encoder_size=1, latent_size=1)
    training = dict(checkpoint.training)
    if "counts" in training:
        training["counts"] = [checkpoint.counts[place]]
    return replace(checkpoint, config=config, weights=made, words=(word,), training=training)


def _deaf_encoder(h: int) -> Weights:
    """An encoder of one unit and one latent number, and a decoder's ear for it; all zeros."""
    reader = {"w_x": (5, 4), "w_h": (1, 4), "b": (4,)}
    shapes: dict[str, tuple[int, ...]] = {
        **{f"encoder.{way}.{part}": s for way in ("fw", "bw") for part, s in reader.items()},
        **{f"encoder.{part}_w": (2, 1) for part in ("mu", "presig")},
        **{f"encoder.{part}_b": (1,) for part in ("mu", "presig")},
        **{"decoder.start_w": (1, 2 * h), "decoder.cell.w_const": (1, 4 * h)},
    }
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
