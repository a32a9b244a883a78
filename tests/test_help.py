"""--help, and what somebody sees who has typed too little or something else."""

import re

import pytest
import shell_lines
import typer
from typer.testing import CliRunner

import sketchrnn_cli
from sketchrnn_cli.cli.app import COMMANDS as SUMMARIES
from sketchrnn_cli.cli.app import _needed, app, program
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


@pytest.mark.slow
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
        (["sampel", "cat"], "sampel: no such command; did you mean sample?"),
        (["sample", "--tempp", "1"], "--tempp: no such option; did you mean --temp?"),
        (["train", "--step", "1"], "--step: no such option; did you mean --steps?"),
        (["sample", "--device", "tpu"], "--device tpu: must be one of auto, cpu, cuda, mps"),
        (["sample", "--frames", "few"], "--frames few: must be a whole number"),
        (["animate", "--fps", "few"], "--fps few: must be a number"),
        (["train", "--steps", "0"], "--steps 0: must be from 1 to 1,000,000,000,000"),
        (["sample", "--temp"], "see sketchrnn sample --help"),
        (["--nope"], "see sketchrnn --help"),
        (["three cats"], 'sketchrnn sample "three cats"'),
        (["cat"], 'sketchrnn sample "cat"'),
        (["evaluate", "x"], "evaluate: no such command; did you mean inspect?"),
        (["versoin"], "versoin: no such command; did you mean version?"),
        (["sample", "--tau", "1"], "--tau: no such option; did you mean --temp?"),
        (["sample", "--num", "1"], "--num: no such option; did you mean --count?"),
        (["train", "--lr", "1"], "--lr: no such option; did you mean --learning-rate?"),
        (["train", "--gpu"], "--gpu: no such option; did you mean --device cuda?"),
        (["sample", "--verbose"], "--verbose: no such option; see sketchrnn sample --help"),
        (["-v"], "-v: no such option; did you mean --version?"),
        (["animate", "--page", "a4"], "no such option of animate; sample and inspect have it"),
        (["sample", "cat", "-n", "0"], "-n 0: must be from 1 to 1,000,000"),
        (["sample", "cat", "--count=0"], "--count 0: must be from 1 to 1,000,000"),
        (["sample", "cat", "-n"], "-n: a value is missing; see sketchrnn sample --help"),
        (["sample", "cat", "--dark=1"], "--dark: takes no value; see sketchrnn sample --help"),
        (["sample", "--columns", "0"], "--columns 0: must be from 1 to 10,000"),
        (["sample", "--line-width", "0"], "--line-width 0: must be from 0.1 to 200"),
        (["train", "--learning-rate", "-1"], "--learning-rate -1: must be from 1e-12 to 10"),
        (["train", "--cell", "gru"], "--cell gru: must be one of lstm, layer-norm, hyper"),
        (["train", "--precision", "bf16"], "float64; did you mean bfloat16?"),
        (["preprocess", "a.ndjson"], "-o is missing, as in: sketchrnn preprocess cats.ndjson -o"),
        (["preprocess"], "SOURCE is missing, as in: sketchrnn preprocess"),
        (["demo", "cat"], "cat: not expected here; see sketchrnn demo --help"),
        (["help", "sampel"], "sampel: no such command; did you mean sample?"),
        (["sample", "-model", "runs/cat"], "-model: no such option; did you mean --model?"),
        (["sample", "cat", "-temp=0.3"], "-temp: no such option; did you mean --temp?"),
        (["sample", "-help"], "-help: no such option; did you mean --help?"),
        (["-help"], "-help: no such option; did you mean --help?"),
        (["-version"], "-version: no such option; did you mean --version?"),
        (["sample", "cat", "--n", "3"], "--n: no such option; did you mean -n?"),
        (["train", "--model", "x"], "--model: no such option; did you mean --from?"),
        (["demo", "."], ".: not expected here; did you mean --model .?"),
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
    assert "nothing: no such command" in CliRunner().invoke(app, ["help", "nothing"]).stderr


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


@pytest.mark.parametrize("name", ["--temp", "--temperature", "-t"])
def test_the_temperature_has_a_short_name(name):
    told = CliRunner().invoke(app, ["sample", "cat", name, "9"])
    assert f"{name} 9: must be from 0.01 to 2" in told.stderr


