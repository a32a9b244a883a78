"""What goes to a terminal: drawings in its colours and width, and JSON that is JSON."""

import io
import json
import os
import re
from types import SimpleNamespace

import drawings
import networks
import pytest
from terminals import CODE, on_a_terminal

from sketchrnn_cli.cli import display, terminal
from sketchrnn_cli.cli.display import knows_braille
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint

COLOUR = re.compile(r"\x1b\[38;5;\d+m")


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


CATS = "".join(
    f'{{"word": "cat", "drawing": [[[{k}, 60, 120], [20, 90, 30]]]}}\n' for k in range(9)
)
MOVES = re.compile(r"\x1b\[(\d*[A-HJKfs-u]|\?25)|\r[^\n]")  # the cursor, or what it stands on


@pytest.mark.parametrize(
    ("command", "bars"),
    [
        ("preprocess cats.ndjson -o out.npz", ["reading.* 0/531 bytes", "writing"]),
        ("inspect cats.ndjson", ["reading.*/531 bytes"]),
        ("inspect cats.ndjson --doubtful", ["reading.*/531 bytes", "recognising.* 0/9"]),
        ("inspect cats.ndjson --score", ["reading.*/531 bytes", "scoring.* 0/9"]),
        ("inspect cats.ndjson --map map.svg", ["encoding.*/9", "laying out"]),
        (
            "inspect --evaluate cats.ndjson --split train --samples 2",
            ["evaluating.*/7", "sampl.*/14"],
        ),
        ("encode cats.ndjson -o z.npz", ["reading.*/531 bytes", "encoding.* 0/9"]),
        ("encode cats.ndjson --fit -o m.safetensors", ["encoding.* 0/9", "fitting.*/345"]),
        ("animate cats.ndjson -o cats.gif", ["reading.*/531 bytes", "drawing.* 0/120"]),
        ("export --model tiny.safetensors -o page.html", ["measuring drawings.* 0/32"]),
    ],
)
def test_every_long_work_has_a_bar_with_a_total_from_the_first_moment(
    command, bars, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats.ndjson").write_text(CATS)
    checkpoint.save(tmp_path / "tiny.safetensors", networks.tiny())
    text = CODE.sub("", on_a_terminal(*command.split(), columns=100))
    for bar in bars:
        assert re.search(bar, text), text


@pytest.mark.parametrize(
    "environment", [{"CI": "true"}, {"JPY_PARENT_PID": "7"}, {"TERM": "dumb"}], ids=str
)
def test_where_a_log_keeps_what_was_written_the_cursor_does_not_move(tmp_path, environment):
    source = tmp_path / "cats.ndjson"
    source.write_text(CATS)
    command = ["preprocess", str(source), "-o", str(tmp_path / "out.npz"), "--overwrite"]
    assert MOVES.search(on_a_terminal(*command, columns=100))
    assert not MOVES.search(on_a_terminal(*command, columns=100, **environment))


def test_a_stream_that_is_no_terminal_gets_lines_whatever_colours_are_forced(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    with terminal.Terminal().counting("encoding", total=40_000) as advance:
        for _ in range(25):
            clock[0] += 1
            advance(1000)
    assert capsys.readouterr().err.splitlines() == [
        "encoding: 10,000 of 40,000",
        "encoding: 20,000 of 40,000",
    ]


def test_no_word_of_a_message_is_broken_however_long_it_is(tmp_path):
    path = tmp_path / ("a-folder-whose-name-is-longer-than-a-line" * 2) / "drawing-of-a-cat.svg"
    text = CODE.sub("", on_a_terminal("sample", "cat", "-n", "1", "-o", str(path), columns=40))
    assert str(path) in text  # in one piece, whatever the terminal makes of it
    assert f"{path}:" in text.split()


def test_latents_on_a_terminal_are_a_summary_that_says_how_to_write_them(tmp_path):
    source = tmp_path / "my cats.ndjson"
    source.write_text(CATS)
    text = CODE.sub("", on_a_terminal("encode", str(source), "--quiet", columns=200))
    assert "9 drawings, 64 numbers each" in text
    assert re.search(r"words +cat 9\n", text)
    assert f"sketchrnn encode '{source}' -o z.ndjson" in text
    assert '"z"' not in text
    narrow = CODE.sub("", on_a_terminal("encode", str(source), "--quiet", columns=40))
    assert narrow.split() == text.split()  # no word is broken
    asked = on_a_terminal("encode", str(source), "--format", "ndjson", "--quiet", columns=200)
    assert [len(json.loads(line)["z"]) for line in asked.splitlines()] == [64] * 9


def test_an_answer_to_a_signal_waits_for_the_block_that_is_being_drawn(capsys):
    shown = terminal.Terminal()
    shown.interject("at once")
    with shown.drawing():
        shown.interject("stopping")
        assert capsys.readouterr().err == "at once\n"
    assert capsys.readouterr().err == "stopping\n"


def test_drawings_that_have_ended_are_told_before_the_first_comes_out():
    ended = []
    network = Engine(networks.tiny())
    found = request.draw(network, request.unconditional(40), ended=ended.append)
    next(found)
    assert sum(ended) >= 1
    list(found)
    assert sum(ended) == 40


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_message_breaks_inside_a_word_on_a_terminal(width, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))
    words = "error: cats.pgn: unknown format 'pgn'; did you mean cats.png? known are svg and png"
    screen = SimpleNamespace(isatty=lambda: True)
    lines = terminal.unbroken(words, screen, indent=4).splitlines()
    assert " ".join(line.strip() for line in lines) == words
    assert max(map(len, lines)) <= width
    assert all(line.startswith("    ") for line in lines[1:])
    assert terminal.unbroken(words, SimpleNamespace(isatty=lambda: False)) == words


@pytest.mark.parametrize("columns", [40, 80])
def test_a_report_and_a_note_break_between_words(columns, tmp_path):
    line = '{"word": "ice cream", "drawing": [[[10, 60, 120], [20, 90, 30]]]}\n'
    path = tmp_path / "some drawings.ndjson"
    path.write_text(line * 40)
    shown = CODE.sub("", on_a_terminal("inspect", str(path), columns=columns))
    lines = shown.splitlines()
    report = lines[: next(k for k, text in enumerate(lines) if "duplicates" in text)]
    text = " ".join(" ".join(report).split())
    assert "3 to 3 per drawing (N_max 3), mean 3.0, median 3; 1.0 strokes" in text
    assert all(len(each) <= columns for each in report if " " in each.strip())
