"""Strokes of a JSON drawing, in any of the shapes that programs write them in.

A stroke is rows ``[[x...], [y...]]``, with more rows of time or pressure; or points ``[[x, y],
...]``, with more numbers each; or the same as objects with ``x``, ``y`` and ``t``. Rows and points
look alike where a stroke is as long as it is wide. Then the file decides: lists that are as many
in every stroke are rows; lists that are as long in every stroke, while their number varies, are
points. Of the rows after x and y, or numbers of a point, the first that grows is time; what does
not is pressure.
"""

from __future__ import annotations

import contextlib
import re
from itertools import chain, pairwise
from typing import Any

import numpy as np
import orjson

from sketchrnn_cli.errors import BadSketch

FAR = 1e9  # pixels; a coordinate beyond is a fault
MAX_DEPTH = 4  # objects of strokes within one another
WIDTHS = (2, 3, 4)  # numbers of a point: x, y, and time, pressure or both
WIDEST = 8  # the same with tilt and the like
TIMES = ("t", "time", "times", "timestamp")
INNER = ("drawing", "strokes", "points", "paths", "lines", "ink")  # keys of lists of a drawing

RECORDS = "write a drawing a line: to_json(OUT, orient='records', lines=True) of pandas does"

MOST_STATES = 4  # of a pen
_PEN = re.compile(
    r"pen|stroke|down|lift|state|event|draw|^(?:is_?)?(?:up|end|new|start|type|move)$"
)

Rows = list[list[Any]]


class Layout:
    """What the drawings of a file have shown: whether strokes are points, not rows."""

    def __init__(self) -> None:
        self.points: bool | None = None  # None: it may be either
        self._outer: set[int] = set()
        self._inner: set[int] = set()
        self._columns = self._rows = True  # what comes third may be time or pressure

    def see(self, drawing: Any) -> bool | None:
        """Look at a drawing; whether the file is decided now, and how."""
        for stroke in drawing if isinstance(drawing, list) else ():
            if self.points is not None:
                break
            if isinstance(stroke, list) and stroke and isinstance(stroke[0], list):
                self._see(stroke, len(stroke), len(stroke[0]))
        return self.points

    def _see(self, stroke: Rows, n: int, width: int) -> None:
        if n not in WIDTHS:
            self.points = width in WIDTHS or width < min(n, WIDEST + 1)
        elif width not in WIDTHS:
            self.points = False
        else:
            self._outer.add(n)
            self._inner.add(width)
            if len(self._inner) > 1:  # the points of a file are all as wide
                self.points = False
            if width > 2:
                thirds = [item[2] if isinstance(item, list) and len(item) > 2 else None
                          for item in stroke]  # fmt: skip
                self._columns = self._columns and _is_extra(thirds)
            if n > 2:
                self._rows = self._rows and _is_extra(stroke[2])

    def decide(self) -> bool:
        """The same at last."""
        if self.points is None:
            same = len(self._inner) == 1
            varies = len(self._outer) > 1
            self.points = same and (varies or (self._columns and not self._rows))
        return self.points


def _is_extra(values: Any) -> bool:
    """Whether numbers may be times or pressures: they grow, or lie within 0..1."""
    if not is_numbers(values):
        return False
    low, high = min(values, default=0), max(values, default=0)
    return (low >= 0 and high <= 1) or all(a <= b for a, b in zip(values, values[1:], strict=False))


def is_numbers(row: Any) -> bool:
    """Whether something is a list of numbers, true and false not among them."""
    return isinstance(row, list) and {*map(type, row)} <= {int, float}


def is_time(thirds: list[Any]) -> bool:
    """Whether rows, one of each stroke of a drawing, are times: they grow, save for a few steps.

    Pressure, a constant and the like do not.
    """
    row = list(chain.from_iterable(thirds))
    if len(row) < 2 or not is_numbers(row) or not row[-1] > row[0]:
        return False
    moments = np.array(row, float)
    steps = moments[1:] - moments[:-1]
    return bool(np.count_nonzero(steps >= 0) / len(steps) >= 0.9)


