"""The packed training set: one uncompressed ``.npz``, memory-mapped member by member.

Plain .npy members at 64-byte boundaries, so ``numpy.load`` reads it too:

    moves (P, 3) int16 where every number is whole and fits, else float32: stroke-3, data units
    offsets (N + 1,) int64: drawing i is rows offsets[i] to offsets[i + 1]
    word_ids (N,) int32   splits (N,) uint8: 0 train, 1 valid, 2 test   hashes (N,) uint64
    about: JSON as uint8: format, version, words, scale_factor, n_max, preparation, report

The scale factor is the standard deviation of dx and dy of the training split together, every row
counted, clipped to +-1000: magenta's, which gives the published figures of every known file.

Symbols: N drawings, P points of all of them.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig, BadFile, BadSketch
from sketchrnn_cli.files import reading
from sketchrnn_cli.sketches.block import Block, Ints, Moves, from_moves, offsets, ranges
from sketchrnn_cli.sketches.formats import archive as zips
from sketchrnn_cli.sketches.formats.npz import FAR
from sketchrnn_cli.sketches.formats.sketch_rnn import new_member, whole_moves, write_objects
from sketchrnn_cli.sketches.preparation import Preparation
from sketchrnn_cli.sketches.sketch import Sketch, from_stroke3

FORMAT = "sketchrnn-packed"
VERSION = 1
SPLITS = ("train", "valid", "test")
ABOUT = "about.npy"
ALIGNMENT = 64
MAX_ABOUT = 1 << 23  # bytes
BLOCK = 2048  # drawings
PIECE = 1 << 20  # bytes read at once

_TYPES: dict[str, tuple[str, ...]] = {
    "moves": ("<i2", "<f4"),
    "offsets": ("<i8",),
    "word_ids": ("<i4",),
    "splits": ("|u1",),
    "hashes": ("<u8",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """A packed set, open. Reading it costs the memory of what is read."""

    path: Path
    moves: npt.NDArray[Any]  # (P, 3), memory-mapped
    offsets: Ints  # (N + 1,)
    word_ids: npt.NDArray[np.int32]  # (N,), into words
    splits: npt.NDArray[np.uint8]  # (N,)
    hashes: npt.NDArray[np.uint64]  # (N,), of the moves
    words: tuple[str, ...]
    scale_factor: float  # data units a model unit
    n_max: int  # points of the longest drawing of all splits
    preparation: Preparation
    report: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Corpus:
        """Open a packed set.

        Raises:
            BadFile: no such file, another kind, of a newer version, or damaged.
        """
        return _open(Path(path))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def indices(self, split: str) -> Ints:
        """Numbers of the drawings of ``train``, ``valid`` or ``test``."""
        return np.flatnonzero(self.splits == _code(split)).astype(np.int64)

    def moves_of(self, i: int) -> Moves:
        """(n, 3) stroke-3 of one drawing, data units."""
        rows = self.moves[self.offsets[i] : self.offsets[i + 1]]
        return np.asarray(self._sound(rows, np.array([i])), np.float32)

    def rows_of(self, chosen: Ints) -> npt.NDArray[Any]:
        """Stroke-3 of these drawings, one after the other, (rows, 3), data units.

        Read from the file and not through the map: pages looked at there count as memory of this
        program, until they are all in it.

        Raises:
            BadFile: the file has gone or changed, or holds what is no move.
        """
        starts, ends = self.offsets[chosen], self.offsets[chosen + 1]
        stops = offsets(ends - starts)  # in the result
        if not isinstance(self.moves, np.memmap):
            return self._sound(self.moves[ranges(starts, ends - starts)], chosen)
        rows = np.empty((int(stops[-1]), 3), self.moves.dtype)
        size = rows.itemsize * 3
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        if not len(chosen):
            return rows
        first = [0, *breaks.tolist()]  # of each run of neighbours
        with reading(self.path), self.path.open("rb", buffering=0) as stream:
            for a, b in zip(first, [*first[1:], len(chosen)], strict=True):
                part = rows[stops[a] : stops[b]]
                stream.seek(self.moves.offset + int(starts[a]) * size)
                if len(part) and stream.readinto(part.data.cast("B")) != len(part) * size:
                    raise BadFile(f"{self.path}: damaged packed set: it ends early")
        return self._sound(rows, chosen)

    def _sound(self, rows: npt.NDArray[Any], chosen: Ints) -> npt.NDArray[Any]:
        """The rows of these drawings, if all of them are moves; else the first that is none."""
        pen = rows[:, 2]
        bad = (pen != 0) & (pen != 1)
        if rows.dtype.kind == "f":
            bad |= ~(np.abs(rows) <= FAR).all(axis=1)  # so NaN is bad, too
        if bad.any():
            at = int(bad.argmax())
            ends = np.cumsum(self.offsets[chosen + 1] - self.offsets[chosen])
            i = int(chosen[np.searchsorted(ends, at, side="right")])
            found = ", ".join(f"{value:g}" for value in rows[at].tolist())
            raise BadFile(
                f"{self.path}: damaged packed set: drawing {i} ({self.word_of(i)}) has a move of "
                f"{found}; make it again"
            )
        return rows

    def check(self) -> None:
        """Read all moves once and compare their checksum.

        Raises:
            BadFile: they are not those that were written.
        """
        with zips.open_zip(str(self.path)) as archive:
            _check(archive, "moves", str(self.path))

    def sketch(self, i: int) -> Sketch:
        """One drawing with its word."""
        return from_stroke3(self.moves_of(i), self.word_of(i))

    def word_of(self, i: int) -> str:
        """What one drawing is of."""
        return str(self.words[self.word_ids[i]])

    def split_hash(self, split: str) -> str:
        """16 hex digits that are the same for the same drawings, in whatever order."""
        chosen = self.hashes[self.splits == _code(split)].astype("<u8", copy=False)
        chosen.sort()
        return blake2b(chosen.data, digest_size=8).hexdigest()

    def blocks(self, chosen: Ints | None = None) -> Iterator[Block]:
        """All drawings, or those chosen of one split, a few thousand at a time."""
        everything = np.arange(len(self)) if chosen is None else chosen
        for split in range(len(SPLITS)):
            index = everything[self.splits[everything] == split]
            for start in range(0, len(index), BLOCK):
                part = index[start : start + BLOCK]
                moves = self.rows_of(part).astype(np.float32)
                bounds = offsets(self.offsets[part + 1] - self.offsets[part])
                words = [self.words[k] for k in self.word_ids[part].tolist()]
                yield from_moves(moves, bounds, words, origin=split)


def _code(split: str) -> int:
    if split not in SPLITS:
        raise BadConfig(f"no split {split!r}; there are {', '.join(SPLITS)}")
    return SPLITS.index(split)


def is_packed(source: str | Path) -> bool:
    """Whether a file is a packed set; a file that is not there or no zip is none."""
    try:
        with Path(source).open("rb") as file, zips.zip_of(file) as archive:
            return ABOUT in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _open(path: Path) -> Corpus:
    source = str(path)
    with zips.open_zip(source) as archive:
        members = {member.name: member for member in zips.read_members(archive, source)}
        if "about" not in members:
            raise BadFile(
                f"{source}: not a packed set; make one with `sketchrnn preprocess {source} -o ...`"
            )
        about = _read_about(members["about"])
        if missing := _TYPES.keys() - members.keys():
            raise BadFile(f"{source}: damaged packed set: no {sorted(missing)[0]}")
        for name in sorted(_TYPES.keys() - {"moves"}):  # that takes a gigabyte a second: `check`
            if members[name].info.compress_type == zipfile.ZIP_STORED:
                _check(archive, name, source)
    arrays = {name: _map(path, members[name], types) for name, types in _TYPES.items()}
    try:
        corpus = Corpus(
            path=path,
            **arrays,
            words=tuple(str(word) for word in about["words"]),
            scale_factor=float(about["scale_factor"]),
            n_max=int(about["n_max"]),
            preparation=Preparation.from_dict(about["preparation"]),
            report=dict(about["report"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, BadConfig) as error:
        raise BadFile(f"{source}: damaged packed set: {ABOUT}: {error}") from None
    if fault := _fault(corpus):
        raise BadFile(f"{source}: damaged packed set: {fault}; make it again")
    return corpus


def _check(archive: zipfile.ZipFile, name: str, source: str) -> None:
    """Compare the checksum of a member."""
    try:
        with archive.open(f"{name}.npy") as stream:
            while stream.read(PIECE):
                pass
    except (zipfile.BadZipFile, EOFError):
        raise BadFile(
            f"{source}: damaged packed set: {name} has a wrong checksum; make it again"
        ) from None


def _read_about(member: zips.Member) -> dict[str, Any]:
    source = member.source
    if member.descr != "|u1" or len(member.shape) != 1 or member.shape[0] > MAX_ABOUT:
        raise BadFile(f"{source}: {ABOUT}: not the description of a packed set")
    try:
        about = json.loads(member.array(MAX_ABOUT).tobytes())
    except (ValueError, RecursionError):
        raise BadFile(f"{source}: damaged packed set: {ABOUT} is not JSON") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadFile(f"{source}: not a packed set: {ABOUT} is of something else")
    if not isinstance(about.get("version"), int) or about["version"] > VERSION:
        raise BadFile(
            f"{source}: a packed set of version {about.get('version')}, and this program reads "
            f"up to {VERSION}; update sketchrnn, or make the set again"
        )
    return about


def _map(path: Path, member: zips.Member, types: tuple[str, ...]) -> npt.NDArray[Any]:
    """Map an array where it lies in the zip."""
    where = member.where
    size = math.prod(member.shape) * np.dtype(member.descr if member.is_number else "i1").itemsize
    if member.descr not in types or member.fortran:
        raise BadFile(f"{where}: damaged packed set: an array of {member.descr}")
    if member.info.compress_type != zipfile.ZIP_STORED:
        raise BadFile(f"{where}: a packed set that was packed again; make it anew")
    with path.open("rb") as stream:
        stream.seek(member.info.header_offset)
        head = stream.read(30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise BadFile(f"{where}: damaged packed set; make it again")
        names, extra = struct.unpack("<HH", head[26:30])
        stream.seek(names + extra, os.SEEK_CUR)
        zips.read_header(stream, where)
        start = stream.tell()
        if start + size > stream.seek(0, os.SEEK_END):
            raise BadFile(f"{where}: damaged packed set: it ends early; make it again")
    if not size:
        return np.zeros(member.shape, member.descr)
    return np.memmap(path, member.descr, "r", start, member.shape)


def _fault(corpus: Corpus) -> str:
    """What does not fit together, or nothing."""
    moves, ends = corpus.moves, corpus.offsets
    if moves.ndim != 2 or moves.shape[1] != 3 or ends.ndim != 1 or not len(ends):
        return "arrays of other shapes"
    n = len(ends) - 1
    for name in ("word_ids", "splits", "hashes"):
        if getattr(corpus, name).shape != (n,):
            return f"{name} is not one for each of {n:,} drawings"
    if ends[0] or ends[-1] != len(moves) or (ends[1:] <= ends[:-1]).any():
        return "offsets that do not fit the moves"
    if n and (np.diff(ends).max() > corpus.n_max or corpus.splits.max() >= len(SPLITS)):
        return "lengths or splits out of range"
    if n and (corpus.word_ids.min() < 0 or corpus.word_ids.max() >= len(corpus.words)):
        return "words out of range"
    if not (math.isfinite(corpus.scale_factor) and corpus.scale_factor > 0):
        return f"a scale factor of {corpus.scale_factor}"
    return ""


class Writer(zips.NewZip):
    """The zip of a packed set, written member by member, data at 64-byte boundaries."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, "w", zipfile.ZIP_STORED)

    def add(
        self, name: str, descr: str, shape: tuple[int, ...], pieces: Iterator[npt.NDArray[Any]]
    ) -> None:
        """Write an array piece by piece.

        Args:
            name: of the member, without .npy.
            descr: type string.
            shape: of the whole.
            pieces: of that type, which together have that shape.
        """
        header = io.BytesIO()
        described = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        size = header.tell() + math.prod(shape) * np.dtype(descr).itemsize
        info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the same drawings, the same bytes
        info.external_attr = 0o644 << 16
        info.file_size = size
        large = size * 1.05 > 0x7FFFFFFF  # then the zip module adds 20 bytes to the header
        assert self.fp is not None
        start = self.fp.tell() + 30 + len(info.filename) + 4 + (20 if large else 0)
        padding = -start % ALIGNMENT
        info.extra = struct.pack("<HH", 0xD935, padding) + bytes(padding)
        with self.open(info, "w", force_zip64=large) as member:
            member.write(header.getvalue())
            for piece in pieces:
                member.write(np.ascontiguousarray(piece, descr).tobytes())


