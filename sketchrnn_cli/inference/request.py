"""What a model is asked for: the things of a prompt, latents, beginnings, or so many of anything.

Letters: N drawings, Z latent size, W words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import latents, prompt, sampler
from sketchrnn_cli.inference.conditioning import Settings
from sketchrnn_cli.inference.engine import Network, check_latents, label_rows, no_encoder
from sketchrnn_cli.inference.prompt import COUNT, FRAMES, Prompt, Thing, Way
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches.formats.latents import Latents
from sketchrnn_cli.sketches.preparation import prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

Array = npt.NDArray[np.float32]
T = TypeVar("T")

MOST = 1_000_000  # drawings of one wish, where what they are is held in memory
MOST_POINTS = 20_000_000  # of beginnings, the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """N drawings, and what is to be the same or different about them; see ``sampler.draw``."""

    n: int
    z: Array | None = None  # (N, Z)
    prefixes: list[Array] | None = None  # N of (points, 3)
    words: list[str | None] | None = None
    labels: Array | None = None  # (N, W + 1)
    numbers: Sequence[int] | None = None


def grant(network: Network, wish: Wish, settings: Settings, *, best_of: int) -> Iterator[Sketch]:
    """The drawings; see ``sampler.draw``."""
    return sampler.draw(
        network,
        wish.n,
        settings=settings,
        z=wish.z,
        prefixes=wish.prefixes,
        words=wish.words,
        labels=wish.labels,
        numbers=wish.numbers,
        best_of=best_of,
    )


def understand(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """A prompt in the words of a model.

    Args:
        checkpoint: of the model.
        text: what the user wrote.
        name: what messages call the model.
        strict: a word that means nothing here is an error.

    Raises:
        BadConfig: it cannot be understood.
        BadCheckpoint: the model is told no words, and knows more than one.
    """
    if not checkpoint.words:
        raise BadCheckpoint(f"{name}: knows no words, so leave the prompt out")
    if not checkpoint.config.n_words and len(checkpoint.words) > 1:
        raise BadCheckpoint(
            f"{name}: was trained without being told words, so it cannot draw one that is asked "
            "for; leave the prompt out, or train with --words"
        )
    return prompt.parse(text, checkpoint.words, strict=strict)


def check_number(n: int) -> None:
    """Refuse more drawings than should be held in memory.

    Raises:
        BadConfig: more than ``MOST``.
    """
    if n > MOST:
        raise BadConfig(f"more than {MOST:,} drawings: ask for fewer")


def of_anything(count: int | None = None, *, first: int = 0) -> Wish:
    """So many drawings, of whatever the model draws."""
    n = count or COUNT
    return Wish(n=n, numbers=range(first, first + n))


def of_prompt(
    checkpoint: Checkpoint,
    asked: Prompt,
    *,
    count: int | None = None,
    frames: int | None = None,
    first: int = 0,
) -> Wish:
    """Drawings of a prompt, thing after thing; of a way, frame after frame.

    Args:
        checkpoint: of the model.
        asked: in its words.
        count: drawings of each thing that is not counted; None: ``COUNT``, or 1 of several.
        frames: steps from each stop of a way to the next; None: ``FRAMES``.
        first: number of the first drawing.

    Raises:
        BadConfig: more than ``MOST`` drawings.
    """
    default = count or (1 if len(asked.things) > 1 else None)
    words: list[str | None] = []
    shares: list[tuple[Thing | None, float]] = []
    ends: list[tuple[Thing | None, float]] = []
    numbers: list[int] = []
    number = first
    for item in asked.things:
        way = not isinstance(item, Thing)
        n = item.count or default or (1 if way else COUNT)
        n_frames = frames or FRAMES
        n_stops = 1 if isinstance(item, Thing) else len(item.stops)
        check_number(len(words) + n * ((n_stops - 1) * n_frames + 1))
        places = _places(item, n_frames)
        for _ in range(n):
            for start, end, t in places:
                words.append(_name(start if t < 0.5 else end))
                shares.append((start, 1 - t))
                ends.append((end, t))
                numbers.append(number)
            number += 1
    labels = _labels(checkpoint, shares)
    there = _labels(checkpoint, ends) if asked.has_way else None
    if labels is not None and there is not None:
        labels = labels + there
    return Wish(n=len(words), words=words, labels=labels, numbers=numbers)


def of_latents(
    checkpoint: Checkpoint, given: Latents, *, frames: int | None = None, count: int = 1
) -> Wish:
    """Drawings of latents, and of the words beside them.

    Args:
        checkpoint: of the model.
        given: latents; its sigma is of no use here.
        frames: steps from each latent to the next; None: no steps between them.
        count: drawings of each.

    Raises:
        BadCheckpoint: a decoder-only model.
        BadConfig: latents of another size, or more than ``MOST`` drawings.
    """
    if not checkpoint.config.encoder:
        raise no_encoder()
    check_latents(checkpoint, given.mu)
    check_number(count * (len(given.mu) if frames is None else (len(given.mu) - 1) * frames + 1))
    words = list(given.words) if given.words is not None and any(given.words) else None
    z, labels, numbers = given.mu, None, None
    if frames is not None:  # the same chance for every frame: only latent and word change
        z = latents.path(z, frames)
        numbers = [number for _ in z for number in range(count)]
        if words is not None:
            labels = label_rows(checkpoint, words)
            labels = None if labels is None else latents.straight_path(labels, frames)
            steps = (np.arange(len(z)) / frames).round().astype(int)
            words = [words[k] for k in steps]
    return Wish(
        n=len(z) * count,
        z=np.repeat(z, count, axis=0),
        words=None if words is None else _each(words, count),
        labels=None if labels is None else np.repeat(labels, count, axis=0),
        numbers=numbers,
    )


def of_beginnings(checkpoint: Checkpoint, begun: Iterable[Sketch], *, count: int = 1) -> Wish:
    """Drawings that go on from these, prepared as the model's own were; of each so many.

    Raises:
        BadSketch: one without strokes.
        BadConfig: more than ``MOST`` drawings, or than ``MOST_POINTS``.
    """
    prefixes: list[Array] = []
    words: list[str | None] = []
    n_points = 0
    for number, sketch in enumerate(begun, start=1):
        check_number(number * count)
        n_points += sketch.n_points
        if n_points > MOST_POINTS:
            raise BadConfig(
                f"beginnings of more than {MOST_POINTS:,} points: give fewer, or as NDJSON "
                "from pipe to pipe"
            )
        prefixes.append(to_stroke3(prepare_like(sketch, checkpoint.preparation, partial=True)))
        words.append(sketch.word)
    return Wish(n=len(prefixes) * count, prefixes=_each(prefixes, count), words=_each(words, count))


def tell(checkpoint: Checkpoint, wish: Wish, thing: Thing | None) -> Wish:
    """The same drawings, all told to be of one thing, or of no word."""
    word = None if thing is None else _name(thing)
    labels = _labels(checkpoint, [(thing, 1.0)])
    labels = None if labels is None else np.repeat(labels, wish.n, axis=0)
    return replace(wish, words=[word] * wish.n, labels=labels)


def only_thing(asked: Prompt) -> Thing | None:
    """The one thing of a prompt; None where there are several, or a way."""
    (thing,) = asked.things[:1]
    return thing if len(asked.things) == 1 and isinstance(thing, Thing) else None


def _each(values: Sequence[T], count: int) -> list[T]:
    return [value for value in values for _ in range(count)]


def _places(item: Thing | Way, n_frames: int) -> list[tuple[Thing, Thing, float]]:
    """Where the frames of a way lie: between which things, and how far; a thing is one frame."""
    stops = (item,) if isinstance(item, Thing) else item.stops
    places = [(start, end, k / n_frames) for start, end in pairwise(stops) for k in range(n_frames)]
    return [*places, (stops[-1], stops[-1], 0.0)]


def _labels(checkpoint: Checkpoint, things: Sequence[tuple[Thing | None, float]]) -> Array | None:
    """(N, W + 1) shares of words in each thing, times a factor; None is no word."""
    if not checkpoint.config.n_words:
        return None
    place = {word: k for k, word in enumerate(checkpoint.words)}
    labels = np.zeros((len(things), len(place) + 1), np.float32)
    for row, (thing, factor) in zip(labels, things, strict=True):
        if thing is None:
            row[-1] = factor
        else:
            for word, share in thing.parts:
                row[place[word]] += factor * share
    return labels


def _name(thing: Thing) -> str:
    """What is written on a drawing of it: a word, or words with their shares."""
    if len(thing.parts) == 1:
        return thing.parts[0][0]
    return " + ".join(f"{word}:{share:.2g}" for word, share in thing.parts)