def other_key(fields: dict[str, Any]) -> str | None:
    """Another name of the drawing, where it is not called as in Quick, Draw!."""
    names = {name.lower(): name for name, value in fields.items()
             if value and isinstance(value, list | str | dict)}  # fmt: skip
    if "x" in names and "y" in names:
        keys = [
            key
            for key in names
            if key in ("x", "y")
            or (isinstance(fields[names[key]], list) and (key in TIMES or _PEN.search(key)))
        ]
        fields["drawing"] = {key: fields.pop(names[key]) for key in keys}
        return "drawing"
    return next((names[key] for key in INNER if key in names), None)


def opened(drawing: Any, where: str, depth: int = 0) -> tuple[list[Any], bool]:
    """The strokes of a drawing, and whether they are rows for certain.

    Raises:
        BadSketch: nothing that is a drawing.
    """
    if depth > MAX_DEPTH:
        raise BadSketch(f"{where}: a drawing within drawings")
    if isinstance(drawing, str):
        try:
            drawing = orjson.loads(drawing)
        except orjson.JSONDecodeError:
            raise BadSketch(f"{where}: a drawing that is text, but not JSON") from None
    if isinstance(drawing, dict):
        drawing = {key.lower(): value for key, value in drawing.items()}
        inner = next((key for key in INNER if isinstance(drawing.get(key), list)), None)
        if inner == "points":
            return _of_pairs(drawing[inner], where, depth)
        if inner is not None:
            return opened(drawing[inner], where, depth + 1)
        return _columns(drawing, where), True
    if not isinstance(drawing, list):
        raise BadSketch(f"{where}: a drawing that is no list")
    first = next((stroke for stroke in drawing if stroke), None)
    if isinstance(first, dict):
        if not all(isinstance(stroke, dict) for stroke in drawing if stroke):
            raise BadSketch(f"{where}: a stroke of objects and of something else")
        keys = {key.lower(): isinstance(value, list) for key, value in first.items()}
        if not keys.get("x") and not any(key in keys for key in INNER):
            rows = _of_points(drawing, where)
            points = [{key.lower(): value for key, value in point.items()} for point in drawing]
            marks = {key: [point.get(key) for point in points] for key in points[0]}
            return _apart(rows, marks, where), True
        parts = [opened(stroke, where, depth + 1) for stroke in drawing if stroke]
        return [stroke for part, _ in parts for stroke in part], all(rows for _, rows in parts)
    if isinstance(first, list) and any(isinstance(point, dict) for point in first):
        return [_of_points(stroke, where) for stroke in drawing], True
    return drawing, False


def _of_pairs(points: list[Any], where: str, depth: int) -> tuple[list[Any], bool]:
    """The strokes of a list called points: one of points, of numbers that go by twos, or more."""
    if points and is_numbers(points):
        if len(points) % 2:
            raise BadSketch(f"{where}: {len(points):,} numbers where x and y go by twos")
        return [[points[::2], points[1::2]]], True
    if not all(is_numbers(part) for part in points):
        return opened(points, where, depth + 1)
    if len({len(part) for part in points}) == 1 and len(points[0]) in WIDTHS:
        return [list(map(list, zip(*points, strict=True)))], True
    return [points], False


def _columns(drawing: dict[str, Any], where: str) -> list[Any]:
    """Strokes of an object with lists x, y and perhaps t, of numbers or of one list a stroke."""
    x, y = drawing.get("x"), drawing.get("y")
    if not isinstance(x, list) or not isinstance(y, list):
        has = ", ".join(map(str, list(drawing)[:6])) or "nothing"
        advice = RECORDS if all(map(str.isdecimal, drawing)) and drawing else "it needs x and y"
        raise BadSketch(f"{where}: a drawing that is an object with {has}; {advice}")
    t = next((drawing[key] for key in TIMES if isinstance(drawing.get(key), list)), None)
    if not any(isinstance(part, list) for part in (*x, *y)):
        marks = {key: value for key, value in drawing.items() if isinstance(value, list)}
        return _apart([x, y] if t is None else [x, y, t], marks, where)
    parts = (x, y) if t is None else (x, y, t)
    if len({len(part) for part in parts}) > 1:
        raise BadSketch(f"{where}: x has {len(x):,} strokes, and y or t another number")
    return [list(rows) for rows in zip(*parts, strict=True)]


