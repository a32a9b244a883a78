"""Teacher-forced predictive distributions along a drawing.

Symbols: P points, T = P + 1 predictions, M mixtures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.inference.conditioning import condition, label_rows
from sketchrnn_cli.inference.engine import Network, decoder_input, to_model
from sketchrnn_cli.inference.mixture import END, log_softmax
from sketchrnn_cli.inference.score import of_predictions
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """A mixture of Gaussians and a pen for every prediction; lengths in units of the drawing."""

    points: Floats  # (P, 2) the drawing
    pen: npt.NDArray[np.intp]  # (T,) what the pen did: 0 down, 1 up, 2 end
    pen_probability: Floats  # (T, 3)
    weight: Floats  # (T, M)
    mean: Floats  # (T, M, 2) mean of the next point
    std: Floats  # (T, M, 2)
    rho: Floats  # (T, M) correlation of x and y
    nats: Floats  # (T,) log-likelihood of what came, model units


def predict(network: Network, sketch: Sketch) -> Predictions:
    """The distribution of each next point, given the drawing up to it.

    The latent is the mean that the encoder reads; temperature is 1.

    Args:
        network: of any kind.
        sketch: prepared as those of the network were, data units.

    Raises:
        BadSketch: a drawing without strokes.
    """
    scale = network.checkpoint.scale_factor
    moves = to_model(to_stroke3(sketch), scale)
    z = network.encode([moves])[0] if network.checkpoint.config.encoder else None
    labels = label_rows(network.checkpoint, [sketch.word])
    rows = decoder_input(moves)
    (raw,) = network.unroll([rows], condition(network.checkpoint, 1, z=z, labels=labels))
    exact = raw.astype(np.float64)
    pi, mean_x, mean_y, log_sx, log_sy, r = np.split(exact[:, 3:], 6, axis=1)  # (T, M) each
    points = np.cumsum(moves[:, :2], axis=0, dtype=np.float64) * scale
    before = np.concatenate([np.zeros((1, 2)), points])  # (T, 2)
    return Predictions(
        points=points,
        pen=np.append(rows[1:, 2:].argmax(1), END),
        pen_probability=np.exp(log_softmax(exact[:, :3])),
        weight=np.exp(log_softmax(pi)),
        mean=before[:, None] + np.stack([mean_x, mean_y], axis=-1) * scale,
        std=np.exp(np.stack([log_sx, log_sy], axis=-1)) * scale,
        rho=np.tanh(r),
        nats=of_predictions(raw, rows),
    )
