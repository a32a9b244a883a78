"""Files of drawings: one module a format, one interface."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import missing
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.sketches.streams import STDIO

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.block import Block

NDJSON = (".ndjson.gz", ".ndjson", ".jsonl.gz", ".jsonl")
SVG = (".svg.gz", ".svgz", ".svg")
BIN = (".bin.gz", ".bin")
KNOWN = (".npz", *NDJSON, *SVG, *BIN)
_FORMATS = {"npz": (".npz",), "ndjson": NDJSON, "svg": SVG, "bin": BIN}
_NUMBERED = re.compile(r"[\s_.-]*(?:\([0-9]+\)|[0-9]+)$")  # cat-12, cat 3, cat_003, cat (3)

Skipped = Callable[[str], None]


class File(NamedTuple):
    """A file of drawings, and what a drawing in it shows that does not say."""

    path: str
    word: str | None

    def __str__(self) -> str:
        return self.path


def format_of(source: str) -> str:
    """``npz``, ``ndjson``, ``svg`` or ``bin``, from the suffix; ``-`` is ndjson.

    Raises:
        BadFile: another suffix.
    """
    if source == STDIO:
        return "ndjson"
    for name, suffixes in _FORMATS.items():
        if source.lower().endswith(suffixes):
            return name
    raise BadFile(f"{source}: unknown format; known are {', '.join(KNOWN)} and - for ndjson")


def on_canvas(source: str) -> bool:
    """Whether a format's drawings belong on the 0..255 canvas; npz have a frame of their own."""
    return format_of(source) != "npz"


def word_of(source: str) -> str | None:
    """What a file of this name would hold: ``cat`` for ``cat.full.npz``; None for ``-``.

    An SVG is one drawing of many: ``cat`` for ``cat-12.svg`` too, and for ``cat/12.svg``.
    """
    if source == STDIO:
        return None
    name = Path(source).name
    for suffix in (*KNOWN, ".full"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    if format_of(source) == "svg":
        name = _NUMBERED.sub("", name) or _folder_of(source) or name
    return _text(name)


def _text(name: str) -> str:
    """A name as UTF-8 has it, ``?`` for what it cannot have; those of files may be any bytes."""
    return name.encode("utf-8", "replace").decode()


def _folder_of(source: str) -> str:
    return Path(os.path.abspath(source)).parent.name


def expand(sources: Iterable[str]) -> list[File]:
    """Files behind files, folders and patterns that the shell did not expand.

    A folder gives the files in it, and the SVG files in all folders below, each with the name of
    the folder it lies in for a word. Hidden ones are passed over.

    Raises:
        BadFile: nothing there, or nothing in a format that is known.
    """
    found: list[File] = []
    for source in sources:
        if source != STDIO and os.path.isdir(source):
            inside = _inside(source)
            if not inside:
                raise BadFile(f"{source}: no drawings in this folder ({', '.join(KNOWN)})")
            found += inside
        elif source == STDIO or os.path.exists(source):  # also a pipe, a device
            format_of(source)
            found.append(File(source, word_of(source)))
        elif glob.has_magic(source):
            before = len(found)
            for match in sorted(glob.glob(source, recursive=True)):
                if os.path.isdir(match):
                    found += _inside(match)
                elif match.lower().endswith(KNOWN):
                    found.append(File(match, word_of(match)))
            if len(found) == before and not set(source) & {"*", "?"}:  # [x].npz may be a name
                raise BadFile(missing(source))
            if len(found) == before:
                raise BadFile(f"{source}: no file of a known format matches this pattern")
        else:
            format_of(source)
            raise BadFile(missing(source))
    return found


def _inside(folder: str) -> list[File]:
    """The files of a folder, and the SVG files below it."""
    found: list[File] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # again, by a link
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        word = _text(Path(os.path.abspath(place)).name)
        for name in names:
            path = os.path.join(place, name)
            if name.startswith("."):
                continue
            if name.lower().endswith(SVG):
                found.append(File(path, word or word_of(path)))
            elif place == folder and name.lower().endswith(KNOWN):
                found.append(File(path, word_of(path)))
    return sorted(found)


def together(files: Iterable[File]) -> Iterator[list[File]]:
    """Files by what is read at once: SVG files, of which there are many, in a row; others alone."""
    for is_svg, some in groupby(files, key=lambda file: format_of(file.path) == "svg"):
        row = list(some)
        yield from [row] if is_svg else ([file] for file in row)


def read_blocks(
    files: Sequence[File],
    *,
    label: str | None = None,
    skipped: Skipped | None = None,
    note: Callable[[str], None] | None = None,
    extras: bool = False,
    at_once: bool = False,
) -> Iterator[Block]:
    """Read files that go together, in blocks.

    Args:
        files: one, or a row of SVG files.
        label: what is drawn where neither the drawing nor its format says.
        skipped: told of every drawing that is left out for a fault; None: a fault is an error.
        note: told of arrays that are not drawings.
        extras: keep the other fields of NDJSON and .bin.
        at_once: hand on the drawings of a pipe as they come in.

    Raises:
        BadFile: a file that cannot be read, or holds something else.
        BadSketch: a faulty drawing, unless these are skipped.
    """
    label = None if label is None else _text(label)
    source, word = files[0].path, label or files[0].word
    kind = format_of(source)
    if kind == "svg":
        from sketchrnn_cli.sketches.formats import svg

        return svg.read_blocks(files, label=label, skipped=skipped, note=note)
    if kind == "ndjson":
        from sketchrnn_cli.sketches.formats import ndjson

        return ndjson.read_blocks(
            source, word=word, skipped=skipped, extras=extras, at_once=at_once
        )
    if kind == "bin":
        from sketchrnn_cli.sketches.formats import quickdraw_bin

        return quickdraw_bin.read_blocks(source, word=word, extras=extras)
    from sketchrnn_cli.sketches import corpus as packed
    from sketchrnn_cli.sketches.formats import npz

    if packed.is_packed(source):
        return packed.Corpus.open(Path(source)).blocks()
    return npz.read_blocks(source, word=word, skipped=skipped, note=note)


def read_sketches(
    source: str | File,
    *,
    label: str | None = None,
    on_error: str = "fail",
    skipped: Skipped | None = None,
) -> Iterator[Sketch]:
    """Read the drawings of any files, one after the other.

    Args:
        source: ``-`` for ndjson on standard input; a file of any format, or a packed set; a
            folder or a pattern of these.
        label: what is drawn, for drawings that do not say; else the name of the file.
        on_error: ``fail``, or ``skip`` to leave faulty drawings out.
        skipped: told of every drawing left out.

    Raises:
        BadFile: a file that cannot be read, or holds something else.
        BadSketch: a faulty drawing, unless these are skipped.
    """
    label = None if label is None else _text(label)
    report = None if on_error == "fail" else skipped or _ignore
    for files in together([source] if isinstance(source, File) else expand([source])):
        path, word = files[0]
        if format_of(path) == "ndjson":
            from sketchrnn_cli.sketches.formats import ndjson

            yield from ndjson.read(path, word=label or word, skipped=report)
            continue
        for block in read_blocks(files, label=label, skipped=report, extras=True):
            for i in range(len(block)):
                sketch = block.sketch(i)
                if sketch.strokes:
                    yield sketch


def _ignore(message: str) -> None:
    """Pass a fault over in silence."""
