"""Quick, Draw! NDJSON, raw and simplified: one drawing a line. And JSON that is nearly that.

Objects may stand in an array, go over several lines or follow one another; a drawing has any of
the shapes that ``strokes`` knows. A file waits for the stroke that says whether its strokes are
rows or points; a pipe does not, and until it comes, strokes are rows.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import orjson

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.files import STDIO, name_of
from sketchrnn_cli.sketches.block import Block, offsets, per_drawing, take
from sketchrnn_cli.sketches.formats import strokes
from sketchrnn_cli.sketches.formats.json_objects import KEYS, Numbered, arrivals
from sketchrnn_cli.sketches.formats.strokes import FAR, Layout, Rows, is_time
from sketchrnn_cli.sketches.sketch import Sketch

BLOCK_LINES = 2048
BLOCK_BYTES = 1 << 22
EXACT = 1 << 24  # whole numbers below are the same in float32
MAX_STROKES = 100_000  # of a drawing that is handed on by itself; each takes 500 bytes meanwhile
MAX_HELD = 1024  # lines of a file kept back while their strokes read both ways
MAX_HELD_BYTES = 1 << 20
DEPTH = 3  # of lists in a drawing: strokes, rows, numbers
LABELS = ("word", "label", "category", "class")  # keys that may say what is drawn
_TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_TRAILING_COMMA = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|,(?=\s*[\]}])')

Skipped = Callable[[str], None]
Arrivals = Iterable[Iterator[Numbered]]


def read(
    source: str, *, word: str | None = None, skipped: Skipped | None = None
) -> Iterator[Sketch]:
    """Read drawings as they come in, with all their fields.

    Args:
        source: a file, gzipped or not, or ``-``.
        word: what is drawn in lines that do not say.
        skipped: called for every line that is left out for a fault; None: a fault is an error.

    Raises:
        BadFile: no such file, an empty one, or another kind of file.
        BadSketch: a line that is no drawing; the message names it.
    """
    yield from sketches_of(arrivals(source), name_of(source), word, skipped)


def sketches_of(
    arriving: Arrivals, name: str, word: str | None, skipped: Skipped | None
) -> Iterator[Sketch]:
    """Drawings of JSON objects that come in; see ``read``."""
    wait = name != name_of(STDIO)
    held: list[tuple[str, _Record]] = []
    n_bytes = 0
    layout = Layout()
    for number, line in chain.from_iterable(arriving):
        where = f"{name}:{number}"
        record = None
        with _passing_over(skipped):
            record = _record(line, where)
        if record is None:
            continue
        held.append((where, record))
        n_bytes += len(line)
        decided = layout.see([] if record.rows else record.strokes) is not None
        if not decided and wait:
            if len(held) < MAX_HELD and n_bytes < MAX_HELD_BYTES:
                continue
            layout.decide()
        yield from _released(held, word, skipped, points=bool(layout.points))
        held, n_bytes = [], 0
    yield from _released(held, word, skipped, points=layout.decide())


def _released(
    held: list[tuple[str, _Record]], word: str | None, skipped: Skipped | None, *, points: bool
) -> Iterator[Sketch]:
    for where, record in held:
        with _passing_over(skipped):
            yield _sketch(record, where, word, points=points)


@contextlib.contextmanager
def _passing_over(skipped: Skipped | None) -> Iterator[None]:
    """Report a drawing with a fault and go on, or stop with advice."""
    try:
        yield
    except BadSketch as error:
        if skipped is None:
            raise BadSketch(f"{error}; repair the line, or use --on-error skip") from None
        skipped(str(error))


def read_blocks(
    source: str,
    *,
    word: str | None = None,
    skipped: Skipped | None = None,
    extras: bool = False,
    at_once: bool = False,
) -> Iterator[Block]:
    """The same drawings in blocks of a few thousand, without their times.

    Args:
        source: a file, gzipped or not, or ``-``.
        word: what is drawn in lines that do not say.
        skipped: as for ``read``.
        extras: keep unknown fields.
        at_once: hand drawings on as they come in, and the first one alone.
    """
    yield from blocks_of(
        arrivals(source), name_of(source), word, skipped, extras=extras, at_once=at_once
    )


def blocks_of(
    arriving: Arrivals,
    name: str,
    word: str | None,
    skipped: Skipped | None,
    *,
    extras: bool = False,
    at_once: bool = False,
) -> Iterator[Block]:
    """Blocks of JSON objects that come in; see ``read_blocks``."""
    layout = Layout()
    batch: list[Numbered] = []
    size = 0

    def block() -> Block:
        nonlocal batch, size
        number, _ = batch[-1]
        if not _seen(layout, batch) and (not at_once or number >= MAX_HELD):
            layout.decide()
        made = _block(batch, name, word, skipped, points=bool(layout.points), extras=extras)
        batch, size = [], 0
        return made

    for lines in arriving:
        for number, line in lines:
            batch.append((number, line))
            size += len(line)
            # What decides for the rest does so by itself, however fast the others come.
            alone = at_once and layout.points is None
            if alone or len(batch) >= BLOCK_LINES or size >= BLOCK_BYTES:
                yield block()
        if batch and at_once:
            yield block()
    if batch:
        yield block()


def to_line(sketch: Sketch) -> bytes:
    r"""One line ending in ``\n``: word, drawing, then the other fields.

    Coordinates are whole numbers where they are whole, else the shortest text that gives the
    same float32.
    """
    record: dict[str, object] = {}
    if sketch.word is not None:
        record["word"] = sketch.word
    times = sketch.times or (None,) * len(sketch.strokes)
    record["drawing"] = [
        [_numbers(stroke[:, 0]), _numbers(stroke[:, 1])] + ([] if t is None else [_numbers(t)])
        for stroke, t in zip(sketch.strokes, times, strict=True)
    ]
    record.update({k: v for k, v in sketch.extras.items() if k not in ("word", "drawing")})
    return _dumped(record)


def to_lines(block: Block) -> Iterator[bytes]:
    """The same of every drawing of a block, sooner where all coordinates are whole numbers."""
    points = block.points
    if not ((np.rint(points) == points).all() and np.abs(points).max(initial=0) < EXACT):
        yield from (to_line(block.sketch(i)) for i in range(len(block)))
        return
    x, y = points[:, 0].astype(np.int64).tolist(), points[:, 1].astype(np.int64).tolist()
    strokes, drawings = block.strokes.tolist(), block.drawings.tolist()
    for i, (first, last) in enumerate(pairwise(drawings)):
        record: dict[str, object] = {}
        if block.words[i] is not None:
            record["word"] = block.words[i]
        cuts = pairwise(strokes[first : last + 1])
        record["drawing"] = [[x[a:b], y[a:b]] for a, b in cuts]
        if block.extras:
            others = block.extras[i].items()
            record.update({k: v for k, v in others if k not in ("word", "drawing")})
        yield _dumped(record)


def _dumped(record: dict[str, object]) -> bytes:
    """A line.

    Raises:
        BadSketch: another field lies deeper in itself than can be written.
    """
    try:
        return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        others = ", ".join(repr(k)[:40] for k in record if k not in ("word", "drawing"))
        raise BadSketch(
            f"a drawing cannot be passed on with its other fields ({others[:200]}): "
            f"{str(error).lower()}; leave them out"
        ) from None


def _numbers(values: npt.NDArray[Any]) -> npt.NDArray[Any] | list[int | float]:
    """What orjson writes without loss: it takes arrays of one type, and whole floats get .0."""
    whole = np.rint(values) == values
    if values.size and whole.all() and np.abs(values).max() < 1 << 53:
        return values.astype(np.int64)
    if not whole.any():
        return np.ascontiguousarray(values)
    shortest = np.ascontiguousarray(values)
    text = orjson.loads(orjson.dumps(shortest, option=orjson.OPT_SERIALIZE_NUMPY))
    return [int(v) if abs(v) < 1 << 53 and v == int(v) else v for v in text]


class _Record(NamedTuple):
    """The object on a line."""

    fields: dict[str, Any]  # with ``recognized`` as true, false or null, if they say so
    key: str  # of the drawing
    strokes: list[Any]  # the drawing
    rows: bool  # its strokes are rows for certain


def _record(line: bytes, where: str) -> _Record:
    """The object on a line, which has a drawing.

    Raises:
        BadSketch: it is something else.
    """
    fields = _parsed(line, where)
    if isinstance(fields, list) and _depth(fields) == DEPTH:
        fields = {"drawing": fields}
    if not isinstance(fields, dict):
        raise BadSketch(f'{where}: not an object with a drawing; write {{"drawing": ...}} lines')
    key = next((key for key in KEYS if key in fields), None)
    if key is None:
        has = ", ".join(list(fields)[:6]) or "nothing"
        lists = (name for name in fields if isinstance(fields[name], list))
        inner = next((name for name in lists if _depth(fields[name]) >= DEPTH - 1), None)
        advice = f"; if they are in {inner}, write these one a line" if inner else ""
        raise BadSketch(f"{where}: no drawing in an object with {has}{advice}")
    drawing, rows = strokes.opened(fields[key], where)
    _recognized(fields)
    return _Record(fields, key, drawing, rows)


def _parsed(line: bytes, where: str) -> Any:
    """A line of JSON, in which commas may stand after the last of a list."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(_TRAILING_COMMA.sub(rb"\1", line.strip(b", \t\r\n")))
        why = f"{error.msg} at column {error.colno}"
        if line.lstrip().startswith((b"{'", b"[{'")):
            why = "names in single quotes, as Python prints them; write it with json.dumps"
        raise BadSketch(f"{where}: not JSON: {why}") from None


