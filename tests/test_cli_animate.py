"""`sketchrnn animate`: its exit codes, its files, and what bad input gets."""

from __future__ import annotations

import gzip
import inspect
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from typer.testing import CliRunner

from sketchrnn_cli.cli import animate as command
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.drawing import fonts
from sketchrnn_cli.drawing.film import animation
from sketchrnn_cli.drawing.film import frames as film
from sketchrnn_cli.drawing.film import morph as morphing
from sketchrnn_cli.drawing.style import DARK, LIGHT

CAT = {"word": "cat", "drawing": [[[0, 200, 255], [0, 30, 255]], [[50], [60]]], "seed": 3}
DOG = {"word": "dog", "drawing": [[[9, 200], [0, 30]], [[50, 70], [60, 2]]]}
LINES = b"".join(json.dumps(drawing).encode() + b"\n" for drawing in (CAT, DOG))
ONE = json.dumps(DOG).encode() + b"\n"
SHORT = ["--duration", "0.5", "--size", "40"]
QUICK = [*SHORT, "--fps", "10"]  # an SVG has no frames


def run(*arguments: object, stdin: bytes = LINES):  # noqa: ANN201
    return CliRunner().invoke(app, ["animate", *map(str, arguments)], input=stdin)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "a.gif"),
        (["--fps", 5, "--duration", 1, "--hold", 0, "--in-turn", "--no-captions"], "a.gif"),
        (["--columns", 1, "--line-width", 2, "--color", "navy", "--background", "none"], "b.gif"),
        (["--color", "#ffffff", "--background", "black", "--size", 50], "c.GIF"),
        (["--line_width", 2, "--format", "gif", "-n", 1], "deep/d.png"),
        (["--morph"], "e.gif"),
        (["--morph", "-n", 2, "--background", "none", "--line-width", 2, "--hold", 0], "f.gif"),
        (["--morph", "--no-captions", "--color", "navy"], "g.gif"),
        (["--dark", "--color-by", "stroke", "--pen-tip"], "h.webp"),
        (["--color-by", "time", "--background", "none"], "i.apng"),
        (["--format", "apng", "--in-turn", "--pen-tip"], "j.png"),
        (["--morph", "--dark"], "k.webp"),
    ],
)
def test_every_option_makes_its_file(arguments: list[object], name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    result = run("-", "-o", out, *QUICK, *arguments)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert str(out) in result.stderr
    with Image.open(out) as image:
        assert image.n_frames > 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [out]


def test_an_animated_svg_goes_into_a_pipe_as_text() -> None:
    result = run("--format", "svg", *SHORT)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("<svg")
    assert "stroke-dashoffset" in result.stdout


def test_dark_gives_way_to_a_colour_that_is_given() -> None:
    dark = run("--format", "svg", "--dark", *SHORT).stdout
    red = run("--format", "svg", "--dark", "--color", "#ff0000", *SHORT).stdout
    assert f'fill="{DARK[1]}"' in dark
    assert f'fill="{DARK[1]}"' in red
    assert f'stroke="{DARK[0]}"' in dark
    assert 'stroke="#ff0000"' in red


def test_without_the_extra_there_is_one_line_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run("missing.ndjson", "-o", tmp_path / "a.mp4")
    assert result.exit_code == 1
    assert "pip install 'sketchrnn[video]'" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_mp4(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    out = tmp_path / "a.mp4"
    result = run("-o", out, *QUICK, "--hold", "0.5")
    assert result.exit_code == 0, result.stderr
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_a_file_is_read_and_the_facts_told(tmp_path: Path) -> None:
    source, out = tmp_path / "some.ndjson", tmp_path / "a.gif"
    source.write_bytes(LINES)
    result = run(source, "-o", out, "--json", *QUICK, stdin=b"")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer.pop("bytes") == out.stat().st_size
    assert answer.pop("height") > 40
    assert answer == {
        "file": str(out),
        "format": "gif",
        "n_drawings": 2,
        "width": 80,
        "seconds": 2.0,
    }


def test_quiet_says_nothing(tmp_path: Path) -> None:
    result = run("-o", tmp_path / "a.gif", "--quiet", *QUICK)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_pipe_gets_the_picture_and_nothing_else() -> None:
    command = [sys.executable, "-m", "sketchrnn_cli", "animate", "--format", "gif", *QUICK]
    result = subprocess.run(command, input=LINES, capture_output=True, check=True)
    with Image.open(io.BytesIO(result.stdout)) as image:
        assert image.format == "GIF"
    assert b"standard output: 2 drawings" in result.stderr


POINTS = "[[[0, 200, 255], [0, 30, 255], [0, 500, 900]], [[50, 60], [60, 9], [2500, 2900]]]"
OTHERS = {
    "svg": '<?xml version="1.0"?><!-- one --><svg xmlns="http://www.w3.org/2000/svg">'
    '<path fill="none" stroke="red" d="M0 0L90 10"/><text>a</text></svg>',
    "inkml": '<?xml version="1.0"?>\n<ink xmlns="http://www.w3.org/2003/InkML"><traceFormat>'
    '<channel name="X"/><channel name="Y"/><channel name="T" units="s"/></traceFormat>'
    "<trace>0 0 0, 5 5 0.5, 9 2 2.9</trace></ink>",
    "csv": f'countrycode,drawing,word\nUS,"{POINTS}",cat\n',
    "excalidraw": json.dumps(
        {
            "type": "excalidraw",
            "elements": [
                {"type": "freedraw", "x": 1, "y": 2, "points": [[0, 0], [50, 9]]},
                {"type": "text", "x": 0, "y": 0},
            ],
        },
        indent=2,
    ),
    "tldr": json.dumps(
        {
            "tldrawFileFormatVersion": 1,
            "records": [
                {
                    "typeName": "shape", "type": "line", "x": 0, "y": 0,
                    "props": {"points": {"a": {"x": 0, "y": 1}, "b": {"x": 9, "y": 4}}},
                }
            ],
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", OTHERS)
def test_a_pipe_is_read_for_what_it_is(suffix: str, tmp_path: Path) -> None:
    file, options = tmp_path / f"a.{suffix}", [*QUICK, "--no-captions", "-o"]
    file.write_text(OTHERS[suffix], "utf-8")
    assert run(file, *options, tmp_path / "file.gif").exit_code == 0
    expected = (tmp_path / "file.gif").read_bytes()
    for stdin in (file.read_bytes(), gzip.compress(file.read_bytes())):
        result = run("-", *options, tmp_path / "pipe.gif", stdin=stdin)
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "pipe.gif").read_bytes() == expected
        what = {"svg": "standard input: text", "excalidraw": "standard input: left out"}
        assert result.stderr.startswith(what.get(suffix, str(tmp_path / "pipe.gif")))
    encoded = CliRunner().invoke(app, ["encode", "-"], input=stdin)
    assert encoded.stdout.count("\n") == 1
    assert what.get(suffix, "") in encoded.stderr


@pytest.mark.parametrize("suffix", ["inkml", "csv"])
def test_times_of_every_format_are_played(suffix: str) -> None:
    options = ["--format", "gif", "--size", "40", "--hold", "0", "--real-time"]
    result = run("-", *options, stdin=OTHERS[suffix].encode())
    assert result.exit_code == 0
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        durations = [image.seek(k) or image.info["duration"] for k in range(image.n_frames)]
    assert sum(durations) == 2900


def test_a_whiteboard_of_another_name_is_named(tmp_path: Path) -> None:
    for suffix in ("excalidraw", "tldr"):
        (tmp_path / "a.json").write_text(OTHERS[suffix])
        result = run(tmp_path / "a.json", "-o", tmp_path / "a.gif")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert result.stderr.endswith(f"a.json: a whiteboard; name it .{suffix}\n")


def test_what_is_wrong_in_a_pipe_names_the_pipe(tmp_path: Path) -> None:
    result = run("-", "-o", tmp_path / "a.gif", stdin=OTHERS["svg"][:90].encode())
    assert result.stderr.startswith("error: standard input: damaged XML")


@pytest.mark.parametrize("more", [[], ["--morph"]])
def test_a_script_without_a_font_is_warned_of_once(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_system_font", lambda characters: None)
    lines = LINES.replace(b'"cat"', '"猫"'.encode()).replace(b'"dog"', '"犬"'.encode())
    result = run("-o", tmp_path / "a.gif", *QUICK, *more, stdin=lines)
    assert result.exit_code == 0
    assert result.stderr.count("warning: no font on this system has all characters of the") == 1
    result = run("-o", tmp_path / "a.svg", *SHORT, *more, stdin=lines)
    assert "warning" not in result.stderr


def test_many_notes_are_cut_short(tmp_path: Path) -> None:
    for k in range(9):
        (tmp_path / f"{k}.svg").write_text(OTHERS["svg"], "utf-8")
    result = run(tmp_path, "-o", tmp_path / "a.gif", *QUICK)
    assert result.stderr.count("text, which is not drawn") == 5
    assert result.stderr.count("more such notes are left out\n") == 1


def test_count_takes_the_first(tmp_path: Path) -> None:
    one, two = tmp_path / "one.gif", tmp_path / "two.gif"
    assert run("-o", one, "-n", 1, *QUICK).exit_code == 0
    assert run("-o", two, *QUICK, stdin=json.dumps(CAT).encode()).exit_code == 0
    assert one.read_bytes() == two.read_bytes()


def test_a_morph_tells_its_facts_and_is_the_same_twice(tmp_path: Path) -> None:
    out, again = tmp_path / "a.gif", tmp_path / "b.gif"
    options = ["--morph", "--duration", 2, "--fps", 10, "--hold", 0.5, "--size", 60]
    result = run("-o", out, "--json", *options)
    assert result.exit_code == 0, result.stderr
    assert "2 drawings, 60 x " in result.stderr
    answer = json.loads(result.stdout)
    assert (answer["n_drawings"], answer["width"], answer["seconds"]) == (2, 60, 3.0)
    with Image.open(out) as image:
        assert image.n_frames == 20
    assert run("-o", again, *options).exit_code == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        (["-o", "a.gif"], b"", 1, "standard input: no drawings came in"),
        (["-o", "a.gif"], b" ", 1, "standard input: no drawings"),
        (["-o", "a.gif"], b"\n\n", 1, "standard input: no drawings"),
        (["-o", "a.png"], LINES, 1, "a PNG does not move"),
        (["-o", "a.bmp"], b"", 1, "unknown format 'bmp'; known are gif, apng, webp, mp4, svg"),
        (["-o", "a.gif", "--color-by", "mood"], b"", 2, "must be one of stroke, time"),
        (["-o", "a"], LINES, 1, "a: no format"),
        ([], LINES, 1, "standard output: no format; give --format, one of gif"),
        (["-o", "a.gif", "--fps", "0"], LINES, 2, "--fps 0: must be from 1 to 50"),
        (["-o", "a.gif", "--fps", "nan"], LINES, 2, "--fps nan: must be from 1 to 50"),
        (["-o", "a.gif", "--fps", "many"], LINES, 2, "--fps many: must be a number"),
        (["-o", "a.gif", "--duration", "-1"], LINES, 2, "--duration -1: must be from 0.1 to 3,600"),
        (["-o", "a.gif", "--hold", "1e9"], LINES, 2, "--hold 1e+09: must be from 0 to 600"),
        (["-o", "a.gif", "--size", "0"], LINES, 2, "--size 0: must be from 8 to 8,192"),
        (["-o", "a.gif", "--size", "8000"], LINES, 1, "smaller --size"),
        (["-o", "a.gif", "--columns", "0"], LINES, 2, "--columns 0: must be from 1 to 10,000"),
        (["-o", "a.gif", "--line-width", "0"], LINES, 2, "--line-width 0: must be from 0.1"),
        (["-o", "a.gif", "--color", "blurple"], LINES, 1, "unknown color 'blurple'"),
        (["-o", "a.gif", "--background", "#12"], LINES, 1, "unknown color '#12'"),
        (["-o", "a.gif", "-n", "0"], LINES, 2, "-n 0: must be from 1"),
        (["--format", "gif", "--json"], LINES, 1, "both go to standard output"),
        (["-o", "a.gif", "--morph"], b"", 1, "standard input: no drawings came in"),
        (["-o", "a.gif", "--morph"], ONE, 1, "at least two drawings: standard input has one"),
        (["-o", "a.gif", "--morph", "-n", "1"], LINES, 1, "two drawings: -n 1 takes one"),
        (["-o", "a.gif", "--morph"], ONE * 1001, 1, "more than 1,000 drawings"),
        (["-o", "a.gif", "--morph", "--size", "8000"], LINES, 1, "smaller --size"),
        (["missing.ndjson", "-o", "a.gif"], b"", 1, "missing.ndjson: no such file"),
        (["-o", "a.gif"], LINES + b"{nonsense\n", 1, "standard input"),
        (["-o", "."], LINES, 1, ".: a folder; name a file"),
        (["-o", "a.gif", "--real-time"], LINES, 1, "drawing 1 has no times"),
        (["-o", "a.gif", "--real-time", "--duration", "1"], LINES, 1, "say how long it lasts"),
        (["-o", "a.gif", "--real-time", "--morph"], LINES, 1, "no pen draws in a morph"),
    ],
)
def test_bad_input_is_one_line_and_no_file(
    arguments: list[str],
    stdin: bytes,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    if code == 1:
        assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_terminal_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from sketchrnn_cli import files

    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(files, "sys", terminal)
    result = run("missing.ndjson", "--format", "gif")
    assert result.exit_code == 1
    assert "not written to a terminal" in result.stderr


def test_help_names_the_real_defaults() -> None:
    parameters = inspect.signature(command.animate, eval_str=True).parameters
    timing = film.Timing()
    defaults = {
        "fps": f"{timing.fps:g}",
        "hold": f"{timing.hold:g}",
        "duration": f"{animation.SECONDS:g}, or {animation.SECONDS_IN_TURN:g} per drawing in turn",
        "color": LIGHT[0],
        "background": LIGHT[1],
    }
    for name, default in defaults.items():
        (option,) = parameters[name].annotation.__metadata__
        assert f"[default: {default}]" in option.help


def test_help_names_how_long_a_morph_lasts() -> None:
    parameters = inspect.signature(command.animate, eval_str=True).parameters
    (option,) = parameters["morph"].annotation.__metadata__
    least, most = morphing.SECONDS_MORPH
    assert f"{least:g} to {most:g} seconds" in option.help


def test_animate_never_loads_torch() -> None:
    code = (
        "import sys; import sketchrnn_cli.drawing.film.animation as animation;"
        "from sketchrnn_cli.cli import animate; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_drawings(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "quickdraw" / "simplified" / "cat.ndjson.gz"
    out = tmp_path / "cats.gif"
    result = run(source, "-n", 16, "-o", out, stdin=b"")
    assert result.exit_code == 0, result.stderr
    assert out.stat().st_size < 500_000
    with Image.open(out) as image:
        assert image.n_frames > 50


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder of two files of a drawing each, and one of two."""
    for name, lines in (("a/one", ONE), ("a/other", ONE), ("two", LINES)):
        path = tmp_path / f"{name}.ndjson"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lines)
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "n"),
    [(["two.ndjson", "a"], 4), (["a/o*.ndjson", "-"], 4), (["a/one.ndjson", "a/other.ndjson"], 2)],
)
def test_several_inputs_are_one_animation(sources, n, three, monkeypatch) -> None:  # noqa: ANN001
    monkeypatch.chdir(three)
    result = run(*sources, "-o", "x.svg", *SHORT, "--json")
    assert json.loads(result.stdout)["n_drawings"] == n


def test_standard_input_is_read_once() -> None:
    result = run("-", "-", "-o", "x.svg", *SHORT)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "- stands twice" in result.stderr


@pytest.mark.parametrize("typed", [["-o", "still.png"], ["-o", "still", "--format", "png"]])
def test_a_still_picture_is_made_by_inspect(typed, three, monkeypatch) -> None:  # noqa: ANN001
    monkeypatch.chdir(three)
    result = run("two.ndjson", *typed)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    command = result.stderr.partition("for a still picture: sketchrnn ")[2].split()
    assert command[:2] == ["inspect", "two.ndjson"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert Path("still.png").read_bytes().startswith(b"\x89PNG")
