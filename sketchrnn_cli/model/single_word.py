"""Fold one label into the biases, giving an unconditional model. Torch-free.

A label embedding is constant over time, and so is what it adds to the gates and to the start
state: it goes into the biases, exactly.

Symbols: Z latent size, D label embedding size, H decoder size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.model.checkpoint import Checkpoint, Weights

ZERO = 1e-6  # a smaller start state is none


def of(checkpoint: Checkpoint, word: str, *, guidance: float = 1.0) -> Checkpoint:
    """The same model, conditioned on this label for good.

    One without encoder has a start state per label. Where that is not zero it stays, as the bias
    of an encoder that reads nothing: one unit and a latent of one number, all weights zero. Its
    mean is 0, its sigma 1, and the decoder ignores it.

    Args:
        checkpoint: of a model with label embeddings.
        word: one of its words.
        guidance: guidance scale, see ``Settings.guidance``; 1: off.

    Raises:
        BadCheckpoint: it has no label embeddings, or its decoder is no plain LSTM: other cells
            have no bias where the label is added.
    """
    config, weights = checkpoint.config, checkpoint.weights
    if config.cell != "lstm":
        raise BadCheckpoint(f"its cell is {config.cell}, and a label folds into a plain lstm only")
    if not config.n_words:
        raise BadCheckpoint("it has no label embeddings to fold into its biases")
    z = config.latent_size if config.encoder else 0
    index = checkpoint.words.index(word)
    table = weights["decoder.words"].astype(np.float64)
    embedding = table[-1] + guidance * (table[index] - table[-1])  # (D,)

    def with_bias(matrix: str, bias: str) -> npt.NDArray[np.float32]:
        total = weights[bias] + embedding @ weights[matrix][z:]
        return np.asarray(total, np.float32)

    gone = ("decoder.words", "recogniser.")  # there is nothing to recognise among one word
    made: Weights = {name: array for name, array in weights.items() if not name.startswith(gone)}
    made |= {
        "decoder.cell.b": with_bias("decoder.cell.w_const", "decoder.cell.b"),
        "decoder.start_b": with_bias("decoder.start_w", "decoder.start_b"),
        "decoder.cell.w_const": weights["decoder.cell.w_const"][:z],
        "decoder.start_w": weights["decoder.start_w"][:z],
    }
    for name in ("latent.weight", "latent.mean", "latent.scale"):
        if name in made:
            made[name] = made[name][index : index + 1]
    if "latent.share" in made:
        made["latent.share"] = np.ones(1, np.float32)
    config = replace(config, n_words=0)
    if not config.encoder:
        if np.abs(np.tanh(made["decoder.start_b"])).max() < ZERO:
            for name in ("decoder.start_w", "decoder.start_b", "decoder.cell.w_const"):
                del made[name]
        else:
            made |= _zero_encoder(config.decoder_size)
            config = replace(config, encoder=True, encoder_size=1, latent_size=1)
    training = dict(checkpoint.training)
    if "counts" in training:
        training["counts"] = [checkpoint.counts[index]]
    return replace(checkpoint, config=config, weights=made, words=(word,), training=training)


def _zero_encoder(h: int) -> Weights:
    """An encoder of one unit and one latent number, and the decoder's weights of it; all zeros."""
    cell = {"w_x": (5, 4), "w_h": (1, 4), "b": (4,)}
    shapes: dict[str, tuple[int, ...]] = {
        **{f"encoder.{way}.{part}": s for way in ("fw", "bw") for part, s in cell.items()},
        **{f"encoder.{part}_w": (2, 1) for part in ("mu", "presig")},
        **{f"encoder.{part}_b": (1,) for part in ("mu", "presig")},
        **{"decoder.start_w": (1, 2 * h), "decoder.cell.w_const": (1, 4 * h)},
    }
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
