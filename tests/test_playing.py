"""`sketchrnn animate` without -o at a terminal: the drawings are played there."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import warm
from drawings import CAT, LINE
from terminals import CODE, on_a_terminal
from typer.testing import CliRunner

from sketchrnn_cli.cli import animate as command
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.cli.playing import Stage
from sketchrnn_cli.drawing import terminal
from sketchrnn_cli.drawing.film.animation import plan
from sketchrnn_cli.drawing.film.frames import Timing

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
DRAWINGS = [
    {"word": "cat", "drawing": [[[0, 200, 255], [0, 30, 255]], [[50, 90], [60, 9]]], "seed": 3},
    {"word": "dog", "drawing": [[[9, 200], [0, 30]], [[50, 70], [60, 2]]], "given_strokes": 1},
]


@pytest.fixture
def two(tmp_path):
    """A file of two drawings."""
    path = tmp_path / "two.ndjson"
    path.write_text("".join(json.dumps(drawing) + "\n" for drawing in DRAWINGS))
    return str(path)


def dots(text):
    return sum(bin(ord(c) - 0x2800).count("1") for c in text if 0x2800 < ord(c) < 0x2900)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (40, 20)])
def test_the_drawings_grow_in_one_place_and_stay(two, columns, rows):
    text = on_a_terminal("animate", two, "--duration", "1", columns=columns, rows=rows)
    assert text.rindex(HIDDEN) < text.index("cat")
    assert text.rindex(SHOWN) > text.rindex("cat")
    assert text.endswith("\n")
    frames = CODE.sub("", text).split("\r")
    frames = [frame for frame in frames if "cat" in frame and "dog" in frame]
    assert len(frames) > 3
    counts = [dots(frame) for frame in frames]
    assert counts == sorted(counts)
    assert counts[-1] > 2 * counts[0]
    for frame in frames:
        assert frame.count("\n") < rows
        assert max(map(len, frame.splitlines())) < columns


def test_a_morph_says_how_far_it_is(two):
    text = on_a_terminal("animate", two, "--morph", "--duration", "1", "--hold", "0", columns=80)
    assert re.search(r"cat to dog [1-9]0 %", text)
    assert CODE.sub("", text).rstrip().endswith("cat")


def test_a_terminal_that_moves_no_cursor_shows_the_end(two):
    text = on_a_terminal("animate", two, columns=80, TERM="dumb")
    assert "\x1b" not in text
    assert text.count("cat") == text.count("dog") == 1


def test_control_c_leaves_the_cursor_below_the_picture(two):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    child = warm.Popen(
        [sys.executable, "-m", "sketchrnn_cli", "animate", two, "--duration", "60"],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while b"dog" not in said:
            said += os.read(ours, 1 << 16)
        child.send_signal(signal.SIGINT)
        while piece := os.read(ours, 1 << 16):
            said += piece
    except OSError:
        pass
    os.close(ours)
    assert child.wait() == 130
    assert b"Traceback" not in said
    assert said.rstrip().endswith(SHOWN.encode())
    assert said.endswith(b"\n")


def test_a_look_that_a_terminal_does_not_have_is_refused(two, monkeypatch):
    monkeypatch.setattr(command, "stdout_is_terminal", lambda: True)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for words in (["--dark"], ["--size", "99"], ["--color", "red"]):
        told = CliRunner().invoke(app, ["animate", two, *words])
        assert (told.exit_code, told.stdout) == (1, "")
        assert told.stderr.startswith(f"error: {words[0]} needs a picture: give -o FILE.gif")
    told = CliRunner().invoke(app, ["animate", two, "--columns", "1", "--no-captions", "--smooth"])
    assert told.exit_code == 0
    assert "cat" not in told.stdout
    assert dots(told.stdout)


def test_into_a_pipe_a_format_is_needed(two):
    told = CliRunner().invoke(app, ["animate", two])
    assert (told.exit_code, told.stdout) == (1, "")
    assert "--format" in told.stderr


@pytest.mark.parametrize("ascii", [False, True])
def test_a_picture_in_characters_is_the_drawing(ascii, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    stage = Stage(1, None, ascii=ascii)
    film = plan([CAT], stage.style(smooth=False), Timing(duration=1))
    picture = np.zeros((film.height, film.width), np.uint8)
    for frame in film.frames:
        height, width = frame.pixels.shape
        picture[frame.top : frame.top + height, frame.left : frame.left + width] = frame.pixels
    shown = [line.plain for line in stage.lines(picture, [""] * 99, [])]
    still = terminal.grid([CAT], 80, cell=stage.cell).split("\n")
    ours, theirs = (
        np.array([[c != " " for c in line.ljust(80)] for line in lines[: stage.cell // 2]])
        for lines in (shown, still)
    )
    assert len(shown) == stage.cell // 2
    assert ours.sum() > 0.5 * theirs.sum()
    assert stage.n == 1


def test_more_drawings_than_the_window_has_room_for_are_not_played(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    stage = Stage(500, None, ascii=False)
    assert 0 < stage.n < 40
    film = plan([LINE] * stage.n, stage.style(smooth=False), Timing(duration=1))
    picture = np.zeros((film.height, film.width), np.uint8)
    lines = list(stage.lines(picture, [""], ["x"] * stage.n))
    assert len(lines) < 24
    assert max(line.cell_len for line in lines) <= 78
