"""Promises about the package as a whole."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import warm
from typer.testing import CliRunner

import sketchrnn_cli
from sketchrnn_cli.cli.app import app

PACKAGE = Path(sketchrnn_cli.__file__).parent


def loads_torch(code):
    """Whether a fresh interpreter has torch after running this."""
    check = f"{code}\nimport sys; sys.exit(77 if 'torch' in sys.modules else 0)"
    return subprocess.run([sys.executable, "-c", check], check=False).returncode == 77


def test_help_never_loads_torch():
    assert not loads_torch("import sketchrnn_cli.cli.app")


@pytest.mark.slow
def test_the_check_for_torch_can_fail():
    assert loads_torch("import torch")


@pytest.mark.parametrize("code", ["", "import sketchrnn_cli.inference.engine"])
def test_help_loads_no_numbers_pictures_nor_network_in_use(code):
    rooms = "'numpy', 'matplotlib', 'PIL', 'orjson', 'sklearn', 'imageio'"
    check = f"""import sys, sketchrnn_cli.cli.app
{code}
sys.exit(77 if sys.modules.keys() & {{{rooms}}} else 0)"""
    ended = subprocess.run([sys.executable, "-c", check], check=False)
    assert ended.returncode == (77 if code else 0)


def test_help_lists_the_commands_and_version_is_the_packages():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("preprocess", "train", "sample", "encode", "animate", "inspect", "demo"):
        assert command in result.stdout
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    version = CliRunner().invoke(app, ["--version"])
    assert version.stdout == f"sketchrnn {sketchrnn_cli.__version__}\n"


def test_an_unknown_command_and_option_are_usage_errors():
    assert CliRunner().invoke(app, ["paint"]).exit_code == 2
    assert CliRunner().invoke(app, ["inspect", "--colour-of-the-sky"]).exit_code == 2


def test_a_fault_is_one_line_and_debug_shows_its_traceback(tmp_path):
    missing = str(tmp_path / "(x).npz")
    command = [sys.executable, "-m", "sketchrnn_cli", "inspect", missing]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stdout) == (1, "")
    assert plain.stderr.startswith("error: ")
    assert "(x).npz: no such file" in plain.stderr
    assert plain.stderr.count("\n") == 1
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert "Traceback" in debug.stderr
    assert debug.returncode == 1


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.name)
def test_nothing_unpickles_and_only_the_terminal_prints(path):
    room = path.relative_to(PACKAGE).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False, f"{path}:{node.value.lineno}"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            unpickles = ("pickle.load", "pickle.loads", "torch.load", "eval", "exec")
            assert name not in unpickles, f"{path}:{node.lineno}: {name}"
            assert name != "print" or room == "cli", f"{path}:{node.lineno}: prints"


HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")
sys.meta_path.insert(0, Hidden())
from sketchrnn_cli.model import device
device.has_gpu = lambda: True  # a driver alone brings no torch
from sketchrnn_cli.__main__ import main
main()
"""


def without_torch(folder, command):
    """A command where torch cannot be imported."""
    arguments = [sys.executable, "-c", HIDDEN, *command.split()]
    return warm.run(
        arguments, trains=False, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_all_commands_but_train_work_where_torch_cannot_be_imported(tmp_path):
    line = '{"word": "cat", "drawing": [[[%d, 60, 120], [20, 90, 30]]]}\n'
    (tmp_path / "cats.ndjson").write_text("".join(line % k for k in range(9)))
    for command in (
        "sample cat -n 1 -o cat.svg",
        "encode cats.ndjson -o z.npz",
        "preprocess cats.ndjson -o cats.npz",
        "inspect cats.npz --score --map map.svg -o sheet.png",
        "inspect --evaluate cats.npz --split train",
        "animate cats.ndjson -o cats.gif",
        "export -o page.html",
        "export -o model.onnx",
        "train --help",
    ):
        result = without_torch(tmp_path, command)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", ["train cats.npz -o run", "sample cat --device cuda"])
def test_where_torch_is_missing_one_line_says_how_to_install_it(tmp_path, command):
    result = without_torch(tmp_path, command)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert (
        "needs PyTorch, which is not installed: pip install torch; without a GPU" in result.stderr
    )
    assert list(tmp_path.iterdir()) == []
