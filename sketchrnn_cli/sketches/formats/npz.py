"""sketch-rnn's ``.npz``: object arrays of stroke-3, or dense ones, read without unpickling.

Also a file with one (points, 2) array a stroke, which is one drawing.
"""

from __future__ import annotations

import ast
import contextlib
import math
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches.block import (
    NO_TEST,
    NO_VALID,
    TEST,
    TRAIN,
    UNSPLIT,
    VALID,
    Block,
    Ints,
    from_moves,
    offsets,
    per_drawing,
)
from sketchrnn_cli.sketches.formats.pickled_arrays import Array, items, used_memos
from sketchrnn_cli.sketches.formats.sniff import say_what_it_is
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3
from sketchrnn_cli.sketches.streams import reason

MAX_MEMBERS = 10_000
MAX_MEMBER = 1 << 34  # bytes, unpacked
MAX_RATIO = 250  # unpacked to packed, of members above a megabyte; drawings have 3 to 30
MAX_HEADER = 10_000
MAX_DENSE = 1 << 26  # bytes of a Fortran-ordered array, which is read whole
MAX_DRAWING = 1 << 24  # bytes of one drawing
MAX_DIRECTORY = 1 << 22  # bytes of the names in a zip, and what they take
BATCH_BYTES = 1 << 22
FAR = 1e9  # pixels; an offset beyond is a fault

SPLITS = {
    "train": TRAIN, "training": TRAIN, "valid": VALID, "validation": VALID, "val": VALID,
    "test": TEST, "testing": TEST,
}  # fmt: skip
_DESCR = re.compile(r"[<>|=]?(?:[iu][1248]|f[248])")

Skipped = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Member:
    """One array of the zip."""

    name: str  # without .npy
    descr: str
    fortran: bool
    shape: tuple[int, ...]
    info: zipfile.ZipInfo

    @property
    def is_object(self) -> bool:
        """Whether it is a pickle."""
        return self.descr.lstrip("|<>=") == "O"

    @property
    def is_number(self) -> bool:
        """Whether its type is one that coordinates have."""
        return _DESCR.fullmatch(self.descr) is not None

    def __str__(self) -> str:
        kind = "object" if self.is_object else self.descr.lstrip("|<")
        return f"{self.name} {kind}[{', '.join(map(str, self.shape))}]"


def read_blocks(
    source: str,
    *,
    word: str | None = None,
    skipped: Skipped | None = None,
    note: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """Read the drawings of a file, those of the train array first.

    Args:
        source: the file.
        word: what is drawn; the file does not say.
        skipped: told of every drawing that is left out for a fault; None: a fault is an error.
        note: told of arrays that are not drawings.

    Yields:
        Blocks of a few thousand drawings.

    Raises:
        BadFile: no such file, another kind of file, a damaged one, or one without drawings.
        BadSketch: a drawing with wrong columns, or with numbers that are not finite.
    """
    with open_zip(source) as archive:
        members = read_members(archive, source)
        drawings, others = choose(members, source)
        if note and others:
            note(f"{source}: ignored {', '.join(member.name for member in others)}")
        if drawings[0].is_number and drawings[0].shape[1:] == (2,):
            yield _one_drawing(archive, drawings, source, word)
            return
        codes = {SPLITS.get(member.name, UNSPLIT) for member in drawings}
        for member in drawings:
            origin = _origin(SPLITS.get(member.name, UNSPLIT), codes)
            where = f"{source}: {member.name}"
            for rows, counts, first in _rows(archive, member, where, skipped):
                yield _block(rows, counts, first, where, word, origin, skipped)


def _origin(code: int, codes: set[int]) -> int:
    """A file with train only is not split; one without valid or test has it made of train."""
    if code == TRAIN and codes == {TRAIN}:
        return UNSPLIT
    if code == TRAIN and VALID not in codes:
        return NO_VALID
    if code == TRAIN and TEST not in codes:
        return NO_TEST
    return code


@contextlib.contextmanager
def open_zip(source: str) -> Iterator[zipfile.ZipFile]:
    """Open an npz, and say what a file that is none is instead.

    Raises:
        BadFile: no such file, empty, a web page, a git-lfs pointer, truncated, not a zip.
    """
    path = Path(source)
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except FileNotFoundError:
        raise BadFile(files.missing(source)) from None
    except OSError as error:
        raise BadFile(f"{source}: cannot be read: {reason(error)}") from None
    say_what_it_is(head, source)
    if not head.startswith(b"PK"):
        raise BadFile(f"{source}: not an npz: it does not begin like a zip file")
    with path.open("rb") as file:
        try:
            archive = zip_of(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise BadFile(f"{source}: truncated or damaged zip; get the file again") from None
        try:
            with archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
            raise BadFile(f"{source}: damaged zip ({error}); get the file again") from None
        except (NotImplementedError, RuntimeError) as error:
            if type(error) not in (NotImplementedError, RuntimeError):
                raise
            raise BadFile(f"{source}: a zip that cannot be read: {error}") from None


class NewZip(zipfile.ZipFile):
    """A zip to write; one that is given up, perhaps inside of a member, is left as it is."""

    def __exit__(self, kind: object, *_: object) -> None:
        """Write the directory, if all went well."""
        if kind is None:
            self.close()

    def __del__(self) -> None:
        """Write no directory."""


def zip_of(file: BinaryIO) -> zipfile.ZipFile:
    """A zip whose directory is of a length that an npz has.

    Raises:
        zipfile.BadZipFile: it is longer, or this is no zip.
    """
    reader = _Reader(file)
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], reader))
    except UnicodeDecodeError:
        raise zipfile.BadZipFile("a name that is no text") from None
    reader.limit = sys.maxsize
    return archive


