"""Practice drawings: the embedded default for ``train``, drawn by rule and never twice alike.

In the manner of Quick, Draw!: few strokes, a 0..255 box, whole coordinates, simplified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches.block import offsets
from sketchrnn_cli.sketches.doodles.pen import Pen, Points
from sketchrnn_cli.sketches.doodles.words import DRAWERS, MIRRORED, TURNS
from sketchrnn_cli.sketches.simplify import EPSILON, douglas_peucker
from sketchrnn_cli.sketches.sketch import BOX, Sketch

WORDS: tuple[str, ...] = tuple(DRAWERS)


BATCH = 256  # drawings simplified at once


def draw(word: str, seed: int, index: int) -> Sketch:
    """The practice drawing with this number: the same arguments, the same drawing.

    Args:
        word: one of ``WORDS``.
        seed: of the whole set, 0 or more.
        index: of the drawing among those of its word, 0 or more.

    Returns:
        Whole coordinates from 0 to 255, fitted and simplified; a dot is a stroke of one point.

    Raises:
        BadConfig: there is no such word.
    """
    if word not in DRAWERS:
        raise BadConfig(f"no practice drawing of {word!r}; there are {', '.join(WORDS)}")
    return next(_drawn([(word, index)], seed))


def generate(n_per_word: int, seed: int) -> Iterator[Sketch]:
    """``n_per_word`` drawings of every word, the words taking turns."""
    numbers = ((word, index) for index in range(n_per_word) for word in WORDS)
    while batch := list(islice(numbers, BATCH)):
        yield from _drawn(batch, seed)


def _drawn(numbers: Sequence[tuple[str, int]], seed: int) -> Iterator[Sketch]:
    """The drawings of these words and numbers, simplified together because that is faster."""
    drawings = [_strokes(word, seed, index) for word, index in numbers]
    strokes = [stroke for drawing in drawings for stroke in drawing]
    starts = offsets(np.array([len(stroke) for stroke in strokes], np.int64))
    points = np.concatenate(strokes)
    keep = douglas_peucker(points, starts, epsilon=EPSILON)
    whole = np.rint(points[keep]).astype(np.float32)
    kept = np.split(whole, np.cumsum(np.add.reduceat(keep, starts[:-1], dtype=np.int64))[:-1])
    first = 0
    for (word, _), drawing in zip(numbers, drawings, strict=True):
        yield Sketch(tuple(kept[first : first + len(drawing)]), word)
        first += len(drawing)


def _strokes(word: str, seed: int, index: int) -> list[Points]:
    """Dense strokes, the larger extent 255, a corner of the box at the origin; each (K, 2)."""
    pen = Pen(np.random.default_rng([seed, WORDS.index(word), index]))
    mirrored = word in MIRRORED and pen.chance(0.3)
    DRAWERS[word](pen)
    points, starts = pen.finish(turn=TURNS.get(word, 4.0))
    if mirrored:
        points[:, 0] *= -1
    points -= points.min(axis=0)
    points *= BOX / points.max()
    return np.split(points, starts[1:])
