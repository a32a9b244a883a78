"""Options that several commands share: one spelling, one help text, one place in ``--help``.

An option of one command is declared in that command, with the same few functions.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import typer

from sketchrnn_cli.cli import completion
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import (
    LINE_WIDTHS,
    MAX_DRAWINGS,
    SIZES,
    Style,
    widest_margin,
)
from sketchrnn_cli.errors import BadConfig, BadFile, BadUsage

COMMON = "Common"  # the panel of the options that most commands have
LOOK = "Look"
DOWNLOADS = "Downloads"

MOST = 1_000_000  # drawings of one request; see inference.request
LARGEST = 2**63 - 1  # seeds and numbers of drawings are 64 bits wide
LENGTHS = "a length such as 10mm, 1cm or 0.5in"

Number = Callable[[Any], Any]


def option(help: str, metavar: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """An option that takes a value; without names it is called as its parameter is."""
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def flag(help: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """An option that is on or off."""
    return option(help, "", *names, panel=panel, **more)


def between(low: float, high: float, advice: str = "") -> Number:
    """A check that a number of the command line is in bounds.

    Args:
        low: the lowest.
        high: the highest.
        advice: what the message says after them.
    """

    def check(value: float | None) -> float | None:
        if value is not None and not low <= value <= high:
            typed = value if isinstance(value, int) else f"{value:g}"
            bounds = f"from {_shown(low)} to {_shown(high)}{advice}"
            raise typer.BadParameter(f"{typed}: must be {bounds}")
        return value

    return check


def parsed(parse: Callable[[str], Any], what: str) -> Callable[[str | None], str | None]:
    """A check that a text of the command line says numbers.

    Args:
        parse: raises BadConfig where it says none.
        what: it must be, for the message.
    """

    def check(value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value)
            except BadConfig:
                raise typer.BadParameter(f"{value}: must be {what}") from None
        return value

    return check


def choice(help: str, metavar: str, known: Sequence[str], *, panel: str | None = None) -> Any:
    """An option that takes one of these; a near miss says which may be meant."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in known:
            near = difflib.get_close_matches(value, known, 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise typer.BadParameter(f"{value}: must be one of {', '.join(known)}{hint}")
        return value

    offered = completion.choice(known)
    return option(help, metavar, panel=panel, callback=check, autocompletion=offered)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.15g}"


def count(help: str) -> Any:
    """``-n``: how many drawings."""
    return option(help, "N", "--count", "-n", callback=between(1, MOST))


def model(what: str, panel: str | None = None) -> Any:
    """``-m``: a model, of which ``what`` says what it is for."""
    return option(
        f"{what} \\[default: the built-in model]",
        "RUN",
        "--model",
        "--checkpoint",
        "-m",
        panel=panel,
        autocompletion=completion.runs,
    )


def model_file(model: str | None) -> list[Path]:
    """The file that --model names, which the same command does not write."""
    if model is None:
        return []
    path = Path(model)
    return [path / "model.safetensors" if path.is_dir() else path]


def with_look(command: Callable[..., None], *, pages: bool = True) -> Callable[..., None]:
    """A command whose parameter ``look`` stands for the options of how a picture looks.

    They are declared here alone. The command has those that were given in ``look``, by name.

    Args:
        command: has a parameter ``look``.
        pages: its pictures may be pages for plotters.
    """
    names = [name for name in LOOKS if pages or name not in ("page", "margin")]
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += [LOOKS[name] for name in names] if parameter.name == "look" else [parameter]

    @functools.wraps(command)
    def expanded(*arguments: Any, **values: Any) -> None:
        look = {name: values.pop(name) for name in names if name in values}
        command(*arguments, **values, look=look)

    vars(expanded)["__signature__"] = signature.replace(parameters=parameters)
    return expanded


def given(**values: object) -> dict[str, Any]:
    """Those that a person gave; who takes them knows the others."""
    return {name: value for name, value in values.items() if value is not None}


def style(look: Mapping[str, Any], **more: Any) -> Style:
    """How a picture looks, by the options that a person gave.

    Args:
        look: of a command ``with_look``.
        more: what follows from other options.

    Raises:
        BadUsage: a margin that leaves no room on its page.
        BadConfig: another value out of its range.
    """
    values = given(**look)
    if (margin := values.get("margin")) is not None:
        values["margin"] = _millimetres(margin)
        page = values.get("page")
        if page is not None and not values["margin"] <= (most := widest_margin(page)):
            raise BadUsage(f"--margin {margin}: must be from 0 to {most:g}mm on {page}")
    return Style(**values, **more)


