"""What goes to a terminal: drawings in its colours and width, and JSON that is JSON."""

import io
import json
import os
import re
import subprocess
import sys

import drawings
import networks
import pytest

from sketchrnn_cli.cli import display, terminal
from sketchrnn_cli.cli.display import knows_braille
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.engine import Engine

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


@pytest.mark.parametrize("first", range(0, 0x11000, 0x1000), ids=hex)
def test_an_answer_is_json_for_every_character(first, capsys):
    last = 0x10FFFF if first == 0x10000 else first + 0xFFF
    characters = [chr(code) for code in (*range(first, first + 0x1000), 0xE0041, last)]
    values = {"words": characters, "all": "".join(c for c in characters)}
    terminal.Terminal().answer(values)
    text = capsys.readouterr().out
    assert json.loads(text) == json.loads(json.dumps(values))
    assert text.count("\n") == 1
    assert text[:-1].isprintable()


@pytest.mark.parametrize(("columns", "width"), [(40, 80), (14, 80), (4, 20)])
def test_a_grid_wider_than_the_window_is_refused_before_anything_is_drawn(
    columns, width, monkeypatch
):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))

    def none():
        raise AssertionError("drawn")
        yield

    with pytest.raises(BadConfig, match=f"room for {(width + 2) // 6}; write a picture"):
        display.show_drawings(none(), 80, Style(columns=columns))


@pytest.mark.parametrize(("columns", "width"), [(13, 80), (2, 20)])
def test_a_grid_that_fits_the_window_keeps_its_rows(columns, width, monkeypatch, capsys):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))
    display.show_drawings([drawings.DOT] * (2 * columns), 2 * columns, Style(columns=columns))
    lines = capsys.readouterr().out.splitlines()
    captions = [line for line in lines if "dot" in line]
    assert [line.count("dot") for line in captions] == [columns] * 2
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("source", ["prompt", "complete"])
def test_a_bar_counts_the_drawings_of_a_batch_that_goes_to_a_file(source, tmp_path):
    line = b'{"word": "cat", "drawing": [[[10, 60, 120], [20, 90, 30]]]}\n'
    (tmp_path / "half.ndjson").write_bytes(line)
    given = ["cat"] if source == "prompt" else ["--complete", str(tmp_path / "half.ndjson")]
    out = tmp_path / "cats.ndjson"
    text = on_a_terminal("sample", *given, "-n", "60", "-o", str(out), columns=100)
    counts = {int(n) for n in re.findall(r"(\d+)/240", CODE.sub("", text))}
    assert any(0 < n < 240 for n in counts)  # candidates, while no drawing was written yet
    assert len(out.read_bytes().splitlines()) == 60


def test_drawings_that_have_ended_are_told_before_the_first_comes_out():
    ended = []
    network = Engine(networks.tiny())
    found = request.draw(network, request.unconditional(40), ended=ended.append)
    next(found)
    assert sum(ended) >= 1
    list(found)
    assert sum(ended) == 40
