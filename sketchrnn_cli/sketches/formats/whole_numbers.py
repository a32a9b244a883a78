"""Simplified drawings as Quick, Draw! writes them, thousands of lines at once.

Such a line is an object of one ``drawing``: strokes of two rows, x and y, of whole numbers without
a sign, of at most three digits. What is written otherwise, however slightly, is left to the reader
of single lines.

Symbols: P points, S strokes, D drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Fields = dict[str, Any]
Numbers = npt.NDArray[np.uint16]

KEY = b'"drawing":'
INSTEAD = b"7230584391742605311"  # stands where the drawing was, while the rest is read
SHORTEST = len("[[[0],[0]]]")
TOGETHER = 512  # drawings, whose text a core's cache holds
ROW = 3  # how deep the numbers of a row lie
MOST_TEXT = 1 << 22  # bytes of drawings that are read together: some 25 times as much memory
MOST_HEADS = 4096  # that are remembered

DIGIT, COMMA, OPEN, CLOSE, OTHER = range(5)
_KINDS = bytes({**dict.fromkeys(b"0123456789", DIGIT), ord(","): COMMA, ord("["): OPEN,
                ord("]"): CLOSE}.get(byte, OTHER) for byte in range(256))  # fmt: skip


def _in_turn() -> npt.NDArray[np.bool_]:
    """Which three kinds of byte may follow one another, by 16 a + 4 b + c."""
    allowed = np.zeros(64, np.bool_)
    for digits in ("ddd", "dd,", "dd]", "d,d", "d],", "d]]", ",dd", ",d,", ",d]", ",[["):
        allowed[_place(digits)] = True
    for brackets in ("],[", "]],", "]]]", "[[d", "[[[", "[dd", "[d,", "[d]", ",[d"):
        allowed[_place(brackets)] = True
    return allowed


def _place(kinds: str) -> int:
    a, b, c = ("d,[]".index(kind) for kind in kinds)
    return 16 * a + 4 * b + c


_IN_TURN = _in_turn()


class Laid(NamedTuple):
    """Drawings one after the other."""

    x: Numbers  # (P,)
    y: Numbers  # (P,)
    n_points: Ints  # (S,) of each stroke
    n_strokes: Ints  # (D,) of each drawing


class Read(NamedTuple):
    """What stands on lines."""

    fields: list[Fields]  # of each line, but for the drawing
    distinct: list[Fields]  # the same, each object once
    laid: Laid


def read(lines: Sequence[bytes]) -> Read | None:
    """Read lines; None where one is written otherwise."""
    found = _cut(lines)
    if found is None:
        return None
    fields, drawings = found
    parts = [lay(drawings[k : k + TOGETHER]) for k in range(0, len(drawings), TOGETHER)]
    laid = [part for part in parts if part is not None]
    if len(laid) < len(parts):
        return None
    distinct = [*{id(each): each for each in fields}.values()]
    return Read(fields, distinct, Laid(*map(np.concatenate, zip(*laid, strict=True))))


def _cut(lines: Sequence[bytes]) -> tuple[list[Fields], list[bytes]] | None:
    """The fields of lines, and their drawings."""
    known: dict[bytes, Fields] = {}
    fields, drawings = [], []
    for line in lines:
        begin = line.find(KEY) + len(KEY)
        begin += line[begin : begin + 1] == b" "
        end = line.rfind(b"]") + 1
        if begin < len(KEY) or end <= begin:
            return None
        rest = line[:begin] + INSTEAD + line[end:]
        found = known.get(rest)
        if found is None:
            try:
                found = orjson.loads(rest)
            except orjson.JSONDecodeError:
                return None
            if type(found) is not dict or str(found.get("drawing")) != INSTEAD.decode():
                return None
            if len(known) < MOST_HEADS:
                known[rest] = found
        fields.append(found)
        drawing = line[begin:end]
        drawings.append(drawing.replace(b", ", b",") if b" " in drawing else drawing)
    return fields, drawings


def lay(drawings: Sequence[bytes]) -> Laid | None:
    """Read the numbers of drawings; None where one is written otherwise, or they are long."""
    if sum(map(len, drawings)) > MOST_TEXT:
        return None
    joined = b",".join(drawings)
    text = np.frombuffer(joined, np.uint8)
    kinds = np.frombuffer(joined.translate(_KINDS), np.uint8)
    if len(text) < SHORTEST or kinds[0] != OPEN or kinds[-1] != CLOSE or kinds.max() == OTHER:
        return None
    if not np.take(_IN_TURN, 16 * kinds[:-2] + 4 * kinds[1:-1] + kinds[2:]).all():
        return None
    marks = np.flatnonzero(kinds != DIGIT)
    bracket = np.flatnonzero(kinds[marks] >= OPEN)  # among them
    at = marks[bracket]
    opens = kinds[at] == OPEN
    depth = np.cumsum(np.where(opens, np.int8(1), np.int8(-1)), dtype=np.int32)  # after each
    ends = np.cumsum([len(drawing) + 1 for drawing in drawings]) - 2
    if not np.array_equal(at[depth == 0], ends) or depth.max() > ROW:
        return None
    if ((kinds[at[opens] + 1] == DIGIT) != (depth[opens] == ROW)).any():
        return None
    numbers = _numbers(text, kinds, marks)
    closes = np.where(opens, np.int32(-1), depth)  # depth after each closing bracket
    row, stroke = closes == ROW - 1, closes == ROW - 2
    lengths = bracket[row] - bracket[opens & (depth == ROW)]
    n_rows = np.diff(np.cumsum(row)[stroke], prepend=0)
    if numbers is None or (n_rows != 2).any() or (lengths[::2] != lengths[1::2]).any():
        return None
    is_x = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    n_strokes = np.diff(np.cumsum(stroke)[depth == 0], prepend=0)
    return Laid(numbers[is_x], numbers[~is_x], lengths[::2], n_strokes)


def _numbers(text: Bytes, kinds: Bytes, marks: Ints) -> Numbers | None:
    """The numbers of a text, each before one of the marks.

    None where one has more than three digits, or is of several and begins with 0.
    """
    digit = kinds == DIGIT
    pair = digit[1:] & digit[:-1]
    if (pair[2:] & pair[:-2]).any():
        return None
    if ((text[1:-1] == ord("0")) & ~digit[:-2] & pair[1:]).any():
        return None
    one = ((text - ord("0")) * digit).astype(np.uint16)
    two = one[1:] + 10 * one[:-1]
    three = two[1:] + 100 * one[:-2] * digit[1:-1]  # of the digits up to place k + 2
    last = marks[1:] - 1
    result: Numbers = three[last[digit[last]] - 2]
    return result
