"""What the Tab key offers, in every shell that typer knows, and what it does not."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from outside import missing
from typer.testing import CliRunner

from sketchrnn_cli.cli import completion
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.sketches.words import QUICKDRAW as WORDS


def write_head(path, words):
    """A model's head, without weights."""
    head = json.dumps({"__metadata__": {"words": json.dumps(words)}}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with two runs, a model, drawings, and names that a shell would run."""
    for name in ("runs/cats/state", "runs/owl", "runs/empty", "cats", "two words/state"):
        (tmp_path / name).mkdir(parents=True)
    write_head(tmp_path / "runs/owl/model.safetensors", ["owl", "ice cream", "$(touch x)", "-rf"])
    for name in ("cats.ndjson", "cats.safetensors", "notes.txt", "$(touch x).npz", "-x.npz"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*words, shell="bash"):
    """What is offered for the last of these words."""
    line = " ".join(["sketchrnn", *words])
    variables = {"_SKETCHRNN_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        variables |= {"COMP_WORDS": "\n".join(["sketchrnn", *words]), "COMP_CWORD": str(len(words))}
    elif shell in ("powershell", "pwsh"):
        variables |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1]}
    else:
        variables |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = CliRunner().invoke(app, [], env=variables, prog_name="sketchrnn")
    assert done.exit_code == 0
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sam"], ["sample"]),
        (["sample", "--interp"], ["--interpolate"]),
        (["sample", "ca"], [word for word in WORDS if word.startswith("ca")]),
        (["sample", "ice"], ["ice-cream"]),
        (["sample", '"two ice c'], ["two ice cream"]),
        (["sample", '"cat -> ow'], ["cat -> owl"]),
        (["sample", "cat,ow"], ["cat,owl"]),
        (["sample", "--model", "runs/owl", ""], ["owl", "ice-cream"]),
        (["sample", "--model", "cats.ndjson", "c"], [""]),
        (["sample", "--model", "runs/"], ["runs/cats", "runs/owl"]),
        (["sample", "--model", ""], ["runs/cats", "runs/owl", "cats.safetensors"]),
        (["sample", "-o", "new.s"], ["new.svg"]),
        (["sample", "-o", "cat"], [""]),
        (["sample", "--format", "s"], ["svg"]),
        (["encode", "-o", "z."], ["z.ndjson", "z.npz"]),
        (["export", "-o", "bird.g"], ["bird.gen.json"]),
        (["export", "--word", "ow"], ["owl"]),
        (["demo", "--model", "runs/c"], ["runs/cats"]),
        (["train", "--preset", ""], ["tiny", "base", "paper", "magenta"]),
        (["train", "--cell", "l"], ["lstm", "layer-norm"]),
        (["train", "--resume", "-o", "runs/c"], ["runs/cats"]),
        (["train", "ca"], ["cats.ndjson"]),
        (["preprocess", "quickdraw:zeb"], ["quickdraw:zebra"]),
        (["preprocess", "quickdraw", ":", "zeb"], ["zebra"]),
        (["preprocess", "qui"], ["quickdraw:"]),
        (["preprocess", "--on-error", ""], ["fail", "skip"]),
        (["inspect", ""], ["runs/cats", "runs/owl", "cats.ndjson", "cats.safetensors"]),
        (["inspect", "--grid", "sheet."], ["sheet.svg", "sheet.png"]),
    ],
)
def test_the_tab_key_offers(words, expected, home):
    assert offered(*words) == expected


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", """_arguments '*: :(("owl"\n"ice-cream"))'"""),
        ("fish", "owl\nice-cream"),
        ("powershell", "owl::: \nice-cream::: "),
    ],
)
def test_other_shells_are_answered_in_their_way(shell, expected, home):
    assert "\n".join(offered("sample", "--model", "runs/owl", "", shell=shell)) == expected


def test_a_broken_model_offers_nothing(tmp_path):
    path = tmp_path / "model.safetensors"
    for head in (b"", b"\xff" * 9, b"\x02" + b"\0" * 7 + b"[]", b"\x02" + b"\0" * 7 + b"{}"):
        path.write_bytes(head)
        assert completion.words_of(str(path)) == []
    write_head(path, "cat")
    assert completion.words_of(str(tmp_path)) == []
    write_head(path, ["cat", 7])
    assert completion.words_of(str(tmp_path)) == ["cat"]


def test_completion_loads_neither_numbers_nor_network():
    code = """import sys, os
from sketchrnn_cli.cli.app import main
sys.argv = ["sketchrnn"]
try: main()
finally: sys.exit(77 if sys.modules.keys() & {"numpy", "torch", "matplotlib", "orjson"} else 0)"""
    words = {"COMP_WORDS": "sketchrnn\nsample\nca", "COMP_CWORD": "2"}
    environment = {**os.environ, **words, "_SKETCHRNN_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "cat" in done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="bash completes for people elsewhere")
def test_bash_installs_it_and_completes_with_it(tmp_path):
    bash = shutil.which("bash") or missing("no bash here")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "sketchrnn"
    program.write_text(
        f"#!{sys.executable}\nfrom sketchrnn_cli.cli.app import main\nmain()\n", "utf-8"
    )
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    script = """sketchrnn --install-completion && source "$HOME/.bash_completions/sketchrnn.sh"
COMP_WORDS=(sketchrnn sample ow) COMP_CWORD=2
_sketchrnn_completion sketchrnn && echo "offered ${COMPREPLY[*]}"
"""
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        env={**os.environ, "HOME": str(tmp_path), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bash completion installed" in done.stdout, done.stderr
    assert "offered owl" in done.stdout
    assert "sketchrnn.sh" in (tmp_path / ".bashrc").read_text()
