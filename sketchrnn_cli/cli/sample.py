"""``sketchrnn sample``: the model draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import completion, downloads, options, wishes
from sketchrnn_cli.cli.display import show_drawings
from sketchrnn_cli.cli.options import (
    LARGEST,
    MOST,
    MOST_CANDIDATES,
    Device,
    Json,
    Model,
    Quiet,
    Seed,
    Threads,
    between,
    flag,
    option,
)
from sketchrnn_cli.cli.rules import BadUsage
from sketchrnn_cli.cli.terminal import (
    Terminal,
    limit_threads,
    stdout_is_terminal,
    work_alone,
)
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.style import Style
    from sketchrnn_cli.inference.prompt import Prompt
    from sketchrnn_cli.inference.settings import Settings
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = outputs.FORMATS
SHOWN = "terminal"  # no file at all: drawings in characters

WHAT, SAMPLING = "What to draw", "Sampling"  # panels of --help


def sample(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT",
            help='What to draw: cat, "three cats", "cat, dog", "cat:0.7 + bird:0.3", "cat -> pig". '
            "\\[default: anything]",
            autocompletion=completion.words,
        ),
    ] = None,
    model: Model = None,
    count: Annotated[
        int | None,
        options.count(
            "Drawings of each item that the PROMPT does not count, of each latent or each partial "
            "drawing. \\[default: 9, or 1 where there are several]"
        ),
    ] = None,
    list_words: Annotated[
        bool, flag("--list-words", help="List the labels of the model, and draw nothing.")
    ] = False,
    strict: Annotated[
        bool,
        flag(
            "--strict", help="Refuse a PROMPT with words that the model does not know.", panel=WHAT
        ),
    ] = False,
    no_word: Annotated[
        bool, flag("--no-word", help="Draw unconditionally, with the null label.", panel=WHAT)
    ] = False,
    temp: Annotated[
        str | None,
        option(
            "--temp",
            "--temperature",
            help="Sampling temperature (tau in the paper), 0.01-2; lower is more conservative. "
            "0.2,0.4,1 draws a row at each. \\[default: 0.4]",
            metavar="T[,T...]",
        ),
    ] = None,
    pen_temp: Annotated[
        float | None,
        option(
            "--pen-temp",
            help="Temperature of the pen state. Low values may never end a drawing. "
            "\\[default: 0.5 + 0.5 TEMP]",
            metavar="T",
            panel=SAMPLING,
        ),
    ] = None,
    latent_temp: Annotated[
        float | None,
        option(
            "--latent-temp",
            help="Temperature of z: 1 samples the fitted mixture, 0 takes its component means. "
            "\\[default: TEMP squared, 0.16 for several; 1 with --complete]",
            metavar="T",
            panel=SAMPLING,
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        option(
            "--guidance",
            help="Guidance scale, 0-4: 1 is off. \\[default: 2; 1 with --latents and --complete]",
            metavar="X",
            panel=SAMPLING,
        ),
    ] = None,
    greedy: Annotated[
        bool, flag("--greedy", help="Take the most likely move at every step.", panel=SAMPLING)
    ] = False,
    best_of: Annotated[
        int,
        option(
            "--best-of",
            help="Draw K candidates and keep the best one.",
            metavar="K",
            panel=SAMPLING,
            callback=between(1, MOST_CANDIDATES),
        ),
    ] = 1,
    latents: Annotated[
        str | None,
        option(
            "--latents",
            help="Decode these: npz or NDJSON of `encode`; - is NDJSON on standard input.",
            metavar="FILE",
            panel=WHAT,
        ),
    ] = None,
    prior: Annotated[
        bool,
        flag(
            "--prior",
            help="Sample z from N(0, I) instead of the fitted mixture.",
            panel=SAMPLING,
        ),
    ] = False,
    most_likely: Annotated[
        bool,
        flag(
            "--most-likely",
            help="Take the most probable z of the label instead of sampling.",
            panel=SAMPLING,
        ),
    ] = False,
    frames: Annotated[
        int | None,
        option(
            "--frames",
            help='Steps from each item to the next, of --latents or of "cat -> pig". '
            "\\[default: 12]",
            metavar="N",
            panel=WHAT,
            callback=between(1, MOST),
        ),
    ] = None,
    interpolate: Annotated[
        str | None,
        option(
            "--interpolate",
            help='Fill a grid between four corners: four words, "four cats", or four --latents.',
            metavar="ROWSxCOLUMNS",
            panel=WHAT,
        ),
    ] = None,
    complete: Annotated[
        str | None,
        option(
            "--complete",
            help="Complete these partial drawings; the last stroke counts as finished.",
            metavar="FILE",
            panel=WHAT,
            autocompletion=completion.sources,
        ),
    ] = None,
    first: Annotated[
        int,
        option(
            "--first",
            help="Number of the first drawing: with -n 1, one of a sheet alone.",
            metavar="N",
            panel=WHAT,
            callback=between(0, LARGEST),
        ),
    ] = 0,
    max_points: Annotated[
        int | None,
        option(
            "--max-points",
            help="Cut a drawing that has not ended. \\[default: 250]",
            metavar="N",
            panel=SAMPLING,
        ),
    ] = None,
    score: Annotated[
        bool,
        flag("--score", help="List log-likelihoods on stderr, best first.", panel=SAMPLING),
    ] = False,
    out: Annotated[
        str | None,
        options.out(
            "FILE.ndjson, .npz, .svg, .png, .gif, .apng, .webp or .mp4; - is a pipe. "
            "\\[default: shown in a terminal, NDJSON into a pipe]",
            KNOWN,
        ),
    ] = None,
    format: Annotated[str | None, options.format(KNOWN, options.AS_SUFFIX)] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw what the PROMPT says, one NDJSON line each, or as a picture by the suffix of -o."""
    if list_words:
        _list_words(model, json=json)
        return
    temps = _temperatures(temp)
    shape = None if interpolate is None else _shape(interpolate)
    kind = _kind(out, format)
    target = out or streams.STDIO
    if kind != SHOWN:
        streams.check_output(target, binary=kind not in ("ndjson", "svg"))
    text = None if prompt is None else " ".join(prompt)
    from sketchrnn_cli.inference.settings import COUNT, FEW

    limit_threads(threads)
    if latents is None and complete is None and (count or COUNT) * best_of <= FEW:
        work_alone()
    terminal = Terminal(quiet=quiet)
    if complete is not None:
        complete = downloads.local([complete], terminal)[0]

    from sketchrnn_cli.inference import devices
    from sketchrnn_cli.inference.request import at_temperatures, draw, grid
    from sketchrnn_cli.model.load import open_model

    devices.check(device)
    rows = [
        _settings(
            temperature,
            pen_temp,
            latent_temp,
            guidance,
            best_of=best_of,
            greedy=greedy,
            prior=prior,
            most_likely=most_likely,
            seed=seed,
            max_points=max_points,
        )
        for temperature in temps
    ]
    settings = rows[0]
    loaded = open_model(model or pretrained.FILE)
    if latents is None and complete is None:
        rows = at_temperatures(loaded, settings, [row.temperature for row in rows])
    asked = None
    if text is not None:
        asked = wishes.parse(loaded, text, model or pretrained.NAME, strict=strict)
        if asked.ignored:
            terminal.warn(f"means nothing to this model, ignored: {', '.join(asked.ignored)}")
    if no_word and not loaded.config.n_words:
        raise BadConfig("--no-word: this model is told no words anyway")
    network = devices.open_engine(loaded, device)
    if shape is not None:
        count = _corners(asked, count, latents)
    chosen = wishes.Options(
        prompt=asked,
        no_word=no_word,
        latents=latents,
        complete=complete,
        frames=frames,
        count=count,
        first=first,
        most=_most(kind),
    )
    piped = streams.STDIO in (latents, complete)
    n: int | None = None
    drawn: Iterator[Sketch]
    if piped and frames is None and shape is None and kind in ("ndjson", SHOWN):
        drawn = (
            sketch
            for request in wishes.one_by_one(loaded, settings, chosen)
            for each in rows
            for sketch in draw(network, request, each)
        )
    else:
        request = wishes.whole(loaded, settings, chosen)
        if shape is not None:
            request, settings = grid(network, request, settings, *shape)
            rows = [settings]
        n = len(rows) * request.n
        _check_room(kind, n, temps, shape)
        drawn = (sketch for each in rows for sketch in draw(network, request, each))
    tally = _Tally(drawn, keep_scores=score)
    if stdout_is_terminal():
        sketches: Iterator[Sketch] = iter(tally)
    else:
        sketches = terminal.track(tally, what="drawing", total=n)
    _write(target, kind, sketches, n or 0, temps, shape)

    if score:
        for place, (each, total, number) in enumerate(sorted(tally.scores, reverse=True), start=1):
            terminal.say(f"{place:4}. drawing {number}: {total:.2f} nats, {each:.3f} a prediction")
    if tally.n_cut:
        limit = settings.max_points
        terminal.say(
            f"{tally.n_cut} of {tally.n} had not ended after {limit} points (--max-points) and are "
            "cut there: raise it, or warm the pen (--pen-temp 1), which then ends sooner"
        )
    if target != streams.STDIO:
        noun = "drawing" if tally.n == 1 else "drawings"
        terminal.say(f"{target}: {tally.n} {noun}")
    if json:
        terminal.answer(
            {
                "file": target,
                "format": kind,
                "n_drawings": tally.n,
                "n_finished": tally.n - tally.n_cut,
                "n_points": tally.n_points,
                "ignored": [] if asked is None else list(asked.ignored),
            }
        )


