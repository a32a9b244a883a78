"""Files that hold a set while it is gathered: as long as the data, however long that is."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.files import scratch_file
from sketchrnn_cli.sketches.block import Block, Ints, Moves, per_drawing, to_moves

UNNAMED = "drawing"  # word of drawings that have none
PIECE = 1 << 15  # drawings copied at once


def fingerprints(moves: Moves, bounds: Ints) -> npt.NDArray[np.uint64]:
    """A number for each drawing that depends on its moves alone: (D,).

    Equal for drawings that differ by the rounding noise of some float files: offsets are taken
    in steps of about a thousandth of the largest, whole numbers as they are.
    """
    if not len(moves):
        return np.zeros(len(bounds) - 1, np.uint64)
    rows = moves.copy()
    if (rows != np.rint(rows)).any():
        largest = np.abs(rows[:, :2]).max(axis=1)
        largest = per_drawing(np.maximum.reduceat, largest, bounds, empty=1.0)
        step = np.exp2(np.clip(np.frexp(largest)[1] - 11, -126, 0)).astype(np.float32)  # not 0
        rows[:, :2] = np.rint(rows[:, :2] / np.repeat(step, np.diff(bounds))[:, None])
    data = memoryview(np.ascontiguousarray(rows + 0.0, "<f4").tobytes())
    cuts = (bounds * 12).tolist()
    digests = [
        blake2b(data[a:b], digest_size=8).digest() for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


class Scratch:
    """A set by columns."""

    COLUMNS = {
        "moves": "<f4",
        "counts": "<i4",
        "words": "<i4",
        "origins": "|u1",
        "hashes": "<u8",
        "splits": "|u1",
    }

    def __init__(self, folder: Path, out: str | Path) -> None:
        self.files = {name: scratch_file(folder, out) for name in self.COLUMNS}
        self.words: dict[str, int] = {}
        self.n = 0
        self.n_points = 0
        self.whole = True  # every number is, and fits int16

    def add(self, block: Block) -> tuple[list[str], Ints]:
        """Append drawings. Returns their words and lengths."""
        moves = to_moves(block)
        counts = np.diff(block.bounds)
        words = [word or UNNAMED for word in block.words]
        numbers = [self.words.setdefault(word, len(self.words)) for word in words]
        if self.whole and len(moves):
            self.whole = bool(np.abs(moves).max() <= 32767 and (moves == np.rint(moves)).all())
        self._write("moves", moves)
        self._write("counts", counts)
        self._write("words", np.array(numbers, np.int64))
        self._write("origins", np.full(len(block), block.origin))
        self._write("hashes", fingerprints(moves, block.bounds))
        self.n += len(block)
        self.n_points += len(moves)
        return words, counts

    def add_splits(self, splits: npt.NDArray[np.uint8]) -> None:
        """Append the splits of the drawings, when all are there."""
        self._write("splits", splits)

    def _write(self, name: str, values: npt.NDArray[Any]) -> None:
        self.files[name].write(np.ascontiguousarray(values, self.COLUMNS[name]).tobytes())

    def pieces(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """A column, a few thousand drawings at a time."""
        file = self.files[name]
        file.flush()
        file.seek(0)
        kind = np.dtype(self.COLUMNS[name])
        while data := file.read(PIECE * 8 * kind.itemsize):
            yield np.frombuffer(data, kind)

    def moves(self) -> Iterator[tuple[npt.NDArray[np.float32], Ints]]:
        """Moves, (p, 3), and lengths, of some thousand drawings at a time."""
        file = self.files["moves"]
        file.flush()
        file.seek(0)
        for column in self.pieces("counts"):
            for start in range(0, len(column), 4096):
                counts = column[start : start + 4096].astype(np.int64)
                n = int(counts.sum())
                yield np.frombuffer(file.read(n * 12), "<f4").reshape(n, 3), counts

    def offsets(self) -> Iterator[Ints]:
        """Where each drawing begins in the moves, and where the last one ends, in pieces."""
        yield np.zeros(1, np.int64)
        total = 0
        for counts in self.pieces("counts"):
            ends = np.cumsum(counts, dtype=np.int64) + total
            total = int(ends[-1])
            yield ends

    def scale_factor(self, clip: float, *, train: bool) -> float:
        """Deviation of the clipped offsets of the training split, or of all if that is empty."""
        n, total, squares = 0, 0.0, 0.0
        splits = self.files["splits"]
        splits.flush()
        splits.seek(0)
        for moves, counts in self.moves():
            chosen = np.frombuffer(splits.read(len(counts)), np.uint8) == 0
            if not train:
                chosen = np.ones(len(counts), bool)
            rows = np.clip(moves[np.repeat(chosen, counts), :2].astype(np.float64), -clip, clip)
            n += rows.size
            total += float(rows.sum())
            squares += float(np.square(rows).sum())
        mean = total / n
        return float(np.sqrt(max(squares / n - mean * mean, 0.0))) or 1.0

    def close(self) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()
