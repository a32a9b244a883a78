"""--help, and what somebody sees who has typed too little or something else."""

import re

import pytest
import shell_lines
import typer
from typer.testing import CliRunner

import sketchrnn_cli
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.cli.examples import EXAMPLES, FIRST

COMMANDS = list(EXAMPLES)
SCREEN = 24  # rows of a terminal


def command(name):
    return typer.main.get_command(app).commands[name]


def test_every_command_has_three_examples_that_fit_a_line():
    group = typer.main.get_command(app)
    assert group.commands.keys() == EXAMPLES.keys()
    for name, examples in EXAMPLES.items():
        assert len(examples) == 3
        for example in examples:
            assert f"sketchrnn {name}" in example.line
            assert len(example.line) <= 78
            assert len(example.what) <= 76


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_panel_of_a_help_fits_a_screen(name, width):
    told = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": str(width)})
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert max(map(len, lines)) <= width
    tops = [k for k, line in enumerate(lines) if line.startswith("╭")]
    ends = [k for k, line in enumerate(lines) if line.startswith("╰")]
    assert len(tops) == len(ends) >= 2
    for top, end in zip(tops, ends, strict=True):
        assert end - top < SCREEN, lines[top]
    assert "<bool>" not in told.stdout
    for example in EXAMPLES[name]:
        assert f" {example.line}" in [line.rstrip() for line in lines]


def test_every_option_has_a_help_and_values_have_a_name():
    for name in COMMANDS:
        for parameter in command(name).params:
            assert parameter.help, (name, parameter.name)
            assert parameter.metavar is not None, (name, parameter.name)


def test_the_name_alone_says_what_to_type_first():
    told = CliRunner().invoke(app, [])
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) < 10
    assert max(map(len, told.stdout.splitlines())) <= 80
    for example in FIRST:
        assert f"  {example.line}" in told.stdout
    for name in ("--help", "--install-completion"):
        assert name in told.stdout
    assert CliRunner().invoke(app, ["--debug"]).stdout == told.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What became of every example, run in their order in one folder."""
    folder = tmp_path_factory.mktemp("examples")
    with shell_lines.server(("ice cream",)) as environment:
        story = ("sample", "animate", "encode", "inspect", "preprocess", "train", "export", "demo")
        assert sorted(story) == sorted(EXAMPLES)
        lines = [example.line for name in story for example in EXAMPLES[name]]
        lines += [example.line for example in FIRST]
        return folder, {
            line: shell_lines.run(line, folder, environment) for line in dict.fromkeys(lines)
        }


@pytest.mark.parametrize(
    "line", dict.fromkeys(e.line for each in (*EXAMPLES.values(), FIRST) for e in each)
)
def test_an_example_works_as_typed(line, told):
    folder, results = told
    result = results[line]
    assert result.exit_code == 0, result.stderr
    assert "warning" not in result.stderr or "train" in line
    out = re.search(r"(?:-o|--grid) (\S+)", line)
    if out:
        assert (folder / out[1]).exists()
    else:
        assert result.stdout or "train" in line


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["sampel", "cat"], "Did you mean 'sample'?"),
        (["sample", "--tempp", "1"], "Did you mean --temp?"),
        (["train", "--step", "1"], "Did you mean --steps?"),
        (["sample", "--device", "tpu"], "--device tpu: must be one of auto, cpu, cuda, mps"),
        (["sample", "--frames", "few"], "--frames few: must be a whole number"),
        (["animate", "--fps", "few"], "--fps few: must be a number"),
        (["train", "--steps", "0"], "--steps 0: must be a whole number of at least 1"),
        (["sample", "--temp"], "see sketchrnn sample --help"),
        (["--nope"], "see sketchrnn --help"),
        (["three cats"], 'sketchrnn sample "three cats"'),
        (["cat"], 'sketchrnn sample "cat"'),
        (["evaluate", "x"], "'inspect'"),
    ],
)
def test_what_is_misspelled_gets_the_nearest(typed, hint):
    told = CliRunner().invoke(app, typed)
    assert told.exit_code == 2
    assert hint in told.stderr
    assert told.stderr.startswith("error: ")
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [2**63, 2**64, 10**30, -1])
@pytest.mark.parametrize(
    "words",
    [
        *(["sample", each] for each in ("-n", "--first", "--best-of", "--frames", "--seed")),
        ["animate", "-n"],
        *(["inspect", each] for each in ("-n", "--seed", "--samples", "--drawing")),
    ],
    ids=" ".join,
)
def test_a_number_out_of_bounds_is_one_line(words, number):
    told = CliRunner().invoke(app, [*words, str(number)])
    assert told.exit_code == 2
    assert f"{number}: must be from " in told.stderr
    assert told.stderr.count("\n") == 1


def test_options_answer_to_underscores():
    told = CliRunner().invoke(app, ["sample", "--best_of", "0"])
    assert "--best-of 0: must be from 1" in told.stderr


@pytest.mark.parametrize("typed", [["--version"], ["-V"], ["version"]])
def test_version_is_said_however_it_is_asked_for(typed):
    told = CliRunner().invoke(app, typed)
    assert (told.exit_code, told.stdout) == (0, f"sketchrnn {sketchrnn_cli.__version__}\n")


def test_help_is_shown_however_it_is_asked_for():
    for typed in ([], ["encode"]):
        told = CliRunner().invoke(app, ["help", *typed])
        assert (told.exit_code, told.stdout) == (
            0, CliRunner().invoke(app, [*typed, "--help"]).stdout,
        )  # fmt: skip
    assert "No such command 'nothing'" in CliRunner().invoke(app, ["help", "nothing"]).stderr


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["inspect", "cat.ndjson"], "cat.ndjson: no such file; did you mean cats.ndjson?"),
        (["inspect", "cat.npz"], "cat.npz: no such file; did you mean cats.npz?"),
        (["sample", "-m", "runs/cat"], "no such checkpoint; did you mean"),
        (["train", "--config", "confg.toml"], "did you mean config.toml?"),
        (["inspect", "nothing-like-it.svg"], "nothing-like-it.svg: no such file\n"),
        (["sample", "otl"], "closest: owl"),
    ],
)
def test_a_file_that_is_not_there_gets_the_nearest_name(typed, hint, tmp_path, monkeypatch):
    (tmp_path / "runs" / "cats").mkdir(parents=True)
    for name in ("cats.ndjson", "cats.npz", "config.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, typed)
    assert told.exit_code == 1
    assert hint in told.stderr
