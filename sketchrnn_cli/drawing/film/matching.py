"""One drawing turns into another: which point becomes which.

A stroke either becomes a stroke of the other drawing or merges into ink that is there; seen from
the other side it peels off that ink. The choice makes the way of all ink, points times distance,
as short as possible. Points correspond by arc length, the vertices of both strokes are kept, so
both ends are exactly the drawings. Symbols: P points, S segments, K points of a stroke, A and B
strokes of the old and of the new drawing, N samples of a stroke.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (K, 2) or (P, 2)
Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Span = tuple[float, float]  # part of a stroke, from 0 to 1; backwards where the second is smaller

N_SAMPLES = 32  # of a stroke, to measure distances
CLOSED = 0.1  # a stroke is a ring where its gap is at most this part of its length
DOT = 0.02  # a stroke weighs its length and this, in sizes of the drawing
APART = 0.02  # merging costs this much more distance than becoming, in sizes of the drawing
MAX_PAIRED = 100  # only the longest become strokes, the others merge: bounds the time
MAX_STROKES = 500  # only the longest move at all,
MAX_POINTS = 10_000  # and about as many of their points,
MAX_INK = 150.0  # with no more ink than this, in sizes of the drawing: that much is black paper
MAX_SAMPLES = 4096  # of all ink, to find the nearest


@dataclass(frozen=True, slots=True)
class Morph:
    """Ink on its way: every point has a place in the old drawing and one in the new."""

    old: Points  # (P, 2)
    new: Points  # (P, 2)
    tails: Numbers  # (S,) a segment goes from this point
    heads: Numbers  # (S,) to this one

    def at(self, part: float) -> tuple[Points, Points]:
        """Where all segments begin and end, (S, 2) each, after this part of the way, 0 to 1."""
        points = self.old + part * (self.new - self.old)
        return points[self.tails], points[self.heads]

    def way(self) -> float:
        """How far the ink moves, on average, in the unit of the points."""
        moved = np.hypot(*(self.new - self.old).T)
        ink = [np.hypot(*(p[self.heads] - p[self.tails]).T) for p in (self.old, self.new)]
        weights = ink[0] + ink[1]
        if not weights.sum():
            return float(moved.mean()) if len(moved) else 0.0
        return float(np.average((moved[self.tails] + moved[self.heads]) / 2, weights=weights))


@dataclass(frozen=True, slots=True)
class _Stroke:
    points: Points  # (K, 2)
    knots: Array  # (K,) arc length of the points, from 0 to 1
    length: float
    samples: Points  # (N, 2), the middles of N equal pieces

    def at(self, where: Array) -> Points:
        """Points at these arc lengths, 0 to 1."""
        x, y = (np.interp(where, self.knots, column) for column in self.points.T)
        return np.column_stack([x, y])

    def is_ring(self) -> bool:
        gap = float(np.hypot(*(self.points[-1] - self.points[0])))
        return len(self.points) > 2 and gap <= CLOSED * self.length


@dataclass(frozen=True, slots=True)
class _Merge:
    """The ink a stroke merges into."""

    stroke: int
    span: Span
    distance: float


def match(old: Sequence[Points], new: Sequence[Points]) -> Morph:
    """Find for every point of either drawing its place in the other.

    The time is bounded: of a drawing with more than ``MAX_STROKES`` strokes, ``MAX_POINTS``
    points or ``MAX_INK`` only so much takes part.

    Args:
        old: strokes, (K, 2) each, K >= 1; none at all grows out of the middle of ``new``.
        new: likewise.
    """
    if not old and not new:
        nothing = np.zeros(0, np.int64)
        return Morph(np.zeros((0, 2)), np.zeros((0, 2)), nothing, nothing)
    size = float(np.ptp(np.concatenate([*old, *new]), axis=0).max()) or 1.0
    before = [_measure(line) for line in _thin(old or [_middle(new)], size)]
    after = [_measure(line) for line in _thin(new or [_middle(old)], size)]
    pieces = list(_pieces(before, after, size))
    n_points = np.array([len(here) for here, _ in pieces])
    ends = np.cumsum(n_points)
    tails = np.delete(np.arange(ends[-1]), ends - 1)
    return Morph(
        np.concatenate([here for here, _ in pieces]),
        np.concatenate([there for _, there in pieces]),
        tails,
        tails + 1,
    )


def _pieces(old: list[_Stroke], new: list[_Stroke], size: float) -> Iterator[tuple[Points, Points]]:
    """Every piece of ink at both ends, with as many points; a dot is two equal points."""
    from scipy.optimize import linear_sum_assignment  # half per second, which only a morph pays for

    leave, enter = _merges(old, new), _merges(new, old)
    loss = [_cost(stroke, merge, size) for stroke, merge in zip(old, leave, strict=True)]
    gain = [_cost(stroke, merge, size) for stroke, merge in zip(new, enter, strict=True)]
    a, b = _longest(old, MAX_PAIRED), _longest(new, MAX_PAIRED)
    distance, turn = _distances([old[k] for k in a], [new[k] for k in b], size)
    weight = np.add.outer([_weight(old[k], size) for k in a], [_weight(new[k], size) for k in b])
    saved = distance * weight / 2 - np.add.outer([loss[k] for k in a], [gain[k] for k in b])
    pairs = zip(*linear_sum_assignment(np.minimum(saved, 0)), strict=True)
    partners = {a[i]: (b[j], int(turn[i, j])) for i, j in pairs if saved[i, j] < 0}
    for k, stroke in enumerate(old):
        if k in partners:
            other, number = partners[k]
            for here, there in _spans(number):
                yield _piece(stroke, here, new[other], there)
        else:
            yield _piece(stroke, (0, 1), new[leave[k].stroke], leave[k].span)
    taken = {other for other, _ in partners.values()}
    for k, stroke in enumerate(new):
        if k not in taken:
            yield _piece(old[enter[k].stroke], enter[k].span, stroke, (0, 1))


def _piece(old: _Stroke, here: Span, new: _Stroke, there: Span) -> tuple[Points, Points]:
    """The same points on a span of either stroke: ends, and the vertices of both."""
    parts = [np.array([0.0, 1.0])]
    for stroke, (begin, end) in ((old, here), (new, there)):
        if begin != end:
            part = (stroke.knots - begin) / (end - begin)
            parts.append(part[(part > 0) & (part < 1)])
    part = np.unique(np.concatenate(parts))
    return (
        old.at(here[0] + part * (here[1] - here[0])),
        new.at(there[0] + part * (there[1] - there[0])),
    )


def _spans(turn: int) -> list[tuple[Span, Span]]:
    """Which part of the old stroke becomes which of the new; see ``_distances`` for the turn.

    A ring that turns is cut where the other stroke begins: two pieces.
    """
    backwards, shift = divmod(turn, N_SAMPLES)
    cut = shift / N_SAMPLES
    if backwards:
        pairs: list[tuple[Span, Span]] = [((0, cut), (cut, 0)), ((cut, 1), (1, cut))]
    else:
        pairs = [((0, 1 - cut), (cut, 1)), ((1 - cut, 1), (0, cut))]
    return [(here, there) for here, there in pairs if here[0] != here[1]]


def _distances(old: list[_Stroke], new: list[_Stroke], size: float) -> tuple[Array, Numbers]:
    """Root of the mean squared distance of two strokes, the better way round.

    Returns:
        distance (A, B), and how the new stroke is turned, (A, B): a shift by so many samples,
        plus N_SAMPLES where it runs backwards. Only rings are shifted.
    """
    n = N_SAMPLES
    k, shift = np.arange(n), np.arange(n)[:, None]
    order = np.stack([k + shift, shift - k - 1]).reshape(2 * n, n) % n  # (2 N, N)
    a = np.stack([stroke.samples for stroke in old]).reshape(len(old), 2 * n)
    b = np.stack([stroke.samples[order] for stroke in new]).reshape(len(new), 2 * n, 2 * n)
    middle = a.mean()
    a, b = a - middle, b - middle
    dot = (a @ b.reshape(-1, 2 * n).T).reshape(len(old), len(new), 2 * n)
    square = (a**2).sum(1)[:, None, None] + (b**2).sum(2) - 2 * dot  # (A, B, 2 N)
    square[:, :, 1:] += (1e-4 * size) ** 2  # rather unturned
    rings = [np.array([stroke.is_ring() for stroke in strokes]) for strokes in (old, new)]
    stiff = ~(rings[0][:, None] | rings[1])
    square[stiff[..., None] & (np.arange(2 * n) % n > 0)] = np.inf
    return np.sqrt(np.maximum(square.min(2), 0) / n), square.argmin(2)


def _merges(strokes: list[_Stroke], others: list[_Stroke]) -> list[_Merge]:
    """For every stroke the nearest ink of the other drawing, as long as itself."""
    step = -(-len(others) * N_SAMPLES // MAX_SAMPLES)  # 1: every sample
    ink = np.concatenate([other.samples for other in others])[step // 2 :: step]  # (S, 2)
    middles = np.stack([stroke.samples.mean(0) for stroke in strokes])  # (A, 2)
    away = (ink**2).sum(1) - 2 * middles @ ink.T  # (A, S), squared, but for a constant per row
    nearest = away.argmin(1) * step + step // 2
    part = (np.arange(N_SAMPLES) + 0.5) / N_SAMPLES
    found = []
    for stroke, place in zip(strokes, nearest.tolist(), strict=True):
        number, sample = divmod(place, N_SAMPLES)
        other = others[number]
        width = min(stroke.length / other.length, 1.0) if other.length else 1.0
        begin = min(max((sample + 0.5) / N_SAMPLES - width / 2, 0.0), 1.0 - width)
        end = begin + width
        there = other.at(begin + part * width)
        ways = [((there[::step] - stroke.samples) ** 2).sum(1).mean() for step in (1, -1)]
        span = (begin, end) if ways[0] <= ways[1] else (end, begin)
        found.append(_Merge(number, span, float(np.sqrt(min(ways)))))
    return found


def _cost(stroke: _Stroke, merge: _Merge, size: float) -> float:
    return (merge.distance + APART * size) * _weight(stroke, size)


def _weight(stroke: _Stroke, size: float) -> float:
    return stroke.length + DOT * size


def _measure(line: Points) -> _Stroke:
    steps = np.hypot(*np.diff(line, axis=0).T)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    length = float(reached[-1])
    knots = reached / length if length > 0 else np.linspace(0, 1, len(line))
    stroke = _Stroke(line, knots, length, line)
    samples = stroke.at((np.arange(N_SAMPLES) + 0.5) / N_SAMPLES)
    return _Stroke(line, knots, length, samples)


def _longest(strokes: list[_Stroke], count: int) -> list[int]:
    """Numbers of the longest strokes, in drawing order."""
    lengths = np.array([stroke.length for stroke in strokes])
    return sorted(np.argsort(-lengths, kind="stable")[:count].tolist())


def _thin(lines: Sequence[Points], size: float) -> list[Points]:
    """What moves of a drawing; all of it, unless it is enormous."""
    lengths = np.array([_length(line) for line in lines])
    order = np.argsort(-lengths, kind="stable")[:MAX_STROKES]
    fits = np.cumsum(lengths[order]) <= MAX_INK * size
    fits[0] = True
    chosen = [lines[k] for k in np.sort(order[fits])]
    step = -(-sum(len(line) for line in chosen) // MAX_POINTS)  # 1: every point
    thin = [np.concatenate([line[:-1:step], line[-1:]]) for line in chosen]
    while sum(_length(line) for line in thin) > MAX_INK * size and max(map(len, thin)) > 2:
        thin = [np.concatenate([line[:-1:2], line[-1:]]) for line in thin]
    return thin


def _length(line: Points) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _middle(lines: Sequence[Points]) -> Points:
    points = np.concatenate(lines)
    middle: Points = (points.min(0) + points.max(0))[None] / 2
    return middle
