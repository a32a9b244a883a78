"""Every format that a command writes, by suffix: the whole registry is one dict.

Importing it loads neither numpy nor Pillow. A writer imports what it needs when it is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from sketchrnn_cli.drawing.style import FILM_ROOM, PNG_ROOM, Room, Style
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.files import open_output

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.film.frames import Film
    from sketchrnn_cli.sketches.formats.latents import Array
    from sketchrnn_cli.sketches.sketch import Sketch

DataWriter = Callable[[BinaryIO, Iterable["Sketch"], int | None], None]  # how many, if known
StillWriter = Callable[[BinaryIO, Iterable["Sketch"], Style], None]
FilmWriter = Callable[[BinaryIO, "Film"], None]
Encoded = tuple["Sketch", "Array", "Array"]  # a drawing, mean and sigma of its latent, (Z,) each
LatentsWriter = Callable[[BinaryIO, Iterable[Encoded], str], int]  # beside which file to work

_NUMBER = re.compile(r"%(0?[1-9]?)d")  # in the name of a numbered file


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One format: what writes it, and what it takes. Without a writer it is not of that kind."""

    data: DataWriter | None = None
    still: StillWriter | None = None
    film: FilmWriter | None = None
    latents: LatentsWriter | None = None
    binary: bool = True  # a terminal refuses it
    room: Room | None = None  # of a picture; None: as large as it gets
    check: Callable[[Style], None] | None = None  # refuses what this format cannot look like

    @property
    def kind(self) -> Literal["data", "still", "animation"]:
        """What a file of it is, unless a film is asked for."""
        return "data" if self.data else "still" if self.still else "animation"


def _ndjson(stream: BinaryIO, sketches: Iterable[Sketch], n: int | None) -> None:
    from sketchrnn_cli.sketches.formats import ndjson

    is_pipe = not stream.seekable()
    for sketch in sketches:
        stream.write(ndjson.to_line(sketch))
        if is_pipe:
            stream.flush()  # its reader has the line at once


def _npz(stream: BinaryIO, sketches: Iterable[Sketch], n: int | None) -> None:
    from sketchrnn_cli.sketches.formats.sketch_rnn import write_sketches

    if n is None:
        sketches = list(sketches)
        n = len(sketches)
    write_sketches(stream, sketches, n)


def _excalidraw(stream: BinaryIO, sketches: Iterable[Sketch], n: int | None) -> None:
    from sketchrnn_cli.sketches.formats import whiteboards

    whiteboards.write(stream, sketches)


def _latents_ndjson(stream: BinaryIO, encoded: Iterable[Encoded], beside: str) -> int:
    n = 0

    def drawings() -> Iterator[Sketch]:
        nonlocal n
        for n, (sketch, mu, sigma) in enumerate(encoded, start=1):  # noqa: B007
            yield sketch.with_extras(z=mu, sigma=sigma)

    _ndjson(stream, drawings(), None)
    return n


def _latents_npz(stream: BinaryIO, encoded: Iterable[Encoded], beside: str) -> int:
    from sketchrnn_cli.scratch import scratch_folder
    from sketchrnn_cli.sketches.formats import latents

    rows = ((mu, sigma, sketch.word) for sketch, mu, sigma in encoded)
    with scratch_folder(beside) as folder:
        return latents.write_npz_of(stream, rows, folder)


def _svg(stream: BinaryIO, sketches: Iterable[Sketch], style: Style) -> None:
    from sketchrnn_cli.drawing.svg import to_svg

    stream.write(to_svg(sketches, style).encode())


def _png(stream: BinaryIO, sketches: Iterable[Sketch], style: Style) -> None:
    from sketchrnn_cli.drawing.raster import to_png

    stream.write(to_png(sketches, style))


def _gif(stream: BinaryIO, film: Film) -> None:
    from sketchrnn_cli.drawing.film import gif

    gif.write(stream, film)


def _apng(stream: BinaryIO, film: Film) -> None:
    from sketchrnn_cli.drawing.film import apng

    apng.write(stream, film)


def _webp(stream: BinaryIO, film: Film) -> None:
    from sketchrnn_cli.drawing.film import webp

    webp.write(stream, film)


def _animated_svg(stream: BinaryIO, film: Film) -> None:
    from sketchrnn_cli.drawing.film import animated_svg

    animated_svg.write(stream, film)


def _mp4(stream: BinaryIO, film: Film) -> None:
    from sketchrnn_cli.drawing.film import mp4

    mp4.write(stream, film)


def _check_pixels(style: Style) -> None:
    if style.page is not None:
        raise BadConfig("--page is for plotters, which read .svg; for pixels give --size")


def _check_mp4(style: Style) -> None:
    from importlib.util import find_spec

    _check_pixels(style)
    if find_spec("av") is None:
        raise BadConfig("MP4 needs PyAV: pip install 'sketchrnn[video]'")
    if style.paper() is None:
        raise BadConfig("MP4 has no transparent background: give a color, or write .webp or .apng")


