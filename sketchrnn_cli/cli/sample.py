"""``sketchrnn sample``: the model draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import completion, downloads, options, sample_output
from sketchrnn_cli.cli.options import LARGEST, MOST, between, flag, option
from sketchrnn_cli.cli.sample_output import KNOWN, Target
from sketchrnn_cli.cli.terminal import (
    Terminal,
    limit_threads,
    work_alone,
)
from sketchrnn_cli.errors import BadUsage
from sketchrnn_cli.inference.settings import (
    BEST_OF,
    COUNT,
    FEW,
    FRAMES,
    GUIDANCE,
    RANGES,
    ROUNDS,
    SIDES,
    SPREAD,
    Settings,
    advice,
)

DEFAULT = Settings()

WHAT, SAMPLING = "What to draw", "Sampling"  # panels of --help


def _range(name: str) -> options.Number:
    """A check that a number is in the range of a setting."""
    return between(*RANGES[name], advice(name))


def _is_grid(given: str | None) -> str | None:
    """A check that there is room for so many rows and columns."""
    low, high = SIDES
    if not all(low <= side <= high for side in _shape(given) or ()):
        raise BadUsage(f"--interpolate {given}: rows and columns must be from {low} to {high}")
    return given


def _in_range(given: str | None) -> str | None:
    """A check that every temperature is."""
    for each in _temperatures(given):
        _range("temperature")(each)
    return given


@options.with_look
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
    model: options.Model = None,
    count: Annotated[
        int | None,
        options.count(
            "Drawings of each item that the PROMPT does not count, of each latent or each partial "
            "drawing. \\[default: "
            f"{COUNT}, or 1 where there are several]"
        ),
    ] = None,
    list_words: Annotated[
        bool, flag("List the labels of the model, and draw nothing.", "--list-words")
    ] = False,
    strict: Annotated[
        bool,
        flag("Refuse a PROMPT with words that the model does not know.", "--strict", panel=WHAT),
    ] = False,
    no_word: Annotated[
        bool, flag("Draw unconditionally, with the null label.", "--no-word", panel=WHAT)
    ] = False,
    temp: Annotated[
        str | None,
        option(
            "Sampling temperature (tau in the paper), 0.01-2; lower is more conservative. "
            f"0.2,0.4,1 draws a row at each. \\[default: {DEFAULT.temperature:g}]",
            "T[,T...]",
            "--temp",
            "--temperature",
            "-t",
            callback=_in_range,
        ),
    ] = None,
    pen_temp: Annotated[
        float | None,
        option(
            "Temperature of the pen state. Low values may never end a drawing. "
            "\\[default: 0.5 + 0.5 TEMP]",
            "T",
            panel=SAMPLING,
            callback=_range("pen_temperature"),
        ),
    ] = None,
    latent_temp: Annotated[
        float | None,
        option(
            "Temperature of z: 1 samples the fitted mixture, 0 takes its component means. "
            f"\\[default: {SPREAD} where a recogniser ranks, 1 with --complete, else TEMP squared, "
            "0.16 for several]",
            "T",
            panel=SAMPLING,
            callback=_range("latent_temperature"),
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        option(
            f"Guidance scale, 0-4: 1 is off. \\[default: {GUIDANCE:g}; 1 with --latents and "
            "--complete]",
            "X",
            panel=SAMPLING,
            callback=_range("guidance"),
        ),
    ] = None,
    greedy: Annotated[
        bool, flag("Take the most likely move at every step.", "--greedy", panel=SAMPLING)
    ] = False,
    best_of: Annotated[
        int | None,
        option(
            "Draw K candidates and keep the one that the recogniser is surest of, or without "
            f"one the likeliest. \\[default: {BEST_OF} where a recogniser knows the word, up to "
            f"{BEST_OF * ROUNDS} while it is sure of none; else 1]",
            "K",
            panel=SAMPLING,
            callback=between(*RANGES["best_of"]),
        ),
    ] = None,
    latents: Annotated[
        str | None,
        option(
            "Decode these: npz or NDJSON of `encode`; - is NDJSON on standard input.",
            "FILE",
            panel=WHAT,
        ),
    ] = None,
    prior: Annotated[
        bool,
        flag("Sample z from N(0, I) instead of the fitted mixture.", "--prior", panel=SAMPLING),
    ] = False,
    most_likely: Annotated[
        bool,
        flag(
            "Take the most probable z of the label instead of sampling.",
            "--most-likely",
            panel=SAMPLING,
        ),
    ] = False,
    frames: Annotated[
        int | None,
        option(
            'Steps from each item to the next, of --latents or of "cat -> pig". '
            f"\\[default: {FRAMES}]",
            "N",
            panel=WHAT,
            callback=between(1, MOST),
        ),
    ] = None,
    interpolate: Annotated[
        str | None,
        option(
            'Fill a grid between four corners: four words, "four cats", or four --latents.',
            "ROWSxCOLUMNS",
            panel=WHAT,
            callback=_is_grid,
        ),
    ] = None,
    complete: Annotated[
        str | None,
        option(
            "Complete these partial drawings; the last stroke counts as finished.",
            "FILE",
            panel=WHAT,
            autocompletion=completion.sources,
        ),
    ] = None,
    first: Annotated[
        int,
        option(
            "Number of the first drawing: with -n 1, one of a sheet alone, up to rounding.",
            "N",
            panel=WHAT,
            callback=between(0, LARGEST),
        ),
    ] = 0,
    max_points: Annotated[
        int | None,
        option(
            f"Cut a drawing that has not ended. \\[default: {DEFAULT.max_points}]",
            "N",
            panel=SAMPLING,
            callback=between(*RANGES["max_points"]),
        ),
    ] = None,
    score: Annotated[
        bool, flag("List log-likelihoods on stderr, best first.", "--score", panel=SAMPLING)
    ] = False,
    out: Annotated[
        str | None,
        options.out(
            "FILE.ndjson, .npz, .excalidraw, .svg, .png, .gif, .apng, .webp or .mp4; - is a pipe. "
            "\\[default: shown in a terminal, NDJSON into a pipe]",
            KNOWN,
        ),
    ] = None,
    format: Annotated[str | None, options.format(KNOWN)] = None,
    look: options.Look = options.USUAL,
    overwrite: options.Overwrite = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Draw what the PROMPT says, one NDJSON line each, or as a picture by the suffix of -o."""
    if list_words:
        _list_words(model, json=json)
        return
    temps, shape = _temperatures(temp), _shape(interpolate)
    style = options.style(look, **_rows(temps, shape))
    target = Target(out or files.STDIO, sample_output.format_of(out, format), style)
    sample_output.check(target, [latents, complete], model, overwrite=overwrite)
    _use_threads(threads, count, best_of, [latents, complete])
    from sketchrnn_cli.cli import sample_request  # loads numpy, so the threads go first

    terminal = Terminal(quiet=quiet)
    given = {"pen_temperature": pen_temp, "latent_temperature": latent_temp, "guidance": guidance}
    given |= {"best_of": best_of, "greedy": greedy, "prior": prior, "most_likely": most_likely}
    rows = [_settings(temperature=t, max_points=max_points, seed=seed, **given) for t in temps]
    wanted = sample_request.Wanted(
        text=None if prompt is None else " ".join(prompt), strict=strict, no_word=no_word,
        latents=latents, complete=complete and downloads.local([complete], terminal)[0],
        frames=frames, count=count, first=first, shape=shape, model=model, device=device,
        format=target.format,
    )  # fmt: skip
    drawn = sample_request.prepare(wanted, rows, terminal)
    tally = sample_output.draw(drawn, target, terminal, keep_scores=score)
    sample_output.say(terminal, tally, target.path, rows[0])
    if json:
        terminal.answer(tally.facts(target, drawn.ignored))


