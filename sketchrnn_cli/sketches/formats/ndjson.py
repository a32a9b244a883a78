"""Quick, Draw! NDJSON, raw and simplified: one drawing a line.

A stroke is ``[[x...], [y...]]``, with a third row of times in raw files. Some write it as
``[[x, y], ...]`` instead; a stroke of two points reads both ways, so the first stroke that does
not decides for the file. A pipe does not wait for it: until it comes, strokes are rows.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import orjson

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches.block import Block, offsets, per_drawing, take
from sketchrnn_cli.sketches.formats.npz import say_what_it_is
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.sketches.streams import STDIO, name_of, open_input

READ_SIZE = 1 << 20  # bytes
BLOCK_LINES = 2048
BLOCK_BYTES = 1 << 22
MAX_LINE = 1 << 24  # bytes
LONG_LINE = 1 << 20  # bytes; of one that is longer, the parts are counted first
MAX_LISTS = 3_200_000  # in a line, with its objects; each takes 60 bytes or more
MAX_NUMBERS = 6_000_000  # in a line, and texts
FAR = 1e9  # pixels; a coordinate beyond is a fault
EXACT = 1 << 24  # whole numbers below are the same in float32
MAX_STROKES = 100_000  # of a drawing that is handed on by itself; each takes 500 bytes meanwhile
MAX_HELD = 1024  # lines of a file kept back while their strokes read both ways
MAX_HELD_BYTES = 1 << 20

Skipped = Callable[[str], None]
Row = list[float]
Lines = list[tuple[int, bytes]]  # number, text


def read(
    source: str, *, word: str | None = None, skipped: Skipped | None = None
) -> Iterator[Sketch]:
    """Read drawings as they come in, with all their fields.

    Args:
        source: a file, gzipped or not, or ``-``.
        word: what is drawn in lines that do not say.
        skipped: told of every line that is left out for a fault; None: a fault is an error.

    Raises:
        BadFile: no such file, an empty one, or another kind of file.
        BadSketch: a line that is no drawing; the message names it.
    """
    name = name_of(source)
    held: list[tuple[str, dict[str, Any]]] = []
    n_bytes = 0
    pairs: bool | None = None
    for number, line in _lines(source):
        where = f"{name}:{number}"
        record = None
        with _passing_over(skipped):
            record = _record(line, where)
        if record is None:
            continue
        if pairs is None:
            pairs = _is_pairs(record["drawing"])
        held.append((where, record))
        n_bytes += len(line)
        if pairs is None and source != STDIO:
            if len(held) < MAX_HELD and n_bytes < MAX_HELD_BYTES:
                continue
            pairs = False
        yield from _released(held, word, skipped, pairs=bool(pairs))
        held, n_bytes = [], 0
    yield from _released(held, word, skipped, pairs=False)


def _released(
    held: list[tuple[str, dict[str, Any]]],
    word: str | None,
    skipped: Skipped | None,
    *,
    pairs: bool,
) -> Iterator[Sketch]:
    for where, record in held:
        with _passing_over(skipped):
            yield _sketch(record, where, word, pairs=pairs)


@contextlib.contextmanager
def _passing_over(skipped: Skipped | None) -> Iterator[None]:
    """Report a drawing with a fault and go on, or stop with advice."""
    try:
        yield
    except BadSketch as error:
        if skipped is None:
            raise BadSketch(f"{error}; mend the line, or use --on-error skip") from None
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
    name = name_of(source)
    pairs: bool | None = None
    batch: Lines = []
    size = 0

    def block() -> Block:
        nonlocal batch, size, pairs
        number, _ = batch[-1]
        if pairs is None:
            pairs = _decide(batch)
            if pairs is None and (not at_once or number >= MAX_HELD):
                pairs = False
        made = _block(batch, name, word, skipped, pairs=bool(pairs), extras=extras)
        batch, size = [], 0
        return made

    for lines in _arrivals(source):
        for number, line in lines:
            batch.append((number, line))
            size += len(line)
            # What decides for the rest does so by itself, however fast the others come.
            alone = at_once and pairs is None
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


def _lines(source: str) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers, as soon as they arrive."""
    for lines in _arrivals(source):
        yield from lines


