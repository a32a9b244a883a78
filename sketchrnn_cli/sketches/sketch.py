"""A drawing: pen strokes on a canvas, and its two recurrent-network encodings.

Symbols: P points of a drawing, K points of a stroke.

stroke-3 has one row per point: dx, dy from the point before (the first row from the origin) and
lift, 1 where the pen leaves the paper after the point. So a stroke of one point, a dot, is one
row with lift 1, and conversion in either direction keeps every point. Files that leave the first
point out (magenta's ``lines_to_strokes``) read as drawings that begin at their second point, as
magenta's own renderer shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadSketch

Array = npt.NDArray[np.float32]
Morph = tuple[str, str, float]

START = (0.0, 0.0, 1.0, 0.0, 0.0)  # the decoder's first input (FORMATS: start token)
GIVEN_STROKES = "given_strokes"  # extra of a completion: how many strokes the model was given
MORPH = "morph"  # extra of a drawing between two words: both, and how far it is, 0 to 1
BOX = 255.0  # larger extent of a fitted drawing, canvas pixels


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Strokes in drawing order, and what the file said about them."""

    strokes: tuple[Array, ...]  # each (K, 2) x, y in canvas pixels, K >= 1; y grows downwards
    word: str | None = None
    extras: dict[str, object] = field(default_factory=dict)  # unknown NDJSON fields, passed through
    times: tuple[Array, ...] | None = None  # each (K,) ms: the third row of raw drawings

    def __post_init__(self) -> None:
        for k, stroke in enumerate(self.strokes):
            if stroke.ndim != 2 or stroke.shape[1] != 2 or not len(stroke):
                raise BadSketch(f"stroke {k} has shape {stroke.shape}; it must be (points, 2)")

    @property
    def n_points(self) -> int:
        """Points of all strokes."""
        return sum(len(stroke) for stroke in self.strokes)

    def points(self) -> Array:
        """All points in drawing order, (P, 2)."""
        if not self.strokes:
            return np.zeros((0, 2), np.float32)
        return np.concatenate(self.strokes)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom; zeros for a drawing without points."""
        points = self.points()
        if not len(points):
            return 0.0, 0.0, 0.0, 0.0
        low, high = points.min(0), points.max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def n_given(self) -> int:
        """Strokes that a model was given; it added the others. All, where it was given none."""
        n = self.extras.get(GIVEN_STROKES)
        return n if type(n) is int and 0 <= n < len(self.strokes) else len(self.strokes)

    @property
    def morph(self) -> Morph | None:
        """Between which words it is, and how far on the way, 0 to 1."""
        match self.extras.get(MORPH):
            case [str(old), str(new), int() | float() as part] if 0 <= part <= 1:
                return old, new, float(part)
        return None

    def with_extras(self, **values: object) -> Sketch:
        """The same drawing with more NDJSON fields."""
        return replace(self, extras={**self.extras, **values})


def to_stroke3(sketch: Sketch) -> Array:
    """Turn strokes into pen moves.

    Returns:
        (P, 3) float32: dx, dy in canvas pixels and lift. The first row is the offset of the first
        point from the origin.

    Raises:
        BadSketch: no stroke.
    """
    if not sketch.strokes:
        raise BadSketch("a drawing without strokes")
    points = np.concatenate(sketch.strokes)
    moves = np.zeros((len(points), 3), np.float32)
    moves[:, :2] = np.diff(points, axis=0, prepend=np.zeros((1, 2), points.dtype))
    moves[np.cumsum([len(stroke) for stroke in sketch.strokes]) - 1, 2] = 1
    return moves


def from_stroke3(
    moves: npt.ArrayLike, word: str | None = None, extras: dict[str, object] | None = None
) -> Sketch:
    """Inverse of ``to_stroke3``. A last row that does not lift ends its stroke all the same.

    Args:
        moves: (P, 3); a pen column in {0, 1, 2} is accepted, 2 = the drawing ends after this row.
        word: what is drawn.
        extras: further NDJSON fields.

    Raises:
        BadSketch: other columns, or a number that is not finite.
    """
    rows = np.asarray(moves)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise BadSketch(f"stroke-3 has shape (points, 3), not {rows.shape}")
    if not np.isfinite(rows).all():
        raise BadSketch("a move is not a finite number")
    ends = np.flatnonzero(rows[:, 2] >= 2)
    if len(ends):
        rows = rows[: ends[0] + 1]
    points = np.cumsum(rows[:, :2], axis=0, dtype=np.float64).astype(np.float32)
    cuts = np.flatnonzero(rows[:, 2] >= 1) + 1
    strokes = tuple(stroke for stroke in np.split(points, cuts) if len(stroke))
    return Sketch(strokes, word, extras or {})


def from_polylines(
    lines: Sequence[npt.ArrayLike], word: str | None = None, extras: dict[str, object] | None = None
) -> Sketch:
    """A sketch from one (K, 2) array-like per stroke; empty strokes are dropped."""
    strokes = tuple(np.asarray(line, np.float32).reshape(-1, 2) for line in lines)
    return Sketch(tuple(stroke for stroke in strokes if len(stroke)), word, extras or {})
