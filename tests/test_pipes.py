"""Pipes as the shell makes them: real programs, real pipes, and what becomes of both ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import networks
import numpy as np
import pytest
import warm
from bench import measuring
from datafiles import QUICKDRAW

from sketchrnn_cli.model import checkpoint

PATIENCE = 60  # seconds; then a test fails that would have waited for ever
UNREAD = 1 if os.name == "nt" else 141  # of SIGPIPE, as a shell shows it
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
    return warm.run(
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
    process = warm.Popen(
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
    "demo": ("demo", *MODEL),
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
    assert found == dict.fromkeys(WRITERS, (UNREAD, b""))


def test_head_ends_it_at_once(place):
    """After the first of a hundred thousand lines."""
    with started(place, *WRITERS["sample"]) as process:
        assert process.stdout.readline().startswith(b'{"word":')
        process.stdout.close()
        assert process.wait() == UNREAD
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        "from sketchrnn_cli.cli import pipes\npipes.repair()\nimport os, sys\n"
        "sys.exit(os.open(sys.executable, os.O_RDONLY))"
    )
    for script, repaired in ((code, True), (code.replace("pipes.repair()", ""), False)):
        done = subprocess.run([*closing(0, 1, 2), sys.executable, "-c", script], check=False)
        assert (done.returncode > 2) == repaired


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


# stdin that comes slowly, for ever, or stops in the middle

TWO_WAYS = b'{"word":"line","drawing":[[[0,9],[0,9]]]}\n'  # which of them is x, and which y?
ONE_TO_ONE = {
    "sample --complete": ("sample", *MODEL, "--complete", "-"),
    "sample --complete -n 2": ("sample", *MODEL, "--complete", "-", "-n", "2"),
    "sample --complete into ndjson": ("sample", *MODEL, "--complete", "-", "-o", "-"),
    "sample --latents": ("sample", *MODEL, "--latents", "-"),
    "encode": ("encode", *MODEL),
    "preprocess": ("preprocess", "-", "-o", "-", "--format", "ndjson"),
}


@pytest.mark.parametrize("name", ONE_TO_ONE)
def test_a_drawing_comes_out_before_the_next_goes_in(place, name):
    """Also one whose strokes read both ways, for which a file is read on."""
    lines = [TWO_WAYS, QUICKDRAW, TWO_WAYS, QUICKDRAW]
    if "latents" in name:
        lines = (place / "z.ndjson").read_bytes().splitlines(keepends=True)[:3]
    with started(place, *ONE_TO_ONE[name], stdin=subprocess.PIPE) as process:
        for line in lines:
            process.stdin.write(line)
            process.stdin.flush()
            for _ in range(1 + ("-n 2" in name)):
                out = json.loads(process.stdout.readline())
                assert out.get("word") == json.loads(line).get("word")
        process.stdin.close()
        assert process.wait() == 0
        assert process.stdout.read() == b""


def test_a_pipe_is_drawn_as_a_file_is(place):
    """The same numbers, words and drawings, up to the rounding of products of other sizes."""
    for option, file, count in (("--complete", "cats.ndjson", 2), ("--latents", "z.ndjson", 3)):
        more = ("-n", count, "--seed", "5")
        whole = program(place, "sample", *MODEL, option, file, *more).stdout.splitlines()
        with (place / file).open("rb") as stream:
            piped = program(place, "sample", *MODEL, option, "-", *more, stdin=stream)
        found = piped.stdout.splitlines()
        assert len(whole) == len(found) == 40 * count
        for one, other in zip(map(json.loads, whole), map(json.loads, found), strict=True):
            assert one.keys() == other.keys()
            assert one["number"] == other["number"]
            assert one["word"] == other["word"]
            for a, b in zip(one["drawing"], other["drawing"], strict=True):
                np.testing.assert_allclose(a, b, atol=0.03)


def test_preprocess_from_pipe_to_pipe_does_what_it_does_with_files(place):
    drawings = TWO_WAYS * 3 + QUICKDRAW * 3000 + TWO_WAYS * 3
    (place / "many.ndjson").write_bytes(drawings)
    wanted = program(place, "preprocess", "many.ndjson", "-o", "-", "--format", "ndjson").stdout
    assert wanted.count(b"\n") == 3006
    found = program(place, *ONE_TO_ONE["preprocess"], stdin=None, input=drawings)
    assert (found.returncode, found.stdout) == (0, wanted)


@pytest.mark.parametrize("first", [QUICKDRAW, TWO_WAYS])
def test_how_fast_drawings_come_changes_nothing(place, first):
    """The first one says for all whether they are raw, and the first that tells which row is x."""
    raw = b'{"drawing":[[[0.5,90.25,300.5,310],[0,5.5,400,300]]]}\n'
    lines = [first, *[QUICKDRAW, raw, raw] * 50]
    together = program(place, *ONE_TO_ONE["preprocess"], stdin=None, input=b"".join(lines))
    with started(place, *ONE_TO_ONE["preprocess"], stdin=subprocess.PIPE) as process:
        found = b""
        for line in lines:
            process.stdin.write(line)
            process.stdin.flush()
            found += process.stdout.readline()
        process.stdin.close()
    assert together.stdout == found


def feed(process, line, *, enough=None):
    """Write for ever, in a thread of its own, until the reader goes.

    ``enough``: an event that is set when 4000 lines are in, or the reader is gone.
    """

    def write():
        try:
            with contextlib.suppress(OSError, ValueError):
                for n in itertools.count(1):
                    process.stdin.write(line * 100)
                    if n == 40 and enough:
                        enough.set()
        finally:
            if enough:
                enough.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


ENDLESS = {
    **{name: READERS[name] for name in ("preprocess", "inspect")},
    "preprocess sketch-rnn": ("preprocess", "-", "-o", "nothing.npz", "--format", "sketch-rnn"),
    "sample npz": ("sample", *MODEL, "--complete", "-", "-o", "nothing.npz"),
    "sample --latents npz": ("sample", *MODEL, "--latents", "-", "-o", "nothing.npz"),
    "encode npz": ("encode", *MODEL, "-o", "nothing.npz"),
    "encode --fit": ("encode", "--fit", *MODEL, "-o", "nothing.safetensors"),
    "encode": ("encode", *MODEL, "-o", "nothing.ndjson"),
    "train": ("train", "-", "-o", "nothing", "--preset", "tiny"),
}


@posix
@pytest.mark.parametrize("name", ENDLESS)
def test_ctrl_c_ends_what_would_never_end(place, name, tmp_path):
    arguments = [str(place / word) if word == MODEL[1] else word for word in ENDLESS[name]]
    line = QUICKDRAW
    if "latents" in name:
        line = (place / "z.ndjson").read_bytes().splitlines(keepends=True)[0]
    with started(tmp_path, *arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        enough = threading.Event()
        writer = feed(process, line, enough=enough)
        assert enough.wait(PATIENCE)
        assert writer.is_alive()  # it reads on all the while
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []


TOO_MANY = {
    "animate": ("animate", "-o", "nothing.gif"),
    "sample svg": ("sample", *MODEL, "--complete", "-", "-o", "nothing.svg"),
    "words": ("preprocess", "-", "-o", "nothing.npz"),
    "words of inspect": ("inspect", "-"),
}


def test_a_sheet_that_is_full_reads_no_more(place, tmp_path):
    """What can be held only in memory has its limits, and says them."""

    def work(name):
        arguments = [str(place / word) if word == MODEL[1] else word for word in TOO_MANY[name]]
        with started(tmp_path, *arguments, stdin=subprocess.PIPE) as process:
            if name.startswith("words"):
                lines = (QUICKDRAW.replace(b"cat", b"%d" % k) for k in itertools.count())
                with contextlib.suppress(OSError):
                    for line in lines:
                        process.stdin.write(line)
            else:
                feed(process, QUICKDRAW).join()
            said = process.stderr.read().decode()
            return process.wait(), said

    for name, (code, said) in all_of(work, TOO_MANY).items():
        assert (code, said.count("\n")) == (1, 1), (name, said)
        assert re.search("more than 10,?000 drawings for one|different words", said), name
    assert list(tmp_path.iterdir()) == []


GARBAGE = {
    "yes": (b"y\n", "standard input:1: not JSON"),
    "never a line": (b"x" * (1 << 16), "a line of over 16 MiB"),
    "never a drawing": (b"{}\n", "standard input:1: no drawing"),
}


def test_garbage_for_ever_ends_at_the_first_line(place, tmp_path):
    cases = [
        (name, kind)
        for name in READERS
        for kind in GARBAGE
        if kind == "yes" or name in ("encode", "preprocess")
    ]

    def work(case):
        name, kind = case
        arguments = [str(place / word) if word == MODEL[1] else word for word in READERS[name]]
        with started(tmp_path, *arguments, stdin=subprocess.PIPE) as process:
            feed(process, GARBAGE[kind][0]).join()
            return process.wait(), process.stdout.read(), process.stderr.read().decode()

    for (name, kind), (code, out, said) in all_of(work, cases).items():
        assert (code, out, said.count("\n")) == (1, b"", 1), (name, kind, said)
        assert GARBAGE[kind][1] in said, (name, kind, said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READERS)
def test_a_writer_that_dies_in_the_middle_of_a_line(place, name, tmp_path):
    """What came before is there, and the end is an error that names the line."""
    arguments = [str(place / word) if word == MODEL[1] else word for word in READERS[name]]
    with started(tmp_path, *arguments, stdin=subprocess.PIPE) as process:
        process.stdin.write(QUICKDRAW * 3 + QUICKDRAW[:50])
        process.stdin.close()
        out, said = process.stdout.read(), process.stderr.read().decode()
        code = process.wait()
    if name == "inspect":  # it says what is there, and what was no drawing
        assert code == 0
        assert b"standard input:4" in out
        return
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("error: standard input:4: not JSON")
    assert out.count(b"\n") == (3 if name in ("encode", "sample", "preprocess ndjson") else 0)
    assert list(tmp_path.iterdir()) == []


# memory

linux = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")


def processor_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13]))


def peak(process):
    """Megabytes."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


