"""How ``--help`` looks, and what the Tab key offers: options in panels, examples below them.

The tables here are beside the definitions of the options, which say what each one means: which
panel an option stands in, what its value is called, and how it is completed.
"""

from __future__ import annotations

import shutil
import textwrap
from typing import Any, NamedTuple

import typer
from rich.markup import escape
from typer.core import TyperCommand

from sketchrnn_cli.cli import animate, completion, encode, export, preprocess, sample
from sketchrnn_cli.cli.examples import EXAMPLES, Example
from sketchrnn_cli.model.config import CELLS, PRESETS
from sketchrnn_cli.training.config import PRECISIONS

COMMON = "Common"  # options that most commands have
NARROW = 60  # columns; fewer leave no room for three of options
MAIN = "Options"  # typer shows this panel first

PANELS: dict[str, dict[str, tuple[str, ...]]] = {  # of a command; what is not named: MAIN
    "preprocess": {
        "Which drawings": (
            *("per_word", "min_points", "max_points", "recognized_only", "on_error", "split"),
        ),
        "How they are prepared": ("simplify", "fit", "epsilon"),
        "Downloads": ("quickdraw_url", "offline"),
    },
    "train": {
        "How long": ("steps", "epochs", "time_limit", "resume"),
        "Network": ("cell", "encoder_cell", "encoder", "words"),
        "Training": ("batch_size", "learning_rate", "kl_weight", "precision", "seed"),
        "Logs": ("tensorboard", "log_csv"),
        "Downloads": ("quickdraw_url", "offline"),
    },
    "sample": {
        "What to draw": (
            *("complete", "latents", "interpolate", "frames", "first", "no_word", "strict"),
        ),
        "Chance": (
            *("pen_temp", "latent_temp", "guidance", "greedy", "prior", "most_likely"),
            *("best_of", "max_points", "score"),
        ),
    },
    "encode": {},
    "animate": {
        "Time": ("fps", "duration", "hold", "in_turn"),
        "Look": (
            *("size", "columns", "line_width", "color", "background", "dark"),
            *("color_by", "pen_tip", "captions"),
        ),
    },
    "inspect": {
        "Pictures": ("grid", "plot", "map", "projection", "densities", "drawing", "step"),
        "Likelihood": ("evaluate", "split", "samples", "score"),
    },
    "export": {"The model": ("word", "guidance", "half")},
}
_COMMON = ("seed", "device", "threads", "quiet", "json", "as_json", "debug", "version")

VALUES = {  # what stands for the value of an option, or of an argument
    "sources": "SOURCE",
    "data": "DATA",
    "prompt": "PROMPT",
    "sketches": "SKETCHES",
    "things": "THING",
    "batch_size": "N",
    "best_of": "N",
    "cell": "CELL",
    "columns": "N",
    "complete": "FILE",
    "config": "FILE",
    "count": "N",
    "device": "NAME",
    "drawing": "N",
    "duration": "SECONDS",
    "encoder_cell": "CELL",
    "epochs": "N",
    "epsilon": "PIXELS",
    "first": "N",
    "format": "FORMAT",
    "fps": "N",
    "frames": "N",
    "guidance": "X",
    "hold": "SECONDS",
    "kl_weight": "X",
    "latent_temp": "T",
    "latents": "FILE",
    "learning_rate": "X",
    "line_width": "PIXELS",
    "max_points": "N",
    "min_points": "N",
    "model": "RUN",
    "out": "FILE",
    "pen_temp": "T",
    "precision": "NAME",
    "preset": "NAME",
    "projection": "NAME",
    "samples": "K",
    "seed": "N",
    "size": "PIXELS",
    "split": "NAME",
    "step": "N",
    "steps": "N",
    "threads": "N",
    "time_limit": "TIME",
    "color": "COLOR",
    "color_by": "WHAT",
    "background": "COLOR",
    "word": "WORD",
}

COMPLETIONS: dict[str, completion.Complete] = {
    "model": completion.runs,
    "prompt": completion.words,
    "word": completion.words,
    "things": completion.things,
    "evaluate": completion.things,
    "sketches": completion.sources,
    "complete": completion.sources,
    "sources": completion.sources,
    "data": completion.sources,
    "more_data": completion.sources,
    "preset": completion.choice(PRESETS),
    "cell": completion.choice(CELLS),
    "encoder_cell": completion.choice(CELLS),
    "precision": completion.choice(PRECISIONS),
    "device": completion.choice(("auto", "cpu", "cuda", "mps")),
    "on_error": completion.choice(("fail", "skip")),
    "projection": completion.choice(("pca", "tsne")),
    "color_by": completion.choice(("stroke", "time")),
    "grid": completion.output(("svg", "png")),
    "plot": completion.output(("svg", "png")),
    "map": completion.output(("svg", "png")),
    "densities": completion.output(("svg", "png")),
}


SUFFIXES = {  # what --out of a command may end in; that of `train` is a run folder
    "preprocess": ("npz", "ndjson"),
    "sample": sample.KNOWN,
    "encode": encode.KNOWN,
    "animate": animate.KNOWN,
    "export": export.KNOWN,
}
FORMATS = SUFFIXES | {"preprocess": preprocess.FORMATS}


