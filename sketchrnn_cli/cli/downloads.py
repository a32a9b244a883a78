"""What a person sees of ``quickdraw:WORD`` being downloaded; files stay as they are."""

from __future__ import annotations

from sketchrnn_cli.cli.terminal import Terminal

PREFIX = "quickdraw:"


def local(
    sources: list[str], terminal: Terminal, *, url: str | None = None, offline: bool = False
) -> list[str]:
    """The same sources, with a file for every ``quickdraw:`` name.

    Raises:
        SketchError: as ``download.local``.
    """
    if not any(source.lower().startswith(PREFIX) for source in sources):
        return sources  # and nothing was imported for it

    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from sketchrnn_cli.sketches import download

    watched = not terminal.quiet and terminal.console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    rate = (TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, *rate, console=terminal.console, transient=True, disable=not watched)
    tasks: dict[str, TaskID] = {}

    def show(word: str, there: int, size: int | None) -> None:
        if word not in tasks:
            tasks[word] = bar.add_task(word)
        bar.update(tasks[word], completed=there, total=size)

    with bar:
        return download.local(
            sources,
            address=url,
            offline=offline,
            say=terminal.say,
            note=terminal.say if watched else _silent,
            progress=show,
        )


def _silent(text: str) -> None:
    """What passes is for somebody who is watching."""
