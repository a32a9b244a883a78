"""The ``sketchrnn`` command: its subcommands, and the one place where an error becomes a line."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sketchrnn_cli import __version__
from sketchrnn_cli.cli import examples, pipes, rules, signals, usage, values
from sketchrnn_cli.cli.options import COMMON, flag
from sketchrnn_cli.cli.terminal import Terminal, unbroken
from sketchrnn_cli.errors import BadFile, BadUsage, SketchError, SketchWarning
from sketchrnn_cli.files import reason

if TYPE_CHECKING:
    app: typer.Typer  # the whole program; made when it is asked for

COMMANDS = {  # what each does; its module has its name, and loads when it runs
    "preprocess": "Read drawings of any kind, prepare them, and pack them for training.",
    "train": "Train a model on drawings; without DATA, on the practice drawings that ship.",
    "sample": "Draw what the PROMPT says, one NDJSON line each, or as a picture by the suffix "
    "of -o.",
    "encode": "Find the latents of drawings: mean z and its sigma, beside each drawing or as "
    "arrays.",
    "animate": "Show the pen drawing, stroke by stroke, or with --morph the drawings turning into "
    "others.",
    "inspect": "Say what is in a file of drawings, a model or a run, and show some of it.",
    "export": "Write a model as one file: to pass on, for a browser, or as a page to draw on.",
    "demo": "Draw together with a model, on a page in the browser: one file, no network.",
}
LISTED = ("--help", "-h", "help", "--version", "-V", "version")  # what runs no command
MAX_MESSAGE = 4000  # characters
ADVICE = ", or use --on-error skip"  # for the commands that have it


class Command(TyperCommand):
    """A command that refuses options it would ignore, and says so in one line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; what cannot be parsed is one line."""
        typed = list(args)
        if dashed := usage.one_dash(typed, ctx):
            raise BadUsage(dashed)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            raise BadUsage(usage.reason(error, ctx, typed)) from error

    def invoke(self, ctx: Any) -> Any:
        """Run the command, if its options go together."""
        rules.check(self.name or "", rules.given(ctx))
        try:
            return super().invoke(ctx)
        except SketchError as error:
            if "on_error" not in ctx.params and ADVICE in str(error):
                raise type(error)(str(error).replace(ADVICE, "")) from error
            raise

    def get_params(self, ctx: Any) -> Any:
        """As typer does; `<list[str]>` beside an argument tells a person nothing."""
        parameters: Any = super().get_params(ctx)
        for parameter in parameters:
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: ""
            values.read_plainly(parameter)
        return parameters

    def get_help_option(self, ctx: Any) -> Any:
        """``--help`` stands with what is common to all commands."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.rich_help_panel, found.metavar = COMMON, ""
        return found


