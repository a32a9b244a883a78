"""``sketchrnn sample``: the model draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Optional, cast

import typer

from sketchrnn_cli.cli.options import Device, Format, Json, Quiet, Seed, Threads
from sketchrnn_cli.cli.terminal import Terminal, limit_threads, stdout_is_terminal, work_alone
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.inference.sampler import Settings
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = ("ndjson", "npz", "svg", "png", "gif")
SHOWN = "terminal"  # no file at all: drawings in characters
COUNT = 9  # drawings, unless latents or beginnings say how many
FEW = 16  # drawings that one thread draws


def sample(
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--model", "--checkpoint", "-m", help="Run folder or checkpoint of `train`."),
    ] = None,
    count: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            "--count", "-n", min=1, help="Drawings; of each latent or beginning. [default: 9; 1]"
        ),
    ] = None,
    temp: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--temp",
            "--temperature",
            help="How far chance goes, 0.01 to 2: the paper's tau, for moves. [default: 0.4]",
        ),
    ] = None,
    pen_temp: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--pen-temp",
            help="The same for lifting the pen and ending: cold pens never end. "
            "[default: 0.5 + 0.5 TEMP]",
        ),
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="No chance: always the likeliest move.")
    ] = False,
    best_of: Annotated[
        int,
        typer.Option(
            "--best-of",
            min=1,
            help="Draw so many for each and keep the likeliest a move, among those that ended.",
        ),
    ] = 1,
    latents: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--latents", help="Draw from these: npz or NDJSON of `encode`; - is NDJSON piped in."
        ),
    ] = None,
    prior: Annotated[
        bool,
        typer.Option("--prior", help="Latents from N(0, I), not from where the drawings lie."),
    ] = False,
    frames: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            "--frames", min=1, help="With --latents: steps on the way from each to the next."
        ),
    ] = None,
    complete: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--complete", help="Go on from these drawings (the last stroke is taken as ended)."
        ),
    ] = None,
    first: Annotated[
        int,
        typer.Option(
            "--first", min=0, help="Number of the first drawing: one of a sheet, alone, with -n 1."
        ),
    ] = 0,
    max_points: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--max-points", help="Cut a drawing that has not ended. [default: 250]"),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="List log-likelihoods on stderr, best first.")
    ] = False,
    out: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--out",
            "-o",
            help="FILE.ndjson, .npz, .svg, .png or .gif; - is a pipe. "
            "[default: shown in a terminal, NDJSON into a pipe]",
        ),
    ] = None,
    format: Format = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw new sketches, one NDJSON line each, or as a picture by the suffix of -o."""
    kind = _kind(out, format)
    target = out or streams.STDIO
    if json and target == streams.STDIO:
        raise BadConfig("--json and the drawings both want standard output: give -o FILE")
    if kind != SHOWN:
        streams.check_output(target, binary=kind not in ("ndjson", "svg"))
    if model is None:
        raise BadConfig("no model: give --model RUN, or make one with `sketchrnn train -o RUN`")
    if frames is not None and latents is None:
        raise BadConfig("--frames needs --latents: the ways lead from one latent to the next")
    if latents is not None and complete is not None:
        raise BadConfig("--latents and --complete: a drawing begins from one of them, not both")
    if first and (latents is not None or complete is not None):
        raise BadConfig("--first numbers drawings of the model's own; leave it out here")
    limit_threads(threads)
    if latents is None and complete is None and (count or COUNT) * best_of <= FEW:
        work_alone()
    terminal = Terminal(quiet=quiet)

    from sketchrnn_cli.inference import devices, sampler
    from sketchrnn_cli.model import checkpoint

    devices.check(device)
    settings = _settings(
        temp, pen_temp, greedy=greedy, prior=prior, seed=seed, max_points=max_points
    )
    network = devices.open_engine(checkpoint.load(model), device)
    wish = _wish(network, settings, latents, frames, complete, count, first)
    drawn = sampler.draw(
        network,
        wish.n,
        settings=settings,
        z=wish.z,
        prefixes=wish.prefixes,
        words=wish.words,
        numbers=wish.numbers,
        best_of=best_of,
    )
    tally = _Tally(drawn, keep_scores=score)
    if stdout_is_terminal():
        sketches: Iterator[Sketch] = iter(tally)
    else:
        sketches = terminal.track(tally, what="drawing", total=wish.n)
    _write(target, kind, sketches, wish.n)

    if score:
        for place, (each, total, number) in enumerate(sorted(tally.scores, reverse=True), start=1):
            terminal.say(f"{place:4}. drawing {number}: {total:.2f} nats, {each:.3f} a prediction")
    if tally.n_cut:
        limit = settings.max_points
        terminal.say(f"{tally.n_cut} of {wish.n} had not ended after {limit} points (--max-points)")
    if target != streams.STDIO:
        noun = "drawing" if wish.n == 1 else "drawings"
        terminal.say(f"{target}: {wish.n} {noun}")
    if json:
        terminal.answer(
            {
                "file": target,
                "format": kind,
                "n_drawings": wish.n,
                "n_finished": wish.n - tally.n_cut,
                "n_points": tally.n_points,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the options ask for."""

    n: int
    z: Any = None  # (n, Z)
    prefixes: list[Any] | None = None
    words: list[str | None] | None = None
    numbers: Sequence[int] | None = None


@dataclass(slots=True)
class _Tally:
    """Passes sketches on and keeps what is said about them at the end."""

    sketches: Iterator[Sketch]
    keep_scores: bool  # of every sketch: memory grows with their number
    scores: list[tuple[float, float, int]] = field(default_factory=list)
    n_cut: int = 0
    n_points: int = 0

    def __iter__(self) -> Iterator[Sketch]:
        for number, sketch in enumerate(self.sketches, start=1):
            if self.keep_scores:
                total = cast(float, sketch.extras["log_likelihood"])
                self.scores.append((total / (sketch.n_points + 1), total, number))
            self.n_cut += not sketch.extras["finished"]
            self.n_points += sketch.n_points
            yield sketch


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
    *,
    greedy: bool,
    prior: bool,
    seed: int,
    max_points: int | None,
) -> Settings:
    from sketchrnn_cli.inference.sampler import TEMPERATURES, Settings

    low, high = TEMPERATURES
    given: dict[str, Any] = {"temperature": temp, "pen_temperature": pen_temp}
    for option, value in (("--temp", temp), ("--pen-temp", pen_temp)):
        if value is not None and not low <= value <= high:
            raise BadConfig(
                f"{option} {value:g}: must be from {low:g} to {high:g}; "
                "for drawings without chance use --greedy"
            )
    given["max_points"] = max_points
    given = {name: value for name, value in given.items() if value is not None}
    return Settings(greedy=greedy, prior=prior, seed=seed, **given)


def _wish(
    network: Network,
    settings: Settings,
    latents: str | None,
    frames: int | None,
    complete: str | None,
    count: int | None,
    first: int,
) -> _Wish:
    if latents is not None:
        return _from_latents(network, latents, frames, count or 1)
    if complete is not None:
        return _from_beginnings(network, settings, complete, count or 1)
    n = count or COUNT
    return _Wish(n=n, numbers=range(first, first + n))


def _from_latents(network: Network, source: str, frames: int | None, count: int) -> _Wish:
    import numpy as np

    from sketchrnn_cli.errors import BadCheckpoint
    from sketchrnn_cli.inference import engine
    from sketchrnn_cli.inference import latents as files

    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"--latents {source}: {engine.no_encoder()}")
    found = files.read(source)
    try:
        engine.check_latents(network.checkpoint, found.mu)
    except BadConfig as error:
        raise BadConfig(f"{streams.name_of(source)}: {error}") from None
    if frames is not None:  # the same chance for every frame: only the latent changes
        z = files.path(found.mu, frames)
        numbers = [number for _ in z for number in range(count)]
        return _Wish(n=len(z) * count, z=np.repeat(z, count, axis=0), numbers=numbers)
    words = None
    if found.words is not None and any(found.words):
        words = [word for word in found.words for _ in range(count)]
    return _Wish(n=len(found.mu) * count, z=np.repeat(found.mu, count, axis=0), words=words)


def _from_beginnings(network: Network, settings: Settings, source: str, count: int) -> _Wish:
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
    return _Wish(
        n=len(prefixes) * count,
        prefixes=[moves for moves in prefixes for _ in range(count)],
        words=[word for word in words for _ in range(count)],
    )


def _write(target: str, kind: str, sketches: Iterator[Sketch], n: int) -> None:
    if kind == SHOWN:
        import shutil

        from sketchrnn_cli.drawing import terminal as characters

        for line in characters.grid_lines(sketches, shutil.get_terminal_size().columns):
            typer.echo(line)
        return
    with streams.open_output(target, binary=kind not in ("ndjson", "svg")) as stream:
        if kind == "ndjson":
            from sketchrnn_cli.sketches.formats import ndjson

            for sketch in sketches:
                stream.write(ndjson.to_line(sketch))
                if target == streams.STDIO:
                    stream.flush()
        elif kind == "npz":
            _write_npz(stream, sketches, n)
        else:
            from sketchrnn_cli.drawing import pictures
            from sketchrnn_cli.drawing.sheet import Style

            pictures.write(stream, sketches, kind, Style())


def _write_npz(stream: BinaryIO, sketches: Iterator[Sketch], n: int) -> None:
    """As sketch-rnn's own files: object arrays of stroke-3, all drawings under ``train``."""
    import zipfile

    import numpy as np

    from sketchrnn_cli.sketches.formats.npz import write_objects
    from sketchrnn_cli.sketches.sketch import to_stroke3

    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("train", n), ("valid", 0), ("test", 0)):
            with archive.open(f"{name}.npy", "w") as member:
                whole = (
                    to_stroke3(type(s)(tuple(np.rint(k) for k in s.strokes))) for s in sketches
                )
                write_objects(cast(BinaryIO, member), whole, size)