def _use_threads(
    threads: int | None, count: int | None, best_of: int | None, given: Sequence[str | None]
) -> None:
    """As many as asked for, one for a few drawings; call before numpy is imported."""
    limit_threads(threads)
    if not any(given) and (count or COUNT) * (best_of or 1) <= FEW:
        work_alone()


def _temperatures(given: str | float | None) -> list[float | None]:
    """Those of --temp, in its order; None: what is drawn at by default."""
    if given is None:
        return [None]
    try:
        return [float(each) for each in str(given).split(",")]
    except ValueError:
        raise BadUsage(f"--temp {given}: must be a number, or several as in 0.2,0.4,1") from None


def _shape(given: str | None) -> tuple[int, int] | None:
    """Rows and columns of --interpolate."""
    if given is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})\s*[x×,]\s*([0-9]{1,9})", given.strip().lower())
    if match is None:
        raise BadUsage(f"--interpolate {given}: must be ROWSxCOLUMNS, as in 5x7")
    return int(match[1]), int(match[2])


def _rows(temps: list[float | None], shape: tuple[int, int] | None) -> dict[str, Any]:
    """A row for each temperature, the corners marked of a grid between four; of a ``Style``."""
    if shape is not None:
        from sketchrnn_cli.inference.interpolation import corner_places

        return {"columns": shape[1], "marked": corner_places(*shape)}
    return {"labels": tuple(f"temp {temp:g}" for temp in temps if len(temps) > 1)}


def _settings(**given: Any) -> Settings:
    """Those a person gave; the dataclass knows the others."""
    return Settings(**options.given(**given))


def _list_words(model: str | None, *, json: bool) -> None:
    """The words of a model on stdout, one per line."""
    from sketchrnn_cli.drawing.sheet import printable
    from sketchrnn_cli.model.load import open_model

    words = open_model(model or pretrained.FILE).words
    if json:
        Terminal().answer({"words": list(words)})
        return
    for word in words:
        typer.echo(printable(word))