def write_about(writer: Writer, about: dict[str, Any]) -> None:
    """Write the member that says what this is."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **about}).encode()
    data = np.frombuffer(text, np.uint8)
    writer.add("about", "|u1", data.shape, iter([data]))


def write_sketch_rnn(corpus: Corpus, stream: BinaryIO) -> None:
    """Write a set as sketch-rnn's ``.npz``: object arrays train, valid, test of int16 (n, 3).

    Coordinates that are not whole are rounded, positions first, so that errors do not add up.

    Raises:
        BadFile: an offset that int16 does not hold.
    """
    with zips.NewZip(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for split in SPLITS:
            chosen = corpus.indices(split)
            with new_member(archive, split) as member:
                write_objects(member, _whole(corpus, chosen), len(chosen))


def _whole(corpus: Corpus, chosen: Ints) -> Iterator[npt.NDArray[np.int16]]:
    """These drawings in whole numbers."""
    for start in range(0, len(chosen), BLOCK):
        part = chosen[start : start + BLOCK]
        rows = corpus.rows_of(part)
        stops = np.cumsum(corpus.offsets[part + 1] - corpus.offsets[part])
        for i, moves in zip(part.tolist(), np.split(rows, stops[:-1]), strict=True):
            if rows.dtype.kind != "f":
                yield moves
                continue
            try:
                yield whole_moves(np.cumsum(moves[:, :2], axis=0, dtype=np.float64), moves[:, 2])
            except BadSketch as error:
                raise BadFile(f"{corpus.path}: drawing {i}: {error}") from None
