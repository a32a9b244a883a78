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
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.block import Block, offsets, per_drawing, take
from sketchrnn_cli.sketches.formats import strokes, whole_numbers
from sketchrnn_cli.sketches.formats.json_objects import KEYS, Numbered
from sketchrnn_cli.sketches.formats.strokes import FAR, Layout, is_time
from sketchrnn_cli.sketches.sketch import Sketch

BLOCK_LINES = 2048
BLOCK_BYTES = 1 << 22
EXACT = 1 << 24  # whole numbers below are the same in float32
MAX_STROKES = 100_000  # of a drawing that is handed on by itself; each takes 500 bytes meanwhile
MAX_HELD = 1024  # lines of a pipe after which strokes that read both ways are decided
DEPTH = 3  # of lists in a drawing: strokes, rows, numbers
LABELS = (  # keys that may say what is drawn, names before numbers
    *("word", "class_name", "label_name", "category_name", "label", "category", "class", "labels"),
    *("name", "tag", "target", "class_id", "label_id", "category_id", "y"),
)
OF_NO_WORD = {"drawing", "key_id", "countrycode", "timestamp", "id"}  # they name no drawing
_TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_TRAILING_COMMA = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|,(?=\s*[\]}])')

Skipped = Callable[[str], None]
Note = Callable[[str], None]
Arrivals = Iterable[Iterator[Numbered]]


def _fault(error: BadSketch, skipped: Skipped | None) -> BadSketch | None:
    """The error to stop with, advice in it; None where the drawing is passed over."""
    if skipped is None:
        return BadSketch(f"{error}; repair the line, or use --on-error skip")
    skipped(str(error))
    return None


def blocks_of(
    arriving: Arrivals,
    name: str,
    word: str | None,
    skipped: Skipped | None,
    *,
    extras: bool = False,
    at_once: bool = False,
    singly: bool = False,
    note: Note | None = None,
) -> Iterator[Block]:
    """Read the drawings of JSON objects, in blocks of a few thousand.

    Args:
        arriving: the objects, see ``json_objects.arrivals``.
        name: of their source.
        word: what is drawn in lines that do not say.
        skipped: called for every line that is left out for a fault; None: a fault is an error.
        extras: keep unknown fields.
        at_once: hand drawings on as they come in, and the first one alone.
        singly: drawings are wanted one by one: with their times, and none of endless strokes.
        note: called, once, where drawings have texts in their fields, and none that is a label.

    Raises:
        BadFile: no such file, an empty one, or another kind of file.
        BadSketch: a line that is no drawing, after those before it; the message names it.
    """
    layout = Layout()
    batch: list[Numbered] = []
    size = 0

    def block() -> Iterator[Block]:
        nonlocal batch, size, note
        number, _ = batch[-1]
        if not _seen(layout, batch) and (not at_once or number >= MAX_HELD):
            layout.decide()
        lines, batch, size = batch, [], 0
        laid = _Laid(extras=extras, singly=singly)
        yield from laid.block(lines, name, word, skipped, points=bool(layout.points))
        if laid.unlabelled and note is not None:
            called = "have no label" if word is None else f"are called {word}"
            has = ", ".join(sorted(laid.unlabelled))[:100]
            note(f"{name}: no word in drawings with {has}; they {called}; name the key word")
            note = None

    for lines in arriving:
        for number, line in lines:
            batch.append((number, line))
            size += len(line)
            # What decides for the rest does so by itself, however fast the others come.
            alone = at_once and layout.points is None
            if alone or len(batch) >= BLOCK_LINES or size >= BLOCK_BYTES:
                yield from block()
        if batch and at_once:
            yield from block()
    if batch:
        yield from block()


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
    if isinstance(fields, str):  # JSON text inside JSON
        fields = _parsed(fields.encode(), where)
    if isinstance(fields, list) and _depth(fields) == DEPTH:
        fields = {"drawing": fields}
    if not isinstance(fields, dict):
        raise BadSketch(f'{where}: not an object with a drawing; write {{"drawing": ...}} lines')
    key = next((key for key in KEYS if key in fields), None) or strokes.other_key(fields)
    if key is None:
        has = ", ".join(list(fields)[:6]) or "nothing"
        lists = (name for name in fields if isinstance(fields[name], list))
        inner = next((name for name in lists if _depth(fields[name]) >= DEPTH - 1), None)
        advice = f"; if they are in {inner}, write these one a line" if inner else ""
        if inner and _depth(fields[inner]) == DEPTH:
            advice = f"; if it is {inner}, call that drawing"
        raise BadSketch(f"{where}: no drawing in an object with {has}{advice}")
    found = fields[key]
    if isinstance(found, list) and _depth(found) > DEPTH and isinstance(fields.get("word"), list):
        raise BadSketch(f"{where}: columns of a table; {strokes.RECORDS}")
    whole = found if key.lower() in KEYS else {key: found}
    drawing, rows = strokes.opened(whole, where)
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


def _word(fields: dict[str, Any]) -> str | None:
    """What is drawn: a text or a number, as the fields say."""
    for each in (fields, {key.lower(): value for key, value in fields.items()}):
        found = next((text for key in LABELS if (text := _label(each.get(key)))), None)
        if found:
            return found
    return None


