"""Drawings as points along their ink, all of them alike: where they lie and how large is gone.

Letters: N drawings, P rows of stroke-3 of all of them, K points along the ink of each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sketchrnn_cli.sketches import ink as inks


class Ink(NamedTuple):
    """Points at even distances along the ink, in drawing order."""

    points: np.ndarray  # (N, K, 2) float32 x, y; the larger extent is 1, the box's middle is 0
    strokes: np.ndarray  # (N, K) int16, number of the stroke of each point

    def of(self, chosen):
        return Ink(self.points[chosen], self.strokes[chosen])


def along(rows, lengths, n_points):
    """Walk along the ink of drawings and stop K times.

    rows: (P, 3) stroke-3, one drawing after the other, any unit. lengths: (N,) rows of each.
    """
    if not len(lengths):
        return Ink(np.zeros((0, n_points, 2), np.float32), np.zeros((0, n_points), np.int16))
    points, strokes = inks.along(rows, np.asarray(lengths, np.int64), n_points)
    return Ink(points, strokes.astype(np.int16))


def of_corpus(corpus, chosen, n_points):
    """The drawings of a packed set."""
    return along(
        corpus.rows_of(chosen), corpus.offsets[chosen + 1] - corpus.offsets[chosen], n_points
    )


def of_sketches(sketches, n_points):
    """Sketches as the sampler hands them out; one without strokes is a dot."""
    from sketchrnn_cli.sketches.sketch import to_stroke3

    dot = np.array([[0, 0, 1]], np.float32)
    moves = [to_stroke3(sketch) if sketch.strokes else dot for sketch in sketches]
    return along(np.concatenate([dot[:0], *moves]), [len(rows) for rows in moves], n_points)


def distorted(ink, n_points, rng):
    """Other drawings of the same things: turned, stretched, sheared, mirrored, shaky, a bit less.

    Gives fewer points: K of those there are, at even distances, beginning by chance.
    """
    points, strokes = ink
    n, k = strokes.shape
    angle = rng.normal(0, 0.15, n)
    scale = rng.uniform(0.8, 1.2, (n, 2)) * np.where(rng.random((n, 1)) < 0.25, [-1, 1], [1, 1])
    shear = rng.normal(0, 0.1, n)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, sin + shear], 1), np.stack([-sin, cos], 1)], 1)  # (n, 2, 2)
    points = points @ (scale[:, :, None] * turn).astype(np.float32)
    shake = rng.choice([0, 0.004, 0.012], (n, 1, 1)).astype(np.float32)
    points = points + shake * rng.standard_normal(points.shape, np.float32)

    # One stroke in three drawings is left out, where it is a small part of the ink.
    out = (rng.random(n) * (strokes[:, -1] + 1)).astype(np.int16)
    kept = strokes != out[:, None]
    whole = (rng.random(n) > 1 / 3) | (kept.mean(axis=1) < 0.7)
    kept[whole] = True
    order = np.argsort(~kept, axis=1, kind="stable")
    place = (np.arange(n_points) + rng.random((n, 1))) / n_points * kept.sum(axis=1)[:, None]
    picked = np.take_along_axis(order, place.astype(np.int64).clip(max=k - 1), 1)
    points = np.take_along_axis(points, picked[..., None], 1)
    return Ink(inks.fitted(points).astype(np.float32), np.take_along_axis(strokes, picked, 1))


def thinned(ink, n_points):
    """K of the points, at even distances."""
    n_there = ink.strokes.shape[1]
    picked = ((np.arange(n_points) + 0.5) / n_points * n_there).astype(np.int64)
    return Ink(inks.fitted(ink.points[:, picked]), ink.strokes[:, picked])
