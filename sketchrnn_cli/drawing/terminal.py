"""Drawings for a terminal: a braille character is a block of 2 x 4 dots, about square.

Where braille cannot be shown, a character is a block of 1 x 2 dots, in ASCII.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.sheet import caption_of, fit
from sketchrnn_cli.sketches.sketch import Sketch

# Bit of each dot of a character, by row and column (Unicode 15, section 21.1).
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800
_ASCII = np.array([[1], [2]]), " '.:"  # the same of a block of 1 x 2, and its characters
_GAP = 2  # characters between two drawings
_CELLS = (20, 48)  # smallest and largest drawing by the size of the window, characters
_EVERYDAY = 24  # what a drawing takes where there are many

CAPTION = -1  # what a run of characters belongs to: a caption,
NOTHING = -2  # or what lies between drawings; else the number of a stroke
Run = tuple[str, int]  # characters, and what they belong to
Marks = npt.NDArray[np.int64]  # one a dot: 0 blank, or 1 + what is drawn there


def braille(sketch: Sketch, columns: int, rows: int) -> list[str]:
    """A drawing fitted into ``rows`` lines of ``columns`` characters, centred."""
    return ["".join(text for text, _ in line) for line in _characters(sketch, columns, rows)]


def _characters(sketch: Sketch, columns: int, rows: int, *, ascii: bool = False) -> list[list[Run]]:
    """The same, in runs of one stroke each; the later stroke has a character that two cross."""
    across, down = (1, 2) if ascii else (2, 4)
    width, height = across * columns, down * rows
    left, top, right, bottom = sketch.box()
    extents = right - left, bottom - top
    # The larger extent that makes both sides fit, measured from dot centre to dot centre.
    rooms = [
        (side - 1) * max(extents) / extent
        for side, extent in zip((width, height), extents, strict=True)
        if extent > 0
    ]
    lines = fit(sketch, ((width - 1) / 2, (height - 1) / 2), min(rooms, default=0.0))
    marks = np.zeros((height, width), np.int64)
    for number, line in enumerate(lines, start=1):
        for start, end in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            mark(marks, start, end, number)
    return runs(marks, ascii=ascii)


def mark(
    marks: Marks, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], value: int
) -> None:
    """Draw a line between two dots, x and y of each."""
    height, width = marks.shape
    n = int(2 * np.abs(end - start).max()) + 2  # two samples a dot leave no holes
    x, y = np.rint(start + (end - start) * np.linspace(0, 1, n)[:, None]).astype(int).T
    marks[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] = value


def runs(marks: Marks, *, ascii: bool = False) -> list[list[Run]]:
    """Dots as lines of characters; both sides are whole numbers of characters."""
    bits, names = _ASCII if ascii else (_BITS, "")
    down, across = bits.shape
    rows, columns = marks.shape[0] // down, marks.shape[1] // across
    blocks = marks.reshape(rows, down, columns, across)
    codes = np.einsum("rick,ik->rc", blocks > 0, bits).tolist()
    owners = blocks.max((1, 3)).tolist()
    lines = []
    for code_row, owner_row in zip(codes, owners, strict=True):
        line: list[Run] = []
        for code, last in zip(code_row, owner_row, strict=True):
            character = names[code] if ascii else chr(_BLANK + code) if code else " "
            owner = last - 1 if last else NOTHING
            if line and line[-1][1] == owner:
                line[-1] = (line[-1][0] + character, owner)
            else:
                line.append((character, owner))
        lines.append(line)
    return lines


def cell_size(width: int, height: int, n: int | None = None) -> int:
    """How many characters wide a drawing is, half as many high, to fill a window.

    Args:
        width: of the window, characters.
        height: of the window, lines; a drawing and its caption fit in.
        n: drawings in all, where that is known.
    """
    high = max(2 * (height - 3), 4)
    per_row = max((width + _GAP) // (_EVERYDAY + _GAP), 1)
    if n is not None:
        per_row = min(per_row, max(n, 1))
    room = (width + _GAP) // per_row - _GAP
    return max(min(room, high, _CELLS[1]), min(_CELLS[0], high, width), 4)


def grid(sketches: Iterable[Sketch], width: int, *, cell: int = _EVERYDAY) -> str:
    """Drawings side by side with their captions under them, in lines of at most ``width``.

    Args:
        sketches: taken one row at a time, so a long stream shows as it comes.
        width: of the terminal, characters.
        cell: of a drawing, characters; half as many lines.
    """
    return "\n".join(grid_lines(sketches, width, cell=cell))


def grid_lines(sketches: Iterable[Sketch], width: int, *, cell: int = _EVERYDAY) -> Iterator[str]:
    """The lines of ``grid``, as soon as a row of drawings is there."""
    for line in grid_runs(sketches, width, cell=cell):
        yield "".join(text for text, _ in line)


def grid_runs(
    sketches: Iterable[Sketch], width: int, *, cell: int = _EVERYDAY, ascii: bool = False
) -> Iterator[list[Run]]:
    """The same lines in runs, which tell what each character belongs to.

    Args:
        sketches: taken one row at a time.
        width: of the terminal, characters.
        cell: of a drawing, characters.
        ascii: without any character beyond, captions too.
    """
    cell = max(min(cell, width), 4)
    per_row = max((width + _GAP) // (cell + _GAP), 1)
    stream = iter(sketches)
    first = True
    while row := list(islice(stream, per_row)):
        if not first:
            yield []
        first = False
        blocks = [_characters(sketch, cell, cell // 2, ascii=ascii) for sketch in row]
        for parts in zip(*blocks, strict=True):
            line: list[Run] = []
            for part in parts:
                line += [(" " * _GAP, NOTHING), *part] if line else part
            yield line
        captions = [caption_of(sketch) for sketch in row]
        if any(captions):
            shown = (" " * _GAP).join(_centered(text, cell) for text in captions).rstrip()
            if ascii:
                shown = shown.replace("·", "-").encode("ascii", "replace").decode()
            yield [(shown, CAPTION)]


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
