"""Animated SVG: strokes drawn by dash offset, morphs by their paths. Small, sharp, and it loops.

Animation elements (SMIL), which browsers play inside of pictures as well. What does not know them
sees the finished drawing, or the first one of a morph. Symbols: S segments, K points of a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.animation import path_of_pen
from sketchrnn_cli.drawing.film.frames import Film, MorphScene, PenScene
from sketchrnn_cli.drawing.film.matching import Morph
from sketchrnn_cli.drawing.film.morph import CAPTION_STEPS, caption_at, eased
from sketchrnn_cli.drawing.film.pen import TIP_SIZE
from sketchrnn_cli.drawing.raster import Points
from sketchrnn_cli.drawing.style import hexadecimal
from sketchrnn_cli.drawing.svg import caption_line, document, escape, number, path_data

Moments = npt.NDArray[np.float64]

HIDDEN = "1.5"  # dash offset at which no part of a dash of 1 is on a path of length 1
ON_THE_WAY = 200  # moments at which a morph is looked at to find its middle


def write(stream: BinaryIO, film: Film) -> None:
    """One loop lasts as long as the film."""
    scene = film.scene
    if isinstance(scene, MorphScene):
        body, captions = list(_turned(film, scene)), []
        if film.style.captions:
            captions = list(_turned_captions(film, scene))
        text = document(scene.sheets[0], film.style, body, captions=captions)
    else:
        body = list(_drawn(film, scene))
        after = list(_tips(film, scene)) if scene.pen.tip else []
        dashes = ' stroke-dasharray="1 2"'
        text = document(scene.sheet, film.style, body, ink=dashes, after=after)
    stream.write(text.encode())


def _drawn(film: Film, scene: PenScene) -> Iterator[str]:
    """Every drawing, each of its paths with the time of its ink."""
    first = 0
    middles = (scene.begins + scene.ends) / 2
    inks = scene.inks_at(middles, slice(None))
    for cell in scene.sheet.cells:
        word = cell.sketch.word
        yield f'<g data-word="{escape(word)}">' if word else "<g>"
        for line in cell.lines:
            n = max(len(line) - 1, 1)
            for ink, group in groupby(range(n), key=lambda k: int(inks[first + k])):  # noqa: B023
                piece = list(group)
                begin, end = scene.begins[first + piece[0]], scene.ends[first + piece[-1]]
                color = f' stroke="{hexadecimal(film.inks[ink])}"' if ink else ""
                data = path_data(line[piece[0] : piece[-1] + 2])
                yield (
                    f'<path pathLength="1"{color} d="{data}">'
                    f"{_reveal(begin / film.seconds, end / film.seconds, film.seconds)}</path>"
                )
            first += n
        yield "</g>"


def _reveal(begin: float, end: float, seconds: float) -> str:
    """Ink flows into a path between these parts of the loop."""
    moments, values = [begin, begin, end, 1.0], [HIDDEN, "1", "0", "0"]
    if end <= begin:  # a dot
        moments, values = [begin, begin, 1.0], [HIDDEN, "0", "0"]
    if begin > 0:
        moments, values = [0.0, *moments], [HIDDEN, *values]
    else:
        moments, values = moments[1:], values[1:]
    return _animate("stroke-dashoffset", moments, values, seconds)


def _animate(
    name: str, moments: list[float], values: list[str], seconds: float, more: str = ""
) -> str:
    times = ";".join(map(_part, moments))
    return (
        f'<animate attributeName="{name}" dur="{number(seconds)}s" repeatCount="indefinite"{more} '
        f'keyTimes="{times}" values="{";".join(values)}"/>'
    )


def _part(moment: float) -> str:
    """A part of the loop, five digits."""
    text = f"{min(max(moment, 0.0), 1.0):.5f}".rstrip("0").rstrip(".")
    return text or "0"


def _tips(film: Film, scene: PenScene) -> Iterator[str]:
    """A dot for every drawing, on its way from the first point to the last."""
    radius = number(TIP_SIZE * scene.sheet.line_width / 2)
    for times, places in path_of_pen(scene):
        begin, end = times[0] / film.seconds, times[-1] / film.seconds
        if end <= begin:
            continue
        way = list(zip((times / film.seconds).tolist(), map(_place, places), strict=True))
        if begin > 0:
            way = [(0.0, way[0][1]), *way]
        way = [*way, (1.0, way[-1][1])]
        keys = ";".join(_part(moment) for moment, _ in way)
        values = ";".join(place for _, place in way)
        moments, seen = [0.0, begin, end], ["hidden", "visible", "hidden"]
        if begin <= 0:
            moments, seen = moments[1:], seen[1:]
        yield (
            f'<circle r="{radius}" fill="{hexadecimal(film.inks[-1])}" visibility="hidden">'
            f'<animateMotion dur="{number(film.seconds)}s" repeatCount="indefinite" '
            f'calcMode="linear" keyTimes="{keys}" values="{values}"/>'
            f"{_switch(moments, seen, film.seconds)}</circle>"
        )


def _place(point: Points) -> str:
    return f"{number(float(point[0]))},{number(float(point[1]))}"


def _switch(moments: list[float], seen: list[str], seconds: float) -> str:
    """Shown and hidden at these parts of the loop, of which the first is 0."""
    return _animate("visibility", moments, seen, seconds, ' calcMode="discrete"')


def _turned(film: Film, scene: MorphScene) -> Iterator[str]:
    """Every pair of drawings is a group that is seen while it is the one that turns."""
    there, back = _clock(film, scene)
    for k, morph in enumerate(scene.morphs):
        a, b, c, d = there[k], there[k + 1], back[k + 1], back[k]
        shown, hidden = "visible", "hidden"
        states: list[tuple[float, str]] = [(0.0, hidden), (a, shown), (b, hidden)]
        states += [(c, shown), (d, hidden)]
        if k == 0:  # from the start; and on its return it is the first again
            states = [(0.0, shown), *states[2:4]]
        if k == len(scene.morphs) - 1:  # it stays while it rests
            states = [state for state in states if state[0] not in (b, c)]
        group = f'<g visibility="{shown if k == 0 else hidden}">'
        moments, seen = [moment for moment, _ in states], [state for _, state in states]
        yield group + (_switch(moments, seen, film.seconds) if len(states) > 1 else "")
        # The pace of morphing.eased is a Bezier curve whose handles are a third of the speeds.
        begin, end = float(scene.speeds[k]), float(scene.speeds[k + 1])
        go = _spline(begin, end)
        come = _spline(end, begin)
        rest = "0 0 1 1"
        for old, new in _paths(morph):
            moments, values = [0.0, a, b, c, d, 1.0], [old, old, new, new, old, old]
            splines = [rest, go, rest, come, rest]
            yield (
                f'<path d="{old}">'
                + _animate(
                    "d",
                    moments,
                    values,
                    film.seconds,
                    f' calcMode="spline" keySplines="{";".join(splines)}"',
                )
                + "</path>"
            )
        yield "</g>"


def _clock(
    film: Film, scene: MorphScene
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """When each drawing is left on the way there, and reached on the return; parts of the loop.

    The first is left after its rest, and the last rests in between.
    """
    way = scene.begins * scene.seconds / 2
    there = (scene.hold + way) / film.seconds
    back = (2 * scene.hold + scene.seconds - way) / film.seconds
    return there, back


def _spline(begin: float, end: float) -> str:
    return f"{1 / 3:.4f} {_part(begin / 3)} {2 / 3:.4f} {_part(1 - end / 3)}"


def _paths(morph: Morph) -> Iterator[tuple[str, str]]:
    """Every run of segments, as path data in the old drawing and in the new."""
    breaks = np.flatnonzero(morph.tails[1:] != morph.heads[:-1]) + 1
    for run in np.split(np.arange(len(morph.tails)), breaks):
        if len(run):
            points = np.append(morph.tails[run], morph.heads[run[-1]])
            yield path_data(morph.old[points]), path_data(morph.new[points])


def _turned_captions(film: Film, scene: MorphScene) -> Iterator[str]:
    """A text for each caption, seen while it is that of the moment."""
    there, back = _clock(film, scene)
    x = np.linspace(0, 1, ON_THE_WAY + 1)
    reached = (np.arange(CAPTION_STEPS) + 0.5) / CAPTION_STEPS  # when a caption changes
    changes = [(0.0, caption_at(scene, 0, 0))]
    for k in range(len(scene.morphs)):
        times = np.interp(reached, eased(x, scene.speeds[k], scene.speeds[k + 1]), x)
        for step, (go, come) in enumerate(
            zip(
                (there[k] + times * (there[k + 1] - there[k])).tolist(),
                (back[k] - times * (back[k] - back[k + 1])).tolist(),
                strict=True,
            )
        ):
            changes.append((go, caption_at(scene, k, step + 1)))
            changes.append((come, caption_at(scene, k, step)))
    changes.sort(key=lambda change: change[0])
    seen: dict[str, list[tuple[float, str]]] = {text: [(0.0, "hidden")] for _, text in changes}
    before = ""
    for moment, text in changes:
        if text == before:
            continue
        for each, state in ((before, "hidden"), (text, "visible")):
            if each:
                states = seen[each]
                del states[len(states) - (states[-1][0] == moment) :]
                states.append((moment, state))
        before = text
    sheet = scene.sheets[0]
    for text, states in seen.items():
        if text:
            moments, shown = [moment for moment, _ in states], [state for _, state in states]
            switch = _switch(moments, shown, film.seconds) if len(states) > 1 else ""
            yield caption_line(replace(sheet.cells[0], caption=text), sheet, shown[0], switch)
