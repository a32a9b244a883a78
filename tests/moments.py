"""Interrupt commands at moments that are counted, not timed.

A moment is a line of the package that is reached, or a system-level event (a file of the working
folder that is opened, renamed, removed), as Python's own hooks report them. Commands run in forks
of one warm interpreter, which need not load torch again.

    python tests/moments.py JOBS RESULTS
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

import warm

RANDOM = re.compile(r"\.[a-z0-9_]{8}(?=\.part|/|$)")  # what tempfile puts into a name
EVENTS = {
    "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate",
    "os.scandir", "os.listdir", "shutil.rmtree",
}  # fmt: skip

HERE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import moments
moments.main(*sys.argv[1:])
"""


class Job(NamedTuple):
    """A command, and when it is interrupted."""

    folder: str  # where it runs
    arguments: list[str]
    signals: list[int] = []  # sent one right after the other; none: it runs to its end
    moment: str = ""  # name of it; empty: never, but all moments are told
    count: int = 1  # the first time it comes, or a later one
    watched: list[str] = []  # files of the package whose lines are moments; none: none are told
    patch: str = ""  # Python, run before the command


class Result(NamedTuple):
    """What came of it."""

    code: int  # minus the signal, where one ended it
    stdout: str
    stderr: str
    reached: bool
    moments: dict[str, int]  # how often each came, in the order of the first time


def run(jobs, *, modules=(), trains=False):
    """Run jobs one after the other, in forks of an interpreter of their own.

    Args:
        trains: the interpreter is a fork too, of one that has loaded torch.
    """
    if not jobs:
        return []
    with tempfile.TemporaryDirectory() as name:
        todo, done = Path(name) / "jobs.json", Path(name) / "results.json"
        todo.write_text(json.dumps([job._asdict() for job in jobs]), "utf-8")
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        settings = {"check": True, "env": os.environ | one, "stdin": subprocess.DEVNULL}
        if trains:
            warm.run([sys.executable, "-c", HERE, str(todo), str(done), *modules], **settings,
                     trains=True)  # fmt: skip
        else:
            subprocess.run([sys.executable, __file__, str(todo), str(done), *modules], **settings)
        return [Result(**result) for result in json.loads(done.read_text("utf-8"))]


class Watch:
    """Counts moments in this process, and sends the signals at one of them."""

    def __init__(self, job, report):
        self.job, self.report = job, report
        self.moments = {}
        (package,) = map(Path, sys.modules["sketchrnn_cli"].__path__)
        self.files = {str(package / name): name for name in job.watched}
        assert all(map(os.path.isfile, self.files)), self.files
        self.busy = False

    def begin(self):
        sys.addaudithook(self.audit)
        if self.files:  # it takes time
            sys.settrace(self.trace)

    def trace(self, frame, event, _):
        if frame.f_code.co_filename not in self.files:
            return None
        return self.line

    def line(self, frame, event, _):
        if event == "line":
            self.note(f"{self.files[frame.f_code.co_filename]}:{frame.f_lineno}")
        return self.line

    def audit(self, event, arguments):
        if self.busy or event not in EVENTS or not arguments:
            return
        path = arguments[0]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)):
            return
        path = os.path.abspath(path)
        here = self.job.folder
        if path == here or path.startswith(here + os.sep):
            name = RANDOM.sub(".*", os.path.relpath(path, here))
            self.note(f"{event} {name}")

    def note(self, moment):
        self.moments[moment] = count = self.moments.get(moment, 0) + 1
        if (moment, count) != (self.job.moment, self.job.count):
            return
        self.busy = True
        self.report.write_text("reached", "utf-8")
        self.busy = False
        for number in self.job.signals:
            os.kill(os.getpid(), number)


def child(job, folder):
    """Be the command."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever had it ignored
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(job.folder)
    sys.argv = ["sketchrnn", *job.arguments]
    watch = Watch(job, folder / "reached")
    code = 1
    try:
        from sketchrnn_cli import __main__ as command

        exec(job.patch, {})
        watch.begin()
        command.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.settrace(None)
        watch.busy = True
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        if job.watched and not job.moment:
            (folder / "moments.json").write_text(json.dumps(watch.moments), "utf-8")
        os._exit(code)


def result_of(job, folder):
    pipes = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        for number, (reader, writer) in enumerate(pipes, 1):
            os.close(reader)
            os.dup2(writer, number)
            os.close(writer)
        child(job, folder)
    texts = []
    for _, writer in pipes:
        os.close(writer)
    for reader, _ in pipes:  # one after the other: commands that write a file say little
        with os.fdopen(reader, encoding="utf-8", errors="replace") as stream:
            texts.append(stream.read())
    _, status = os.waitpid(pid, 0)
    told = folder / "moments.json"
    return Result(
        os.waitstatus_to_exitcode(status),
        *texts,
        (folder / "reached").exists(),
        json.loads(told.read_text("utf-8")) if told.exists() else {},
    )


def main(todo, done, *modules):
    import importlib

    for module in modules:
        importlib.import_module(module)
    results = []
    for values in json.loads(Path(todo).read_text("utf-8")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            results.append(result_of(Job(**values), folder)._asdict())
    Path(done).write_text(json.dumps(results), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
