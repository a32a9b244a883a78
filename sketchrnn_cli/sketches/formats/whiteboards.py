"""Drawings of whiteboards: Excalidraw's ``.excalidraw`` and tldraw's ``.tldr``.

A file is one drawing, a page of tldraw or an item of a library too; one that this program wrote is
as many as it shows, with their words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import Note, sniff
from sketchrnn_cli.sketches.formats.json_objects import Numbered
from sketchrnn_cli.sketches.sketch import Sketch

MAX_BYTES = 1 << 25
MAX_PARTS = 300_000  # lists and objects
SIDES = 32  # of an ellipse
POINT = 1e-3  # pixels; a stroke no larger is a dot
CELL = 300  # pixels from one drawing to the next, on a board of several
ROW = 6  # drawings side by side

MAX_DEPTH = 20  # groups and frames around a shape
WHITE = "white"  # counts shapes of the colour of the board

Line = list[tuple[float, float]]
Part = tuple[object, Any, Line]  # of which drawing, its word, a line of it


def arrivals(source: str, note: Note | None = None) -> Iterator[Iterator[Numbered]]:
    """The drawings of a file as JSON objects; see ``json_objects.arrivals``.

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
        drawings = _drawings(board, left)
    except BadSketch as error:
        raise BadSketch(f"{name}: {error}") from None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
        raise BadSketch(f"{name}: a shape without places; export it again") from None
    if (n_white := left.pop(WHITE, 0)) and note:
        note(f"{name}: {n_white:,} shape(s) of the colour of the board drawn as ink")
    if left and note:
        what = ", ".join(f"{n:,} {kind}" for kind, n in sorted(left.items())[:6])
        note(f"{name}: left out what has no strokes: {what}")
    if not drawings:
        raise BadSketch(f"{name}: no strokes in it")
    yield ((1, orjson.dumps(drawing)) for drawing in drawings)


def write(stream: BinaryIO, sketches: Iterable[Sketch]) -> None:
    """Write drawings as an Excalidraw file, side by side, each a group; the first where it is."""
    stream.write(b'{"type":"excalidraw","version":2,"source":"sketchrnn","elements":[')
    n_written = 0
    for k, sketch in enumerate(sketches):
        row, column = divmod(k, ROW)
        said = {"drawing": k} | ({} if sketch.word is None else {"word": sketch.word})
        for stroke in sketch.strokes:
            element = _element(stroke.astype(float) + (CELL * column, CELL * row), n_written)
            element |= {"groupIds": [f"drawing-{k}"], "customData": said}
            stream.write(b",\n" if n_written else b"\n")
            stream.write(orjson.dumps(element))
            n_written += 1
    stream.write(b'\n],"appState":{"viewBackgroundColor":"#ffffff"},"files":{}}\n')


def _element(points: npt.NDArray[np.float64], number: int) -> dict[str, Any]:
    """A stroke, (K, 2) pixels of the board. Excalidraw drops one that is a single point."""
    x, y = points[0].round(3).tolist()
    moved = (points - points[0]).round(3).tolist()
    width, height = np.ptp(points, axis=0).round(3).tolist()
    return {
        "id": f"stroke-{number}", "type": "freedraw", "x": x, "y": y, "width": width,
        "height": height, "points": moved if len(moved) > 1 else [[0, 0], [POINT / 10] * 2],
        "angle": 0, "strokeColor": "#1e1e1e", "backgroundColor": "transparent",
        "fillStyle": "solid", "strokeWidth": 2, "strokeStyle": "solid", "roughness": 1,
        "opacity": 100, "frameId": None, "roundness": None, "seed": number + 1, "version": 1,
        "versionNonce": number + 1, "isDeleted": False, "boundElements": None, "updated": 1,
        "link": None, "locked": False, "pressures": [], "simulatePressure": True,
        "lastCommittedPoint": None,
    }  # fmt: skip


