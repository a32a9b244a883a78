"""An animation in the terminal: a small film, its frames drawn in one place, once."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

from sketchrnn_cli.cli.display import CAPTIONS, INKS, knows_braille
from sketchrnn_cli.cli.live import Live
from sketchrnn_cli.drawing import terminal as characters
from sketchrnn_cli.drawing.film.pen import LEVELS, TIP
from sketchrnn_cli.drawing.sheet import caption_of, fitted
from sketchrnn_cli.drawing.style import Style, hexadecimal

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.film.frames import Film
    from sketchrnn_cli.drawing.film.pen import Pen
    from sketchrnn_cli.sketches.sketch import Sketch

LINE_WIDTH = 1.3  # dots: thin, and without holes
SMALLEST = 12  # characters of a drawing where there are many

Plan = Callable[[Sequence["Sketch"], Style], "Film"]


class Stage:
    """Where drawings are in the window, and how pixels become lines of characters."""

    def __init__(self, n: int, columns: int | None, *, ascii: bool) -> None:
        """For at most n drawings; as many as the window has room for."""
        width, height = shutil.get_terminal_size()
        layout = characters.lay_out(width - 2, height - 1, [n], columns=columns)
        self.cell = max(min(layout.cell, 2 * (height - 3)), SMALLEST // 2) // 2 * 2
        self.columns = min(layout.columns, n)
        per_row = self.cell // 2 + 2  # lines, with a caption and a blank line
        self.n = min(n, self.columns * max(height // per_row, 1))
        self.ascii = ascii

    def style(self, *, smooth: bool) -> Style:
        """Of a film whose pixels are the dots of the characters."""
        size = max(self.cell * (1 if self.ascii else 2), 8)
        return Style(
            size=size, columns=self.columns, line_width=LINE_WIDTH, captions=False, smooth=smooth
        )

    def lines(
        self, picture: npt.NDArray[np.uint8], inks: Sequence[str], captions: Sequence[str]
    ) -> Iterator[Text]:
        """The lines of a picture, indices into the palette of a film.

        Args:
            picture: (height, width).
            inks: style of each ink.
            captions: of the drawings, one after the other.
        """
        level, ink = (picture - 1) % (LEVELS - 1) + 1, (picture - 1) // (LEVELS - 1)
        marks = np.where((picture > 0) & (level > LEVELS // 2), 1 + ink.astype(np.int64), 0)
        rows = characters.runs(marks, ascii=self.ascii)
        high = self.cell // 2
        for k in range(0, len(rows), high):
            if k and captions:
                yield Text()
            for row in rows[k : k + high]:
                line = Text(no_wrap=True)
                for text, owner in row:
                    line.append(text, inks[owner] if owner >= 0 else "")
                yield line
            first = k // high * self.columns
            named = captions[first : first + self.columns]
            if any(named):
                yield Text(
                    "".join(characters.centered(text, self.cell) for text in named), CAPTIONS
                )


def play(
    drawings: Sequence[Sketch], plan: Plan, pen: Pen, style: Style, *, room_for: int | None
) -> int:
    """Play an animation on stdout, once; its last picture stays.

    Args:
        drawings: those that the window has room for are played.
        plan: makes the film of drawings in a style.
        pen: of that film.
        style: how many are side by side, whether smooth and with captions.
        room_for: drawings that are seen at a time; None: one, which turns into the others.

    Returns:
        How many were played.
    """
    stage = Stage(room_for or 1, style.columns, ascii=not knows_braille(sys.stdout))
    shown = drawings[: stage.n] if room_for else drawings
    film = plan(shown, stage.style(smooth=style.smooth))
    below = [_caption(sketch, stage.cell) for sketch in shown if style.captions and room_for]
    live = Live(Console(highlight=False, soft_wrap=True, emoji=False))
    picture = np.zeros((film.height, film.width), np.uint8)
    inks, begin, due = _inks(film, pen), time.monotonic(), 0.0
    try:
        for k, frame in enumerate(film.frames, start=1):
            height, width = frame.pixels.shape
            box = picture[frame.top : frame.top + height, frame.left : frame.left + width]
            box[frame.changed] = frame.pixels[frame.changed]
            due += frame.ticks / 100
            if k < film.n_frames and (
                live.console.is_dumb_terminal or time.monotonic() > begin + due
            ):
                continue  # late, and the next one shows this too; or nothing can move there
            named = [frame.caption] if frame.caption and style.captions else below
            live.draw(list(stage.lines(picture, inks, named)))
            if k < film.n_frames:
                time.sleep(max(begin + due - time.monotonic(), 0))
    finally:
        live.leave()
    return len(shown)


def _caption(sketch: Sketch, cell: int) -> str:
    return fitted(caption_of(sketch), sketch, lambda text: characters.width_of(text) < cell)


def _inks(film: Film, pen: Pen) -> list[str]:
    """Styles of the inks: the first is that of the terminal, which fits its paper."""
    n = len(film.inks) - pen.tip
    if pen.color_by == "time":
        colored = [hexadecimal(color) for color in film.inks[1:n]]
    else:
        colored = [INKS[k % len(INKS)] for k in range(n - 1)]
    return ["", *colored, TIP]