OUTPUTS: dict[str, Output] = {
    "ndjson": Output(data=_ndjson, latents=_latents_ndjson, binary=False),
    "npz": Output(data=_npz, latents=_latents_npz),
    "excalidraw": Output(data=_excalidraw, binary=False),
    "svg": Output(still=_svg, film=_animated_svg, binary=False),
    "png": Output(still=_png, room=PNG_ROOM, check=_check_pixels),
    "gif": Output(film=_gif, room=FILM_ROOM, check=_check_pixels),
    "apng": Output(film=_apng, room=FILM_ROOM, check=_check_pixels),
    "webp": Output(film=_webp, room=FILM_ROOM, check=_check_pixels),
    "mp4": Output(film=_mp4, room=FILM_ROOM, check=_check_mp4),
}
FORMATS = tuple(OUTPUTS)  # of drawings: `sample`, and what a notebook saves
DATA = tuple(name for name, output in OUTPUTS.items() if output.data)
STILLS = tuple(name for name, output in OUTPUTS.items() if output.still)  # `inspect`, and plots
PICTURES = tuple(name for name, output in OUTPUTS.items() if output.kind != "data")
LATENTS = tuple(name for name, output in OUTPUTS.items() if output.latents)  # `encode`
ANIMATIONS = (  # `animate`; first those that are nothing else
    *(name for name, output in OUTPUTS.items() if output.kind == "animation"),
    *(name for name in STILLS if OUTPUTS[name].film),
)


def is_binary(format: str) -> bool:
    """Whether a terminal should refuse it."""
    return OUTPUTS[format].binary


def check(format: str, style: Style, n: int | None = None) -> None:
    """Refuse, before work starts, what this machine, or this format, cannot write.

    Args:
        format: one of ``FORMATS``.
        style: how it should look.
        n: drawings, where that is known.

    Raises:
        BadConfig: an extra is not installed, the format cannot look like this, or the picture
            would have too many pixels.
        BadSketch: more drawings than a sheet takes.
    """
    output = OUTPUTS[format]
    if output.kind == "data":
        return
    if output.check is not None:
        output.check(style)
    if n is not None:
        from sketchrnn_cli.drawing import sheet

        sheet.check_room(n, style, output.room)


def write(
    stream: BinaryIO,
    sketches: Iterable[Sketch],
    format: str,
    style: Style | None = None,
    *,
    n: int | None = None,
) -> None:
    """Write drawings as one of ``FORMATS``; a picture is a sheet of them, also of a single one.

    An SVG is a still picture here; ``write_film`` animates it.

    Args:
        stream: written to.
        sketches: taken one by one where the format allows it.
        format: one of ``FORMATS``.
        style: how a picture looks.
        n: drawings, where that is known: an npz is then written as they come.

    Raises:
        BadSketch: no drawings for a picture.
        BadConfig: more pixels than a picture should have.
    """
    output, style = OUTPUTS[format], style or Style()
    if output.data is not None:
        output.data(stream, sketches, n)
    elif output.still is not None:
        output.still(stream, sketches, style)
    else:
        from sketchrnn_cli.drawing.film.animation import plan
        from sketchrnn_cli.drawing.film.frames import Timing

        write_film(stream, plan(sketches, style, Timing()), format)


def write_film(stream: BinaryIO, film: Film, format: str) -> None:
    """Write an animation as one of ``ANIMATIONS``.

    Raises:
        BadConfig: the extra ``video`` is missing, or the format cannot look like this.
    """
    writer = OUTPUTS[format].film
    if writer is None:
        raise BadConfig(f"{format} does not move; an animation is one of {', '.join(ANIMATIONS)}")
    writer(stream, film)


def write_latents(stream: BinaryIO, encoded: Iterable[Encoded], format: str, beside: str) -> int:
    """Write latents as one of ``LATENTS``: fields of their drawings, or arrays.

    Args:
        stream: written to.
        encoded: taken one by one.
        format: one of ``LATENTS``.
        beside: the target, in whose folder there is room for scratch files.

    Returns:
        How many there were.

    Raises:
        BadSketch: a label that an array has no room for.
    """
    writer = OUTPUTS[format].latents
    if writer is None:
        raise BadConfig(f"{format} holds no latents; they are one of {', '.join(LATENTS)}")
    return writer(stream, encoded, beside)


def is_numbered(path: str) -> bool:
    """Whether a name stands for a file per drawing, as cat-%d.png does."""
    return _NUMBER.search(path) is not None


def is_numbered_as(path: str, name: str) -> bool:
    """Whether a file is one of those that a numbered name stands for."""
    whole, file = Path(path).absolute(), Path(name).absolute()
    pattern = "([0-9]+)".join(map(re.escape, _NUMBER.split(whole.name)[::2]))
    return whole.parent.resolve() == file.resolve().parent and bool(
        re.fullmatch(pattern, file.resolve().name)
    )


def write_file(
    path: str,
    sketches: Iterable[Sketch],
    format: str,
    style: Style | None = None,
    *,
    n: int | None = None,
    compressed: bool | None = None,
) -> None:
    """Write drawings to a file or to standard output; a picture with %d in its name is a file each.

    Args:
        path: the number of a drawing takes the place of %d, from 1; %03d has three digits.
        sketches: taken one by one where the format allows it.
        format: one of ``FORMATS``.
        style: how a picture looks.
        n: drawings, where that is known.
        compressed: with gzip; None: where the name says so.

    Raises:
        BadSketch: no drawings for a picture.
        BadConfig: more pixels than a picture should have.
        BadFile: a file cannot be written.
    """
    binary = is_binary(format)
    if OUTPUTS[format].kind == "data" or not is_numbered(path):
        with open_output(path, binary=binary, compressed=compressed) as stream:
            write(stream, sketches, format, style, n=n)
        return
    number, alone = 0, replace(style or Style(), labels=(), shares=(), marked=())
    for number, sketch in enumerate(sketches, start=1):  # noqa: B007
        target = _NUMBER.sub(lambda found: f"{number:{found[1]}d}", path)  # noqa: B023
        with open_output(target, binary=binary, compressed=compressed) as stream:
            write(stream, [sketch], format, alone)
    if not number:
        raise BadSketch("no drawings: nothing to draw")
