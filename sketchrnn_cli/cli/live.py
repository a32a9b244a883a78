"""A block of lines at the end of a terminal that is drawn again and again in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

SPARE = 2  # columns at the right that stay free: a terminal writes ^C there


class Live:
    """Lines that are replaced as a whole, while others are printed above them.

    Nothing is drawn but when it is told to, so no thread takes time from the work. A window that
    becomes narrower breaks the lines that no longer fit: as many as it made of them are taken
    away. The size of the window is looked at before each drawing.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.widths: list[int] = []  # of the lines that are there
        self.hidden = False  # the cursor, from just before it is

    def size(self) -> tuple[int, int]:
        """Columns and lines there is room for; one line less than the window, for what is typed."""
        width, height = self.console.size
        return max(width - SPARE, 1), max(height - 1, 1)

    def draw(self, lines: Sequence[Text]) -> None:
        """Put these in the place of those that are there; the first go where there is no room."""
        columns, rows = self.size()
        shown = [self._cut(line, columns) for line in lines[-rows:]]
        hides, self.hidden = not self.hidden, True
        with self._drawing():
            self._take_away()
            if hides:
                self.console.show_cursor(False)
            self.console.print(Text("\n").join(shown), end="", no_wrap=True, crop=False)
        self.widths = [line.cell_len for line in shown]

    def draw_last(self, line: Text) -> None:
        """Put this in the place of the last line; the window is as it was."""
        columns, _ = self.size()
        shown = self._cut(line, columns)
        start = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
        with self._drawing():
            self.console.control(start)
            self.console.print(shown, end="", no_wrap=True, crop=False)
        self.widths[-1] = shown.cell_len

    def clear(self) -> None:
        """Leave nothing of the block, and the cursor where it began."""
        if self.hidden:
            with self._drawing():
                self._take_away()
                self.console.show_cursor(True)
            self.widths, self.hidden = [], False

    def leave(self) -> None:
        """Leave the block where it is, and the cursor on the line below."""
        if self.hidden:
            with self._drawing():
                self.console.show_cursor(True)
                self.console.print()
            self.widths, self.hidden = [], False

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Draw all at once; where nobody looks any more, the work goes on."""
        try:
            with self.console:
                yield
        except OSError:
            self.console.on_broken_pipe()

    @staticmethod
    def _cut(line: Text, columns: int) -> Text:
        cut = line.copy()
        cut.truncate(columns, overflow="crop")
        cut.rstrip()
        return cut

    def _take_away(self) -> None:
        if not self.widths:
            return
        columns = max(self.console.size.width, 1)
        rows = sum(max(-(-width // columns), 1) for width in self.widths)
        above = min(rows, max(self.console.size.height, 1)) - 1
        erase = (ControlType.ERASE_IN_LINE, 2)
        self.console.control(Control(ControlType.CARRIAGE_RETURN, erase))
        for _ in range(above):
            self.console.control(Control((ControlType.CURSOR_UP, 1), erase))
