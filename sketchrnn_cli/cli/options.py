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


def option(*names: str, help: str, metavar: str, panel: str | None = None, **more: Any) -> Any:
    """An option that takes a value."""
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def flag(*names: str, help: str, panel: str | None = None) -> Any:
    """An option that is on or off."""
    return typer.Option(*names, help=help, metavar="", rich_help_panel=panel)


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


def one_of(known: Sequence[str]) -> Callable[[str | None], str | None]:
    """A check that a value of the command line is known."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in known:
            near = difflib.get_close_matches(value, known, 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise typer.BadParameter(f"{value}: must be one of {', '.join(known)}{hint}")
        return value

    return check


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.15g}"


def count(help: str, panel: str | None = None) -> Any:
    """``-n``: how many drawings."""
    check = between(1, MOST)
    return option("--count", "-n", help=help, metavar="N", panel=panel, callback=check)


def model(what: str, panel: str | None = None) -> Any:
    """``-m``: a model, of which ``what`` says what it is for."""
    return option(
        *("--model", "--checkpoint", "-m"),
        help=f"{what} \\[default: the built-in model]",
        metavar="RUN",
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
        if parameter.name == "look":
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters += [
                inspect.Parameter(name, kind, annotation=LOOKS[name][0], default=LOOKS[name][1])
                for name in names
            ]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def expanded(*arguments: Any, **values: Any) -> None:
        look = {name: values.pop(name) for name in names if name in values}
        command(*arguments, **values, look=look)

    vars(expanded)["__signature__"] = signature.replace(parameters=parameters)
    return expanded


def style(look: Mapping[str, Any], **more: Any) -> Style:
    """How a picture looks, by the options that a person gave.

    Args:
        look: of a command ``with_look``.
        more: what follows from other options.

    Raises:
        BadUsage: a margin that leaves no room on its page.
        BadConfig: another value out of its range.
    """
    given = {name: value for name, value in look.items() if value is not None}
    if (margin := given.get("margin")) is not None:
        given["margin"] = _millimetres(margin)
        page = given.get("page")
        if page is not None and not given["margin"] <= (most := widest_margin(page)):
            raise BadUsage(f"--margin {margin}: must be from 0 to {most:g}mm on {page}")
    return Style(**given, **more)


def _millimetres(text: str) -> float:
    """A length such as 10mm, 1.5cm or 0.5in; a bare number is in millimetres."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(mm|cm|in|)", text.strip().lower())
    if match is None:
        raise BadConfig(f"--margin {text}: must be {LENGTHS}")
    return float(match[1]) * {"mm": 1.0, "cm": 10.0, "in": 25.4, "": 1.0}[match[2]]


def _threads(value: int | None) -> int | None:
    """A check that the machine has so many cores."""
    cores = os.cpu_count() or 1
    if value is not None and not 1 <= value <= cores:
        raise typer.BadParameter(f"{value}: must be from 1 to {cores:,}, the cores of this machine")
    return value


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
    return option("--out", "-o", help=help, metavar="FILE", autocompletion=complete)


def picture(*names: str, help: str, panel: str | None = None) -> Any:
    """A picture to write beside what else a command does."""
    complete = completion.output(("svg", "png"))
    return option(*names, help=help, metavar="FILE", panel=panel, autocompletion=complete)


def format(names: Iterable[str], help: str) -> Any:
    """``--format``: instead of the suffix of ``-o``."""
    complete = completion.choice(names)
    return option("--format", help=help, metavar="FORMAT", autocompletion=complete)


