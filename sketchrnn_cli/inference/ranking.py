"""Which candidate of a drawing is kept.

Where a model has a recogniser and it is known what is to be drawn, the candidate that looks most
like it; else the likeliest one for its ink. Symbols: K candidates, V words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.inference.conditioning import label_rows
from sketchrnn_cli.inference.settings import BEST_OF
from sketchrnn_cli.model import recogniser as weights_of
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from sketchrnn_cli.inference.request import Request

Array = npt.NDArray[np.float32]

SURE = 0.5  # share of what is to be drawn; a candidate that has less is not taken for it
GRID = 32  # cells to a scale factor, about a pixel each
TINY = 1e-30
MOST_TOGETHER = 65_536  # candidates among which those of all frames are chosen together


def usual_candidates(checkpoint: Checkpoint, request: Request) -> int:
    """Candidates of each drawing where nobody says how many.

    Several where a recogniser chooses among them. One for a given latent, which is drawn as it is,
    and for more frames than can be chosen together.
    """
    if not (checkpoint.config.n_words and weights_of.of(checkpoint.weights)):
        return 1
    if request.z is not None:
        return 1
    if share_numbers(request.numbers) and not fit_together(request.n, BEST_OF):
        return 1
    labels = request.labels
    if labels is None and request.words is not None:
        labels = label_rows(checkpoint, request.words)
    if labels is None:  # sampled labels are known
        return BEST_OF if request.prefixes is None else 1
    return BEST_OF if (labels[:, -1] < 1).all() else 1


def share_numbers(numbers: Sequence[int] | None) -> bool:
    """Whether drawings have the same random numbers, as the frames of an interpolation."""
    return numbers is not None and len(set(numbers)) < len(numbers)


def fit_together(n: int, best_of: int) -> bool:
    """Whether the candidates of n frames are few enough to be held, and chosen together."""
    return n * best_of <= MOST_TOGETHER


def scores(
    candidates: Sequence[Sketch],
    found: Array | None,
    shares: Array | None,
    scale_factor: float,
) -> npt.NDArray[np.float64]:
    """How good each candidate is: whether it ended, surely shows what it shall be, how surely.

    Args:
        candidates: K.
        found: (K, V) shares of the words that the recogniser of their model sees; None: without.
        shares: (V,) of the words that are to be drawn; None: nobody knows.
        scale_factor: data units per model unit.

    Returns:
        (K, 3): the first column decides, the next ones where those before are equal.
    """
    if found is None or shares is None:
        ranks = np.array([rank(sketch, scale_factor) for sketch in candidates], np.float64)
        return np.insert(ranks, 1, 1.0, axis=1)
    ended = [bool(sketch.extras["finished"]) for sketch in candidates]
    sure = found @ (shares > 0) >= SURE
    return np.column_stack([ended, sure, np.log(np.maximum(found, TINY)) @ shares])


def best(scores: npt.NDArray[np.float64]) -> int:
    """Which of K candidates to keep; of equal ones the first."""
    return max(range(len(scores)), key=lambda k: (*scores[k],))


def rank(sketch: Sketch, scale_factor: float) -> tuple[bool, float]:
    """By what a candidate is chosen without a recogniser: log likelihood per length of ink.

    A density per move would favour clusters of dots, which are certain and nearly free. So moves
    are taken on a grid, where each costs nats, and what they cost is divided by the ink. One that
    ended comes before all that did not.
    """
    nats = cast(float, sketch.extras["log_likelihood"]) - 2 * math.log(GRID) * sketch.n_points
    ink = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in sketch.strokes)
    return bool(sketch.extras["finished"]), nats / max(ink / scale_factor, 1e-9)
