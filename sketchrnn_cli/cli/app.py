"""The ``sketchrnn`` command: its subcommands, and the one place where a fault becomes a line."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from sketchrnn_cli import __version__
from sketchrnn_cli.cli import (
    animate,
    encode,
    examples,
    export,
    help,
    inspect,
    pipes,
    preprocess,
    sample,
    signals,
    train,
)
from sketchrnn_cli.errors import BadFile, SketchError
from sketchrnn_cli.sketches.streams import reason

MAX_MESSAGE = 4000  # characters
OTHER_NAMES = {  # of commands, in other programs
    "convert": "preprocess",
    "prepare": "preprocess",
    "fit": "train",
    "draw": "sample",
    "generate": "sample",
    "decode": "sample",
    "complete": "sample",
    "gif": "animate",
    "morph": "animate",
    "evaluate": "inspect",
    "info": "inspect",
    "plot": "inspect",
    "score": "inspect",
}


class Commands(TyperGroup):
    """Turns a SketchError into one line and its exit code; a bug keeps its traceback."""

    def get_params(self, ctx: Any) -> Any:
        """Those of the program as a whole."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            help.name_no_value(parameter)
        return parameters

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As typer does, and names the option that is most like one that there is not."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            help.name_nearest(error)
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; what is no command gets what may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            if "Did you mean" not in error.message:
                error.message = f"{error.message} {_meant(args[0])}".strip()
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen subcommand."""
        try:
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
                pipes.let_go(sys.stdout)  # the reader has what it wanted, as with `| head`
                raise typer.Exit(pipes.UNREAD) from None
            if pipes.is_full(error):
                _tell_full(error)
                raise typer.Exit(BadFile.exit_code) from None
            if error.filename is None or ctx.params.get("debug"):
                raise
            # a name that is too long, a folder that may not be looked into: asking is a fault then
            _tell(BadFile(f"{error.filename}: {reason(error)}"))
            raise typer.Exit(BadFile.exit_code) from error


def _meant(typed: str) -> str:
    """What somebody may have meant who typed no command."""
    if command := OTHER_NAMES.get(typed.lower()):
        return f"Did you mean {command!r}?"
    if re.fullmatch(r"[\w ,:+.>-]{1,60}", typed) and not typed.startswith("-"):
        return f'To have it drawn: sketchrnn sample "{typed}"'
    return ""


def _tell(error: SketchError) -> None:
    """The line on stderr, if anybody listens."""
    try:
        typer.echo(f"error: {_one_line(str(error))}", err=True)
    except OSError:
        pipes.let_go(sys.stderr)


def _tell_full(error: OSError) -> None:
    pipes.let_go(sys.stdout)
    _tell(BadFile(f"standard output: cannot be written: {reason(error)}"))


def _one_line(message: str) -> str:
    """A message that may quote a stranger's names: one line, of no endless length, all visible."""
    if len(message) > MAX_MESSAGE:
        message = f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 2 :]}"
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    return "".join(shown)


def _spelling(name: str) -> str:
    """``--batch_size`` is ``--batch-size``."""
    return name.replace("_", "-")


app = typer.Typer(
    name="sketchrnn",
    cls=Commands,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": _spelling, "help_option_names": ["--help", "-h"]},
    help="Learn to draw: train Sketch-RNN models on pen strokes, and draw with them.",
)


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


@app.callback(epilog=help.epilog(examples.FIRST))
def common(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Learn to draw: train Sketch-RNN models on pen strokes, and draw with them."""
    if context.invoked_subcommand is None:
        _welcome()


for command in (
    preprocess.preprocess,
    train.train,
    sample.sample,
    encode.encode,
    animate.animate,
    inspect.inspect,
    export.export,
):
    app.command(cls=help.Command)(command)


def main() -> None:
    """Entry point of the console script. ``--debug`` may stand anywhere before a ``--``."""
    pipes.mend()
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" in arguments[:end]:
        arguments.remove("--debug")
        arguments.insert(0, "--debug")
    try:
        with signals.unwound():
            app(args=arguments, prog_name="sketchrnn")
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