def _apart(rows: Rows, marks: dict[str, list[Any]], where: str) -> list[Rows]:
    """Strokes of points that stand together, each with the number of its stroke.

    Raises:
        BadSketch: something else says where the pen lifts.
    """
    marks = {key: values for key, values in marks.items() if len(values) == len(rows[0])}
    for key, values in marks.items():
        kinds = {str(value) for value in values}
        if "stroke" in key and len(kinds) > 1:
            cuts = [k for k in range(1, len(values)) if values[k] != values[k - 1]]
            bounds = pairwise([0, *cuts, len(values)])
            return [[row[a:b] for row in rows] for a, b in bounds]
        is_state = 1 < len(kinds) <= MOST_STATES and float not in {*map(type, values)}
        if is_state and _PEN.search(key):
            raise BadSketch(f"{where}: points with {key[:40]}; give each stroke a list of its own")
    return [rows]


def _of_points(points: Any, where: str) -> Rows:
    """Rows of a stroke that is a list of objects with x and y."""
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise BadSketch(f"{where}: a stroke of objects and of something else")
    points = [{key.lower(): value for key, value in point.items()} for point in points]
    time = next((key for key in TIMES if all(key in point for point in points)), None)
    keys = ("x", "y") if time is None else ("x", "y", time)
    if points and not ("x" in points[0] and "y" in points[0]):
        has = ", ".join(list(points[0])[:6]) or "nothing"
        raise BadSketch(f"{where}: a point that is an object with {has}; it needs x and y")
    return [[point.get(key) for point in points] for key in keys]


def rows_of(drawing: list[Any], where: str, *, points: bool) -> list[Rows]:
    """Every stroke as rows x, y and, if there are times, those; checked. Empty ones are left out.

    Raises:
        BadSketch: rows that are missing or of different length, or hold other things than numbers.
    """
    result = []
    for k, stroke in enumerate(drawing):
        here = f"{where}: stroke {k}"
        if not isinstance(stroke, list) or not all(isinstance(row, list) for row in stroke):
            raise BadSketch(f"{here} is not a list of rows")
        if not any(stroke):
            continue
        if points and len({len(point) for point in stroke}) > 1:
            raise BadSketch(f"{here} has points of different length")
        rows = list(map(list, zip(*stroke, strict=True))) if points else stroke
        rows = [row if is_numbers(row) else [*map(_number, row)] for row in rows]
        if len(rows) > WIDEST:
            raise BadSketch(f"{here} has {len(rows):,} rows; it needs x, y, and perhaps a few more")
        if len(rows) < 2:
            raise BadSketch(f"{here} has one row; it needs x and y")
        if any(len(row) != len(rows[0]) for row in rows[:3]):
            counts = ", ".join(str(len(row)) for row in rows[:3])
            raise BadSketch(f"{here} has rows of different length: {counts}")
        for value in (*rows[0], *rows[1]):
            if type(value) not in (int, float):
                shown = orjson.dumps(value).decode()[:20]
                raise BadSketch(f"{here} holds {shown} where a number should be")
            if not abs(value) < FAR:
                raise BadSketch(f"{here} holds {value}, which is no place on a canvas")
        result.append(rows)
    if points and result and all(map(_is_moves, result)):
        raise BadSketch(f"{where}: moves and a pen, as in stroke-3, not places; save them as npz")
    return _with_times(result)


def _is_moves(rows: Rows) -> bool:
    """Whether what comes third is a pen that lifts now and then, and at last."""
    pen = rows[2] if len(rows) == 3 else []
    return {*pen} == {0, 1} and pen[-1] == 1 and 2 * sum(pen) < len(pen)


def _number(value: Any) -> Any:
    """A number that is written as text, as BigQuery does; what is none stays as it is."""
    if isinstance(value, str) and "_" not in value:  # float reads 1_0 as Python does
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _with_times(strokes: list[Rows]) -> list[Rows]:
    """The strokes with one more row: the first that is time, or else the third."""
    wide = min(map(len, strokes), default=0)
    for k in range(3, wide):
        thirds, others = ([rows[j] for rows in strokes] for j in (2, k))
        if is_time(thirds):
            break
        if is_time(others) and all(len(rows[k]) == len(rows[0]) for rows in strokes):
            return [[*rows[:2], rows[k]] for rows in strokes]
    return [rows[:3] for rows in strokes]
