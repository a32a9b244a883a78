"""Files of drawings: one module a format, one interface."""

from __future__ import annotations

import glob
import os
import re
import shlex
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sketchrnn_cli import files as names
from sketchrnn_cli.errors import BadFile, SketchError
from sketchrnn_cli.files import STDIO, missing
from sketchrnn_cli.sketches.formats import sniff
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.sketches.words import QUICKDRAW

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.block import Block

FORMATS = ("npz", "npy", "ndjson", "json", "csv", "svg", "bin", "excalidraw", "tldr", "inkml")
MIXED = ("json", "csv")  # formats of many things; a folder takes those that begin as drawings
SUFFIXES_NAMED = 5  # of files that are left out of a folder
WAYS: dict[str | tuple[str, ...], str] = {  # of files that are not read
    (
        *(".png", ".jpg", ".jpeg", ".gif", ".webp"),
        *(".bmp", ".tif", ".tiff", ".heic", ".avif"),
    ): sniff.PIXELS,
    ".parquet": "a Parquet file; write it as NDJSON: pandas.read_parquet(FILE).to_json("
    "OUT, orient='records', lines=True)",
    (".pkl", ".pickle"): sniff.PICKLE,
    ".zip": "a zip file; unpack it, and name the folder",
    ".pdf": sniff.PDF,
    ".safetensors": "a model, where drawings are expected; it goes with --model, or train --from",
}
OF_RUN = ("model.safetensors", "config.toml")  # files of the folder that `train` makes
_NUMBERED = re.compile(r"[\s_.-]*(?:\([0-9]+\)|[0-9]+)$")  # cat-12, cat 3, cat_003, cat (3)
_HEX = r"[0-9][0-9a-f]{3,5}"
_CODE_POINT = re.compile(rf"(?:emoji_u|u\+?)?{_HEX}(?:[-_]{_HEX})*", re.I)  # 04e00, u1f600
_ANY_HEX = re.compile(r"[a-f]", re.I)

Skipped = Callable[[str], None]
Note = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How drawings are read, of every format what applies to it."""

    label: str | None = None  # what is drawn where neither the drawing nor its format says
    skipped: Skipped | None = None  # called for each faulty drawing; None: that is an error
    note: Note | None = None  # called for what is in the files and is no drawing
    extras: bool = False  # keep the other fields of NDJSON and .bin
    at_once: bool = False  # hand on the drawings of a pipe as they come in
    singly: bool = False  # drawings are wanted one by one, with their times


PLAIN = ReadOptions()


class File(NamedTuple):
    """A file of drawings, and the label of its drawings that have none."""

    path: str
    word: str | None

    def __str__(self) -> str:
        return self.path


def format_of(source: str) -> str:
    """One of ``FORMATS``, from the suffix; ``-`` is ndjson.

    Raises:
        BadFile: another suffix.
    """
    if source == STDIO:
        return "ndjson"
    if kind := kind_of(source):
        return kind
    way = next((way for ends, way in WAYS.items() if source.lower().endswith(ends)), None)
    if way is None and os.path.isfile(source):
        way = sniff.what_by_content(source)
    known = f"unknown format; known are {', '.join(FORMATS)} and - for ndjson"
    raise BadFile(f"{source}: {way or known}")


def kind_of(name: str) -> str | None:
    """The format of a file, by its name; None where that is not known."""
    return next((kind for kind in FORMATS if name.lower().endswith(_suffixes(kind))), None)


def _suffixes(kind: str) -> tuple[str, ...]:
    library = (".excalidrawlib",) if kind == "excalidraw" else ()  # is read alone
    return names.SUFFIXES.get(kind, (f".{kind}",)) + library


def on_canvas(source: str) -> bool:
    """Whether a format's drawings belong on the 0..255 canvas; npz have a frame of their own."""
    return format_of(source) not in ("npz", "npy")


