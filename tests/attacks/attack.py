"""What an attack is: a file, the commands that are given it, and how they should end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Command = tuple[str, ...]  # words in braces stand for: file, out, model, data

INSPECT: Command = ("inspect", "{file}")
PREPROCESS: Command = ("preprocess", "{file}", "-o", "{out}/x.npz", "--quiet")
DRAWINGS = (INSPECT, PREPROCESS)
MODEL = (INSPECT, ("sample", "--model", "{file}", "-n", "1", "-o", "{out}/x.svg"))
LATENTS = (("sample", "--model", "{model}", "--latents", "{file}", "-o", "{out}/x.ndjson"),)
TINY = ("--preset", "tiny", "--no-encoder", "--steps", "1", "--batch-size", "2", "--quiet")
CONFIG = (("train", "{data}", "-o", "{out}/run", "--config", "{file}", *TINY),)
RUN = (("inspect", "{file}"),)

ERROR, RESULT, EITHER = "error", "result", "either"


class Attack(NamedTuple):
    """One file of a stranger, or one prompt."""

    name: str  # of the file, with its suffix; a slash at the end: a folder
    content: bytes | Callable[[Path], None]  # or what writes it
    commands: tuple[Command, ...]
    ends: str = ERROR
    says: str = ""  # a part of the error
