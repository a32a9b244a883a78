"""Sampling: many sketches at a time, each from the random stream of (seed, its number).

Alone or among others a sketch is the same up to rounding: BLAS adds up a row of a matrix product in
an order that depends on how many rows there are and on the place of the row, so the last bits of a
move can differ (at most 0.02 px and no stroke, of 300 drawings alone and together). The same
request gives the same bytes.

Symbols: N sketches alive, M mixtures, B steps of a block of random numbers, Z latent size.

The live sketches fill the first rows of the network's memory. One that has ended gives its row to
the next in line, or to the last row when none is left, so no row is computed in vain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.inference import mixture, ranking
from sketchrnn_cli.inference.conditioning import Conditioning
from sketchrnn_cli.inference.engine import Decoding
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.sketches.sketch import GIVEN_STROKES, MORPH, START, Sketch, to_stroke3

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]
Scores = tuple[float, ...]
Scored = tuple[list[Sketch], npt.NDArray[np.float64]]  # candidates, and (K, 3) of ``ranking``

BATCH = 512  # sketches alive at once
BLOCK = 32  # B: steps whose random numbers are made at once
WAITING = 16 * BATCH  # finished sketches that may wait for an earlier one
TRIED = 64  # drawings that are chosen before the first of them is passed on
SEEN = 256  # candidates that a recogniser looks at together
TINY = np.float32(1e-30)
PENS = np.eye(3, dtype=np.float32)  # one-hot down, up, end


def sample(
    conditioning: Conditioning,
    n: int,
    batch_size: int = BATCH,
    ended: Callable[[int], None] | None = None,
) -> Iterator[Sketch]:
    """The n sketches of a request, see ``request.draw``."""
    n_all = n * conditioning.best_of
    every = _draw(conditioning, n_all, max(1, min(batch_size, n_all)), ended)
    return every if conditioning.best_of == 1 else _best(every, conditioning)


def _best(sketches: Iterator[Sketch], conditioning: Conditioning) -> Iterator[Sketch]:
    """Of each drawing the best candidate, of frames that share their numbers the same one."""
    numbers = conditioning.numbers or ()
    groups = _scored(sketches, conditioning)
    if ranking.fit_together(len(numbers), conditioning.best_of) and ranking.share_numbers(numbers):
        yield from _best_together(list(groups), numbers)
        return
    index = 0
    while kept := [_kept(*group) for group in islice(groups, TRIED)]:
        yield from _tried_again(kept, conditioning, index)
        index += len(kept)


def _best_together(frames: list[Scored], numbers: Sequence[int]) -> Iterator[Sketch]:
    """Of frames with the same number the candidate that is best in all of them."""
    sums: dict[int, npt.NDArray[np.float64]] = {}
    for number, (_, scores) in zip(numbers, frames, strict=True):
        sums[number] = sums.get(number, 0.0) + scores
    chosen = {number: ranking.best(each) for number, each in sums.items()}
    for number, (candidates, _) in zip(numbers, frames, strict=True):
        yield candidates[chosen[number]]


def _scored(sketches: Iterator[Sketch], conditioning: Conditioning) -> Iterator[Scored]:
    """The candidates of each drawing, and (K, 3) how good they are."""
    checkpoint, best_of, index = conditioning.network.checkpoint, conditioning.best_of, 0
    recogniser = Recogniser.of(checkpoint)
    together = max(1, SEEN // best_of) * best_of
    while group := list(islice(sketches, together)):
        firsts = range(0, len(group), best_of)
        wanted = [conditioning.word_shares(index + first) for first in firsts]
        found = None
        if recogniser is not None and any(shares is not None for shares in wanted):
            found = recogniser.shares([to_stroke3(sketch) for sketch in group])
        for first, shares in zip(firsts, wanted, strict=True):
            part = slice(first, first + best_of)
            seen = None if found is None or shares is None else found[part]
            yield group[part], ranking.scores(group[part], seen, shares, checkpoint.scale_factor)
        index += len(group)


def _kept(candidates: list[Sketch], scores: npt.NDArray[np.float64]) -> tuple[Sketch, Scores]:
    """The best candidate and its scores."""
    best = ranking.best(scores)
    return candidates[best], (*scores[best].tolist(),)


def _tried_again(
    kept: list[tuple[Sketch, Scores]], conditioning: Conditioning, first: int
) -> Iterator[Sketch]:
    """What is kept of some drawings, after more rounds for those that do not surely show theirs."""
    for done in range(1, conditioning.rounds):
        again = [k for k, (_, (ended, sure, _)) in enumerate(kept) if not (ended and sure)]
        if not again:
            break
        part = conditioning.again([first + k for k in again], done)
        n = len(again) * part.best_of
        drawn = _draw(part, n, min(n, BATCH), None)
        for k, group in zip(again, _scored(drawn, part), strict=True):
            kept[k] = max(kept[k], _kept(*group), key=lambda each: each[1])
    for sketch, _ in kept:
        yield sketch


class _Live:
    """The sketches being drawn: one a row, the first n rows."""

    def __init__(self, capacity: int, settings: Settings, n_mixtures: int) -> None:
        self.n = 0
        self.spread = np.float32(math.sqrt(settings.temperature))
        self.rows = np.arange(capacity)
        self.index = np.zeros(capacity, np.intp)  # which sketch
        self.age = np.zeros(capacity, np.intp)  # moves drawn
        self.n_given = np.zeros(capacity, np.intp)  # moves given beforehand
        self.score = np.zeros(capacity, np.float64)  # nats so far
        self.last = np.empty((capacity, 5), np.float32)  # the last move, stroke-5, model units
        self.moves = np.empty((capacity, settings.max_points + 1, 5), np.float32)  # all of them
        self.gumbel = np.empty((capacity, BLOCK, 3 + n_mixtures), np.float32)  # for pen, mixture
        self.normal = np.empty((capacity, BLOCK, 2), np.float32)  # for x, y; times sqrt(tau)
        self.generators: list[np.random.Generator | None] = [None] * capacity
        self.arrays = (
            *(self.index, self.age, self.n_given, self.score),
            *(self.last, self.moves, self.gumbel, self.normal),
        )

    def begin(
        self,
        rows: Rows,
        indices: range,
        generators: Sequence[np.random.Generator],
        prefixes: Sequence[Array],
    ) -> None:
        """Let new sketches begin in these rows."""
        self.index[rows], self.age[rows], self.n_given[rows], self.score[rows] = indices, 0, 0, 0
        self.last[rows] = START
        self.n = max(self.n, int(rows.max()) + 1)
        for row, generator in zip(rows.tolist(), generators, strict=True):
            self.generators[row] = generator
        for row, prefix in zip(rows.tolist(), prefixes, strict=bool(prefixes)):
            self.n_given[row] = len(prefix)
            self.moves[row, : len(prefix)] = prefix

    def move(self, source: Rows, target: Rows) -> None:
        """Put the sketches of some rows in the place of others."""
        for array in self.arrays:
            array[target] = array[source]
        for a, b in zip(source.tolist(), target.tolist(), strict=True):
            self.generators[b] = self.generators[a]

    def random(self) -> tuple[Array, Array]:
        """The random numbers of this step: (n, 3 + M) Gumbel, (n, 2) normal times sqrt(tau)."""
        slot = self.age[: self.n] % BLOCK
        for row in (slot == 0).nonzero()[0].tolist():
            generator = cast(np.random.Generator, self.generators[row])
            gumbel, normal = self.gumbel[row], self.normal[row]
            generator.standard_exponential(dtype=np.float32, out=gumbel)
            np.log(np.maximum(gumbel, TINY, out=gumbel), out=gumbel)
            np.negative(gumbel, out=gumbel)
            generator.standard_normal(dtype=np.float32, out=normal)
            normal *= self.spread
        rows = self.rows[: self.n]
        return self.gumbel[rows, slot], self.normal[rows, slot]


class _Log:
    """Raw outputs and what was drawn from them: scored together when a sketch ends.

    So one sketch is scored once, and many sketches step by step, both in few calls.
    """

    def __init__(self, capacity: int, n_out: int) -> None:
        room = max(capacity, 256)
        self.raw = np.empty((room, n_out), np.float64)
        self.drawn = np.empty((room, 5), np.float32)
        self.row = np.empty(room, np.intp)
        self.n = 0

    def add(self, raw: Array, drawn: Array, rows: Rows, score: npt.NDArray[np.float64]) -> None:
        """Keep one prediction of each of these rows."""
        if self.n + len(rows) > len(self.row):
            self.settle(score)
        part = slice(self.n, self.n + len(rows))
        self.raw[part], self.drawn[part], self.row[part] = raw, drawn, rows
        self.n += len(rows)

    def settle(self, score: npt.NDArray[np.float64]) -> None:
        """Add up what is kept, to the score of each row."""
        raw, drawn = self.raw[: self.n], self.drawn[: self.n]
        with np.errstate(all="ignore"):  # a corrupt model; _finish says so
            nats = mixture.log_likelihood(raw, drawn[:, :2], drawn[:, 2:].argmax(1))
        score += np.bincount(self.row[: self.n], nats, minlength=len(score))
        self.n = 0


def _draw(
    conditioning: Conditioning,
    n: int,
    capacity: int,
    tell: Callable[[int], None] | None,
) -> Iterator[Sketch]:
    settings, config = conditioning.settings, conditioning.network.checkpoint.config
    decoding = conditioning.network.memory(capacity)
    live = _Live(capacity, settings, config.n_mixtures)
    log = _Log(capacity, 3 + 6 * config.n_mixtures)
    chooser = Chooser(settings, config.n_mixtures)
    waiting: dict[int, Sketch] = {}  # ended, but an earlier one has not
    begun = n_out = 0
    ended = np.arange(0)
    while True:
        n_free = capacity - live.n + len(ended)
        n_new = min(n_free, n - begun, n_out + WAITING + capacity - begun)
        if n_new > 0:
            rows = np.concatenate([ended, np.arange(live.n, capacity)])[:n_new]
            indices = range(begun, begun + n_new)
            generators = [conditioning.random(index) for index in indices]
            decoding.start(rows, conditioning.cond(indices, generators))
            live.begin(rows, indices, generators, conditioning.prefix_rows(indices))
            begun += n_new
            ended = ended[n_new:]
        if len(ended):  # no sketch starts in these rows: the last live ones move there
            n_stay = live.n - len(ended)
            alive = np.ones(live.n, np.bool_)
            alive[ended] = False
            last = n_stay + alive[n_stay:].nonzero()[0]
            if len(last):
                live.move(last, ended[ended < n_stay])
                decoding.move(last, ended[ended < n_stay])
            live.n = n_stay
        if not live.n:
            return

        ended = _step(
            decoding, live, log, chooser, fresh=n_new > 0, given=conditioning.prefixes is not None
        )
        if not len(ended):
            continue
        log.settle(live.score)
        if tell is not None:
            tell(len(ended))
        for row in ended.tolist():
            waiting[int(live.index[row])] = _finish(conditioning, live, row)
        while n_out in waiting:
            yield waiting.pop(n_out)
            n_out += 1


def _step(
    decoding: Decoding, live: _Live, log: _Log, chooser: Chooser, *, fresh: bool, given: bool
) -> Rows:
    """Draw one move of every live sketch; gives the rows of those that have ended."""
    n = live.n
    rows, age, last = live.rows[:n], live.age[:n], live.last[:n]
    with np.errstate(all="ignore"):  # a corrupt model; _finish says so
        raw = decoding.step(last)  # (n, 3 + 6M)
        moves, pen = chooser.choose(raw, *live.random(), first=age == 0 if fresh else None)
    last[:, :2], last[:, 2:] = moves, PENS[pen]
    if given and len(taken := (age < live.n_given[:n]).nonzero()[0]):
        last[taken] = live.moves[taken, age[taken]]
    live.moves[rows, age] = last
    ends = last[:, 4] == 1
    ended: Rows = (ends | (age == chooser.settings.max_points)).nonzero()[0]
    if len(ended) and not ends[ended].all():  # cut: what did not end is not drawn, and not scored
        scored = (ends | (age < chooser.settings.max_points)).nonzero()[0]
        log.add(raw[scored], last[scored], scored, live.score)
    else:
        log.add(raw, last, rows, live.score)
    age += 1
    return ended


class Chooser:
    """Turns raw outputs into moves."""

    def __init__(self, settings: Settings, n_mixtures: int) -> None:
        self.settings = settings
        self.n_mixtures = n_mixtures
        tau = [settings.pen_tau] * 3 + [settings.temperature] * n_mixtures
        self.coldness = 1 / np.array(tau, np.float32)

    def choose(
        self, raw: Array, gumbel: Array, normal: Array, *, first: npt.NDArray[np.bool_] | None
    ) -> tuple[Array, Rows]:
        """Draw a move (n, 2) and a pen state (n,) each.

        A logit plus a Gumbel number is largest where a softmax draw would fall.

        Args:
            raw: (n, 3 + 6M), predictions of the decoder.
            gumbel: (n, 3 + M), for the pen and the mixture.
            normal: (n, 2), for x and y, times sqrt(tau).
            first: (n,) nothing is drawn yet, so the drawing does not end here.

        Source: Ha & Eck 2017, equation 8; the pen's own temperature as in sketch-rnn-js.
        """
        n, m = len(raw), self.n_mixtures
        logits = raw[:, : 3 + m] * self.coldness
        if not self.settings.greedy:
            logits += gumbel
        if first is not None:
            logits[first, mixture.END] = -np.inf
        pen, which = logits[:, :3].argmax(1), logits[:, 3:].argmax(1)
        parameters = raw[:, 3 + m :].reshape(n, 5, m)[np.arange(n), :, which]  # (n, 5)
        moves = parameters[:, :2]
        if not self.settings.greedy:
            rho = np.tanh(parameters[:, 4])
            normal[:, 1] *= np.sqrt(1 - rho * rho)
            normal[:, 1] += rho * normal[:, 0]
            normal *= np.exp(parameters[:, 2:4])
            moves += normal
        return moves, pen


def _finish(conditioning: Conditioning, live: _Live, row: int) -> Sketch:
    """The sketch of a row that has ended, in data units."""
    settings = conditioning.settings
    n_points = live.age[row] - 1
    moves = live.moves[row, :n_points]
    with np.errstate(over="ignore", invalid="ignore"):  # found out below
        points = moves[:, :2].cumsum(0, np.float64)
        points *= conditioning.network.checkpoint.scale_factor
        points = (points.round(2) + 0.0).astype(np.float32)  # + 0.0: no -0.0
    if not np.isfinite(points).all():
        raise BadCheckpoint("the model draws moves that are not finite numbers: it is corrupt")
    cuts = [0, *(np.flatnonzero(moves[:, 3]) + 1).tolist(), len(points)]
    strokes = tuple(points[a:b] for a, b in pairwise(cuts) if b > a)
    extras: dict[str, object] = {
        "seed": settings.seed,
        "number": conditioning.number(int(live.index[row])),
        "temperature": 0.0 if settings.greedy else settings.temperature,
        "log_likelihood": round(float(live.score[row]), 4),
        "finished": bool(live.moves[row, n_points, 4] == 1),
    }
    if conditioning.prefixes is not None:  # the prefix ends with a stroke
        extras[GIVEN_STROKES] = int(moves[: live.n_given[row], 3].sum())
    if morph := conditioning.morph(int(live.index[row])):
        extras[MORPH] = list(morph)
    return Sketch(strokes, conditioning.word(int(live.index[row])), extras)
