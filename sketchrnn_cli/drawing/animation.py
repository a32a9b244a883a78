"""The pen draws, or one drawing turns into the next: an animated GIF from a stream of frames.

A frame is the box that changed and nothing else, so time, memory and bytes follow the new ink.
The frames are put into the file here, one by one, because Pillow's and imageio's writers keep
every frame until the last; each frame's encoding is Pillow's. Memory is that of one picture,
however long the animation.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.GifImagePlugin import getdata

from sketchrnn_cli.drawing.morph import Morph, match
from sketchrnn_cli.drawing.raster import Canvas, captions, draw, ramp, segments
from sketchrnn_cli.drawing.sheet import Sheet, Style, check_pixels, lay_out
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.sketch import Sketch

LEVELS = 15  # shades from paper to ink; with the next one a palette of four bits
UNCHANGED = LEVELS  # palette entry that lets the frame before shine through
MAX_PIXELS = 16_000_000
MAX_SIDE = 65_535  # of a GIF
MAX_TICKS = 65_535  # of one frame; longer holds are repeated
LIFT = 0.1  # a pen lift takes as long as this much ink, in cells,
MAX_LIFTS = 0.5  # but all of a drawing's lifts at most this part of its ink
SECONDS = 4.0  # drawn without --duration, all at once,
SECONDS_IN_TURN = 2.0  # or each drawing in turn
FAR = 0.15  # ink that moves this much of a cell has become another drawing:
SECONDS_FAR = 1.2  # a morph without --duration takes that time for it, each way,
SECONDS_MORPH = (4.0, 10.0)  # but at least and at most this in all
MAX_KEYFRAMES = 1000


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


@dataclass(frozen=True, slots=True)
class Frame:
    """What is new on the paper, and for how long it stays."""

    left: int
    top: int
    levels: Canvas  # (height, width) of the box, 0 paper to LEVELS - 1 ink
    changed: npt.NDArray[np.bool_]  # (height, width): not as in the frame before
    ticks: int  # hundredths of a second


@dataclass(frozen=True, slots=True)
class Film:
    """An animation before it is a file. ``frames`` can be gone through once."""

    width: int
    height: int
    n_drawings: int
    n_frames: int  # at most: moments at which nothing moves lengthen the frame before
    seconds: float
    style: Style
    frames: Iterator[Frame]
    erases: bool = False  # every frame is a whole picture, and goes before the next one comes


def shoot(sketches: Iterable[Sketch], style: Style, timing: Timing) -> Film:
    """Plan an animation; nothing is drawn until its frames are asked for.

    The pen moves at one speed for all ink of the film, rests at every lift, and the last frame
    holds the finished picture.

    Raises:
        BadSketch: no drawings.
        BadConfig: more pixels than an animation should have.
    """
    sheet = lay_out(sketches, style)
    check_pixels(sheet, limit=MAX_PIXELS, side=MAX_SIDE)
    in_turn = SECONDS_IN_TURN * len(sheet.cells) if timing.in_turn else SECONDS
    seconds = min(in_turn, 3600) if timing.duration is None else timing.duration
    n_frames = max(int(seconds * timing.fps + 1e-9), 1)  # none shorter than 1 / fps
    drawn = round(100 * seconds)  # ticks
    moments = np.rint(np.linspace(0, drawn, n_frames + 1)).astype(np.int64)
    ticks = np.diff(moments)
    ticks[-1] += round(100 * timing.hold)
    frames = _merge(_expose(sheet, ticks, in_turn=timing.in_turn))
    return Film(
        sheet.width,
        sheet.height,
        len(sheet.cells),
        n_frames,
        int(ticks.sum()) / 100,
        style,
        frames,
    )


def schedule(
    sheet: Sheet, *, in_turn: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """When the pen begins and ends every segment, (S,) each, in pixels of ink; see ``segments``."""
    begins, ends, clock = [np.zeros(0)], [np.zeros(0)], 0.0
    for cell in sheet.cells:
        lengths = [np.hypot(*np.diff(line, axis=0).T) for line in cell.lines]
        lengths = [length if len(length) else np.zeros(1) for length in lengths]  # a dot
        ink = float(sum(length.sum() for length in lengths))
        rest = LIFT * sheet.cell_size
        if ink > 0:
            rest = min(rest, MAX_LIFTS * ink / len(lengths))
        now = clock
        for length in lengths:
            end = now + np.cumsum(length)
            ends.append(end)
            begins.append(end - length)
            now = float(end[-1]) + rest
        clock = now if in_turn else 0.0
    return np.concatenate(begins), np.concatenate(ends)


def shoot_morph(sketches: Iterable[Sketch], style: Style, timing: Timing) -> Film:
    """Plan an animation in which every drawing turns into the next, and all the way back.

    The drawings share one place, each fitted into it as its still picture is. Ink moves at one
    speed, so drawings that differ more take longer; it comes to rest at the first and the last
    drawing, each held for ``timing.hold``, and slows down at those between that differ much.

    Raises:
        BadSketch: fewer than two drawings, or more than ``MAX_KEYFRAMES``.
        BadConfig: more pixels than an animation should have.
    """
    drawings = [Sketch(s.strokes, s.word) for s in islice(sketches, MAX_KEYFRAMES + 1)]
    if len(drawings) < 2:
        raise BadSketch(f"a morph needs at least two drawings, not {len(drawings)}")
    if len(drawings) > MAX_KEYFRAMES:
        raise BadSketch(f"more than {MAX_KEYFRAMES} drawings for one morph; take fewer with -n")
    sheets = [lay_out([drawing], style) for drawing in drawings]  # the word alone is the caption
    height = max(sheet.height for sheet in sheets)
    sheets = [replace(sheet, height=height) for sheet in sheets]
    check_pixels(sheets[0], limit=MAX_PIXELS, side=MAX_SIDE)
    lines = [sheet.cells[0].lines for sheet in sheets]
    morphs = [match(old, new) for old, new in zip(lines, lines[1:], strict=False)]
    ways = np.array([morph.way() for morph in morphs]) / (FAR * sheets[0].cell_size)
    least, most = SECONDS_MORPH
    by_change = min(max(2 * SECONDS_FAR * float(ways.sum()), least), most)
    seconds = by_change if timing.duration is None else timing.duration
    half = max(int(seconds * timing.fps / 2 + 1e-9), 1)  # frames of one way
    moments = np.rint(np.linspace(0, round(100 * seconds), 2 * half + 1)).astype(np.int64)
    ticks = np.diff(moments)
    ticks[[0, half]] += round(100 * timing.hold)
    there = progress(ways, half)
    erases = style.paper() is None
    frames = _merge(_turn(sheets, morphs, [*there, *there[-2:0:-1]], ticks, erases=erases))
    film = Film(
        sheets[0].width, height, len(sheets), 2 * half, int(ticks.sum()) / 100, style, frames
    )
    return replace(film, erases=erases)


def progress(ways: npt.NDArray[np.float64], n_steps: int) -> list[tuple[int, float]]:
    """Where a morph is at ``n_steps`` + 1 moments: number of the drawing left, part of the way.

    Args:
        ways: how far each drawing is from the next; 1 is far.
        n_steps: from the first drawing, (0, 0.0), to the last, (drawings - 2, 1.0).
    """
    times = ways + 0.1 * ways.mean() + 1e-9  # even equal drawings take their moment
    clock = np.concatenate([[0.0], np.cumsum(times)])
    between = 1 - np.minimum((ways[1:] + ways[:-1]) / 2, 1)
    speed = np.concatenate([[0.0], between, [0.0]])  # at every drawing; 1 is that of the whole
    now = clock[-1] * np.arange(n_steps + 1) / n_steps
    k = np.minimum(np.searchsorted(clock, now, "right") - 1, len(ways) - 1)
    x, begin, end = np.minimum((now - clock[k]) / times[k], 1), speed[k], speed[k + 1]
    part = x * (begin + x * (3 - 2 * begin - end + x * (begin + end - 2)))  # cubic Hermite
    part[-1] = 1.0
    return list(zip(k.tolist(), np.clip(part, 0, 1).tolist(), strict=True))


def _turn(
    sheets: Sequence[Sheet],
    morphs: Sequence[Morph],
    places: Iterable[tuple[int, float]],
    ticks: npt.NDArray[np.int64],
    *,
    erases: bool,
) -> Iterator[Frame]:
    """Draw every frame of a morph: the whole picture, of which the changes are kept."""
    level = np.rint(np.arange(256) * (LEVELS - 1) / 255).astype(np.uint8)
    blank = shown = np.zeros((0, 0), np.uint8)
    caption: str | None = None
    for (k, part), duration in zip(places, ticks.tolist(), strict=True):
        nearer = sheets[k + round(part)]
        if nearer.cells[0].caption != caption:
            caption, blank = nearer.cells[0].caption, captions(nearer)
        canvas = blank.copy()
        start, end = segments(nearer)[:2] if part in (0, 1) else morphs[k].at(part)
        draw(canvas, start, end, nearer.line_width)
        first, new = not shown.size, level[canvas]
        if first or (erases and (new != shown).any()):
            shown = new.copy()
            yield Frame(0, 0, new, np.ones_like(new, bool), duration)
        else:
            yield _difference(canvas, shown, level, (0, 0, *canvas.shape[::-1]), duration)


def _expose(sheet: Sheet, ticks: npt.NDArray[np.int64], *, in_turn: bool) -> Iterator[Frame]:
    """Draw the ink of every frame, and only that."""
    level = np.rint(np.arange(256) * (LEVELS - 1) / 255).astype(np.uint8)
    start, end, _ = segments(sheet)
    begins, ends = schedule(sheet, in_turn=in_turn)
    order = np.argsort(begins, kind="stable")
    start, end, begins, ends = start[order], end[order], begins[order], ends[order]
    length = np.where(ends > begins, ends - begins, 1)[:, None]
    canvas = captions(sheet)  # coverage so far
    shown = level[canvas]  # levels on the paper so far
    last = float(ends.max(initial=0.0))
    reach = sheet.line_width / 2 + 1
    longest = float((ends - begins).max(initial=0.0))
    for k, duration in enumerate(ticks.tolist()):
        since = last * k / len(ticks)
        until = last * (k + 1) / len(ticks) if k + 1 < len(ticks) else math.inf
        # Segments under way begin after since - longest and before until.
        low = int(np.searchsorted(begins, since - longest))
        high = int(np.searchsorted(begins, until))
        now = np.arange(low, high)
        now = now[(ends[low:high] > since) | (begins[low:high] >= since)]
        move = (end - start)[now] / length[now]
        head = start[now] + move * np.clip(until - begins[now], 0, length[now, 0])[:, None]
        tail = start[now] + move * np.clip(since - begins[now], 0, length[now, 0])[:, None]
        draw(canvas, tail, head, sheet.line_width)
        if k == 0:
            shown = level[canvas]
            yield Frame(0, 0, shown.copy(), np.ones_like(shown, bool), duration)
        elif len(now):
            both = np.concatenate([tail, head])
            left, top = np.maximum(np.floor(both.min(0) - reach), 0).astype(int).tolist()
            right, bottom = np.ceil(both.max(0) + reach).astype(int).tolist()
            yield _difference(canvas, shown, level, (left, top, right, bottom), duration)
        else:
            yield Frame(0, 0, shown[:0, :0], np.zeros((0, 0), bool), duration)


def _difference(
    canvas: Canvas,
    shown: Canvas,
    level: Canvas,
    box: tuple[int, int, int, int],
    ticks: int,
) -> Frame:
    """The smallest box of new levels inside ``box``; ``shown`` follows."""
    left, top, right, bottom = box
    new = level[canvas[top:bottom, left:right]]
    changed = new != shown[top:bottom, left:right]
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return Frame(0, 0, new[:0, :0], changed[:0, :0], ticks)
    shown[top:bottom, left:right] = new
    y, x = int(rows[0]), int(columns[0])
    area = slice(y, int(rows[-1]) + 1), slice(x, int(columns[-1]) + 1)
    return Frame(left + x, top + y, new[area], changed[area], ticks)


def _merge(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Moments at which nothing changes lengthen the frame before."""
    before = next(frames)
    for frame in frames:
        if not frame.levels.size and before.ticks + frame.ticks <= MAX_TICKS:
            before = replace(before, ticks=before.ticks + frame.ticks)
            continue
        yield before
        before = frame if frame.levels.size else replace(before, ticks=frame.ticks)  # once more
    yield before


