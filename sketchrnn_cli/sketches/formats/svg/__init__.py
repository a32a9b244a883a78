"""SVG: what is drawn in it, as strokes.

Outlines of all shapes that are seen are drawn, those of filled ones too, within nested viewports
and rectangular clip paths. Text, pictures, other clip paths and masks are not followed, and a note
says so. A file is one drawing, and a sheet that this program wrote is as many as it
shows, with their words. What another file shows is ``--label``; or the name of the folder it lies
in, if it was found by naming a folder (``animals/cat/1.svg`` in ``animals`` is a cat); or the
name of the file without a number at its end (``cat-12.svg``).

A drawing is simplified like other raw ones, unless it is sparse: straight lines, of whose points
simplification would leave more than half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sketchrnn_cli.errors import BadSketch, SketchError
from sketchrnn_cli.sketches import simplify
from sketchrnn_cli.sketches.block import Block, Floats, Ints, offsets, take
from sketchrnn_cli.sketches.formats import PLAIN, File, Note, ReadOptions, sniff
from sketchrnn_cli.sketches.formats.svg.curves import extent, flatten
from sketchrnn_cli.sketches.formats.svg.document import MAX_BYTES, parse, say_what_it_is
from sketchrnn_cli.sketches.formats.svg.walk import Drawing, Drawn, follow

TOLERANCE = 1 / 5000  # of a curve, times the drawing: 0.05 pixels of 255
DOT = 1 / 2550  # a stroke that is no larger, times the drawing, is a dot: 0.1 pixels of 255
DOT_OF_PAGE = 1 / 20_000  # or so, times the page
OUR_DOT = 0.0101  # pixels; what drawing/svg.py writes for a dot
SPARSE = 1000  # points; what is longer is raw
BLOCK_DRAWINGS = 512
BLOCK_POINTS = 1 << 16


@dataclass(frozen=True, slots=True)
class _Lines:
    """One drawing, flattened."""

    points: Floats  # (P, 2)
    strokes: Ints  # (S + 1,) where each stroke begins
    word: str | None
    curved: bool


def read_blocks(files: Sequence[File], options: ReadOptions = PLAIN) -> Iterator[Block]:
    """Read files, those with few drawings together.

    Args:
        files: names, and the label of their drawings where none is given.
        options: how; the label is what all show instead, and what is seen in a file and is
            not drawn, or drawn otherwise, is noted.

    Yields:
        Blocks whose drawings are raw all, or none is.

    Raises:
        BadSketch: a file that is no SVG, or has no strokes; the message names it.
        BadFile: one that cannot be read.
    """
    waiting: list[_Lines] = []
    n_points = 0
    for name, word in files:
        try:
            found = _drawings(name, options.label or word, options.note)
        except SketchError as error:
            if options.skipped is None:
                advice = "; repair it, or use --on-error skip" if len(files) > 1 else ""
                raise type(error)(f"{error}{advice}") from None
            options.skipped(str(error))
            continue
        for lines in found:
            waiting.append(lines)
            n_points += len(lines.points)
            if len(waiting) >= BLOCK_DRAWINGS or n_points >= BLOCK_POINTS:
                yield from _blocks(waiting)
                waiting, n_points = [], 0
    if waiting:
        yield from _blocks(waiting)


def _drawings(name: str, word: str | None, note: Note | None) -> list[_Lines]:
    """All drawings of one file."""
    data = sniff.content(name, MAX_BYTES)
    say_what_it_is(data, name)
    try:
        drawn = follow(parse(data))
        if note is not None:
            for text in drawn.notes:
                note(f"{name}: {text}")
        return [_flattened(drawing, drawn, word) for drawing in drawn.drawings]
    except BadSketch as error:
        raise BadSketch(f"{name}: {error}") from None


def _flattened(drawing: Drawing, drawn: Drawn, word: str | None) -> _Lines:
    """Curves become polylines, and the smallest strokes dots."""
    size = extent(drawing.strokes)
    points, strokes = flatten(drawing.strokes, size * TOLERANCE)
    curved = len(points) > sum(len(nodes) // 3 + 1 for nodes in drawing.strokes)
    if len(points):
        smallest = OUR_DOT if drawn.ours else drawn.page * DOT_OF_PAGE
        points, strokes = _dotted(points, strokes, max(size * DOT, smallest))
        low = points.min(axis=0)
        if np.abs(low).max() > 1000 * size:  # far away, where float32 is coarse
            points = points - np.rint(low)
    return _Lines(points, strokes, drawing.word or word, curved)


def _dotted(points: Floats, strokes: Ints, smallest: float) -> tuple[Floats, Ints]:
    """Keep the first point alone of strokes that are no larger than this."""
    first = strokes[:-1]
    sides = np.maximum.reduceat(points, first) - np.minimum.reduceat(points, first)
    dots = sides.max(axis=1) <= smallest
    if not dots.any():
        return points, strokes
    counts = np.diff(strokes)
    keep = np.repeat(~dots, counts)
    keep[first] = True
    return points[keep], offsets(np.where(dots, 1, counts))


def _blocks(drawings: list[_Lines]) -> Iterator[Block]:
    """Lay drawings one after the other; a block ends where raw ones begin or end."""
    cuts = [lines.strokes for lines in drawings]
    block = Block(
        np.concatenate([lines.points for lines in drawings]),
        offsets(np.concatenate([np.diff(strokes) for strokes in cuts])),
        offsets(np.array([len(strokes) - 1 for strokes in cuts])),
        [lines.word for lines in drawings],
    )
    raw = np.array([lines.curved for lines in drawings])
    counts = np.diff(block.bounds)
    raw |= counts > SPARSE
    raw |= simplify.loses_half(block, ~raw & (counts > 0), spaced=True)
    block = replace(block, raw=raw)
    changes = [0, *(np.flatnonzero(np.diff(raw)) + 1).tolist(), len(raw)]
    for a, b in pairwise(changes):
        chosen = np.zeros(len(raw), bool)
        chosen[a:b] = True
        yield take(block, chosen)
