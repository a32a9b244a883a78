"""The stderr of a command, its progress bar, its one JSON object on stdout, and its threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from sketchrnn_cli.cli import pipes

T = TypeVar("T")

MOST_NOTES = 5


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
        self.n_notes = 0
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
            import json

            text = json.dumps(values, default=_plain)
        if not text.isprintable():
            text = "".join(c if c.isprintable() else _escaped(c) for c in text)
        typer.echo(text)

    @contextmanager
    def counting(self, what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A progress bar when a person is watching; what is yielded advances it."""
        if self.quiet or not self.console.is_terminal or self.console.is_dumb_terminal:
            yield lambda n: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=self.console, transient=True
        ) as progress:
            task = progress.add_task(what, total=total)
            yield lambda n: progress.advance(task, n)

    def track(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Pass items on, with a progress bar when a person is watching.

        Data that goes to the same terminal would mix with the bar, so then there is none.
        """
        with self.counting(what, total=total) as advance:
            for item in items:
                yield item
                advance(1)


def _escaped(character: str) -> str:
    """A character as JSON escapes it: its UTF-16 units."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[k : k + 4]}" for k in range(0, len(units), 4))


def _plain(value: Any) -> object:
    """An array as lists."""
    return value.tolist()


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
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what the environment says goes first
