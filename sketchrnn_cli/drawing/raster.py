"""PNG: exact antialiasing by distance, captions in a font that has them.

A pixel's coverage is its distance to the nearest ink, clipped to the edge of the line. That is
the same whether a drawing is made at once or segment by segment, so an animation costs only its
new ink and ends in the still picture. Symbols: S segments, K pixels along a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sketchrnn_cli.drawing.fonts import Font, fonts_for
from sketchrnn_cli.drawing.sheet import (
    CAPTION_INK,
    LONGEST,
    MARK_INK,
    Sheet,
    check_pixels,
    lay_out,
)
from sketchrnn_cli.drawing.style import PNG_ROOM, Color, Style, mix
from sketchrnn_cli.sketches.sketch import Sketch

Canvas = npt.NDArray[np.uint8]  # (height, width) coverage: 0 paper, 255 ink
Points = npt.NDArray[np.float64]  # (S, 2) x, y in pixels
Pixels = npt.NDArray[np.int64]  # flat indices into a canvas

PIECE = 12.0  # longest piece of a segment drawn in one window, pixels
CHUNK = 1 << 18  # pixels of windows in memory at a time
SEGMENTS = 1 << 16  # lines that are cut into pieces at once


def to_png(sketches: Iterable[Sketch], style: Style) -> bytes:
    """A sheet of drawings; the same bytes every time.

    Raises:
        BadSketch: no drawings.
        BadConfig: more pixels than a picture should have.
    """
    from imageio.v3 import imwrite  # not for animations

    sheet = lay_out(sketches, style)
    check_pixels(sheet, PNG_ROOM)
    canvas = captions(sheet)
    start, end, stroke = segments(sheet)
    added = added_strokes(sheet)[stroke]
    draw(canvas, start[~added], end[~added], sheet.line_width)
    colors, alphas = ramp(style, 256)
    if style.paper() is None:
        colors = np.column_stack([colors, alphas])
    elif not added.any() and (colors == colors[:, :1]).all():
        colors = colors[:, 0]  # grey
    picture = colors[canvas]
    if added.any():
        fresh = np.zeros_like(canvas)
        draw(fresh, start[added], end[added], sheet.line_width)
        above = (fresh >= 128) | (fresh > canvas)
        others, alphas = ramp(style, 256, style.added())
        if style.paper() is None:
            others = np.column_stack([others, alphas])
        picture[above] = others[np.maximum(fresh, canvas)[above]]
    data: bytes = imwrite("<bytes>", picture, extension=".png", plugin="pillow")
    return data


def added_strokes(sheet: Sheet) -> npt.NDArray[np.bool_]:
    """Whether each stroke of the sheet, in order, was added by a model to what it was given."""
    each = [np.arange(len(cell.lines)) >= cell.sketch.n_given for cell in sheet.cells]
    return np.concatenate(each)


def ramp(style: Style, n_levels: int, ink: Color | None = None) -> tuple[Canvas, Canvas]:
    """Colours (n_levels, 3) and alphas (n_levels,) from paper to ink, the style's or another."""
    amounts = np.linspace(0, 1, n_levels)
    ink, paper = ink or style.ink(), style.paper()
    colors = [mix(ink, ink if paper is None else paper, float(amount)) for amount in amounts]
    alphas = np.full(n_levels, 255) if paper is not None else np.rint(255 * amounts)
    return np.array(colors, np.uint8), alphas.astype(np.uint8)


def segments(sheet: Sheet) -> tuple[Points, Points, npt.NDArray[np.int64]]:
    """Every piece of ink in drawing order; a stroke of one point is a segment of no length.

    Returns:
        start (S, 2), end (S, 2), and the number of the stroke each belongs to, (S,).
    """
    starts, ends, owners = [np.zeros((0, 2))], [np.zeros((0, 2))], [np.zeros(0, np.int64)]
    lines = [line for cell in sheet.cells for line in cell.lines]
    for k, line in enumerate(lines):
        starts.append(line[:-1] if len(line) > 1 else line)
        ends.append(line[1:] if len(line) > 1 else line)
        owners.append(np.full(max(len(line) - 1, 1), k))
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(owners)


