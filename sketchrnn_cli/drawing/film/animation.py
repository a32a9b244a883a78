"""The pen draws: an animation from a sheet of drawings.

The pen moves at one speed for all ink of the film, rests at every lift, and the last picture
stays for a while. Letters: S segments of ink, K frames, N drawings, P points of a drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.frames import (
    TIP_SIZE,
    Drawn,
    Film,
    Frame,
    Paper,
    Pen,
    Screen,
    Timing,
    box_of,
    hue_at,
    inks_of,
    put_tips,
)
from sketchrnn_cli.drawing.raster import Points, captions, segments
from sketchrnn_cli.drawing.sheet import Cell, Sheet, check_pixels, lay_out
from sketchrnn_cli.drawing.style import FILM_ROOM, Style
from sketchrnn_cli.sketches.sketch import Sketch

LIFT = 0.1  # a pen lift takes as long as this much ink, in cells,
MAX_LIFTS = 0.5  # but all of a drawing's lifts at most this part of its ink
SECONDS = 4.0  # drawn without --duration, all at once,
SECONDS_IN_TURN = 2.0  # or each drawing in turn


def shoot(sketches: Iterable[Sketch], style: Style, timing: Timing, pen: Pen | None = None) -> Film:
    """Plan an animation; nothing is drawn until its frames are asked for.

    Raises:
        BadSketch: no drawings.
        BadConfig: more pixels than an animation should have.
    """
    pen = pen or Pen()
    sheet = lay_out(sketches, style)
    check_pixels(sheet, FILM_ROOM)
    in_turn = SECONDS_IN_TURN * len(sheet.cells) if timing.in_turn else SECONDS
    seconds = min(in_turn, 3600) if timing.duration is None else timing.duration
    n_frames = max(int(seconds * timing.fps + 1e-9), 1)  # none shorter than 1 / fps
    drawn = round(100 * seconds)  # ticks
    moments = np.rint(np.linspace(0, drawn, n_frames + 1)).astype(np.int64)
    ticks = np.diff(moments)
    ticks[-1] += round(100 * timing.hold)
    begins, ends = schedule(sheet, in_turn=timing.in_turn)
    speed = (float(ends.max(initial=0.0)) or 1.0) / seconds  # pixels a second
    inks = inks_of(style, pen)
    hues = np.zeros(len(begins), np.int64)
    if pen.color_by == "stroke":
        n_colors = len(inks) - 1 - pen.tip
        each = [np.arange(len(cell.lines)) % n_colors for cell in sheet.cells]  # of its strokes
        counts = [_n_segments(cell) for cell in sheet.cells]
        hues = 1 + np.repeat(np.concatenate(each), np.concatenate(counts).astype(np.int64))
    scene = Drawn(sheet, begins / speed, ends / speed, hues, seconds, pen)
    erases = pen.tip and style.paper() is None  # what has no colour covers no tip
    return Film(
        sheet.width,
        sheet.height,
        len(sheet.cells),
        n_frames,
        timing.fps,
        int(ticks.sum()) / 100,
        style,
        inks,
        scene,
        _expose(scene, ticks, len(inks), erases=erases),
        erases,
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


def path_of_pen(scene: Drawn) -> Iterator[tuple[npt.NDArray[np.float64], Points]]:
    """For every drawing with ink, seconds (P,) and the pen's places then, (P, 2); lifted as well.

    Between two strokes it goes straight to where the next one begins.
    """
    first = 0
    for cell in scene.sheet.cells:
        times, places = [], []
        for line in cell.lines:
            n = max(len(line) - 1, 1)
            here = slice(first, first + n)
            times += [scene.begins[here][:1], scene.ends[here]]
            places += [line[:1], line[1:] if len(line) > 1 else line]
            first += n
        if times:
            yield np.concatenate(times), np.concatenate(places)


def hues_of(scene: Drawn, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Which ink each segment has at these moments of its own, (S,) seconds."""
    if scene.pen.color_by != "time":
        return scene.hues
    begin, length, first = np.zeros(len(moments)), np.ones(len(moments)), 0
    for cell in scene.sheet.cells:
        here = slice(first, first + sum(_n_segments(cell)))
        first = here.stop
        if len(moments[here]):
            begin[here] = scene.begins[here].min()
            length[here] = scene.ends[here].max() - scene.begins[here].min() or 1.0
    return hue_at((moments - begin) / length)


def _n_segments(cell: Cell) -> list[int]:
    return [max(len(line) - 1, 1) for line in cell.lines]


def _expose(
    scene: Drawn, ticks: npt.NDArray[np.int64], n_inks: int, *, erases: bool
) -> Iterator[Frame]:
    """Draw the ink of every frame, and only that."""
    sheet, pen = scene.sheet, scene.pen
    start, end, _ = segments(sheet)
    order = np.argsort(scene.begins, kind="stable")
    start, end, begins, ends = start[order], end[order], scene.begins[order], scene.ends[order]
    length = np.where(ends > begins, ends - begins, 1)[:, None]
    paper = Paper(captions(sheet), n_inks)
    shape = paper.cover.shape
    screen = Screen(erases=erases)
    longest = float((ends - begins).max(initial=0.0))
    tips = list(path_of_pen(scene)) if pen.tip else []
    tip_size = TIP_SIZE * sheet.line_width
    shown = np.zeros((0, 2))  # tips of the frame before
    reach = max(sheet.line_width, tip_size if pen.tip else 0) / 2
    for k, duration in enumerate(ticks.tolist()):
        since = scene.seconds * k / len(ticks)
        until = scene.seconds * (k + 1) / len(ticks) if k + 1 < len(ticks) else math.inf
        # Segments under way begin after since - longest and before until.
        low = int(np.searchsorted(begins, since - longest))
        high = int(np.searchsorted(begins, until))
        now = np.arange(low, high)
        now = now[(ends[low:high] > since) | (begins[low:high] >= since)]
        move = (end - start)[now] / length[now]
        head = start[now] + move * np.clip(until - begins[now], 0, length[now, 0])[:, None]
        tail = start[now] + move * np.clip(since - begins[now], 0, length[now, 0])[:, None]
        if len(now):
            hues = np.zeros(len(now), np.int64)
            if n_inks > 1:
                moments = np.clip((since + min(until, scene.seconds)) / 2, scene.begins, scene.ends)
                hues = hues_of(scene, moments)[order[now]]
            paper.add(tail, head, hues, sheet.line_width)
        before, shown = shown, _tips_at(tips, until)
        touched = np.concatenate([tail, head, before, shown])
        if k > 0 and not len(touched):
            yield screen.rest(duration)
            continue
        whole = slice(0, shape[0]), slice(0, shape[1])
        rows, columns = box_of(touched, reach, shape) if k else whole
        pixels = paper.pixels(rows, columns)
        if len(shown):
            put_tips(pixels, shown - [columns.start, rows.start], tip_size, n_inks - 1)
        yield screen.show(pixels, columns.start, rows.start, duration)


def _tips_at(tips: list[tuple[npt.NDArray[np.float64], Points]], now: float) -> Points:
    """Where the pens are that draw at this moment, (N, 2)."""
    places = [
        [np.interp(now, times, places[:, axis]) for axis in (0, 1)]
        for times, places in tips
        if times[0] <= now < times[-1]
    ]
    return np.array(places).reshape(-1, 2)
