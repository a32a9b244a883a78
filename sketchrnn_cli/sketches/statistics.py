"""What is in a set of drawings: counts, lengths, scale, and some of them to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.sketches import formats
from sketchrnn_cli.sketches.block import (
    NO_TEST,
    NO_VALID,
    TEST,
    TRAIN,
    UNSPLIT,
    VALID,
    Block,
    boxes,
    to_moves,
)
from sketchrnn_cli.sketches.corpus import SPLITS, Corpus
from sketchrnn_cli.sketches.scratch import fingerprints
from sketchrnn_cli.sketches.sketch import Sketch

Ints = npt.NDArray[np.int64]

_SPLIT_OF = {
    TRAIN: "train", VALID: "valid", TEST: "test", UNSPLIT: "unsplit",
    NO_VALID: "train", NO_TEST: "train",
}  # fmt: skip
CLIP = 1000.0  # offsets beyond are cut before the scale factor is taken (magenta)
PIECE = 1 << 14  # drawings of a packed set looked at together
MOST_COMPARED = 2_000_000  # drawings; beyond, equal ones are not looked for


@dataclass(slots=True)
class Statistics:
    """Counts of a set of drawings; filled block by block, so memory does not grow with the set."""

    words: dict[str, dict[str, int]] = field(default_factory=dict)  # drawings by word and split
    lengths: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # drawings by points
    n_strokes: int = 0
    scale_factor: float = 0.0  # deviation of the offsets of the train split, or of all if unsplit
    whole: bool = True  # all offsets are whole numbers
    extent: tuple[float, float] | None = None  # mean and largest larger side of the boxes
    duplicates: dict[str, int] | None = None  # more of the same drawing, by split
    leakage: dict[str, int] | None = None  # drawings of one split that another has too

    @property
    def n_sketches(self) -> int:
        """Drawings in all."""
        return int(self.lengths.sum())

    @property
    def n_max(self) -> int:
        """Points of the longest drawing."""
        filled = np.flatnonzero(self.lengths)
        return int(filled[-1]) if len(filled) else 0

    def splits(self) -> dict[str, int]:
        """Drawings of every split there is, all words together."""
        total: dict[str, int] = {}
        for name in (*SPLITS, "unsplit"):
            n = sum(counts.get(name, 0) for counts in self.words.values())
            if n:
                total[name] = n
        return total

    def percentile(self, share: float) -> int:
        """Points that this share of the drawings, 0 to 1, do not exceed."""
        if not self.n_sketches:
            return 0
        return int(np.searchsorted(np.cumsum(self.lengths), share * self.n_sketches))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; ``points`` and ``strokes`` are those of a drawing."""
        n = max(self.n_sketches, 1)
        points = int(self.lengths @ np.arange(len(self.lengths)))
        filled = np.flatnonzero(self.lengths)
        return {
            "n_sketches": self.n_sketches,
            "splits": self.splits(),
            "words": self.words,
            "points": {
                "total": points,
                "min": int(filled[0]) if len(filled) else 0,
                "median": self.percentile(0.5),
                "mean": points / n,
                "max": self.n_max,
            },
            "n_max": self.n_max,
            "strokes_mean": self.n_strokes / n,
            "scale_factor": self.scale_factor,
            "whole_numbers": self.whole,
            "extent_mean": None if self.extent is None else self.extent[0],
            "extent_max": None if self.extent is None else self.extent[1],
        }

    def _count(self, lengths: Ints) -> None:
        size = max(len(self.lengths), int(lengths.max(initial=0)) + 1)
        grown = np.bincount(lengths, minlength=size)
        grown[: len(self.lengths)] += self.lengths
        self.lengths = grown


def read_blocks(
    thing: str, *, skipped: Callable[[str], None], note: Callable[[str], None]
) -> Iterator[Block]:
    """Drawings of a file, a folder or ``-`` as they are, nothing prepared.

    Args:
        thing: what to read.
        skipped: told of faulty drawings.
        note: told of arrays that are not drawings.

    Raises:
        BadFile: something else.
    """
    for files in formats.together(formats.expand([thing])):
        yield from formats.read_blocks(files, skipped=skipped, note=note)


