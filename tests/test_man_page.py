"""The man page that is shipped is what the program says of itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from outside import missing

from sketchrnn_cli.cli import man
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.cli.examples import EXAMPLES

PAGE = Path(__file__).parent / "golden" / "sketchrnn.1"


def test_the_page_that_is_shipped_is_fresh():
    written = subprocess.run(
        [sys.executable, "-m", "sketchrnn_cli.cli.man"], capture_output=True, check=True
    ).stdout
    assert written.decode() == man.page()
    assert PAGE.read_text("utf-8") == man.page(), (
        "python -m sketchrnn_cli.cli.man > tests/golden/sketchrnn.1"
    )


def test_the_page_names_every_option_and_example():
    page = man.page().replace("\\-", "-").replace("\\(dq", '"')
    for name, command in typer.main.get_command(app).commands.items():
        section = page.partition(f".SS sketchrnn {name}\n")[2].partition(".SS ")[0]
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert not option.startswith("-") or option in section, (name, option)
        for example in EXAMPLES[name]:
            assert example.line in section
    assert "[dim]" not in page
    assert "\\[" not in page


@pytest.mark.parametrize(
    "command", [["groff", "-man", "-Tutf8", "-ww"], ["mandoc", "-Tlint", "-Werror"]]
)
def test_a_formatter_has_nothing_to_say(command):
    if not shutil.which(command[0]):
        if command[0] == "groff" and sys.platform == "linux":
            missing("no groff here")
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(
        [*command, PAGE], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stderr == ""
    assert command[0] == "groff" or done.stdout == ""
