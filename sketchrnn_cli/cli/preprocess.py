"""``sketchrnn preprocess``: any drawings in, one packed training set out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sketchrnn_cli import files
from sketchrnn_cli.cli import completion, downloads, options
from sketchrnn_cli.cli.options import LARGEST, between, flag, option, parsed
from sketchrnn_cli.cli.terminal import Terminal, limit_threads
from sketchrnn_cli.errors import BadConfig

if TYPE_CHECKING:
    from sketchrnn_cli.files import Format
    from sketchrnn_cli.sketches.block import Block, Bools
    from sketchrnn_cli.sketches.build import BuildOptions

FORMATS = ("packed", "sketch-rnn", "ndjson", "excalidraw")
SHOWN_WORDS = 12

WHICH = "Which drawings"  # panels of --help
PREPARED = "How they are prepared"

WIDEST = 1e10  # pixels; nothing is as large
SHARES = "three shares for train, valid, test, like 90,5,5"


def _shares(text: str | None) -> tuple[float, float, float] | None:
    """Those of --split, the first above 0.

    Raises:
        BadConfig: something else.
    """
    if text is None:
        return None
    try:
        train, valid, test = (float(part) for part in text.split(","))
    except ValueError:
        train = valid = test = math.nan
    if not (0 < train < math.inf and 0 <= valid < math.inf and 0 <= test < math.inf):
        raise BadConfig(f"--split {text}: must be {SHARES}")
    return train, valid, test


def preprocess(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="npz, ndjson(.gz), CSV, .bin, SVG, InkML, .excalidraw, .tldr, a packed set, "
            "a folder, a pattern, quickdraw:WORD, or - for standard input.",
            autocompletion=completion.sources,
        ),
    ],
    out: Annotated[
        str, options.out("The set to write; - is a pipe.", ("npz", "ndjson", "excalidraw"))
    ],
    simplify: Annotated[
        bool | None,
        flag(
            "Quick, Draw!'s simplification. \\[default: for raw canvas drawings]",
            "--simplify/--no-simplify",
            panel=PREPARED,
        ),
    ] = None,
    fit: Annotated[
        bool | None,
        flag(
            "Fit drawings to a 255 box. \\[default: canvas formats, but not npz]",
            "--fit/--no-fit",
            panel=PREPARED,
        ),
    ] = None,
    epsilon: Annotated[
        float,
        option(
            "Tolerance of Douglas-Peucker.",
            "PIXELS",
            panel=PREPARED,
            callback=between(0, WIDEST),
        ),
    ] = 2.0,
    max_points: Annotated[
        int, option("Drop longer drawings.", "N", panel=WHICH, callback=between(1, LARGEST))
    ] = 250,
    min_points: Annotated[
        int, option("Drop shorter drawings.", "N", panel=WHICH, callback=between(1, LARGEST))
    ] = 1,
    per_word: Annotated[
        int | None,
        option(
            "Keep the first N drawings of each word.",
            "N",
            panel=WHICH,
            callback=between(1, LARGEST),
        ),
    ] = None,
    label: Annotated[str | None, option("Label for drawings without one.", "WORD")] = None,
    labels: Annotated[
        str | None,
        option(
            "Names of labels that are numbers: a name a line, or JSON, as of a ClassLabel.", "FILE"
        ),
    ] = None,
    join_spellings: Annotated[
        bool,
        flag(
            "Make labels that differ in case, spaces, hyphens or underscores one.",
            "--join-spellings",
            panel=PREPARED,
        ),
    ] = False,
    recognized_only: Annotated[
        bool,
        flag("Keep only drawings that Quick, Draw! recognized.", "--recognized-only", panel=WHICH),
    ] = False,
    doubtful: Annotated[
        Literal["drop", "keep"],
        option(
            "Drawings whose label the recogniser of a model gives less than half of the share "
            "that chance would, 1 / words: drop or keep them. Labels unknown to it are kept.",
            "drop|keep",
            panel=WHICH,
        ),
    ] = "keep",
    model: Annotated[
        str | None,
        options.model("For --doubtful drop: whose recogniser.", panel=WHICH),
    ] = None,
    split: Annotated[
        str | None,
        option(
            "Split everything anew. \\[default: 90,5,5, and files that are split stay so]",
            "90,5,5",
            panel=WHICH,
            callback=parsed(_shares, SHARES),
        ),
    ] = None,
    on_error: options.OnError = "fail",
    format: Annotated[str | None, options.format(FORMATS)] = None,
    quickdraw_url: options.QuickdrawUrl = None,
    offline: options.Offline = False,
    overwrite: options.Overwrite = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Read drawings of any kind, prepare them, and pack them for training."""
    limit_threads(threads)
    inputs: list[str | Path] = [*sources, *([labels] if labels else []), *options.model_file(model)]
    kind = files.format_of(out, format, FORMATS)
    files.check_output(out, binary=kind.binary, inputs=inputs, is_data=True, overwrite=overwrite)
    request = _request(locals())
    terminal = Terminal(quiet=quiet)
    sources = downloads.local(sources, terminal, url=quickdraw_url, offline=offline)
    report = _build(sources, out, kind, request, terminal)
    _show(terminal, report, "standard output" if out == files.STDIO else out)
    if json:
        terminal.answer({"out": out, "format": kind.name, **report})