def _millimetres(text: str) -> float:
    """A length such as 10mm, 1.5cm or 0.5in; a bare number is in millimetres."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(mm|cm|in|)", text.strip().lower())
    if match is None:
        raise BadConfig(f"--margin {text}: must be {LENGTHS}")
    return float(match[1]) * {"mm": 1.0, "cm": 10.0, "in": 25.4, "": 1.0}[match[2]]


def check_numbered(target: str, inputs: Iterable[str | Path]) -> None:
    """Refuse a name of many files, as cat-%d.svg, of which one is read.

    Raises:
        BadFile: says which.
    """
    for name in map(str, inputs):
        if outputs.is_numbered(target) and outputs.is_numbered_as(target, name):
            raise BadFile(f"{target}: {name} is one of these, and is also read; name others")


def out(help: str, suffixes: Iterable[str]) -> Any:
    """``-o``: the file to write."""
    complete = completion.output(suffixes)
    return option(help, "FILE", "--out", "-o", autocompletion=complete)


def format(names: Iterable[str]) -> Any:
    """``--format``: instead of the suffix of ``-o``."""
    help = "Format, instead of the suffix of -o; needed where -o is a pipe."
    return option(help, "FORMAT", autocompletion=completion.choice(names))


Drawings = Annotated[
    list[str] | None,
    typer.Argument(
        help="Drawings in any format that `preprocess` reads: files, folders, patterns; - is "
        "standard input. \\[default: -]",
        metavar="SKETCHES",
        autocompletion=completion.sources,
    ),
]
Model = Annotated[
    str | None,
    model("Run folder, checkpoint, or browser model (.gen.json, .vae.json)."),
]
Overwrite = Annotated[bool, flag("Replace an existing file.", "--overwrite")]
OnError = Annotated[
    Literal["fail", "skip"], option("At a faulty drawing: fail, or skip it.", "fail|skip")
]
QuickdrawUrl = Annotated[
    str | None,
    option(
        "Folder to download quickdraw:WORD from. "
        "\\[default: SKETCHRNN_QUICKDRAW_URL, or Google's bucket]",
        "URL",
        panel=DOWNLOADS,
    ),
]
Offline = Annotated[bool, flag("Use only cached downloads.", "--offline", panel=DOWNLOADS)]


def _looks(
    size: Annotated[
        int | None,
        option(
            "Pixels of one drawing. \\[default: by the columns]",
            "PIXELS",
            panel=LOOK,
            callback=between(*SIZES),
        ),
    ] = None,
    columns: Annotated[
        int | None,
        option(
            "Drawings side by side. \\[default: as many as rows]",
            "N",
            panel=LOOK,
            callback=between(1, MAX_DRAWINGS),
        ),
    ] = None,
    line_width: Annotated[
        float | None,
        option(
            "Width of the pen. \\[default: by the size]",
            "PIXELS",
            panel=LOOK,
            callback=between(*LINE_WIDTHS),
        ),
    ] = None,
    color: Annotated[
        str | None, option("Ink: a name or #rrggbb. \\[default: #262626]", "COLOR", panel=LOOK)
    ] = None,
    background: Annotated[
        str | None, option("Paper: a color, or none. \\[default: #ffffff]", "COLOR", panel=LOOK)
    ] = None,
    dark: Annotated[
        bool, flag("Light ink on dark paper, unless a color is given.", "--dark", panel=LOOK)
    ] = False,
    captions: Annotated[
        bool, flag("Word and seed under each drawing.", "--captions/--no-captions", panel=LOOK)
    ] = True,
    smooth: Annotated[
        bool, flag("Curves through the points, not straight lines.", "--smooth", panel=LOOK)
    ] = False,
    page: Annotated[
        Literal["a4", "a5", "letter"] | None,
        option(
            "An SVG of this size in millimetres, a layer for each color, for plotters.",
            "a4|a5|letter",
            panel=LOOK,
        ),
    ] = None,
    margin: Annotated[
        str | None,
        option(
            "Of the --page. \\[default: 10mm]",
            "LENGTH",
            panel=LOOK,
            callback=parsed(_millimetres, LENGTHS),
        ),
    ] = None,
) -> None:
    """How every picture looks."""


LOOKS = inspect.signature(_looks, eval_str=True).parameters
Look = Mapping[str, Any]  # those that were given, by name; see ``with_look``
USUAL: Look = MappingProxyType({})

Seed = Annotated[
    int,
    option(
        "Random seed: the same seed gives the same bytes.",
        "N",
        panel=COMMON,
        callback=between(0, LARGEST),
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], option("auto, cpu, cuda or mps.", "NAME", panel=COMMON)
]
Threads = Annotated[
    int | None,
    option(
        "CPU threads. \\[default: all]",
        "N",
        panel=COMMON,
        callback=between(1, os.cpu_count() or 1, ", the cores of this machine"),
    ),
]
Quiet = Annotated[bool, flag("Nothing on stderr but warnings.", "--quiet", "-q", panel=COMMON)]
Json = Annotated[bool, flag("One JSON object on stdout.", "--json", panel=COMMON)]
