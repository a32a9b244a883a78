"""A program on a terminal of a given size, and what it writes there."""

import os
import re
import subprocess
import sys

import pytest
import warm

CODE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(*arguments, columns, rows=24, **environment):
    """What a program writes to a terminal of this size."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    import struct

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    outside = {"NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS", "LINES", "FORCE_COLOR"}
    outside |= {"CI", "JPY_PARENT_PID"}
    settings = {name: value for name, value in os.environ.items() if name not in outside}
    settings |= {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1", **environment}
    child = warm.Popen(
        [sys.executable, "-m", "sketchrnn_cli", *arguments],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=settings,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 1 << 16):
            said += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    assert child.wait() == 0, said
    return said.decode().replace("\r\n", "\n")