ALIKE = (  # options that are settings of ``build.BuildOptions``
    *("fit", "simplify", "epsilon", "max_points", "min_points", "per_word", "label"),
    *("join_spellings", "recognized_only", "on_error", "threads"),
)


def _request(given: dict[str, Any]) -> BuildOptions:
    """What the options ask for, files read."""
    from sketchrnn_cli.sketches.build import BuildOptions
    from sketchrnn_cli.sketches.labels import read as read_labels

    return BuildOptions(
        labels=None if given["labels"] is None else read_labels(given["labels"]),
        doubtful=_doubts(given["model"]) if given["doubtful"] == "drop" else None,
        split=_shares(given["split"]),
        **{name: given[name] for name in ALIKE},
    )


def _build(
    sources: list[str], out: str, kind: Format, request: BuildOptions, terminal: Terminal
) -> dict[str, Any]:
    """Write the set, and say how far it is where a person is watching."""
    from sketchrnn_cli.sketches import build

    writers: dict[str, Callable[..., dict[str, Any]]] = {
        "packed": build.build,
        "sketch-rnn": build.build_sketch_rnn,
        "ndjson": partial(build.build_ndjson, compress=kind.compressed),
        "excalidraw": build.build_excalidraw,
    }
    write = writers[kind.name]
    with terminal.reading(sources, then="writing"):
        return write(sources, out, request)


def _doubts(model: str | None) -> Callable[[Block], Bools]:
    """Which labels of a block the recogniser of a model doubts."""
    from sketchrnn_cli.inference.recognition import Recognition

    return Recognition.open(model).doubts


def _warn(terminal: Terminal, report: dict[str, Any]) -> None:
    """What a person should know although the work is done."""
    faults = report["faults"]
    for fault in faults:
        terminal.warn(f"left out: {fault}")
    n_faulty = report["dropped"].get("faulty", 0)
    if n_faulty > len(faults):
        terminal.warn(f"left out: {n_faulty - len(faults):,} more faulty drawings")
    for note in report["notes"]:
        terminal.say(note)
    for why, n in report["dropped"].items():
        if n and why.startswith("over ") and why.endswith(" points"):
            terminal.advise(
                f"{n:,} of {report['read']:,} drawings have {why} and are left out, not cut; "
                "a higher --max-points keeps them"
            )
    leaks = [
        f"{n:,} of {pair.replace('_in_', ' also in ')}"
        for pair, n in report.get("leakage", {}).items()
        if n
    ]
    if leaks:
        terminal.warn(f"the file's splits leak: {', '.join(leaks)}; --split 90,5,5 splits anew")


def _show(terminal: Terminal, report: dict[str, Any], out: str) -> None:
    """The report on stderr: what a person should know, then two columns."""
    _warn(terminal, report)

    def row(name: str, text: str) -> None:
        terminal.say(f"{name:<10}  {text}")

    row("read", f"{report['read']:,} drawings")
    row("kept", f"{report['kept']:,}")
    for reason, n in report["dropped"].items():
        row("dropped", f"{n:,} {reason}")
    if "splits" in report:
        row("splits", ", ".join(f"{name} {n:,}" for name, n in report["splits"].items()))
    points = report["points"]
    row(
        "points",
        f"mean {points['mean']:g}, median {points['median']}, 95 % up to "
        f"{points['percentile_95']}, longest {points['max']}",
    )
    if "scale_factor" in report:
        row("scale", f"{report['scale_factor']:.4f}")
    copies = {name: n for name, n in report.get("duplicates", {}).items() if n}
    if copies:
        row("duplicates", ", ".join(f"{name} {n:,}" for name, n in copies.items()))
    words = sorted(report["words"].items(), key=lambda item: (-item[1]["drawings"], item[0]))
    for i, (word, facts) in enumerate(words[:SHOWN_WORDS]):
        shown = "".join(c if c.isprintable() else "?" for c in word)  # no escape codes
        text = f"{shown}: {facts['drawings']:,} of {facts['mean_points']:g} points"
        row("words" if i == 0 else "", text)
    if len(words) > SHOWN_WORDS:
        row("", f"and {len(words) - SHOWN_WORDS:,} more")
    row("written", out)
