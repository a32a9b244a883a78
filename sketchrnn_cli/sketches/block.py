"""Many drawings as a few flat arrays, so that work on them is vectorised.

Symbols: P points, S strokes, D drawings of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.sketches.sketch import Sketch

Floats = npt.NDArray[np.float64]
Moves = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TRAIN, VALID, TEST = 0, 1, 2  # a split the file came with
UNSPLIT = 3
NO_VALID, NO_TEST = 4, 5  # from the train array of a file without that split


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Drawings that lie one after the other."""

    points: Floats  # (P, 2) x, y in canvas pixels
    strokes: Ints  # (S + 1,) where each stroke begins, in points
    drawings: Ints  # (D + 1,) where each drawing begins, in strokes
    words: Sequence[str | None]
    origin: int = UNSPLIT
    recognized: Bools | None = None  # (D,) False: Quick, Draw! did not recognise it
    timed: Bools | None = None  # (D,) it has a third row that is time
    raw: Bools | None = None  # (D,) it was not simplified; None: its points and times tell
    extras: Sequence[dict[str, Any]] | None = None  # unknown NDJSON fields
    times: Sequence[tuple[Any, ...] | None] | None = None  # of the points of each stroke, ms
    moves: Moves | None = None  # (P, 3) as the file had them, for drawings that stay as they are

    def __len__(self) -> int:
        return len(self.drawings) - 1

    @property
    def bounds(self) -> Ints:
        """Where each drawing begins, in points: (D + 1,)."""
        bounds: Ints = np.asarray(self.strokes[self.drawings], np.int64)
        return bounds

    def sketch(self, i: int) -> Sketch:
        """Drawing number i by itself."""
        first, last = self.drawings[i], self.drawings[i + 1]
        cuts = self.strokes[first : last + 1]
        points = self.points[cuts[0] : cuts[-1]].astype(np.float32)
        cuts = cuts - cuts[0]
        strokes = tuple(
            points[a:b] for a, b in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
        )
        extras = dict(self.extras[i]) if self.extras else {}
        return Sketch(strokes, self.words[i], extras, self.times[i] if self.times else None)


def ranges(starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Ints:
    """Concatenate ``arange(start, start + length)`` of every pair."""
    total = int(lengths.sum())
    ends = np.cumsum(lengths)
    result: Ints = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return result


def offsets(lengths: npt.NDArray[Any]) -> Ints:
    """Where each of pieces of these lengths begins, and where the last ends."""
    result = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=result[1:])
    return result


def per_drawing(
    reduce: Callable[..., Any], values: npt.NDArray[Any], bounds: Ints, *, empty: float
) -> npt.NDArray[Any]:
    """Reduce the values of every drawing, ``empty`` for one without any. ``reduce``: a ufunc's."""
    lengths = np.diff(bounds)
    full = lengths > 0
    result = np.full((len(lengths), *values.shape[1:]), empty, values.dtype)
    if full.any():
        result[full] = reduce(values, bounds[:-1][full], axis=0)
    return result


def take(block: Block, chosen: Bools) -> Block:
    """Only the drawings where ``chosen``, (D,), is true."""
    return block if chosen.all() else _in_order(block, np.flatnonzero(chosen))


def merge(chosen: Bools, yes: Block, no: Block) -> Block:
    """The drawings of one block where ``chosen`` is true, of another where it is not, in turn."""
    both = replace(
        yes,
        points=np.concatenate([yes.points, no.points]),
        strokes=np.concatenate([yes.strokes, no.strokes[1:] + yes.strokes[-1]]),
        drawings=np.concatenate([yes.drawings, no.drawings[1:] + yes.drawings[-1]]),
        words=[*yes.words, *no.words],
        recognized=_joined(yes.recognized, no.recognized),
        timed=_joined(yes.timed, no.timed),
        raw=_joined(yes.raw, no.raw),
        extras=None if yes.extras is None else [*yes.extras, *(no.extras or ())],
        times=None,
        moves=None,
    )
    order = np.where(chosen, np.cumsum(chosen) - 1, len(yes) + np.cumsum(~chosen) - 1)
    return _in_order(both, order)


def _joined(one: Bools | None, other: Bools | None) -> Bools | None:
    return None if one is None or other is None else np.concatenate([one, other])


