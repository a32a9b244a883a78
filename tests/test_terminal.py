"""Drawings on a terminal: its colours, its width, its characters."""

import io
import os
import re
import subprocess
import sys

import pytest

from sketchrnn_cli.cli.terminal import knows_braille

COLOUR = re.compile(r"\x1b\[38;5;\d+m")
CODE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(*arguments, columns, rows=24, **environment):
    """What a program writes to a terminal of this size."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    import struct

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    outside = {"NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS", "LINES", "FORCE_COLOR"}
    settings = {name: value for name, value in os.environ.items() if name not in outside}
    settings |= {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1", **environment}
    child = subprocess.Popen(
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


@pytest.mark.parametrize(
    ("columns", "environment"),
    [
        (20, {}),
        (80, {"NO_COLOR": "1"}),
        (80, {"TERM": "dumb"}),
        (80, {"LANG": "C"}),
        (80, {"PYTHONIOENCODING": "latin-1"}),
    ],
)
def test_samples_on_a_terminal_suit_it(columns, environment):
    text = on_a_terminal("sample", "two cats", columns=columns, **environment)
    plain = CODE.sub("", text)
    assert max(map(len, plain.splitlines())) <= columns
    assert plain.count("seed 0") == 2
    assert bool(COLOUR.search(text)) == (not {"NO_COLOR", "TERM"} & environment.keys())
    assert any("⠁" <= c <= "⣿" for c in text) == (
        not {"LANG", "PYTHONIOENCODING"} & environment.keys()
    )
    assert any(c in plain for c in "⠉⠒⠤⣀'.:")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no locale variables")
@pytest.mark.parametrize(
    ("encoding", "environment", "knows"),
    [
        ("utf-8", {}, True),
        ("utf-8", {"LANG": "de_DE.UTF-8"}, True),
        ("utf-8", {"LANG": "C.UTF-8"}, True),
        ("utf-8", {"LANG": "C"}, False),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # as Python leaves it
        ("utf-8", {"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, True),
        ("utf-8", {"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ("utf-8", {"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
        ("ascii", {"LANG": "en_US.UTF-8"}, False),
        ("cp1252", {}, False),
        (None, {}, False),
    ],
)
def test_braille_is_sent_where_it_is_known(monkeypatch, encoding, environment, knows):
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO() if encoding is None else io.TextIOWrapper(io.BytesIO(), encoding)
    assert knows_braille(stream) == knows
