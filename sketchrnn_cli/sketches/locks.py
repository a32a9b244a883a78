"""Files and folders that one process has for itself, until it ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import is_at, lock, open_part


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that works at a file or folder that may not be there yet.

    A hidden file beside it is locked, and goes in the end. Where none can be made, nobody is
    kept out.

    Raises:
        BadFile: another process works at it.
    """
    beside = path.parent / f".{path.name}.lock"
    made = not path.parent.exists()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            stream = open_part(beside)
        except OSError:
            yield
            return
        if lock(stream.fileno()) is False:
            found = stream.read(20).decode("ascii", "replace").strip()
            stream.close()
            who = f" (number {found})" if found.isdigit() else ""
            raise BadFile(
                f"{path}: another process{who} is at work in it; let it end, or name another"
            )
        if is_at(stream, beside):
            break
        stream.close()  # it was removed between opening and locking
    try:
        with contextlib.suppress(OSError):
            stream.truncate(0)
            stream.write(f"{os.getpid()}\n".encode())
            stream.flush()
        yield
    finally:
        if sys.platform == "win32":
            stream.close()  # there, an open file cannot be removed
        with contextlib.suppress(OSError):
            if stream.closed or is_at(stream, beside):
                beside.unlink()
        stream.close()
        if made:  # and nothing came of it
            with contextlib.suppress(OSError):
                path.parent.rmdir()