@linux
def test_a_slow_reader_is_waited_for(place):
    """The writer stops, and does not keep what it could draw meanwhile."""
    with started(place, *WRITERS["sample"]) as process:
        process.stdout.readline()
        seen, still = -1, 0
        while still < 3:
            time.sleep(0.1)
            now = processor_seconds(process)
            seen, still = now, still + 1 if now == seen else 0
        before = peak(process)
        for _ in range(2000):
            process.stdout.readline()
        assert peak(process) < before + 10
        assert process.poll() is None


SMALL_PIECES = """
from sketchrnn_cli.sketches import scratch
scratch.PIECE, scratch.SMALL, scratch.BUCKET = 500, 4000, 4000
from sketchrnn_cli.cli.app import main
main()
"""


def different(n):
    """So many small drawings, all different."""
    line = '{"word":"cat","drawing":[[[%d,%d,0],[%d,255,%d]]]}\n'
    return "".join(line % (k % 250, k // 62500 % 250, k // 250 % 250, k % 99) for k in range(n))


@pytest.mark.slow
@linux
@pytest.mark.parametrize("suffix", ["npz", "ndjson"])
def test_memory_does_not_grow_with_the_drawings(tmp_path, suffix):
    """Of a set that is looked at in small pieces, so that few drawings are many."""
    peaks = []
    for n in (50_000, 350_000):
        source, out = tmp_path / f"{n}.txt", tmp_path / f"{n}.{suffix}"
        source.write_text(different(n))
        code = [sys.executable, "-c", SMALL_PIECES, "preprocess", "-", "-o", out, "--quiet"]
        peaks.append(measuring.run(*code, stdin=source).peak)
    # to hold 300,000 drawings takes 12 MB and more; from run to run a peak moves by 1 or 2
    assert peaks[1] - peaks[0] < 5, peaks


@pytest.mark.slow
@linux
@pytest.mark.parametrize("name", ["encode", "encode npz", "preprocess ndjson"])
def test_memory_does_not_grow_with_what_is_skipped(place, name, tmp_path):
    arguments = ENDLESS.get(name) or READERS[name]
    arguments = [str(place / word) if word == MODEL[1] else word for word in arguments]
    arguments = [str(tmp_path / word) if word.startswith("nothing") else word for word in arguments]
    out = ["--overwrite"] if str(tmp_path) in " ".join(arguments) else []
    peaks = []
    for n in (40_000, 200_000):
        source = tmp_path / f"{n}.ndjson"
        source.write_bytes(b"".join([b"no drawing".center(99) + b"\n"] * n) + QUICKDRAW)
        code = command(*arguments, *out, "--on-error", "skip", "--quiet")
        peaks.append(measuring.run(*code, stdin=source).peak)
    assert peaks[1] - peaks[0] < 4, peaks
