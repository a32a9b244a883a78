"""Commands as forks of an interpreter that has loaded already what they will load.

``run`` and ``Popen`` are those of subprocess. ``python -m sketchrnn_cli ...`` and ``python -c ...``
go to a server, an interpreter that forks for each of them: with its arguments, folder, environment
and pipes, and its true wait status. What a fork cannot show is a process of its own: another
program, another number of threads; all of them on a system without fork, and where
SKETCHRNN_TESTS_COLD is set.

What is promised of the start of a command (what it imports, the memory it takes, a signal while
it is being loaded) is tested with subprocess, and so is each command now and then.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import itertools
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

HEADER, ANSWER = struct.Struct("<q"), struct.Struct("<i")
STARTS = (  # variables that an interpreter and its libraries read as they are loaded
    "PYTHON", "LC_", "LANG", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "TYPER_", "FORCE_COLOR",
    "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "NUMPY_", "NPY_", "OPENBLAS_",
)  # fmt: skip
OF_TORCH = ("OMP_", "MKL_", "KMP_", "GOMP_", "TORCH", "ATEN_", "CUDA_")
USES = (  # what is loaded before, for the commands that use a model
    "numpy.random", "orjson", "rich.console", "typer._adapters",
    "sketchrnn_cli.cli.app", "sketchrnn_cli.cli.report",
    "sketchrnn_cli.sketches.build", "sketchrnn_cli.sketches.corpus",
    "sketchrnn_cli.sketches.statistics",
    "sketchrnn_cli.sketches.formats.ndjson", "sketchrnn_cli.sketches.formats.npz",
    "sketchrnn_cli.sketches.formats.latents", "sketchrnn_cli.sketches.formats.svg",
    "sketchrnn_cli.inference.sampler", "sketchrnn_cli.inference.request",
    "sketchrnn_cli.inference.score", "sketchrnn_cli.drawing.outputs", "sketchrnn_cli.drawing.sheet",
    "sketchrnn_cli.drawing.raster", "sketchrnn_cli.drawing.film.animation",
    "sketchrnn_cli.drawing.film.gif", "sketchrnn_cli.drawing.film.morph",
    "sketchrnn_cli.cli.inspect_drawings", "sketchrnn_cli.cli.inspect_likelihoods",
    "sketchrnn_cli.cli.inspect_models", "sketchrnn_cli.cli.inspect_recognised",
    "sketchrnn_cli.inference.recognition", "sketchrnn_cli.model.load",
    "sketchrnn_cli.sketches.practice", "sketchrnn_cli.training.run",
    "sketchrnn_cli.training.state", "sketchrnn_cli.training.warm_start",
    "filelock", "typer._click.decorators",
)  # fmt: skip
TRAINS = (  # and for those that train
    *USES, "torch._dynamo", "sklearn.mixture", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "sketchrnn_cli.training.loop",
)  # fmt: skip
ALONE = {"OPENBLAS_NUM_THREADS": "1"}  # what a command sets before it loads numpy
ONE = {"MKL_NUM_THREADS": "1"}  # which OMP_NUM_THREADS says too
BRIEF = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}  # and before it loads torch


class Popen(subprocess.Popen):
    """A process; a fork of a warm interpreter, where it can be."""

    channel: socket.socket | None = None
    may_lead = False  # a session of its own

    def __init__(self, args: Any, *more: Any, trains: bool | None = None, **named: Any) -> None:
        """As ``subprocess.Popen``; trains: torch is loaded, by default for ``train``."""
        self.modules = TRAINS if ("train" in args[3:] if trains is None else trains) else USES
        super().__init__(args, *more, **named)

    def _server(self, args: Any, environment: Any) -> Server | None:
        return _server(args, environment, self.modules)

    def _execute_child(self, args: Any, *more: Any) -> None:
        settings = dict(zip(_NAMES, more, strict=False))
        rest = more[len(_NAMES) :]
        server = None if settings["executable"] else self._server(args, settings["env"])
        if server is None or settings["preexec_fn"] or settings["pass_fds"] or settings["shell"]:
            super()._execute_child(args, *more)
            return
        session = self.may_lead and rest[5]
        plain = (True, None, None, None, -1, session)
        if rest[:6] != plain or rest[6:] not in ((), (-1,)):
            super()._execute_child(args, *more)
            return
        ends = [settings[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        task = {
            "arguments": [os.fspath(word) for word in args[1:]],
            "folder": os.path.abspath(settings["cwd"] or os.curdir),
            "environment": dict(os.environ if settings["env"] is None else settings["env"]),
            "session": session,
        }
        self.channel, self.pid = server.start(
            task, [k if end == -1 else end for k, end in enumerate(ends)]
        )
        self._child_created = True
        self._close_pipe_fds(*more[9:15])

    def _internal_poll(self, _deadstate: int | None = None, **more: Any) -> int | None:
        if self.channel is None:
            return super()._internal_poll(_deadstate, **more)
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)
        return self.returncode

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self.channel is None:
            return super()._try_wait(wait_flags)
        if wait_flags == os.WNOHANG and not select.select([self.channel], [], [], 0)[0]:
            return 0, 0
        status = self.channel.recv(ANSWER.size)
        self.channel.close()
        assert status, "the server is gone"
        return self.pid, ANSWER.unpack(status)[0]


_NAMES = (
    "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "startupinfo",
    "creationflags", "shell", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite",
)  # fmt: skip


def run(args, *, input=None, capture_output=False, timeout=None, check=False, **more):  # noqa: A002
    """As ``subprocess.run``; see ``Popen``."""
    if input is not None:
        more["stdin"] = subprocess.PIPE
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(args, **more) as process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, stdout, stderr)
    if check:
        done.check_returncode()
    return done


class Server:
    """One warm interpreter, and how to wait for its end."""

    def __init__(self, control: socket.socket, wait: Callable[[], object]) -> None:
        self.lock, self.control, self.wait = threading.Lock(), control, wait
        atexit.register(self.end)

    def start(self, task: dict[str, Any], pipes: list[int]) -> tuple[socket.socket, int]:
        """Start a command; where its wait status will come, and its number."""
        ours, theirs = socket.socketpair()
        text = json.dumps(task).encode("utf-8", "surrogatepass")
        with self.lock, theirs:
            socket.send_fds(self.control, [HEADER.pack(len(text))], [*pipes, theirs.fileno()])
            self.control.sendall(text)
        told = ours.recv(ANSWER.size)
        assert told, "the server does not start"
        return ours, ANSWER.unpack(told)[0]

    def end(self) -> None:
        """It ends where nobody has a task for it."""
        self.control.close()
        self.wait()


def _server(args: Any, environment: Any, modules: tuple[str, ...]) -> Server | None:
    """Who runs it, if it can be a fork."""
    environment = os.environ if environment is None else environment
    if not hasattr(os, "fork") or "SKETCHRNN_TESTS_COLD" in os.environ:
        return None
    if not isinstance(args, (list, tuple)) or args[0] != sys.executable:
        return None
    if args[1] != "-c" and [*args[1:3]] != ["-m", "sketchrnn_cli"]:
        return None
    threads = [other for one, other in itertools.pairwise(args) if one == "--threads"]
    if environment.get("OPENBLAS_NUM_THREADS", "1") != "1" or threads not in ([], ["1"]):
        return None
    read = STARTS + OF_TORCH if modules is TRAINS else STARTS
    same = {**ALONE, **(ONE if environment.get("OMP_NUM_THREADS") == "1" else {})}
    kept = {
        name: value
        for name, value in environment.items()
        if value and name.startswith(read) and same.get(name) != value
    }
    return _servers(modules, tuple(sorted(kept.items())))


@functools.lru_cache(maxsize=4)
def _servers(modules: tuple[str, ...], settings: tuple[tuple[str, str], ...]) -> Server:
    start = STARTS + OF_TORCH
    others = {name: v for name, v in os.environ.items() if not name.startswith(start)}
    environment = others | ALONE | (BRIEF if modules is TRAINS else {}) | dict(settings)
    control, theirs = socket.socketpair()
    command = [sys.executable, __file__, str(theirs.fileno()), *modules]
    null = subprocess.DEVNULL
    with theirs:
        process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], stdin=null, stdout=null
        )
    return Server(control, process.wait)


def branch() -> type[Popen]:
    """The commands that this fork starts are forks too, of a server that it leaves behind."""
    control, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        control.close()
        _serve(theirs.detach())
        sys.exit()
    theirs.close()
    server = Server(control, lambda: os.waitpid(pid, 0))

    class Branch(Popen):
        may_lead = True

        def _server(self, args: Any, environment: Any) -> Server | None:
            return server

    return Branch


# in the server


class Host:
    """Forks for one command after the other, until there is nobody to tell."""

    def __init__(self, number: int) -> None:
        self.control = socket.socket(fileno=number)
        self.channels: dict[int, socket.socket] = {}
        self.woken, waker = socket.socketpair()
        self.woken.setblocking(False)
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self.waker = waker
        self.interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes when tests do

    def serve(self) -> dict[str, Any] | None:
        """Returns in each child with its task; in the server with nothing, at the end."""
        while True:
            ready, _, _ = select.select([self.control, self.woken], [], [])
            if self.woken in ready:
                with contextlib.suppress(BlockingIOError):
                    self.woken.recv(1 << 16)
                self.reap()
            if self.control in ready:
                task, pipes = self.receive()
                if not pipes:
                    return None
                channel = socket.socket(fileno=pipes.pop())
                pid = os.fork()
                if not pid:
                    self.become(pipes)
                    return task
                self.channels[pid] = channel
                channel.send(ANSWER.pack(pid))
                for number in pipes:
                    os.close(number)

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        header, pipes, _, _ = socket.recv_fds(self.control, HEADER.size, 4)
        if not header:
            return {}, []
        left, text = HEADER.unpack(header)[0], b""
        while len(text) < left:
            text += self.control.recv(left - len(text))
        return json.loads(text.decode("utf-8", "surrogatepass")), list(pipes)

    def reap(self) -> None:
        """Tell of the children that have ended."""
        while self.channels:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with contextlib.suppress(OSError), self.channels.pop(pid) as channel:
                channel.send(ANSWER.pack(status))

    def become(self, pipes: list[int]) -> None:
        """Be a process that has just been started."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self.interrupt)
        for each in (self.control, self.woken, self.waker, *self.channels.values()):
            each.detach()
        for number, end in enumerate(pipes):
            os.dup2(end, number)
        os.closerange(3, 256)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            setattr(sys, name, _stream(number, getattr(sys, name)))
            setattr(sys, f"__{name}__", getattr(sys, name))


