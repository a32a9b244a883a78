"""Path data: every command of SVG, as straight and cubic segments.

A stroke is a row of complex nodes: where it begins, and then three for each segment, two control
points and the end. A straight segment has NaN for control points; arcs and quadratic curves
become cubic ones.

Libraries were tried: svg.path 7.1 and svgelements 1.9.6 drop the rest of a path in silence at what
they cannot read; the first refuses arcs with a negative radius, and the second reflects the handle
of a quadratic curve for a cubic one. The tests hold this against the second.
"""

from __future__ import annotations

import cmath
import math
import re
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadSketch

Nodes = npt.NDArray[np.complex128]  # (3 K + 1,) for K segments

STRAIGHT = complex(math.nan, math.nan)
FAR = 1e12  # a number beyond is a fault
TINY = 1e-12  # a radius below is none
NEAR = 1e-100  # two points so near, in radii, are one
LONGEST = 400  # characters of a number
QUARTER = math.pi / 2
MANY = "more strokes or points than a drawing has"
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"

_NUMBER = re.compile(NUMBER)
_COMMAND = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])([^MmLlHhVvCcSsQqTtAaZz]*)")
_FLAG = re.compile(r"[01]")
_GAP = re.compile(r"[ \t\r\n\f,]*")
_GAPS = " \t\r\n\f,"
_ARITY = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 1}


def parse(data: str, *, room: int) -> list[Nodes]:
    """Read path data.

    Args:
        data: the ``d`` of a path.
        room: how many numbers it may have.

    Returns:
        One row of nodes a subpath; one node alone is a dot.

    Raises:
        BadSketch: something that is not path data, or too much of it.

    Source: SVG 2, section 9.3 and appendix B.2.
    """
    text = data.strip(_GAPS)
    if not text or text == "none":
        return []
    if text[0] not in "Mm":
        raise BadSketch(f"path data begins with {text[:1]!r}, not with M")
    pen = _Pen()
    for found in _COMMAND.finditer(text):
        command, arguments = found[1], found[2]
        kind = command.upper()
        read = _arc_numbers if kind == "A" else numbers
        values = read(arguments, room=room)
        room -= max(len(values), 1)
        if room < 0:
            raise BadSketch(MANY)
        if kind == "Z":
            if values:
                raise BadSketch("numbers after a Z")
            pen.close()
        elif not values or len(values) % _ARITY[kind]:
            raise BadSketch(f"{len(values)} numbers after {command}; it takes {_ARITY[kind]} each")
        else:
            _draw(pen, kind, values, relative=command != kind)
    return [np.array(stroke) for stroke in pen.finish()]


def numbers(text: str, *, room: int) -> list[float]:
    """Numbers with or without gaps between them.

    Raises:
        BadSketch: more than ``room``, something else between them, or one that is too large.
    """
    if len(text) > 2 * room and next(islice(_NUMBER.finditer(text), room, None), None):
        raise BadSketch(MANY)
    if rest := _NUMBER.sub("", text).strip(_GAPS):
        raise BadSketch(f"{rest[:20]!r} where a number should be")
    found = _NUMBER.findall(text)
    if found and len(max(found, key=len)) > LONGEST:
        raise BadSketch(f"a number of more than {LONGEST} digits")
    return _checked(list(map(float, found)))


def _arc_numbers(text: str, *, room: int) -> list[float]:
    """The same for arcs, whose two flags need no gap after them."""
    values: list[float] = []
    at = _end(_GAP.match(text))
    while at < len(text):
        pattern = _FLAG if len(values) % 7 in (3, 4) else _NUMBER
        found = pattern.match(text, at)
        if found is None:
            what = "a flag, 0 or 1," if pattern is _FLAG else "a number"
            raise BadSketch(f"{text[at : at + 20]!r} where {what} should be")
        values.append(float(found[0][:LONGEST]))
        if len(values) > room:
            raise BadSketch(MANY)
        at = _end(_GAP.match(text, found.end()))
    return _checked(values)


def _end(found: re.Match[str] | None) -> int:
    assert found is not None, "a gap may be empty"
    return found.end()


def _checked(values: list[float]) -> list[float]:
    if values and not max(map(abs, values)) < FAR:
        raise BadSketch(f"{max(values, key=abs):g}, which is no place on a canvas")
    return values


