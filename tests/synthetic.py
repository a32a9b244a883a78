"""Synthetic drawings for tests that need many: a template per word, drawn by an unsteady hand.

In the manner of Quick, Draw!: few strokes, a 0..255 box, whole coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from sketchrnn_cli.sketches import build
from sketchrnn_cli.sketches.block import from_sketches
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

# Strokes of each word: corners x, y in a box of 100 x 100; a stroke of one corner is a dot.
TEMPLATES: dict[str, list[list[tuple[float, float]]]] = {
    "boat": [
        [(5, 70), (95, 70), (80, 92), (20, 92), (5, 70)],
        [(50, 70), (50, 5), (85, 60), (50, 62)],
    ],
    "cat": [
        [(15, 50), (20, 8), (40, 30), (62, 30), (82, 8), (86, 50), (70, 88), (32, 88), (15, 50)],
        [(38, 55)],
        [(63, 55)],
        [(42, 70), (50, 76), (60, 70)],
        [(68, 64), (98, 58)],
        [(32, 64), (4, 58)],
    ],
    "cup": [
        [(10, 10), (18, 90), (62, 90), (70, 10), (10, 10)],
        [(68, 28), (92, 34), (90, 58), (66, 66)],
    ],
    "fish": [
        [(5, 50), (30, 22), (60, 26), (96, 78), (94, 22), (62, 72), (30, 78), (5, 50)],
        [(24, 44)],
    ],
    "flower": [
        [(50, 32), (64, 8), (78, 30), (62, 44), (50, 32), (34, 44), (22, 28), (38, 6), (50, 32)],
        [(50, 40), (48, 96)],
        [(48, 76), (70, 62), (76, 70), (50, 82)],
    ],
    "house": [
        [(15, 45), (15, 95), (85, 95), (85, 45), (15, 45), (50, 8), (85, 45)],
        [(42, 95), (42, 68), (58, 68), (58, 95)],
    ],
    "snail": [
        [(60, 60), (54, 52), (66, 46), (76, 62), (58, 76), (42, 60), (56, 34), (86, 44), (88, 80)],
        [(88, 80), (10, 84), (14, 56), (24, 54), (34, 80)],
        [(14, 56), (6, 36)],
    ],
    "star": [
        [(20, 94), (50, 4), (80, 94), (4, 38), (96, 38), (20, 94)],
    ],
    "sun": [
        [(50, 28), (70, 40), (70, 62), (50, 74), (30, 62), (30, 40), (50, 28)],
        [(50, 18), (50, 2)],
        [(80, 50), (98, 50)],
        [(50, 84), (50, 98)],
        [(20, 50), (2, 50)],
    ],
    "tree": [
        [(44, 96), (44, 60), (22, 56), (14, 34), (36, 8), (66, 10), (86, 36), (74, 58), (56, 60)],
        [(56, 60), (57, 96)],
    ],
}
WORDS = tuple(TEMPLATES)


def draw(word: str, seed: int, index: int) -> Sketch:
    """The drawing with this number: the same arguments, the same drawing."""
    rng = np.random.default_rng([seed, WORDS.index(word), index])
    shape = np.eye(2) + 0.1 * rng.standard_normal((2, 2))  # slant, turn, aspect
    strokes = [_by_hand(np.array(corners, float), rng) @ shape for corners in TEMPLATES[word]]
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.ptp(points, axis=0).max()
    return from_polylines([np.rint((stroke - low) * (255 / size)) for stroke in strokes], word)


def generate(n_per_word: int, seed: int) -> Iterator[Sketch]:
    """``n_per_word`` drawings of every word, the words taking turns."""
    for index in range(n_per_word):
        for word in WORDS:
            yield draw(word, seed, index)


def _by_hand(corners: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The stroke with one to three points between its corners, all of them missed a little."""
    if len(corners) > 1:
        parts = rng.integers(2, 5, len(corners) - 1)  # of each edge
        edge = np.repeat(np.arange(len(parts)), parts)
        along = np.concatenate([np.arange(n) / n for n in parts])[:, None]
        points = corners[edge] * (1 - along) + corners[edge + 1] * along
        corners = np.concatenate([points, corners[-1:]])
    return np.asarray(corners + 1.5 * rng.standard_normal(corners.shape))


def pack(sketches, out, *, split=build.DEFAULT_SPLIT):
    """A packed set of drawings at hand, which lie on the 0..255 canvas and are simplified."""
    options = build.BuildOptions(split=split)
    job = build._Job((), options, options.preparation(fit=True, simplified=True))
    source = iter(sketches)

    def blocks():
        while batch := list(islice(source, build.BATCH)):
            made = build._Made(from_sketches(batch), len(batch))
            made.only(np.diff(made.block.bounds) > 0, "empty")
            made.by_length(job.preparation)
            yield job.finish(made)

    return build._pack(blocks(), out, job)
