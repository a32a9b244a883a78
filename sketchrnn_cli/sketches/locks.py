"""Files that one process has for itself, until it closes them or ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sketchrnn_cli.errors import BadFile


def lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or the process ends; False: another process has.

    Where the file system knows no locks, there is none.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 40, os.SEEK_SET)  # a byte that is never there
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def open_part(path: Path) -> BinaryIO:
    """A file to read and write, made where there is none, not emptied where there is one."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "r+b")


def is_at(stream: BinaryIO, path: Path) -> bool:
    """Whether an open file is (still) the one of this name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


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
        if not lock(stream.fileno()):
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
