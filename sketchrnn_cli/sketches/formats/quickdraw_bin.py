"""Quick, Draw!'s ``.bin``: simplified drawings as packed records, gzipped or not.

A record: key_id u64, country code 2 bytes, recognized u8, timestamp u32 (s), number of strokes
u16; then for each stroke the number of its points u16, their x and their y, u8 each. All
little-endian, nothing between records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import numpy as np

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.block import Block, offsets, ranges
from sketchrnn_cli.sketches.formats import PLAIN, ReadOptions, sniff

READ_SIZE = 1 << 20  # bytes
MAX_RECORD = 1 << 23  # bytes of one drawing
_HEAD = struct.Struct("<Q2sBIH")

Record = tuple[int, bytes, int, int, int]  # the head of a drawing


def read_blocks(
    source: str, word: str | None = None, options: ReadOptions = PLAIN
) -> Iterator[Block]:
    """Read the drawings of a file in blocks of some thousand.

    Args:
        source: the file.
        word: what is drawn; the file does not say.
        options: how; extras are key_id, countrycode, timestamp and recognized, as in NDJSON.

    Raises:
        BadFile: no such file, one that ends inside a drawing, or another kind of file.
    """
    name = name_of(source)
    with sniff.unpacked(source) as file:
        rest = b""
        n = passed = 0  # drawings and bytes so far
        while True:
            chunk = file.read(READ_SIZE)
            if not n and not rest:
                _say_what_it_is(chunk, name)
            data = rest + chunk
            block, end = _block(data, name, word, n, passed, extras=options.extras)
            if len(block):
                yield block
            n += len(block)
            passed += end
            rest = data[end:]
            if not chunk:
                break
            if len(rest) > MAX_RECORD:
                raise BadFile(
                    f"{name}: drawing {n + 1}, at byte {passed}, would have over "
                    f"{MAX_RECORD >> 20} MiB; this is not Quick, Draw!'s .bin"
                )
        if rest:
            raise BadFile(
                f"{name}: ends inside drawing {n + 1}, which begins at byte {passed}; "
                "get the file again"
            )


def _say_what_it_is(head: bytes, name: str) -> None:
    sniff.say_what_it_is(head, name)
    sniff.refuse_zip(head, name, ".bin")
    if head.lstrip().startswith(b'{"'):
        raise BadFile(f"{name}: JSON, not .bin; name it .ndjson if it has a drawing a line")


def _block(
    data: bytes, name: str, word: str | None, n: int, passed: int, *, extras: bool
) -> tuple[Block, int]:
    """The whole drawings that data begins with, and how many bytes they take.

    Args:
        data: begins with a drawing.
        name: of the file.
        word: of all drawings.
        n: how many drawings came before.
        passed: and how many bytes.
        extras: keep the heads.

    Raises:
        BadFile: a drawing with a head that none has.
    """
    starts: list[int] = []  # of the x of every stroke, in bytes
    counts: list[int] = []  # of its points
    n_strokes: list[int] = []
    heads: list[Record] = []
    size = len(data)
    end = 0
    while end + _HEAD.size <= size:
        head: Record = _HEAD.unpack_from(data, end)
        if head[2] > 1:
            raise BadFile(
                f"{name}: drawing {n + len(heads) + 1}, at byte {passed + end}, has {head[2]} for "
                "recognized, which is 0 or 1; this is not Quick, Draw!'s .bin, or damaged"
            )
        at = end + _HEAD.size
        begun = len(starts)
        for _ in range(head[4]):
            if at + 2 > size:
                at = size + 1
                break
            k = data[at] | data[at + 1] << 8
            if k:
                starts.append(at + 2)
                counts.append(k)
            at += 2 + 2 * k
        if at > size:  # not all of it is here
            del starts[begun:], counts[begun:]
            break
        heads.append(head)
        n_strokes.append(len(starts) - begun)
        end = at
    first, lengths = np.array(starts, np.int64), np.array(counts, np.int64)
    values = np.frombuffer(data, np.uint8)
    where = ranges(first, lengths)
    points = np.empty((len(where), 2))
    points[:, 0] = values[where]
    points[:, 1] = values[where + np.repeat(lengths, lengths)]
    block = Block(
        points,
        offsets(lengths),
        offsets(np.array(n_strokes, np.int64)),
        [word] * len(heads),
        recognized=np.array([head[2] for head in heads], bool),
        extras=[_fields(head) for head in heads] if extras else None,
    )
    return block, end


def _fields(head: Record) -> dict[str, Any]:
    """The head of a drawing, as the same fields of NDJSON."""
    key, country, recognized, seconds, _ = head
    time = datetime.fromtimestamp(seconds, timezone.utc)
    return {
        "key_id": str(key),
        "countrycode": country.rstrip(b"\0").decode("latin1"),
        "recognized": recognized == 1,
        "timestamp": f"{time:%Y-%m-%d %H:%M:%S} UTC",
    }
