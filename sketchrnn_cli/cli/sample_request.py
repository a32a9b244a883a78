"""The request that the options of `sample` make, files read. Importing it loads numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli.sample_output import SHOWN
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import MAX_DRAWINGS, Style
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.files import Format
from sketchrnn_cli.inference import devices, request
from sketchrnn_cli.inference.engine import Network, no_encoder
from sketchrnn_cli.inference.interpolation import CORNERS
from sketchrnn_cli.inference.prompt import Item, Prompt
from sketchrnn_cli.inference.ranking import usual_candidates
from sketchrnn_cli.inference.request import Request
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.formats.latents import Latents

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of `sample` that say what to draw, and with what."""

    text: str | None  # of the PROMPT
    strict: bool
    no_word: bool
    latents: str | None
    complete: str | None
    frames: int | None
    count: int | None
    first: int
    shape: tuple[int, int] | None  # of a grid
    model: str | None
    device: str
    format: Format  # of what is written
    prompt: Prompt | None = None  # the text in the words of the model

    @property
    def one_by_one(self) -> bool:
        """Whether what comes in on a pipe goes out before the next comes."""
        piped = files.STDIO in (self.latents, self.complete)
        streams = self.format.name in (SHOWN.name, "ndjson")
        return piped and streams and self.frames is None and self.shape is None

    @property
    def most(self) -> int | None:
        """Partial drawings after which one more is of no use, as it does not fit on a sheet."""
        return MAX_DRAWINGS + 1 if self.format.name in ("svg", "png", "gif") else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests that are ready to be drawn."""

    network: Network
    requests: Iterable[Request]
    rows: list[Settings]  # each request is drawn with each of these
    n: int | None  # drawings, where that is known
    ignored: tuple[str, ...]  # words of the prompt
    best_of: int = 1  # candidates of each drawing, where n is known
    items: Sequence[tuple[str, int]] = ()  # of the prompt, and how many drawings each has

    def styled(self, style: Style) -> Style:
        """The style with a row for each item, where some have several drawings or it is a morph."""
        if style.labels or style.marked or not any(n > 1 for _, n in self.items):
            return style
        if len(self.items) == 1 and " -> " not in self.items[0][0]:
            return style
        labels, shares = zip(*self.items, strict=True)
        return replace(style, labels=labels, shares=shares)

    @property
    def n_all(self) -> int | None:
        """Candidates, where that is known."""
        return None if self.n is None else self.n * self.best_of

    def sketches(self, ended: Callable[[int], None] | None) -> Iterator[Sketch]:
        """The drawings; ``ended`` is told how many candidates have just ended."""
        for asked in self.requests:
            for settings in self.rows:
                yield from request.draw(self.network, asked, settings, ended=ended)


def prepare(wanted: Wanted, rows: list[Settings], terminal: Terminal) -> Prepared:
    """Open the model and understand what is wanted, before anything is drawn.

    Args:
        wanted: the wanted.
        rows: settings, one for each temperature.
        terminal: says which words of the prompt are ignored, or drawn as another.

    Raises:
        SketchError: options that do not go with this model, or a file that cannot be read.
    """
    devices.check(wanted.device)
    model = open_model(wanted.model or pretrained.FILE)
    settings = rows[0]
    if wanted.latents is None and wanted.complete is None:
        rows = request.at_temperatures(model, settings, [row.temperature for row in rows])
    if wanted.text is not None:
        name = wanted.model or pretrained.NAME
        prompt = parse(model, wanted.text, name, strict=wanted.strict)
        wanted = replace(wanted, prompt=prompt)
        for note in prompt.notes:
            terminal.warn(note)
    if wanted.no_word and not model.config.n_words:
        raise BadConfig("--no-word: this model is unconditional anyway")
    if wanted.shape is not None:
        wanted = replace(wanted, count=_corners(wanted))
    network = devices.open_engine(model, wanted.device)
    ignored = () if wanted.prompt is None else wanted.prompt.ignored
    if wanted.one_by_one:
        requests = one_by_one(model, settings, wanted, terminal.note)
        return Prepared(network, requests, rows, None, ignored)
    asked = whole(model, settings, wanted, terminal.note)
    if wanted.shape is not None:
        asked, settings = request.grid(network, asked, settings, *wanted.shape)
        rows = [settings]
    best_of = settings.best_of or usual_candidates(model, asked)
    items = asked.rows if len(rows) == 1 else ()
    return Prepared(network, [asked], rows, len(rows) * asked.n, ignored, best_of, items)


def _corners(wanted: Wanted) -> int | None:
    """Drawings of each item, so that one item makes all four corners.

    Raises:
        BadConfig: the prompt interpolates already.
    """
    prompt = wanted.prompt
    if prompt is not None and prompt.has_interpolation:
        raise BadConfig('--interpolate fills a grid, "->" is a line: name four things instead')
    several = prompt is not None and len(prompt.items) > 1
    return wanted.count if several or wanted.latents is not None else wanted.count or CORNERS


def parse(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """See ``request.parse``; a prompt that is a path gets advice."""
    try:
        return request.parse(checkpoint, text, name, strict=strict)
    except BadConfig as error:
        path = Path(text.replace("\0", "").strip())
        if len(text) < 256 and path.suffix[1:].lower() in outputs.FORMATS:
            raise BadConfig(
                f"{text}: a file, where a PROMPT is expected; -o {text} writes it, "
                f"--complete {text} completes its drawings"
            ) from None
        if len(text) < 256 and path.name and path.exists():
            raise BadConfig(f"{error}; a model goes after --model") from None
        raise


def whole(checkpoint: Checkpoint, settings: Settings, wanted: Wanted, note: Note) -> Request:
    """Everything asked for, ready to draw; ``note`` is called with what files leave out.

    Raises:
        BadConfig: options that do not go together, or with this model.
        BadFile: latents or partial drawings that cannot be read.
    """
    if wanted.latents is not None or wanted.complete is not None:
        _label(wanted)  # before anything is read
    elif wanted.frames is not None and not (wanted.prompt and wanted.prompt.has_interpolation):
        raise BadConfig('--frames is for interpolations, as in "cat -> pig", or for --latents')
    if wanted.latents is not None:
        from sketchrnn_cli.sketches.formats import latents

        _check_encoder(checkpoint, wanted)
        return _of_latents(checkpoint, wanted, latents.read(wanted.latents))
    if wanted.complete is not None:
        found = islice(read_sketches(wanted.complete, note=note), wanted.most)
        asked = _of_prefixes(checkpoint, settings, wanted, found)
        if not asked.n:
            raise BadFile(f"{files.name_of(wanted.complete)}: no drawings to complete")
        return asked
    if wanted.prompt is not None:
        return request.from_prompt(
            checkpoint,
            wanted.prompt,
            count=wanted.count,
            frames=wanted.frames,
            first=wanted.first,
        )
    asked = request.unconditional(wanted.count, first=wanted.first)
    return request.with_label(checkpoint, asked, None) if wanted.no_word else asked


def one_by_one(
    checkpoint: Checkpoint, settings: Settings, wanted: Wanted, note: Note
) -> Iterator[Request]:
    """Requests for the latents or the partial drawings of a pipe, each as it comes in.

    Raises:
        BadConfig, BadFile: as ``whole``.
    """
    n = 0
    _label(wanted)  # before anything is read
    if wanted.latents is not None:
        from sketchrnn_cli.sketches.formats import latents

        _check_encoder(checkpoint, wanted)
        for one in latents.read_each(wanted.latents):
            yield (asked := _of_latents(checkpoint, wanted, one, first=n))
            n += asked.n
        return
    source = str(wanted.complete)
    for number, sketch in enumerate(read_sketches(source, note=note), start=1):
        asked = _of_prefixes(checkpoint, settings, wanted, [sketch], number=number, first=n)
        yield asked
        n += asked.n
    if not n:
        raise BadFile(f"{files.name_of(source)}: no drawings to complete")


def _of_latents(checkpoint: Checkpoint, wanted: Wanted, found: Latents, first: int = 0) -> Request:
    label, count = _label(wanted)
    try:
        asked = request.from_latents(
            checkpoint, found, frames=wanted.frames, count=count, first=first
        )
    except BadConfig as error:
        raise BadConfig(f"{files.name_of(str(wanted.latents))}: {error}") from None
    return _with_label(checkpoint, wanted, asked, label)


def _of_prefixes(
    checkpoint: Checkpoint,
    settings: Settings,
    wanted: Wanted,
    found: Iterable[Sketch],
    *,
    number: int = 1,
    first: int = 0,
) -> Request:
    """Partial drawings, of which the first is the source's ``number``."""
    label, count = _label(wanted)
    asked = request.from_prefixes(checkpoint, found, count=count, first=first)
    for k, moves in enumerate((asked.prefixes or [])[::count], start=number):
        if len(moves) > settings.max_points:
            raise BadConfig(
                f"{files.name_of(str(wanted.complete))}: drawing {k:,} has {len(moves):,} points "
                f"already; --max-points is {settings.max_points:,}"
            )
    return _with_label(checkpoint, wanted, asked, label)


def _with_label(
    checkpoint: Checkpoint, wanted: Wanted, asked: Request, label: Item | None
) -> Request:
    if label is None and not wanted.no_word:
        return asked
    return request.with_label(checkpoint, asked, label)


def _label(wanted: Wanted) -> tuple[Item | None, int]:
    """The label of all latents or partial drawings, and drawings of each."""
    if wanted.prompt is None:
        return None, wanted.count or 1
    item = request.only_item(wanted.prompt)
    if item is None:
        option = "--latents" if wanted.latents is not None else "--complete"
        raise BadConfig(f"{option} goes with one word at most: the same for every drawing")
    return item, item.count or wanted.count or 1


def _check_encoder(checkpoint: Checkpoint, wanted: Wanted) -> None:
    if not checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {wanted.latents}: {no_encoder()}")
