"""What `sample` is asked for: a prompt, latents, beginnings, or so many of anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.inference.plan import Settings
    from sketchrnn_cli.inference.prompt import Prompt, Thing, Way
    from sketchrnn_cli.model.checkpoint import Checkpoint

COUNT = 9  # drawings, unless the prompt, latents or beginnings say how many
FRAMES = 12  # steps from one thing of a prompt to the next
MOST = 1_000_000  # drawings of one prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the options ask for."""

    n: int
    z: Any = None  # (n, Z)
    prefixes: list[Any] | None = None
    words: list[str | None] | None = None
    labels: Any = None  # (n, W + 1)
    numbers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `sample` that say what to draw."""

    prompt: Prompt | None
    no_word: bool
    latents: str | None
    complete: str | None
    frames: int | None
    count: int | None
    first: int


def understand(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """A prompt in the words of a model.

    Raises:
        BadConfig: it cannot be understood.
        BadCheckpoint: the model is told no words, and knows more than one.
    """
    from sketchrnn_cli.inference import prompt

    if not checkpoint.words:
        raise BadCheckpoint(f"{name}: knows no words, so leave the prompt out")
    if not checkpoint.config.n_words and len(checkpoint.words) > 1:
        raise BadCheckpoint(
            f"{name}: was trained without being told words, so it cannot draw one that is asked "
            "for; leave the prompt out, or train with --words"
        )
    try:
        return prompt.parse(text, checkpoint.words, strict=strict)
    except BadConfig as error:
        if len(text) < 256 and Path(text.replace("\0", "")).exists():
            raise BadConfig(f"{error}; a model goes after --model") from None
        raise


def of(network: Network, settings: Settings, options: Options) -> Wish:
    """Everything asked for, ready to draw.

    Raises:
        BadConfig: options that do not go together, or with this model.
        BadFile: latents or beginnings that cannot be read.
    """
    prompt = options.prompt
    if options.latents is not None or options.complete is not None:
        told = None
        if prompt is not None:
            told = _only_thing(prompt, "--latents" if options.latents else "--complete")
        count = (told.count if told else None) or options.count or 1
        if options.latents is not None:
            wish = _from_latents(network, options.latents, options.frames, count)
        else:
            wish = _from_beginnings(network, settings, str(options.complete), count)
        if told is not None:
            return _told(network, wish, [told] * wish.n)
        if options.no_word:
            return _told(network, wish, [None] * wish.n)
        return wish
    if prompt is not None:
        return _from_prompt(network, prompt, options)
    n = options.count or COUNT
    wish = Wish(n=n, numbers=range(options.first, options.first + n))
    return _told(network, wish, [None] * n) if options.no_word else wish


def _told(network: Network, wish: Wish, things: Sequence[Thing | None]) -> Wish:
    """The same, with these things told to the model and written on the drawings."""
    words = [None if thing is None else _name(thing) for thing in things]
    return replace(wish, words=words, labels=_labels(network, [(thing, 1.0) for thing in things]))


def _only_thing(prompt: Prompt, option: str) -> Thing:
    from sketchrnn_cli.inference.prompt import Thing

    (thing,) = prompt.things[:1]
    if len(prompt.things) > 1 or not isinstance(thing, Thing):
        raise BadConfig(f"{option} goes with one word at most: the same for every drawing")
    return thing


def _from_prompt(network: Network, prompt: Prompt, options: Options) -> Wish:
    """Drawings of a prompt, thing after thing; of a way, frame after frame."""
    from sketchrnn_cli.inference.prompt import Thing

    if options.frames is not None and all(isinstance(item, Thing) for item in prompt.things):
        raise BadConfig('--frames is for ways, as in "cat -> pig", or for --latents')
    default = options.count or (1 if len(prompt.things) > 1 else None)
    words: list[str | None] = []
    shares: list[tuple[Thing | None, float]] = []
    ends: list[tuple[Thing | None, float]] = []
    numbers: list[int] = []
    number = options.first
    for item in prompt.things:
        way = not isinstance(item, Thing)
        count = item.count or default or (1 if way else COUNT)
        n_frames = options.frames or FRAMES
        n_stops = 1 if isinstance(item, Thing) else len(item.stops)
        if len(words) + count * ((n_stops - 1) * n_frames + 1) > MOST:
            raise BadConfig(f"more than {MOST:,} drawings: ask for fewer")
        frames = _frames(item, n_frames)
        for _ in range(count):
            for start, end, t in frames:
                words.append(_name(start if t < 0.5 else end))
                shares.append((start, 1 - t))
                ends.append((end, t))
                numbers.append(number)
            number += 1
    labels = _labels(network, shares)
    if labels is not None and any(t for _, t in ends):
        labels = labels + _labels(network, ends)
    return Wish(n=len(words), words=words, labels=labels, numbers=numbers)


def _frames(item: Thing | Way, n_frames: int) -> list[tuple[Thing, Thing, float]]:
    """Where the frames of a way lie: between which things, and how far; a thing is one frame."""
    from sketchrnn_cli.inference.prompt import Thing

    stops = (item,) if isinstance(item, Thing) else item.stops
    frames = [(start, end, k / n_frames) for start, end in pairwise(stops) for k in range(n_frames)]
    return [*frames, (stops[-1], stops[-1], 0.0)]


def _labels(network: Network, things: Sequence[tuple[Thing | None, float]]) -> Any:
    """(n, W + 1) shares of words in each thing, times a factor; None is no word."""
    import numpy as np

    checkpoint = network.checkpoint
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


def _from_latents(network: Network, source: str, frames: int | None, count: int) -> Wish:
    import numpy as np

    from sketchrnn_cli.inference import engine
    from sketchrnn_cli.inference import latents as files

    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {source}: {engine.no_encoder()}")
    found = files.read(source)
    try:
        engine.check_latents(network.checkpoint, found.mu)
    except BadConfig as error:
        raise BadConfig(f"{streams.name_of(source)}: {error}") from None
    words = list(found.words) if found.words is not None and any(found.words) else None
    z, labels, numbers = found.mu, None, None
    if frames is not None:  # the same chance for every frame: only latent and word change
        z = files.path(z, frames)
        numbers = [number for _ in z for number in range(count)]
        if words is not None:
            labels = engine.label_rows(network.checkpoint, words)
            labels = None if labels is None else files.straight_path(labels, frames)
            steps = (np.arange(len(z)) / frames).round().astype(int)
            words = [words[k] for k in steps]
    return Wish(
        n=len(z) * count,
        z=np.repeat(z, count, axis=0),
        words=None if words is None else [word for word in words for _ in range(count)],
        labels=None if labels is None else np.repeat(labels, count, axis=0),
        numbers=numbers,
    )


def _from_beginnings(network: Network, settings: Settings, source: str, count: int) -> Wish:
    from sketchrnn_cli.sketches.formats import read_sketches
    from sketchrnn_cli.sketches.preparation import prepare_like
    from sketchrnn_cli.sketches.sketch import to_stroke3

    preparation = network.checkpoint.preparation
    prefixes, words = [], []
    for number, sketch in enumerate(read_sketches(source), start=1):
        moves = to_stroke3(prepare_like(sketch, preparation, partial=True))
        if len(moves) > settings.max_points:
            raise BadConfig(
                f"{streams.name_of(source)}: drawing {number} has {len(moves)} points already; "
                f"--max-points is {settings.max_points}"
            )
        prefixes.append(moves)
        words.append(sketch.word)
    if not prefixes:
        raise BadFile(f"{streams.name_of(source)}: no drawings to complete")
    return Wish(
        n=len(prefixes) * count,
        prefixes=[moves for moves in prefixes for _ in range(count)],
        words=[word for word in words for _ in range(count)],
    )
