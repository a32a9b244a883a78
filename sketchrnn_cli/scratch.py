"""Folders and files to work in while an output is made; they go when it is done."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from sketchrnn_cli.files import STDIO, named, nearest_folder, writing
from sketchrnn_cli.locks import new_part, stale

NAME = "sketchrnn"  # of scratch folders


@contextlib.contextmanager
def scratch_folder(out: str | Path) -> Iterator[Path]:
    """A folder on the disk of an output, gone when the work is done or has failed.

    A part beside it, locked, says that it is in use. What a process that was killed left behind
    goes when the next one works there.
    """
    beside = Path(tempfile.gettempdir()) if str(out) == STDIO else nearest_folder(Path(out))
    with writing(out):
        for left in stale(beside, NAME):
            shutil.rmtree(left.with_suffix(""), ignore_errors=True)
        descriptor, part = new_part(beside, NAME)
    folder = part.with_suffix("")
    try:
        with os.fdopen(descriptor, "wb"):
            with writing(out):
                folder.mkdir(0o700)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        part.unlink(missing_ok=True)


def scratch_file(folder: Path, out: str | Path) -> BinaryIO:
    """A file to write and read while an output is made, whose errors name that output."""
    with writing(out):
        descriptor, path = tempfile.mkstemp(".part", ".", folder)
        if sys.platform != "win32":  # of no name, so that a killed process leaves none
            os.unlink(path)
    return cast("BinaryIO", io.BufferedRandom(named(descriptor, "r+b", out)))
