"""The objects of a JSON text as they arrive: one a line, in an array, pretty-printed or joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import sniff

READ_SIZE = 1 << 20  # bytes
MAX_LINE = 1 << 24  # bytes of an object
LONG_LINE = 1 << 20  # bytes; of one that is longer, the parts are counted first
MAX_LISTS = 3_200_000  # in an object, with its objects; each takes 60 bytes or more
MAX_NUMBERS = 6_000_000  # in an object, and texts
KEYS = ("drawing", "strokes")  # of an object that is a drawing
MAX_DEPTH = 4  # objects around a list of drawings

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}"]', re.DOTALL)
_KEY = re.compile(rb'"(?:drawing|strokes)"\s*:')
_BETWEEN = b" \t\r\n[],\x1e\xef\xbb\xbf"  # objects of a text

Numbered = tuple[int, bytes]  # the line on which an object begins, and its text


def arrivals(source: str) -> Iterator[Iterator[Numbered]]:
    """Objects by what came in together. Each iterator must be passed through before the next.

    What stands between objects and is no JSON is handed on as well: its reader refuses it.

    Raises:
        BadFile: nothing there, another kind of file, an endless object.
    """
    name = name_of(source)
    objects = _Objects(name)
    rest: list[bytes] = []  # of an unfinished line
    number = held = 0
    for chunk in sniff.text_chunks(source, "ndjson", READ_SIZE):
        pieces = chunk.split(b"\n")
        if len(pieces) == 1:
            rest.append(chunk)
            held += len(chunk)
            if held >= READ_SIZE and any(b"{" in part for part in rest):
                yield objects.feed(b"".join(rest), number + 1)
                rest, held = [], 0
            elif held > MAX_LINE:
                raise BadFile(
                    f"{name}:{number + 1}: a line of over {MAX_LINE >> 20} MiB; a drawing a line"
                )
            continue
        pieces[0] = b"".join([*rest, pieces[0]])
        rest = [pieces.pop()]
        held = len(rest[0])
        yield _lines(pieces, number, objects)
        number += len(pieces)
    last = b"".join(rest)
    yield _lines([last] if last else [], number, objects)
    yield objects.finish()
    if not number and not objects.n:
        raise BadFile(f"{name}: no drawings, only blanks")


def _lines(lines: Iterable[bytes], before: int, objects: _Objects) -> Iterator[Numbered]:
    for number, line in enumerate(lines, start=before + 1):
        alone = line[:1] == b"{" and line.count(b"}") == 1 and line.rstrip()[-1:] == b"}"
        if alone and not objects.begun and len(line) <= LONG_LINE:
            objects.n += 1
            yield number, line
        elif line and not line.isspace():
            yield from objects.feed_line(line, number)


class _Objects:
    """Cuts text into objects, wherever its lines end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n = 0  # so far
        self.parts: list[bytes] = []  # of an object that has begun
        self.depth = self.size = self.number = 0
        self.counts = (0, 0)  # lists and numbers of these parts
        self.held = b""  # a string without an end

    @property
    def begun(self) -> bool:
        return bool(self.parts or self.held)

    def feed_line(self, line: bytes, number: int) -> Iterator[Numbered]:
        """The objects that end on a line. One that is whole ends another that is not."""
        if self.parts and is_drawing(line):
            yield from self.finish()
        yield from self.feed(line + b"\n", number)
        part, self.held = self.held, b""
        if self.depth and part:
            self._keep(part)
        else:
            yield from self._between(part, number)

    def feed(self, data: bytes, number: int) -> Iterator[Numbered]:
        """The objects that end in a piece of text."""
        data, self.held = self.held + data, b""
        start = done = 0  # of the object, and where the last one ended
        for token in _TOKEN.finditer(data):
            at, kind = token.start(), data[token.start() : token.end()]
            if kind == b"{":
                if not self.depth:
                    yield from self._between(data[done:at], number)
                    start, self.number = at, number
                self.depth += 1
            elif kind == b"}" and self.depth:
                self.depth -= 1
                if not self.depth:
                    yield from self._made(data[start : token.end()])
                    start = done = token.end()
            elif kind == b'"':
                data, self.held = data[:at], data[at:]
                break
        if self.depth:
            self._keep(data[start:])
        else:
            yield from self._between(data[done:], number)

    def finish(self) -> Iterator[Numbered]:
        """What has begun and does not end."""
        if self.begun:
            yield from self._made(self.held)
        self.held, self.depth = b"", 0

    def _keep(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)
        if self.size + len(self.held) > MAX_LINE:
            raise BadFile(
                f"{self.name}:{self.number}: a line of over {MAX_LINE >> 20} MiB; a drawing a line"
            )
        lists, numbers = _counts(part)
        self.counts = (self.counts[0] + lists, self.counts[1] + numbers)
        _check_counts(self.counts, self.size, f"{self.name}:{self.number}")

    def _made(self, end: bytes) -> Iterator[Numbered]:
        text = b"".join([*self.parts, end])
        self.parts, self.size, self.counts = [], 0, (0, 0)
        _check_parts(text, f"{self.name}:{self.number}")
        parts = _inner_drawings(text)
        self.n += len(parts)
        yield from ((self.number, part) for part in parts)

    def _between(self, text: bytes, number: int) -> Iterator[Numbered]:
        if text.strip(_BETWEEN):
            _check_parts(text, f"{self.name}:{number}")
            parts = _bare_drawings(text.strip()) or [text.strip()]
            self.n += len(parts)
            yield from ((number, part) for part in parts)