class Commands(TyperGroup):
    """Turns a SketchError into one line and its exit code; a bug keeps its traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; what cannot be parsed is one line. `help` and `version` are options."""
        if args[:1] == ["help"]:
            args = [*(name for name in args[1:2] if name not in ("help", "version")), "--help"]
        elif args == ["version"]:
            args = ["--version"]
        if dashed := usage.one_dash(args[:1], ctx):
            _tell(BadUsage(dashed))
            raise typer.Exit(BadUsage.exit_code)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            _tell(BadUsage(usage.reason(error, ctx, args)))
            raise typer.Exit(BadUsage.exit_code) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; what is no command gets what may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            raise BadUsage(usage.no_command(args[0])) from error

    def get_params(self, ctx: Any) -> Any:
        """As typer does; plain values are read without pydantic."""
        parameters: Any = super().get_params(ctx)
        for parameter in parameters:
            values.read_plainly(parameter)
        return parameters

    def get_help_option(self, ctx: Any) -> Any:
        """As typer does; a flag shows no type."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.metavar = ""
        return found

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen subcommand."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("once", SketchWarning)
                warnings.showwarning = _shows(warnings.showwarning)
                return super().invoke(ctx)
        except SketchError as error:
            if ctx.params.get("debug"):
                raise
            _tell(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except OSError as error:
            if pipes.is_broken(error):
                pipes.discard(sys.stdout)  # the reader has what it wanted, as with `| head`
                raise typer.Exit(pipes.UNREAD) from None
            if pipes.is_full(error):
                _tell_full(error)
                raise typer.Exit(BadFile.exit_code) from None
            if error.filename is None or ctx.params.get("debug"):
                raise
            # a name that is too long, a folder that may not be looked into: asking fails then
            _tell(BadFile(f"{error.filename}: {reason(error)}"))
            raise typer.Exit(BadFile.exit_code) from error


def _shows(other: Callable[..., None]) -> Callable[..., None]:
    """Show our warnings as one line, and those of other libraries as before."""

    def show(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
        if issubclass(category, SketchWarning):
            Terminal().warn(str(message))
        else:
            other(message, category, *more, **named)

    return show


def _tell(error: SketchError) -> None:
    """The line on stderr, if anybody listens."""
    try:
        typer.echo(unbroken(f"error: {_one_line(str(error))}", sys.stderr), err=True)
    except OSError:
        pipes.discard(sys.stderr)


def _tell_full(error: OSError) -> None:
    pipes.discard(sys.stdout)
    _tell(BadFile(f"standard output: cannot be written: {reason(error)}"))


def _one_line(message: str) -> str:
    """A message that may quote untrusted names: one line, of no endless length, all visible."""
    if len(message) > MAX_MESSAGE:
        message = f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 2 :]}"
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    return "".join(shown)


def _spelling(name: str) -> str:
    """``--batch_size`` is ``--batch-size``."""
    return name.replace("_", "-")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"sketchrnn {__version__}")
        raise typer.Exit


def _welcome() -> None:
    """What somebody sees who has typed the name alone: what to type first."""
    lines = "\n".join(f"  {line}" for line in examples.beside(examples.FIRST))
    typer.echo(
        "sketchrnn draws what you type, and learns to draw. Begin with one of these:\n\n"
        f"{lines}\n\n"
        "sketchrnn --help lists the commands, sketchrnn COMMAND --help their options.\n"
        "sketchrnn --install-completion lets the Tab key finish commands and words."
    )


def common(
    context: typer.Context,
    version: Annotated[
        bool,
        flag("Show the version and exit.", "--version", "-V", callback=_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, flag("Show the traceback of an error.", "--debug")] = False,
) -> None:
    """Learn to draw: train Sketch-RNN models on pen strokes, and draw with them."""
    if context.invoked_subcommand is None:
        _welcome()


def program(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The program with some of its commands: to declare the options of all takes longer."""
    made = _empty()
    for name in names:
        command = getattr(import_module(f"sketchrnn_cli.cli.{name}"), name)
        made.command(cls=Command, epilog=examples.epilog(examples.EXAMPLES[name]))(command)
    return made


def _empty() -> typer.Typer:
    made = typer.Typer(
        name="sketchrnn",
        cls=Commands,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"token_normalize_func": _spelling, "help_option_names": ["--help", "-h"]},
        help="Learn to draw: train Sketch-RNN models on pen strokes, and draw with them.",
    )
    made.callback(epilog=examples.epilog(examples.FIRST))(common)
    return made


def _listing() -> typer.Typer:
    """The program as its own --help shows it: commands without their options."""
    made = _empty()
    for name, what in COMMANDS.items():
        made.command(name, help=what)(_welcome)
    return made


def _needed(arguments: list[str]) -> typer.Typer:
    """As much of the program as these arguments need."""
    words = [word for word in arguments[:2] if word != "--debug"] or ["--help"]
    name = words[-1] if words[0] == "help" else words[0]
    if name in COMMANDS:
        return program([name])
    completes = "_SKETCHRNN_COMPLETE" in os.environ  # a shell asks, in other variables
    return _listing() if name in LISTED and not completes else program()


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("app", program())


def main() -> None:
    """Entry point of the console script. ``--debug`` may stand anywhere before a ``--``."""
    pipes.repair()
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" in arguments[:end]:
        arguments.remove("--debug")
        arguments.insert(0, "--debug")
    try:
        with signals.unwound():
            _needed(arguments)(args=arguments, prog_name="sketchrnn")
    except SketchError as error:  # of --help and --version, before a command is chosen
        if "--debug" in arguments[:1]:
            raise
        _tell(error)
        sys.exit(error.exit_code)
    except OSError as error:
        if not pipes.is_full(error):
            raise
        _tell_full(error)
        sys.exit(BadFile.exit_code)