def of_blocks(
    blocks: Iterable[Block], *, n_examples: int = 0, seed: int = 0
) -> tuple[Statistics, list[Sketch]]:
    """Statistics of drawings as a file holds them, and a fair choice of some, in file order.

    Args:
        blocks: of any reader.
        n_examples: how many to keep to look at.
        seed: of the choice.
    """
    result = Statistics()
    moments = np.zeros(3)  # count, sum, sum of squares of the offsets
    side = np.zeros(2)  # sum and maximum of the larger sides
    prints: list[npt.NDArray[np.uint64]] = []
    origins: list[int] = []  # of each piece of them
    rng = np.random.default_rng(seed)
    kept: list[tuple[float, int, Sketch]] = []  # the smallest of one random number a drawing
    seen = 0
    for block in blocks:
        lengths = np.diff(block.bounds)
        result._count(lengths)
        result.n_strokes += len(block.strokes) - 1
        split = _SPLIT_OF[block.origin]
        for word in block.words:
            counts = result.words.setdefault(word or "", {})
            counts[split] = counts.get(split, 0) + 1
        rows = to_moves(block)
        if seen + len(block) <= MOST_COMPARED:
            prints.append(fingerprints(rows, block.bounds))
            origins.append((*SPLITS, "unsplit").index(split))
        moves = np.clip(rows[:, :2].astype(np.float64), -CLIP, CLIP)
        result.whole = result.whole and bool((moves == np.rint(moves)).all())
        if split in ("train", "unsplit"):
            moments += moves.size, moves.sum(), (moves * moves).sum()
        sides = boxes(block)[1]
        side = np.array([side[0] + sides.sum(), max(side[1], sides.max(initial=0.0))])
        keys = rng.random(len(block))
        limit = kept[-1][0] if len(kept) == n_examples and kept else 1.0
        if n_examples:
            for i in np.flatnonzero((keys < limit) & (lengths > 0)).tolist():
                kept.append((float(keys[i]), seen + i, block.sketch(i)))
            kept = sorted(kept, key=lambda entry: entry[0])[:n_examples]
        seen += len(block)
    if moments[0]:
        mean = moments[1] / moments[0]
        result.scale_factor = float(np.sqrt(max(moments[2] / moments[0] - mean * mean, 0.0)))
    if seen:
        result.extent = (float(side[0] / seen), float(side[1]))
    if seen <= MOST_COMPARED:
        result.duplicates, result.leakage = _equals(prints, origins)
    return result, [sketch for _, _, sketch in sorted(kept, key=lambda entry: entry[1])]


def _equals(
    prints: list[npt.NDArray[np.uint64]], origins: list[int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Equal drawings within a split and between splits, as the report of ``building`` has them."""
    names = (*SPLITS, "unsplit")
    each = np.repeat(origins, [len(part) for part in prints]).astype(np.int64)
    distinct, which = np.unique(
        np.concatenate([*prints, np.zeros(0, np.uint64)]), return_inverse=True
    )
    table = np.bincount(len(names) * which + each, minlength=len(names) * len(distinct))
    train, valid, test, unsplit = table.reshape(-1, len(names)).T
    same = {
        name: int(np.maximum(n - 1, 0).sum())
        for name, n in zip(names, (train, valid, test, unsplit), strict=True)
        if n.any()
    }
    leaks = {
        "valid_in_train": int(valid[train > 0].sum()),
        "test_in_train": int(test[train > 0].sum()),
        "test_in_valid": int(test[valid > 0].sum()),
    }
    return same, leaks


def of_corpus(
    corpus: Corpus, *, n_examples: int = 0, seed: int = 0
) -> tuple[Statistics, list[Sketch]]:
    """The same of a packed set, without a look at most of it."""
    result = Statistics(scale_factor=corpus.scale_factor)
    result._count(np.diff(corpus.offsets))
    pairs, n = np.unique(
        np.asarray(corpus.word_ids, np.int64) * len(SPLITS) + corpus.splits, return_counts=True
    )
    for pair, count in zip(pairs.tolist(), n.tolist(), strict=True):
        word, split = divmod(pair, len(SPLITS))
        name = corpus.words[word] if word < len(corpus.words) else ""
        result.words.setdefault(name, {})[SPLITS[split]] = count
    result.whole = True
    for first in range(0, len(corpus), PIECE):
        rows = corpus.rows_of(np.arange(first, min(first + PIECE, len(corpus))))
        result.n_strokes += int(np.count_nonzero(rows[:, 2]))
        result.whole = result.whole and (
            rows.dtype.kind in "iu" or bool((rows == np.rint(rows)).all())
        )
    chosen = np.random.default_rng(seed).permutation(len(corpus))[:n_examples]
    return result, [corpus.sketch(int(i)) for i in np.sort(chosen)]
