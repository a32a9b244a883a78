"""The request that the options of `sample` make, files read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.prompt import Item, Prompt
    from sketchrnn_cli.inference.request import Request
    from sketchrnn_cli.inference.settings import Settings
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
    most: int | None = None  # partial drawings, where more are of no use


def parse(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """See ``request.parse``; a prompt that is a path gets advice."""
    from sketchrnn_cli.inference import request

    try:
        return request.parse(checkpoint, text, name, strict=strict)
    except BadConfig as error:
        if len(text) < 256 and Path(text.replace("\0", "")).exists():
            raise BadConfig(f"{error}; a model goes after --model") from None
        raise


def whole(checkpoint: Checkpoint, settings: Settings, options: Options) -> Request:
    """Everything asked for, ready to draw.

    Raises:
        BadConfig: options that do not go together, or with this model.
        BadFile: latents or partial drawings that cannot be read.
    """
    from sketchrnn_cli.inference import request
    from sketchrnn_cli.sketches.formats import latents, read_sketches

    if options.latents is not None or options.complete is not None:
        _label(options)  # before anything is read
    elif options.frames is not None and not (options.prompt and options.prompt.has_interpolation):
        raise BadConfig('--frames is for interpolations, as in "cat -> pig", or for --latents')
    if options.latents is not None:
        _check_encoder(checkpoint, options)
        return _of_latents(checkpoint, options, latents.read(options.latents))
    if options.complete is not None:
        found = islice(read_sketches(options.complete), options.most)
        asked = _of_prefixes(checkpoint, settings, options, found)
        if not asked.n:
            raise BadFile(f"{streams.name_of(options.complete)}: no drawings to complete")
        return asked
    if options.prompt is not None:
        return request.from_prompt(
            checkpoint,
            options.prompt,
            count=options.count,
            frames=options.frames,
            first=options.first,
        )
    asked = request.unconditional(options.count, first=options.first)
    return request.with_label(checkpoint, asked, None) if options.no_word else asked


def one_by_one(checkpoint: Checkpoint, settings: Settings, options: Options) -> Iterator[Request]:
    """Requests for the latents or the partial drawings of a pipe, each as it comes in.

    Raises:
        BadConfig, BadFile: as ``whole``.
    """
    from sketchrnn_cli.sketches.formats import latents, read_sketches

    n = 0
    _label(options)  # before anything is read
    if options.latents is not None:
        _check_encoder(checkpoint, options)
        for one in latents.read_each(options.latents):
            yield (asked := _of_latents(checkpoint, options, one, first=n))
            n += asked.n
        return
    source = str(options.complete)
    for number, sketch in enumerate(read_sketches(source), start=1):
        asked = _of_prefixes(checkpoint, settings, options, [sketch], number=number, first=n)
        yield asked
        n += asked.n
    if not n:
        raise BadFile(f"{streams.name_of(source)}: no drawings to complete")


def _of_latents(
    checkpoint: Checkpoint, options: Options, found: Latents, first: int = 0
) -> Request:
    from sketchrnn_cli.inference import request

    label, count = _label(options)
    try:
        asked = request.from_latents(
            checkpoint, found, frames=options.frames, count=count, first=first
        )
    except BadConfig as error:
        raise BadConfig(f"{streams.name_of(str(options.latents))}: {error}") from None
    return _with_label(checkpoint, options, asked, label)


def _of_prefixes(
    checkpoint: Checkpoint,
    settings: Settings,
    options: Options,
    found: Iterable[Sketch],
    *,
    number: int = 1,
    first: int = 0,
) -> Request:
    """Partial drawings, of which the first is the source's ``number``."""
    from sketchrnn_cli.inference import request

    label, count = _label(options)
    asked = request.from_prefixes(checkpoint, found, count=count, first=first)
    for k, moves in enumerate((asked.prefixes or [])[::count], start=number):
        if len(moves) > settings.max_points:
            raise BadConfig(
                f"{streams.name_of(str(options.complete))}: drawing {k} has {len(moves)} points "
                f"already; --max-points is {settings.max_points}"
            )
    return _with_label(checkpoint, options, asked, label)


def _with_label(
    checkpoint: Checkpoint, options: Options, asked: Request, label: Item | None
) -> Request:
    from sketchrnn_cli.inference import request

    if label is None and not options.no_word:
        return asked
    return request.with_label(checkpoint, asked, label)


def _label(options: Options) -> tuple[Item | None, int]:
    """The label of all latents or partial drawings, and drawings of each."""
    from sketchrnn_cli.inference import request

    if options.prompt is None:
        return None, options.count or 1
    item = request.only_item(options.prompt)
    if item is None:
        option = "--latents" if options.latents is not None else "--complete"
        raise BadConfig(f"{option} goes with one word at most: the same for every drawing")
    return item, item.count or options.count or 1


def _check_encoder(checkpoint: Checkpoint, options: Options) -> None:
    from sketchrnn_cli.inference import engine

    if not checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {options.latents}: {engine.no_encoder()}")
