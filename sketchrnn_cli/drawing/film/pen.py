"""The pen of an animation: the inks it changes to, what lies on its paper, and its tip.

Symbols: S segments of ink, P pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.plots.figure import COLORS
from sketchrnn_cli.drawing.raster import Canvas, Pixels, Points, ramp, touched
from sketchrnn_cli.drawing.style import LIGHT, Color, Style, rgb
from sketchrnn_cli.errors import BadConfig

Inks = npt.NDArray[np.int64] | npt.NDArray[np.uint8]  # (S,) indices of inks

LEVELS = 15  # shades from paper to ink; with "as before" a palette of four bits
TIP = "#dc2626"  # on light paper and on dark
TIP_SIZE = 3.0  # widths of the line
DARK = 110  # paper is dark below this mean of its three bytes
COLOR_BY = ("stroke", "time")
N_TIMES = 15  # colours from first to last; with their shades, the ink's and the tip's 239 entries
# Of the map viridis at 0, 1/4 ... 1 (van der Walt & Smith 2015): distinct to the colour-blind,
# and in grey. On white paper its yellow end is left off, on black paper its violet one.
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_ON_LIGHT, _ON_DARK = (0.0, 0.8), (0.4, 1.0)
_LEVEL = np.rint(np.arange(256) * (LEVELS - 1) / 255).astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How the pen of an animation looks, and what it leaves."""

    color_by: str | None = None  # one of COLOR_BY; None: all ink has the style's colour
    tip: bool = False  # a dot where the pen is

    def __post_init__(self) -> None:
        if self.color_by is not None and self.color_by not in COLOR_BY:
            raise BadConfig(f"color-by is {' or '.join(COLOR_BY)}, not {self.color_by!r}")


def palette(style: Style, inks: tuple[Color, ...]) -> tuple[Canvas, Canvas]:
    """Colours (n, 3) and alphas (n,) of a film's pixels: paper, then the shades of every ink."""
    ramps = [ramp(style, LEVELS, ink) for ink in inks]
    colors = [ramps[0][0][:1], *(colors[1:] for colors, _ in ramps)]
    alphas = [ramps[0][1][:1], *(alphas[1:] for _, alphas in ramps)]
    return np.concatenate(colors), np.concatenate(alphas)


def inks_of(style: Style, pen: Pen, *, added: bool = False) -> tuple[Color, ...]:
    """The style's ink, those that the pen changes to, and that of its tip.

    Args:
        style: of the film.
        pen: of the film.
        added: a model added to drawings that were given, in an ink of its own.
    """
    inks = [style.ink()]
    if added and pen.color_by is None:
        inks.append(style.added())
    paper = style.paper()
    dark = paper is not None and sum(paper) < 3 * DARK
    if pen.color_by == "stroke":
        inks += [rgb("#f0f0f0" if dark and color == LIGHT[0] else color) for color in COLORS]
    elif pen.color_by == "time":
        places = np.linspace(*(_ON_DARK if dark else _ON_LIGHT), N_TIMES)
        known = np.linspace(0, 1, len(_VIRIDIS))
        bytes_ = [np.interp(places, known, channel) for channel in zip(*_VIRIDIS, strict=True)]
        inks += [(int(r), int(g), int(b)) for r, g, b in np.rint(np.stack(bytes_, 1)).tolist()]
    return (*inks, rgb(TIP)) if pen.tip else tuple(inks)


def ink_at(part: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Index of the ink of a pen that colours by time, after this part, 0 to 1, of its drawing."""
    return 1 + np.clip((part * N_TIMES).astype(np.int64), 0, N_TIMES - 1)


class Paper:
    """What lies on the paper: how much ink a pixel has, and which."""

    def __init__(self, cover: Canvas, n_inks: int) -> None:
        """From coverage that is there already, in the first ink."""
        self.shape = cover.shape
        self._cover = cover.reshape(-1)
        self._ink = np.zeros_like(self._cover) if n_inks > 1 else None
        self._fresh = np.zeros_like(self._cover) if n_inks > 1 else self._cover  # blank in between

    def add(self, start: Points, end: Points, inks: Inks, line_width: float) -> Pixels:
        """Draw segments (S,) of these inks; where lines cross, the new one lies on top.

        Returns:
            The pixels they touch, some several times.
        """
        found = [np.zeros(0, np.int64)]
        for ink in dict.fromkeys(inks.tolist()) if self._ink is not None else [0]:
            chosen = inks == ink if self._ink is not None else slice(None)
            places = self._touch(self._fresh, start[chosen], end[chosen], line_width)
            found.append(places)
            if self._ink is None:
                continue
            fresh, old = self._fresh[places], self._cover[places]
            self._ink[places[(fresh >= 128) | (fresh > old)]] = ink
            self._cover[places] = np.maximum(old, fresh)
            self._fresh[places] = 0
        return np.concatenate(found)

    def _touch(self, cover: Canvas, start: Points, end: Points, line_width: float) -> Pixels:
        found = []
        for pixels, values in touched(self.shape, start, end, line_width):
            np.maximum.at(cover, pixels, values)
            found.append(pixels)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def at(self, pixels: Pixels) -> Canvas:
        """Indices into the palette, (P,)."""
        level = _LEVEL[self._cover[pixels]]
        if self._ink is None:
            return level
        return np.where(level > 0, level + self._ink[pixels] * np.uint8(LEVELS - 1), 0)

    def picture(self) -> Canvas:
        """Indices into the palette of all pixels, (height, width)."""
        return self.at(np.arange(self._cover.size)).reshape(self.shape)


class Tips:
    """Dots where pens are, over what lies on the paper."""

    def __init__(self, shape: tuple[int, ...], size: float, ink: int) -> None:
        """None yet; of an ink, ``size`` pixels wide."""
        self._shape, self._size, self._ink = shape, size, ink
        self._cover = np.zeros(shape, np.uint8).reshape(-1)
        self.pixels = np.zeros(0, np.int64)  # that they touch

    def move(self, places: Points) -> None:
        """Take them away from where they were; they are at these places now, (N, 2)."""
        self._cover[self.pixels] = 0
        found = [np.zeros(0, np.int64)]
        for pixels, values in touched(self._shape, places, places, self._size):
            np.maximum.at(self._cover, pixels, values)
            found.append(pixels)
        self.pixels = np.concatenate(found)

    def over(self, pixels: Pixels, colors: Canvas) -> Canvas:
        """Indices into the palette (P,) of pixels that have these without a tip."""
        fresh = self._cover[pixels]
        level = _LEVEL[fresh]
        tip = np.where(level > 0, level + self._ink * (LEVELS - 1), 0)
        seen = (fresh >= 128) | ((fresh > 0) & (colors == 0))
        return np.where(seen, tip, colors).astype(np.uint8)