def draw(canvas: Canvas, start: Points, end: Points, line_width: float) -> None:
    """Add round-capped lines to the canvas, in place.

    Args:
        canvas: coverage.
        start: (S, 2).
        end: (S, 2).
        line_width: pixels.
    """
    flat = canvas.reshape(-1)
    for pixels, cover in touched(canvas.shape, start, end, line_width):
        np.maximum.at(flat, pixels, cover)


def touched(
    shape: tuple[int, ...], start: Points, end: Points, line_width: float
) -> Iterator[tuple[Pixels, Canvas]]:
    """Pixels of a canvas that round-capped lines touch, some several times, and their coverage."""
    reach = line_width / 2 + 0.5  # a pixel's centre this far from the line is just not touched
    window = math.ceil(PIECE + 2 * reach) + 1  # K
    batch = max(CHUNK // window**2, 1)
    for first in range(0, len(start), SEGMENTS):  # memory does not grow with the drawing
        some = slice(first, first + SEGMENTS)
        begin, step = _pieces(start[some], end[some])
        corner = np.floor(np.minimum(begin, begin + step) - reach)  # (S, 2)
        for k in range(0, len(begin), batch):
            piece = slice(k, k + batch)
            yield _stamp(shape, begin[piece], step[piece], corner[piece], window, reach)


def _pieces(start: Points, end: Points) -> tuple[Points, Points]:
    """Lines cut into pieces of at most ``PIECE`` pixels: where each begins, how far it goes."""
    counts = np.maximum(np.ceil(np.hypot(*(end - start).T) / PIECE), 1).astype(np.int64)
    owner = np.repeat(np.arange(len(start)), counts)
    part = (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts))[:, None]
    step = ((end - start) / counts[:, None])[owner]
    return start[owner] + part * step, step


def _stamp(
    shape: tuple[int, ...], begin: Points, step: Points, corner: Points, window: int, reach: float
) -> tuple[Pixels, Canvas]:
    """One piece per window: coverage = clip(half width + 1/2 - distance, 0, 1)."""
    height, width = shape
    offset = (corner - begin).astype(np.float32)[..., None] + np.arange(
        0.5, window, dtype=np.float32
    )  # (S, 2, K): from the piece's begin to the pixel centres, along x and along y
    x, y = offset[:, 0, None, :], offset[:, 1, :, None]  # (S, 1, K), (S, K, 1)
    dx, dy = (step[:, axis, None, None].astype(np.float32) for axis in (0, 1))  # (S, 1, 1)
    square = np.maximum(dx * dx + dy * dy, np.float32(1e-12))
    along = np.clip((x * dx + y * dy) / square, 0, 1)  # (S, K, K)
    distance = np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2)
    cover = np.clip(np.float32(reach) - distance, 0, 1)
    piece, row, column = np.nonzero(cover > 1 / 512)
    value = np.rint(cover[piece, row, column] * 255).astype(np.uint8)
    origin = corner.astype(np.int64)
    row, column = row + origin[piece, 1], column + origin[piece, 0]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return row[inside] * width + column[inside], value[inside]


def captions(sheet: Sheet) -> Canvas:
    """An empty canvas, with the captions and labels on it, and the grounds of marked drawings."""
    if not (any(cell.caption for cell in sheet.cells) or sheet.labels or sheet.marked):
        return np.zeros((sheet.height, sheet.width), np.uint8)
    image = Image.new("L", (sheet.width, sheet.height), 0)
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom in sheet.marked:
        pen.rectangle((left, top, right - 1, bottom - 1), fill=round(255 * MARK_INK))
    for label in sheet.labels:
        font = fonts_for([label.text], label.font_size)(label.text)
        place = (label.left, round(label.baseline))
        pen.text(place, label.text, fill=255, font=font, anchor="ls")
    font_for = fonts_for((cell.caption for cell in sheet.cells), sheet.font_size)
    for cell in sheet.cells:
        if cell.caption:
            font = font_for(cell.caption)
            text = cell.fitted(partial(_fits, font, sheet.caption_width))
            place = (cell.center, round(cell.baseline))
            pen.text(place, text, fill=round(255 * CAPTION_INK), font=font, anchor="ms")
    return np.array(image)


def _fits(font: Font, width: float, text: str) -> bool:
    return len(text) <= 2 * LONGEST and font.getlength(text) <= width
