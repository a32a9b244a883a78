"""Where everything goes: a contact sheet in pixels, the same for SVG, PNG and animations.

A single drawing is a sheet of one. Symbols: K points of a stroke.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.curves import Beziers, polyline, smooth
from sketchrnn_cli.drawing.style import MAX_DRAWINGS, PAGES, Room, Style
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.sketch import Sketch

Line = npt.NDArray[np.float64]  # (K, 2) x, y in pixels of the sheet

SHEET_WIDTH = 960  # what cells share when no size is given, pixels
CELL_SIZES = (64, 480)  # smallest and largest cell chosen without --size, pixels
MARGIN = 0.09  # of the cell, on each side
LINE_WIDTH = 0.17  # times the root of the cell: 1.7 pixels on 96, 2.6 on 240, 3.7 on 480
CAPTION_INK = 0.6  # captions are this much ink and the rest paper: small and grey
PIXELS_PER_MM = 96 / 25.4
LONGEST = 200  # characters of a caption; measuring costs time, and no cell shows more
MARK_INK = 0.07  # the same of the ground of marked drawings
MOST_COLUMNS = 100  # that are tried on a page
ROW = 13  # drawings side by side at most where rows are labelled, unless columns say otherwise
ROW_CELL = 96  # smallest cell there, pixels
LABEL_SIZE = 13  # font of labels, pixels; of a cell that is smaller, as high as it is
LONGEST_LABEL = 30  # characters


@dataclass(frozen=True, slots=True)
class Cell:
    """One drawing at its place."""

    sketch: Sketch
    lines: tuple[Line, ...]  # drawing order
    curves: tuple[Beziers, ...] | None  # the same, where they are smooth
    caption: str  # whole; whoever sets it fits it into the cell
    center: float  # x of the caption's middle
    baseline: float  # y of the caption

    def fitted(self, fits: Callable[[str], bool]) -> str:
        """The caption as whole as it fits."""
        return fitted(self.caption, self.sketch, fits)


@dataclass(frozen=True, slots=True)
class Label:
    """What stands before a row, or several that belong together."""

    text: str
    left: float  # x of its beginning
    baseline: float  # y
    font_size: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """Drawings fitted into cells, row by row. Lengths in pixels."""

    width: int
    height: int
    cells: tuple[Cell, ...]
    cell_size: int
    line_width: float
    font_size: int
    labels: tuple[Label, ...] = ()
    marked: tuple[tuple[float, ...], ...] = ()  # left, top, right, bottom of each ground
    page: tuple[float, float] | None = None  # width and height in millimetres

    @property
    def caption_width(self) -> float:
        """Room for a caption."""
        return self.cell_size * (1 - MARGIN)


def caption_of(sketch: Sketch, label: str = "") -> str:
    """Word, seed and number on one line, or of a morph how far it is.

    Without control and invisible characters, and without what the label of its row says.
    """
    if (morph := sketch.morph) is not None:
        old, new, part = morph
        percent = f"{100 * part:.0f} %"
        if label == f"{old} -> {new}":
            return percent
        between = f"{old} to {new} {percent}"
        return printable(old if part == 0 else new if part == 1 else between)
    parts = [printable(sketch.word or "")]
    seed, number = (sketch.extras.get(name) for name in ("seed", "number"))
    if type(seed) is int:
        parts.append(f"seed {seed}" + (f" #{number}" if type(number) is int else ""))
    if label and parts[0] == printable(label):
        del parts[0]
    return " · ".join(part for part in parts if part)


def fitted(caption: str, sketch: Sketch, fits: Callable[[str], bool]) -> str:
    """A caption as whole as it fits; of a long one the words are cut, not the number."""
    if fits(caption):
        return caption
    text, number, end = caption, sketch.extras.get("number"), "…"
    if caption.endswith(" %") and sketch.morph is not None:
        text, _, percent = caption.rpartition(" ")[0].rpartition(" ")
        end = f"… {percent} %"
    elif text == caption_of(sketch) and type(number) is int and sketch.word:
        text, end = printable(sketch.word), f"… #{number}"
        if fits(f"{text} #{number}"):
            return f"{text} #{number}"
    low, high = 0, min(len(text), LONGEST)  # characters that fit, and that do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle].rstrip() + end) else (low, middle)
    return text[:low].rstrip() + end


def ems(text: str) -> float:
    """Width of text in font sizes, by a generous guess: which font there is, is unknown."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return 0.6 * len(text) + 0.4 * wide


