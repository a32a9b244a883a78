"""What drawings look like to the recogniser of a model, and which labels it doubts.

Symbols: N drawings, V words of the recogniser.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import pretrained
from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.inference.recogniser import BATCH, Recogniser
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.block import Block, Bools, to_moves
from sketchrnn_cli.sketches.preparation import prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3
from sketchrnn_cli.sketches.words import fold

Moves = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float32]
Answer = list[tuple[str, float]]  # words with their shares, the largest first

SHOWN: Final = 3  # words of an answer
MOST_POINTS: Final = 50_000  # of a drawing that is looked at
DOUBTFUL: Final = 0.5  # of chance, 1 / V: a label with a smaller share is doubted


@dataclass(frozen=True, slots=True)
class Recognition:
    """A recogniser, and how the drawings of its model were prepared."""

    recogniser: Recogniser
    preparation: Mapping[str, Any]
    column: Mapping[str, int]  # of each word, by its folded form

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Recognition | None:
        """That of a model; None where it has no recogniser."""
        found = Recogniser.of(checkpoint)
        if found is None:
            return None
        column = {fold(word): k for k, word in enumerate(found.words)}
        return cls(found, checkpoint.preparation, column)

    @classmethod
    def needed(cls, checkpoint: Checkpoint, name: str) -> Recognition:
        """The same.

        Raises:
            BadCheckpoint: the model, called ``name``, has no recogniser.
        """
        found = cls.of(checkpoint)
        if found is None:
            raise BadCheckpoint(
                f"{name}: it has no recogniser; `train` fits one to a model of several words"
            )
        return found

    @classmethod
    def open(cls, model: str | None) -> Recognition:
        """That of a model; None is the built-in one.

        Raises:
            BadFile, BadCheckpoint: no model, or one without a recogniser.
        """
        name = pretrained.NAME if model is None else model
        return cls.needed(open_model(model or pretrained.FILE), name)

    @property
    def threshold(self) -> float:
        """A label with a smaller share is doubted."""
        return DOUBTFUL / len(self.recogniser.words)

    def answers(self, sketches: Sequence[Sketch], n: int = SHOWN) -> list[Answer]:
        """The n likeliest words of each drawing; none of one without strokes, or too long."""
        seen = [bool(sketch.strokes) and sketch.n_points <= MOST_POINTS for sketch in sketches]
        drawn = [sketch for sketch, is_seen in zip(sketches, seen, strict=True) if is_seen]
        found = iter(self.recogniser.top([self._moves(sketch) for sketch in drawn], n))
        return [next(found) if is_seen else [] for is_seen in seen]

    def own_shares(self, shares: Shares, words: Sequence[str | None]) -> Shares:
        """The share of each drawing's own word, (N,); NaN for a word that it does not know.

        Args:
            shares: (N, V).
            words: of each drawing.
        """
        columns = [self.column.get(fold(word or ""), -1) for word in words]
        own = shares[np.arange(len(columns)), columns]
        return np.where(np.array(columns) < 0, np.float32(np.nan), own)

    def doubts(self, block: Block) -> Bools:
        """Which drawings of a block, none of them empty, have a label that is doubted, (D,)."""
        moves = np.split(to_moves(block), block.bounds[1:-1]) if len(block) else []
        own = self.own_shares(self.recogniser.shares(moves), block.words)
        result: Bools = own < self.threshold
        return result

    def most_doubtful(
        self, drawings: Iterable[tuple[int, Sketch]], n: int
    ) -> tuple[dict[str, Any], list[Sketch]]:
        """The n drawings whose labels have the smallest shares, the smallest first.

        Args:
            drawings: each with its number, in any unit.
            n: how many.

        Returns:
            ``n_judged``, ``n_unknown`` (without a word that the recogniser knows),
            ``n_doubtful`` (with a share under ``threshold``) and ``doubtful``: ``index``,
            ``word``, ``share`` and ``recognized`` of each; and the drawings, captioned.
        """
        counts = np.zeros(3, np.int64)  # judged, unknown, doubtful
        worst: list[tuple[float, int, Sketch]] = []
        stream = ((index, sketch) for index, sketch in drawings if sketch.strokes)
        while batch := list(islice(stream, BATCH)):
            shares = self.recogniser.shares([self._moves(sketch) for _, sketch in batch])
            own = self.own_shares(shares, [sketch.word for _, sketch in batch])
            unknown = np.isnan(own)
            counts += (~unknown).sum(), unknown.sum(), (own < self.threshold).sum()
            worst += [(float(own[k]), *batch[k]) for k in np.flatnonzero(~unknown).tolist()]
            worst = heapq.nsmallest(n, worst, key=lambda entry: entry[:2])
        answers = self.answers([sketch for *_, sketch in worst])
        listed = [
            {"index": k, "word": sketch.word, "share": share, "recognized": rounded(answer)}
            for (share, k, sketch), answer in zip(worst, answers, strict=True)
        ]
        drawn = [
            replace(sketch, word=f"{sketch.word}: {answer[0][0]}?", extras={})
            for (*_, sketch), answer in zip(worst, answers, strict=True)
        ]
        names = ("n_judged", "n_unknown", "n_doubtful")
        facts = dict(zip(names, counts.tolist(), strict=True))
        return {**facts, "threshold": self.threshold, "doubtful": listed}, drawn

    def _moves(self, sketch: Sketch) -> Moves:
        return to_stroke3(prepare_like(sketch, self.preparation))


def rounded(answer: Answer) -> list[list[str | float]]:
    """Words with their shares in 3 decimals, for JSON."""
    return [[word, round(share, 3)] for word, share in answer]
