"""Path data: every command of SVG, as straight and cubic segments.

A stroke is a row of complex nodes: where it begins, and then three for each segment, two control
points and the end. A straight segment has NaN for control points; arcs and quadratic curves
become cubic ones. fontTools follows the commands; it passes over what it cannot read, so what it
gets is looked at first, up to the first error.
"""

from __future__ import annotations

import math
import re
from itertools import islice

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadSketch

Nodes = npt.NDArray[np.complex128]  # (3 K + 1,) for K segments
Point = tuple[float, float]

STRAIGHT = complex(math.nan, math.nan)
FAR = 1e12  # a number beyond is a fault
TINY = 1e-12  # a radius below is none
LONGEST = 400  # characters of a number
MANY = "more strokes or points than a drawing has"
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"

_NUMBER = re.compile(NUMBER)
_COMMAND = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])([^MmLlHhVvCcSsQqTtAaZz]*)")
_FLAG = re.compile(r"[01]")
_GAPS = " \t\r\n\f,"
_GAP = re.compile(f"[{_GAPS}]*")
_ARITY = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


def parse(data: str, *, room: int) -> tuple[list[Nodes], str]:
    """Read path data.

    Args:
        data: the ``d`` of a path.
        room: how many numbers it may have.

    Returns:
        One row of nodes per subpath, one node alone is a dot; and the first error in the data, up
        to whose segment it is drawn, or "".

    Raises:
        BadSketch: too much of it.

    Source: SVG 2, section 9.3 and appendix B.2.
    """
    from fontTools.svgLib.path import parse_path  # 30 ms

    text = data.strip(_GAPS)
    if not text or text == "none":
        return [], ""
    if text[0] not in "Mm":
        return [], f"path data begins with {text[:1]!r}, not with M"
    tokens: list[str] = []
    error = _scan(text, tokens, room)
    pen = _Pen()
    try:
        parse_path(" ".join(tokens), pen)
    except (ValueError, ArithmeticError):
        raise BadSketch("an arc that is no place on a canvas") from None
    return [np.array(stroke) for stroke in pen.strokes], error


def _scan(text: str, tokens: list[str], room: int) -> str:
    """Collect commands and numbers, those of whole segments, up to the first error; its text."""
    for found in _COMMAND.finditer(text):
        command, kind = found[1], found[1].upper()
        arity = _ARITY[kind]
        values, error = (_arc_numbers if kind == "A" else _numbers)(found[2], room)
        room -= max(len(values), 1)
        if room < 0:
            raise BadSketch(MANY)
        far = next((k for k, value in enumerate(values) if not abs(value) < FAR), None)
        if far is not None:
            error = f"{values[far]:g}, which is no place on a canvas"
            values = values[:far]
        if not arity and values:
            tokens.append(command)
            return "numbers after a Z"
        whole = len(values) // arity * arity if arity else 0
        if not error and (whole < len(values) or (arity and not values)):
            error = f"{len(values):,} numbers after {command}; it takes {arity} each"
        if kind == "A":
            for k in range(0, whole, arity):
                tokens += _arc(command, values[k : k + arity])
        elif whole or not (arity or error):
            tokens += [command, *map(repr, values[:whole])]
        if error:
            return error
    return ""


def numbers(text: str, *, room: int) -> list[float]:
    """Numbers with or without gaps between them.

    Raises:
        BadSketch: more than ``room``, something else between them, or one that is too large.
    """
    values, error = _numbers(text, room)
    if not error and any(not abs(value) < FAR for value in values):
        error = "a number that is no place on a canvas"
    if error:
        raise BadSketch(error)
    return values


def _numbers(text: str, room: int) -> tuple[list[float], str]:
    """Numbers up to what is none, and a word on that."""
    if len(text) > 2 * room and next(islice(_NUMBER.finditer(text), room, None), None):
        raise BadSketch(MANY)
    error = ""
    if _NUMBER.sub("", text).strip(_GAPS):
        at = _end(text, 0)
        while found := _NUMBER.match(text, at):
            at = _end(text, found.end())
        error = f"{text[at : at + 20]!r} where a number should be"
        text = text[:at]
    return _floats(_NUMBER.findall(text)), error


def _arc_numbers(text: str, room: int) -> tuple[list[float], str]:
    """The same for arcs, whose two flags need no gap after them."""
    found: list[str] = []
    at = _end(text, 0)
    while at < len(text):
        is_flag = len(found) % 7 in (3, 4)
        match = (_FLAG if is_flag else _NUMBER).match(text, at)
        if match is None:
            what = "a flag, 0 or 1," if is_flag else "a number"
            return _floats(found), f"{text[at : at + 20]!r} where {what} should be"
        found.append(match[0])
        if len(found) > room:
            raise BadSketch(MANY)
        at = _end(text, match.end())
    return _floats(found), ""


def _arc(command: str, values: list[float]) -> list[str]:
    """One arc as fontTools wants it: flags whole, and a line where it has no radius."""
    rx, ry, turned, large, sweep, *to = values
    if min(abs(rx), abs(ry)) < TINY:
        return ["L" if command == "A" else "l", *map(repr, to)]
    shape = map(repr, (rx, ry, turned))
    return [command, *shape, f"{large:.0f}", f"{sweep:.0f}", *map(repr, to)]


def _end(text: str, at: int) -> int:
    """Where a gap ends that begins here."""
    found = _GAP.match(text, at)
    assert found is not None, "a gap may be empty"
    return found.end()


def _floats(found: list[str]) -> list[float]:
    if found and len(max(found, key=len)) > LONGEST:
        raise BadSketch(f"a number of more than {LONGEST:,} digits")
    return list(map(float, found))


class _Pen:
    """Collects what fontTools draws."""

    def __init__(self) -> None:
        self.strokes: list[list[complex]] = []
        self.nodes: list[complex] = []  # of the stroke under way

    def moveTo(self, to: Point) -> None:
        self.nodes = [complex(*to)]

    def lineTo(self, to: Point) -> None:
        self.nodes += (STRAIGHT, STRAIGHT, complex(*to))

    def curveTo(self, *points: Point) -> None:
        self.nodes += (complex(*point) for point in points)

    def qCurveTo(self, control: Point, to: Point) -> None:
        here, middle, end = self.nodes[-1], complex(*control), complex(*to)
        self.nodes += (here + (middle - here) * 2 / 3, end + (middle - end) * 2 / 3, end)

    def closePath(self) -> None:
        self.strokes.append(self.nodes)
        self.nodes = []

    def endPath(self) -> None:
        if len(self.nodes) > 1:  # a move alone draws nothing
            self.closePath()
