"""Plain values of options are read as pydantic reads them, and without it."""

import subprocess
import sys
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from sketchrnn_cli.cli import values

TEXTS = (
    *("7", "-7", "+7", "007", "0", "-0", " 7", "7 ", "7.0", "1_000", "1e3", "9" * 18, "9" * 19),
    *("0.5", "-0.5", ".5", "5.", "1e-3", "inf", "nan", "0x10", "", "true", "False", "on", "2", "٣"),
    *("auto", "Auto", "cpu", "x"),
)
Device = Literal["auto", "cpu"]


def answers(app, texts):
    runs = [CliRunner().invoke(app, [f"--value={text}"]) for text in texts]
    return [(run.exit_code, run.stdout) for run in runs]


@pytest.mark.parametrize("kind", [int, float, str, bool, Device], ids=str)
@pytest.mark.parametrize("bounds", [{}, {"min": 0, "max": 7}], ids=["free", "bounded"])
def test_values_are_those_of_typer(kind, bounds):
    class Plainly(typer.core.TyperCommand):
        def get_params(self, ctx):
            parameters = super().get_params(ctx)
            for parameter in parameters:
                values.read_plainly(parameter)
            return parameters

    def show(value=None):
        typer.echo(f"{type(value).__name__} {value!r}")

    bounds = bounds if kind in (int, float) else {}
    show.__annotations__["value"] = kind | None
    show.__defaults__ = (typer.Option(None, "--value", **bounds),)
    plainly, usual = typer.Typer(), typer.Typer()
    plainly.command(cls=Plainly)(show)
    usual.command()(show)
    if kind is bool:  # a flag takes no value
        for app in (plainly, usual):
            assert CliRunner().invoke(app, ["--value"]).stdout == "bool True\n"
        return
    found = answers(plainly, TEXTS)
    assert found == answers(usual, TEXTS)
    assert len(set(found)) > 2


def test_lists_are_those_of_typer():
    assert values.plain(str, "cat") == "cat"
    with pytest.raises(values.NotPlain):
        values.plain(list[str], "cat")


def test_sampling_never_loads_pydantic_and_a_bad_value_is_refused_all_the_same():
    code = """import sys
from sketchrnn_cli.cli.app import main
sys.argv = ["sketchrnn", "sample", "cat", "-n", "1", "--best-of", "1", "-o", "-"] + sys.argv[1:]
try:
    main()
except SystemExit as end:
    code = end.code
sys.exit(77 if "pydantic" in sys.modules else code)"""
    call = [sys.executable, "-c", code]
    assert subprocess.run(call, check=False, capture_output=True).returncode == 0
    refused = subprocess.run([*call, "--seed", "many"], check=False, capture_output=True, text=True)
    assert refused.returncode == 77
    assert "--seed many: must be a whole number" in refused.stderr
