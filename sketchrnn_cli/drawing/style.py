"""How a picture looks: one ``Style`` for stills and animations. Loads neither numpy nor Pillow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sketchrnn_cli.errors import BadConfig

Color = tuple[int, int, int]

MAX_DRAWINGS = 10_000  # of one sheet; a stream may be endless, paper is not
SIZES = (8, 8192)  # smallest and largest cell, pixels
LINE_WIDTHS = (0.1, 200)  # the same of the pen
FPS = (1, 50)  # of an animation; viewers play frames shorter than 20 ms slowly
DURATIONS = (0.1, 3600)  # seconds of drawing
HOLDS = (0, 600)  # seconds the finished picture stays
NONE = ("none", "transparent")
LIGHT = ("#262626", "#ffffff")  # ink and paper
DARK = ("#e8e8e8", "#17191c")
ADDED = ("#1f63d6", "#79adff")  # ink of what a model added, on light paper and on dark
PAGES = {"a4": (210.0, 297.0), "a5": (148.0, 210.0), "letter": (215.9, 279.4)}  # millimetres
MARGIN_MM = 10.0


class Room(NamedTuple):
    """How large a picture may be."""

    pixels: int  # in all
    side: int


PNG_ROOM = Room(100_000_000, 65_500)
FILM_ROOM = Room(16_000_000, 16_383)  # the side of a WebP; a GIF could have 65,535


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How drawings look. None: chosen by the other settings and the number of drawings.

    Pixels are those of CSS, 96 per inch, where the picture has a page in millimetres.
    """

    dark: bool = False  # light ink on dark paper, unless a color is given
    color: str | None = None  # of the ink: a name or #rrggbb
    background: str | None = None  # of the paper; "none": transparent
    size: int | None = None  # of a cell, pixels
    columns: int | None = None  # None: as square as it gets
    line_width: float | None = None  # pixels
    captions: bool = True  # word and seed under a drawing that has them
    smooth: bool = False  # curves through the points in place of straight lines
    page: str | None = None  # one of PAGES: an SVG for a plotter
    margin: float | None = None  # of the page, millimetres
    labels: tuple[str, ...] = ()  # of rows: each stands before its share of the drawings
    shares: tuple[int, ...] = ()  # how many each label has; none: all the same
    marked: tuple[int, ...] = ()  # on a ground of their own, and the only ones with captions

    def __post_init__(self) -> None:
        if self.columns is not None and not 1 <= self.columns <= MAX_DRAWINGS:
            raise BadConfig(f"columns must be from 1 to {MAX_DRAWINGS:,}, not {self.columns:,}")
        for name, (low, high) in (("size", SIZES), ("line_width", LINE_WIDTHS)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadConfig(f"{name} must be from {low:g} to {high:,} pixels, not {value:,}")
        if self.color is not None and self.color.lower() in NONE:
            raise BadConfig(f"color {self.color!r} would be invisible; give a name or #rrggbb")
        if self.page is not None and self.page not in PAGES:
            raise BadConfig(f"unknown page {self.page!r}: must be one of {', '.join(PAGES)}")
        if self.margin is not None and self.page is None:
            raise BadConfig("a margin is for a page: give --page a4, a5 or letter")
        if self.page is not None and not 0 <= self.margin_mm() <= widest_margin(self.page):
            most = widest_margin(self.page)
            raise BadConfig(f"margin must be from 0 to {most:g} mm, not {self.margin:g}")
        self.ink()
        self.paper()

    def ink(self) -> Color:
        """Colour of the pen."""
        return rgb(self.color or (DARK if self.dark else LIGHT)[0])

    def paper(self) -> Color | None:
        """Colour of the background; None where it is transparent."""
        background = self.background or (DARK if self.dark else LIGHT)[1]
        return None if background.lower() in NONE else rgb(background)

    def blocks(self, n: int) -> list[int]:
        """How many of n drawings each label has; without labels, one block."""
        if sum(self.shares) == n and len(self.shares) == len(self.labels) > 0:
            return list(self.shares)
        share = max(-(-n // max(len(self.labels), 1)), 1)
        return [min(share, n - first) for first in range(0, n, share)]

    def added(self) -> Color:
        """Colour of what a model added to a drawing that was given."""
        return rgb(ADDED[self.dark])

    def margin_mm(self) -> float:
        """Of the page."""
        return MARGIN_MM if self.margin is None else self.margin


def widest_margin(page: str) -> float:
    """Millimetres; it leaves 20 mm to draw on."""
    return min(PAGES[page]) / 2 - 10


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


def hexadecimal(color: Color) -> str:
    """#rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*color)
