"""The stderr of a command, its progress bar, its one JSON object on stdout, and its threads."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, TYPE_CHECKING, TypeVar

import typer

from sketchrnn_cli import files
from sketchrnn_cli.cli import pipes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

T = TypeVar("T")

MOST_NOTES = 5
LOG_SECONDS = 10.0  # between lines of progress where no bar is shown
LOGS = ("CI", "JPY_PARENT_PID")  # set where a log keeps all that was written: CI, Jupyter


class Terminal:
    """The stderr of one command, and its ``--json`` answer."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.n_notes = 0
        self.above: Callable[[], None] | None = None  # makes room where a block of lines is live
        self.draws = False  # that block, right now
        self.owed: list[str] = []  # what is said when it is there

    @cached_property
    def console(self) -> Console:
        """Rich's, imported when something is said first: it takes a tenth of a short command."""
        from rich.console import Console

        class Unending(Console):
            """Goes on with the work when nobody reads any more what is said about it."""

            def on_broken_pipe(self) -> None:
                """Called by rich, which would end the program."""
                self.quiet = True
                pipes.discard(sys.stderr)

        return Unending(stderr=True, highlight=False, soft_wrap=True, emoji=False)

    def say(self, text: str) -> None:
        """One line for a person; silent under ``--quiet``."""
        if not self.quiet:
            self._print(text)

    def interject(self, text: str) -> None:
        """One line from a signal handler, whatever is being drawn."""
        if self.draws:
            self.owed.append(text)
        else:
            self.say(text)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """While a block of lines is drawn."""
        self.draws = True
        try:
            yield
        finally:
            self.draws = False
            while self.owed:
                self.say(self.owed.pop(0))

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
        wraps = not isinstance(text, str) and self.console.is_terminal
        if isinstance(text, str):  # rich would break a path that is longer than a line
            lines = text.split("\n")
            width = self.console.width
            text = "\n".join(unbroken(line, self.console.file, width=width) for line in lines)
        try:
            self.console.print(text, markup=False, soft_wrap=not wraps)
        except OSError:  # a log on a disk that is full: the work matters more
            self.console.on_broken_pipe()

    def note(self, text: str) -> None:
        """One line on what a file has and a drawing does not; of many, the first few."""
        self.n_notes += 1
        if self.n_notes <= MOST_NOTES:
            self.say(text)
        elif self.n_notes == MOST_NOTES + 1:
            self.say("more such notes are left out")

    def advise(self, text: str) -> None:
        """One line that explains what a person sees; silent under ``--quiet``."""
        self.say(f"note: {text}")

    def answer(self, values: dict[str, object]) -> None:
        """The ``--json`` object: one line on stdout, where no character turns text around."""
        import orjson

        try:
            text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        except TypeError:  # a number of over 64 bits, a name that is not UTF-8
            text = json.dumps(values, default=lambda array: array.tolist())
        if not text.isprintable():
            text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
        typer.echo(text)

    @property
    def is_live(self) -> bool:
        """Whether a person is watching, where the cursor may move."""
        try:
            if "console" not in vars(self) and not sys.stderr.isatty():
                return False  # and rich was not imported
            watched = self.console.file.isatty() and not self.console.is_dumb_terminal
        except ValueError:  # closed
            return False
        kept = any(os.environ.get(name, "").lower() not in ("", "0", "false") for name in LOGS)
        return watched and not kept and not self.quiet

    def bar(self, *columns: ProgressColumn) -> Progress:
        """A bar with what is done by these columns, and the time left; for where ``is_live``."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
        return Progress(*shown, console=self.console, transient=True)

    @contextmanager
    def counting(self, what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A bar when a person is watching, else a line now and then; what is yielded advances."""
        if not self.is_live:
            yield self._lines(what, total)
            return
        from rich.progress import TextColumn

        count = "{task.completed:,}" + ("/{task.total:,}" if total is not None else "")
        with self.bar(TextColumn(count)) as progress:
            task = progress.add_task(what, total=total)
            yield lambda n: progress.advance(task, n)

    def _lines(self, what: str, total: int | None) -> Callable[[int], None]:
        """Progress as lines of a log."""
        done, said_at = 0, time.monotonic()

        def advance(n: int) -> None:
            nonlocal done, said_at
            done += n
            if time.monotonic() - said_at >= LOG_SECONDS:
                said_at = time.monotonic()
                self.say(f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

        return advance

    def track(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Pass items on, and show how far it is as ``counting`` does."""
        with self.counting(what, total=total) as advance:
            for item in items:
                yield item
                advance(1)

    @contextmanager
    def reading(self, sources: Sequence[str], *, then: str = "") -> Iterator[None]:
        """A bar of the bytes that are read in here, when a person is watching.

        Args:
            sources: files, folders, patterns and ``-``, as ``formats.expand`` takes them.
            then: what is done with it when all is read, which takes time too.
        """
        if not self.is_live:
            yield
            return
        from rich.progress import DownloadColumn

        from sketchrnn_cli.sketches import formats

        total = formats.size_of(sources)
        with self.bar(DownloadColumn()) as progress:
            task = progress.add_task("reading", total=total)

            def tell(n: int) -> None:
                progress.advance(task, n)
                if then and progress.finished:
                    progress.update(task, description=then)

            with files.counting(tell):
                yield

    def count(self, sources: Sequence[str]) -> int | None:
        """How many drawings there are, for a bar; None where nobody sees it, or of a pipe."""
        from sketchrnn_cli.sketches import formats

        if not self.is_live or formats.size_of(sources) is None:
            return None
        with self.reading(sources):
            return formats.count(sources)


def unbroken(line: str, stream: IO[str], *, indent: int = 0, width: int | None = None) -> str:
    """A line as it is, or for a terminal in lines of its width, no word broken.

    Args:
        line: of text.
        stream: where it goes.
        indent: spaces before all lines but the first.
        width: of the terminal; None: that of stdout.
    """
    if not stream.isatty():
        return line
    width = max(width or shutil.get_terminal_size().columns, 2 * indent, 20)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout, so that pictures should be shown and not data."""
    return sys.stdout.isatty()


def limit_threads(threads: int | None) -> None:
    """Set the threads of numpy's product; call before numpy is imported."""
    if threads is None:
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def work_alone() -> None:
    """Let numpy's product use one thread, where it is small; call before numpy is imported.

    Two gain a hundredth of a second on a quiet machine. Beside one other busy program each
    product waits for its second thread, and takes a hundred times as long.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what the environment says goes first