def write_gif(stream: BinaryIO, film: Film) -> None:
    """GIF 89a. Where the paper is transparent, the edges of lines are mixed for a plain page."""
    style, faintest = film.style, 0
    if style.paper() is None:
        faintest = LEVELS // 3  # a pixel is there or not: drop the faint rim
        style = replace(style, background="black" if sum(style.ink()) > 480 else "white")
    colors, _ = ramp(style, LEVELS)
    stream.write(b"GIF89a" + struct.pack("<HHBBB", film.width, film.height, 0xF3, 0, 0))
    stream.write(colors.tobytes() + bytes(3))  # 16 colours
    stream.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # again and again
    for frame in film.frames:
        visible = frame.changed & (frame.levels >= faintest)
        image = _indexed(np.where(visible, frame.levels, UNCHANGED).astype(np.uint8))
        stream.writelines(
            getdata(
                image,
                (frame.left, frame.top),
                duration=10 * frame.ticks,
                transparency=UNCHANGED,
                disposal=2 if film.erases else 1,  # goes, or stays
            )
        )
    stream.write(b";")


def _indexed(levels: Canvas) -> Image.Image:
    height, width = levels.shape
    image = Image.frombuffer("P", (width, height), levels.tobytes(), "raw", "P", 0, 1)
    image.putpalette(bytes(3 * (LEVELS + 1)))  # the file's own is written once, in its header
    return image
