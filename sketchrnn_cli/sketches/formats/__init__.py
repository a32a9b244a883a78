"""Files of drawings: one module a format, one interface."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from pathlib import Path

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.sketches.streams import STDIO

NDJSON = (".ndjson.gz", ".ndjson", ".jsonl.gz", ".jsonl")
KNOWN = (".npz", *NDJSON)


def format_of(source: str) -> str:
    """``npz`` or ``ndjson``, from the suffix; ``-`` is ndjson.

    Raises:
        BadFile: another suffix.
    """
    name = source.lower()
    if source == STDIO or name.endswith(NDJSON):
        return "ndjson"
    if name.endswith(".npz"):
        return "npz"
    raise BadFile(f"{source}: unknown format; known are {', '.join(KNOWN)} and - for ndjson")


def word_of(source: str) -> str | None:
    """What a file of this name would hold: ``cat`` for ``cat.full.npz``; None for ``-``."""
    if source == STDIO:
        return None
    name = Path(source).name
    for suffix in (*KNOWN, ".full"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def expand(sources: list[str]) -> list[str]:
    """Files behind files, folders and patterns that the shell did not expand.

    Raises:
        BadFile: nothing there, or nothing in a format that is known.
    """
    found: list[str] = []
    for source in sources:
        path = Path(source)
        if source == STDIO or path.is_file():
            format_of(source)
            found.append(source)
        elif path.is_dir():
            inside = sorted(str(p) for p in path.iterdir() if p.name.lower().endswith(KNOWN))
            if not inside:
                raise BadFile(f"{source}: no drawings in this folder ({', '.join(KNOWN)})")
            found += inside
        elif glob.has_magic(source):
            matches = sorted(p for p in glob.glob(source) if p.lower().endswith(KNOWN))
            if not matches:
                raise BadFile(f"{source}: no file of a known format matches this pattern")
            found += matches
        elif path.exists():  # a pipe, a device
            format_of(source)
            found.append(source)
        else:
            if not path.name.lower().endswith(KNOWN):
                format_of(source)
            raise BadFile(f"{source}: no such file")
    return found


def read_sketches(
    source: str,
    *,
    label: str | None = None,
    on_error: str = "fail",
    skipped: Callable[[str], None] | None = None,
) -> Iterator[Sketch]:
    """Read the drawings of any file, one after the other.

    Args:
        source: ``-`` for ndjson on standard input, an ndjson, an npz, or a packed set.
        label: what is drawn, for drawings that do not say; else the name of the file.
        on_error: ``fail``, or ``skip`` to leave faulty drawings out.
        skipped: told of every drawing left out.

    Raises:
        BadFile: a file that cannot be read, or holds something else.
        BadSketch: a faulty drawing, unless these are skipped.
    """
    report = None if on_error == "fail" else skipped or _ignore
    word = label or word_of(source)
    if format_of(source) == "ndjson":
        from sketchrnn_cli.sketches.formats import ndjson

        yield from ndjson.read(source, word=word, skipped=report)
        return
    from sketchrnn_cli.sketches import packed
    from sketchrnn_cli.sketches.formats import npz

    if packed.is_packed(source):
        blocks = packed.Corpus.open(Path(source)).blocks()
    else:
        blocks = npz.read_blocks(source, word=word, skipped=report)
    for block in blocks:
        for i in range(len(block)):
            sketch = block.sketch(i)
            if sketch.strokes:
                yield sketch


def _ignore(message: str) -> None:
    """Pass a fault over in silence."""