class _Reader:
    """A file for ``zipfile``, which makes an object of every name before one can count them."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.limit = MAX_DIRECTORY
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and not 0 <= offset <= sys.maxsize:
            raise zipfile.BadZipFile("a member that lies outside of the file")
        return self.file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size > self.limit:
            raise zipfile.BadZipFile("a directory that is too long")
        return self.file.read(size)


def read_members(archive: zipfile.ZipFile, source: str) -> list[Member]:
    """The arrays of a zip, after reading nothing but their headers.

    Raises:
        BadFile: too many, too large, packed too tightly to be drawings, or a broken header.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BadFile(f"{source}: {len(infos)} members; an npz of drawings has a few")
    members = []
    for info in infos:
        if not info.filename.endswith(".npy"):
            continue
        where = f"{source}: {info.filename}"
        if info.file_size > MAX_MEMBER:
            raise BadFile(f"{where}: unpacks to {info.file_size} bytes; that is too large")
        if info.file_size > max(1 << 20, MAX_RATIO * max(info.compress_size, 1)):
            raise BadFile(
                f"{where}: {info.compress_size} bytes that unpack to {info.file_size}; "
                "no drawings are packed so tightly"
            )
        check_packing(info, where)
        with archive.open(info) as stream:
            descr, fortran, shape = read_header(stream, where)
        members.append(Member(info.filename[:-4], descr, fortran, shape, info))
    if not members:
        held = ", ".join(info.filename for info in infos[:5]) or "nothing"
        raise BadFile(f"{source}: a zip without arrays; it holds {held}")
    return members


