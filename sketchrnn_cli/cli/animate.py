"""``sketchrnn animate``: the pen draws, or one drawing turns into the next."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from sketchrnn_cli import files
from sketchrnn_cli.cli import downloads, options, report
from sketchrnn_cli.cli.options import LOOK, between, flag, option
from sketchrnn_cli.cli.rules import called
from sketchrnn_cli.cli.terminal import Terminal, stdout_is_terminal
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import DURATIONS, FPS, HOLDS, MAX_DRAWINGS
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sketchrnn_cli.drawing.film.frames import Film, Timing
    from sketchrnn_cli.drawing.film.pen import Pen
    from sketchrnn_cli.drawing.style import Style
    from sketchrnn_cli.sketches.sketch import Sketch

MAX_ROOM = 10_000_000  # points of all drawings; a stroke takes room too
PER_STROKE = 20  # points
KNOWN = outputs.ANIMATIONS
PLAYED = Format("terminal")  # no file at all
FPS_PLAYED = 20.0  # frames per second there, unless --fps says otherwise

TIME = "Time"  # a panel of --help


@partial(options.with_look, pages=False)
def animate(
    sketches: options.Drawings = None,
    out: Annotated[
        str | None,
        options.out(
            "FILE.gif, .apng, .webp, .svg, .mp4 (the extra `video`); - is a pipe. "
            "\\[default: played in a terminal]",
            KNOWN,
        ),
    ] = None,
    format: Annotated[str | None, options.format(KNOWN)] = None,
    count: Annotated[int | None, options.count("Only the first N drawings.")] = None,
    on_error: options.OnError = "fail",
    fps: Annotated[
        float | None,
        option("Frames per second, 1-50. \\[default: 30]", "N", panel=TIME, callback=between(*FPS)),
    ] = None,
    duration: Annotated[
        float | None,
        option(
            "Seconds of drawing. \\[default: 4, or 2 per drawing in turn]",
            "SECONDS",
            panel=TIME,
            callback=between(*DURATIONS),
        ),
    ] = None,
    hold: Annotated[
        float | None,
        option(
            "Seconds the finished picture stays. \\[default: 1.5]",
            "SECONDS",
            panel=TIME,
            callback=between(*HOLDS),
        ),
    ] = None,
    in_turn: Annotated[
        bool, flag("One drawing after the other, not all at once.", "--in-turn", panel=TIME)
    ] = False,
    real_time: Annotated[
        bool, flag("As fast as it was drawn; raw drawings say.", "--real-time", panel=TIME)
    ] = False,
    morph: Annotated[
        bool,
        flag(
            "Morph each drawing into the next, there and back; 4 to 10 seconds, by how much "
            "changes.",
            "--morph",
        ),
    ] = False,
    look: options.Look = options.USUAL,
    color_by: Annotated[
        Literal["stroke", "time"] | None,
        option(
            "Ink by stroke, or by time: how late it is in its drawing.", "stroke|time", panel=LOOK
        ),
    ] = None,
    pen_tip: Annotated[
        bool, flag("Show the pen, on the paper and lifted.", "--pen-tip", panel=LOOK)
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Show the pen drawing, stroke by stroke, or with --morph the drawings turning into others."""
    sources, terminal = sketches or [files.STDIO], Terminal(quiet=quiet)
    plays = out is None and format is None and stdout_is_terminal()
    out = out or files.STDIO
    written = PLAYED if plays else _format(out, format, sources)
    _check(out, written, sources, look, overwrite=overwrite)

    from sketchrnn_cli.drawing.film.frames import Timing
    from sketchrnn_cli.drawing.film.pen import Pen

    style = options.style(look)
    fps = FPS_PLAYED if plays and fps is None else fps
    tempo = options.given(fps=fps, duration=duration, hold=hold)
    timing = Timing(in_turn=in_turn, real_time=real_time, **tempo)
    pen = Pen(color_by=color_by, tip=pen_tip)
    if not plays:
        outputs.check(written.name, style)
    sources = downloads.local(sources, terminal)
    with terminal.reading(sources):
        drawings = _read(sources, count, on_error, terminal.note, morph=morph)
    if plays:
        _play(drawings, style, timing, pen, morph=morph, say=terminal.say)
        return
    film = _film(drawings, style, timing, pen, morph=morph)
    _write(film, out, written, terminal, json=json)


