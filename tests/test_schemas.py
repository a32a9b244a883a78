"""docs/schemas hold every ``--json`` answer and every line of NDJSON, in all their variants."""

import copy
import dataclasses
import json
from pathlib import Path

import networks
import pytest
import typer
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from sketchrnn_cli.cli import demo
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint

SCHEMAS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in (Path(__file__).parents[1] / "docs" / "schemas").glob("*.json")
}
LINE = '{"word": "%s", "drawing": [[[0, %d, 120], [20, 90, 30]], [[5, 9], [1, 7]]], "key_id": "7"}'
DRAWINGS = [LINE % (word, 60 + k) for k in range(7) for word in ("cat", "pig")]
FAULTY = '{"word": "cat", "drawing": [[[1]]]}'
RAW = '{"word": "cat", "drawing": [[[0.5, 60, 900], [20, 90.25, 30], [0, 40, 95]]]}'


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Files that the commands below read."""
    folder = tmp_path_factory.mktemp("schemas")
    told = networks.with_recogniser(networks.of_words())
    models = {
        "told": dataclasses.replace(told, training={"counts": [3, 4, 5]}),
        "bare": networks.tiny(encoder=False, preparation=networks.FITTED),
        "plain": networks.tiny(preparation=networks.FITTED, n_mixtures=20),
        "older": networks.tiny(),
    }
    for name, model in models.items():
        checkpoint.save(folder / f"{name}.safetensors", model)
    (folder / "cats.ndjson").write_text("\n".join(DRAWINGS) + "\n")
    (folder / "few.ndjson").write_text("\n".join(DRAWINGS[:3]) + "\n")
    (folder / "faulty.ndjson").write_text("\n".join([*DRAWINGS, FAULTY]) + "\n")
    (folder / "raw.ndjson").write_text(RAW + "\n")
    (folder / "half.ndjson").write_text('{"drawing": [[[0, 60, 120], [20, 90, 30]]]}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        answer("preprocess cats.ndjson -o cats.npz")
        train = "train cats.npz --preset tiny --no-encoder --steps 2"
        assert CliRunner().invoke(app, [*train.split(), "-o", "run"]).exit_code == 0
        assert CliRunner().invoke(app, [*train.split(), "-o", "early"]).exit_code == 0
        (folder / "early" / "model.safetensors").unlink()
    return folder


@pytest.fixture(autouse=True)
def _there(place, monkeypatch):
    monkeypatch.chdir(place)


def output(command, code=0):
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == code, result.stderr + str(result.exception)
    return result.stdout


def answer(command):
    return json.loads(output(f"{command} --json"))


def check(name, value):
    Draft202012Validator(SCHEMAS[name]).validate(value)


ANSWERS = [
    "preprocess cats.ndjson --overwrite -o a.npz",
    "preprocess faulty.ndjson --on-error skip --per-word 3 --max-points 9 --overwrite -o a.npz",
    "preprocess cats.ndjson --format sketch-rnn --overwrite -o a.npz",
    "preprocess cats.ndjson --overwrite -o a.ndjson",
    "preprocess cats.npz raw.ndjson --fit --split 50,25,25 --overwrite -o a.npz",
    "preprocess cats.ndjson --doubtful drop --model told.safetensors --overwrite -o a.npz",
    "train cats.npz --preset tiny --steps 1 -o made --overwrite",
    "train cats.npz --preset tiny --steps 1 --no-encoder -o made --overwrite",
    "sample --model told.safetensors cat wolves -n 2 --overwrite -o a.ndjson",
    "sample --model plain.safetensors -n 2 --max-points 3 -o a.svg",
    "sample --model told.safetensors cat -n 2 --overwrite -o a.npz",
    "sample --model told.safetensors --list-words",
    "encode few.ndjson --model told.safetensors --overwrite -o z.ndjson",
    "encode faulty.ndjson --model plain.safetensors --on-error skip --overwrite -o z.npz",
    "encode cats.ndjson --model told.safetensors --fit -o fitted.safetensors --overwrite",
    "animate few.ndjson -o a.gif",
    "animate few.ndjson --morph --duration 1 -o a.svg",
    "export --model told.safetensors -o a.html --overwrite",
    "export --model told.safetensors --int8 -o a.safetensors --overwrite",
    "export --model told.safetensors -o a.onnx --overwrite",
    "export --model plain.safetensors -o a.vae.json --overwrite",
    "demo --model told.safetensors",
    "inspect few.ndjson",
    "inspect cats.ndjson -o sheet.svg -n 4",
    "inspect faulty.ndjson",
    "inspect half.ndjson",
    "inspect raw.ndjson",
    "inspect cats.npz",
    "inspect a.npz",
    "inspect told.safetensors",
    "inspect bare.safetensors -o sheet.svg",
    "inspect older.safetensors --densities d.svg --drawing 3",
    "inspect told.safetensors --map m.svg -n 9",
    "inspect run",
    "inspect run --plot loss.svg",
    "inspect early",
    "inspect early --plot loss.svg",
    "inspect run older.safetensors",
    "inspect run told.safetensors",
    "inspect run --evaluate cats.npz --split train",
    "inspect told.safetensors --evaluate cats.npz --split train --samples 2 --score --plot s.svg",
    "inspect plain.safetensors --evaluate cats.ndjson --split train --map m.svg --densities d.svg",
    "inspect cats.ndjson --model told.safetensors --score -o sheet.svg",
    "inspect half.ndjson --model bare.safetensors --score",
    "inspect cats.npz --model told.safetensors --map m.svg --projection tsne",
    "inspect cats.ndjson --model told.safetensors --doubtful -o sheet.svg",
]


@pytest.mark.slow
@pytest.mark.parametrize("command", ANSWERS)
def test_answers_are_as_their_schema_says(command, monkeypatch):
    monkeypatch.setattr(demo, "_open", lambda path: False)
    found, name = answer(command), command.split()[0]
    check(name, found)
    validator = Draft202012Validator(SCHEMAS[name])
    for key in found:  # a schema that allows anything would say nothing
        wrong = copy.deepcopy(found)
        wrong[f"{key}_"] = wrong[key]
        assert not validator.is_valid(wrong)


def test_every_command_with_answers_is_here():
    commands = typer.main.get_command(app).commands
    with_json = {
        name
        for name, command in commands.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert len(with_json) >= 8
    assert with_json == {command.split()[0] for command in ANSWERS}
    assert SCHEMAS.keys() == with_json | {"drawing"}


@pytest.mark.parametrize(
    ("command", "has"),
    [
        ("preprocess cats.ndjson raw.ndjson --format ndjson -o -", {"key_id"}),
        ("preprocess half.ndjson --format ndjson -o -", {"drawing"}),
        ("sample --model told.safetensors cat pig -n 3 -o -", {"seed", "finished"}),
        ("sample --model plain.safetensors --greedy -n 2 -o -", {"log_likelihood"}),
        ("sample --model bare.safetensors --complete half.ndjson -n 2 -o -", {"given_strokes"}),
        ("sample cat->pig --model told.safetensors --frames 2 -o -", {"morph"}),
        ("encode few.ndjson --model told.safetensors", {"z", "sigma", "recognized"}),
        ("encode raw.ndjson --model plain.safetensors", {"z", "sigma"}),
    ],
)
def test_lines_are_as_their_schema_says(command, has):
    lines = [json.loads(line) for line in output(command).splitlines()]
    assert lines
    for line in lines:
        check("drawing", line)
    assert any(has <= line.keys() for line in lines)


def test_schemas_are_schemas_and_refuse_what_is_none():
    for schema in SCHEMAS.values():
        assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
        Draft202012Validator.check_schema(schema)
    lines = Draft202012Validator(SCHEMAS["drawing"])
    for wrong in ({"word": "cat"}, {"drawing": [[[1, 2]]]}, {"drawing": [], "z": [1.0]}):
        assert not lines.is_valid(wrong)
