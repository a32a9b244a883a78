"""Promises about the package as a whole."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
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