def _in_order(block: Block, index: npt.NDArray[Any]) -> Block:
    """The drawings of these numbers."""
    n_strokes = np.diff(block.drawings)[index]
    strokes = ranges(block.drawings[:-1][index], n_strokes)
    n_points = np.diff(block.strokes)[strokes]
    points = ranges(block.strokes[:-1][strokes], n_points)
    numbers = index.tolist()
    return replace(
        block,
        points=block.points[points],
        strokes=offsets(n_points),
        drawings=offsets(n_strokes),
        words=[block.words[i] for i in numbers],
        recognized=None if block.recognized is None else block.recognized[index],
        timed=None if block.timed is None else block.timed[index],
        raw=None if block.raw is None else block.raw[index],
        extras=None if block.extras is None else [block.extras[i] for i in numbers],
        times=None if block.times is None else [block.times[i] for i in numbers],
        moves=None if block.moves is None else block.moves[points],
    )


def to_moves(block: Block) -> Moves:
    """Stroke-3 rows of all drawings, (P, 3) float32: every first row is from the origin."""
    if block.moves is not None:
        return block.moves
    moves = np.zeros((len(block.points), 3), np.float32)
    if not len(moves):
        return moves
    steps = block.points.copy()
    steps[1:] -= block.points[:-1]
    bounds = block.bounds
    first = bounds[:-1][np.diff(bounds) > 0]
    steps[first] = block.points[first]
    moves[:, :2] = steps
    moves[:, :2] += 0.0  # no negative zero
    moves[block.strokes[1:][np.diff(block.strokes) > 0] - 1, 2] = 1
    return moves


def from_moves(
    moves: Moves, bounds: Ints, words: Sequence[str | None], *, origin: int = UNSPLIT
) -> Block:
    """Inverse of ``to_moves`` for clean rows: finite, lift 0 or 1.

    Args:
        moves: (P, 3).
        bounds: (D + 1,) where each drawing begins, in rows.
        words: of every drawing.
        origin: the split the file came with.
    """
    total = np.zeros((len(moves) + 1, 2))
    np.cumsum(moves[:, :2], axis=0, dtype=np.float64, out=total[1:])
    points = total[1:] - np.repeat(total[bounds[:-1]], np.diff(bounds), axis=0)
    last = np.zeros(len(moves), bool)
    lifts = moves[:, 2] > 0
    last[bounds[1:][np.diff(bounds) > 0] - 1] = True
    if (last & ~lifts).any():  # a last row that does not lift ends its stroke all the same
        moves = moves.copy()
        moves[last, 2] = 1
        lifts = lifts | last
    strokes = np.concatenate([[0], np.flatnonzero(lifts) + 1]).astype(np.int64)
    drawings = np.searchsorted(strokes, bounds).astype(np.int64)
    return Block(points, strokes, drawings, words, origin, moves=moves)


def from_sketches(sketches: Sequence[Sketch]) -> Block:
    """A block of drawings at hand; times are left behind."""
    lengths = [len(stroke) for sketch in sketches for stroke in sketch.strokes]
    points = [stroke for sketch in sketches for stroke in sketch.strokes]
    return Block(
        np.concatenate(points).astype(np.float64) if points else np.zeros((0, 2)),
        offsets(np.array(lengths, np.int64)),
        offsets(np.array([len(sketch.strokes) for sketch in sketches], np.int64)),
        [sketch.word for sketch in sketches],
        extras=[sketch.extras for sketch in sketches],
    )


def boxes(block: Block) -> tuple[Floats, Floats]:
    """Top left corner and larger extent of every drawing: (D, 2) and (D,); 0 where empty."""
    bounds = block.bounds
    low = per_drawing(np.minimum.reduceat, block.points, bounds, empty=0.0)
    high = per_drawing(np.maximum.reduceat, block.points, bounds, empty=0.0)
    return low, (high - low).max(axis=1, initial=0.0)


def fingerprints(moves: Moves, bounds: Ints) -> npt.NDArray[np.uint64]:
    """A number for each drawing that depends on its moves alone: (D,).

    Equal for drawings that differ by the rounding noise of some float files: offsets are taken
    in steps of about a thousandth of the largest, whole numbers as they are.
    """
    if not len(moves):
        return np.zeros(len(bounds) - 1, np.uint64)
    rows = moves.copy()
    if (rows != np.rint(rows)).any():
        largest = np.abs(rows[:, :2]).max(axis=1)
        largest = per_drawing(np.maximum.reduceat, largest, bounds, empty=1.0)
        step = np.exp2(np.clip(np.frexp(largest)[1] - 11, -126, 0)).astype(np.float32)  # not 0
        rows[:, :2] = np.rint(rows[:, :2] / np.repeat(step, np.diff(bounds))[:, None])
    data = memoryview(np.ascontiguousarray(rows + 0.0, "<f4").tobytes())
    cuts = (bounds * 12).tolist()
    digests = [
        blake2b(data[a:b], digest_size=8).digest() for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
