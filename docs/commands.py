"""Write docs/commands.md from the options of the program.

python docs/commands.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from sketchrnn_cli.cli.app import app

PAGE = Path(__file__).parent / "commands.md"
HEAD = """# Commands

Written by `python docs/commands.py` from the options themselves. Common to all: data goes to
stdout and everything else to stderr; `-` is stdin or stdout wherever a file is taken; the format
follows the suffix, and `--format` overrides it. Options also answer to underscores
(`--batch_size`).
"""


def cell(text: str) -> str:
    """Text within a table."""
    return " ".join(text.replace("\\[", "[").replace("|", "\\|").split())


def rows(command: Any, context: Any) -> list[str]:
    """A row per argument and option, in the order of the declarations."""
    found = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        name, text = parameter.get_help_record(context)
        found.append(f"| `{cell(name)}` | {cell(text)} |")
    return found


def page() -> str:
    """The whole of commands.md."""
    group: Any = typer.main.get_command(app)
    parts = [HEAD]
    for name, command in group.commands.items():
        if command.hidden:
            continue
        context = typer.Context(command, info_name=name)
        parts.append(f"\n## {name}\n\n{' '.join((command.help or '').split())}\n\n")
        parts.append("| option | meaning |\n|---|---|\n")
        parts.append("\n".join(rows(command, context)) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8", newline="\n")