def _draw(pen: _Pen, kind: str, values: list[float], *, relative: bool) -> None:
    """One command, with as many segments as it has numbers for."""
    if kind in "HV":
        turn = 1 if kind == "H" else 1j
        for value in values:
            here = pen.here
            kept = here if relative else (1j * here.imag if kind == "H" else here.real)
            pen.line(kept + turn * value)
    elif kind == "A":
        rows = iter(values)
        for rx, ry, turned, large, sweep, x, y in zip(*[rows] * 7, strict=True):
            to = complex(x, y) + (pen.here if relative else 0)
            pen.arc(abs(rx), abs(ry), math.radians(turned), to, large=large > 0, sweep=sweep > 0)
    else:
        points = list(map(complex, values[::2], values[1::2]))
        size = _ARITY[kind] // 2
        for k in range(0, len(points), size):
            origin = pen.here if relative else 0
            if kind == "L" or (kind == "M" and k):
                pen.line(points[k] + origin)
            elif kind == "M":
                pen.move(points[k] + origin)
            else:
                pen.curve(kind, [point + origin for point in points[k : k + size]])


class _Pen:
    """Follows absolute commands."""

    def __init__(self) -> None:
        self.strokes: list[list[complex]] = []
        self.nodes: list[complex] = []  # of the stroke under way
        self.here = self.start = 0j
        self.handle = 0j  # the control point that S or T reflects
        self.curved = ""  # C after a cubic curve, Q after a quadratic one
        self.moved = False  # nothing drawn since a move

    def move(self, to: complex) -> None:
        self.finish()
        self.here = self.start = to
        self.nodes = [to]
        self.curved, self.moved = "", True

    def line(self, to: complex) -> None:
        self.nodes += (STRAIGHT, STRAIGHT, to)
        self.here = to
        self.curved, self.moved = "", False

    def cubic(self, a: complex, b: complex, to: complex) -> None:
        self.nodes += (a, b, to)
        self.here = to
        self.curved, self.moved = "", False

    def curve(self, kind: str, points: list[complex]) -> None:
        """C, S, Q or T with their points."""
        here, family = self.here, "C" if kind in "CS" else "Q"
        if kind in "ST":
            reflected = 2 * here - self.handle if self.curved == family else here
            points = [reflected, *points]
        to = points[-1]
        if family == "C":
            self.cubic(*points)
        else:
            self.cubic(here + (points[0] - here) * 2 / 3, to + (points[0] - to) * 2 / 3, to)
        self.handle, self.curved = points[-2], family

    def arc(
        self, rx: float, ry: float, turned: float, to: complex, *, large: bool, sweep: bool
    ) -> None:
        """An elliptical arc, in pieces of a quarter at most.

        A cubic curve is off a quarter of a circle by 0.03 % of the radius.

        Source: SVG 2, appendix B.2.4 and B.2.5, on the unit circle.
        """
        if to == self.here:
            return
        if min(rx, ry) < TINY:
            self.line(to)
            return
        axes = cmath.rect(1, turned)
        middle = (self.here + to) / 2
        half = (self.here - to) / 2 * axes.conjugate()
        begin = complex(half.real / rx, half.imag / ry)  # the ellipse is the unit circle,
        # or a larger one around the middle: radii that are too small grow
        if abs(begin) < NEAR:
            self.line(to)
            return
        side = math.sqrt(max(1 / abs(begin) ** 2 - 1, 0.0)) * (-1 if large != sweep else 1)
        center = 1j * side * begin
        spoke, last = begin - center, -begin - center
        angle = cmath.phase(last / spoke)
        if sweep and angle < 0:
            angle += 2 * math.pi
        elif not sweep and angle > 0:
            angle -= 2 * math.pi
        pieces = max(math.ceil(abs(angle) / QUARTER - 1e-9), 1)
        step = cmath.rect(1, angle / pieces)
        pull = 4 / 3 * math.tan(angle / pieces / 4) * 1j

        def place(w: complex) -> complex:
            w += center
            return middle + axes * complex(rx * w.real, ry * w.imag)

        for k in range(pieces):
            ahead = spoke * step
            end = to if k == pieces - 1 else place(ahead)
            self.cubic(place(spoke * (1 + pull)), place(ahead * (1 - pull)), end)
            spoke = ahead

    def close(self) -> None:
        """Back to where the subpath began; drawing may go on from there."""
        if len(self.nodes) == 1 and not self.moved:
            return
        if self.here != self.start:
            self.line(self.start)
        self.strokes.append(self.nodes)
        self.here, self.nodes = self.start, [self.start]
        self.curved, self.moved = "", False

    def finish(self) -> list[list[complex]]:
        """All strokes; a move alone draws nothing."""
        if len(self.nodes) > 1:
            self.strokes.append(self.nodes)
            self.nodes = []
        return self.strokes
