"""Drawings for a terminal: a braille character is a block of 2 x 4 dots, about square."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from sketchrnn_cli.drawing.sheet import caption_of, fit
from sketchrnn_cli.sketches.sketch import Sketch

# Bit of each dot of a character, by row and column (Unicode 15, section 21.1).
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800
_GAP = 2  # characters between two drawings


def braille(sketch: Sketch, columns: int, rows: int) -> list[str]:
    """A drawing fitted into ``rows`` lines of ``columns`` characters, centred."""
    width, height = 2 * columns, 4 * rows
    left, top, right, bottom = sketch.box()
    across, down = right - left, bottom - top
    # The larger extent that makes both sides fit, measured from dot centre to dot centre.
    rooms = [
        (side - 1) * max(across, down) / extent
        for side, extent in ((width, across), (height, down))
        if extent > 0
    ]
    lines = fit(sketch, ((width - 1) / 2, (height - 1) / 2), min(rooms, default=0.0))
    dots = np.zeros((height, width), np.int64)
    for line in lines:
        for start, end in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            n = int(2 * np.abs(end - start).max()) + 2  # two samples a dot leave no holes
            x, y = np.rint(start + (end - start) * np.linspace(0, 1, n)[:, None]).astype(int).T
            dots[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] = 1
    blocks = dots.reshape(rows, 4, columns, 2)
    codes = _BLANK + np.einsum("rick,ik->rc", blocks, _BITS)
    return ["".join(map(chr, row)) for row in codes.tolist()]


def grid(sketches: Iterable[Sketch], width: int, *, cell: int = 24) -> str:
    """Drawings side by side with their captions under them, in lines of at most ``width``.

    Args:
        sketches: taken one row at a time, so a long stream shows as it comes.
        width: of the terminal, characters.
        cell: of a drawing, characters; half as many lines.
    """
    return "\n".join(grid_lines(sketches, width, cell=cell))


def grid_lines(sketches: Iterable[Sketch], width: int, *, cell: int = 24) -> Iterator[str]:
    """The lines of ``grid``, as soon as a row of drawings is there."""
    cell = max(min(cell, width), 4)
    per_row = max((width + _GAP) // (cell + _GAP), 1)
    stream = iter(sketches)
    first = True
    while row := list(islice(stream, per_row)):
        if not first:
            yield ""
        first = False
        blocks = [braille(sketch, cell, cell // 2) for sketch in row]
        for parts in zip(*blocks, strict=True):
            yield (" " * _GAP).join(parts)
        captions = [caption_of(sketch) for sketch in row]
        if any(captions):
            yield (" " * _GAP).join(_centered(text, cell) for text in captions).rstrip()


def _centered(text: str, width: int) -> str:
    kept, used = "", 0
    for character in text:
        wide = _width(character)
        if used + wide > width:
            kept = kept[:-1] + "…" if kept and _width(kept[-1]) == 1 else kept
            break
        kept, used = kept + character, used + wide
    left = (width - used) // 2
    return " " * left + kept + " " * (width - used - left)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
