"""An animation before it is a file: moments, and of each only what is new on the paper.

Time, memory and bytes follow the change, not the size of the picture or the number of frames.
Colours are indices into a palette: 0 is paper, then ``LEVELS`` - 1 shades of every ink.

Symbols: S segments of ink, K moments, P pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.matching import Morph
from sketchrnn_cli.drawing.film.pen import Pen, ink_at, palette
from sketchrnn_cli.drawing.raster import Canvas, Pixels
from sketchrnn_cli.drawing.sheet import Sheet
from sketchrnn_cli.drawing.style import DURATIONS, FPS, HOLDS, Color, Style
from sketchrnn_cli.errors import BadConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast the pen goes. The file lasts ``duration`` + ``hold``, then starts again."""

    fps: float = 30.0
    duration: float | None = None  # seconds of drawing; None: by the number of drawings
    hold: float = 1.5  # seconds the finished picture stays
    in_turn: bool = False  # one drawing after the other, not all at once
    real_time: bool = False  # as fast as it was drawn, by the times of the points

    def __post_init__(self) -> None:
        for name, (low, high), unit in (
            ("fps", FPS, ""),
            ("duration", DURATIONS, " seconds"),
            ("hold", HOLDS, " seconds"),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadConfig(f"{name} must be from {low:g} to {high:,}{unit}, not {value:g}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What is new on the paper, and for how long it stays. Of no size where nothing is new."""

    left: int
    top: int
    pixels: Canvas  # (height, width) of the box, indices into the palette
    changed: npt.NDArray[np.bool_]  # (height, width): not as in the frame before
    ticks: int  # hundredths of a second
    caption: str = ""  # of a morph, at this moment


@dataclass(frozen=True, slots=True)
class PenScene:
    """A pen that draws a sheet: when it begins and ends every segment of ``raster.segments``."""

    sheet: Sheet
    begins: npt.NDArray[np.float64]  # (S,) seconds
    ends: npt.NDArray[np.float64]  # (S,)
    inks: npt.NDArray[np.uint8]  # (S,) index of its ink; empty where it depends on time, and
    drawn_from: npt.NDArray[np.float64]  # only there (S,) when its drawing begins, seconds
    drawn_for: npt.NDArray[np.float64]  # and (S,) how long its drawing takes
    seconds: float  # of drawing
    pen: Pen

    def inks_at(
        self, moments: npt.NDArray[np.float64], which: npt.NDArray[np.int64] | slice
    ) -> npt.NDArray[np.int64] | npt.NDArray[np.uint8]:
        """Index of the ink of each of these segments at a moment of its own, seconds."""
        if self.pen.color_by != "time":
            return self.inks[which]
        return ink_at((moments - self.drawn_from[which]) / self.drawn_for[which])


@dataclass(frozen=True, slots=True)
class MorphScene:
    """Drawings that turn into the next, there and back, each at rest at both ends."""

    sheets: tuple[Sheet, ...]
    captions: tuple[str, ...]  # of each, shown or not
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
    scene: PenScene | MorphScene
    frames: Iterator[Frame] = field(repr=False)
    replaces: bool = (
        False  # every frame that changes is a whole picture, in place of the one before
    )

    def palette(self) -> tuple[Canvas, Canvas]:
        """Colours (n, 3) and alphas (n,): paper, then the shades of every ink."""
        return palette(self.style, self.inks)


class Screen:
    """What a viewer sees. Of every new picture only the change becomes a frame."""

    def __init__(self, shape: tuple[int, ...], *, replaces: bool) -> None:
        """Nothing shown yet; with ``replaces`` a frame with a change is the whole picture."""
        self._shown = np.zeros(shape, np.uint8)
        self._empty = True
        self._replaces = replaces

    def show(self, picture: Canvas, ticks: int) -> Frame:
        """The frame of a whole picture, (height, width)."""
        if self._empty:
            return self._whole(picture, ticks)
        pixels = np.flatnonzero(picture != self._shown)
        return self.update(pixels, picture.reshape(-1)[pixels], ticks)

    def update(self, pixels: Pixels, colors: Canvas, ticks: int) -> Frame:
        """The frame of a picture that differs at most at these pixels, (P,) each."""
        shown = self._shown.reshape(-1)
        new = shown[pixels] != colors
        if not new.any():
            return Frame(0, 0, self._shown[:0, :0], np.zeros((0, 0), bool), ticks)
        pixels = pixels[new]
        shown[pixels] = colors[new]
        if self._replaces:
            return self._whole(self._shown, ticks)
        rows, columns = np.divmod(pixels, self._shown.shape[1])
        top, left = int(rows.min()), int(columns.min())
        box = self._shown[top : rows.max() + 1, left : columns.max() + 1].copy()
        changed = np.zeros(box.shape, bool)
        changed[rows - top, columns - left] = True
        return Frame(left, top, box, changed, ticks)

    def _whole(self, picture: Canvas, ticks: int) -> Frame:
        self._shown[...], self._empty = picture, False
        return Frame(0, 0, self._shown.copy(), np.ones(self._shown.shape, bool), ticks)


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
