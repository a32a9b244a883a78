"""What a person sees: lines and progress on stderr, one JSON object on stdout."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sketchrnn_cli.cli import pipes

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.terminal import Run
    from sketchrnn_cli.sketches.sketch import Sketch

T = TypeVar("T")

# Of strokes, in their order: apart to colour-blind eyes, readable on black and on white.
INKS = ("color(33)", "color(208)", "color(36)", "color(175)", "color(166)", "color(74)")
CAPTIONS = "dim"


class _Console(Console):
    """Goes on with the work when nobody reads any more what is said about it."""

    def on_broken_pipe(self) -> None:
        """Called by rich, which would end the program."""
        self.quiet = True
        pipes.discard(sys.stderr)


class Terminal:
    """The stderr of one command, and its ``--json`` answer."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = _Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self.above: Callable[[], None] | None = None  # makes room where a block of lines is live

    def say(self, text: str) -> None:
        """One line for a person; silent under ``--quiet``."""
        if not self.quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        """One line a person should not miss; shown under ``--quiet`` too."""
        self._print(f"warning: {text}")

    def show(self, line: Text) -> None:
        """A line with its styles; silent under ``--quiet``."""
        if not self.quiet:
            self._print(line)

    def _print(self, text: str | Text) -> None:
        if self.above is not None:
            self.above()
        try:
            self.console.print(text, markup=False)
        except OSError:  # a log on a disk that is full: the work matters more
            self.console.on_broken_pipe()

    def advise(self, text: str) -> None:
        """One line that explains what a person sees; silent under ``--quiet``."""
        self.say(f"note: {text}")

    def answer(self, values: dict[str, object]) -> None:
        """The ``--json`` object: one line on stdout."""
        import orjson

        try:
            text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        except TypeError:  # a number of over 64 bits, a name that is not UTF-8
            import json

            text = json.dumps(values, default=_plain)
        if not text.isprintable():  # what turns text around on a terminal, in a stranger's word
            text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        typer.echo(text)

    def track(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Pass items on, with a progress bar when a person is watching.

        Data that goes to the same terminal would mix with the bar, so then there is none.
        """
        if self.quiet or not self.console.is_terminal or self.console.is_dumb_terminal:
            yield from items
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=self.console, transient=True
        ) as progress:
            yield from progress.track(items, total=total, description=what)


def _plain(value: Any) -> object:
    """An array as lists."""
    return value.tolist()


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
    """
    from sketchrnn_cli.drawing import terminal as characters

    width, height = shutil.get_terminal_size()
    cell = characters.cell_size(width, height, columns or n)
    if columns is not None:
        cell = min(cell, (width + 2) // columns - 2)
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


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout, so that pictures should be shown and not data."""
    return sys.stdout.isatty()


def limit_threads(threads: int | None) -> None:
    """Set the threads of numpy's product; call before numpy is imported.

    Raises:
        BadConfig: fewer than one, or more than the machine has.
    """
    if threads is None:
        return
    from sketchrnn_cli.errors import BadConfig

    cores = os.cpu_count() or 1
    if not 1 <= threads <= cores:
        raise BadConfig(f"--threads {threads}: this machine has {cores} cores; give 1 to {cores}")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def work_alone() -> None:
    """Let numpy's product use one thread, where it is small; call before numpy is imported.

    Two gain a hundredth of a second on a quiet machine. Beside one other busy program each
    product waits for its second thread, and takes a hundred times as long.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a person's own wish goes first
