"""A number of the command line that is out of its range is wrong usage: one line, exit code 2."""

import pytest
import typer
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app

GROUP = typer.main.get_command(app)
NEEDED = {"preprocess": ["x.ndjson", "-o", "x.npz"], "export": ["-o", "x.gen.json"]}
TEXTS = {  # options whose numbers stand in a text, and texts that are out of range
    "--temp": ["9", "0.2,9", "0", "nan", "inf", "-1", "hot", ""],
    "--time-limit": ["0", "0s", "-1m", "soon", "", "nan"],
    "--margin": ["-1mm", "wide", "nan", "10 parsec"],
    "--split": ["0,5,5", "90,5", "90,-5,5", "a,b,c", "nan,1,1", "inf,0,0", ""],
    "--interpolate": ["1x5", "5x101", "0x0", "5", "-2x-2", ""],
}
TOO_MUCH = [2**70, -(2**70), float("nan")]


def numbers():
    """Every option that takes numbers, of every command, with values out of its range."""
    for name, command in GROUP.commands.items():
        for parameter in command.params:
            spelled = max(parameter.opts, key=len)
            kind = getattr(parameter.type_descriptor, "annotation", None)
            if kind in (int, float):
                values = TOO_MUCH if kind is float else TOO_MUCH[:2]
            elif text := next(filter(None, map(TEXTS.get, parameter.opts)), None):
                spelled, values = parameter.opts[0], text
            else:
                continue
            for value in values if spelled != "--split" or name != "inspect" else ():
                yield pytest.param(name, spelled, str(value), id=f"{name} {spelled} {value}")


NUMBERS = list(numbers())


@pytest.mark.parametrize(("command", "option", "value"), NUMBERS)
def test_a_number_out_of_range_is_usage(command, option, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, [command, *NEEDED.get(command, ()), f"{option}={value}"])
    assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert told.stderr.startswith(f"error: {option} ")
    assert "must be " in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_of_them_are_tried():
    tried = {(each.values[0], each.values[1]) for each in NUMBERS}
    assert len(tried) > 40
    assert {("animate", "--fps"), ("train", "--time-limit"), ("export", "--guidance")} <= tried
    assert {option for _, option in tried} >= TEXTS.keys()


def test_the_temperature_may_not_be_nothing():
    told = CliRunner().invoke(app, ["sample", "--temp", "0"])
    assert "--temp 0: must be from 0.01 to 2; nothing is sampled with greedy" in told.stderr


def test_there_are_as_many_threads_as_cores():
    told = CliRunner().invoke(app, ["encode", "--threads", "5000"])
    assert "--threads 5000: must be from 1 to " in told.stderr


def test_a_margin_is_as_wide_as_its_page_has_room_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["sample", "cat", "-n", "1", "-o", "x.svg", "--page", "a5"]
    told = CliRunner().invoke(app, [*words, "--margin", "7cm"])
    assert told.exit_code == 2
    assert told.stderr == "error: --margin 7cm: must be from 0 to 64mm on a5\n"
    assert CliRunner().invoke(app, [*words, "--margin", "64mm"]).exit_code == 0