def _label(found: Any) -> str | None:
    """A text or a number as a label, also one that is alone in a list, or has a name."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict):
        found = found.get("name")
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if type(found) is int:
        return str(found)
    if not isinstance(found, str) or not found:
        return None
    if found.endswith(".0") and found[:-2].isdecimal():
        return found[:-2]
    return found if found.isascii() else unicodedata.normalize("NFC", found)


def _has_truth(line: bytes, fields: dict[str, Any]) -> bool:
    """Whether true or false stands in a line where numbers may be: an array takes them for some."""
    n = line.count(b"true") + line.count(b"false")
    return n > (type(fields.get("recognized")) is bool)


class _Laid:
    """The drawings of many lines, one after the other, while a block is made."""

    def __init__(self, *, extras: bool, singly: bool) -> None:
        self.extras, self.singly = extras, singly
        self.x: Any = array("d")
        self.y: Any = array("d")
        self.n_points: Any = array("q")  # of each stroke
        self.n_strokes: Any = array("q")  # of each drawing
        self.numbers = array("q")
        self.recognized, self.timed = array("b"), array("b")
        self.words: list[str | None] = []
        self.others: list[dict[str, Any]] = []
        self.unlabelled: set[str] = set()  # keys of texts of drawings without a label
        self.times: list[tuple[npt.NDArray[Any], ...] | None] = []

    def block(
        self,
        batch: list[Numbered],
        name: str,
        word: str | None,
        skipped: Skipped | None,
        *,
        points: bool,
    ) -> Iterator[Block]:
        """Lay the drawings of many lines one after the other; of those before an error, too."""
        fault = None
        if points or self.singly or not self._all_lines(batch, word):
            for number, line in batch:
                try:
                    self._line(line, number, name, word, points=points)
                except BadSketch as error:
                    if fault := _fault(error, skipped):
                        break
        block = Block(
            np.column_stack([np.array(self.x, np.float64), np.array(self.y, np.float64)]),
            offsets(np.array(self.n_points, np.int64)),
            offsets(np.array(self.n_strokes, np.int64)),
            self.words,
            recognized=np.array(self.recognized, bool),
            timed=np.array(self.timed, bool),
            extras=self.others if self.extras else None,
            times=self.times if self.singly else None,
        )
        near = np.asarray((np.abs(block.points) < FAR).all(axis=1))
        if not near.all():
            good = per_drawing(np.logical_and.reduceat, near, block.bounds, empty=1)
            for i in np.flatnonzero(~good).tolist():
                where = f"{name}:{self.numbers[i]}"
                why = BadSketch(f"{where}: a coordinate that is no place on a canvas")
                if fault := _fault(why, skipped):
                    good[i:] = False
                    break
            block = take(block, good)
        yield block
        if fault:
            raise fault

    def _all_lines(self, batch: list[Numbered], word: str | None) -> bool:
        """Lay down the drawings of many lines at once; whether they are written so that it can."""
        found = whole_numbers.read([line for _, line in batch])
        if found is None:
            return False
        laid = found.laid
        self.x, self.y = laid.x, laid.y
        self.n_points, self.n_strokes = laid.n_points, laid.n_strokes
        self.numbers.extend([number for number, _ in batch])
        said = {id(each): (self._word(each, word), _recognized(each)) for each in found.distinct}
        each_says = [said[id(fields)] for fields in found.fields]
        self.words = [own for own, _ in each_says]
        self.recognized.extend([recognized for _, recognized in each_says])
        self.timed.extend([0] * len(batch))
        if self.extras:
            known = ("word", "drawing")
            for fields in found.fields:
                self.others.append({k: v for k, v in fields.items() if k not in known})
        return True

    def _line(self, line: bytes, number: int, name: str, word: str | None, *, points: bool) -> None:
        """Lay down the drawing of a line.

        Raises:
            BadSketch: there is none.
        """
        n_before, strokes_before, key = len(self.x), len(self.n_points), "drawing"
        try:
            if points:
                raise TypeError  # the slow way
            fields = orjson.loads(line)
            drawing = fields["drawing"]
            if type(drawing) is not list or _has_truth(line, fields):
                raise TypeError
            thirds = self._strokes(drawing)
        except (TypeError, KeyError, IndexError, orjson.JSONDecodeError):
            del self.x[n_before:], self.y[n_before:], self.n_points[strokes_before:]
            where = f"{name}:{number}"
            fields, key, drawing, rows = _record(line, where)
            found = strokes.rows_of(drawing, where, points=points and not rows)
            thirds = self._strokes(found)
        n_strokes = len(self.n_points) - strokes_before
        if self.singly and n_strokes > MAX_STROKES:
            del self.x[n_before:], self.y[n_before:], self.n_points[strokes_before:]
            raise BadSketch(f"{name}:{number}: {n_strokes:,} strokes, which is no drawing")
        timed = bool(thirds) and is_time(thirds)
        self.numbers.append(number)
        self.n_strokes.append(n_strokes)
        self.words.append(self._word(fields, word))
        self.recognized.append(_recognized(fields))
        self.timed.append(timed)
        if self.extras:
            self.others.append({k: v for k, v in fields.items() if k not in ("word", key)})
        if self.singly:
            whole = timed and len(thirds) == n_strokes
            self.times.append(tuple(np.array(t, np.float64) for t in thirds) if whole else None)

    def _word(self, fields: dict[str, Any], word: str | None) -> str | None:
        """What is drawn: as the fields say, or else as the file does."""
        found = _word(fields)
        if found is None:
            texts = {key for key, value in fields.items() if isinstance(value, str) and value}
            self.unlabelled |= texts - OF_NO_WORD
        return found or word

    def _strokes(self, drawing: list[Any]) -> list[Any]:
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
                if n:
                    thirds.append(third)
        return thirds
