"""``sketchrnn demo``: the drawing page of a model, in the browser."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import typer

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import options
from sketchrnn_cli.cli.export import page_of, refuse_other_cells
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadFile


def demo(
    model: options.Model = None, quiet: options.Quiet = False, json: options.Json = False
) -> None:
    """Draw together with a model, on a page in the browser: one file, no network."""
    from sketchrnn_cli.model.load import open_model

    found = open_model(model or pretrained.FILE)
    refuse_other_cells(found, model or pretrained.NAME, "html")
    terminal = Terminal(quiet=quiet)
    data = page_of(found, model, terminal, half=False)
    path = _kept(data, _name(model))
    opened = _open(path)
    if opened:
        terminal.say(f"{path}: opened in the browser")
    elif json:
        terminal.say(f"{path}: open it in a browser; none can be opened from here")
    else:
        typer.echo(f"{path}: open it in a browser; none can be opened from here")
    if json:
        terminal.answer({"file": str(path), "bytes": len(data), "opened": opened})


def _name(model: str | None) -> str:
    """A name that stays with a model, so that a browser finds again what was drawn on its page."""
    if model is None:
        return "built-in.html"
    from zlib import crc32

    place = os.path.abspath(model)
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", Path(place).stem)[:40].strip("-.") or "model"
    return f"{plain}-{crc32(os.fsencode(place)):08x}.html"


def _kept(data: bytes, name: str) -> Path:
    """The page as a file: in the cache folder, or where that cannot be written, a temporary one.

    Raises:
        BadFile: neither can be written.
    """
    path = files.cache_folder() / "pages" / name
    try:
        if path.is_file() and path.read_bytes() == data:
            return path
        with files.open_output(path, binary=True) as stream:
            stream.write(data)
    except (BadFile, OSError):
        with files.writing(tempfile.gettempdir()):
            path = Path(tempfile.mkdtemp(prefix="sketchrnn-")) / name
        with files.open_output(path, binary=True) as stream:
            stream.write(data)
    return path


def _open(path: Path) -> bool:
    """Open a file in the browser of whoever sits at this machine; False where nobody does."""
    import webbrowser

    if not os.environ.get("BROWSER"):
        seen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if os.environ.get("SSH_CONNECTION") or (sys.platform == "linux" and not seen):
            return False
    try:
        return webbrowser.open(path.resolve().as_uri())
    except (webbrowser.Error, OSError):
        return False
