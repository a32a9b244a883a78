"""Drawings as points along their ink, all of them alike: where they lie and how large is gone.

Letters: N drawings, P rows of stroke-3 of all of them, K points along the ink of each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DOT = 0.05  # ink that every stroke has besides its length, so that a dot is seen; of the box


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
    lengths = np.asarray(lengths, np.int64)
    if not len(lengths):
        return Ink(np.zeros((0, n_points, 2), np.float32), np.zeros((0, n_points), np.int16))
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    drawing = np.repeat(np.arange(len(lengths)), lengths)  # (P,)
    begins = np.zeros(len(rows), bool)  # rows that begin a stroke
    begins[1:] = rows[:-1, 2] >= 1
    begins[firsts] = True

    points = np.cumsum(rows[:, :2], axis=0, dtype=np.float64)
    low, high = np.minimum.reduceat(points, firsts), np.maximum.reduceat(points, firsts)
    extent = (high - low).max(axis=1)
    extent[extent == 0] = 1
    points = (points - (low + high)[drawing] / 2) / extent[drawing, None]

    steps = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    walked = np.cumsum(np.where(begins, DOT, steps))  # (P,) up to each point
    before = np.concatenate([[0.0], walked[ends[:-1] - 1]])
    share = (np.arange(n_points) + 0.5) / n_points
    target = before[:, None] + (walked[ends - 1] - before)[:, None] * share  # (N, K)
    row = np.searchsorted(walked, target).clip(firsts[:, None], ends[:, None] - 1)
    last = np.where(begins[row], row, row - 1)
    step = np.where(begins[row], 1.0, steps[row])
    part = np.clip((target - walked[last]) / np.where(step > 0, step, 1.0), 0, 1)[..., None]
    stroke = np.cumsum(begins)
    return Ink(
        (points[last] + part * (points[row] - points[last])).astype(np.float32),
        (stroke[row] - stroke[firsts][:, None]).astype(np.int16),
    )


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


def fitted(points):
    """The same points with the larger extent 1 and the middle of the box at 0."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    extent = (high - low).max(axis=2, keepdims=True)
    return (points - (low + high) / 2) / np.where(extent > 0, extent, 1)


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
    return Ink(fitted(points).astype(np.float32), np.take_along_axis(strokes, picked, 1))


def thinned(ink, n_points):
    """K of the points, at even distances."""
    n_there = ink.strokes.shape[1]
    picked = ((np.arange(n_points) + 0.5) / n_points * n_there).astype(np.int64)
    return Ink(fitted(ink.points[:, picked]), ink.strokes[:, picked])