def _depth(found: Any) -> int:
    """How many lists lie within one another at the beginning, objects not looked into."""
    depth = 0
    while isinstance(found, list) and found and depth <= DEPTH:
        found, depth = found[0], depth + 1
    return depth + isinstance(found, dict)


def _recognized(fields: dict[str, Any]) -> bool:
    """Whether Quick, Draw! recognized a drawing, or does not say; 0, 1 and texts become truth."""
    found = fields.get("recognized")
    if found is not None and type(found) is not bool:
        found = _TRUTH.get(str(found).strip().lower(), found)
        fields["recognized"] = found
    return found is not False


def _seen(layout: Layout, batch: list[Numbered]) -> bool:
    """Let drawings show how their strokes lie; whether that is known then."""
    for _, line in batch if layout.points is None else ():
        with contextlib.suppress(BadSketch):
            record = _record(line, "")
            if not record.rows and layout.see(record.strokes) is not None:
                break
    return layout.points is not None


def _word(fields: dict[str, Any], word: str | None) -> str | None:
    """What is drawn: a text or a number, as the fields say, or else as the file does."""
    for key in LABELS:
        found = fields.get(key)
        if isinstance(found, str) and found:
            return found if found.isascii() else unicodedata.normalize("NFC", found)
        if type(found) is int:
            return str(found)
    return word


