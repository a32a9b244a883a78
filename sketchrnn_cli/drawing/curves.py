"""Smooth curves through the points of a stroke.

Centripetal Catmull-Rom splines as cubic Bezier curves: they neither overshoot nor make loops
(Yuksel, Schaefer & Keyser 2011). A stroke that turns sharply at a point has a corner there.

Symbols: K points, P points of a polyline.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Line = npt.NDArray[np.float64]  # (K, 2)
Beziers = npt.NDArray[np.float64]  # (K - 1, 4, 2) from each point to the next, with two handles

CORNER = 80.0  # degrees of a turn that stays sharp
STEP = 2.0  # longest piece of a polyline, pixels
MOST_STEPS = 32  # pieces of one curve


def smooth(line: Line) -> Beziers:
    """Curves through all points, (K, 2); points that do not move are left out."""
    moves = np.hypot(*np.diff(line, axis=0).T) > 1e-9
    points = line[np.concatenate([[True], moves])]
    if len(points) < 2:
        return np.repeat(points[None], 4, axis=1).reshape(-1, 4, 2)[:0]
    steps = np.diff(points, axis=0)  # (K - 1, 2)
    lengths = np.hypot(*steps.T)
    root = np.sqrt(lengths)[:, None]
    one, other = root[:-1], root[1:]
    # The tangent at every inner point, times the root of the step that it is used for.
    tangent = steps[:-1] / one - (points[2:] - points[:-2]) / (one + other) + steps[1:] / other
    into, out = steps / 3, steps / 3  # handles: straight, as at both ends and at corners
    unit = steps / lengths[:, None]
    bends = (unit[:-1] * unit[1:]).sum(1) > np.cos(np.radians(CORNER))
    out[1:][bends] = (tangent * other / 3)[bends]
    into[:-1][bends] = (tangent * one / 3)[bends]
    return np.stack([points[:-1], points[:-1] + out, points[1:] - into, points[1:]], axis=1)


def polyline(curves: Beziers) -> Line:
    """Points (P, 2) on curves, at most about ``STEP`` apart."""
    lengths = np.hypot(*np.moveaxis(np.diff(curves, axis=1), 2, 0)).sum(1)
    counts = np.clip(np.ceil(lengths / STEP), 1, MOST_STEPS).astype(np.int64)
    owner = np.repeat(np.arange(len(curves)), counts)
    part = np.arange(1, len(owner) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    t = (part / counts[owner])[:, None]
    a, b, c, d = np.moveaxis(curves[owner], 1, 0)
    points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return np.concatenate([curves[:1, 0], points])
