"""The pen draws: an animation from a sheet of drawings.

The pen moves at one speed for all ink of the film and rests at every lift, or it moves as it was
moved when the drawing was recorded. The last picture stays for a while.

Symbols: S segments of ink, K frames, N drawings, P points of a drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.frames import Film, Frame, PenScene, Screen, Timing
from sketchrnn_cli.drawing.film.pen import TIP_SIZE, Inks, Paper, Pen, Tips, inks_of
from sketchrnn_cli.drawing.raster import Points, added_strokes, captions, segments
from sketchrnn_cli.drawing.sheet import Cell, Sheet, check_pixels, lay_out
from sketchrnn_cli.drawing.style import FILM_ROOM, Style
from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.sketch import Sketch

LIFT = 0.1  # a pen lift takes as long as this much ink, in cells,
MAX_LIFTS = 0.5  # but all of a drawing's lifts at most this part of its ink
SECONDS = 4.0  # drawn without --duration, all at once,
SECONDS_IN_TURN = 2.0  # or each drawing in turn
SHORTEST, LONGEST = 0.1, 3600.0  # seconds
REST = 0.5  # seconds between drawings in real time


def plan(sketches: Iterable[Sketch], style: Style, timing: Timing, pen: Pen | None = None) -> Film:
    """Plan an animation; nothing is drawn until its frames are asked for.

    Raises:
        BadSketch: no drawings; or, in real time, one without times or of more than an hour.
        BadConfig: more pixels than an animation should have.
    """
    pen = pen or Pen()
    sheet = lay_out(sketches, style)
    check_pixels(sheet, FILM_ROOM)
    if timing.real_time:
        begins, ends = recorded(sheet, in_turn=timing.in_turn)
        seconds = max(float(ends.max(initial=0.0)), SHORTEST)
    else:
        in_turn = SECONDS_IN_TURN * len(sheet.cells) if timing.in_turn else SECONDS
        seconds = min(in_turn, LONGEST) if timing.duration is None else timing.duration
        begins, ends = schedule(sheet, in_turn=timing.in_turn)
        speed = (float(ends.max(initial=0.0)) or 1.0) / seconds  # pixels per second
        begins, ends = begins / speed, ends / speed
    n_frames = max(int(seconds * timing.fps + 1e-9), 1)  # none shorter than 1 / fps
    drawn = round(100 * seconds)  # ticks
    moments = np.rint(np.linspace(0, drawn, n_frames + 1)).astype(np.int64)
    ticks = np.diff(moments)
    ticks[-1] += round(100 * timing.hold)
    inks = inks_of(style, pen, added=bool(added_strokes(sheet).any()))
    scene = _scene(sheet, begins, ends, seconds, pen, len(inks) - 1 - pen.tip)
    replaces = pen.tip and style.paper() is None  # what has no colour covers no tip
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
        _expose(scene, ticks, len(inks), replaces=replaces),
        replaces,
    )


def _scene(
    sheet: Sheet,
    begins: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    seconds: float,
    pen: Pen,
    n_colors: int,
) -> PenScene:
    """What each segment is coloured by: the number of its stroke, or the time of its drawing."""
    none = np.zeros(0)
    if pen.color_by is None:
        inks = added_strokes(sheet)[segments(sheet)[2]].astype(np.uint8)
        return PenScene(sheet, begins, ends, inks, none, none, seconds, pen)
    if pen.color_by == "stroke":
        each = [np.arange(len(cell.lines)) % n_colors for cell in sheet.cells]  # of its strokes
        counts = [_n_segments(cell) for cell in sheet.cells]
        of_strokes = np.repeat(np.concatenate(each), np.concatenate(counts).astype(np.int64))
        inks = (1 + of_strokes).astype(np.uint8)
        return PenScene(sheet, begins, ends, inks, none, none, seconds, pen)
    drawn_from, drawn_for, first = np.zeros(len(begins)), np.ones(len(begins)), 0
    for cell in sheet.cells:
        here = slice(first, first + sum(_n_segments(cell)))
        first = here.stop
        if cell.lines:
            drawn_from[here] = begins[here].min()
            drawn_for[here] = ends[here].max() - begins[here].min() or 1.0
    inks = np.zeros(0, np.uint8)
    return PenScene(sheet, begins, ends, inks, drawn_from, drawn_for, seconds, pen)


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


def recorded(
    sheet: Sheet, *, in_turn: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """When the pen began and ended every segment, (S,) each, in seconds.

    Raises:
        BadSketch: a drawing without times, or they come to more than an hour.
    """
    begins, ends, clock = [np.zeros(0)], [np.zeros(0)], 0.0
    for number, cell in enumerate(sheet.cells, start=1):
        if cell.sketch.times is None:
            raise BadSketch(
                f"drawing {number:,} has no times, which raw drawings have; leave out --real-time"
            )
        now = clock
        for line, times in zip(cell.lines, _seconds(cell.sketch.times), strict=True):
            places = np.linspace(0, len(times) - 1, len(line))  # smooth lines have more points
            moments = clock + np.interp(places, np.arange(len(times)), times)
            begins.append(moments[:-1] if len(line) > 1 else moments)
            ends.append(moments[1:] if len(line) > 1 else moments)
            now = float(moments[-1])
        clock = now + REST if in_turn else 0.0
        if now > LONGEST:
            raise BadSketch(
                f"drawing {number:,} ends after {now / 3600:.1f} hours, of which a film lasts one; "
                "leave out --real-time"
            )
    return np.concatenate(begins), np.concatenate(ends)


def _seconds(times: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[np.float64]]:
    """Times of every stroke in seconds from the first, never falling.

    A stroke that begins before the last one ended, as where each counts from 0, follows at once.
    No pen reports points less than a millisecond apart: then the unit is a second.
    """
    steps = np.concatenate([np.diff(each) for each in times])
    steps = steps[steps > 0]
    unit = 1.0 if len(steps) and np.median(steps) < 1 else 1e-3
    result, end, shift = [], 0.0, float(times[0][0])
    for each in times:
        moments = np.maximum.accumulate((each - shift) * unit)
        if moments[0] < end:
            shift -= (end - moments[0]) / unit
            moments = moments - moments[0] + end
        result.append(moments)
        end = float(moments[-1])
    return result


def path_of_pen(scene: PenScene) -> Iterator[tuple[npt.NDArray[np.float64], Points]]:
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


def _n_segments(cell: Cell) -> list[int]:
    return [max(len(line) - 1, 1) for line in cell.lines]


def _expose(
    scene: PenScene, ticks: npt.NDArray[np.int64], n_inks: int, *, replaces: bool
) -> Iterator[Frame]:
    """Draw the ink of every frame, and only that."""
    sheet, pen = scene.sheet, scene.pen
    way = _Way(scene)
    paper = Paper(captions(sheet), n_inks)
    screen = Screen(paper.shape, replaces=replaces)
    tips = Tips(paper.shape, TIP_SIZE * sheet.line_width, n_inks - 1)
    tip_paths = list(path_of_pen(scene)) if pen.tip else []
    for k, duration in enumerate(ticks.tolist()):
        since = scene.seconds * k / len(ticks)
        until = scene.seconds * (k + 1) / len(ticks) if k + 1 < len(ticks) else math.inf
        tail, head, inks = way.between(since, until)
        pixels = paper.add(tail, head, inks, sheet.line_width)
        if pen.tip:
            before = tips.pixels
            tips.move(_tips_at(tip_paths, until))
            pixels = np.concatenate([pixels, before, tips.pixels])
        if k == 0:
            pixels = np.arange(math.prod(paper.shape))
        colors = paper.at(pixels)
        if pen.tip:
            colors = tips.over(pixels, colors)
        if k == 0:
            yield screen.show(colors.reshape(paper.shape), duration)
        else:
            yield screen.update(pixels, colors, duration)


class _Way:
    """The segments of a scene in the order of time."""

    def __init__(self, scene: PenScene) -> None:
        self._scene = scene
        start, end, _ = segments(scene.sheet)
        self._order = np.argsort(scene.begins, kind="stable")
        self._start, self._end = start[self._order], end[self._order]
        self._begins, self._ends = scene.begins[self._order], scene.ends[self._order]
        self._longest = float((self._ends - self._begins).max(initial=0.0))

    def between(self, since: float, until: float) -> tuple[Points, Points, Inks]:
        """The ink that flows then: where each piece begins and ends, and the index of its ink."""
        # Segments under way begin after since - longest and before until.
        low = int(np.searchsorted(self._begins, since - self._longest))
        high = int(np.searchsorted(self._begins, until))
        now = np.arange(low, high)
        now = now[(self._ends[low:high] > since) | (self._begins[low:high] >= since)]
        start, begins, ends = self._start[now], self._begins[now], self._ends[now]
        length = np.where(ends > begins, ends - begins, 1)
        move = (self._end[now] - start) / length[:, None]
        head = start + move * np.clip(until - begins, 0, length)[:, None]
        tail = start + move * np.clip(since - begins, 0, length)[:, None]
        moments = np.clip((since + min(until, self._scene.seconds)) / 2, begins, ends)
        return tail, head, self._scene.inks_at(moments, self._order[now])


def _tips_at(tips: list[tuple[npt.NDArray[np.float64], Points]], now: float) -> Points:
    """Where the pens are that draw at this moment, (N, 2)."""
    places = [
        [np.interp(now, times, places[:, axis]) for axis in (0, 1)]
        for times, places in tips
        if times[0] <= now < times[-1]
    ]
    return np.array(places).reshape(-1, 2)
