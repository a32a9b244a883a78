"""The man page, from what ``--help`` is made of.

python -m sketchrnn_cli.cli.man > sketchrnn.1
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import typer

from sketchrnn_cli.cli import help
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.cli.examples import EXAMPLES, FIRST, Example

DESCRIPTION = (
    "sketchrnn turns words into pen sketches with a model that is built in, and trains Sketch-RNN "
    "models on drawings like those of Quick, Draw!. Data goes to standard output and everything "
    "else to standard error; - is standard input or output wherever a file is taken; the format "
    "follows the suffix of a file. Between commands, drawings are one JSON object a line."
)
STATUS = (
    ("0", "Done."),
    ("1", "A fault you can cure: one line says where, what was found, and what to do."),
    ("2", "The command line was not understood."),
    ("130", "Ended by Ctrl-C; a training run is saved before."),
    ("143", "Ended by SIGTERM; likewise."),
)
ENVIRONMENT = (
    ("SKETCHRNN_CACHE", "The folder that keeps what quickdraw:WORD downloads."),
    ("SKETCHRNN_QUICKDRAW_URL", "Where quickdraw:WORD downloads from, instead of Google's bucket."),
    ("NO_COLOR", "Where it is set, nothing is coloured."),
)


def page() -> str:
    """The whole page as roff, the same bytes everywhere."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    context = group.make_context("sketchrnn", ["--help"], resilient_parsing=True)
    yield '.\\" Written by python -m sketchrnn_cli.cli.man'
    yield '.TH SKETCHRNN 1 "" "sketchrnn" "User Commands"'
    yield ".SH NAME"
    yield "sketchrnn \\- draw what you type, and learn to draw"
    yield ".SH SYNOPSIS"
    for number, (name, command) in enumerate(group.commands.items()):
        if number:
            yield ".br"
        yield f".B sketchrnn {name}"
        yield _text(" ".join(command.collect_usage_pieces(_context(command, context))))
    yield ".SH DESCRIPTION"
    yield _text(DESCRIPTION)
    yield from _examples(FIRST)
    yield ".SH OPTIONS"
    for rows in help.entries(group, context).values():
        yield from _entries(rows)
    yield ".SH COMMANDS"
    for name, command in group.commands.items():
        yield f".SS sketchrnn {name}"
        for number, paragraph in enumerate((command.help or "").split("\n\n")):
            if number:
                yield ".PP"
            yield _text(help.unescaped(paragraph))
        for panel, rows in help.entries(command, _context(command, context)).items():
            yield ".PP"
            yield f".I {panel}"
            yield from _entries(rows)
        yield ".PP"
        yield ".I Examples"
        yield from _examples(EXAMPLES[name])
    for title, told in (("EXIT STATUS", STATUS), ("ENVIRONMENT", ENVIRONMENT)):
        yield f".SH {title}"
        yield from _entries([help.Entry(*row) for row in told])
    yield ".SH SEE ALSO"
    yield _text("The paper: David Ha, Douglas Eck: A Neural Representation of Sketch Drawings.")


def _context(command: Any, parent: Any) -> Any:
    return command.make_context(command.name, [], parent=parent, resilient_parsing=True)


def _entries(rows: list[help.Entry]) -> Iterator[str]:
    for row in rows:
        yield ".TP"
        yield f".B {_escaped(row.spelled)}"
        if row.text:
            yield _text(row.text)


def _examples(examples: tuple[Example, ...]) -> Iterator[str]:
    for example in examples:
        yield ".PP"
        yield _text(f"{example.what}:")
        yield ".PP"
        yield ".RS 4"
        yield ".EX"
        yield _escaped(example.line)
        yield ".EE"
        yield ".RE"


def _text(text: str) -> str:
    """A paragraph, in lines of a length that editors like."""
    lines = textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False)
    return "\n".join(_escaped(line) for line in lines)


def _escaped(line: str) -> str:
    """What roff does not take for its own: hyphens that can be copied, quotes, first dots."""
    signs = {"\\": "\\e", "-": "\\-", '"': "\\(dq", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha"}
    plain = "".join(signs.get(c, c) for c in line)
    return f"\\&{plain}" if plain.startswith(".") else plain


if __name__ == "__main__":
    sys.stdout.reconfigure(newline="\n", encoding="utf-8")  # type: ignore[union-attr]
    typer.echo(page(), nl=False)
