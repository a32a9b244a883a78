"""The three pipes that a program is born with: one may be closed, and one's other end may go."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import TextIO

from sketchrnn_cli.errors import BadFile

# exit code where nobody reads any more: that of SIGPIPE, as a shell shows it
UNREAD = 1 if os.name == "nt" else 128 + signal.SIGPIPE


def repair() -> None:
    """Repair pipes that are closed, before anything is opened.

    Their numbers would go to the next files that are, and what a library says on stderr into a
    drawing. What is said on a closed stderr is lost; what should go to a closed stdout is an error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(_Closed(), "utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the end)


class _Closed(io.RawIOBase):
    """A standard output that there is not."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise BadFile("standard output is closed: give -o FILE, or pipe it on")


def is_broken(error: OSError) -> bool:
    """Whether a write failed because nobody reads any more. Windows calls that another name."""
    return error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


def is_full(error: OSError) -> bool:
    """Whether a write to standard output failed because its disk is full, or broken."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    return error.filename is None and error.errno in full


def discard(stream: TextIO) -> None:
    """Write what is left for a broken pipe, now or at the end of the program, into nothing."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # it has none: a test's
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)
