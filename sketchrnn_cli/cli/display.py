"""Drawings on a terminal: their size, their characters, their colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig

if TYPE_CHECKING:
    from rich.text import Text

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
    sketches: Iterable[Sketch], n: int | None = None, style: Style | None = None, *, above: int = 0
) -> None:
    """Drawings on stdout in characters, as large as the window allows.

    Args:
        sketches: shown row by row as they come.
        n: how many, where that is known.
        style: how many are side by side, and the labels of rows.
        above: lines of the window that are taken.

    Raises:
        BadConfig: more columns than the window has room for.
    """
    from rich.console import Console

    from sketchrnn_cli.drawing import terminal as characters

    width, height = shutil.get_terminal_size()
    columns = style.columns if style else None
    labels = style.labels if style and n else ()
    blocks = (style or Style()).blocks(n) if n else None
    layout = characters.lay_out(width, height - above, blocks, columns=columns, labels=labels)
    if columns and (width + GAP) // columns - GAP < SMALLEST:
        raise BadConfig(
            f"{columns} drawings side by side: this window has room for "
            f"{(width + GAP) // (SMALLEST + GAP)}; write a picture, as with -o grid.svg"
        )
    console = Console(width=width, highlight=False, soft_wrap=True, emoji=False)
    ascii = not knows_braille(sys.stdout)
    for line in characters.grid_runs(
        sketches, width, ascii=ascii, layout=layout, blocks=blocks or (), labels=labels
    ):
        console.print(inked(line))


def inked(line: Iterable[Run]) -> Text:
    """A line of drawings with the colours of its strokes."""
    from rich.text import Text

    from sketchrnn_cli.drawing.terminal import CAPTION

    text = Text(no_wrap=True)
    for characters, owner in line:
        style = INKS[owner % len(INKS)] if owner >= 0 else CAPTIONS if owner == CAPTION else ""
        text.append(characters, style)
    return text
