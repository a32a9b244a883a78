"""Cubic curves as polylines that stay close to them, all of a drawing at once.

Letters: K segments, S strokes, P points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.block import Floats, Ints, offsets, ranges
from sketchrnn_cli.sketches.formats.svg.path import Nodes

MAX_POINTS = 200_000  # of one drawing
FAR = 1e9  # pixels


def extent(strokes: Sequence[Nodes]) -> float:
    """The larger side of the box of all nodes, control points too.

    A curve fills more than a quarter of the box of its nodes.

    Raises:
        BadSketch: a node that is further away than a canvas is wide.
    """
    nodes = np.concatenate(strokes) if strokes else np.zeros(0, complex)
    nodes = nodes[~np.isnan(nodes)]
    if not len(nodes):
        return 0.0
    if not max(np.abs(nodes.real).max(), np.abs(nodes.imag).max()) < FAR:
        raise BadSketch("a coordinate that is no place on a canvas")
    return float(max(np.ptp(nodes.real), np.ptp(nodes.imag)))


def flatten(strokes: Sequence[Nodes], tolerance: float) -> tuple[Floats, Ints]:
    """Replace every segment by straight ones.

    Args:
        strokes: (3 k + 1,) nodes each.
        tolerance: how far a curve may be from what stands for it, in the same unit.

    Returns:
        (P, 2) points, and (S + 1,) where each stroke begins in them. Ends of segments are exact.

    Raises:
        BadSketch: more points than a drawing may have.

    Source: a curve is off its chord by at most 1/8 of its second derivative (of the largest value
    on the interval), which for a cubic one is 6 times the larger second difference of its nodes.
    """
    n_segments = np.array([len(stroke) // 3 for stroke in strokes], np.int64)
    if not len(strokes):
        return np.zeros((0, 2)), offsets(n_segments)
    firsts = np.array([stroke[0] for stroke in strokes])
    a, b, to = np.concatenate([stroke[1:] for stroke in strokes]).reshape(-1, 3).T  # each (K,)
    begins = offsets(n_segments)
    start = np.empty_like(to)
    start[1:] = to[:-1]
    start[begins[:-1][n_segments > 0]] = firsts[n_segments > 0]

    bend = np.fmax(abs(start - 2 * a + b), abs(a - 2 * b + to))
    curved = ~np.isnan(bend)
    pieces = np.ones(len(to))
    if tolerance > 0:
        pieces[curved] = np.maximum(np.ceil(np.sqrt(0.75 * bend[curved] / tolerance)), 1)
    if len(strokes) + pieces.sum() > MAX_POINTS:
        raise BadSketch(f"more than {MAX_POINTS:,} points in a drawing")
    counts = pieces.astype(np.int64)

    points = np.repeat(to, counts)
    along = (ranges(np.ones_like(counts), counts) / np.repeat(counts, counts))[
        inner := np.repeat(curved, counts)
    ]
    which = np.repeat(np.arange(len(to)), counts)[inner]
    back = 1 - along
    points[inner] = (
        back**3 * start[which]
        + 3 * back * back * along * a[which]
        + 3 * back * along * along * b[which]
        + along**3 * to[which]
    )
    ends = offsets(counts)[begins]  # where each stroke ends, its first points left out
    cuts = ends + np.arange(len(ends))
    whole = np.empty(cuts[-1], complex)
    is_first = np.zeros(len(whole), bool)
    is_first[cuts[:-1]] = True
    whole[is_first] = firsts
    whole[~is_first] = points
    return np.stack([whole.real, whole.imag], axis=1), cuts
