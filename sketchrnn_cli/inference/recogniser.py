"""Which word of its model a drawing shows: a small classifier in the checkpoint, in plain numpy.

Letters: N drawings, V words, L places, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.model import recogniser
from sketchrnn_cli.model.checkpoint import Checkpoint, Weights
from sketchrnn_cli.model.recogniser import N_POINTS, PICTURE, PREFIX, SIDE, STROKES
from sketchrnn_cli.sketches import ink as inks

Array = npt.NDArray[np.float32]

BATCH = 256  # drawings at once
DOT = np.array([[0, 0, 1]], np.float32)  # what a drawing without points is taken for


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Gives a drawing's share of every word."""

    words: tuple[str, ...]
    weights: Weights

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Recogniser | None:
        """That of a model; None where it has none."""
        found = recogniser.of(checkpoint.weights)
        return cls(checkpoint.words, found) if found else None

    def shares(self, drawings: Sequence[Array]) -> Array:
        """How much each drawing looks like each word.

        Args:
            drawings: (points, 3) stroke-3 each, any unit: where it lies and how large it is does
                not matter.

        Returns:
            (N, V) float32, each row sums to 1.
        """
        result = np.empty((len(drawings), len(self.words)), np.float32)
        for first in range(0, len(drawings), BATCH):
            part = [moves if len(moves) else DOT for moves in drawings[first : first + BATCH]]
            lengths = np.array([len(moves) for moves in part])
            logits = self._logits(inks.along(np.concatenate(part), lengths, N_POINTS))
            logits = np.exp(logits - logits.max(axis=1, keepdims=True))
            result[first : first + BATCH] = logits / logits.sum(axis=1, keepdims=True)
        return result

    def top(self, drawings: Sequence[Array], n: int = 3) -> list[list[tuple[str, float]]]:
        """The n words of the largest shares of each drawing, with these, largest first."""
        shares = self.shares(drawings)
        order = np.argsort(-shares, axis=1, kind="stable")[:, :n]
        return [
            [(self.words[k], float(row[k])) for k in best]
            for row, best in zip(shares, order.tolist(), strict=True)
        ]

    def _logits(self, ink: inks.Ink) -> Array:
        """(N, V) of drawings that have ``N_POINTS`` points."""
        way, picture = inks.inputs(ink, SIDE)
        x = way[:, None]  # (N, 1, L, C)
        for k, (size, _, _) in enumerate(STROKES):
            x = self._layer(f"strokes{k}", _windows(x, 1, size))
        y = picture[..., None]  # (N, side, side, 1)
        for k, (size, _, _) in enumerate(PICTURE):
            y = self._layer(f"picture{k}", _windows(y, size, size))
        found = [pool for a in (x, y) for pool in (a.mean(axis=(1, 2)), a.max(axis=(1, 2)))]
        h = self._layer("hidden", np.concatenate(found, axis=1))
        logits: Array = h @ self.weights[f"{PREFIX}words_w"] + self.weights[f"{PREFIX}words_b"]
        return logits

    def _layer(self, name: str, x: Array) -> Array:
        y: Array = x @ self.weights[f"{PREFIX}{name}_w"]
        y += self.weights[f"{PREFIX}{name}_b"]
        np.maximum(y, 0, out=y)
        return y


def _windows(x: Array, height: int, width: int) -> Array:
    """What lies around every second place: (N, rows, L, C) to (N, rows', L', height * width * C).

    Rows only where a window has several; there are zeros beyond the edges.
    """
    down, right = height // 2, width // 2
    padded = np.pad(x, ((0, 0), (down, down), (right, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    windows = windows[:, ::2, ::2].transpose(0, 1, 2, 4, 5, 3)  # (N, rows', L', h, w, C)
    return windows.reshape(*windows.shape[:3], -1)