def check_packing(info: zipfile.ZipInfo, where: str) -> None:
    """Refuse bzip2 and lzma, which numpy never writes.

    Raises:
        BadFile: neither stored nor deflated.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadFile(f"{where}: packed in a way that no npz is; save it again with numpy")


def read_header(stream: IO[bytes], where: str) -> tuple[str, bool, tuple[int, ...]]:
    """Type, order and shape of the .npy that begins here.

    Raises:
        BadFile: it is none.
    """
    head = stream.read(8)
    if len(head) < 8 or head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3):
        raise BadFile(f"{where}: not a .npy array")
    size = int.from_bytes(stream.read(2 if head[6] == 1 else 4), "little")
    if size > MAX_HEADER:
        raise BadFile(f"{where}: a .npy header of {size} bytes; that is too long")
    text = stream.read(size)
    try:
        header = ast.literal_eval(text.decode("latin1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise BadFile(f"{where}: a .npy header that cannot be read") from None
    if not isinstance(descr, str):
        descr = "record"
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise BadFile(f"{where}: a .npy header with shape {str(shape)[:40]}")
    return descr, bool(fortran), shape


def choose(members: list[Member], source: str) -> tuple[list[Member], list[Member]]:
    """Which arrays hold drawings, and which do not.

    Known names first (train, valid, test), then ``sketches``, then the only array that could;
    last one (points, 2) array a stroke.

    Raises:
        BadFile: none; it says what the file holds instead.
    """
    able = [m for m in members if _holds_drawings(m)]
    named = sorted((m for m in able if m.name in SPLITS), key=lambda m: SPLITS[m.name])
    chosen = named or [m for m in able if m.name == "sketches"] or able
    if len(chosen) == 1 or named:
        return chosen, [m for m in members if m not in chosen]
    lines = [m for m in members if m.is_number and len(m.shape) == 2 and m.shape[1] == 2]
    if lines and not chosen:
        return lines, [m for m in members if m not in lines]
    held = ", ".join(str(m) for m in members[:6]) + (", ..." if len(members) > 6 else "")
    if chosen:
        raise BadFile(
            f"{source}: several arrays could be the drawings ({held}); call it train or sketches"
        )
    raise BadFile(
        f"{source}: no drawings: it holds {held}; drawings are object arrays or "
        "(sketches, points, 3) called train, valid, test or sketches"
    )


def _holds_drawings(member: Member) -> bool:
    if member.is_object:
        return len(member.shape) >= 1
    return member.is_number and len(member.shape) == 3 and member.shape[2] in (3, 5)


def _rows(
    archive: zipfile.ZipFile, member: Member, where: str, skipped: Skipped | None
) -> Iterator[tuple[npt.NDArray[Any], Ints, int]]:
    """Batches of (R, 3 or 5) rows, rows of each drawing, and the number of the first."""
    if not member.is_object:
        yield from _dense_rows(archive, member, where)
        return
    with archive.open(member.info) as stream:
        read_header(stream, where)
        used = used_memos(cast(BinaryIO, stream), where)
    seen = 0
    with archive.open(member.info) as stream:
        read_header(stream, where)
        for batch in items(cast(BinaryIO, stream), used, where):
            start = 0
            for stop in range(1, len(batch) + 1):  # runs of one type
                if stop < len(batch) and _same(batch[stop], batch[start]):
                    continue
                rows, counts = _join(batch[start:stop], seen + start, where, skipped)
                if len(counts):
                    yield rows, counts, seen + start
                start = stop
            seen += len(batch)
    if seen != math.prod(member.shape):
        raise BadFile(
            f"{where}: {seen} drawings where {math.prod(member.shape)} are announced; "
            "get the file again"
        )


def _same(one: Array, other: Array) -> bool:
    return one.descr == other.descr and one.shape[1:] == other.shape[1:] and not one.fortran


def _join(
    batch: list[Array], number: int, where: str, skipped: Skipped | None
) -> tuple[npt.NDArray[Any], Ints]:
    """Check items of one type, and lay their rows one after the other."""
    kind, columns = batch[0].descr, batch[0].shape[-1] if len(batch[0].shape) == 2 else 0
    fault = ""
    if batch[0].shape in ((0,), (0, 0)):
        return np.zeros((0, 3), np.float32), np.zeros(len(batch), np.int64)
    if len(batch[0].shape) != 2 or columns not in (3, 5):
        fault = f"has shape {str(batch[0].shape[:9])[:60]}; stroke-3 is (points, 3)"
    elif not _DESCR.fullmatch(kind):
        fault = f"is of type {kind[:20]!r}, not numbers"
    if fault:
        for i in range(len(batch)):
            _fault(f"{where}: drawing {number + i} {fault}", skipped)
        return np.zeros((0, 3), np.float32), np.zeros(0 if skipped else len(batch), np.int64)
    size = np.dtype(kind).itemsize * columns
    for i, item in enumerate(batch):
        if len(item.data) != item.shape[0] * size:
            raise BadFile(
                f"{where}: drawing {number + i} has {len(item.data)} bytes for {item.shape[0]} "
                f"rows of {size}; the file is damaged"
            )
    if batch[0].fortran:
        rows = np.frombuffer(batch[0].data, kind).reshape(batch[0].shape, order="F")
    else:
        rows = np.frombuffer(b"".join([item.data for item in batch]), kind).reshape(-1, columns)
    return rows, np.array([item.shape[0] for item in batch], np.int64)


def _dense_rows(
    archive: zipfile.ZipFile, member: Member, where: str
) -> Iterator[tuple[npt.NDArray[Any], Ints, int]]:
    """The same of a (sketches, points, 3 or 5) array; padding at the end is left out."""
    n, length, columns = member.shape
    kind = np.dtype(member.descr)
    size = length * columns * kind.itemsize  # bytes of a drawing
    batch = max(1, BATCH_BYTES // max(size, 1))
    if not size:
        return
    if size > MAX_DRAWING:
        raise BadFile(f"{where}: drawings of {length} rows; that is too many")
    with archive.open(member.info) as stream:
        read_header(stream, where)
        if member.fortran:
            if n * size > MAX_DENSE:
                raise BadFile(f"{where}: a Fortran-ordered array of {n * size} bytes; save it in C")
            data = _exactly(stream, n * size, where)
            whole = np.frombuffer(data, kind).reshape(member.shape, order="F")
        for first in range(0, n, batch):
            count = min(batch, n - first)
            if member.fortran:
                part = whole[first : first + count]
            else:
                data = _exactly(stream, count * size, where)
                part = np.frombuffer(data, kind).reshape(count, length, columns)
            ink = ((part != 0) & (part == part)).any(axis=2)  # neither zero nor NaN
            counts = np.where(ink.any(axis=1), length - ink[:, ::-1].argmax(axis=1), 0)
            inside = np.arange(length) < counts[:, None]
            yield part[inside], counts.astype(np.int64), first


def _exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BadFile(f"{where}: the array ends early; get the file again")
    return data


def _fault(message: str, skipped: Skipped | None) -> None:
    """Pass a faulty drawing over, or stop."""
    if skipped is None:
        raise BadSketch(f"{message}; mend the file, or use --on-error skip")
    skipped(message)


def _block(
    rows: npt.NDArray[Any],
    counts: Ints,
    first: int,
    where: str,
    word: str | None,
    origin: int,
    skipped: Skipped | None,
) -> Block:
    """Check rows and make drawings of them."""
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        finite = np.isfinite(rows).all(axis=1)
        good = _drop(finite, counts, first, where, "holds a number that is not finite", skipped)
        rows, counts = rows[np.repeat(good, counts)], counts[good]
        first = -1
    if rows.dtype.itemsize > 2:  # fewer bytes hold no such number
        near = np.asarray(((rows[:, :2] > -FAR) & (rows[:, :2] < FAR)).all(axis=1))
        if not near.all():
            good = _drop(near, counts, first, where, "leads off every canvas", skipped)
            rows, counts = rows[np.repeat(good, counts)], counts[good]
            first = -1
    if rows.shape[1] == 5:
        lift, ends = rows[:, 3] > 0.5, rows[:, 4] > 0.5
        after = ends  # the end row itself is no point
    else:
        pen = rows[:, 2]
        legal = (pen == 0) | (pen == 1) | (pen == 2)
        if not legal.all():
            fault = f"has a pen column that holds {pen[~legal][0]}; it should be 0, 1 or 2"
            good = _drop(legal, counts, first, where, fault, skipped)
            rows, counts = rows[np.repeat(good, counts)], counts[good]
            pen = rows[:, 2]
        lift, ends = pen >= 1, pen >= 2
        after = np.zeros(len(ends), bool)  # the row after the one that ends
        after[1:] = ends[:-1]
        bounds = offsets(counts)
        after[bounds[:-1][counts > 0]] = False
    moves = np.empty((len(rows), 3), np.float32)
    moves[:, :2] = rows[:, :2]
    moves[:, 2] = lift
    moves += 0.0  # no negative zero
    if after.any():
        total = np.cumsum(after)
        bounds = offsets(counts)
        before = np.concatenate([[0], total])[bounds[:-1]]
        keep = total - np.repeat(before, counts) == 0
        counts = per_drawing(np.add.reduceat, keep.astype(np.int64), bounds, empty=0)
        moves = moves[keep]
    return from_moves(moves, offsets(counts), [word] * len(counts), origin=origin)


def _drop(
    good_rows: npt.NDArray[np.bool_],
    counts: Ints,
    first: int,
    where: str,
    fault: str,
    skipped: Skipped | None,
) -> npt.NDArray[np.bool_]:
    """Which drawings have good rows only; the others are reported."""
    good: npt.NDArray[np.bool_] = per_drawing(
        np.logical_and.reduceat, good_rows, offsets(counts), empty=1
    )
    for i in np.flatnonzero(~good).tolist():
        name = f"drawing {first + i}" if first >= 0 else "a drawing"
        _fault(f"{where}: {name} {fault}", skipped)
    return good


def _one_drawing(
    archive: zipfile.ZipFile, members: list[Member], source: str, word: str | None
) -> Block:
    """A file with one (points, 2) array a stroke, canvas coordinates."""
    lines = []
    total = 0
    for member in sorted(members, key=lambda m: _natural(m.name)):
        where = f"{source}: {member.name}"
        kind = np.dtype(member.descr)
        size = math.prod(member.shape) * kind.itemsize
        total += size
        if total > MAX_DRAWING:
            raise BadFile(f"{where}: a stroke of {member.shape[0]} points; that is too many")
        with archive.open(member.info) as stream:
            read_header(stream, where)
            data = np.frombuffer(_exactly(stream, size, where), kind)
        line = data.reshape(member.shape, order="F" if member.fortran else "C").astype(float)
        if not (np.abs(line) < FAR).all():
            raise BadSketch(f"{where}: holds a number that is no place on a canvas; mend the file")
        if len(line):
            lines.append(line)
    counts = np.array([len(line) for line in lines], np.int64)
    points = np.concatenate(lines) if lines else np.zeros((0, 2))
    return Block(points, offsets(counts), np.array([0, len(lines)], np.int64), [word])


def _natural(name: str) -> list[tuple[int, str]]:
    """arr_2 comes before arr_10; numbers may have more digits than ``int`` takes."""
    parts = re.split(r"(\d+)", name)
    digits = [(p.lstrip("0") if p.isdecimal() else None, p) for p in parts]
    return [(-1, p) if d is None else (len(d), d) for d, p in digits]


def write_objects(stream: BinaryIO, arrays: Iterable[npt.NDArray[Any]], n: int) -> None:
    """Write a .npy with an object array, as ``numpy.save`` would, item by item.

    The pickle (protocol 3) is put together here, so that it names nothing but numpy's arrays.

    Args:
        stream: written to.
        arrays: n of (points, 3), int16.
        n: how many.
    """
    import pickle as codes  # the opcodes only: nothing is pickled or unpickled

    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': ({n},), }}"
    header = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + "\n"
    stream.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())

    def number(value: int) -> bytes:
        return codes.BININT + value.to_bytes(4, "little", signed=True)

    def text(value: str) -> bytes:
        return codes.BINUNICODE + len(value).to_bytes(4, "little") + value.encode()

    def kind(code: str, order: str, flags: int) -> bytes:
        made = codes.GLOBAL + b"numpy\ndtype\n" + text(code) + number(0) + number(1)
        state = number(3) + text(order) + codes.NONE * 3 + number(-1) * 2 + number(flags)
        return made + codes.TUPLE3 + codes.REDUCE + codes.MARK + state + codes.TUPLE + codes.BUILD

    def memo(index: int) -> bytes:
        return codes.BINPUT + bytes([index])

    def get(index: int) -> bytes:
        return codes.BINGET + bytes([index])

    fresh = (
        codes.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n"
        + codes.GLOBAL + b"numpy\nndarray\n"
        + number(0) + codes.TUPLE1
        + codes.SHORT_BINBYTES + b"\x01b"
        + codes.TUPLE3
    )  # fmt: skip
    stream.write(codes.PROTO + b"\x03" + fresh + codes.REDUCE)
    stream.write(codes.MARK + number(1) + number(n) + codes.TUPLE1 + kind("O8", "|", 63))
    stream.write(codes.NEWFALSE + codes.EMPTY_LIST)
    # Remember what every item needs again: how it is made, and its type.
    again = (
        codes.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n" + memo(0)
        + codes.GLOBAL + b"numpy\nndarray\n" + memo(1)
        + number(0) + codes.TUPLE1 + memo(2)
        + codes.SHORT_BINBYTES + b"\x01b" + memo(3) + codes.TUPLE3 + codes.REDUCE
    )  # fmt: skip
    short = get(0) + get(1) + get(2) + get(3) + codes.TUPLE3 + codes.REDUCE
    for i, array in enumerate(arrays):
        data = np.ascontiguousarray(array, "<i2").tobytes()
        first = i == 0
        stream.write(again if first else short)
        stream.write(codes.MARK + number(1) + number(len(array)) + number(3) + codes.TUPLE2)
        stream.write(kind("i2", "<", 0) + memo(4) if first else get(4))
        stream.write(codes.NEWFALSE + codes.BINBYTES + len(data).to_bytes(4, "little") + data)
        stream.write(codes.TUPLE + codes.BUILD + codes.APPEND)
    stream.write(codes.TUPLE + codes.BUILD + codes.STOP)


def write_sketches(stream: BinaryIO, sketches: Iterable[Sketch], n: int) -> None:
    """Write drawings as sketch-rnn's files are: all under ``train``, in whole pixels, undated.

    Args:
        stream: written to.
        sketches: n of them.
        n: how many.

    Raises:
        BadSketch: one without strokes, or with an offset that int16 does not hold.
    """
    moves = map(_whole_moves, sketches)
    with NewZip(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("train", n), ("valid", 0), ("test", 0)):
            info = zipfile.ZipInfo(f"{name}.npy")  # of 1980: the same bytes tomorrow
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                write_objects(cast(BinaryIO, member), moves, size)


def _whole_moves(sketch: Sketch) -> npt.NDArray[np.int16]:
    """Moves (points, 3) between positions that are rounded, so that errors do not add up."""
    moves = to_stroke3(Sketch(tuple(np.rint(stroke) for stroke in sketch.strokes)))
    if np.abs(moves).max() > np.iinfo(np.int16).max:
        raise BadSketch("an offset beyond 32,767 pixels, which sketch-rnn's npz cannot hold")
    return moves.astype(np.int16)
