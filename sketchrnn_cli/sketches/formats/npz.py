"""sketch-rnn's ``.npz``: object arrays of stroke-3, or dense ones, read without unpickling.

Also one array of them as ``.npy``, arrays of labels beside them, one array a word, and a file with
one (points, 2) array a stroke, which is one drawing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
from sketchrnn_cli.sketches.formats import PLAIN, Note, ReadOptions, Skipped, array_labels
from sketchrnn_cli.sketches.formats.archive import NUMBER, Member, open_arrays, read_exactly
from sketchrnn_cli.sketches.formats.pickled_arrays import Array, items

MAX_DENSE = 1 << 26  # bytes of a Fortran-ordered array, which is read whole
MAX_DRAWING = 1 << 24  # bytes of one drawing
BATCH_BYTES = 1 << 22
FAR = 1e9  # pixels; an offset beyond is a fault
SUSPICIOUS = 20  # rows from which on columns may seem to mean something else
SMOOTH = 0.45  # change of moves to moves; of drawings it is 0.6 to 1.7, of places 0.1 to 0.6
LONG = 16  # pixels; a pen that reports its points closely makes shorter moves
MOSTLY = 0.6  # share of rows with the pen lifted, beyond which it is not

SPLITS = {
    "train": TRAIN, "training": TRAIN, "valid": VALID, "validation": VALID, "val": VALID,
    "test": TEST, "testing": TEST,
}  # fmt: skip
_NO_WORD = re.compile(r"arr_\d+|[a-z]\d*|(sketch(es)?|drawings?|strokes?|data|samples?)_?\d*", re.I)


class Chosen(NamedTuple):
    """Which arrays of a file are what."""

    drawings: list[Member]
    labels: dict[str, Member]  # by the name of the drawings
    others: list[Member]
    by_word: bool = False  # the drawings of each array are of the word that it is called
    names: Member | None = None  # of labels that are numbers


def read_blocks(
    source: str, word: str | None = None, options: ReadOptions = PLAIN
) -> Iterator[Block]:
    """Read the drawings of a file, those of the train array first.

    Args:
        source: the file.
        word: what is drawn, where the file does not say.
        options: how; arrays that are not drawings are noted, and columns that look like
            something else.

    Yields:
        Blocks of a few thousand drawings.

    Raises:
        BadFile: no such file, another kind of file, a damaged one, or one without drawings.
        BadSketch: a drawing with wrong columns, or with numbers that are not finite.
    """
    with open_arrays(source) as members:
        drawings, labels, others, by_word, names = choose(members, source)
        if options.note and others:
            options.note(
                f"{source}: ignored {', '.join(member.called for member in others)[:1000]}"
            )
        if drawings[0].is_number and drawings[0].shape[1:] == (2,):
            yield _one_drawing(drawings, word)
            return
        codes = {_split_of(member) for member in drawings}
        for member in drawings:
            reader = _Reader(member.where, options.skipped)
            origin = _origin(_split_of(member), codes)
            words = None
            if member.name in labels:
                words = array_labels.read(labels[member.name], names)
            for number, made in enumerate(_rows(member, reader)):
                if number == 0 and options.note:
                    _suspect(made.rows, reader.where, options.note)
                yield _block(reader, made, member.name if by_word else word, words, origin)


def _split_of(member: Member) -> int:
    """The split that an array is of, by a part of its name: train, x_train."""
    parts = re.split(r"[\W_]+", member.name.lower())
    return next((SPLITS[part] for part in parts if part in SPLITS), UNSPLIT)


def _origin(code: int, codes: set[int]) -> int:
    """A file with train only is not split; one without valid or test has it made of train."""
    if code == TRAIN and codes == {TRAIN}:
        return UNSPLIT
    if code == TRAIN and VALID not in codes:
        return NO_VALID
    if code == TRAIN and TEST not in codes:
        return NO_TEST
    return code


def choose(members: list[Member], source: str) -> Chosen:
    """Which arrays hold drawings, and which hold their labels.

    Known names first (train, valid, test; those without drawings are no splits), then
    ``sketches``, then the only array that could, then one array a word; last one (points, 2) array
    a stroke.

    Raises:
        BadFile: none; it says what the file holds instead.
    """
    able = [m for m in members if _holds_drawings(m) and not array_labels.is_label(m)]
    able = [m for m in able if 0 not in m.shape] or able[:1]
    named = sorted((m for m in able if _split_of(m) != UNSPLIT), key=_split_of)
    chosen = named or [m for m in able if m.name == "sketches"] or able
    by_word = len(chosen) > 1 and not named
    if by_word and any(_NO_WORD.fullmatch(m.name) for m in chosen):
        raise BadFile(
            f"{source}: several arrays could be the drawings ({_held(members)}); call it train or "
            "sketches, or each as the word it shows"
        )
    if not chosen:
        chosen = [m for m in members if m.is_number and len(m.shape) == 2 and m.shape[1] == 2]
    if not chosen:
        raise BadFile(
            f"{source}: no drawings: it holds {_held(members)}; drawings are object arrays or "
            "(sketches, points, 3) called train, valid, test or sketches"
        )
    labels = {}
    for drawn in chosen:
        splits = (_split_of(drawn), UNSPLIT) if len(chosen) == 1 else (_split_of(drawn),)
        for m in reversed(members):
            fits = m.shape[:1] == drawn.shape[:1] and _split_of(m) in splits
            if fits and m not in chosen and array_labels.is_label(m):
                labels[drawn.name] = m
    others = [m for m in members if m not in chosen and m not in labels.values()]
    names = next((m for m in others if labels and array_labels.is_names(m)), None)
    others = [m for m in others if m != names and 0 not in m.shape]
    return Chosen(chosen, labels, others, by_word, names)


def _held(members: list[Member]) -> str:
    return ", ".join(str(m) for m in members[:6]) + (", ..." if len(members) > 6 else "")


def _holds_drawings(member: Member) -> bool:
    if member.is_object:
        return len(member.shape) >= 1
    return member.is_number and len(member.shape) == 3 and member.shape[2] in (3, 5)


class _Rows(NamedTuple):
    """Rows of several drawings of one type."""

    rows: npt.NDArray[Any]  # (R, 3 or 5)
    counts: Ints  # (D,) rows of each drawing
    numbers: Ints  # (D,) of the drawings, in their array


def _rows(member: Member, reader: _Reader) -> Iterator[_Rows]:
    """Drawings in batches."""
    if not member.is_object:
        yield from _dense_rows(member)
        return
    seen = 0
    for batch in items(member.data, member.where):
        start = 0
        for stop in range(1, len(batch) + 1):  # runs of one type
            if stop < len(batch) and _same(batch[stop], batch[start]):
                continue
            made = reader.join(batch[start:stop], seen + start)
            if len(made.counts):
                yield made
            start = stop
        seen += len(batch)
    if seen != math.prod(member.shape):
        raise BadFile(
            f"{member.where}: {seen} drawings where {math.prod(member.shape)} are announced; "
            "get the file again"
        )


def _same(one: Array, other: Array) -> bool:
    return one.descr == other.descr and one.shape[1:] == other.shape[1:] and not one.fortran


def _dense_rows(member: Member) -> Iterator[_Rows]:
    """The same of a (sketches, points, 3 or 5) array; padding at the end is left out."""
    n, length, columns = member.shape
    kind = np.dtype(member.descr)
    size = length * columns * kind.itemsize  # bytes of a drawing
    batch = max(1, BATCH_BYTES // max(size, 1))
    if not size:
        return
    if size > MAX_DRAWING:
        raise BadFile(f"{member.where}: drawings of {length} rows; that is too many")
    whole = member.array(MAX_DENSE) if member.fortran else None
    with member.data() as stream:
        for first in range(0, n, batch):
            count = min(batch, n - first)
            if whole is not None:
                part = whole[first : first + count]
            else:
                data = read_exactly(stream, count * size, member.where)
                part = np.frombuffer(data, kind).reshape(count, length, columns)
            ink = ((part != 0) & (part == part)).any(axis=2)  # neither zero nor NaN
            counts = np.where(ink.any(axis=1), length - ink[:, ::-1].argmax(axis=1), 0)
            inside = np.arange(length) < counts[:, None]
            yield _Rows(part[inside], counts.astype(np.int64), first + np.arange(count))


class _Reader:
    """Checks the rows of one array, and makes drawings of them."""

    def __init__(self, where: str, skipped: Skipped | None) -> None:
        self.where, self.skipped = where, skipped

    def fault(self, number: int, what: str) -> None:
        """Pass a faulty drawing over, or stop."""
        message = f"{self.where}: drawing {number:,} {what}"
        if self.skipped is None:
            raise BadSketch(f"{message}; repair the file, or use --on-error skip")
        self.skipped(message)

    def join(self, batch: list[Array], first: int) -> _Rows:
        """Check arrays of one type, and lay their rows one after the other."""
        shape, kind = batch[0].shape, batch[0].descr
        numbers = first + np.arange(len(batch))
        columns = shape[-1] if len(shape) == 2 else 0
        if shape in ((0,), (0, 0)):
            return _Rows(np.zeros((0, 3), np.float32), np.zeros(len(batch), np.int64), numbers)
        fault = ""
        if columns not in (3, 5):
            fault = f"has shape {str(shape[:9])[:60]}; stroke-3 is (points, 3)"
        elif not NUMBER.fullmatch(kind):
            fault = f"is of type {kind[:20]!r}, not numbers"
        if fault:
            for number in numbers.tolist():
                self.fault(number, fault)
            return _Rows(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), numbers[:0])
        size = np.dtype(kind).itemsize * columns
        for number, array in zip(numbers.tolist(), batch, strict=True):
            if len(array.data) != array.shape[0] * size:
                raise BadFile(
                    f"{self.where}: drawing {number:,} has {len(array.data):,} bytes for "
                    f"{array.shape[0]:,} rows of {size}; the file is damaged"
                )
        if batch[0].fortran:
            rows = np.frombuffer(batch[0].data, kind).reshape(shape, order="F")
        else:
            rows = np.frombuffer(b"".join([a.data for a in batch]), kind).reshape(-1, columns)
        return _Rows(rows, np.array([a.shape[0] for a in batch], np.int64), numbers)

    def keep(self, made: _Rows, good_rows: npt.NDArray[np.bool_], fault: str) -> _Rows:
        """The drawings of which all rows are good; the others are reported."""
        rows, counts, numbers = made
        good = per_drawing(np.logical_and.reduceat, good_rows, offsets(counts), empty=1)
        if good.all():
            return made
        for number in numbers[~good].tolist():
            self.fault(number, fault)
        return _Rows(rows[np.repeat(good, counts)], counts[good], numbers[good])

    def checked(self, made: _Rows) -> _Rows:
        """The drawings that are some."""
        rows = made.rows
        if rows.dtype.kind == "f":
            finite = np.isfinite(rows).all(axis=1)
            made = self.keep(made, finite, "holds a number that is not finite")
        if rows.dtype.itemsize > 2:  # fewer bytes hold no such number
            near = np.asarray(((made.rows[:, :2] > -FAR) & (made.rows[:, :2] < FAR)).all(axis=1))
            made = self.keep(made, near, "leads off every canvas")
        if rows.shape[1] == 3:
            pen = made.rows[:, 2]
            legal = (pen == 0) | (pen == 1) | (pen == 2)
            if not legal.all():
                found = pen[~legal][0]
                fault = f"has a pen column that holds {found}; it should be 0, 1 or 2"
                made = self.keep(made, legal, fault)
        return made

    def moves(self, made: _Rows) -> tuple[npt.NDArray[np.float32], Ints]:
        """Stroke-3 of all drawings, and the rows of each, up to where it ends."""
        rows, counts, _ = made
        bounds = offsets(counts)
        if rows.shape[1] == 5:
            lift, after = rows[:, 3] > 0.5, rows[:, 4] > 0.5  # the end row itself is no point
        else:
            lift, ends = rows[:, 2] >= 1, rows[:, 2] >= 2
            after = np.zeros(len(ends), bool)  # the row after the one that ends
            after[1:] = ends[:-1]
            after[bounds[:-1][counts > 0]] = False
        moves = np.empty((len(rows), 3), np.float32)
        moves[:, :2] = rows[:, :2]
        moves[:, 2] = lift
        moves += 0.0  # no negative zero
        if after.any():
            total = np.cumsum(after)
            before = np.concatenate([[0], total])[bounds[:-1]]
            keep = total - np.repeat(before, counts) == 0
            counts = per_drawing(np.add.reduceat, keep.astype(np.int64), bounds, empty=0)
            moves = moves[keep]
        return moves, counts


def _block(
    reader: _Reader, made: _Rows, word: str | None, words: list[str] | None, origin: int
) -> Block:
    """Check rows and make drawings of them."""
    made = reader.checked(made)
    moves, counts = reader.moves(made)
    known: list[str | None] = [word] * len(counts)
    if words is not None:
        known = [words[k] for k in made.numbers.tolist()]
    return from_moves(moves, offsets(counts), known, origin=origin)


def _suspect(rows: npt.NDArray[Any], where: str, note: Note) -> None:
    """Tell of columns that mean something else than in stroke-3 or stroke-5."""
    if len(rows) < SUSPICIOUS:
        return
    moves = rows[:, :2].astype(np.float64)
    changes = np.diff(moves, axis=0)
    why = ""
    if (moves >= 0).all() and (moves > 0).any():
        why = "no offset is below 0"
    elif np.square(changes).mean() < SMOOTH**2 * np.square(moves).mean() > (SMOOTH * LONG) ** 2:
        why = "long offsets hardly change from one to the next"
    if why:
        note(
            f"{where}: {why}: these look like places (x, y), not moves (dx, dy); "
            "save their differences, or write NDJSON"
        )
    lifts = rows[:, 2] >= 1 if rows.shape[1] == 3 else rows[:, 3] > 0.5
    if lifts.mean() > MOSTLY:
        note(
            f"{where}: the pen lifts after {lifts.mean():.0%} of the points: its column may say "
            "that the pen is down; 1 is for the last point of a stroke"
        )


def _one_drawing(members: list[Member], word: str | None) -> Block:
    """A file with one (points, 2) array a stroke, canvas coordinates."""
    lines = []
    room = MAX_DRAWING
    for member in sorted(members, key=lambda m: _natural(m.name)):
        line = member.array(room)
        room -= line.nbytes
        line = line.astype(float)
        if not (np.abs(line) < FAR).all():
            raise BadSketch(
                f"{member.where}: holds a number that is no place on a canvas; repair the file"
            )
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
