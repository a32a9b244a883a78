"""Counts of what was read, kept and dropped while a set is built, and the report of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.block import Ints
from sketchrnn_cli.sketches.words import fold, visible

EXAMPLES = 5  # faults and notes that are kept in full
MAX_WORDS = 1 << 22  # bytes of words and what is said of each; the description of a set is 8 MB
PER_WORD = 64  # bytes of what is said of each


@dataclass(slots=True)
class Tally:
    """Counts of one build."""

    sources: tuple[str, ...] = ()  # for messages
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # the first few
    notes: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)  # drawings kept
    spellings: dict[str, str] = field(default_factory=dict)  # by what they share
    points: Counter[str] = field(default_factory=Counter)  # of these
    lengths: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # drawings a length
    word_bytes: int = 0

    def skip(self, message: str) -> None:
        """Count a faulty drawing that is left out."""
        self.read += 1
        self.dropped["faulty"] += 1
        if len(self.faults) < EXAMPLES:
            self.faults.append(message)

    def note(self, message: str) -> None:
        """Remember something worth telling."""
        if len(self.notes) < EXAMPLES:
            self.notes.append(message)

    def keep(self, words: list[str], counts: Ints) -> None:
        """Count drawings that stay: a word and a length each.

        Raises:
            BadFile: a word is there in two spellings, which would be learned as two words; or
                there are too many words.
        """
        for word in dict.fromkeys(words):
            if word not in self.words:
                self.word_bytes += 6 * len(word) + PER_WORD
                if self.word_bytes > MAX_WORDS:
                    raise BadFile(
                        f"{', '.join(map(name_of, self.sources))}: over {len(self.words):,} "
                        "different words; a word is what is drawn, of which there are fewer"
                    )
                other = self.spellings.setdefault(fold(word), word)
                if other != word:
                    raise BadFile(
                        f"{', '.join(map(name_of, self.sources))}: {visible(other)!r} and "
                        f"{visible(word)!r} are one word in two spellings; write it one way"
                    )
        self.words.update(words)
        if len(set(words)) == 1:
            self.points[words[0]] += int(counts.sum())
        else:
            for word, n in zip(words, counts.tolist(), strict=True):
                self.points[word] += n
        found = np.bincount(counts, minlength=len(self.lengths))
        found[: len(self.lengths)] += self.lengths
        self.lengths = found

    @property
    def kept(self) -> int:
        """Drawings that stay."""
        return sum(self.words.values())

    def report(self) -> dict[str, Any]:
        """What came in and what stayed."""
        passed = np.cumsum(self.lengths)

        def quantile(share: float) -> int:
            return int(np.searchsorted(passed, share * passed[-1]))

        n_points = int((self.lengths * np.arange(len(self.lengths))).sum())
        return {
            "read": self.read,
            "kept": self.kept,
            "dropped": {reason: n for reason, n in sorted(self.dropped.items()) if n},
            "words": {
                word: {"drawings": n, "mean_points": round(self.points[word] / n, 2)}
                for word, n in sorted(self.words.items())
            },
            "points": {
                "mean": round(n_points / self.kept, 2),
                "median": quantile(0.5),
                "percentile_95": quantile(0.95),
                "max": len(self.lengths) - 1,
            },
            "faults": self.faults,
            "notes": self.notes,
        }
