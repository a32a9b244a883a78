"""Options that exclude or need one another: the whole table, through the command line."""

import json

import networks
import pytest
import typer
from typer.testing import CliRunner

from sketchrnn_cli.cli import rules
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint

GROUP = typer.main.get_command(app)
NEEDED = {  # what a command does not run without
    "preprocess": ["x.ndjson", "-o", "x.npz"],
    "export": ["-o", "x.vae.json"],
    "sample": ["-o", "x.svg"],
    "animate": ["x.ndjson", "-o", "x.gif"],
}
TYPED = {  # options whose value is not a number, arguments, and facts
    "STDOUT": ["-o", "-", "--format", "vae.json"],
    "PIPE": ["-o", "-"],
    "RAW": ["--no-simplify"],
    "LINES": ["-o", "x.ndjson"],
    "DECODER": ["--no-encoder"],
    "SVG": ["-o", "x.svg"],
    "READ": ["m.safetensors", "--evaluate", "x.ndjson"],
    "FIGURES": ["x.ndjson", "--densities", "d.svg"],
    "ALL": ["x.ndjson", "--score"],
    "device": ["--device", "cpu"],
    "encoder_cell": ["--encoder-cell", "lstm"],
    "RESUMED": ["--resume"],
    "TEMPS": ["--temp", "0.2,1"],
    "WHOLE": ["-o", "x.npz"],
    "FLOAT32": ["-o", "x.npz"],
    "OTHER": ["-o", "x.html"],
    "MODEL": ["m.safetensors"],
    "DRAWINGS": ["x.ndjson"],
    "SEVERAL": ["m.safetensors", "m.safetensors"],
    "prompt": ["cat"],
    "interpolate": ["--interpolate", "2x2"],
    "page": ["--page", "a4"],
    "projection": ["--projection", "pca"],
    "split": ["--split", "test"],  # of inspect
    "color_by": ["--color-by", "time"],
    "format": ["--format", "npz"],
    "preset": ["--preset", "tiny"],
    "size": ["--size", "99"],
    **{name: [f"--{name}", f"{name}.svg"] for name in ("map", "plot", "grid", "densities")},
}


OF_INSPECT = ("READ", "FIGURES", "ALL")  # what is inspected, and for what


def typed(command, name):
    """How an option or a fact is typed."""
    if (command, name) == ("preprocess", "split"):
        return ["--split", "8,1,1"]
    if name in TYPED:
        return TYPED[name]
    (parameter,) = (each for each in GROUP.commands[command].params if each.name == name)
    spelled = max(parameter.opts, key=len)
    return [spelled] if parameter.is_flag else [spelled, "1"]


def line(command, *names):
    """A command line with these, and what it does not run without."""
    words = [word for name in names for word in typed(command, name)]
    given = NEEDED.get(command, [])
    if "list_words" in names:
        given = []
    if "-o" in words and given:
        given = given[: given.index("-o")]
    if command == "inspect" and not {"MODEL", "DRAWINGS", "SEVERAL", *OF_INSPECT} & {*names}:
        given = TYPED["MODEL" if "evaluate" in names else "DRAWINGS"]
    return [command, *given, *words]


PAIRS = [
    (command.split()[0], rule, other)
    for command, table in rules.RULES.items()
    for rule in table
    for other in rule.excluded
]
NEEDS = [
    (command.split()[0], rule)
    for command, table in rules.RULES.items()
    for rule in table
    if rule.needed
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a model and a drawing."""
    monkeypatch.chdir(tmp_path)
    checkpoint.save(tmp_path / "m.safetensors", networks.tiny())
    drawing = {"word": "cat", "drawing": [[[0, 9], [0, 9]]]}
    (tmp_path / "x.ndjson").write_text(json.dumps(drawing) + "\n")
    return tmp_path


def refused(words, message, here):
    before = sorted(here.rglob("*"))
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 1, (words, told.stderr)
    assert told.stderr == f"error: {message}\n"
    assert told.stdout == ""
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "rule", "other"), PAIRS, ids=[f"{c} {r.first} {o}" for c, r, o in PAIRS]
)
def test_what_excludes_another_option_is_refused_beside_it(command, rule, other, here):
    message = f"{rules.called(rule.first)} does not go with {rules.called(other)}: {rule.why}"
    refused(line(command, rule.first, other), message, here)


@pytest.mark.parametrize(("command", "rule"), NEEDS, ids=[f"{c} {r.first}" for c, r in NEEDS])
def test_what_needs_another_option_is_refused_without(command, rule, here):
    listed = " or ".join(map(rules.called, rule.needed))
    kind = {
        "plot": ["DRAWINGS"],
        "score": ["MODEL"],
        "doubtful": ["MODEL"],
        "evaluate": ["DRAWINGS"],
    }
    if (command, rule.needed) == ("inspect", ("page",)):
        kind["margin"] = ["grid"]
    words = line(command, rule.first, *kind.get(rule.first, []))
    if rule.needed == ("PICTURE",):
        words[words.index("x.svg")] = "x.ndjson"
    refused(words, f"{rules.called(rule.first)} needs {listed}: {rule.why}", here)


def test_the_table_names_only_what_there_is():
    assert {name.split()[0] for name in rules.RULES} == set(GROUP.commands)
    for command, table in rules.RULES.items():
        known = {parameter.name for parameter in GROUP.commands[command.split()[0]].params}
        named = {name for rule in table for name in (rule.first, *rule.excluded, *rule.needed)}
        assert {name for name in named if not name.isupper()} <= known
        assert {name for name in named if name.isupper()} <= rules.CALLED.keys()
        assert all(rule.why for rule in table)


def test_options_that_go_together_pass():
    rules.check("sample", {"prompt", "frames", "strict", "temp", "prior"})
    rules.check("inspect THING", {"MODEL", "evaluate", "score", "map", "count"})