def _bare_drawings(text: bytes) -> list[bytes]:
    """The drawings of an array of such as have no names for anything: lists four deep."""
    if not re.match(rb"(?:\[\s*){4}", text):
        return []
    try:
        return [orjson.dumps(drawing) for drawing in orjson.loads(text)]
    except orjson.JSONDecodeError:
        return []


def _inner_drawings(text: bytes) -> list[bytes]:
    """The drawings of an object that holds a list of such; else the object."""
    second = text.find(b"{", 1)
    if second < 0 or _KEY.search(text, 0, second) or not _KEY.search(text, second):
        return [text]
    try:
        found = _within(orjson.loads(text), MAX_DEPTH)
    except orjson.JSONDecodeError:
        return [text]
    return [orjson.dumps(drawing) for drawing in found] or [text]


def _within(found: Any, depth: int) -> list[Any]:
    """The only list of objects with a drawing each, within objects."""
    if not isinstance(found, dict) or not depth or any(key in found for key in KEYS):
        return []
    lists = []
    for value in found.values():
        first = value[0] if isinstance(value, list) and value else None
        of_drawings = isinstance(first, dict) and any(key in first for key in KEYS)
        lists.append(value if of_drawings else _within(value, depth - 1))
    lists = [each for each in lists if each]
    return lists[0] if len(lists) == 1 else []


def is_drawing(line: bytes) -> bool:
    """Whether a line is an object with a drawing, all of it."""
    text = line.strip(_BETWEEN)
    if not text.startswith(b"{") or not any(key.encode() in text for key in KEYS):
        return False
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return any(key in record for key in KEYS)


def _check_parts(text: bytes, where: str) -> None:
    """Refuse an object before it is taken apart into objects many times its size.

    Raises:
        BadFile: more lists or numbers than memory should hold.
    """
    if len(text) > LONG_LINE:
        _check_counts(_counts(text), len(text), where)


def _counts(text: bytes) -> tuple[int, int]:
    """Lists, with the objects, and numbers, with the texts."""
    return text.count(b"[") + 4 * text.count(b"{"), text.count(b",")


def _check_counts(counts: tuple[int, int], size: int, where: str) -> None:
    lists, numbers = counts
    if size > LONG_LINE and (lists > MAX_LISTS or numbers > MAX_NUMBERS):
        raise BadFile(f"{where}: a line of {size >> 20} MiB with too many parts")
