"""``sketchrnn export``: a model in a form to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli.options import Json, Model, Overwrite, Quiet
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches import streams

KNOWN = ("safetensors",)


def export(
    out: Annotated[str, typer.Option("--out", "-o", help="FILE.safetensors.")],
    model: Model = None,
    half: Annotated[
        bool, typer.Option("--half", help="Numbers as float16: half the size, 3 digits of each.")
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a model as one file that any command takes as --model."""
    kind = streams.suffix_of(out, None, KNOWN)
    streams.check_output(out, binary=True)
    if Path(out).is_file() and not overwrite:
        raise BadFile(f"{out}: exists; give --overwrite to replace it")
    terminal = Terminal(quiet=quiet)

    from sketchrnn_cli.model import checkpoint

    found = checkpoint.load(model or pretrained.FILE)
    checkpoint.save(Path(out), found, half=half)
    size = Path(out).stat().st_size
    terminal.say(f"{out}: {size / 1e6:.2f} MB")
    if json:
        terminal.answer({"file": out, "format": kind, "half": half, "bytes": size})