@dataclass(slots=True)
class _Tally:
    """Passes sketches on and keeps what is said about them at the end."""

    sketches: Iterator[Sketch]
    keep_scores: bool  # of every sketch: memory grows with their number
    scores: list[tuple[float, float, int]] = field(default_factory=list)
    n: int = 0
    n_cut: int = 0
    n_points: int = 0

    def __iter__(self) -> Iterator[Sketch]:
        for sketch in self.sketches:
            self.n += 1
            if self.keep_scores:
                total = cast(float, sketch.extras["log_likelihood"])
                self.scores.append((total / (sketch.n_points + 1), total, self.n))
            self.n_cut += not sketch.extras["finished"]
            self.n_points += sketch.n_points
            yield sketch


def _most(kind: str) -> int | None:
    """Drawings after which one more is of no use, as it does not fit on a sheet."""
    if kind not in ("svg", "png", "gif"):
        return None
    from sketchrnn_cli.drawing.style import MAX_DRAWINGS

    return MAX_DRAWINGS + 1


def _temperatures(given: str | float | None) -> list[float | None]:
    """Those of --temp, in its order; None: what is drawn at by default."""
    if given is None:
        return [None]
    try:
        return [float(each) for each in str(given).split(",")]
    except ValueError:
        raise BadUsage(f"--temp {given}: must be a number, or several as in 0.2,0.4,1") from None