def _others(fields: dict[str, Any], key: str = "drawing") -> dict[str, Any]:
    return {k: v for k, v in fields.items() if k not in ("word", key)}


def _sketch(record: _Record, where: str, word: str | None, *, points: bool) -> Sketch:
    """The drawing of a line."""
    if len(record.strokes) > MAX_STROKES:
        raise BadSketch(f"{where}: {len(record.strokes):,} strokes, which is no drawing")
    found = strokes.rows_of(record.strokes, where, points=points and not record.rows)
    lines = tuple(np.array(rows[:2], np.float32).T.copy() for rows in found)
    times = None
    if found and all(len(rows) > 2 for rows in found) and is_time([rows[2] for rows in found]):
        times = tuple(np.array(rows[2], np.float64) for rows in found)
    extras = _others(record.fields, record.key)
    return Sketch(lines, _word(record.fields, word), extras, cast(Any, times))


def _has_truth(line: bytes, fields: dict[str, Any]) -> bool:
    """Whether true or false stands in a line where numbers may be: an array takes them for some."""
    n = line.count(b"true") + line.count(b"false")
    return n > (type(fields.get("recognized")) is bool)


class _Laid:
    """The drawings of many lines, one after the other, while a block is made."""

    def __init__(self) -> None:
        self.x, self.y = array("d"), array("d")
        self.n_points, self.n_strokes, self.numbers = array("q"), array("q"), array("q")

    def add(self, drawing: list[Any]) -> list[Any]:
        """Lay down strokes that are two or three rows of numbers; the third rows.

        Raises:
            TypeError, KeyError, IndexError: they are not.
        """
        x, y, n_points = self.x, self.y, self.n_points
        thirds = []
        for stroke in drawing:
            xs, ys = stroke[0], stroke[1]
            n = len(xs)
            if n != len(ys):
                raise TypeError
            if n:
                x.fromlist(xs)
                y.fromlist(ys)
                n_points.append(n)
            elif type(xs) is not list or type(ys) is not list:
                raise TypeError
            if len(stroke) > 2:
                third = stroke[2]
                if type(third) is not list or len(third) != n or len(stroke) > 3:
                    raise TypeError
                thirds.append(third)
        return thirds


