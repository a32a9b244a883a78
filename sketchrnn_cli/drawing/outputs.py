"""Picture formats by suffix: the whole registry is two dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO

from sketchrnn_cli.drawing.sheet import Style
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.film.frames import Film, Timing

Writer = Callable[[BinaryIO, Iterable[Sketch], Style], None]
FilmWriter = Callable[[BinaryIO, "Film", float], None]


def _svg(stream: BinaryIO, sketches: Iterable[Sketch], style: Style) -> None:
    from sketchrnn_cli.drawing.svg import to_svg

    stream.write(to_svg(sketches, style).encode())


def _png(stream: BinaryIO, sketches: Iterable[Sketch], style: Style) -> None:
    from sketchrnn_cli.drawing.raster import to_png

    stream.write(to_png(sketches, style))


def _gif(stream: BinaryIO, film: Film, fps: float) -> None:
    from sketchrnn_cli.drawing.film import gif

    gif.write(stream, film)


def _apng(stream: BinaryIO, film: Film, fps: float) -> None:
    from sketchrnn_cli.drawing.film import apng

    apng.write(stream, film)


def _webp(stream: BinaryIO, film: Film, fps: float) -> None:
    from sketchrnn_cli.drawing.film import webp

    webp.write(stream, film)


def _animated_svg(stream: BinaryIO, film: Film, fps: float) -> None:
    from sketchrnn_cli.drawing.film import animated_svg

    animated_svg.write(stream, film)


def _mp4(stream: BinaryIO, film: Film, fps: float) -> None:
    from sketchrnn_cli.drawing.film import mp4

    mp4.write(stream, film, fps)


STILLS: dict[str, Writer] = {"svg": _svg, "png": _png}
ANIMATIONS: dict[str, FilmWriter] = {
    "gif": _gif,
    "apng": _apng,
    "webp": _webp,
    "svg": _animated_svg,
    "mp4": _mp4,
}
FORMATS = (*STILLS, *(format for format in ANIMATIONS if format not in STILLS))


def is_binary(format: str) -> bool:
    """Whether a terminal should refuse it."""
    return format != "svg"


def check(format: str, style: Style) -> None:
    """Refuse, before work starts, what this machine cannot write.

    Raises:
        BadConfig: an extra is not installed, or the format cannot look like this.
    """
    if format == "mp4":
        from sketchrnn_cli.drawing.film import mp4

        mp4.check(transparent=style.paper() is None)


def check_room(n: int, format: str, style: Style) -> None:
    """Refuse, before work starts, more drawings than a picture of ``FORMATS`` takes.

    Raises:
        BadSketch: more than a sheet takes.
        BadConfig: more pixels than a picture should have.
    """
    from sketchrnn_cli.drawing import raster, sheet
    from sketchrnn_cli.drawing.film import frames as film

    if format == "svg":
        sheet.check_number(n)
        return
    room = film if format in ANIMATIONS else raster
    sheet.check_room(n, style, limit=room.MAX_PIXELS, side=room.MAX_SIDE)


def write(
    stream: BinaryIO,
    sketches: Iterable[Sketch],
    format: str,
    style: Style,
    *,
    timing: Timing | None = None,
) -> None:
    """Draw a sheet of sketches as one of ``FORMATS``; a single one is a sheet of one.

    An SVG is a still picture here; ``write_film`` animates it.

    Raises:
        BadSketch: no drawings.
        BadConfig: more pixels than a picture should have.
    """
    if format in STILLS:
        STILLS[format](stream, sketches, style)
        return
    from sketchrnn_cli.drawing.film.animation import shoot
    from sketchrnn_cli.drawing.film.frames import Timing

    timing = timing or Timing()
    write_film(stream, shoot(sketches, style, timing), format, timing)


def write_film(stream: BinaryIO, film: Film, format: str, timing: Timing) -> None:
    """Make an animation one of ``ANIMATIONS``.

    Raises:
        BadConfig: the extra ``video`` is missing, or the format cannot look like this.
    """
    ANIMATIONS[format](stream, film, timing.fps)
