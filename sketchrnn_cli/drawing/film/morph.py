"""One drawing turns into the next, there and back: an animation of morphs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.frames import Film, Frame, MorphScene, Screen, Timing
from sketchrnn_cli.drawing.film.matching import match
from sketchrnn_cli.drawing.film.pen import Paper
from sketchrnn_cli.drawing.raster import captions, segments
from sketchrnn_cli.drawing.sheet import caption_of, check_pixels, lay_out
from sketchrnn_cli.drawing.style import FILM_ROOM, Style
from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.sketch import MORPH, Sketch

FAR = 0.15  # ink that moves this much of a cell has become another drawing:
SECONDS_FAR = 1.2  # a morph without --duration takes that time for it, each way,
SECONDS_MORPH = (4.0, 10.0)  # but at least and at most this in all
MAX_KEYFRAMES = 1000
CAPTION_STEPS = 10  # of a morph from one word to another


def plan_morph(sketches: Iterable[Sketch], style: Style, timing: Timing) -> Film:
    """Plan an animation in which every drawing turns into the next, there and back.

    The drawings share one place, each fitted into it as its still picture is. Ink moves at one
    speed, so drawings that differ more take longer; it comes to rest at the first and the last
    drawing, each held for ``timing.hold``, and slows down at those between that differ much.

    Raises:
        BadSketch: fewer than two drawings, or more than ``MAX_KEYFRAMES``.
        BadConfig: more pixels than an animation should have.
    """
    drawings = [
        Sketch(s.strokes, s.word, {MORPH: s.morph} if s.morph else {})
        for s in islice(sketches, MAX_KEYFRAMES + 1)
    ]
    if len(drawings) < 2:
        raise BadSketch(f"a morph needs at least two drawings, not {len(drawings)}")
    if len(drawings) > MAX_KEYFRAMES:
        raise BadSketch(f"more than {MAX_KEYFRAMES:,} drawings for one morph; take fewer with -n")
    sheets = [lay_out([drawing], style) for drawing in drawings]  # no seed in the caption
    height = max(sheet.height for sheet in sheets)
    sheets = [replace(sheet, height=height) for sheet in sheets]
    check_pixels(sheets[0], FILM_ROOM)
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
    clock, speeds = pace(ways)
    names = tuple(map(caption_of, drawings))
    scene = MorphScene(
        tuple(sheets), names, tuple(morphs), clock / clock[-1], speeds, seconds, hold=timing.hold
    )
    replaces = style.paper() is None
    there = progress(ways, half)
    return Film(
        sheets[0].width,
        height,
        len(sheets),
        2 * half,
        timing.fps,
        int(ticks.sum()) / 100,
        style,
        (style.ink(),),
        scene,
        _turn(scene, [*there, *there[-2:0:-1]], ticks, replaces=replaces),
        replaces,
    )


def pace(
    ways: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """When each drawing is reached, and how fast the ink is there, (drawings,) each.

    Args:
        ways: how far each drawing is from the next; 1 is far.
    """
    times = ways + 0.1 * ways.mean() + 1e-9  # even equal drawings take their moment
    between = 1 - np.minimum((ways[1:] + ways[:-1]) / 2, 1)
    speeds = np.concatenate([[0.0], between, [0.0]])  # 1 is that of the whole
    return np.concatenate([[0.0], np.cumsum(times)]), speeds


def eased(
    x: npt.NDArray[np.float64],
    begin: float | npt.NDArray[np.float64],
    end: float | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Part of the way after this part of the time, with these speeds at its ends: cubic Hermite."""
    part = x * (begin + x * (3 - 2 * begin - end + x * (begin + end - 2)))
    return np.clip(part, 0, 1)


def progress(ways: npt.NDArray[np.float64], n_steps: int) -> list[tuple[int, float]]:
    """Where a morph is at ``n_steps`` + 1 moments: number of the drawing left, part of the way.

    Args:
        ways: how far each drawing is from the next; 1 is far.
        n_steps: from the first drawing, (0, 0.0), to the last, (drawings - 2, 1.0).
    """
    clock, speeds = pace(ways)
    now = clock[-1] * np.arange(n_steps + 1) / n_steps
    k = np.minimum(np.searchsorted(clock, now, "right") - 1, len(ways) - 1)
    x = np.minimum((now - clock[k]) / np.diff(clock)[k], 1)
    part = eased(x, speeds[k], speeds[k + 1])
    part[-1] = 1.0
    return list(zip(k.tolist(), part.tolist(), strict=True))


def caption_at(scene: MorphScene, k: int, step: int) -> str:
    """Caption of drawing k that is on its way to the next: how far it is, in ``CAPTION_STEPS``."""
    old, new = scene.captions[k : k + 2]
    one, other = (scene.sheets[k + i].cells[0].sketch for i in (0, 1))
    if (before := one.morph) and (after := other.morph):
        begin = before[2] if before[:2] == after[:2] else 0.0
        part = begin + (after[2] - begin) * step / CAPTION_STEPS
        part = math.floor(part * CAPTION_STEPS + 0.5) / CAPTION_STEPS
        return caption_of(Sketch((), None, {MORPH: (*after[:2], part)}))
    if old and new and old != new and 0 < step < CAPTION_STEPS:
        return f"{old} to {new} {100 * step // CAPTION_STEPS} %"
    return new if 2 * step > CAPTION_STEPS else old


def _turn(
    scene: MorphScene,
    places: Sequence[tuple[int, float]],
    ticks: npt.NDArray[np.int64],
    *,
    replaces: bool,
) -> Iterator[Frame]:
    """Draw every frame of a morph: the whole picture, of which the changes are kept."""
    screen = Screen((scene.sheets[0].height, scene.sheets[0].width), replaces=replaces)
    blank = np.zeros((0, 0), np.uint8)
    shows = any(sheet.cells[0].caption for sheet in scene.sheets)
    caption: str | None = None
    for (k, part), duration in zip(places, ticks.tolist(), strict=True):
        nearer = scene.sheets[k + round(part)]
        text = caption_at(scene, k, math.floor(part * CAPTION_STEPS + 0.5))
        if text != caption:
            cell = replace(nearer.cells[0], caption=text if shows else "")
            caption, blank = text, captions(replace(nearer, cells=(cell,)))
        paper = Paper(blank.copy(), 1)
        start, end = segments(nearer)[:2] if part in (0, 1) else scene.morphs[k].at(part)
        paper.add(start, end, np.zeros(len(start), np.int64), nearer.line_width)
        yield replace(screen.show(paper.picture(), duration), caption=text)
