"""Options that several commands share, with one spelling and one help text."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but warnings.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")]
Model = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--model",
        "--checkpoint",
        "-m",
        help="Run folder or checkpoint of `train`, or a browser model (.gen.json, .vae.json). "
        "\\[default: the built-in one]",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Threads = Annotated[Optional[int], typer.Option("--threads", help="CPU threads; default: all.")]  # noqa: UP045
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Format = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--format", help="Instead of the suffix; needed for a picture to `-`."),
]
QuickdrawUrl = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--quickdraw-url",
        metavar="URL",
        help="Folder to download quickdraw:WORD from. "
        "Default: SKETCHRNN_QUICKDRAW_URL, or Google's bucket.",
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Of quickdraw:WORD, use what was downloaded before.")
]
