"""What the options of `sample` ask for, files read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.plan import Settings
    from sketchrnn_cli.inference.prompt import Prompt, Thing
    from sketchrnn_cli.inference.wish import Wish
    from sketchrnn_cli.model.checkpoint import Checkpoint


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
    from sketchrnn_cli.inference import wish

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
    from sketchrnn_cli.inference import wish

    prompt = options.prompt
    if options.latents is not None or options.complete is not None:
        told = None
        if prompt is not None:
            told = _only_thing(prompt, "--latents" if options.latents else "--complete")
        count = (told.count if told else None) or options.count or 1
        if options.latents is not None:
            asked = _from_latents(checkpoint, options.latents, options.frames, count)
        else:
            asked = _from_beginnings(checkpoint, settings, str(options.complete), count)
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


def _only_thing(prompt: Prompt, option: str) -> Thing:
    from sketchrnn_cli.inference import wish

    thing = wish.only_thing(prompt)
    if thing is None:
        raise BadConfig(f"{option} goes with one word at most: the same for every drawing")
    return thing


def _from_latents(checkpoint: Checkpoint, source: str, frames: int | None, count: int) -> Wish:
    from sketchrnn_cli.inference import engine, latents, wish

    if not checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {source}: {engine.no_encoder()}")
    found = latents.read(source)
    try:
        return wish.of_latents(checkpoint, found, frames=frames, count=count)
    except BadConfig as error:
        raise BadConfig(f"{streams.name_of(source)}: {error}") from None


def _from_beginnings(checkpoint: Checkpoint, settings: Settings, source: str, count: int) -> Wish:
    from sketchrnn_cli.inference import wish
    from sketchrnn_cli.sketches.formats import read_sketches

    asked = wish.of_beginnings(checkpoint, read_sketches(source), count=count)
    for number, moves in enumerate((asked.prefixes or [])[::count], start=1):
        if len(moves) > settings.max_points:
            raise BadConfig(
                f"{streams.name_of(source)}: drawing {number} has {len(moves)} points already; "
                f"--max-points is {settings.max_points}"
            )
    if not asked.n:
        raise BadFile(f"{streams.name_of(source)}: no drawings to complete")
    return asked
