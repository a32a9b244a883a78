"""What the commands write over what is there: one rule, walked through every command."""

import json

import networks
import pytest
import typer
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint

SHORT = ["--max-points", "9"]
DATA = {  # commands that write drawings, latents, a packed set or a model, without -o
    "old.ndjson": ["sample", "-m", "m.safetensors", "-n", "1", *SHORT],
    "old.npz": ["sample", "-m", "m.safetensors", "-n", "1", *SHORT],
    "old.ndjson.gz": ["sample", "-m", "m.safetensors", "-n", "1", *SHORT],
    "z.npz": ["encode", "a.ndjson", "-m", "m.safetensors"],
    "z.ndjson": ["encode", "a.ndjson", "-m", "m.safetensors"],
    "fit.safetensors": ["encode", "a.ndjson", "-m", "m.safetensors", "--fit"],
    "set.npz": ["preprocess", "a.ndjson"],
    "set.ndjson": ["preprocess", "a.ndjson"],
    "out.npz": ["export", "-m", "m.safetensors"],
    "out.safetensors": ["export", "-m", "m.safetensors"],
    "out.html": ["export", "-m", "m.safetensors"],
    "old.csv": ["animate", "a.ndjson", "--duration", "0.1", "--hold", "0", "--format", "gif"],
}
PICTURES = {  # the options of these end in that of their picture
    "a.svg": ["sample", "-m", "m.safetensors", "-n", "1", *SHORT, "-o"],
    "a.png": ["sample", "-m", "m.safetensors", "-n", "1", *SHORT, "-o"],
    "a.gif": ["animate", "a.ndjson", "--duration", "0.1", "--hold", "0", "-o"],
    "sheet.png": ["inspect", "a.ndjson", "--grid"],
}
INPUTS = {  # what each reads is what it would write
    "sample --complete": ["sample", "-m", "m.safetensors", "--complete", "a.ndjson", "-o"],
    "encode": ["encode", "a.ndjson", "-m", "m.safetensors", "-o"],
    "preprocess": ["preprocess", "a.ndjson", "-o"],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with drawings and a model."""
    monkeypatch.chdir(tmp_path)
    model = networks.tiny(words=("cat",), latent_size=8)
    checkpoint.save(tmp_path / "m.safetensors", model)
    lines = [
        json.dumps({"word": "cat", "drawing": [[[0, 9 + k], [0, 9]], [[k], [4]]]}) + "\n"
        for k in range(24)
    ]
    (tmp_path / "a.ndjson").write_text("".join(lines))
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("name", DATA)
def test_data_is_replaced_only_with_overwrite(name, here):
    (here / name).write_bytes(b"old")
    told = run(*DATA[name], "-o", name)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == f"error: {name}: exists; give --overwrite to replace it\n"
    assert (here / name).read_bytes() == b"old"
    told = run(*DATA[name], "-o", name, "--overwrite")
    assert told.exit_code == 0, told.stderr
    assert (here / name).read_bytes() != b"old"


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_replaced_without_asking(name, here):
    (here / name).write_bytes(b"old")
    told = run(*PICTURES[name], name)
    assert told.exit_code == 0, told.stderr
    assert (here / name).read_bytes() != b"old"


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_an_output_is_never_an_input(name, link, here):
    before = (here / "a.ndjson").read_bytes()
    target = "link.ndjson" if link else "a.ndjson"
    if link:
        (here / target).symlink_to(here / "a.ndjson")
    told = run(*INPUTS[name], target, "--overwrite")
    assert told.exit_code == 1
    assert "is also read" in told.stderr
    assert (here / "a.ndjson").read_bytes() == before


def test_every_command_that_writes_data_is_walked():
    commands = typer.main.get_command(app).commands
    walked = {words[0] for words in DATA.values()} | {"train"}  # see test_cli_train
    assert walked == {
        name
        for name, command in commands.items()
        if "overwrite" in {parameter.name for parameter in command.params}
    }
