"""A fork of a warm interpreter is, to whoever started it, what a process of its own would be."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
import warm

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
WAYS = {"a process": subprocess, "a fork": warm}
ABOUT = """
import json, os, signal, sys, threading
sys.stderr.write("said")
text = sys.stdin.read()
streams = [sys.stdin, sys.stdout, sys.stderr]
names = ["SIGINT", "SIGTERM", "SIGPIPE", "SIGCHLD", "SIGHUP"]
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path[0],
    "name": __name__,
    "folder": os.getcwd(),
    "environment": {k: v for k, v in os.environ.items() if "NUM_THREADS" not in k},
    "text": text,
    "signals": {name: str(signal.getsignal(getattr(signal, name))) for name in names},
    "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through, type(s.buffer).__name__]
                for s in streams],
    "open": [number for number in range(3, 64) if os.path.exists(f"/dev/fd/{number}")],
    "group": os.getpgid(0),
    "session": os.getsid(0),
    "threads": threading.active_count(),
}))
sys.exit(7)
"""


def both(work):
    """What becomes of it as a process, and as a fork."""
    return [work(way) for way in WAYS.values()]


def test_it_sees_the_same(tmp_path):
    def about(way):
        done = way.run(
            [sys.executable, "-c", ABOUT, "a word", "--option"],
            cwd=tmp_path,
            env={**os.environ, "A_NAME": "a value", "NO_COLOR": "1"},
            input=b"gr\xc3\xbc\xc3\x9fe\n",
            capture_output=True,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    one, other = both(about)
    assert one == other
    code, seen, said = other
    assert (code, said) == (7, b"said")
    assert seen["argv"] == ["-c", "a word", "--option"]
    assert seen["folder"] == os.path.realpath(tmp_path)
    assert seen["environment"]["A_NAME"] == "a value"
    assert "PATH" in seen["environment"]
    assert seen["text"] == "grüße\n"
    assert seen["threads"] == 1


def test_a_fork_it_is():
    code = "import sys; print('numpy' in sys.modules, 'torch' in sys.modules)"
    found = both(lambda way: way.run([sys.executable, "-c", code], capture_output=True).stdout)
    assert found == [b"False False\n", b"True False\n"]


@pytest.mark.parametrize(
    "code",
    ["pass", "raise SystemExit(3)", "raise SystemExit('why')", "1 / 0", "import os; os._exit(5)",
     "import os; os.abort()", "raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 9)",
     "print('x' * 10**6)", "import atexit; atexit.register(print, 'the end')"],
)  # fmt: skip
def test_it_ends_the_same(code):
    def ended(way):
        done = way.run([sys.executable, "-c", code], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr.splitlines()[-1:]

    one, other = both(ended)
    assert one == other


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"])
def test_a_signal_ends_it_the_same(name):
    def ended(way):
        code = (
            "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "signal.signal(signal.SIGHUP, signal.SIG_DFL); print('here', flush=True); "
            "time.sleep(60)"
        )
        with way.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL) as process:  # fmt: skip
            assert process.stdout.readline() == b"here\n"
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
            process.send_signal(getattr(signal, name))
            return process.wait(60), process.poll(), process.returncode

    one, other = both(ended)
    assert one == other == (-getattr(signal, name),) * 3


def test_a_pipe_without_reader_is_broken_the_same():
    def ended(way):
        into, out = os.pipe()
        os.close(into)
        try:
            code = "import sys; print('x' * 10); sys.stdout.flush()"
            done = way.run([sys.executable, "-c", code], stdout=out, stderr=subprocess.PIPE)
        finally:
            os.close(out)
        return done.returncode, done.stderr.splitlines()[-1:]

    one, other = both(ended)
    assert one == other
    assert other[0] != 0


def test_a_terminal_is_a_terminal():
    pty = pytest.importorskip("pty")

    def told(way):
        ours, theirs = pty.openpty()
        code = "import sys; print(sys.stdout.isatty(), sys.stdout.line_buffering)"
        with way.Popen([sys.executable, "-c", code], stdout=theirs) as process:
            os.close(theirs)
            said = b""
            with contextlib.suppress(OSError):  # how Linux says that the other side is closed
                while piece := os.read(ours, 1 << 10):
                    said += piece
            assert process.wait() == 0
        os.close(ours)
        return said

    one, other = both(told)
    assert one == other


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["inspect", "none.npz"], ["inspect", "--nothing"], ["sample", "--list-words"],
     ["inspect", "none.npz", "--debug"], ["preprocess", "-", "-o", "-", "--format", "ndjson"]],
)  # fmt: skip
def test_a_command_says_the_same(arguments, tmp_path):
    def ended(way):
        command = [sys.executable, "-m", "sketchrnn_cli", *arguments]
        line = b'{"word":"cat","drawing":[[[0,255,3],[0,9,200]]]}\n'
        done = way.run(command, cwd=tmp_path, input=line, capture_output=True)
        return done.returncode, done.stdout, done.stderr.splitlines()[-1:]

    one, other = both(ended)
    assert one == other


def test_what_a_fork_cannot_show_is_a_process_of_its_own():
    code = [sys.executable, "-c", "pass"]
    for arguments, environment, how in (
        (code, None, True),
        (["sh", "-c", "exit 0"], None, False),
        ([*code, "--threads", "2"], None, False),
        (code, {**os.environ, "OPENBLAS_NUM_THREADS": "2"}, False),
    ):
        with warm.Popen(arguments, env=environment) as process:
            assert process.wait() == 0
            assert (process.channel is not None) == how
    with warm.Popen(code, start_new_session=True) as process:
        assert process.wait() == 0
        assert process.channel is None