def word_of(source: str) -> str | None:
    """What a file of this name would hold: ``cat`` for ``cat.full.npz``; None for ``-``.

    An SVG is one drawing of many: ``cat`` for ``cat-12.svg`` too, and for ``cat/12.svg``; but one
    that is named for a character, as ``04e00.svg`` is, has that name for a word.
    """
    if source == STDIO:
        return None
    kind, name = format_of(source), Path(source).name
    for suffix in (*sorted(_suffixes(kind), key=len, reverse=True), ".full"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    if kind == "svg" and not (_CODE_POINT.fullmatch(name) and _ANY_HEX.search(name)):
        folder = Path(os.path.abspath(source)).parent.name
        name = _NUMBERED.sub("", name) or folder or name
    return text(name)


def text(name: str) -> str:
    """A name as UTF-8 has it, composed, ``?`` for what it cannot have; names may be any bytes."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())


def expand(sources: Iterable[str], note: Note | None = None) -> list[File]:
    """Files behind files, folders and patterns that the shell did not expand.

    A folder gives the files in it and in all folders below; an SVG has the name of the folder it
    lies in for a word. Hidden ones are passed over.

    Args:
        sources: files, folders, patterns, and ``-``.
        note: called with what is left out of a folder.

    Raises:
        BadFile: nothing there, or nothing in a format that is known; or ``-`` twice.
    """
    found: list[File] = []
    for source in sources:
        if source == STDIO and any(file.path == STDIO for file in found):
            raise BadFile("- stands twice; standard input can be read once")
        if source != STDIO and os.path.isdir(source):
            inside = _inside(source, note)
            if not inside:
                raise BadFile(f"{source}: {_of_no_drawings(source)}")
            found += inside
        elif source == STDIO or os.path.exists(source):  # also a pipe, a device
            format_of(source)
            found.append(File(source, word_of(source)))
        elif glob.has_magic(source):
            matches: list[File] = []
            for match in sorted(glob.glob(source, recursive=True)):
                if os.path.isdir(match):
                    matches += _inside(match, note)
                elif kind_of(match):
                    matches.append(File(match, word_of(match)))
            if not matches and not set(source) & {"*", "?"}:  # [x].npz may be a name
                raise BadFile(missing(source))
            if not matches:
                raise BadFile(f"{source}: no file of a known format matches this pattern")
            found += _named_for_characters(matches)
        else:
            hint = f"; quickdraw:{source} downloads drawings" if source in QUICKDRAW else ""
            if source.lower() == "quickdraw":
                hint = "; name a word, as in quickdraw:cat"
            raise BadFile(f"{missing(source)}{hint}")
    return found


def _of_no_drawings(folder: str) -> str:
    """What a folder is that has no drawings."""
    if not any(os.path.isfile(os.path.join(folder, name)) for name in OF_RUN):
        return f"no drawings in this folder ({', '.join(FORMATS)})"
    resume = shlex.join(["sketchrnn", "train", "-o", folder, "--resume"])
    return f"a run of `train`, where drawings are expected; it goes with --model; {resume} resumes"


def size_of(sources: Iterable[str]) -> int | None:
    """Bytes of these files on the disk; None of a pipe.

    Raises:
        BadFile: as ``expand``.
    """
    paths = [file.path for file in expand(sources)]
    return sum(map(os.path.getsize, paths)) if all(map(os.path.isfile, paths)) else None


def count(sources: Iterable[str]) -> int:
    """Drawings in files, but for those that are faulty; many times as fast as what is made of them.

    Raises:
        BadFile: as ``read_blocks``.
    """
    return sum(map(len, read_all(sources, ReadOptions(skipped=lambda message: None))))


def _named_for_characters(files: list[File]) -> list[File]:
    """Numbers are names where another SVG beside is named for a character: 05000 as 04e00."""
    beside = {
        (os.path.dirname(path), len(word))
        for path, word in files
        if word and format_of(path) == "svg" and word == Path(path).stem
        and _CODE_POINT.fullmatch(word) and _ANY_HEX.search(word)
    }  # fmt: skip
    return [
        File(path, Path(path).stem)
        if (os.path.dirname(path), len(Path(path).stem)) in beside and Path(path).stem.isdigit()
        else File(path, word)
        for path, word in files
    ]


def _inside(folder: str, note: Note | None) -> list[File]:
    """The files of a folder and of those below; of JSON and tables those that hold drawings."""
    found: list[File] = []
    left: Counter[str] = Counter()  # files that are not read, by their suffix
    for place, inside in names.below(folder):
        word = text(Path(os.path.abspath(place)).name)
        for name in inside:
            path = os.path.join(place, name)
            kind = kind_of(name)
            if kind and (kind not in MIXED or _holds_drawings(path, kind)):
                found.append(File(path, word if kind == "svg" and word else word_of(path)))
            else:
                left[Path(name).suffix.lower() or "without a suffix"] += 1
    if left and note is not None and found:
        listed = ", ".join(f"{suffix} {n:,}" for suffix, n in left.most_common(SUFFIXES_NAMED))
        note(f"{folder}: files that hold no drawings are left out: {text(listed)}")
    return sorted(found)


def _holds_drawings(path: str, kind: str) -> bool:
    """Whether the beginning of a file of JSON, or of a table, is that of drawings."""
    from sketchrnn_cli.sketches.formats import json_objects

    try:
        head = next(sniff.text_chunks(path, "JSON", 1 << 16), b"")
    except (BadFile, OSError):
        return False
    if kind == "csv":
        return sniff.format_of(head) == "csv"
    return any(f'"{key}"'.encode() in head.lower() for key in json_objects.KEYS)


def together(files: Iterable[File]) -> Iterator[list[File]]:
    """Files by what is read at once: SVG files, of which there are many, in a row; others alone."""
    for is_svg, some in groupby(files, key=lambda file: format_of(file.path) == "svg"):
        row = list(some)
        yield from [row] if is_svg else ([file] for file in row)


def read_all(sources: Iterable[str], options: ReadOptions) -> Iterator[Block]:
    """Read any files, one after the other, in blocks.

    Args:
        sources: files, folders, patterns and ``-``.
        options: how to read them.

    Raises:
        BadFile: as ``expand`` and ``read_blocks``.
        BadSketch: as ``read_blocks``.
    """
    for files in together(expand(sources, options.note)):
        yield from read_blocks(files, options)


def read_blocks(files: Sequence[File], options: ReadOptions = PLAIN) -> Iterator[Block]:
    """Read files that go together, one or a row of SVG files, in blocks.

    Raises:
        BadFile: a file that cannot be read, or holds something else.
        BadSketch: a faulty drawing, unless these are skipped.
    """
    if options.label is not None:
        options = replace(options, label=text(options.label))
    source, word = files[0].path, options.label or files[0].word
    kind = format_of(source)
    if kind == "svg":
        from sketchrnn_cli.sketches.formats import svg

        return svg.read_blocks(files, options)
    if kind == "bin":
        from sketchrnn_cli.sketches.formats import quickdraw_bin

        return quickdraw_bin.read_blocks(source, word, options)
    if kind in ("npz", "npy"):
        from sketchrnn_cli.sketches import corpus
        from sketchrnn_cli.sketches.formats import npz

        if kind == "npz" and corpus.is_packed(source):
            return corpus.Corpus.open(Path(source)).blocks()
        return npz.read_blocks(source, word, options)
    from sketchrnn_cli.sketches.formats import ndjson

    blocks = ndjson.blocks_of(
        _arrivals(source, kind, options),
        names.name_of(source),
        word,
        options.skipped,
        extras=options.extras,
        at_once=options.at_once,
        singly=options.singly,
        note=None if options.label else options.note,
    )
    return _or_other(blocks, options)


def _arrivals(
    source: str, kind: str, options: ReadOptions
) -> Iterator[Iterator[tuple[int, bytes]]]:
    """JSON objects of drawings, as they come in, of formats that are or become such."""
    if kind == "csv":
        from sketchrnn_cli.sketches.formats import tables

        return tables.arrivals(source)
    if kind in ("excalidraw", "tldr"):
        from sketchrnn_cli.sketches.formats import whiteboards

        return _or_skipped(whiteboards.arrivals(source, options.note), options.skipped)
    if kind == "inkml":
        from sketchrnn_cli.sketches.formats import inkml

        return _or_skipped(inkml.arrivals(source), options.skipped)
    from sketchrnn_cli.sketches.formats import json_objects

    return json_objects.arrivals(source)


def _or_skipped(found: Iterator[T], skipped: Skipped | None) -> Iterator[T]:
    """What is read of a file of one drawing, unless it is faulty and skipped."""
    try:
        yield from found
    except SketchError as error:
        if skipped is None:
            raise
        skipped(str(error))


def _or_other(blocks: Iterator[Block], options: ReadOptions) -> Iterator[Block]:
    """What is read of a pipe; of another format than NDJSON through a file of that."""
    try:
        yield from blocks
    except sniff.OtherFormat as other:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"standard input.{other.format}"
            path.write_bytes(other.data)

            def named(text: str) -> str:
                return text.replace(str(path), names.name_of(STDIO))

            def said(call: Note | None) -> Note | None:
                return call and (lambda text: call(named(text)))

            options = replace(options, skipped=said(options.skipped), note=said(options.note))
            try:
                yield from read_blocks([File(str(path), None)], options)
            except SketchError as error:
                raise type(error)(named(str(error))) from None


def read_sketches(
    source: str | File | Sequence[str],
    *,
    label: str | None = None,
    on_error: str = "fail",
    skipped: Skipped | None = None,
    note: Note | None = None,
) -> Iterator[Sketch]:
    """Read the drawings of any files, one after the other.

    Args:
        source: ``-`` for ndjson on standard input; a file of any format, or a packed set; a
            folder or a pattern of these; or several.
        label: what is drawn, for drawings that do not say; else the name of the file.
        on_error: ``fail``, or ``skip`` to leave faulty drawings out.
        skipped: called for every drawing left out.
        note: called for what is in the files and is no drawing.

    Raises:
        BadFile: a file that cannot be read, or holds something else.
        BadSketch: a faulty drawing, unless these are skipped.
    """
    report = None if on_error == "fail" else skipped or (lambda message: None)
    options = ReadOptions(label=label, skipped=report, note=note, extras=True, singly=True)
    if isinstance(source, File):
        found = [source]
    else:
        found = expand([source] if isinstance(source, str) else source, note)
    for files in together(found):
        in_frames = format_of(files[0].path) in ("svg", "bin", "npz", "npy")  # some of them empty
        for block in read_blocks(files, replace(options, at_once=files[0].path == STDIO)):
            for i in range(len(block)):
                if (sketch := block.sketch(i)).strokes or not in_frames:
                    yield sketch
