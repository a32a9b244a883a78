"""Fits the recogniser of a model to its training drawings, at the end of a run.

Letters: N drawings, V words, K points along the ink of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.recogniser import HIDDEN, N_POINTS, PICTURE, PREFIX, SIDE, STROKES
from sketchrnn_cli.sketches import ink as inks

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

Array = npt.NDArray[np.float32]
Track = Callable[[range], Iterable[int]]

BATCH = 192
RATE = 4e-3  # highest of the run
ALONE = 0.5  # of the loss by both: that by the strokes alone, and by the picture
PASSES = 25  # over the drawings, where
SEEN = 120_000  # drawings, with repetition, are not enough for them: about a minute
FEWEST, FEWEST_PER_WORD = 5_000, 100  # drawings seen, below which little is learned


class Network(nn.Module):
    """See ``model.recogniser``; here with batch normalisation, which ``folded`` folds away.

    Half of the hidden units see the strokes alone and half the picture, so that the logits are a
    sum of what either says, and each is taught to name the drawing by itself. What is drawn by a
    model must then look right both ways to be recognised.
    """

    def __init__(self, n_words: int) -> None:
        super().__init__()
        self.strokes = _convolutions([((1, size), n_in, n_out) for size, n_in, n_out in STROKES])
        self.picture = _convolutions([((size, size), *rest) for size, *rest in PICTURE])
        self.hidden_strokes = nn.Linear(2 * STROKES[-1][-1], HIDDEN // 2)
        self.hidden_picture = nn.Linear(2 * PICTURE[-1][-1], HIDDEN // 2)
        self.dropout = nn.Dropout(0.2)
        self.words = nn.Linear(HIDDEN, n_words)

    def forward(self, way: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the pen's ways (N, K, 8) and pictures (N, side, side).

        Returns:
            (N, V) by both, by the strokes alone, by the picture alone.
        """
        x = way[:, None].permute(0, 3, 1, 2)  # (N, 8, 1, K), channels last
        y = picture[..., None].permute(0, 3, 1, 2)
        heads = (self.strokes, self.hidden_strokes, x), (self.picture, self.hidden_picture, y)
        found = []
        for (body, hidden, given), w in zip(heads, self.words.weight.chunk(2, 1), strict=True):
            places = body(given).flatten(2)  # (N, C, places)
            units = torch.relu(hidden(torch.cat([places.mean(2), places.amax(2)], 1)))
            found.append(nn.functional.linear(self.dropout(units), w))
        by_strokes, by_picture = found
        bias = self.words.bias
        return by_strokes + by_picture + bias, by_strokes + bias, by_picture + bias

    @torch.no_grad()
    def folded(self) -> Weights:
        """``recogniser.*`` of a checkpoint, for a network in evaluation."""
        found: dict[str, Tensor] = {}
        for name, body in (("strokes", self.strokes), ("picture", self.picture)):
            layers = [module for module in body.children() if list(module.parameters())]
            for k, (convolution, norm) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
                mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
                gain = norm.get_parameter("weight") / torch.sqrt(variance + 1e-5)
                kernel = convolution.get_parameter("weight")  # (out, in, height, width)
                found[f"{name}{k}_w"] = (kernel.permute(2, 3, 1, 0) * gain).flatten(0, 2)
                found[f"{name}{k}_b"] = norm.get_parameter("bias") - mean * gain
        halves = self.hidden_strokes, self.hidden_picture
        found["hidden_w"] = torch.block_diag(*(half.weight.T for half in halves))  # type: ignore[no-untyped-call]
        found["hidden_b"] = torch.cat([half.bias for half in halves])
        found["words_w"], found["words_b"] = self.words.weight.T, self.words.bias
        return {PREFIX + name: value.numpy().copy(order="C") for name, value in found.items()}