def shown_label(label: str) -> str:
    """A label on one line, cut where it is very long."""
    text = printable(label)
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


def printable(text: str) -> str:
    """Untrusted text on one line: no controls, no direction marks, no lone surrogates."""
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
    check_number(len(drawings))
    blocks = style.blocks(len(drawings))
    labels = [
        label for label, n in zip(style.labels or [""], blocks, strict=False) for _ in range(n)
    ]
    captions = [
        caption_of(sketch, label) if style.captions else ""
        for sketch, label in zip(drawings, labels, strict=True)
    ]
    if style.marked:
        captions = [""] * len(drawings)
        for place, k in enumerate(style.marked, start=1):
            captions[k] = printable(drawings[k].word or "") or str(place)
    grid = Grid.of(len(drawings), style, captioned=any(captions))
    size, font_size = grid.size, grid.font_size
    line_width = style.line_width or LINE_WIDTH * math.sqrt(size)
    room = max(size * (1 - 2 * MARGIN) - line_width, 1.0)
    cells = []
    for k, (sketch, caption) in enumerate(zip(drawings, captions, strict=True)):
        left, top = grid.corner(k)
        lines = fit(sketch, (left + size / 2, top + size / 2), room)
        curves = None
        if style.smooth:
            curves = tuple(map(smooth, lines))
            lines = tuple(
                polyline(curve) if len(curve) else line[:1]
                for line, curve in zip(lines, curves, strict=True)
            )
        cells.append(Cell(sketch, lines, curves, caption, left + size / 2, top + grid.below))
    marked = [(*grid.corner(k), size, size + grid.strip) for k in style.marked]
    return Sheet(
        *grid.paper(style),
        tuple(cells),
        size,
        line_width,
        font_size,
        tuple(_labels(grid, style)),
        tuple((x, y, x + width, y + height) for x, y, width, height in marked),
        PAGES[style.page] if style.page else None,
    )