def _drawings(board: Any, left: Counter[str]) -> list[dict[str, Any]]:
    """Every drawing of a board with its word and strokes; one without strokes is left out.

    Raises:
        BadSketch: an older kind of file.
        TypeError and the like: something is not what it is in such files.
    """
    drawings: dict[object, dict[str, Any]] = {}
    for key, word, line in _excalidraw_parts(board, left) or _tldraw_parts(board, left):
        if line:
            made = drawings.setdefault(key, {"drawing": []})
            made["drawing"].append([[float(p[0]) for p in line], [float(p[1]) for p in line]])
            if isinstance(word, str):
                made["word"] = word
    return list(drawings.values())


def _excalidraw_parts(board: Any, left: Counter[str]) -> list[Part]:
    """Lines of a board of Excalidraw, of its clipboard, or of a library, a drawing an item."""
    items = board.get("libraryItems") or board.get("library")
    items = [board] if isinstance(board.get("elements"), list) else items
    paper = (board.get("appState") or {}).get("viewBackgroundColor") or "#ffffff"
    names = [isinstance(item, dict) and item.get("name") for item in items or ()]
    parts: list[Part] = []
    for k, item in enumerate(items or ()):
        elements = item["elements"] if isinstance(item, dict) else item
        shown = [element for element in elements if not element.get("isDeleted")]
        ours = all(_number_of(element) is not None for element in shown)
        for element in shown:
            said = element["customData"] if ours else {"drawing": k, "word": names[k]}
            lines = _excalidraw(element, left, paper)
            parts += [(said["drawing"], said.get("word"), line) for line in lines]
    if not parts and items is not None:
        parts = [(0, None, [])]
    return parts


def _tldraw_parts(board: Any, left: Counter[str]) -> list[Part]:
    """Lines of a file or a snapshot of tldraw, a drawing a page."""
    document = board.get("document") or {}
    if document.get("pages"):
        raise BadSketch("a file of tldraw 1; open it at tldraw.com and save it again")
    store = board.get("store") or document.get("store")
    records = [*store.values()] if isinstance(store, dict) else board["records"]
    shapes = [one for one in records if one.get("typeName") == "shape"]
    shapes.sort(key=lambda one: str(one.get("index", "")))
    by_id = {str(shape["id"]): shape for shape in shapes if "id" in shape}
    parts: list[Part] = []
    for shape in shapes:
        lines, around = [*_tldraw(shape, left)], shape
        for _ in range(MAX_DEPTH):
            parent = by_id.get(str(around.get("parentId")))
            if parent is None:
                break
            lines, around = [_moved(line, parent) for line in lines], parent
        parts += [(around.get("parentId"), None, line) for line in lines]
    return parts


def _number_of(element: dict[str, Any]) -> int | None:
    """Of the drawing that a stroke belongs to, as ``write`` notes it."""
    said = element.get("customData")
    number = said.get("drawing") if isinstance(said, dict) else None
    return number if type(number) is int else None


def _excalidraw(element: dict[str, Any], left: Counter[str], paper: str) -> Iterator[Line]:
    kind, x, y = element["type"], element["x"], element["y"]
    ink = str(element.get("strokeColor", "")).lower()
    if kind in ("freedraw", "line", "arrow", "draw"):
        points = [(p[0], p[1]) for p in element["points"]]
        if len(points) == 2 and 0 < math.dist(*points) < POINT:
            points = points[:1]
    elif kind in ("rectangle", "diamond", "ellipse"):
        points = _outline(kind, element["width"], element["height"])
    else:
        left[str(kind)[:40]] += 1
        return
    if element.get("opacity") == 0 or ink == "transparent":
        left[f"unseen {kind}"] += 1
        return
    left[WHITE] += ink == paper.lower()
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
    if shape.get("opacity") == 0:
        kind, lines = f"unseen {kind}", []
    if not lines and kind not in ("group", "frame"):
        left[str(kind)[:40]] += 1
    for line in lines:
        left[WHITE] += props.get("color") == "white"
        yield _moved(line, shape)


def _moved(line: Line, shape: dict[str, Any]) -> Line:
    """A line of a shape, or of one within it, as it lies around it."""
    return _placed(line, shape["x"], shape["y"], shape.get("rotation") or 0, (0, 0))


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