def _shape(given: str) -> tuple[int, int]:
    """Rows and columns of --interpolate."""
    import re

    match = re.fullmatch(r"([0-9]{1,9})\s*[x×,]\s*([0-9]{1,9})", given.strip().lower())
    if match is None:
        raise BadUsage(f"--interpolate {given}: must be ROWSxCOLUMNS, as in 5x7")
    return int(match[1]), int(match[2])


def _corners(asked: Prompt | None, count: int | None, latents: str | None) -> int | None:
    """Drawings of each thing, so that one thing makes all four corners.

    Raises:
        BadConfig: the prompt goes from one thing to another.
    """
    from sketchrnn_cli.inference.interpolation import CORNERS

    if asked is not None and asked.has_interpolation:
        raise BadConfig('--interpolate fills a grid, "->" is a way: name four things instead')
    several = asked is not None and len(asked.items) > 1
    return count if several or latents is not None else count or CORNERS


def _style(temps: list[float | None], shape: tuple[int, int] | None) -> Style:
    """A row for each temperature, the corners marked of a grid between four."""
    from sketchrnn_cli.drawing.style import Style

    if shape is not None:
        from sketchrnn_cli.inference.interpolation import corner_places

        return Style(columns=shape[1], marked=corner_places(*shape))
    return Style(labels=tuple(f"temp {temp:g}" for temp in temps if len(temps) > 1))


