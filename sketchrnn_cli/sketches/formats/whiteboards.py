"""Drawings of whiteboards: Excalidraw's ``.excalidraw`` and tldraw's ``.tldr``, one a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import sniff
from sketchrnn_cli.sketches.formats.json_objects import Numbered

MAX_BYTES = 1 << 25
MAX_PARTS = 300_000  # lists and objects
SIDES = 32  # of an ellipse

Note = Callable[[str], None]
Line = list[tuple[float, float]]


def arrivals(source: str, note: Note | None = None) -> Iterator[Iterator[Numbered]]:
    """The drawing of a file as one JSON object; see ``json_objects.arrivals``.

    Args:
        source: the file.
        note: called for what has no strokes and is left out.

    Raises:
        BadFile: another kind of file, or one too large.
        BadSketch: numbers that are none.
    """
    name = name_of(source)
    data = b""
    for chunk in sniff.text_chunks(source, "a whiteboard"):
        data += chunk
        if len(data) > MAX_BYTES:
            raise BadFile(f"{name}: over {MAX_BYTES >> 20} MiB; a drawing has far less")
    if data.count(b"[") + data.count(b"{") > MAX_PARTS:
        raise BadFile(f"{name}: over {MAX_PARTS:,} points and shapes; a drawing has far fewer")
    try:
        board = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadFile(f"{name}: not JSON: {error.msg}; export it again") from None
    left: Counter[str] = Counter()
    try:
        lines = [line for line in _lines(board, left) if line]
        strokes = [[[float(p[0]) for p in line], [float(p[1]) for p in line]] for line in lines]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
        raise BadSketch(f"{name}: a shape without places; export it again") from None
    if left and note:
        what = ", ".join(f"{n} {kind}" for kind, n in sorted(left.items())[:6])
        note(f"{name}: left out what has no strokes: {what}")
    if not strokes:
        raise BadSketch(f"{name}: no strokes in it")
    yield iter([(1, orjson.dumps({"drawing": strokes}))])


def _lines(board: Any, left: Counter[str]) -> Iterator[Line]:
    if isinstance(board, dict) and isinstance(board.get("elements"), list):
        for element in board["elements"]:
            if not element.get("isDeleted"):
                yield from _excalidraw(element, left)
    elif isinstance(board, dict) and isinstance(board.get("records"), list):
        shapes = [one for one in board["records"] if one.get("typeName") == "shape"]
        for shape in sorted(shapes, key=lambda one: str(one.get("index", ""))):
            yield from _tldraw(shape, left)
    else:
        raise ValueError


def _excalidraw(element: dict[str, Any], left: Counter[str]) -> Iterator[Line]:
    kind, x, y = element["type"], element["x"], element["y"]
    if kind in ("freedraw", "line", "arrow", "draw"):
        points = [(p[0], p[1]) for p in element["points"]]
    elif kind in ("rectangle", "diamond", "ellipse"):
        points = _outline(kind, element["width"], element["height"])
    else:
        left[str(kind)[:40]] += 1
        return
    width, height = element.get("width", 0), element.get("height", 0)
    yield _placed(points, x, y, element.get("angle") or 0, (width / 2, height / 2))


def _tldraw(shape: dict[str, Any], left: Counter[str]) -> Iterator[Line]:
    kind, props = shape["type"], shape["props"]
    lines: list[Line] = []
    if kind in ("draw", "highlight") and all("points" in part for part in props["segments"]):
        if all(isinstance(part["points"], list) for part in props["segments"]):
            lines = [[(p["x"], p["y"]) for part in props["segments"] for p in part["points"]]]
    elif kind == "line" and isinstance(props.get("points"), dict):
        places = sorted(props["points"].values(), key=lambda p: str(p.get("index", "")))
        lines = [[(p["x"], p["y"]) for p in places]]
    elif kind == "geo" and props.get("geo") in ("rectangle", "diamond", "ellipse"):
        lines = [_outline(props["geo"], props["w"], props["h"])]
    if not lines:
        left[str(kind)[:40]] += 1
    for line in lines:
        yield _placed(line, shape["x"], shape["y"], shape.get("rotation") or 0, (0, 0))


def _outline(kind: str, width: float, height: float) -> Line:
    """A closed line around a box that begins at the origin."""
    if kind == "rectangle":
        corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]
    else:
        n = 4 if kind == "diamond" else SIDES
        turns = [2 * math.pi * k / n for k in range(n + 1)]
        corners = [(0.5 + math.sin(turn) / 2, 0.5 - math.cos(turn) / 2) for turn in turns]
    return [(width * x, height * y) for x, y in corners]


def _placed(points: Line, x: float, y: float, angle: float, center: tuple[float, float]) -> Line:
    """Points turned around a center, then moved."""
    cos, sin = math.cos(angle), math.sin(angle)
    turned = []
    for a, b in points:
        dx, dy = a - center[0], b - center[1]
        turned.append((x + center[0] + cos * dx - sin * dy, y + center[1] + sin * dx + cos * dy))
    return turned