def _block(
    batch: list[Numbered],
    name: str,
    word: str | None,
    skipped: Skipped | None,
    *,
    points: bool,
    extras: bool,
) -> Block:
    """Lay the drawings of many lines one after the other."""
    laid = _Laid()
    words: list[str | None] = []
    recognized, timed = array("b"), array("b")
    others: list[dict[str, Any]] = []
    for number, line in batch:
        n_before, strokes_before, key = len(laid.x), len(laid.n_points), "drawing"
        try:
            if points:
                raise TypeError  # the slow way
            fields = orjson.loads(line)
            drawing = fields["drawing"]
            if type(drawing) is not list or _has_truth(line, fields):
                raise TypeError
            thirds = laid.add(drawing)
        except (TypeError, KeyError, IndexError, orjson.JSONDecodeError):
            del laid.x[n_before:], laid.y[n_before:], laid.n_points[strokes_before:]
            found: list[Rows] | None = None
            with _passing_over(skipped):
                where = f"{name}:{number}"
                fields, key, drawing, rows = _record(line, where)
                found = strokes.rows_of(drawing, where, points=points and not rows)
            if found is None:
                continue
            laid.add([each[:2] for each in found])
            thirds = [each[2] for each in found if len(each) > 2]
        laid.numbers.append(number)
        laid.n_strokes.append(len(laid.n_points) - strokes_before)
        words.append(_word(fields, word))
        recognized.append(_recognized(fields))
        timed.append(bool(thirds) and is_time(thirds))
        if extras:
            others.append(_others(fields, key))
    block = Block(
        np.column_stack([np.array(laid.x), np.array(laid.y)]),
        offsets(np.array(laid.n_points, np.int64)),
        offsets(np.array(laid.n_strokes, np.int64)),
        words,
        recognized=np.array(recognized, bool),
        timed=np.array(timed, bool),
        extras=others if extras else None,
    )
    return _near(block, laid, name, skipped)


def _near(block: Block, laid: _Laid, name: str, skipped: Skipped | None) -> Block:
    """The drawings that lie somewhere near; the others are reported."""
    near = np.asarray((np.abs(block.points) < FAR).all(axis=1))
    if near.all():
        return block
    good = per_drawing(np.logical_and.reduceat, near, block.bounds, empty=1)
    for i in np.flatnonzero(~good).tolist():
        with _passing_over(skipped):
            raise BadSketch(f"{name}:{laid.numbers[i]}: a coordinate that is no place on a canvas")
    return take(block, good)
