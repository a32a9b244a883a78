"""Files and pipes: ``-``, atomic output, lines."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadFile

STDIO = "-"


def name_of(path: str | Path) -> str:
    """How a source is called in messages."""
    return "standard input" if str(path) == STDIO else str(path)


def reason(error: OSError) -> str:
    """What the system says, without its own copy of the path."""
    return (error.strerror or str(error)).lower()


@contextlib.contextmanager
def open_input(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading, or standard input for ``-``.

    Raises:
        BadFile: no such file, a folder, or one that may not be read.
    """
    if str(path) == STDIO:
        if sys.stdin is None or sys.stdin.isatty():
            raise BadFile(
                "standard input is a terminal or closed: give a file, or pipe drawings in"
            )
        yield sys.stdin.buffer
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 (closed by the block below)
    except FileNotFoundError:
        raise BadFile(files.missing(path)) from None
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {reason(error)}") from None
    with stream:
        yield stream


@contextlib.contextmanager
def open_output(path: str | Path, *, binary: bool) -> Iterator[BinaryIO]:
    """Open a file that appears whole or not at all, or standard output for ``-``.

    The data goes to a hidden ``.part`` file in the same folder, which replaces the target when
    the block ends without an error and is removed when it does not. An existing file that is not
    a regular one (``/dev/null``, a named pipe) is written directly.

    Args:
        path: the target; missing folders are made.
        binary: what is written is not text, so a terminal refuses it.

    Raises:
        BadFile: the target is a terminal and the data binary, or it cannot be written.
    """
    if str(path) == STDIO:
        if binary and sys.stdout.isatty():
            raise BadFile("a picture is not written to a terminal: give -o FILE, or pipe it on")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise BadFile(f"{target}: is a folder; name a file in it")
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as stream:
            yield stream
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):
            raise
        raise BadFile(f"{target}: cannot be written: {reason(error)}") from None


def check_output(path: str | Path, *, binary: bool) -> None:
    """Refuse a target before work starts that ``open_output`` would refuse after it.

    Raises:
        BadFile: as ``open_output``.
    """
    if str(path) == STDIO:
        if binary and sys.stdout.isatty():
            raise BadFile("a picture is not written to a terminal: give -o FILE, or pipe it on")
        return
    target = Path(path)
    if target.is_dir():
        raise BadFile(f"{target}: is a folder; name a file in it")
    folder = target.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise BadFile(f"{target}: cannot be written: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise BadFile(f"{target}: cannot be written: {folder} is read-only")


def suffix_of(path: str | Path, explicit: str | None, known: tuple[str, ...]) -> str:
    """The format of a target: ``--format`` if given, else its suffix, without the dot.

    Raises:
        BadFile: neither says one of the known formats.
    """
    text = explicit or ("" if str(path) == STDIO else Path(path).suffix)
    text = text.lower().lstrip(".")
    if text in known:
        return text
    listed = ", ".join(known)
    if not text:
        where = "standard output" if str(path) == STDIO else str(path)
        raise BadFile(f"{where}: no format; give --format, one of {listed}")
    where = f"--format {explicit}" if explicit else str(path)
    raise BadFile(f"{where}: unknown format {text!r}; known are {listed}")
