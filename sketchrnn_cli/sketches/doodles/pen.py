"""A hand that draws in a box of about 100 x 100, y downwards, and never twice alike.

Words are drawn with its strokes (``words.py``); ``finish`` makes them a human's: a smooth wobble
along the ink, strokes that miss each other a little, a slant, a turn, an aspect of one's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (K, 2) x, y
T = TypeVar("T")

STEP = 2.5  # distance of the points of a line before simplification
_WAVES = 2 * math.pi / np.array([80.0, 42.0, 21.0])  # of the wobble: radians per length of ink
_SWAY = np.array([1.3, 0.6, 0.25])  # and its amplitudes


def _spline_basis(steps: int) -> Points:
    """Catmull-Rom weights of four control points at ``steps`` places of a segment, (steps, 4)."""
    t = np.arange(steps)[:, None] / steps
    powers = t ** np.arange(4)
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ matrix)


_SPLINE = _spline_basis(8)


class Pen:
    """Collects strokes; every choice comes from ``rng``."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.strokes: list[Points] = []
        self.sloppiness = min(1.6, math.exp(0.35 * rng.standard_normal() - 0.1))  # 1: usual
        self.clockwise = self.chance(0.3)  # most right-handers draw loops the other way
        self.splits = self.chance(0.25)  # lifts the pen at the corners

    def chance(self, probability: float) -> bool:
        """True so often."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A number, all equally likely."""
        return low + (high - low) * float(self.rng.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number, ``high`` included."""
        return int(self.rng.integers(low, high + 1))

    def jitter(self, size: float) -> float:
        """A normal number with this deviation, larger for a sloppy hand."""
        return size * self.sloppiness * float(self.rng.standard_normal())

    def order(self, things: Sequence[T], *, habit: float = 0.7) -> list[T]:
        """The things as given by habit, else backwards or in any order."""
        if self.chance(habit):
            return list(things)
        if self.chance(0.5):
            return list(reversed(things))
        return [things[k] for k in self.rng.permutation(len(things))]

    def line(self, *corners: tuple[float, float], reverse: float = 0.15) -> None:
        """Straight from corner to corner; drawn from the other end with chance ``reverse``."""
        self._put(_along(self._aimed(corners)), reverse)

    def curve(self, *through: tuple[float, float], reverse: float = 0.15) -> None:
        """A smooth stroke through these points."""
        points = self._aimed(through)
        padded = np.concatenate([points[:1], points, points[-1:]])
        windows = np.stack([padded[k : k + len(points) - 1] for k in range(4)])  # (4, K - 1, 2)
        dense = np.einsum("sk,knd->nsd", _SPLINE, windows).reshape(-1, 2)
        self._put(np.concatenate([dense, points[-1:]]), reverse)

    def polygon(self, *corners: tuple[float, float]) -> None:
        """Closed: in one stroke that nearly meets itself, or edge by edge."""
        if self.splits and _extent(corners) > 20:
            for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
                self.line(a, b, reverse=0.25)
            return
        first = corners[0]
        end = (first[0] + self.jitter(1.2), first[1] + self.jitter(1.2))
        self.line(*corners, end, reverse=0.25)

    def arc(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        degrees: tuple[float, float],
        *,
        reverse: float = 0.2,
    ) -> None:
        """Part of an ellipse; 0 degrees is right, 90 is down."""
        start, end = (math.radians(angle + self.jitter(4)) for angle in degrees)
        n = max(6, round(abs(end - start) * max(radii) / STEP))
        angle = np.linspace(start, end, n)
        self._put(
            np.array(center) + np.column_stack([np.cos(angle), np.sin(angle)]) * radii, reverse
        )

    def loop(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        *,
        bumps: int = 0,
        depth: float = 0.0,
    ) -> None:
        """A whole ellipse that starts near its top and ends short of its start or beyond it.

        Args:
            center: x, y.
            radii: horizontal, vertical.
            bumps: cusps of a cloud or a blossom around it.
            depth: how far they go in, as a part of the radius.
        """
        sweep = 2 * math.pi + self.jitter(0.12)
        n = max(9, round(abs(sweep) * max(radii) / STEP), bumps * 9)
        t = np.linspace(0, sweep, n)
        radius = 1 + self.jitter(0.03) * (t / sweep - 0.5) * 2  # it drifts in or out
        if bumps:
            uneven = 0.25 * np.sin(t + self.between(0, 6.28))  # bumps are not of one width
            radius = radius * (1 - depth + depth * np.abs(np.sin((t + uneven) * bumps / 2)))
        start = -math.pi / 2 + 0.45 * float(self.rng.standard_normal())
        angle = start + (t if self.clockwise else -t)
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
        self._put(np.array(center) + ring * radii, 0.05)

    def dot(self, x: float, y: float) -> None:
        """A point: the pen touches the paper and leaves."""
        self.strokes.append(np.array([[x, y]]))

    def _aimed(self, points: Sequence[tuple[float, float]]) -> Points:
        """The points where this hand puts them; it takes more care over small things."""
        aimed = np.array(points, np.float64)
        care = 0.9 * self.sloppiness * min(1.0, 0.2 + _extent(points) / 40)
        return np.asarray(aimed + care * self.rng.standard_normal(aimed.shape))

    def _put(self, stroke: Points, reverse: float) -> None:
        self.strokes.append(stroke[::-1] if self.chance(reverse) else stroke)

    def finish(self, *, turn: float = 4.0) -> tuple[Points, npt.NDArray[np.int64]]:
        """The strokes as a hand would leave them, in no particular box.

        Args:
            turn: deviation of the rotation, degrees.

        Returns:
            (P, 2) all points, and where each stroke begins in them.
        """
        rng, n_strokes = self.rng, len(self.strokes)
        lengths = np.array([len(stroke) for stroke in self.strokes])
        starts = np.cumsum(lengths) - lengths
        points = np.concatenate(self.strokes)
        # Every stroke a little beside its place, and a little too large or small.
        centers = np.add.reduceat(points, starts) / lengths[:, None]
        spread = 1 + 0.02 * self.sloppiness * rng.standard_normal((n_strokes, 1))
        shift = 0.7 * self.sloppiness * rng.standard_normal((n_strokes, 2))
        moved = np.column_stack([spread, centers + shift - spread * centers])
        moved = moved.repeat(lengths, axis=0)
        points = points * moved[:, :1] + moved[:, 1:]

        steps = points[1:] - points[:-1]
        ink = np.zeros(len(points))
        np.cumsum(np.sqrt((steps * steps).sum(axis=1)), out=ink[1:])
        phase = 2 * math.pi * rng.random((2, len(_WAVES)))
        points += self.sloppiness * (np.sin(ink[:, None, None] * _WAVES + phase) @ _SWAY)

        angle = math.radians(turn * rng.standard_normal())
        slant = 0.06 * rng.standard_normal()
        aspect = math.exp(0.07 * rng.standard_normal())
        cosine, sine = math.cos(angle), math.sin(angle)
        shape = np.array([[aspect, 0], [slant, 1 / aspect]])
        return points @ (shape @ np.array([[cosine, sine], [-sine, cosine]])), starts


def _extent(points: Sequence[tuple[float, float]]) -> float:
    """The larger side of the box of a few points; numpy would take longer."""
    x, y = zip(*points, strict=True)
    return float(max(max(x) - min(x), max(y) - min(y)))


def _along(corners: Points) -> Points:
    """Points about STEP apart on the way through the corners, which are all kept."""
    moves = corners[1:] - corners[:-1]
    lengths = np.sqrt((moves * moves).sum(axis=1))
    parts = (lengths / STEP).astype(np.int64) + 1
    which = np.repeat(np.arange(len(parts)), parts)
    before = np.cumsum(parts) - parts
    fraction = (np.arange(len(which)) - before[which]) / parts[which]
    return np.concatenate([corners[which] + fraction[:, None] * moves[which], corners[-1:]])