def _convolutions(layers: list[Any]) -> nn.Sequential:
    modules: list[nn.Module] = []
    for kernel, n_in, n_out in layers:
        edge = tuple(size // 2 for size in kernel)
        modules += [
            nn.Conv2d(
                n_in, n_out, kernel, tuple(min(size, 2) for size in kernel), edge, bias=False
            ),
            nn.BatchNorm2d(n_out, eps=1e-5),
            nn.ReLU(inplace=True),
        ]
    body = nn.Sequential(*modules)
    for parameter in body.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return body


def n_seen(n_drawings: int, n_words: int, n_trained: int) -> int:
    """Drawings, with repetition, to fit a recogniser to; 0 where a run is too short for one.

    Args:
        n_drawings: of the training split.
        n_words: V.
        n_trained: that the run itself has seen: a short run does not end in a long fit.
    """
    n = min(SEEN, PASSES * n_drawings, n_trained)
    return n if n >= max(FEWEST, FEWEST_PER_WORD * n_words) else 0


def fit(
    corpus: Corpus,
    indices: npt.NDArray[np.int64],
    n: int,
    *,
    seed: int = 0,
    bfloat16: bool = False,
    track: Track = lambda steps: steps,
) -> Weights:
    """Fit a recogniser; the same for the same arguments, machine and threads.

    Args:
        corpus: a packed set.
        indices: its training drawings.
        n: drawings to see, with repetition, every word as often as any other.
        seed: of their order, their changes and the first weights.
        bfloat16: products in bfloat16, where that is faster.
        track: passes on the steps, and may show how far it is.

    Returns:
        ``recogniser.*`` of a checkpoint.
    """
    rng = np.random.default_rng(seed)
    n_steps = math.ceil(n / BATCH)
    order = _balanced(corpus.word_ids[indices], n_steps * BATCH, rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = Network(len(corpus.words))
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, RATE, total_steps=n_steps + 1, pct_start=0.2
        )
        losses = nn.CrossEntropyLoss(label_smoothing=0.1)
        for step in track(range(n_steps)):
            chosen = np.sort(indices[order[step * BATCH : (step + 1) * BATCH]])
            lengths = corpus.offsets[chosen + 1] - corpus.offsets[chosen]
            ink = _distorted(corpus.rows_of(chosen), lengths, rng)
            given = map(torch.from_numpy, inks.inputs(ink, SIDE))
            words = torch.from_numpy(corpus.word_ids[chosen].astype(np.int64))
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                found = [losses(logits.float(), words) for logits in network(*given)]
            loss = found[0] + ALONE * (found[1] + found[2])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weights = network.eval().folded()  # a file has them as float16, so they are these at once
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}


def _balanced(
    word_ids: npt.NDArray[np.int32], n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """An order of n drawings, in which every word comes as often as any other."""
    words = np.unique(word_ids)
    waiting: list[npt.NDArray[np.int64]] = []
    for number, word in enumerate(words):
        members = np.flatnonzero(word_ids == word)
        wanted = n // len(words) + (number < n % len(words))
        rounds = [rng.permutation(members) for _ in range(-(-wanted // len(members)))]
        waiting.append(np.concatenate([members[:0], *rounds])[:wanted])
    # the k-th drawings of all words stand together, so that a part of the order is balanced, too
    place = np.concatenate([np.arange(len(part)) + rng.random(len(part)) for part in waiting])
    return np.concatenate(waiting)[np.argsort(place, kind="stable")]


def _distorted(
    rows: npt.NDArray[Any], lengths: npt.NDArray[np.int64], rng: np.random.Generator
) -> inks.Ink:
    """Other drawings of the same things: turned, stretched, mirrored, shaky, a bit less."""
    n = len(lengths)
    angle, shear = rng.normal(0, 0.15, n), rng.normal(0, 0.1, n)
    scale = rng.uniform(0.8, 1.2, (n, 2)) * np.where(rng.random((n, 1)) < 0.25, [-1, 1], [1, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, sin + shear], 1), np.stack([-sin, cos], 1)], 1)  # (n, 2, 2)
    turn = np.repeat(scale[:, :, None] * turn, lengths, axis=0)  # (P, 2, 2)
    rows = np.concatenate([np.einsum("pi,pij->pj", rows[:, :2], turn), rows[:, 2:]], axis=1)
    points, strokes = inks.along(rows, lengths, N_POINTS)
    shake = rng.choice([0, 0.004, 0.012], (n, 1, 1)).astype(np.float32)
    points = points + shake * rng.standard_normal(points.shape, np.float32)

    # One stroke in three drawings is left out, where it is a small part of the ink; in others the
    # end is, as while a person draws.
    out = (rng.random(n) * (strokes[:, -1] + 1)).astype(np.int64)
    kept = strokes != out[:, None]
    whole = (rng.random(n) > 1 / 3) | (kept.mean(axis=1) < 0.7)
    kept[whole] = True
    begun = np.where(rng.random(n) < 0.15, rng.uniform(0.6, 1, n), 1.0)
    kept &= np.arange(N_POINTS) < begun[:, None] * N_POINTS
    order = np.argsort(~kept, axis=1, kind="stable")
    place = (np.arange(N_POINTS) + 0.5) / N_POINTS * kept.sum(axis=1)[:, None]
    picked = np.take_along_axis(order, place.astype(np.int64), 1)
    points = np.take_along_axis(points, picked[..., None], 1)
    return inks.Ink(inks.fitted(points), np.take_along_axis(strokes, picked, 1))
