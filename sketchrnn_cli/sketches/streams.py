"""Names of ``files`` until every command takes them from there."""

from __future__ import annotations

from pathlib import Path

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import (
    STDIO,
    check_output,
    format_of,
    name_of,
    open_input,
    open_output,
    reason,
)

__all__ = [
    "STDIO", "check_output", "name_of", "open_input", "open_output", "reason", "suffix_of",
]  # fmt: skip


def suffix_of(path: str | Path, explicit: str | None, known: tuple[str, ...]) -> str:
    """The name of a format, where nothing is compressed."""
    found = format_of(path, explicit, known)
    if found.compressed:
        raise BadFile(f"{path}: this command does not compress; leave out .gz")
    return found.name