def _write(film: Film, out: str, format: Format, terminal: Terminal, *, json: bool) -> None:
    """Write an animation, with a bar where a person is watching, and say what is in it."""
    watched = terminal.track(film.frames, what="drawing", total=film.n_frames)
    with files.open_output(out, binary=format.binary, compressed=format.compressed) as stream:
        outputs.write_film(stream, replace(film, frames=iter(watched)), format.name)
    facts = {
        "file": out,
        "format": format.name,
        "n_drawings": film.n_drawings,
        "width": film.width,
        "height": film.height,
        "seconds": film.seconds,
    }
    terminal.say(report.animation(facts))
    if json:
        terminal.answer({**facts, "bytes": Path(out).stat().st_size})


def _check(
    out: str, format: Format, sources: Sequence[str], look: options.Look, *, overwrite: bool
) -> None:
    """Refuse an output that cannot be written, or a look that a terminal does not have.

    Raises:
        BadConfig, BadFile: says so.
    """
    if format != PLAYED:
        files.check_output(out, binary=format.binary, inputs=[*sources], overwrite=overwrite)
        return
    for name in set(look) - {"columns", "captions", "smooth"}:
        if look[name] != options.LOOKS[name].default:
            raise BadConfig(f"{called(name)} needs a picture: give -o FILE.gif, .webp, .svg ...")


def _play(
    drawings: list[Sketch],
    style: Style,
    timing: Timing,
    pen: Pen,
    *,
    morph: bool,
    say: Callable[[str], None],
) -> None:
    """Play in the terminal, a colour a stroke where nothing else has colours."""
    from sketchrnn_cli.cli import playing

    completed = any(sketch.n_given < len(sketch.strokes) for sketch in drawings)
    if pen.color_by is None and not completed and not morph:
        pen = replace(pen, color_by="stroke")
    n = playing.play(
        drawings,
        lambda shown, small: _film(shown, small, timing, pen, morph=morph),
        pen,
        style,
        room_for=None if morph else len(drawings),
    )
    if not morph and n < len(drawings):
        say(f"{n:,} of {len(drawings):,} drawings; -o FILE.gif has room for all")


def _format(out: str, format: str | None, sources: Sequence[str]) -> Format:
    """The format to write.

    Raises:
        BadFile: none of an animation; of a still picture, says what makes one.
    """
    try:
        return files.format_of(out, format, KNOWN)
    except BadFile:
        if (format or out).lower().endswith("png"):
            name = out if out.lower().endswith("png") else f"{out}.png"
            command = shlex.join(["sketchrnn", "inspect", *sources[:1], "-o", name])
            raise BadFile(f"{out}: a PNG does not move; for a still picture: {command}") from None
        raise


def _read(
    sources: Sequence[str],
    count: int | None,
    on_error: str,
    note: Callable[[str], None],
    *,
    morph: bool,
) -> list[Sketch]:
    """The drawings to animate.

    Raises:
        BadFile: none, too few for a morph, or too many points.
    """
    from sketchrnn_cli.sketches.formats import read_sketches

    name = ", ".join(map(files.name_of, sources))
    drawings: list[Sketch] = []
    room = MAX_ROOM
    for sketch in islice(
        read_sketches(sources, on_error=on_error, skipped=note, note=note),
        count or MAX_DRAWINGS + 1,
    ):
        room -= sketch.n_points + PER_STROKE * len(sketch.strokes)
        if room < 0:
            raise BadFile(
                f"{name}: drawing {len(drawings) + 1:,}: with it there are too many points for one "
                "animation; take fewer drawings with -n"
            )
        drawings.append(sketch)
    if not drawings:
        raise BadFile(f"{name}: no drawings, so there is nothing to animate")
    if morph and len(drawings) == 1:
        found = "-n 1 takes one" if count == 1 else f"{name} has one"
        raise BadFile(f"--morph needs at least two drawings: {found}")
    return drawings


def _film(
    drawings: Sequence[Sketch], style: Style, timing: Timing, pen: Pen, *, morph: bool
) -> Film:
    from sketchrnn_cli.drawing.film import animation
    from sketchrnn_cli.drawing.film import morph as morphing

    if morph:
        return morphing.plan_morph(drawings, style, timing)
    return animation.plan(drawings, style, timing, pen)
