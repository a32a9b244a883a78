"""An animation before it is a file: moments, and of each only what is new on the paper.

Time, memory and bytes follow the change, not the size of the picture or the number of frames.
Colours are indices into a palette: 0 is paper, then ``LEVELS`` - 1 shades of every ink. Letters:
S segments of ink, K moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.matching import Morph
from sketchrnn_cli.drawing.plots.figure import COLORS
from sketchrnn_cli.drawing.raster import Canvas, Points, draw, ramp
from sketchrnn_cli.drawing.sheet import Sheet
from sketchrnn_cli.drawing.style import Color, Style, rgb
from sketchrnn_cli.errors import BadConfig

LEVELS = 15  # shades from paper to ink; with "as before" a palette of four bits
TIP = "#dc2626"  # on light paper and on dark
TIP_SIZE = 3.0  # widths of the line
DARK = 110  # paper is dark below this mean of its three bytes
COLOR_BY = ("stroke", "time")
N_TIMES = 15  # colours from first to last; with their shades, the ink's and the tip's 239 entries
# Of the map viridis at 0, 1/4 ... 1 (van der Walt & Smith 2015): told apart by the colour-blind,
# and in grey. On white paper its yellow end is left off, on black paper its violet one.
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_ON_LIGHT, _ON_DARK = (0.0, 0.8), (0.4, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast the pen goes. The file lasts ``duration`` + ``hold``, then starts again."""

    fps: float = 30.0
    duration: float | None = None  # seconds of drawing; None: by the number of drawings
    hold: float = 1.5  # seconds the finished picture stays
    in_turn: bool = False  # one drawing after the other, not all at once

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 50:  # viewers play frames shorter than 20 ms slowly
            raise BadConfig(f"fps must be from 1 to 50, not {self.fps:g}")
        if self.duration is not None and not 0.1 <= self.duration <= 3600:
            raise BadConfig(f"duration must be from 0.1 to 3600 seconds, not {self.duration:g}")
        if not 0 <= self.hold <= 600:
            raise BadConfig(f"hold must be from 0 to 600 seconds, not {self.hold:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How the pen of an animation looks, and what it leaves."""

    color_by: str | None = None  # one of COLOR_BY; None: all ink has the style's colour
    tip: bool = False  # a dot where the pen is

    def __post_init__(self) -> None:
        if self.color_by is not None and self.color_by not in COLOR_BY:
            raise BadConfig(f"color-by is {' or '.join(COLOR_BY)}, not {self.color_by!r}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What is new on the paper, and for how long it stays. Of no size where nothing is new."""

    left: int
    top: int
    pixels: Canvas  # (height, width) of the box, indices into the palette
    changed: npt.NDArray[np.bool_]  # (height, width): not as in the frame before
    ticks: int  # hundredths of a second


@dataclass(frozen=True, slots=True)
class Drawn:
    """A pen that draws a sheet: when it begins and ends every segment of ``raster.segments``."""

    sheet: Sheet
    begins: npt.NDArray[np.float64]  # (S,) seconds
    ends: npt.NDArray[np.float64]  # (S,)
    hues: npt.NDArray[np.int64]  # (S,) which of the film's inks; nothing where time tells it
    seconds: float  # of drawing
    pen: Pen


@dataclass(frozen=True, slots=True)
class Turned:
    """Drawings that turn into the next, there and back, each at rest at both ends."""

    sheets: tuple[Sheet, ...]
    morphs: tuple[Morph, ...]  # one less
    begins: npt.NDArray[np.float64]  # (sheets,) when each is reached, of the way there, 0 to 1
    speeds: npt.NDArray[np.float64]  # (sheets,) at each; 1 is the mean
    seconds: float  # there and back, without the rests
    hold: float  # seconds


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be a file. ``frames`` can be gone through once; SVG is made of the ``scene``."""

    width: int
    height: int
    n_drawings: int
    n_frames: int
    fps: float
    seconds: float
    style: Style
    inks: tuple[Color, ...]  # the first is the style's own
    scene: Drawn | Turned
    frames: Iterator[Frame] = field(repr=False)
    erases: bool = False  # every frame that changes is a whole picture, in place of the one before

    def palette(self) -> tuple[Canvas, Canvas]:
        """Colours (n, 3) and alphas (n,): paper, then the shades of every ink."""
        return palette(self.style, self.inks)


def palette(style: Style, inks: tuple[Color, ...]) -> tuple[Canvas, Canvas]:
    """Colours (n, 3) and alphas (n,) of a film's pixels."""
    ramps = [ramp(style, LEVELS, ink) for ink in inks]
    colors = [ramps[0][0][:1], *(colors[1:] for colors, _ in ramps)]
    alphas = [ramps[0][1][:1], *(alphas[1:] for _, alphas in ramps)]
    return np.concatenate(colors), np.concatenate(alphas)


def inks_of(style: Style, pen: Pen) -> tuple[Color, ...]:
    """The style's ink, those that the pen changes to, and that of its tip."""
    inks = [style.ink()]
    paper = style.paper()
    dark = paper is not None and sum(paper) < 3 * DARK
    if pen.color_by == "stroke":
        inks += [rgb("#f0f0f0" if dark and color == "#262626" else color) for color in COLORS]
    elif pen.color_by == "time":
        places = np.linspace(*(_ON_DARK if dark else _ON_LIGHT), N_TIMES)
        known = np.linspace(0, 1, len(_VIRIDIS))
        bytes_ = [np.interp(places, known, channel) for channel in zip(*_VIRIDIS, strict=True)]
        inks += [(int(r), int(g), int(b)) for r, g, b in np.rint(np.stack(bytes_, 1)).tolist()]
    return (*inks, rgb(TIP)) if pen.tip else tuple(inks)


def hue_at(moment: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Which ink a pen that colours by time has after this part, 0 to 1, of its drawing."""
    return 1 + np.clip((moment * N_TIMES).astype(np.int64), 0, N_TIMES - 1)


class Paper:
    """What lies on the paper: how much ink a pixel has, and which."""

    def __init__(self, cover: Canvas, n_inks: int) -> None:
        """From coverage that is there already, in the first ink."""
        self.cover = cover
        self.hue = np.zeros_like(cover) if n_inks > 1 else None

    def add(
        self, start: Points, end: Points, hues: npt.NDArray[np.int64], line_width: float
    ) -> None:
        """Draw segments (S,) of these inks; where lines cross, the new one lies on top."""
        if self.hue is None:
            draw(self.cover, start, end, line_width)
            return
        for hue in dict.fromkeys(hues.tolist()):
            a, b = start[hues == hue], end[hues == hue]
            rows, columns = box_of(np.concatenate([a, b]), line_width / 2, self.cover.shape)
            area = rows, columns
            fresh = np.zeros_like(self.cover[area])
            corner = np.array([columns.start, rows.start])
            draw(fresh, a - corner, b - corner, line_width)
            old = self.cover[area]
            self.hue[area][(fresh >= 128) | (fresh > old)] = hue
            np.maximum(old, fresh, out=old)

    def pixels(self, rows: slice, columns: slice) -> Canvas:
        """Indices into the palette."""
        level = _LEVEL[self.cover[rows, columns]]
        if self.hue is None:
            return level
        return np.where(level > 0, level + self.hue[rows, columns] * np.uint8(LEVELS - 1), 0)


_LEVEL = np.rint(np.arange(256) * (LEVELS - 1) / 255).astype(np.uint8)


def put_tips(pixels: Canvas, places: Points, size: float, hue: int) -> None:
    """Dots of an ink over what is there, in place; places (N, 2) are of these pixels."""
    fresh = np.zeros_like(pixels)
    draw(fresh, places, places, size)
    over = (fresh >= 128) | ((fresh > 0) & (pixels == 0))
    level = _LEVEL[fresh[over]]
    pixels[over] = np.where(level > 0, level + hue * (LEVELS - 1), 0)


def box_of(points: Points, reach: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns that lines of this half width through the points can touch."""
    low = np.floor(points.min(0) - reach - 1).astype(int)
    high = np.ceil(points.max(0) + reach + 1).astype(int)
    limits = shape[1], shape[0]
    columns, rows = (
        slice(*np.clip([a, b], 0, limit).tolist())
        for a, b, limit in zip(low, high, limits, strict=True)
    )
    return rows, columns


class Screen:
    """What a viewer sees. Of every new picture only the change becomes a frame."""

    def __init__(self, *, erases: bool) -> None:
        """Nothing shown yet; with ``erases`` a frame that changes anything is the whole picture."""
        self._shown: Canvas | None = None
        self._erases = erases

    def show(self, new: Canvas, left: int, top: int, ticks: int) -> Frame:
        """Put pixels (height, width) at a place; the first time they are all of the picture."""
        if self._shown is None:
            self._shown = new.copy()
            return Frame(0, 0, new.copy(), np.ones_like(new, bool), ticks)
        here = self._shown[top : top + new.shape[0], left : left + new.shape[1]]
        changed = new != here
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if not len(rows):
            return Frame(0, 0, new[:0, :0], changed[:0, :0], ticks)
        here[...] = new
        if self._erases:
            return Frame(0, 0, self._shown.copy(), np.ones_like(self._shown, bool), ticks)
        y, x = int(rows[0]), int(columns[0])
        area = slice(y, int(rows[-1]) + 1), slice(x, int(columns[-1]) + 1)
        return Frame(left + x, top + y, new[area].copy(), changed[area], ticks)

    def rest(self, ticks: int) -> Frame:
        """A moment at which nothing changes."""
        return Frame(0, 0, np.zeros((0, 0), np.uint8), np.zeros((0, 0), bool), ticks)


def merged(frames: Iterator[Frame], max_ticks: int) -> Iterator[Frame]:
    """Moments at which nothing changes lengthen the frame before, to so many ticks."""
    before = next(frames)
    for frame in frames:
        if not frame.pixels.size and before.ticks + frame.ticks <= max_ticks:
            before = replace(before, ticks=before.ticks + frame.ticks)
            continue
        yield before
        before = frame if frame.pixels.size else replace(before, ticks=frame.ticks)  # once more
    yield before


def whole_boxes(film: Film) -> Iterator[Frame]:
    """Frames of at least one pixel, the first one where nothing is new."""
    corner, nothing = np.zeros((1, 1), np.uint8), np.zeros((1, 1), bool)
    for frame in film.frames:
        if not frame.pixels.size:
            yield Frame(0, 0, corner, nothing, frame.ticks)
            continue
        if (frame.left, frame.top) == (0, 0):
            corner = frame.pixels[:1, :1]
        yield frame
