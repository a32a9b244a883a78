"""Drawings on a terminal: their size, their characters, their colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sketchrnn_cli.errors import BadConfig

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.terminal import Run
    from sketchrnn_cli.sketches.sketch import Sketch

GAP, SMALLEST = 2, 4  # characters between drawings, and of the smallest drawing

# Of strokes, in their order: apart to colour-blind eyes, readable on black and on white.
INKS = ("color(33)", "color(208)", "color(36)", "color(175)", "color(166)", "color(74)")
CAPTIONS = "dim"


def knows_braille(stream: IO[str]) -> bool:
    """Whether braille sent there can be shown: ``LANG=C`` and the Linux console cannot."""
    try:
        "\u28ff".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    if os.name == "nt":
        return True
    # Python itself puts C.UTF-8 into LC_CTYPE where the locale is C (PEP 538)
    coerced = os.environ.get("LC_CTYPE", "") in ("", "C.UTF-8", "C.utf8", "UTF-8")
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG" if coerced else "LC_CTYPE", "")
    return locale not in ("C", "POSIX") and os.environ.get("TERM") != "linux"


def show_drawings(
    sketches: Iterable[Sketch], n: int | None = None, *, columns: int | None = None
) -> None:
    """Drawings on stdout in characters, each stroke in a colour, as large as the window allows.

    Args:
        sketches: shown row by row as they come.
        n: how many, where that is known.
        columns: side by side; None: as many as there is room for.

    Raises:
        BadConfig: more columns than the window has room for.
    """
    from sketchrnn_cli.drawing import terminal as characters

    width, height = shutil.get_terminal_size()
    cell = characters.cell_size(width, height, columns or n)
    if columns is not None:
        cell = min(cell, (width + GAP) // columns - GAP)
        if cell < SMALLEST:
            raise BadConfig(
                f"{columns} drawings side by side: this window has room for "
                f"{(width + GAP) // (SMALLEST + GAP)}; write a picture, as with -o grid.svg"
            )
    console = Console(width=width, highlight=False, soft_wrap=True, emoji=False)
    ascii = not knows_braille(sys.stdout)
    for line in characters.grid_runs(sketches, width, cell=cell, ascii=ascii):
        console.print(inked(line))


def inked(line: Iterable[Run]) -> Text:
    """A line of drawings with the colours of its strokes."""
    from sketchrnn_cli.drawing.terminal import CAPTION

    text = Text(no_wrap=True)
    for characters, owner in line:
        style = INKS[owner % len(INKS)] if owner >= 0 else CAPTIONS if owner == CAPTION else ""
        text.append(characters, style)
    return text
