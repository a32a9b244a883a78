"""Where everything goes: a contact sheet in pixels, the same for SVG, PNG and animations.

A single drawing is a sheet of one. Letters: K points of a stroke.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.sketch import Sketch

Line = npt.NDArray[np.float64]  # (K, 2) x, y in pixels of the sheet
Color = tuple[int, int, int]

MAX_DRAWINGS = 10_000  # of one sheet; a stream may be endless, paper is not
SHEET_WIDTH = 960  # what cells share when no size is given, pixels
CELL_SIZES = (64, 480)  # smallest and largest cell chosen without --size, pixels
MARGIN = 0.09  # of the cell, on each side
LINE_WIDTH = 0.17  # times the root of the cell: 1.7 pixels on 96, 2.6 on 240, 3.7 on 480
CAPTION_INK = 0.6  # captions are this much ink and the rest paper: small and grey
NONE = ("none", "transparent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How drawings look. None: chosen by the number of drawings."""

    columns: int | None = None  # None: as square as it gets
    size: int | None = None  # of a cell, pixels
    line_width: float | None = None  # pixels
    color: str = "#262626"  # of the ink: a name or #rrggbb
    background: str | None = "#ffffff"  # of the paper; None or "none": transparent
    captions: bool = True  # word and seed under a drawing that has them

    def __post_init__(self) -> None:
        if self.columns is not None and not 1 <= self.columns <= MAX_DRAWINGS:
            raise BadConfig(f"columns must be from 1 to {MAX_DRAWINGS}, not {self.columns}")
        if self.size is not None and not 8 <= self.size <= 8192:
            raise BadConfig(f"size must be from 8 to 8192 pixels a drawing, not {self.size}")
        if self.line_width is not None and not 0.1 <= self.line_width <= 200:
            raise BadConfig(f"line width must be from 0.1 to 200 pixels, not {self.line_width}")
        if self.color.lower() in NONE:
            raise BadConfig(f"color {self.color!r} would be invisible; give a name or #rrggbb")
        rgb(self.color)
        self.paper()

    def ink(self) -> Color:
        """Colour of the pen."""
        return rgb(self.color)

    def paper(self) -> Color | None:
        """Colour of the background; None where it is transparent."""
        if self.background is None or self.background.lower() in NONE:
            return None
        return rgb(self.background)


@dataclass(frozen=True, slots=True)
class Cell:
    """One drawing at its place."""

    sketch: Sketch
    lines: tuple[Line, ...]  # drawing order
    caption: str  # whole; whoever sets it fits it into the cell
    center: float  # x of the caption's middle
    baseline: float  # y of the caption


@dataclass(frozen=True, slots=True)
class Sheet:
    """Drawings fitted into cells, row by row. Lengths in pixels."""

    width: int
    height: int
    cells: tuple[Cell, ...]
    cell_size: int
    line_width: float
    font_size: int

    @property
    def caption_width(self) -> float:
        """Room for a caption."""
        return self.cell_size * (1 - MARGIN)


def rgb(color: str) -> Color:
    """A colour name or #rgb or #rrggbb as three bytes.

    Raises:
        BadConfig: neither.
    """
    text = color.strip().lower()
    if re.fullmatch(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", text, re.ASCII):
        digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    else:
        from PIL.ImageColor import colormap  # the 148 names of CSS

        value = colormap.get(text)
        if value is None:
            raise BadConfig(f"unknown color {color!r}: give a name such as navy, or #rrggbb")
        digits = str(value)[1:]
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def mix(ink: Color, paper: Color, amount: float) -> Color:
    """``amount`` of ink on paper, 0 to 1."""
    red, green, blue = (round(p + (i - p) * amount) for i, p in zip(ink, paper, strict=True))
    return red, green, blue


def caption_of(sketch: Sketch) -> str:
    """Word, seed and number on one line, without control and invisible characters."""
    parts = [printable(sketch.word or "")]
    seed, number = (sketch.extras.get(name) for name in ("seed", "number"))
    if type(seed) is int:
        parts.append(f"seed {seed}" + (f" #{number}" if type(number) is int else ""))
    return " · ".join(part for part in parts if part)


def printable(text: str) -> str:
    """Text from a stranger on one line: no controls, no direction marks, no lone surrogates."""
    shown = (c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(shown).split())


def lay_out(sketches: Iterable[Sketch], style: Style) -> Sheet:
    """Fit every drawing into its cell: uniform scale, centred, margin all round, no overlap.

    Raises:
        BadSketch: no drawings, or more than a sheet takes.
    """
    drawings = list(islice(sketches, MAX_DRAWINGS + 1))
    if not drawings:
        raise BadSketch("no drawings: nothing to draw")
    if len(drawings) > MAX_DRAWINGS:
        raise BadSketch(f"more than {MAX_DRAWINGS} drawings for one sheet; take fewer with -n")
    columns = min(style.columns or math.ceil(math.sqrt(len(drawings))), len(drawings))
    smallest, largest = CELL_SIZES
    size = style.size or min(max(SHEET_WIDTH // columns, smallest), largest)
    line_width = style.line_width or LINE_WIDTH * math.sqrt(size)
    font_size = min(max(round(size / 15), 9), 15)
    captions = [caption_of(sketch) if style.captions else "" for sketch in drawings]
    below = size * (1 - MARGIN) + 1.6 * font_size  # from a cell's top to its caption's baseline
    strip = max(math.ceil(below + 0.5 * font_size) - size, 0) if any(captions) else 0
    room = max(size * (1 - 2 * MARGIN) - line_width, 1.0)
    cells = []
    for k, (sketch, caption) in enumerate(zip(drawings, captions, strict=True)):
        left, top = k % columns * size, k // columns * (size + strip)
        lines = fit(sketch, (left + size / 2, top + size / 2), room)
        cells.append(Cell(sketch, lines, caption, left + size / 2, top + below))
    height = math.ceil(len(drawings) / columns) * (size + strip)
    return Sheet(columns * size, height, tuple(cells), size, line_width, font_size)


def fit(sketch: Sketch, center: tuple[float, float], room: float) -> tuple[Line, ...]:
    """Strokes scaled so that the larger extent is ``room``, their box centred; (K, 2) each.

    A drawing without extent, a dot, sits in the centre.
    """
    left, top, right, bottom = sketch.box()
    extent = max(right - left, bottom - top)
    scale = room / extent if extent > 0 else 1.0
    middle = np.array([left / 2 + right / 2, top / 2 + bottom / 2])
    return tuple((stroke.astype(np.float64) - middle) * scale + center for stroke in sketch.strokes)


def check_pixels(sheet: Sheet, *, limit: int, side: int) -> None:
    """Refuse a picture that would not fit into memory or its format.

    Raises:
        BadConfig: more than ``limit`` pixels, or a side longer than ``side``.
    """
    if sheet.width * sheet.height > limit or max(sheet.width, sheet.height) > side:
        raise BadConfig(
            f"{len(sheet.cells)} drawings of {sheet.cell_size} pixels make a picture of "
            f"{sheet.width} x {sheet.height}; take fewer with -n, or a smaller --size"
        )
