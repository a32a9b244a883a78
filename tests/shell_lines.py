"""Lines of a shell as the docs have them, run without one: pipes of sketchrnn, and head."""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import NamedTuple

import quickdraw_server
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app


class Result(NamedTuple):
    exit_code: int
    stdout: bytes
    stderr: str


def stages(line):
    """The programs of a pipe, each with its arguments."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|")
    words.whitespace_split = True
    found = [[]]
    for word in words:
        if word == "|":
            found.append([])
        else:
            found[-1].append(word)
    return found


def run(line, folder, environment=None, *, more=()):
    """Run a pipe in a folder; training for minutes is a few steps here.

    Args:
        more: arguments after those of a `train`.
    """
    data, said = b"", ""
    with contextlib.chdir(folder) if hasattr(contextlib, "chdir") else _chdir(folder):
        for name, *arguments in stages(line):
            if name == "head":
                count, source = arguments
                with open(source, "rb") as stream:
                    data = b"".join(stream.readlines()[: -int(count)])
                continue
            assert name.endswith("sketchrnn"), line
            if arguments[0] == "train" and "--time-limit" in arguments:
                arguments = [*arguments, "--steps", "3"]
            if arguments[0] == "train":
                arguments = [*arguments, *more]
            result = CliRunner().invoke(app, arguments, input=data, env=environment)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            data, said = result.stdout_bytes, said + result.stderr
            if result.exit_code:
                return Result(result.exit_code, data, said)
    return Result(0, data, said)


@contextlib.contextmanager
def _chdir(folder):  # Python 3.10
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def server(words, n=250):
    """The environment in which quickdraw:WORD downloads from a server of this machine."""
    import tempfile

    files = {word: quickdraw_server.drawings(word, n) for word in words}
    with quickdraw_server.serving(files) as running, tempfile.TemporaryDirectory() as cache:
        yield {"SKETCHRNN_QUICKDRAW_URL": running.address, "SKETCHRNN_CACHE": cache}
