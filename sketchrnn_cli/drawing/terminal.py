"""Drawings for a terminal: a braille character is a block of 2 x 4 dots, about square.

Where braille cannot be shown, a character is a block of 1 x 2 dots, in ASCII.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.sheet import caption_of, fit, fitted, shown_label
from sketchrnn_cli.sketches.sketch import Sketch

# Bit of each dot of a character, by row and column (Unicode 15, section 21.1).
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800
_ASCII = np.array([[1], [2]]), " '.:"  # the same of a block of 1 x 2, and its characters
_GAP = 2  # characters between two drawings
_LARGEST = 48  # drawing, characters
_LEGIBLE = 12  # the smallest that is made so small that all fit into the window
_EVERYDAY = 24  # what a drawing takes where there are too many for that
_LABELS = 5  # a label takes at most a fifth of a line

CAPTION = -1  # what a run of characters belongs to: a caption or a label,
NOTHING = -2  # or what lies between drawings; else the number of a stroke,
GIVEN, ADDED = -3, 0  # but of a completion whether it was given, or added by a model
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
    n_given, completed = sketch.n_given, sketch.n_given < len(lines)
    owners: list[int] = []
    for number, line in enumerate(lines, start=1):
        owners.append((GIVEN if number <= n_given else ADDED) if completed else number - 1)
        for start, end in zip(line, line[1:] if len(line) > 1 else line, strict=False):
            mark(marks, start, end, number)
    found = runs(marks, ascii=ascii)
    return [[(text, owners[k] if k >= 0 else k) for text, k in row] for row in found]


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


class Layout(NamedTuple):
    """How drawings fill a window; all in characters."""

    cell: int  # width of a drawing, half as many lines high
    columns: int  # drawings side by side
    margin: int = 0  # at the left, for labels


def lay_out(
    width: int,
    height: int,
    blocks: Sequence[int] | None = None,
    *,
    columns: int | None = None,
    labels: Sequence[str] = (),
) -> Layout:
    """Drawings as large as they can be with all of them in the window, while they are legible.

    Args:
        width: of the window, characters.
        height: of the window, lines; the last one is left free.
        blocks: how many drawings each label has; one block without labels; None: unknown.
        columns: side by side; None: as it fits best.
        labels: before the blocks.
    """
    widest = max((width_of(shown_label(label)) for label in labels), default=0)
    margin = min(widest, max(width // _LABELS, 4)) + _GAP if widest else 0
    room = max(width - margin, 1) + _GAP
    blocks = [n for n in blocks or () if n]
    best = Layout(0, 1)
    for n in [columns] if columns else range(1, min(max(blocks, default=0), room) + 1):
        n_rows = sum(-(-block // n) for block in blocks) or 1
        lines = max((height - n_rows) // n_rows, 0)  # a row has a blank line above, or the prompt
        cell = min(room // n - _GAP, 2 * lines - 1, _LARGEST)
        if cell > best.cell:
            best = Layout(cell, n, margin)
    if best.cell >= _LEGIBLE or (best.cell > 0 and columns):
        return best
    cell = max(min(_EVERYDAY, room - _GAP), 4)
    if columns:
        cell = min(cell, room // columns - _GAP)
    return Layout(cell, columns or max(room // (cell + _GAP), 1), margin)


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
    sketches: Iterable[Sketch],
    width: int,
    *,
    cell: int = _EVERYDAY,
    ascii: bool = False,
    layout: Layout | None = None,
    blocks: Sequence[int] = (),
    labels: Sequence[str] = (),
) -> Iterator[list[Run]]:
    """The same lines in runs, which tell what each character belongs to.

    Args:
        sketches: taken one row at a time.
        width: of the terminal, characters.
        cell: of a drawing, characters.
        ascii: without any character beyond, captions too.
        layout: instead of the cell.
        blocks: how many drawings each label has.
        labels: each stands before its block.
    """
    if layout is None:
        cell = max(min(cell, width), 4)
        layout = Layout(cell, max((width + _GAP) // (cell + _GAP), 1))
    stream, first = iter(sketches), True
    for label, block in zip(labels or [""], blocks or [sys.maxsize], strict=False):
        shown = label
        while row := list(islice(stream, min(layout.columns, block))):
            block -= len(row)
            if not first:
                yield []
            first = False
            yield from _row(row, layout, label, shown, ascii=ascii)
            shown = ""


def _row(
    row: Sequence[Sketch], layout: Layout, label: str, shown: str, *, ascii: bool
) -> Iterator[list[Run]]:
    """Drawings side by side, their captions, and what is shown of their label."""
    cell, room = layout.cell, layout.margin - _GAP
    blocks = [_characters(sketch, cell, cell // 2, ascii=ascii) for sketch in row]
    beside = wrapped(shown_label(shown), room, cell // 2) if layout.margin else []
    first = (cell // 2 - len(beside) + 1) // 2  # in the middle of the drawings
    for k, parts in enumerate(zip(*blocks, strict=True)):
        line: list[Run] = []
        if layout.margin:
            text = beside[k - first] if first <= k < first + len(beside) else ""
            padding = " " * (layout.margin - width_of(text))
            line = [(_plain(text) if ascii else text, CAPTION), (padding, NOTHING)]
        for part in parts:
            line += [(" " * _GAP, NOTHING), *part] if len(line) > 2 * bool(layout.margin) else part
        yield line
    captions = [
        fitted(caption_of(sketch, label), sketch, lambda text: width_of(text) <= cell)
        for sketch in row
    ]
    if any(captions):
        text = (" " * _GAP).join(centered(text, cell) for text in captions).rstrip()
        yield [(" " * layout.margin + (_plain(text) if ascii else text), CAPTION)]


def _plain(text: str) -> str:
    """A caption in ASCII."""
    return text.replace("·", "-").encode("ascii", "replace").decode()


def centered(text: str, width: int) -> str:
    """A text in the middle of so many characters, cut where it is longer."""
    kept = _cut(text, width)
    used = width_of(kept)
    left = (width - used) // 2
    return " " * left + kept + " " * (width - used - left)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """A text in lines of so many characters, broken between words; what has no room is cut.

    Args:
        text: of one line.
        width: of a line, characters.
        most: lines.
    """
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if width_of(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        lines[max(most - 1, 0) :] = [" ".join(lines[max(most - 1, 0) :])]
    return [_cut(line, width) for line in lines[:most]]


def _cut(text: str, width: int) -> str:
    """As much of a text as fits."""
    kept, used = "", 0
    for character in text:
        wide = _width(character)
        if used + wide > width:
            return kept[:-1] + "…" if kept and _width(kept[-1]) == 1 else kept
        kept, used = kept + character, used + wide
    return kept


def width_of(text: str) -> int:
    """How many characters of a terminal a text takes."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
