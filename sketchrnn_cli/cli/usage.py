"""A command line that cannot be parsed: one line on what is wrong with it, and what was meant."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import typer

from sketchrnn_cli.cli import examples

ALIKE = 0.7  # share of letters in common
COMMANDS = {  # by what other programs call them
    "convert": "preprocess",
    "prepare": "preprocess",
    "import": "preprocess",
    "fit": "train",
    "learn": "train",
    "draw": "sample",
    "generate": "sample",
    "decode": "sample",
    "complete": "sample",
    "page": "demo",
    "browser": "demo",
    "open": "demo",
    "embed": "encode",
    "gif": "animate",
    "play": "animate",
    "morph": "animate",
    "evaluate": "inspect",
    "info": "inspect",
    "show": "inspect",
    "plot": "inspect",
    "score": "inspect",
    "save": "export",
}
OPTIONS = {  # the same; of several the first that the command has
    "--output": ("--out",),
    "--tau": ("--temp",),
    "--num": ("--count",),
    "--number": ("--count",),
    "--limit": ("--count", "--per-word"),
    "--samples": ("--count",),
    "--lr": ("--learning-rate",),
    "--bs": ("--batch-size",),
    "--force": ("--overwrite",),
    "--yes": ("--overwrite",),
    "--gpu": ("--device cuda",),
    "--cuda": ("--device cuda",),
    "--cpu": ("--device cpu",),
    "--bg": ("--background",),
    "--transparent": ("--background none",),
    "--ink": ("--color",),
    "--stroke-width": ("--line-width",),
    "--width": ("--size", "--decoder-size"),
    "--height": ("--size",),
    "--resolution": ("--size",),
    "--rows": ("--columns",),
    "--speed": ("--duration",),
    "--seconds": ("--duration",),
    "--time": ("--time-limit", "--duration"),
    "--length": ("--max-points",),
    "--max-length": ("--max-points",),
    "--words": ("--list-words",),
    "--list": ("--list-words",),
    "--prefix": ("--complete",),
    "--continue": ("--resume", "--complete"),
    "--silent": ("--quiet",),
    "--checkpoint": ("--model",),
    "--model": ("--from",),
    "--n": ("-n",),
    "--m": ("-m",),
    "--o": ("-o",),
    "--t": ("-t",),
    "--q": ("-q",),
    "-v": ("--version",),
}


def reason(error: Any, context: Any, typed: list[str]) -> str:
    """What is wrong with the command line.

    Args:
        error: of typer.
        context: of the command.
        typed: its arguments.
    """
    parameter, cause = getattr(error, "param", None), error.__cause__  # of pydantic
    option, kind = getattr(error, "option_name", None), type(error).__name__
    if kind == "NoSuchOption":
        return f"{option}: no such option{_meant_option(str(option), context)}"
    if kind == "MissingParameter":
        example = examples.EXAMPLES.get(context.command.name or "")
        how = f", as in: {example[0].line}" if example else ""
        return f"{_name(parameter, typed)} is missing{how}"
    if parameter is not None and hasattr(cause, "errors"):
        value = cause.errors()[0]["input"]
        return f"{_name(parameter, typed)} {value}: must be {_wanted(parameter)}"
    if parameter is not None and error.message:
        return f"{_name(parameter, typed)} {error.message}"
    message = str(error.format_message()).rstrip(".")
    if option is not None and "requires" in message:
        message = f"{option}: a value is missing"
    elif option is not None and "take" in message:
        message = f"{option}: takes no value"
    elif match := re.match(r"Got unexpected extra argument\(?s?\)? \((.*)\)", message):
        message = f"{match[1]}: not expected here"
        if "--model" in _names(context.command) and Path(match[1]).exists():
            return f"{message}; did you mean --model {match[1]}?"
    return f"{message}; see {context.command_path} --help"


def no_command(typed: str) -> str:
    """What to say of a word that is no command."""
    names = [*examples.EXAMPLES, "help", "version"]
    near = COMMANDS.get(typed.lower()) or next(
        iter(difflib.get_close_matches(typed.lower(), names, 1, ALIKE)), None
    )
    hint = "see sketchrnn --help"
    if near:
        hint = f"did you mean {near}?"
    elif Path(typed).suffix and Path(typed).exists():
        hint = f"to see what is in it: sketchrnn inspect {typed}"
    elif re.fullmatch(r"[\w ,:+.>-]{1,60}", typed) and not typed.startswith("-"):
        hint = f'to have it drawn: sketchrnn sample "{typed}"'
    return f"{typed}: no such command; {hint}"


def _names(command: Any) -> list[str]:
    """The options of a command, as they are typed."""
    return [name for each in command.params for name in (*each.opts, *each.secondary_opts)]


def one_dash(typed: list[str], context: Any) -> str | None:
    """What is wrong with a long option that was typed with one dash: -model is -m odel."""
    names = [*_names(context.command), "--help"]
    options = typed[: typed.index("--")] if "--" in typed else typed
    for word in options:
        name = word.partition("=")[0]
        if len(name) > 2 and f"-{name}" in names:
            return f"{name}: no such option; did you mean -{name}?"
    return None


def _meant_option(option: str, context: Any) -> str:
    """What may have been meant, or which commands have it."""
    every = _names(context.command)
    names = [name for name in every if name.startswith("--")]
    known = [other for other in OPTIONS.get(option, ()) if other.split()[0] in every]
    known += difflib.get_close_matches(option, names, 1, ALIKE)
    if known:
        return f"; did you mean {known[0]}?"
    from sketchrnn_cli.cli.app import app

    group: Any = typer.main.get_command(app)
    others = [name for name, other in group.commands.items() if option in _names(other)]
    if others:
        have = "has" if len(others) == 1 else "have"
        listed = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
        return f" of {context.info_name}; {listed} {have} it"
    return f"; see {context.command_path} --help"


def _name(parameter: Any, typed: list[str]) -> str:
    """A parameter as it was typed, or by its first name."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    for word in typed:
        for name in parameter.opts:
            if word.partition("=")[0].replace("_", "-") == name:
                return str(name)
    return str(min(parameter.opts, key=len))


def _wanted(parameter: Any) -> str:
    """What values a parameter takes."""
    kind = parameter.type_descriptor
    if kind.choices:
        return f"one of {', '.join(map(str, kind.choices))}"
    return "a whole number" if "int" in str(kind.annotation) else "a number"
