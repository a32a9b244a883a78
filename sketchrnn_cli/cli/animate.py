"""``sketchrnn animate``: the pen draws, or one drawing turns into the next."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from sketchrnn_cli.cli import downloads
from sketchrnn_cli.cli.options import Format, Json, Quiet
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.sketch import Sketch

MAX_ROOM = 10_000_000  # points of all drawings; a stroke takes room too
PER_STROKE = 20  # points
KNOWN = outputs.ANIMATIONS


def animate(
    sketches: Annotated[
        str, typer.Argument(help="Drawings in any format `preprocess` reads; - is NDJSON.")
    ] = streams.STDIO,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="FILE.gif, .apng, .webp, .svg or .mp4 (the extra `video`); - is a pipe.",
        ),
    ] = streams.STDIO,
    format: Format = None,
    count: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--count", "-n", min=1, help="Only the first N drawings."),
    ] = None,
    fps: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Frames a second, 1 to 50.", show_default="30"),
    ] = None,
    duration: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Seconds of drawing.", show_default="4, or 2 a drawing in turn"),
    ] = None,
    hold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Seconds the finished picture stays.", show_default="1.5"),
    ] = None,
    in_turn: Annotated[
        bool, typer.Option("--in-turn", help="One drawing after the other, not all at once.")
    ] = False,
    morph: Annotated[
        bool,
        typer.Option(
            "--morph",
            help="Each drawing turns into the next, there and back; 4 to 10 seconds, "
            "by how much changes.",
        ),
    ] = False,
    size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Pixels of one drawing.", show_default="by the columns"),
    ] = None,
    columns: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Drawings side by side.", show_default="as many as rows"),
    ] = None,
    line_width: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Of the pen, pixels.", show_default="by the size"),
    ] = None,
    color: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the ink: a name or #rrggbb.", show_default="#262626"),
    ] = None,
    background: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the paper: a color, or none.", show_default="#ffffff"),
    ] = None,
    dark: Annotated[
        bool, typer.Option("--dark", help="Light ink on dark paper, unless a color is given.")
    ] = False,
    color_by: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Ink by stroke, or by time: how late it is in its drawing."),
    ] = None,
    pen_tip: Annotated[
        bool, typer.Option("--pen-tip", help="Show where the pen is, on the paper and lifted.")
    ] = False,
    captions: Annotated[
        bool, typer.Option("--captions/--no-captions", help="Word and seed under each drawing.")
    ] = True,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show the pen drawing, stroke by stroke, or with --morph the drawings turning into others."""
    kind = streams.suffix_of(out, format, KNOWN)
    streams.check_output(out, binary=kind != "svg")
    if json and out == streams.STDIO:
        raise BadConfig("--json and the animation both want standard output: give -o FILE")
    if morph and in_turn:
        raise BadConfig("--in-turn is for a pen that draws, and with --morph none does; drop one")
    if morph and columns is not None:
        raise BadConfig("--columns lays drawings side by side, --morph shows one; drop one")
    if morph and (pen_tip or color_by is not None):
        option = "--pen-tip" if pen_tip else "--color-by"
        raise BadConfig(f"{option} is of a pen that draws, and with --morph none does; drop one")
    terminal = Terminal(quiet=quiet)

    from dataclasses import replace

    from sketchrnn_cli.drawing.film import animation
    from sketchrnn_cli.drawing.film import frames as film
    from sketchrnn_cli.drawing.film import morph as morphing
    from sketchrnn_cli.drawing.style import MAX_DRAWINGS, Style

    look = _given(
        size=size, columns=columns, line_width=line_width, color=color, background=background
    )
    style = Style(captions=captions, dark=dark, **look)
    timing = film.Timing(in_turn=in_turn, **_given(fps=fps, duration=duration, hold=hold))
    pen = film.Pen(color_by=color_by, tip=pen_tip)
    outputs.check(kind, style)
    sketches = downloads.local([sketches], terminal)[0]

    from sketchrnn_cli.sketches.formats import read_sketches

    drawings: list[Sketch] = []
    room = MAX_ROOM
    for sketch in islice(read_sketches(sketches), count or MAX_DRAWINGS + 1):
        room -= sketch.n_points + PER_STROKE * len(sketch.strokes)
        if room < 0:
            raise BadFile(
                f"{streams.name_of(sketches)}: drawing {len(drawings) + 1}: with it there are too "
                "many points for one animation; take fewer drawings with -n"
            )
        drawings.append(sketch)
    if not drawings:
        raise BadFile(f"{streams.name_of(sketches)}: no drawings, so there is nothing to animate")
    if morph and len(drawings) == 1:
        found = "-n 1 takes one" if count == 1 else f"{streams.name_of(sketches)} has one"
        raise BadFile(f"--morph needs at least two drawings: {found}")
    if morph:
        shot = morphing.shoot_morph(drawings, style, timing)
    else:
        shot = animation.shoot(drawings, style, timing, pen)
    frames = terminal.track(shot.frames, what="drawing", total=shot.n_frames)
    with streams.open_output(out, binary=outputs.is_binary(kind)) as stream:
        outputs.write_film(stream, replace(shot, frames=iter(frames)), kind)

    where = "standard output" if out == streams.STDIO else out
    facts = f"{shot.width} x {shot.height} pixels, {shot.seconds:g} s"
    noun = "drawing" if shot.n_drawings == 1 else "drawings"
    terminal.say(f"{where}: {shot.n_drawings} {noun}, {facts}")
    if json:
        terminal.answer(
            {
                "file": out,
                "format": kind,
                "n_drawings": shot.n_drawings,
                "width": shot.width,
                "height": shot.height,
                "seconds": shot.seconds,
                "bytes": Path(out).stat().st_size,
            }
        )


def _given(**options: object) -> dict[str, Any]:
    """Those a person gave; the dataclass knows the others."""
    return {name: value for name, value in options.items() if value is not None}
