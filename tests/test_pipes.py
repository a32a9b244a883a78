"""Pipes as the shell makes them: real programs, real pipes, and what becomes of both ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import networks
import pytest
from datafiles import QUICKDRAW

from sketchrnn_cli.model import checkpoint

PATIENCE = 60  # seconds; then a test fails that would have waited for ever
CLOSED = "error: standard output is closed: give -o FILE, or pipe it on\n"
posix = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes a pipe so")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with drawings, latents and a model."""
    folder = tmp_path_factory.mktemp("pipes")
    (folder / "cats.ndjson").write_bytes(QUICKDRAW * 40)
    checkpoint.save(folder / "model.safetensors", networks.tiny())
    program(folder, "encode", "cats.ndjson", *MODEL, "-o", "z.ndjson").check_returncode()
    return folder


MODEL = ("--model", "model.safetensors")


def command(*arguments):
    return [sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)]


def program(folder, *arguments, **more):
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        check=False,
        timeout=PATIENCE,
        **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
           | more),
    )  # fmt: skip


@contextlib.contextmanager
def started(folder, *arguments, **more):
    """Start a command, and see that it is gone at the end."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        **({"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe} | more),
    )
    clock = threading.Timer(PATIENCE, process.kill)
    clock.start()
    try:
        yield process
    finally:
        clock.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # it may hold what nobody reads
                    stream.close()


# what writes to stdout, and what it is given on stdin

WRITERS = {
    "sample": ("sample", *MODEL, "-n", "100000"),
    "sample npz": ("sample", *MODEL, "-n", "400", "-o", "-", "--format", "npz"),
    "sample svg": ("sample", *MODEL, "-n", "400", "-o", "-", "--format", "svg"),
    "sample png": ("sample", *MODEL, "-n", "9", "-o", "-", "--format", "png"),
    "sample gif": ("sample", *MODEL, "-n", "2", "-o", "-", "--format", "gif"),
    "sample --latents": ("sample", *MODEL, "--latents", "z.ndjson", "-n", "2000"),
    "sample --complete": ("sample", *MODEL, "--complete", "cats.ndjson", "-n", "2000"),
    "sample --list-words": ("sample", "--list-words"),
    "encode": ("encode", "cats.ndjson", *MODEL),
    "encode npz": ("encode", "cats.ndjson", *MODEL, "-o", "-", "--format", "npz"),
    "animate": ("animate", "cats.ndjson", "-n", "1", "-o", "-", "--format", "gif"),
    "inspect": ("inspect", "cats.ndjson"),
    "inspect --json": ("inspect", "cats.ndjson", "--json"),
    "inspect --score": ("inspect", "cats.ndjson", *MODEL, "--score"),
    "inspect a model": ("inspect", "model.safetensors"),
    "export npz": ("export", *MODEL, "-o", "-", "--format", "npz"),
    "export html": ("export", *MODEL, "-o", "-", "--format", "html"),
    "export safetensors": ("export", *MODEL, "-o", "-", "--format", "safetensors"),
    "preprocess packed": ("preprocess", "cats.ndjson", "-o", "-", "--format", "packed"),
    "preprocess sketch-rnn": ("preprocess", "cats.ndjson", "-o", "-", "--format", "sketch-rnn"),
    "preprocess ndjson": ("preprocess", "cats.ndjson", "-o", "-", "--format", "ndjson"),
}  # fmt: skip


ALIKE = (
    "sample npz",
    "sample png",
    "sample --latents",
    "sample --complete",
    "encode npz",
    "inspect --json",
    "inspect --score",
    "inspect a model",
    "export npz",
    "export html",
    "preprocess sketch-rnn",
)  # to others, where nothing can be written at all


def all_of(work, cases):
    """What becomes of every case, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(cases, pool.map(work, cases), strict=True))


def program_without_reader(folder, *arguments, of):
    """Run a command whose stdout or stderr nobody reads, from the first byte on: ``| true``."""
    into, out = os.pipe()
    os.close(into)
    try:
        return program(folder, *arguments, **{of: out})
    finally:
        os.close(out)


