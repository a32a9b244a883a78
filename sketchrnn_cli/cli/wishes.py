"""What the options of `sample` ask for, files read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.conditioning import Settings
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.inference.prompt import Prompt, Thing
    from sketchrnn_cli.inference.request import Wish
    from sketchrnn_cli.model.checkpoint import Checkpoint
    from sketchrnn_cli.sketches.formats.latents import Latents
    from sketchrnn_cli.sketches.sketch import Sketch


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
    most: int | None = None  # beginnings, where more are of no use


def understand(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """A prompt in the words of a model.

    Raises:
        BadConfig: it cannot be understood.
        BadCheckpoint: the model is told no words, and knows more than one.
    """
    from sketchrnn_cli.inference import request as wish

    try:
        return wish.understand(checkpoint, text, name, strict=strict)
    except BadConfig as error:
        if len(text) < 256 and Path(text.replace("\0", "")).exists():
            raise BadConfig(f"{error}; a model goes after --model") from None
        raise


def of(checkpoint: Checkpoint, settings: Settings, options: Options) -> Wish:
    """Everything asked for, ready to draw.

    Raises:
        BadConfig: options that do not go together, or with this model.
        BadFile: latents or beginnings that cannot be read.
    """
    from sketchrnn_cli.inference import request as wish

    prompt = options.prompt
    if options.latents is not None or options.complete is not None:
        told, count = _told(options)
        if options.latents is not None:
            asked = _from_latents(checkpoint, options, count)
        else:
            asked = _from_beginnings(checkpoint, settings, options, count)
        if told is not None or options.no_word:
            return wish.tell(checkpoint, asked, told)
        return asked
    if prompt is not None:
        if options.frames is not None and not prompt.has_way:
            raise BadConfig('--frames is for ways, as in "cat -> pig", or for --latents')
        return wish.of_prompt(
            checkpoint, prompt, count=options.count, frames=options.frames, first=options.first
        )
    asked = wish.of_anything(options.count, first=options.first)
    return wish.tell(checkpoint, asked, None) if options.no_word else asked


def one_by_one(network: Network, settings: Settings, options: Options) -> Iterator[Wish]:
    """Wishes for the latents or the beginnings of a pipe, each as it comes in.

    Raises:
        BadConfig, BadFile: as ``of``.
    """
    from sketchrnn_cli.inference import request as wish
    from sketchrnn_cli.sketches.formats import latents, read_sketches

    checkpoint = network.checkpoint
    told, count = _told(options)
    asked: Iterator[Wish]
    if options.latents is not None:
        _check_encoder(checkpoint, options)
        found = latents.read_each(options.latents)
        asked = (_of_latents(checkpoint, one, options, count) for one in found)
    else:
        source = str(options.complete)
        asked = (
            _of_beginnings(checkpoint, settings, [sketch], source, count, number)
            for number, sketch in enumerate(read_sketches(source), start=1)
        )
    n = 0
    for each in asked:
        if told is not None or options.no_word:
            each = wish.tell(checkpoint, each, told)
        yield replace(each, numbers=range(n, n + each.n))
        n += each.n
    if not n:
        raise BadFile(f"{streams.name_of(str(options.complete))}: no drawings to complete")


def _told(options: Options) -> tuple[Thing | None, int]:
    """What latents or beginnings are told to be, and drawings of each."""
    told = None
    if options.prompt is not None:
        told = _only_thing(options.prompt, "--latents" if options.latents else "--complete")
    return told, (told.count if told else None) or options.count or 1


def _only_thing(prompt: Prompt, option: str) -> Thing:
    from sketchrnn_cli.inference import request as wish

    thing = wish.only_thing(prompt)
    if thing is None:
        raise BadConfig(f"{option} goes with one word at most: the same for every drawing")
    return thing


def _from_latents(checkpoint: Checkpoint, options: Options, count: int) -> Wish:
    from sketchrnn_cli.sketches.formats import latents

    _check_encoder(checkpoint, options)
    return _of_latents(checkpoint, latents.read(str(options.latents)), options, count)


def _check_encoder(checkpoint: Checkpoint, options: Options) -> None:
    from sketchrnn_cli.inference import engine

    if not checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {options.latents}: {engine.no_encoder()}")


def _of_latents(checkpoint: Checkpoint, found: Latents, options: Options, count: int) -> Wish:
    from sketchrnn_cli.inference import request as wish

    try:
        return wish.of_latents(checkpoint, found, frames=options.frames, count=count)
    except BadConfig as error:
        raise BadConfig(f"{streams.name_of(str(options.latents))}: {error}") from None


def _from_beginnings(
    checkpoint: Checkpoint, settings: Settings, options: Options, count: int
) -> Wish:
    from sketchrnn_cli.sketches.formats import read_sketches

    source = str(options.complete)
    begun = islice(read_sketches(source), options.most)
    asked = _of_beginnings(checkpoint, settings, begun, source, count, 1)
    if not asked.n:
        raise BadFile(f"{streams.name_of(source)}: no drawings to complete")
    return asked


def _of_beginnings(
    checkpoint: Checkpoint,
    settings: Settings,
    begun: Iterable[Sketch],
    source: str,
    count: int,
    first: int,
) -> Wish:
    """Beginnings, of which the first is number ``first`` of its source."""
    from sketchrnn_cli.inference import request as wish

    asked = wish.of_beginnings(checkpoint, begun, count=count)
    for number, moves in enumerate((asked.prefixes or [])[::count], start=first):
        if len(moves) > settings.max_points:
            raise BadConfig(
                f"{streams.name_of(source)}: drawing {number} has {len(moves)} points already; "
                f"--max-points is {settings.max_points}"
            )
    return asked
