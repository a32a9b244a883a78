"""Files that appear whole or not at all, and locks that end with their process.

What is written goes to a hidden ``.part`` file beside its target, locked by the process that
writes it, which in the end takes the target's place. A process that was killed leaves its part
behind, unlocked, and the next one that writes the same target removes it.
"""

from __future__ import annotations

import contextlib
import difflib
import glob
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FAR = 1 << 40  # a byte that is never there
_RANDOM = "[a-z0-9_]" * 8  # of tempfile
_LOOKED_AT = 2_000  # names of a folder, for one that is nearly another
_ALIKE = 0.7  # share of letters in common


def lock(descriptor: int) -> bool | None:
    """Lock an open file until it is closed or the process ends.

    Returns:
        False: another process has it. None: the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _FAR, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def missing(path: str | Path, what: str = "file") -> str:
    """A message that says what is not there, and what is in that folder of nearly that name."""
    wanted = Path(path)
    try:
        with os.scandir(wanted.parent) as entries:
            names = [entry.name for _, entry in zip(range(_LOOKED_AT), entries, strict=False)]
    except (OSError, ValueError):  # no such folder either, or a NUL in the name
        names = []
    near = difflib.get_close_matches(wanted.name, sorted(names), 1, _ALIKE)
    hint = f"; did you mean {wanted.with_name(near[0])}?" if near else ""
    return f"{path}: no such {what}{hint}"


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


def new_part(folder: Path, name: str) -> tuple[BinaryIO, Path]:
    """A hidden file of a new name that is locked, and so is not ``stale`` while it is open."""
    while True:
        handle, path = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        stream, part = os.fdopen(handle, "wb"), Path(path)
        if lock(handle) is not False and is_at(stream, part):
            return stream, part
        stream.close()  # somebody thought it stale, between making and locking


def stale(folder: Path, name: str) -> Iterator[Path]:
    """Parts of this name whose process is gone; each goes when the next is asked for."""
    return _stale(folder, f".{glob.escape(name)}.{_RANDOM}.part")


def sweep(folder: Path) -> None:
    """Remove all parts in a folder, of any name, whose process is gone."""
    for _ in _stale(folder, f".*.{_RANDOM}.part"):
        pass


def _stale(folder: Path, pattern: str) -> Iterator[Path]:
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    for part in sorted(folder.glob(pattern)):
        if part.is_symlink() or not part.is_file():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            stream = os.fdopen(os.open(part, os.O_RDWR | careful), "r+b")
            with stream:
                if not lock(stream.fileno()) or not is_at(stream, part):
                    continue
                yield part
                if sys.platform != "win32":
                    part.unlink()  # still locked
            if sys.platform == "win32":
                part.unlink()  # there, an open file cannot be removed


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Write a file that takes the target's place when the block ends without an error.

    Raises:
        OSError: it cannot be written; the old file, or none, is as it was.
    """
    for _ in stale(target.parent, target.name):
        pass
    stream, part = new_part(target.parent, target.name)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            umask = os.umask(0)
            os.umask(umask)
            part.chmod(0o666 & ~umask)  # it was made private
            if sys.platform != "win32":
                os.replace(part, target)  # still locked
        if sys.platform == "win32":
            os.replace(part, target)  # there, an open file keeps its name
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _settle(target.parent)


def _settle(folder: Path) -> None:
    """Let new names outlive a loss of power too, where a folder can be told so."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
