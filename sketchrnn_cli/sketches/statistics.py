"""What is in a set of drawings: counts for `inspect`, and the report of `preprocess`."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.block import (
    NO_TEST,
    NO_VALID,
    TEST,
    TRAIN,
    UNSPLIT,
    VALID,
    Block,
    Ints,
    boxes,
    fingerprints,
    to_moves,
)
from sketchrnn_cli.sketches.corpus import SPLITS, Corpus
from sketchrnn_cli.sketches.labels import Labels, named
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.sketches.words import fold

UNNAMED = "drawing"  # word of drawings that have none, in a packed set
CLIP = 1000.0  # offsets beyond are cut before the scale factor is taken (magenta)
PIECE = 1 << 14  # drawings of a packed set looked at together
MOST_COMPARED = 2_000_000  # drawings; beyond, equal ones are not looked for
EXAMPLES = 5  # errors and notes that are kept in full
MAX_WORDS = 1 << 22  # bytes of words and what is said of each; the description of a set is 8 MB
PER_WORD = 64  # bytes of what is said of each

_NAMES = (*SPLITS, "unsplit")
_SPLIT_OF = {TRAIN: 0, VALID: 1, TEST: 2, UNSPLIT: 3, NO_VALID: 0, NO_TEST: 0}  # into _NAMES


@dataclass(slots=True)
class Counts:
    """Drawings by word, split and length. Memory does not grow with their number."""

    where: str = ""  # the sources, for messages
    words: dict[str, Counter[str]] = field(default_factory=dict)  # drawings by split
    points: Counter[str] = field(default_factory=Counter)  # points by word
    lengths: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # drawings by points
    word_bytes: int = 0

    def add(self, words: Sequence[str], lengths: Ints, split: str = "") -> None:
        """Count drawings: a word and a length each.

        Raises:
            BadFile: there are too many words.
        """
        found = Counter(words)
        for word, n in found.items():
            if word not in self.words:
                self.word_bytes += 6 * len(word) + PER_WORD
            if self.word_bytes > MAX_WORDS:
                raise BadFile(
                    f"{self.where}: over {len(self.words):,} different words; a word is what is "
                    "drawn, of which there are fewer"
                )
            self.words.setdefault(word, Counter())[split] += n
        if len(found) == 1:
            self.points[words[0]] += int(lengths.sum())
        else:
            for word, n in zip(words, lengths.tolist(), strict=True):
                self.points[word] += n
        grown = np.bincount(lengths, minlength=len(self.lengths))
        grown[: len(self.lengths)] += self.lengths
        self.lengths = grown

    @property
    def n_sketches(self) -> int:
        """Drawings in all."""
        return int(self.lengths.sum())

    @property
    def n_points(self) -> int:
        """Points in all."""
        return int(self.lengths @ np.arange(len(self.lengths)))

    @property
    def n_max(self) -> int:
        """Points of the longest drawing."""
        return int(np.flatnonzero(self.lengths).max(initial=0))

    def percentile(self, share: float) -> int:
        """Points that this share of the drawings, 0 to 1, do not exceed."""
        return int(np.searchsorted(np.cumsum(self.lengths), share * self.n_sketches))


class Deviation:
    """Standard deviation of offsets, clipped as for training, piece by piece."""

    def __init__(self, clip: float = CLIP) -> None:
        self.clip = clip
        self.moments = np.zeros(3)  # count, sum, sum of squares

    def add(self, moves: npt.NDArray[Any]) -> None:
        """Take dx and dy of these moves into account."""
        values = np.clip(moves[:, :2].astype(np.float64), -self.clip, self.clip)
        self.moments += values.size, values.sum(), np.square(values).sum()

    def value(self) -> float:
        """The deviation so far, 0 of nothing."""
        n, total, squares = self.moments.tolist()
        return float(np.sqrt(max(squares / n - (total / n) ** 2, 0.0))) if n else 0.0


def equal_drawings(
    hashes: npt.NDArray[np.uint64], splits: npt.NDArray[Any], n_splits: int
) -> tuple[Ints, dict[str, int]]:
    """Equal drawings within a split and between splits.

    Args:
        hashes: fingerprints of N drawings.
        splits: (N,) in [0, n_splits): train, valid, test and perhaps others.
        n_splits: how many there are.

    Returns:
        How many more than one of each there are in every split; and the leakage between splits.
    """
    distinct, which = np.unique(hashes, return_inverse=True)
    cells = np.bincount(n_splits * which + splits, minlength=n_splits * len(distinct))
    table = cells.reshape(-1, n_splits)
    train, valid, test = table[:, :3].T
    return np.maximum(table - 1, 0).sum(axis=0), {
        "valid_in_train": int(valid[train > 0].sum()),
        "test_in_train": int(test[train > 0].sum()),
        "test_in_valid": int(test[valid > 0].sum()),
    }


# preprocess


@dataclass(slots=True)
class Report:
    """What was read, kept and dropped while a set is built."""

    sources: Sequence[str] = ()  # for messages
    join_spellings: bool = False
    names: Labels | None = None  # of number labels
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)  # the first few
    notes: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)  # of the drawings kept
    labels: dict[str, str] = field(default_factory=dict)  # by spelling
    spellings: dict[str, str] = field(default_factory=dict)  # the first, by what they share

    def __post_init__(self) -> None:
        self.counts.where = ", ".join(map(name_of, self.sources))

    def skip(self, message: str) -> None:
        """Count a drawing that is left out for an error."""
        self.read += 1
        self.dropped["faulty"] += 1
        if len(self.errors) < EXAMPLES:
            self.errors.append(message)

    def note(self, message: str) -> None:
        """Remember something worth telling."""
        if len(self.notes) <= EXAMPLES:
            last = len(self.notes) == EXAMPLES
            self.notes.append("more such notes are left out" if last else message)

    def labelled(self, block: Block) -> Block:
        """The block with one spelling of every word, composed as Unicode's NFC.

        Raises:
            BadFile: a word is there in two spellings, which would be learned as two words.
        """
        for word in dict.fromkeys(block.words):  # in their order: the first spelling is kept
            if word is None or word in self.labels:
                continue
            name = word if self.names is None else named(word, self.names, self.counts.where)
            label = unicodedata.normalize("NFC", name)
            first = self.spellings.setdefault(fold(label), label)
            if first != label and not self.join_spellings:
                raise BadFile(
                    f"{self.counts.where}: {first!r} and {label!r} are one word "
                    "in two spellings; `preprocess --join-spellings` makes them one"
                )
            self.labels[word] = first
        if all(self.labels.get(word or "", word) == word for word in set(block.words)):
            return block
        return replace(block, words=[word and self.labels[word] for word in block.words])

    def keep(self, block: Block) -> None:
        """Count drawings that stay."""
        self.counts.add([word or UNNAMED for word in block.words], np.diff(block.bounds))

    def refuse_empty(self) -> None:
        """Raise BadFile where nothing stays."""
        if self.counts.n_sketches:
            return
        why = ", ".join(f"{n:,} {reason}" for reason, n in self.dropped.items() if n)
        where = ", ".join(map(name_of, self.sources[:3]))
        where += f" and {len(self.sources) - 3} more" if len(self.sources) > 3 else ""
        cure = (
            "; --simplify and a larger --epsilon leave fewer points, "
            "a higher --max-points keeps more"
        )
        raise BadFile(
            f"{where}{': ' if where else ''}no drawings left of {self.read} read "
            f"({why or 'there were none'}){cure if 'over' in why else ''}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        counts = self.counts
        drawings = {word: n.total() for word, n in sorted(counts.words.items())}
        return {
            "read": self.read,
            "kept": counts.n_sketches,
            "dropped": {reason: n for reason, n in sorted(self.dropped.items()) if n},
            "words": {
                word: {"drawings": n, "mean_points": round(counts.points[word] / n, 2)}
                for word, n in drawings.items()
            },
            "points": {
                "mean": round(counts.n_points / counts.n_sketches, 2),
                "median": counts.percentile(0.5),
                "percentile_95": counts.percentile(0.95),
                "max": counts.n_max,
            },
            "faults": self.errors,
            "notes": self.notes,
        }


# inspect


@dataclass(slots=True)
class Statistics:
    """A set of drawings as it is."""

    counts: Counts = field(default_factory=Counts)
    n_strokes: int = 0
    scale_factor: float = 0.0  # deviation of the offsets of the train split, or of all if unsplit
    whole: bool = True  # all offsets are whole numbers
    extent: tuple[float, float] | None = None  # mean and largest larger side of the boxes
    duplicates: dict[str, int] | None = None  # more of the same drawing, by split
    leakage: dict[str, int] | None = None  # drawings of one split that another has too

    @property
    def n_sketches(self) -> int:
        """Drawings in all."""
        return self.counts.n_sketches

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; ``points`` and ``strokes`` are those of a drawing."""
        counts, n = self.counts, max(self.n_sketches, 1)
        splits = {
            name: total
            for name in _NAMES
            if (total := sum(of_split[name] for of_split in counts.words.values()))
        }
        return {
            "n_sketches": counts.n_sketches,
            "splits": splits,
            "words": {word: dict(of_split) for word, of_split in counts.words.items()},
            "points": {
                "total": counts.n_points,
                "min": int(np.flatnonzero(counts.lengths).min(initial=counts.n_max)),
                "median": counts.percentile(0.5),
                "mean": counts.n_points / n,
                "max": counts.n_max,
            },
            "n_max": counts.n_max,
            "strokes_mean": self.n_strokes / n,
            "scale_factor": self.scale_factor,
            "whole_numbers": self.whole,
            "extent_mean": None if self.extent is None else self.extent[0],
            "extent_max": None if self.extent is None else self.extent[1],
        }