class Command(TyperCommand):
    """A command whose options stand in panels, with three examples under them."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        command = name or ""
        panels = {each: panel for panel, names in PANELS[command].items() for each in names}
        panels |= dict.fromkeys(_COMMON, COMMON)
        if "seed" in PANELS[command].get("Training", ()):
            panels["seed"] = "Training"
        for parameter in self.params:
            _dress(parameter, command, panels)
        self.help = _joined(self.help)
        self.epilog = epilog(EXAMPLES[command])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; of options like one that there is not, the most alike is named."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            name_nearest(error)
            raise

    def get_help_option(self, ctx: Any) -> Any:
        """``--help`` stands with what is common to all commands."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = COMMON
            name_no_value(option)
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """In panels, or one under the other where a window is too narrow for them."""
        width = shutil.get_terminal_size().columns
        if width >= NARROW:
            super().format_help(ctx, formatter)
        else:
            formatter.write(narrow(self, ctx, width))


def name_nearest(error: Any) -> None:
    """Typer lists all that are like it, by the alphabet."""
    if near := getattr(error, "possibilities", None):
        error.message = f"{error.message}. Did you mean {near[0]}?"
        error.possibilities = None


def name_no_value(parameter: Any) -> None:
    """What is on or off takes no value; typer would show ``<bool>``."""
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""


def _dress(parameter: Any, command: str, panels: dict[str, str]) -> None:
    """Give a parameter its panel, the name of its value, and its completion."""
    name = parameter.name
    is_option = parameter.param_type_name == "option"
    if is_option:
        parameter.rich_help_panel = panels.get(name)
    else:
        parameter.display_type_rich = lambda ctx: ""  # `<list[str]>` tells a person nothing
    if isinstance(parameter.show_default, str):  # typer would put it in brackets of its own
        parameter.help = f"{parameter.help} {escape(f'[default: {parameter.show_default}]')}"
        parameter.show_default = False
    name_no_value(parameter)
    if parameter.metavar is None or not is_option:
        parameter.metavar = VALUES.get(name, parameter.metavar)
    if name == "out" and command not in SUFFIXES:
        parameter.metavar = "RUN"
    complete = COMPLETIONS.get(name)
    if name == "format":
        complete = completion.choice(FORMATS[command])
    elif name == "out" and command in SUFFIXES:
        complete = completion.output(SUFFIXES[command])
    elif name == "out":
        complete = completion.runs
    if complete is not None:  # as `autocompletion=` in the definition would, with the same checks
        parameter._custom_shell_complete = complete


class Entry(NamedTuple):
    """An option or an argument in words."""

    spelled: str  # "-o, --out FILE"
    text: str


def entries(command: Any, ctx: Any) -> dict[str, list[Entry]]:
    """Of a command, by panel: arguments, the main options, the others, and last the common ones."""
    found: dict[str, list[Entry]] = {"Arguments": [], MAIN: []}
    for parameter in command.get_params(ctx):
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            found["Arguments"].append(Entry(str(parameter.metavar), _text(parameter)))
            continue
        panel = getattr(parameter, "rich_help_panel", None) or MAIN
        found.setdefault(panel, []).append(Entry(_spelled(parameter), _text(parameter)))
    if COMMON in found:
        found[COMMON] = found.pop(COMMON)
    return {panel: rows for panel, rows in found.items() if rows}


def _spelled(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        names += f" / {', '.join(parameter.secondary_opts)}"
    return f"{names} {parameter.metavar or ''}".strip()


def _text(parameter: Any) -> str:
    """Its help, and its default where the help does not tell it."""
    text = unescaped(parameter.help or "")
    default = parameter.default
    if isinstance(default, (str, int, float)) and not isinstance(default, bool):
        text += f" [default: {default}]"
    return text


def unescaped(text: str) -> str:
    """A help text without the backslashes that keep rich from taking brackets for its own."""
    return text.replace("\\[", "[")


def narrow(command: Any, ctx: Any, width: int) -> str:
    """A help for a window of a few columns."""
    width = max(width, 10)
    lines = [*_wrapped(" ".join(command.get_usage(ctx).split()), width), ""]
    lines += [*_wrapped(unescaped(command.help or ""), width), ""]
    for panel, rows in entries(command, ctx).items():
        lines += _wrapped(f"{panel}:", width)
        for row in rows:
            lines += _wrapped(row.spelled, width, " ")
            lines += _wrapped(row.text, width, "   ")
        lines.append("")
    for example in EXAMPLES[command.name]:
        lines += [*_wrapped(f"# {example.what}", width), example.line]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _joined(text: str | None) -> str | None:
    """Paragraphs without the line breaks that a docstring has."""
    if text is None:
        return None
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def epilog(examples: tuple[Example, ...]) -> str:
    """Examples as they stand under a --help: to be copied, with what each one does before it."""
    lines = []
    for example in examples:
        lines += [f"[dim]# {escape(example.what)}[/dim]", escape(example.line)]
    return "\n".join(lines)