def _arrivals(source: str) -> Iterator[Iterator[tuple[int, bytes]]]:
    """The same lines, by what came in together. Each must be passed through before the next.

    Raises:
        BadFile: nothing there, a web page, a git-lfs pointer, damaged gzip, an endless line.
    """
    name = name_of(source)
    with open_input(source) as stream, unpacked(stream) as text:
        rest: list[bytes] = []  # of an unfinished line
        held = 0
        number = 0
        first = True
        while True:
            try:
                chunk = text.read1(READ_SIZE)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise BadFile(f"{name}: damaged gzip ({error}); get the file again") from None
            if first:
                if not chunk and source == STDIO:
                    raise BadFile(f"{name}: no drawings came in")
                say_what_it_is(chunk, name)
                if chunk.startswith(b"PK\x03\x04"):
                    raise BadFile(f"{name}: a zip file, not ndjson; name it .npz if it is one")
                chunk = chunk.removeprefix(b"\xef\xbb\xbf")
                first = False
            elif not chunk:
                break
            pieces = chunk.split(b"\n")
            held += len(chunk) if len(pieces) == 1 else 0
            if held > MAX_LINE:
                raise BadFile(f"{name}:{number + 1}: a line of over {MAX_LINE >> 20} MiB")
            if len(pieces) == 1:
                rest.append(chunk)
                continue
            pieces[0] = b"".join([*rest, pieces[0]])
            rest = [pieces.pop()]
            held = len(rest[0])
            yield _numbered(pieces, number, name)
            number += len(pieces)
        last = b"".join(rest)
        if last and not last.isspace():
            yield _numbered([last], number, name)
        elif number == 0:
            raise BadFile(f"{name}: no drawings, only blanks")


def _numbered(lines: list[bytes], before: int, name: str) -> Iterator[tuple[int, bytes]]:
    """Those that are not blank, with their numbers."""
    for number, line in enumerate(lines, start=before + 1):
        if line and not line.isspace():
            _check_parts(line, f"{name}:{number}")
            yield number, line


def _check_parts(line: bytes, where: str) -> None:
    """Refuse a line before it is taken apart into objects many times its size.

    Raises:
        BadFile: more lists or numbers than memory should hold.
    """
    if len(line) > LONG_LINE:
        lists = line.count(b"[") + 4 * line.count(b"{")
        if lists > MAX_LISTS or line.count(b",") > MAX_NUMBERS:
            raise BadFile(f"{where}: a line of {len(line) >> 20} MiB with too many parts")


@contextlib.contextmanager
def unpacked(stream: BinaryIO) -> Iterator[io.BufferedReader]:
    """The text of a file that may be gzipped, whatever it is called."""
    reader = cast(io.BufferedReader, stream)
    if not hasattr(reader, "peek"):
        reader = io.BufferedReader(cast(io.RawIOBase, stream))
    if reader.peek(2)[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=reader) as unzipped:
            yield io.BufferedReader(cast(io.RawIOBase, unzipped), READ_SIZE)
    else:
        yield reader


def _record(line: bytes, where: str) -> dict[str, Any]:
    """The object on a line, which has a drawing.

    Raises:
        BadSketch: it is something else.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadSketch(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(record, dict):
        raise BadSketch(f"{where}: not an object with a drawing, one on each line")
    if not isinstance(record.get("drawing"), list):
        has = ", ".join(list(record)[:6]) or "nothing"
        found = "no drawing" if "drawing" not in record else "a drawing that is no list"
        raise BadSketch(f"{where}: {found} in an object with {has}")
    return record


def _is_pairs(drawing: list[Any]) -> bool | None:
    """Whether strokes are lists of points; None where they read both ways."""
    for stroke in drawing:
        if not isinstance(stroke, list) or not stroke or not isinstance(stroke[0], list):
            continue
        inner = len(stroke[0])
        if len(stroke) not in (2, 3):
            return inner in (2, 3)
        if inner not in (2, 3):
            return False
    return None


def _decide(batch: Lines) -> bool | None:
    """The same for a file, by its first lines."""
    for _, line in batch:
        try:
            drawing = orjson.loads(line)["drawing"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        pairs = _is_pairs(drawing) if isinstance(drawing, list) else None
        if pairs is not None:
            return pairs
    return None


def _rows(drawing: list[Any], where: str, *, pairs: bool) -> list[list[Row]]:
    """Every stroke as rows x, y and perhaps a third, checked; empty strokes are left out.

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
        if pairs and len({len(point) for point in stroke}) > 1:
            raise BadSketch(f"{here} has points of different length")
        rows = list(map(list, zip(*stroke, strict=True))) if pairs else stroke
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
    return result