def of_blocks(
    blocks: Iterable[Block], *, where: str = "", n_examples: int = 0, seed: int = 0
) -> tuple[Statistics, list[Sketch]]:
    """Statistics of drawings as a file holds them, and a fair choice of some, in file order.

    Args:
        blocks: of any reader.
        where: what is read, for messages.
        n_examples: how many to keep to look at.
        seed: of the choice.
    """
    result = Statistics(Counts(where))
    deviation = Deviation()
    side = np.zeros(2)  # sum and maximum of the larger sides
    hashes: list[npt.NDArray[np.uint64]] = []
    splits: list[Ints] = []  # of each of them
    rng = np.random.default_rng(seed)
    kept: list[tuple[float, int, Sketch]] = []  # the smallest of one random number per drawing
    seen = 0
    for block in blocks:
        lengths = np.diff(block.bounds)
        split = _SPLIT_OF[block.origin]
        result.counts.add([word or "" for word in block.words], lengths, _NAMES[split])
        result.n_strokes += len(block.strokes) - 1
        rows = to_moves(block)
        if seen + len(block) <= MOST_COMPARED:
            hashes.append(fingerprints(rows, block.bounds))
            splits.append(np.full(len(block), split))
        clipped = np.clip(rows[:, :2], -CLIP, CLIP)
        result.whole = result.whole and bool((clipped == np.rint(clipped)).all())
        if _NAMES[split] in ("train", "unsplit"):
            deviation.add(rows)
        sides = boxes(block)[1]
        side = np.array([side[0] + sides.sum(), max(side[1], sides.max(initial=0.0))])
        keys = np.where(lengths > 0, rng.random(len(block)), 1.0)
        limit = kept[-1][0] if len(kept) == n_examples and kept else float(n_examples > 0)
        for i in np.flatnonzero(keys < limit).tolist():
            kept.append((float(keys[i]), seen + i, block.sketch(i)))
        kept = sorted(kept, key=lambda entry: entry[:2])[:n_examples]
        seen += len(block)
    result.scale_factor = deviation.value()
    if seen:
        result.extent = (float(side[0] / seen), float(side[1]))
    if 0 < seen <= MOST_COMPARED:
        each = np.concatenate(splits)
        same, result.leakage = equal_drawings(np.concatenate(hashes), each, len(_NAMES))
        result.duplicates = {_NAMES[i]: int(same[i]) for i in np.unique(each).tolist()}
    return result, [sketch for _, _, sketch in sorted(kept, key=lambda entry: entry[1])]


def of_corpus(
    corpus: Corpus, *, n_examples: int = 0, seed: int = 0
) -> tuple[Statistics, list[Sketch]]:
    """The same of a packed set, without a look at most of it."""
    result = Statistics(scale_factor=corpus.scale_factor)
    counts = result.counts
    counts.lengths = np.bincount(np.diff(corpus.offsets), minlength=1)
    pairs, n = np.unique(
        np.asarray(corpus.word_ids, np.int64) * len(SPLITS) + corpus.splits, return_counts=True
    )
    for pair, drawings in zip(pairs.tolist(), n.tolist(), strict=True):
        word, split = divmod(pair, len(SPLITS))
        counts.words.setdefault(corpus.words[word], Counter())[SPLITS[split]] = drawings
    for first in range(0, len(corpus), PIECE):
        rows = corpus.rows_of(np.arange(first, min(first + PIECE, len(corpus))))
        result.n_strokes += int(np.count_nonzero(rows[:, 2]))
        result.whole = result.whole and (
            rows.dtype.kind in "iu" or bool((rows == np.rint(rows)).all())
        )
    chosen = np.random.default_rng(seed).permutation(len(corpus))[:n_examples]
    return result, [corpus.sketch(int(i)) for i in np.sort(chosen)]
