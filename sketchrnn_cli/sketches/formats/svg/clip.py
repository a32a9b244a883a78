"""Rectangles that cut off what is drawn outside of them: nested viewports and clip paths."""

from __future__ import annotations

import numpy as np

from sketchrnn_cli.sketches.formats.svg.curves import flatten
from sketchrnn_cli.sketches.formats.svg.path import STRAIGHT, Nodes
from sketchrnn_cli.sketches.formats.svg.transforms import Box, Matrix

LONGEST = 500  # characters of an outline that may be a rectangle
Edges = tuple[float, float, float, float]  # left, top, right, bottom

FINE = 1 / 2000  # of a curve that is cut, times its box
TINY = 1e-9  # of the larger entry of a matrix: no turn


def placed(box: Box, frame: Matrix) -> Edges | None:
    """The edges of a box on the page; None where it is turned and so no box there."""
    left, top, width, height = box
    a, b, c, d, e, f = frame
    largest = max(abs(a), abs(b), abs(c), abs(d))
    if max(abs(b), abs(c)) > TINY * largest and max(abs(a), abs(d)) > TINY * largest:
        return None
    x = sorted(a * x + c * y + e for x in (left, left + width) for y in (top, top + height))
    y = sorted(b * x + d * y + f for x in (left, left + width) for y in (top, top + height))
    return x[0], y[0], x[-1], y[-1]


def rectangle(nodes: Nodes) -> Box | None:
    """The box that a stroke goes around; None of another stroke."""
    corners = nodes[::3]
    if not (4 <= len(corners) <= 6 and np.isnan(nodes[1::3]).all()):
        return None
    x, y, steps = corners.real, corners.imag, np.diff(corners)
    at_edges = ((x == x.min()) | (x == x.max())) & ((y == y.min()) | (y == y.max()))
    along = (steps.real == 0) | (steps.imag == 0)
    if not (at_edges.all() and along.all() and len(np.unique(corners)) == 4):
        return None
    return float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))


def both(one: Edges | None, other: Edges) -> Edges:
    """What two boxes have in common, perhaps nothing."""
    if one is None:
        return other
    left, top = max(one[0], other[0]), max(one[1], other[1])
    return left, top, max(min(one[2], other[2]), left), max(min(one[3], other[3]), top)


def bounds(nodes: Nodes) -> Edges:
    """The box around all nodes, control points too, in which the stroke lies."""
    x, y = nodes.real, nodes.imag
    return float(np.nanmin(x)), float(np.nanmin(y)), float(np.nanmax(x)), float(np.nanmax(y))


def is_off(inner: Edges, outer: Edges) -> bool:
    """Whether one box lies wholly outside another."""
    left, top, right, bottom = outer
    return inner[0] > right or inner[1] > bottom or inner[2] < left or inner[3] < top


def clipped(nodes: Nodes, box: Edges) -> list[Nodes]:
    """What of a stroke lies in a box: itself where all does, else polylines."""
    left, top, right, bottom = inner = bounds(nodes)
    if is_off(inner, box):
        return []
    if both(inner, box) == inner:
        return [nodes]
    low, high = box[:2], box[2:]
    points, _ = flatten([nodes], max(right - left, bottom - top) * FINE)
    start, step = points[:-1], np.diff(points, axis=0)  # (K, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        enter = np.where(step > 0, (low - start) / step, (high - start) / step)
        leave = np.where(step > 0, (high - start) / step, (low - start) / step)
    still = step == 0
    outside = still & ((start < low) | (start > high))
    enter = np.where(still, 0.0, enter).max(axis=1).clip(0, None)
    leave = np.where(still, 1.0, leave).min(axis=1).clip(None, 1)
    seen = (enter < leave) & ~outside.any(axis=1)
    begins, ends = start + enter[:, None] * step, start + leave[:, None] * step
    return _joined(seen, begins, ends, cut_in=enter > 0)


def _joined(
    seen: np.ndarray, begins: np.ndarray, ends: np.ndarray, *, cut_in: np.ndarray
) -> list[Nodes]:
    """Segments that follow one another as one stroke each."""
    first = seen & (cut_in | ~np.concatenate([[False], seen[:-1]]))
    strokes = []
    for part in np.split(np.flatnonzero(seen), np.flatnonzero(first[seen]))[1:]:
        points = np.concatenate([begins[part[:1]], ends[part]]) @ np.array([1, 1j])
        nodes = np.full(3 * len(part) + 1, STRAIGHT)
        nodes[::3] = points
        strokes.append(nodes)
    return strokes
