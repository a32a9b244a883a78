"""Drawings as points along their ink, all of them alike: where they lie and how large is gone.

What the recogniser looks at is made here, for training and for use. Letters: N drawings, P rows of
stroke-3 of all of them, K points along the ink of each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.sketches.block import Ints

Array = npt.NDArray[np.float32]

DOT = 0.05  # ink that every stroke has besides its length, so that a dot is seen; of the box
CHANNELS = 8  # of ``way``


class Ink(NamedTuple):
    """Points at even distances along the ink, in drawing order."""

    points: Array  # (N, K, 2) x, y; the larger extent is 1, the box's middle is 0
    strokes: npt.NDArray[np.int64]  # (N, K), number of the stroke of each point


def along(rows: npt.NDArray[Any], lengths: Ints, n_points: int) -> Ink:
    """Walk along the ink of drawings and stop K times.

    Args:
        rows: (P, 3) stroke-3, one drawing after the other, any unit.
        lengths: (N,) rows of each, at least 1.
        n_points: K.
    """
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    drawing = np.repeat(np.arange(len(lengths)), lengths)  # (P,)
    begins = np.zeros(len(rows), bool)  # rows that begin a stroke
    begins[1:] = rows[:-1, 2] >= 1
    begins[firsts] = True
    points = rows[:, :2].astype(np.float64)
    points[firsts] = 0  # a drawing's own first point is the origin
    points = np.cumsum(points, axis=0)
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
        stroke[row] - stroke[firsts][:, None],
    )


def fitted(points: Array) -> Array:
    """The same points with the larger extent 1 and the middle of the box at 0."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    extent = (high - low).max(axis=2, keepdims=True)
    result: Array = (points - (low + high) / 2) / np.where(extent > 0, extent, 1)
    return result


def inputs(ink: Ink, side: int) -> tuple[Array, Array]:
    """What the recogniser reads: the pen's way along every second point, and the picture."""
    return way(Ink(ink.points[:, ::2], ink.strokes[:, ::2])), picture(ink.points, side)


def way(ink: Ink) -> Array:
    """The pen's way: (N, K, 8) x, y, step x, y, direction x, y, lift, progress."""
    points, strokes = ink
    steps = np.diff(points, axis=1, append=points[:, -1:])
    length = np.hypot(steps[..., :1], steps[..., 1:])
    n, k = strokes.shape
    result = np.empty((n, k, CHANNELS), np.float32)
    result[..., 0:2] = 4 * points
    result[..., 2:4] = (10 * steps).clip(-4, 4)
    result[..., 4:6] = steps / np.maximum(length, 1e-6)
    result[..., 6] = np.diff(strokes, axis=1, append=strokes[:, -1:] + 1) != 0
    result[..., 7] = np.linspace(-1, 1, k)
    return result


def picture(points: Array, side: int) -> Array:
    """Ink on paper, (N, side, side) in [0, 1]: every point spreads over four pixels."""
    n = len(points)
    place = (points + 0.5) * (side - 4) + 1.5
    corner = np.floor(place).astype(np.int64)  # (N, K, 2)
    part = place - corner
    first = np.arange(n)[:, None] * side * side + corner[..., 1] * side + corner[..., 0]
    paper = np.zeros(n * side * side)
    for down in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - right - part[..., 0]) * np.abs(1 - down - part[..., 1])
            pixel = (first + down * side + right).ravel()
            paper += np.bincount(pixel, share.ravel(), minlength=len(paper))
    return np.minimum(paper, 1).astype(np.float32).reshape(n, side, side)