def test_one_thing_has_one_name_on_every_command():
    names = {"count": "-n", "out": "-o", "model": "-m", "quiet": "-q"}
    aliases: dict[str, set[tuple[str, ...]]] = {}
    for each in COMMANDS:
        for parameter in command(each).params:
            if parameter.name in names:
                assert names[parameter.name] in parameter.opts
            if parameter.param_type_name == "option" and parameter.name not in ("fit", "grid"):
                aliases.setdefault(parameter.name, set()).add(tuple(parameter.opts))
    assert {name: found for name, found in aliases.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["sample", "cat", "-o", "x.pgn"], "x.pgn: unknown format 'pgn'; did you mean x.png?"),
        (["sample", "cat", "-o", "x.jpg"], "x.jpg: unknown format 'jpg'; did you mean x.png?"),
        (["sample", "cat", "-o", "x.sgv"], "did you mean x.svg?"),
        (["sample", "cat", "-o", "."], ".: a folder; name a file, as in drawing.svg"),
        (["sample", "cat", "-o", "pics/"], "pics/: a folder; name a file, as in pics"),
        (["sample", "cat", "-o", "cats"], "cats: no format; name it cats.svg, or with one of"),
        (["animate", "x.ndjson", "-o", "x"], "x: no format; name it x.gif, or with one of"),
        (["preprocess", "x.ndjson", "-o", "x"], "x: no format; name it x.npz, or with one of"),
        (["sample", "-m", "x.ndjson"], "to train one on drawings: sketchrnn train x.ndjson"),
        (["sample", "-m", "x"], "x: no such checkpoint; a run folder of `train` is one, or"),
        (["encode", "m.safetensors"], "m.safetensors: a model, where drawings are expected"),
        (["inspect", "m.ndjson"], "m.ndjson: no such file"),
        (
            ["train", "run"],
            "expected; it goes with --model; sketchrnn train -o run --resume resumes",
        ),
        (["train", "quickdraw"], "quickdraw: no such file; name a word, as in quickdraw:cat"),
        (["train", "--resume", "-o", "r"], "nothing to resume: no config.toml in it; name a run"),
        (["sample", "cat.svg"], "cat.svg: a file, where a PROMPT is expected; -o cat.svg writes"),
        (["animate", "x.ndjson", "-o", "x.mov"], "did you mean x.mp4?"),
        (["inspect", "x.ndjson", "-o", "x.gif"], "sketchrnn animate x.ndjson -o x.gif"),
        (["encode", "nothing"], "nothing: no such file"),
        (["train", "cat"], "cat: no such file; quickdraw:cat downloads drawings"),
        (["animate", "bad.ndjson", "-o", "x.gif"], "repair the line, or use --on-error skip"),
        (["sample", "--complete", "bad.ndjson"], "bad.ndjson:1: no drawing in an object with word"),
    ],
)
def test_a_wrong_file_gets_the_way_out(typed, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.ndjson").write_text('{"word": "cat"}\n')
    (tmp_path / "m.safetensors").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    (tmp_path / "x.ndjson").write_text('{"word": "cat", "drawing": [[[0, 9], [0, 9]]]}\n')
    told = CliRunner().invoke(app, typed)
    assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (1, "", 1)
    assert hint in told.stderr
    assert "--on-error" not in told.stderr or typed[0] == "animate"


def test_the_list_of_commands_says_what_their_own_help_says():
    full = typer.main.get_command(program())
    assert list(full.commands) == list(SUMMARIES)
    for name, command in full.commands.items():
        assert " ".join(command.help.split("\n\n")[0].split()) == SUMMARIES[name]
    listed = CliRunner().invoke(_needed(["--help"]), ["--help"])
    assert listed.stdout == CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["sample", "cat"], ["sample"]),
        (["--debug", "sample"], ["sample"]),
        (["help", "train"], ["train"]),
        (["smaple"], list(SUMMARIES)),
        (["--model", "x"], list(SUMMARIES)),
    ],
)
def test_a_command_is_declared_alone_and_all_where_none_is_known(arguments, names):
    command = typer.main.get_group(_needed(arguments))
    assert list(command.commands) == names
    assert all(len(each.params) > 1 for each in command.commands.values())


def test_a_shell_that_asks_for_completions_gets_all_options(monkeypatch):
    assert not any(each.params for each in typer.main.get_group(_needed([])).commands.values())
    monkeypatch.setenv("_SKETCHRNN_COMPLETE", "complete_bash")
    assert all(each.params for each in typer.main.get_group(_needed([])).commands.values())
