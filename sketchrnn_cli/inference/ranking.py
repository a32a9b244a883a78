"""Every drawing by its likelihood: what a model finds odd."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.inference.conditioning import to_model
from sketchrnn_cli.inference.engine import Network
from sketchrnn_cli.inference.score import log_likelihood
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

CHUNK = 256  # drawings scored at once
CHUNK_POINTS = 100_000  # of them; each takes a kilobyte meanwhile


def worst_first(
    network: Network, drawings: Iterable[tuple[int, Sketch]], n_shown: int
) -> tuple[list[dict[str, Any]], list[Sketch]]:
    """The likelihood of every drawing given its mean latent and its word, the least likely first.

    Likelihood is compared a prediction: by the sum, the longest drawings would be the worst.

    Args:
        network: of any kind.
        drawings: each with its number; prepared as those of the network were, data units.
        n_shown: how many drawings to return: half of them the worst, half the best.

    Returns:
        ``index`` (its number), ``word``, ``n_points``, ``log_likelihood`` (nats of the whole
        drawing and its end) and ``per_prediction`` (divided by points + 1) of all; and the worst
        drawings and the best, from worst to best, with the last as caption.

    Raises:
        BadFile: no drawings.
    """
    scale, has_latent = network.checkpoint.scale_factor, network.checkpoint.config.encoder
    scores: list[dict[str, Any]] = []
    n_best = n_shown // 2
    worst: list[tuple[float, int, Sketch]] = []
    best: list[tuple[float, int, Sketch]] = []
    stream = iter(drawings)
    while batch := list(_chunk(stream)):
        moves = [to_model(to_stroke3(sketch), scale) for _, sketch in batch]
        z = network.encode(moves)[0] if has_latent else None
        words = [sketch.word for _, sketch in batch]
        found = log_likelihood(network, moves, z, words=words).tolist()
        for (index, sketch), nats in zip(batch, found, strict=True):
            each = nats / (sketch.n_points + 1)
            scores.append(
                {
                    "index": index,
                    "word": sketch.word,
                    "n_points": sketch.n_points,
                    "log_likelihood": nats,
                    "per_prediction": each,
                }
            )
            caption = f"{sketch.word or ''} {each:.2f}".strip()
            shown = (each, index, replace(sketch, word=caption, extras={}))
            worst.append(shown)
            best.append(shown)
        worst = heapq.nsmallest(n_shown, worst, key=lambda entry: entry[:2])
        best = heapq.nlargest(n_best, best, key=lambda entry: entry[:2])
    if not scores:
        raise BadFile("no drawings to score")
    scores.sort(key=lambda entry: (entry["per_prediction"], entry["index"]))
    if len(scores) > n_shown:
        worst = worst[: n_shown - n_best] + best[::-1]
    return scores, [sketch for _, _, sketch in worst]


def _chunk(drawings: Iterator[tuple[int, Sketch]]) -> Iterator[tuple[int, Sketch]]:
    """The next drawings, so many as are scored at once."""
    room = CHUNK_POINTS
    for index, sketch in islice(drawings, CHUNK):
        yield index, sketch
        room -= sketch.n_points
        if room <= 0:
            return
