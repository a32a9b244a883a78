"""What a person sees of ``quickdraw:WORD`` being downloaded; files stay as they are."""

from __future__ import annotations

from contextlib import nullcontext

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

    from rich.progress import DownloadColumn, TaskID, TransferSpeedColumn

    from sketchrnn_cli.sketches import download

    watched = terminal.is_live
    bar = terminal.bar(DownloadColumn(), TransferSpeedColumn())
    tasks: dict[str, TaskID] = {}

    def show(word: str, there: int, size: int | None) -> None:
        if word not in tasks:
            tasks[word] = bar.add_task(word)
        bar.update(tasks[word], completed=there, total=size)

    with bar if watched else nullcontext():
        return download.local(
            sources,
            address=url,
            offline=offline,
            say=terminal.say,
            note=terminal.say if watched else lambda text: None,  # for somebody who is watching
            progress=show,
        )
