"""A set while it is gathered: columns in scratch files, and the split of every drawing.

The split of a drawing is a function of its fingerprint, so equal drawings share one, and neither
the order of the files nor what else is in them changes it. Files that came split keep their
splits; what is missing there is made of their train part.

Symbols: N drawings, P points, D distinct drawings.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.scratch import scratch_file
from sketchrnn_cli.sketches.block import (
    NO_TEST,
    NO_VALID,
    TEST,
    TRAIN,
    UNSPLIT,
    VALID,
    Block,
    Bools,
    Ints,
    fingerprints,
    to_moves,
)
from sketchrnn_cli.sketches.corpus import SPLITS
from sketchrnn_cli.sketches.statistics import UNNAMED, Deviation, equal_drawings

BUCKET = 1_000_000  # drawings to compare at once, or more:
MOST_BUCKETS = 64
BATCH = 4096  # drawings whose moves are looked at together
PIECE = 1 << 15  # drawings of another column looked at together
SMALL = 200_000  # drawings of a set whose splits are filled if they come out empty

Shares = tuple[float, float, float]
Splits = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]


class Columns:
    """Drawings in scratch files: as long as the data, however long that is."""

    KINDS = {"moves": "<f4", "lengths": "<i4", "words": "<i4", "origins": "|u1", "hashes": "<u8"}

    def __init__(self, folder: Path, out: str | Path) -> None:
        self.closing = contextlib.ExitStack()
        self.files: dict[str, BinaryIO] = {}
        for name in self.KINDS:
            self.files[name] = self.closing.enter_context(scratch_file(folder, out))
        self.words: dict[str, int] = {}
        self.n = 0
        self.n_points = 0
        self.whole = True  # every number is, and fits int16

    def add(self, block: Block) -> None:
        """Append drawings."""
        moves = to_moves(block)
        words = [word or UNNAMED for word in block.words]
        if self.whole and len(moves):
            self.whole = bool(np.abs(moves).max() <= 32767 and (moves == np.rint(moves)).all())
        for name, values in (
            ("moves", moves),
            ("lengths", np.diff(block.bounds)),
            ("words", np.array([self.words.setdefault(w, len(self.words)) for w in words])),
            ("origins", np.full(len(block), block.origin)),
            ("hashes", fingerprints(moves, block.bounds)),
        ):
            self.files[name].write(np.ascontiguousarray(values, self.KINDS[name]).tobytes())
        self.n += len(block)
        self.n_points += len(moves)

    def buckets(self) -> Iterator[tuple[Ints, Hashes, Splits]]:
        """Numbers, fingerprints and origins of all drawings, equal fingerprints together."""
        n = min(1 + self.n // BUCKET, MOST_BUCKETS)
        for bucket in range(n):
            done, found = 0, []
            for hashes, origins in zip(self.pieces("hashes"), self.pieces("origins"), strict=True):
                mine = np.flatnonzero(hashes % np.uint64(n) == bucket)
                found.append((mine + done, hashes[mine], origins[mine]))
                done += len(hashes)
            numbers, hashes, origins = map(np.concatenate, zip(*found, strict=True))
            yield numbers, hashes, origins

    def pieces(self, name: str, size: int = PIECE) -> Iterator[npt.NDArray[Any]]:
        """A column, so many drawings at a time."""
        kind, place = np.dtype(self.KINDS[name]), 0
        file = self.files[name]
        while file.seek(place) == place and (data := file.read(size * kind.itemsize)):
            place += len(data)
            yield np.frombuffer(data, kind)

    def offsets(self) -> Iterator[Ints]:
        """Where each drawing begins in the moves, and where the last one ends, in pieces."""
        yield np.zeros(1, np.int64)
        total = 0
        for counts in self.pieces("lengths"):
            ends = np.cumsum(counts, dtype=np.int64) + total
            total = int(ends[-1])
            yield ends

    def moves(self, splits: Splits, deviation: Deviation) -> Iterator[npt.NDArray[np.float32]]:
        """The moves, (P, 3), of some thousand drawings at a time.

        Those of the training split, or all where that is empty, are measured.
        """
        everything = not (splits == TRAIN).any()
        file = self.files["moves"]
        file.seek(0)
        done = 0
        for counts in self.pieces("lengths", BATCH):
            n = int(counts.sum())
            rows = np.frombuffer(file.read(n * 12), "<f4").reshape(n, 3)
            chosen = (splits[done : done + len(counts)] == TRAIN) | everything
            deviation.add(rows[np.repeat(chosen, counts)])
            done += len(counts)
            yield rows


def split(columns: Columns, shares: Shares) -> tuple[Splits, dict[str, Any]]:
    """Decide the split of every drawing, which takes a byte of memory each.

    Equals are found bucket by bucket: drawings whose fingerprints have the same remainder are
    looked at together.

    Returns:
        0 train, 1 valid, 2 test of every drawing, (N,); and sizes of the splits, duplicates in
        each and leakage between them.
    """
    splits = np.empty(columns.n, np.uint8)
    for numbers, hashes, origins in columns.buckets():
        distinct, which = np.unique(hashes, return_inverse=True)
        came = np.zeros((len(distinct), NO_TEST + 1), bool)
        came[which, origins] = True
        group, made_of_train = _groups(distinct, came, shares)
        found = np.where(origins < UNSPLIT, origins, group[which])
        found[(origins > UNSPLIT) & made_of_train[which]] = TRAIN
        splits[numbers] = found
    if columns.n <= SMALL:
        _fill(splits, columns, shares)
    sizes, same = np.zeros((2, len(SPLITS)), np.int64)
    leaks = Counter[str]()
    for numbers, hashes, _ in columns.buckets():
        more, leaked = equal_drawings(hashes, splits[numbers], len(SPLITS))
        sizes += np.bincount(splits[numbers], minlength=len(SPLITS))
        same += more
        leaks.update(leaked)
    return splits, {
        "splits": dict(zip(SPLITS, sizes.tolist(), strict=True)),
        "duplicates": dict(zip(SPLITS, same.tolist(), strict=True)),
        "leakage": dict(leaks),
    }


def _groups(hashes: Hashes, came: Bools, shares: Shares) -> tuple[Splits, Bools]:
    """The split of drawings of a fingerprint that did not come split, (D,).

    And whether one that was made of a train part goes back there: it is in valid or test too.
    """
    train, valid, test = np.array(shares) / sum(shares)
    place = (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53  # in [0, 1)
    group = np.where(place < train, TRAIN, np.where(place < train + valid, VALID, TEST))
    no_valid, no_test = came[:, NO_VALID], came[:, NO_TEST]
    group[no_valid] = np.where(place < train / (train + valid or 1), TRAIN, VALID)[no_valid]
    group[no_test] = np.where(place < train / (train + test or 1), TRAIN, TEST)[no_test]
    # Where an equal came split, the others follow it; a part that is also in valid or test there
    # stays in train, and is reported.
    for code in (TRAIN, VALID, TEST):
        group[came[:, code]] = code
    made_of_train = (came[:, VALID] | came[:, TEST]) & (no_valid | no_test)
    return group.astype(np.uint8), made_of_train


def _fill(splits: Splits, columns: Columns, shares: Shares) -> None:
    """Give a split that is wanted, and came out empty in a small set, the nearest drawing."""
    hashes, origin = (np.concatenate([*columns.pieces(name)]) for name in ("hashes", "origins"))
    loose = origin >= UNSPLIT
    kept = np.unique(hashes[~loose])
    for code, missing in ((VALID, NO_VALID), (TEST, NO_TEST)):
        wanted = ((origin == UNSPLIT) | (origin == missing)).any()
        if not wanted or not shares[code] or (splits == code).any():
            continue
        free = loose & (splits == TRAIN) & ~np.isin(hashes, kept)
        choice = np.unique(hashes[free])
        if len(choice) > 1 or (len(choice) == 1 and (splits[~free] == TRAIN).any()):
            splits[free & (hashes == choice[-1])] = code
