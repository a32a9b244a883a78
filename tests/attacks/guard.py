"""Run the program on untrusted files, and see that it does nothing else.

``run`` starts one interpreter, which forks a child for each job. A child installs an audit hook
before the program's ``main`` runs. The hook ends the child at once, whatever the program catches,
when it is about to

- compile or run code that is no module of the standard library, of a dependency or of its own;
- import another module, or look one up for a pickle;
- open a socket or an address, start a program, load a shared library by ctypes;
- write, rename or remove a file outside of the job's output folder and its temporary folder.

It also counts: seconds of processor time, and the largest memory of each child.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from pathlib import Path
from types import FrameType
from typing import NamedTuple

HERE = Path(__file__).parent
VIOLATION, TRACEBACK = 99, 70  # exit codes that the program has not
AT_ONCE = 2
CPU_SECONDS = 30  # then the child is killed
WALL_SECONDS = 120
ADDRESS_SPACE = 8 << 30  # so that a bomb does not take the machine with it

FORBIDDEN = (
    "socket.", "subprocess.", "urllib.", "http.", "ftplib.", "smtplib.", "poplib.", "imaplib.",
    "nntplib.", "telnetlib.", "webbrowser.", "pickle.", "ctypes.", "os.exec", "os.fork",
    "os.posix_spawn", "os.spawn", "os.system", "os.startfile",
    "pty.", "code.__new__", "sys.addaudithook", "os.kill", "signal.pthread_kill", "syslog.",
)  # fmt: skip
WRITES = {  # event: which of its arguments are paths, and which says the folder they are in
    "os.remove": (0, 1), "os.mkdir": (0, 2), "os.rmdir": (0, 1), "os.truncate": (0, None),
    "os.chmod": (0, 2), "os.chown": (0, 3), "os.utime": (0, 3), "os.symlink": (1, 2),
}  # fmt: skip
OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Where the standard library makes code of a program's own classes and annotations, or a tree.
MAKERS = (
    "collections/__init__.py", "dataclasses.py", "typing.py", "annotationlib.py", "inspect.py",
    "ast.py",
)  # fmt: skip


class Job(NamedTuple):
    """One call of the program."""

    arguments: list[str]
    folder: str  # has out/, the output folder, and tmp/; stdout and stderr are written beside
    stdin: str = os.devnull
    hole: str = ""  # of holes.py, planted first


class Result(NamedTuple):
    """What came of it."""

    code: int  # exit code; negative: the signal that killed it
    stdout: str
    stderr: str
    violation: str  # what the hook forbade, and the way there; or nothing
    megabytes: float  # the largest resident memory
    seconds: float  # of processor time
    left: list[str]  # files in the output and temporary folders


OF_TORCH = "TORCHINDUCTOR_CACHE_DIR"  # which it sets where it is loaded: a folder of all programs
WARM = (
    "sketchrnn_cli.cli.report", "sketchrnn_cli.sketches.statistics",
    "sketchrnn_cli.sketches.formats.ndjson", "sketchrnn_cli.sketches.formats.quickdraw_bin",
    "sketchrnn_cli.sketches.formats.svg", "sketchrnn_cli.sketches.build",
    "sketchrnn_cli.drawing.outputs", "sketchrnn_cli.drawing.sheet", "sketchrnn_cli.drawing.svg",
    "sketchrnn_cli.inference.sampler", "sketchrnn_cli.inference.request",
    "sketchrnn_cli.sketches.formats.latents", "sketchrnn_cli.sketches.formats.npz",
    "sketchrnn_cli.sketches.formats.tables", "sketchrnn_cli.sketches.formats.whiteboards",
    "sketchrnn_cli.sketches.formats.inkml", "sketchrnn_cli.sketches.formats.json_objects",
    "sketchrnn_cli.sketches.formats.array_labels", "sketchrnn_cli.sketches.labels",
    "sketchrnn_cli.inference.devices",
    "sketchrnn_cli.model.sketch_rnn_js", "safetensors.numpy", "rich.console",
    "sketchrnn_cli.sketches.corpus", "sketchrnn_cli.drawing.film.animation",
    "sketchrnn_cli.drawing.raster", "PIL.GifImagePlugin", "numpy.ma", "pydantic.plugin._loader",
    "sketchrnn_cli.inference.score",
    "sketchrnn_cli.cli.inspect_drawings", "sketchrnn_cli.cli.inspect_likelihoods",
    "sketchrnn_cli.cli.inspect_models", "sketchrnn_cli.cli.inspect_recognised",
    "sketchrnn_cli.inference.recognition", "sketchrnn_cli.model.load",
    "sketchrnn_cli.sketches.practice", "sketchrnn_cli.training.run",
    "sketchrnn_cli.training.state", "sketchrnn_cli.training.warm_start",
    "sketchrnn_cli.drawing.film.gif", "sketchrnn_cli.drawing.film.morph", "filelock",
    "numpy.random", "encodings.cp437", "typer._click.decorators",
    "typer._adapters",  # this one takes a fifth of a second
)  # fmt: skip


def run(jobs: list[Job], folder: Path, *modules: str) -> list[Result]:
    """Run jobs, each in a child of its own.

    Args:
        jobs: each with a folder of its own.
        folder: for the list of jobs and the results.
        modules: loaded before, once for all, to save time.
    """
    todo, done = folder / "jobs.json", folder / "results.json"
    todo.write_text(json.dumps([job._asdict() for job in jobs]), "utf-8")
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-B", __file__, str(todo), str(done), *modules]
    theirs = {name: value for name, value in os.environ.items() if name != OF_TORCH}
    subprocess.run(command, check=True, env=theirs | one, stdin=subprocess.DEVNULL)
    return [Result(**result) for result in json.loads(done.read_text("utf-8"))]


def _main(todo: str, done: str, *modules: str) -> None:
    """In the interpreter that ``run`` started."""
    import numpy  # noqa: F401 (once for all children)
    import typer

    from sketchrnn_cli.cli.app import app

    for module in modules:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(module)
    if modules:
        command = typer.main.get_command(app)  # loads what it needs
        typer.main.get_command = lambda _: command
    jobs = [Job(**job) for job in json.loads(Path(todo).read_text("utf-8"))]
    guard = Guard()
    results: list[Result | None] = [None] * len(jobs)
    gc.collect()
    gc.freeze()  # or every child would copy what its collector looks at
    running: dict[int, int] = {}
    for number in range(len(jobs)):
        if len(running) == AT_ONCE:
            _reap(running, jobs, results)
        pid = os.fork()
        if not pid:
            _child(jobs[number], guard)
        running[pid] = number
    while running:
        _reap(running, jobs, results)
    Path(done).write_text(json.dumps([r and r._asdict() for r in results]), "utf-8")


def _reap(running: dict[int, int], jobs: list[Job], results: list[Result | None]) -> None:
    pid, status, usage = os.wait4(-1, 0)
    number = running.pop(pid)
    folder = Path(jobs[number].folder)
    unit = 1 if sys.platform == "darwin" else 1024
    texts = [
        (folder / name).read_text("utf-8", "surrogateescape")
        for name in ("stdout", "stderr", "violation")
    ]
    results[number] = Result(
        os.waitstatus_to_exitcode(status),
        *texts,
        megabytes=usage.ru_maxrss * unit / 1e6,
        seconds=usage.ru_utime + usage.ru_stime,
        left=sorted(
            str(path.relative_to(folder))
            for at in ("out", "tmp")
            for path in (folder / at).rglob("*")
        ),
    )


def _child(job: Job, guard: Guard) -> None:
    """Become the program. Does not return."""
    code = TRACEBACK
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(WALL_SECONDS)
        folder = Path(job.folder)
        tmp = str(folder / "tmp")
        for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
            os.environ[name] = tmp
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        violation = os.open(folder / "violation", flags)
        os.dup2(os.open(job.stdin, os.O_RDONLY), 0)
        os.dup2(os.open(folder / "stdout", flags), 1)
        os.dup2(os.open(folder / "stderr", flags), 2)
        tempfile.tempdir = tmp  # whatever was found before
        os.chdir(folder)
        sys.argv = ["sketchrnn", *job.arguments]
        if job.hole:
            import holes

            getattr(holes, job.hole)()
        from sketchrnn_cli.cli.app import main

        guard.install(violation, [str(folder / "out"), tmp])
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Guard:
    """The audit hook."""

    def __init__(self) -> None:
        import sketchrnn_cli

        paths = sysconfig.get_paths()
        self.project = os.path.dirname(os.path.realpath(sketchrnn_cli.__file__))
        self.stdlib = tuple(
            {os.path.realpath(paths[key]) + os.sep for key in ("stdlib", "platstdlib")}
        )
        self.sites = tuple(
            {os.path.realpath(paths[key]) + os.sep for key in ("purelib", "platlib")}
        )
        self.roots = (*self.stdlib, *self.sites, self.project + os.sep)
        self.modules = frozenset(sys.stdlib_module_names) | dependencies()
        self.is_busy = False
        self.report = -1
        self.writable: tuple[str, ...] = ()

    def install(self, report: int, writable: list[str]) -> None:
        """Watch from now on; tell of a violation in the file ``report``."""
        self.report = report
        self.writable = tuple(os.path.realpath(path) for path in writable)
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """Called by the interpreter before it does what the event says."""
        if self.is_busy:
            return
        self.is_busy = True
        try:
            fault = self.fault(event, arguments)
            if fault:
                way = "".join(traceback.format_stack()[-14:-2])
                os.write(self.report, f"{fault}\n{way}".encode("utf-8", "replace"))
                os._exit(VIOLATION)
        except BaseException:  # a fault of the hook is none of the program
            os.write(self.report, traceback.format_exc().encode("utf-8", "replace"))
            os._exit(VIOLATION)
        finally:
            self.is_busy = False

    def fault(self, event: str, arguments: tuple[object, ...]) -> str:
        """What is wrong with it, or nothing."""
        if event in ("exec", "compile"):
            return self._code(event, arguments)
        if event == "import":
            return self._import(str(arguments[0]))
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(mode, str) and any(c in mode for c in "wax+")
            if writes or (isinstance(flags, int) and flags & OPEN_TO_WRITE):
                return self._path("open to write", path)
            return ""
        if event in WRITES:
            path_at, folder_at = WRITES[event]
            folder = arguments[folder_at] if folder_at is not None else -1
            return self._path(event, arguments[path_at], folder)
        if event in ("os.rename", "os.link"):
            one = self._path(event, arguments[0], arguments[2])
            return one or self._path(event, arguments[1], arguments[3])
        if event.startswith(FORBIDDEN) and not _importing():
            return f"{event} {str(arguments)[:200]}"
        return ""

    def _code(self, event: str, arguments: tuple[object, ...]) -> str:
        maker = sys._getframe(3).f_code.co_filename
        if maker.startswith("<frozen importlib"):
            code, name = (*arguments, "")[:2]
            return self._module(getattr(code, "co_filename", str(name)))
        if maker.startswith(self.stdlib) and maker.endswith(MAKERS):
            return ""
        if maker.startswith(self.roots) and _importing():
            return ""
        return f"{event} {str(arguments)[:200]} by {maker}"

    def _module(self, file: str) -> str:
        """A module is loaded from a file."""
        real = os.path.realpath(file)
        for site in self.sites:
            if real.startswith(site):
                return self._import(real[len(site) :].split(os.sep)[0].partition(".")[0])
        if file.startswith("<frozen ") or real.startswith(self.roots):
            return ""
        return f"import {file}"

    def _import(self, name: str) -> str:
        top = name.partition(".")[0]
        if top in self.modules:
            return ""
        frame: FrameType | None = sys._getframe()
        while frame is not None and (
            frame.f_code.co_filename == __file__ or "importlib" in frame.f_code.co_filename
        ):
            frame = frame.f_back
        asks = os.path.realpath(frame.f_code.co_filename) if frame is not None else ""
        if not asks.startswith(self.roots) or asks.startswith(self.project):
            return f"import {name}"
        if _importing(frame) or importlib.util.find_spec(top) is None:
            return ""  # a dependency looks for what it can do without, as it is loaded
        return f"import {name}"

    def _path(self, event: str, path: object, folder: object = -1) -> str:
        if isinstance(path, int):
            return ""
        name = os.fsdecode(path)  # type: ignore[arg-type]
        if isinstance(folder, int) and folder >= 0:
            name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
        if name == os.devnull:
            return ""
        real = os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))
        if any(real == at or real.startswith(at + os.sep) for at in self.writable):
            return ""
        return f"{event} {name!r}"


def _importing(frame: FrameType | None = None) -> bool:
    """Whether a module is being loaded."""
    frame = frame or sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def dependencies() -> frozenset[str]:
    """Names of the modules of the program, and of all that it depends on."""
    modules: dict[str, set[str]] = {}
    for module, names in importlib.metadata.packages_distributions().items():
        for name in names:
            modules.setdefault(_folded(name), set()).add(module)
    found, todo = {"sketchrnn_cli"}, ["sketchrnn"]
    seen = set(todo)
    while todo:
        name = todo.pop()
        found |= modules.get(name, set())
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in wanted:
            match = re.match(r"[A-Za-z0-9._-]+", line)
            if match and "extra ==" not in line and _folded(match[0]) not in seen:
                seen.add(_folded(match[0]))
                todo.append(_folded(match[0]))
    return frozenset(found)


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    _main(*sys.argv[1:])
