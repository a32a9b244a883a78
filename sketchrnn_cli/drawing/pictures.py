"""Picture formats by suffix: the whole registry is a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO

from sketchrnn_cli.drawing.sheet import Style
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.animation import Timing

Writer = Callable[[BinaryIO, Iterable[Sketch], Style, "Timing | None"], None]


def _svg(stream: BinaryIO, sketches: Iterable[Sketch], style: Style, timing: Timing | None) -> None:
    from sketchrnn_cli.drawing.svg import to_svg

    stream.write(to_svg(sketches, style).encode())


def _png(stream: BinaryIO, sketches: Iterable[Sketch], style: Style, timing: Timing | None) -> None:
    from sketchrnn_cli.drawing.raster import to_png

    stream.write(to_png(sketches, style))


def _gif(stream: BinaryIO, sketches: Iterable[Sketch], style: Style, timing: Timing | None) -> None:
    from sketchrnn_cli.drawing.animation import Timing, shoot, write_gif

    write_gif(stream, shoot(sketches, style, timing or Timing()))


ANIMATIONS = ("gif",)
FORMATS: dict[str, Writer] = {"svg": _svg, "png": _png, "gif": _gif}


def is_binary(format: str) -> bool:
    """Whether a terminal should refuse it."""
    return format != "svg"


def check_room(n: int, format: str, style: Style) -> None:
    """Refuse, before work starts, more drawings than a picture of ``FORMATS`` takes.

    Raises:
        BadSketch: more than a sheet takes.
        BadConfig: more pixels than a picture should have.
    """
    from sketchrnn_cli.drawing import animation, raster, sheet

    if format == "svg":
        sheet.check_number(n)
        return
    room = animation if format in ANIMATIONS else raster
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

    Raises:
        BadSketch: no drawings.
        BadConfig: more pixels than a picture should have.
    """
    FORMATS[format](stream, sketches, style, timing)