def test_a_reader_that_goes_ends_it_quietly(place):
    ended = all_of(
        lambda name: program_without_reader(place, *WRITERS[name], "--quiet", of="stdout"),
        WRITERS,
    )
    found = {name: (done.returncode, done.stderr) for name, done in ended.items()}
    assert found == dict.fromkeys(WRITERS, (0, b""))


def test_head_ends_it_at_once(place):
    """After the first of a hundred thousand lines."""
    with started(place, *WRITERS["sample"]) as process:
        assert process.stdout.readline().startswith(b'{"word":')
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == b""


def closing(*numbers):
    """A shell that closes these before the program begins: ``>&-``."""
    closed = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in numbers)
    return ["sh", "-c", f'exec "$@" {closed}', "sh"]


def closed(folder, numbers, *arguments):
    return subprocess.run(
        [*closing(*numbers), *command(*arguments)],
        cwd=folder,
        check=False,
        timeout=PATIENCE,
        input=b"",
        capture_output=True,
    )


@posix
def test_a_closed_stdout_is_one_line(place):
    names = ["--help", "--version", *(name for name in WRITERS if name not in ALIKE)]
    ended = all_of(lambda name: closed(place, [1], *WRITERS.get(name, (name,))), names)
    found = {name: (done.returncode, done.stderr.decode()) for name, done in ended.items()}
    assert found == dict.fromkeys(names, (1, CLOSED))


TO_A_FILE = {
    "sample": ("sample", *MODEL, "-n", "2", "-o", "{}.svg"),
    "encode": ("encode", "cats.ndjson", *MODEL, "-o", "{}.npz"),
    "animate": ("animate", "cats.ndjson", "-n", "1", "-o", "{}.gif"),
    "export": ("export", *MODEL, "-o", "{}.html"),
    "preprocess": ("preprocess", "cats.ndjson", "-o", "{}.npz"),
}


def written(folder, name, how):
    """The arguments of a command, and the file it is to write."""
    *arguments, out = TO_A_FILE[name]
    out = out.format(f"{name}-{how}")
    return (*arguments, out), folder / out


def test_closed_pipes_that_are_not_needed_are_not_missed(place):
    """And the file holds what it should: it was not given the number of a pipe."""

    def work(case):
        name, how = case
        arguments, out = written(place, name, how)
        if how == "all open":
            done = program(place, *arguments)
        elif how == "unread stderr":
            done = program_without_reader(place, *arguments, of="stderr")
        else:
            done = closed(place, map(int, how), *arguments)
        return done.returncode, done.stdout, out.read_bytes()

    ways = ["all open", "unread stderr", *(["2", "012"] if os.name == "posix" else [])]
    ended = all_of(work, [(name, how) for name in TO_A_FILE for how in ways])
    for (name, how), found in ended.items():
        assert found == (0, b"", ended[name, "all open"][2]), (name, how)


@posix
def test_the_numbers_of_closed_pipes_go_to_nothing_else():
    """The next file opened would be called stdout, and take what is written there."""
    code = (
        "from sketchrnn_cli.cli import pipes\npipes.mend()\nimport os, sys\n"
        "sys.exit(os.open(sys.executable, os.O_RDONLY))"
    )
    for script, mended in ((code, True), (code.replace("pipes.mend()", ""), False)):
        done = subprocess.run([*closing(0, 1, 2), sys.executable, "-c", script], check=False)
        assert (done.returncode > 2) == mended


READERS = {
    "sample": ("sample", *MODEL, "--complete", "-"),
    "encode": ("encode", *MODEL),
    "animate": ("animate", "-o", "nothing.gif"),
    "inspect": ("inspect", "-"),
    "preprocess": ("preprocess", "-", "-o", "nothing.npz"),
    "preprocess ndjson": ("preprocess", "-", "-o", "-", "--format", "ndjson"),
}


@posix
def test_a_closed_stdin_is_one_line(place):
    ended = all_of(lambda name: closed(place, [0], *READERS[name]), READERS)
    for name, done in ended.items():
        assert done.returncode == 1, name
        said = done.stderr.decode()
        assert said.startswith("error: standard input is a terminal or closed"), name
        assert said.count("\n") == 1, name


def test_nobody_need_read_an_error(place):
    done = program_without_reader(place, "sample", "-o", "x.unknown", of="stderr")
    assert done.returncode == 1
