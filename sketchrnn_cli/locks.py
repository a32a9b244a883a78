"""Locks that end with their process, however it ends, and the hidden parts they protect."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sketchrnn_cli.errors import BadFile

_RANDOM = "[a-z0-9_]" * 8  # of tempfile


def lock(descriptor: int) -> bool | None:
    """Lock an open file until it is closed or the process ends.

    Returns:
        False: another process has it. None: the file system knows no locks.
    """
    import filelock  # 20 ms

    try:
        return filelock.lock_descriptor(descriptor, blocking=False)
    except OSError:
        return None


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is (still) the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def new_part(folder: Path, name: str) -> tuple[int, Path]:
    """A hidden file of a new name, open and locked, so not ``stale`` until it is closed."""
    while True:
        descriptor, name_of_part = tempfile.mkstemp(".part", f".{name}.", folder)
        part = Path(name_of_part)
        if lock(descriptor) is not False and is_at(descriptor, part):
            return descriptor, part
        os.close(descriptor)  # somebody thought it stale, between making and locking


def remove_stale(folder: Path, name: str | None = None) -> None:
    """Remove the parts in a folder, of one name or of any, whose process is gone."""
    for _ in stale(folder, name):
        pass


def stale(folder: Path, name: str | None) -> Iterator[Path]:
    """The same one by one; each goes when the next is asked for."""
    pattern = f".{'*' if name is None else glob.escape(name)}.{_RANDOM}.part"
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    for part in sorted(folder.glob(pattern)):
        if part.is_symlink() or not part.is_file():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            stream = os.fdopen(os.open(part, os.O_RDWR | careful), "r+b")
            with stream:
                if not lock(stream.fileno()) or not is_at(stream.fileno(), part):
                    continue
                yield part
                if sys.platform != "win32":
                    part.unlink()  # still locked
            if sys.platform == "win32":
                part.unlink()  # there, an open file cannot be removed


def is_locked(path: Path) -> bool:
    """Whether another process has a file or folder for itself, see ``exclusive``."""
    try:
        with _lock_of(path).open("rb") as stream:
            return lock(stream.fileno()) is False
    except OSError:
        return False


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Be the only process that works at a file or folder that may not be there yet.

    A hidden file beside it is locked, and goes in the end. Where none can be made, nobody is
    kept out.

    Raises:
        BadFile: another process works at it.
    """
    import filelock

    beside = _lock_of(path)
    made = not path.parent.exists()
    held = filelock.FileLock(beside, blocking=False, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except filelock.Timeout:
        found = b""
        with contextlib.suppress(OSError):  # on Windows, what is locked is not read
            found = beside.read_bytes()[:20].strip()
        who = f" (number {found.decode()})" if found.isdigit() else ""
        raise BadFile(
            f"{path}: another process{who} is at work in it; let it end, or name another"
        ) from None
    except (OSError, NotImplementedError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            beside.write_bytes(f"{os.getpid()}\n".encode())
        yield
    finally:
        if sys.platform != "win32":  # there, the lock takes its file away
            with contextlib.suppress(OSError):
                beside.unlink()
        held.release()
        if made:  # and nothing came of it
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def _lock_of(path: Path) -> Path:
    return path.absolute().parent / f".{path.absolute().name}.lock"