def _labels(grid: Grid, style: Style) -> Iterator[Label]:
    firsts = [0, *accumulate(grid.blocks)]
    for text, first, after in zip(style.labels, firsts, firsts[1:], strict=False):
        top, last = (grid.corner(k)[1] for k in (first, after - 1))
        font = min(LABEL_SIZE, grid.size)
        middle = (top + last + grid.size) / 2 + 0.35 * font  # of a row without its captions
        yield Label(shown_label(text), grid.origin[0] + 0.75 * LABEL_SIZE, middle, font)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where cells lie. Lengths in pixels."""

    blocks: tuple[int, ...]  # drawings of each label
    columns: int
    size: int  # of a cell
    strip: int  # under it, for its caption
    below: float  # from a cell's top to its caption's baseline
    font_size: int
    margin: int  # on the left, for labels
    gap: int  # between labelled blocks
    origin: tuple[float, float] = (0, 0)  # of its left upper corner on a page

    @classmethod
    def of(cls, n: int, style: Style, *, captioned: bool) -> Grid:
        """The grid of n drawings.

        Raises:
            BadConfig: they do not fit on the page.
        """
        if style.page is not None:
            return cls._on_page(n, style, captioned=captioned)
        blocks = style.blocks(n)
        longest = max(blocks)
        most = longest if style.labels and longest <= ROW else math.ceil(math.sqrt(n))
        columns = min(style.columns or most, longest)
        n_rows = sum(-(-block // columns) for block in blocks)
        smallest, largest = (ROW_CELL if style.labels else CELL_SIZES[0]), CELL_SIZES[1]
        size = style.size or min(max(SHEET_WIDTH // max(columns, n_rows), smallest), largest)
        font_size = min(max(round(size / 15), 9), 15)
        below = size * (1 - MARGIN) + 1.6 * font_size
        strip = max(math.ceil(below + 0.5 * font_size) - size, 0) if captioned else 0
        widest = max((ems(shown_label(label)) for label in style.labels), default=0)
        margin = math.ceil((widest + 1.5) * LABEL_SIZE) if widest else 0
        gap = size // 4 if longest > columns else 0
        return cls(tuple(blocks), columns, size, strip, below, font_size, margin, gap)

    @classmethod
    def _on_page(cls, n: int, style: Style, *, captioned: bool) -> Grid:
        """The grid with the largest drawings that fit between the margins, in their middle."""
        whole = [PIXELS_PER_MM * side for side in PAGES[str(style.page)]]
        width, height = (side - 2 * PIXELS_PER_MM * style.margin_mm() for side in whole)
        best: Grid | None = None
        longest = max(style.blocks(n))
        tried = range(1, min(n, MOST_COLUMNS) + 1)
        if style.columns or (style.labels and longest <= ROW):
            tried = range(style.columns or longest, (style.columns or longest) + 1)
        for columns in tried:
            size = style.size or min(int(width / columns), 8192)
            while size >= 8:
                given = replace(style, page=None, margin=None, columns=columns, size=size)
                grid = cls.of(n, given, captioned=captioned)
                over = max(grid.extent[0] / width, grid.extent[1] / height)
                if over <= 1 or style.size:
                    break
                size = min(int(size / over), size - 1)
            if size >= 8 and over <= 1 and (best is None or size > best.size):
                best = grid
        if best is None:
            raise BadConfig(
                f"{n:,} drawings do not fit on {style.page}; take fewer with -n, or a smaller "
                "--size"
            )
        across, down = ((side - used) / 2 for side, used in zip(whole, best.extent, strict=True))
        return replace(best, origin=(across, down))

    def corner(self, k: int) -> tuple[float, float]:
        """Left and top of a drawing's cell."""
        row = block = 0
        for block, n in enumerate(self.blocks):  # noqa: B007
            if k < n:
                break
            row, k = row + -(-n // self.columns), k - n
        row += k // self.columns
        top = row * (self.size + self.strip) + block * self.gap
        left = self.margin + k % self.columns * self.size
        return self.origin[0] + left, self.origin[1] + top

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of all cells."""
        n_rows = sum(-(-n // self.columns) for n in self.blocks)
        height = n_rows * (self.size + self.strip) + (len(self.blocks) - 1) * self.gap
        return self.margin + self.columns * self.size, height

    def paper(self, style: Style) -> tuple[int, int]:
        """Width and height of the picture: of the cells, or of the page, rounded up."""
        if style.page is None:
            return self.extent
        width, height = PAGES[style.page]
        return math.ceil(width * PIXELS_PER_MM), math.ceil(height * PIXELS_PER_MM)


def check_number(n: int) -> None:
    """Refuse more drawings than a sheet takes.

    Raises:
        BadSketch: says so.
    """
    if n > MAX_DRAWINGS:
        raise BadSketch(
            f"more than {MAX_DRAWINGS:,} drawings for one sheet; take fewer with -n, and the rest "
            "on another sheet"
        )


def fit(sketch: Sketch, center: tuple[float, float], room: float) -> tuple[Line, ...]:
    """Strokes scaled so that the larger extent is ``room``, their box centred; (K, 2) each.

    A drawing without extent, a dot, sits in the centre.
    """
    left, top, right, bottom = sketch.box()
    extent = max(right - left, bottom - top)
    scale = room / extent if extent > 0 else 1.0
    middle = np.array([left / 2 + right / 2, top / 2 + bottom / 2])
    return tuple((stroke.astype(np.float64) - middle) * scale + center for stroke in sketch.strokes)


def check_pixels(sheet: Sheet, room: Room) -> None:
    """Refuse a picture that would not fit into memory or its format.

    Raises:
        BadConfig: more pixels than there is room for.
    """
    _check_extent(len(sheet.cells), sheet.cell_size, sheet.width, sheet.height, room)


def check_room(n: int, style: Style, room: Room | None) -> None:
    """Refuse, before there are any, more drawings than a picture takes.

    Raises:
        BadSketch: more than a sheet takes.
        BadConfig: as ``check_pixels``.
    """
    check_number(n)
    if room is not None:
        grid = Grid.of(max(n, 1), style, captioned=style.captions)
        _check_extent(n, grid.size, *grid.extent, room)


def _check_extent(n: int, size: int, width: int, height: int, room: Room) -> None:
    if width * height > room.pixels or max(width, height) > room.side:
        raise BadConfig(
            f"{n:,} drawings of {size:,} pixels make a picture of {width:,} x {height:,}; take "
            "fewer with -n, or a smaller --size"
        )