def _check_room(
    kind: str, n: int, temps: list[float | None], shape: tuple[int, int] | None
) -> None:
    """Refuse more drawings than a picture takes, before any is drawn.

    Raises:
        BadSketch, BadConfig: says so.
    """
    if kind == SHOWN:
        return
    outputs.check(kind, _style(temps, shape), n)


def _kind(out: str | None, format: str | None) -> str:
    """The format to write; a pipe gets NDJSON, a person a look."""
    if out is None and format is None:
        return SHOWN if stdout_is_terminal() else "ndjson"
    if out == streams.STDIO and format is None:
        return "ndjson"
    return streams.suffix_of(out or streams.STDIO, format, KNOWN)


def _settings(
    temp: float | None,
    pen_temp: float | None,
    latent_temp: float | None,
    guidance: float | None,
    *,
    best_of: int,
    greedy: bool,
    prior: bool,
    most_likely: bool,
    seed: int,
    max_points: int | None,
) -> Settings:
    from sketchrnn_cli.inference.settings import RANGES, Settings

    given: dict[str, Any] = {
        "temperature": temp,
        "pen_temperature": pen_temp,
        "latent_temperature": latent_temp,
        "guidance": guidance,
    }
    advice = "; for drawings without chance use --greedy"
    for name, value, key, more in (
        ("--temp", temp, "temperature", advice),
        ("--pen-temp", pen_temp, "pen_temperature", advice),
        ("--latent-temp", latent_temp, "latent_temperature", ""),
        ("--guidance", guidance, "guidance", ""),
    ):
        low, high = RANGES[key]
        if value is not None and not low <= value <= high:
            raise BadConfig(f"{name} {value:g}: must be from {low:g} to {high:g}{more}")
    given["max_points"] = max_points
    given = {name: value for name, value in given.items() if value is not None}
    given["best_of"] = best_of
    return Settings(greedy=greedy, prior=prior, most_likely=most_likely, seed=seed, **given)


def _list_words(model: str | None, *, json: bool) -> None:
    """The words of a model on stdout, one a line."""
    from sketchrnn_cli.drawing.sheet import printable
    from sketchrnn_cli.model.load import open_model

    words = open_model(model or pretrained.FILE).words
    if json:
        Terminal().answer({"words": list(words)})
        return
    for word in words:
        typer.echo(printable(word))


def _show(
    sketches: Iterator[Sketch], n: int, temps: list[float | None], shape: tuple[int, int] | None
) -> None:
    """Drawings in characters; each temperature under its name, a grid as wide as it is."""
    from itertools import islice

    labels = _style(temps, shape).labels if n else ()
    for k, label in enumerate(labels):
        typer.echo(f"{label}:" if k == 0 else f"\n{label}:")
        show_drawings(islice(sketches, n // len(labels)), n // len(labels))
    if not labels:
        show_drawings(sketches, n or None, columns=None if shape is None else shape[1])


def _write(
    target: str,
    kind: str,
    sketches: Iterator[Sketch],
    n: int,
    temps: list[float | None],
    shape: tuple[int, int] | None,
) -> None:
    if kind == SHOWN:
        _show(sketches, n, temps, shape)
        return
    with files.open_output(target, binary=outputs.is_binary(kind)) as stream:
        outputs.write(stream, sketches, kind, _style(temps, shape), n=n)