AS_SUFFIX = "Format, instead of the suffix of -o; needed where -o is a pipe."
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
WarmStart = Annotated[
    str | None,
    option(
        "--from",
        help="Start from the weights of a model, or of the built-in one: --from built-in.",
        metavar="RUN",
        autocompletion=completion.runs,
    ),
]
Overwrite = Annotated[bool, flag("--overwrite", help="Replace an existing file.")]
OnError = Annotated[
    Literal["fail", "skip"],
    option("--on-error", help="At a faulty drawing: fail, or skip it.", metavar="fail|skip"),
]
QuickdrawUrl = Annotated[
    str | None,
    option(
        "--quickdraw-url",
        help="Folder to download quickdraw:WORD from. "
        "\\[default: SKETCHRNN_QUICKDRAW_URL, or Google's bucket]",
        metavar="URL",
        panel=DOWNLOADS,
    ),
]
Offline = Annotated[bool, flag("--offline", help="Use only cached downloads.", panel=DOWNLOADS)]

Size = Annotated[
    int | None,
    option(
        "--size",
        help="Pixels of one drawing. \\[default: by the columns]",
        metavar="PIXELS",
        panel=LOOK,
        callback=between(*SIZES),
    ),
]
Columns = Annotated[
    int | None,
    option(
        "--columns",
        help="Drawings side by side. \\[default: as many as rows]",
        metavar="N",
        panel=LOOK,
        callback=between(1, MAX_DRAWINGS),
    ),
]
LineWidth = Annotated[
    float | None,
    option(
        "--line-width",
        help="Width of the pen. \\[default: by the size]",
        metavar="PIXELS",
        panel=LOOK,
        callback=between(*LINE_WIDTHS),
    ),
]
Color = Annotated[
    str | None,
    option(
        "--color",
        help="Ink: a name or #rrggbb. \\[default: #262626]",
        metavar="COLOR",
        panel=LOOK,
    ),
]
Background = Annotated[
    str | None,
    option(
        "--background",
        help="Paper: a color, or none. \\[default: #ffffff]",
        metavar="COLOR",
        panel=LOOK,
    ),
]
Dark = Annotated[
    bool, flag("--dark", help="Light ink on dark paper, unless a color is given.", panel=LOOK)
]
Captions = Annotated[
    bool,
    flag("--captions/--no-captions", help="Word and seed under each drawing.", panel=LOOK),
]
Smooth = Annotated[
    bool, flag("--smooth", help="Curves through the points, not straight lines.", panel=LOOK)
]
Page = Annotated[
    Literal["a4", "a5", "letter"] | None,
    option(
        "--page",
        help="An SVG of this size in millimetres, a layer for each color, for plotters.",
        metavar="a4|a5|letter",
        panel=LOOK,
    ),
]
Margin = Annotated[
    str | None,
    option(
        "--margin",
        help="Of the --page. \\[default: 10mm]",
        metavar="LENGTH",
        panel=LOOK,
        callback=parsed(_millimetres, LENGTHS),
    ),
]
LOOKS: dict[str, tuple[Any, Any]] = {  # how every picture looks: declaration and default
    **{"size": (Size, None), "columns": (Columns, None), "line_width": (LineWidth, None)},
    **{"color": (Color, None), "background": (Background, None), "dark": (Dark, False)},
    **{"captions": (Captions, True), "smooth": (Smooth, False)},
    **{"page": (Page, None), "margin": (Margin, None)},
}
Look = Mapping[str, Any]  # those that were given, by name; see ``with_look``
USUAL: Look = MappingProxyType({})

Seed = Annotated[
    int,
    option(
        "--seed",
        help="Random seed: the same seed gives the same bytes.",
        metavar="N",
        panel=COMMON,
        callback=between(0, LARGEST),
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    option("--device", help="auto, cpu, cuda or mps.", metavar="NAME", panel=COMMON),
]
Threads = Annotated[
    int | None,
    option(
        "--threads",
        help="CPU threads. \\[default: all]",
        metavar="N",
        panel=COMMON,
        callback=_threads,
    ),
]
Quiet = Annotated[bool, flag("--quiet", "-q", help="Nothing on stderr but warnings.", panel=COMMON)]
Json = Annotated[bool, flag("--json", help="One JSON object on stdout.", panel=COMMON)]