def _word(record: dict[str, Any], word: str | None) -> str | None:
    found = record.get("word")
    return found if isinstance(found, str) and found else word


def _sketch(record: dict[str, Any], where: str, word: str | None, *, pairs: bool) -> Sketch:
    """The drawing of a line."""
    if len(record["drawing"]) > MAX_STROKES:
        raise BadSketch(f"{where}: {len(record['drawing']):,} strokes, which is no drawing")
    strokes = _rows(record["drawing"], where, pairs=pairs)
    lines = tuple(np.array(rows[:2], np.float32).T.copy() for rows in strokes)
    times = None
    if strokes and all(len(rows) > 2 and _is_numbers(rows[2]) for rows in strokes):
        times = tuple(np.array(rows[2], np.float64) for rows in strokes)
    extras = {key: value for key, value in record.items() if key not in ("word", "drawing")}
    return Sketch(lines, _word(record, word), extras, cast(Any, times))


def _is_numbers(row: Row) -> bool:
    return all(type(value) in (int, float) for value in row)


def is_time(thirds: list[Row]) -> bool:
    """Whether the third rows of a drawing are times: they grow, save for a few steps.

    Pressure, a constant and the like do not.
    """
    row = [value for third in thirds for value in third]
    if len(row) < 2 or not _is_numbers(row):
        return False
    steps = np.diff(np.array(row, float))
    return bool(row[-1] > row[0] and (steps >= 0).mean() >= 0.9)


def _has_truth(line: bytes, record: dict[str, Any]) -> bool:
    """Whether true or false stands in a line where numbers may be: an array takes them for some."""
    n = line.count(b"true") + line.count(b"false")
    return n > (type(record.get("recognized")) is bool)


def _block(
    batch: Lines,
    name: str,
    word: str | None,
    skipped: Skipped | None,
    *,
    pairs: bool,
    extras: bool,
) -> Block:
    """Lay the drawings of many lines one after the other."""
    x, y = array("d"), array("d")
    n_points, n_strokes = array("q"), array("q")
    numbers = array("q")
    words: list[str | None] = []
    recognized, timed = array("b"), array("b")
    others: list[dict[str, Any]] = []
    loads = orjson.loads
    for number, line in batch:
        n_before, strokes_before = len(x), len(n_points)
        thirds: list[Row] = []
        try:
            if pairs:
                raise TypeError  # the slow way
            record = loads(line)
            drawing = record["drawing"]
            if type(drawing) is not list or _has_truth(line, record):
                raise TypeError
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
        except (TypeError, KeyError, IndexError, orjson.JSONDecodeError):
            del x[n_before:], y[n_before:], n_points[strokes_before:]
            strokes = None
            with _passing_over(skipped):
                record = _record(line, f"{name}:{number}")
                strokes = _rows(record["drawing"], f"{name}:{number}", pairs=pairs)
            if strokes is None:
                continue
            for rows in strokes:
                x.fromlist(rows[0])
                y.fromlist(rows[1])
                n_points.append(len(rows[0]))
            thirds = [rows[2] for rows in strokes if len(rows) > 2]
        numbers.append(number)
        n_strokes.append(len(n_points) - strokes_before)
        words.append(_word(record, word))
        recognized.append(record.get("recognized") is not False)
        timed.append(bool(thirds) and is_time(thirds))
        if extras:
            others.append({k: v for k, v in record.items() if k not in ("word", "drawing")})
    points = np.empty((len(x), 2))
    points[:, 0] = x
    points[:, 1] = y
    block = Block(
        points,
        offsets(np.array(n_points, np.int64)),
        offsets(np.array(n_strokes, np.int64)),
        words,
        recognized=np.array(recognized, bool),
        timed=np.array(timed, bool),
        extras=others if extras else None,
    )
    near = np.asarray((np.abs(points) < FAR).all(axis=1))
    if near.all():
        return block
    good = per_drawing(np.logical_and.reduceat, near, block.bounds, empty=1)
    for i in np.flatnonzero(~good).tolist():
        with _passing_over(skipped):
            raise BadSketch(f"{name}:{numbers[i]}: a coordinate that is no place on a canvas")
    return take(block, good)