def _stream(number: int, before: io.TextIOWrapper) -> io.TextIOWrapper:
    """As the interpreter makes it."""
    unbuffered = before.write_through  # as PYTHONUNBUFFERED says
    mode, size = ("wb", 0 if unbuffered else -1) if number else ("rb", -1)
    return io.TextIOWrapper(
        open(number, mode, size, closefd=False),  # noqa: SIM115
        before.encoding,
        before.errors,
        newline="\n",
        line_buffering=not unbuffered and (number == 2 or os.isatty(number)),
        write_through=unbuffered,
    )


def main(number: str, *modules: str) -> None:
    """Load, serve; and in each child be the command."""
    del sys.path[0]  # the folder of tests
    for module in modules:
        importlib.import_module(module)
    _serve(int(number))


def _serve(number: int) -> None:
    host = Host(number)
    gc.collect()
    gc.freeze()  # or every child would copy what its collector looks at
    assert threading.active_count() == 1
    task = host.serve()
    if task is None:
        return
    if task["session"]:
        os.setsid()
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    option, *arguments = task["arguments"]
    if option == "-u":
        sys.stdout.reconfigure(write_through=True)
        option, *arguments = arguments
    if option in ("-m", "-c"):
        what, *arguments = arguments
    sys.argv = [option, *arguments]
    if option == "-m":
        sys.path.insert(0, task["folder"])
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.path.insert(0, "")
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.path.insert(0, os.path.dirname(option))
        runpy.run_path(option, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
