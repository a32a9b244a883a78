"""Time and memory of work here, and of programs started afresh."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

# Runs a command, reading its memory all the while. A small program of its own, because on Linux a
# child's peak begins with the size of the program that starts it.
WATCH = """
import json, os, resource, subprocess, sys, time
target, *command = sys.argv[1:]
stdin = open(os.environ["BENCH_STDIN"], "rb") if "BENCH_STDIN" in os.environ else None
anonymous = mapped = first = 0.0
with open(target, "wb") as out:
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=subprocess.PIPE)
    while child.poll() is None:
        try:
            with open(f"/proc/{child.pid}/status") as status:
                found = dict(line.split(":", 1) for line in status)
            anonymous = max(anonymous, int(found["RssAnon"].split()[0]) / 1024)
            mapped = max(mapped, int(found["RssFile"].split()[0]) / 1024)
        except (OSError, KeyError):
            pass
        if not first and os.path.getsize(target):
            first = time.perf_counter() - started
        time.sleep(0.02 if anonymous else 0.001)
    seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
peak /= 1024 * 1024 if sys.platform == "darwin" else 1024
if child.returncode:
    sys.exit(child.stderr.read().decode())
print(json.dumps([seconds, peak, anonymous, mapped, first]))
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    figure: str
    ratio: str = ""


class Run(NamedTuple):
    """One run of a program."""

    seconds: float
    peak: float  # MB, everything that counts as the program's memory
    anonymous: float  # MB of it that is no file, 0 where the system does not say
    mapped: float  # MB of it that is files, which the system takes back when it wants
    first: float  # seconds until its first output
    output: str


def median_seconds(work, n=5):
    times = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def run(*command, output=None, stdin=None, feed=None, **environment):
    """Run a command afresh.

    ``output``: keep its stdout in this file, else it is returned. ``stdin``: a file. ``feed``: a
    command whose stdout is piped into it.
    """
    kept = output or f"{tempfile.gettempdir()}/bench-{os.getpid()}.out"
    extra = {name: str(value) for name, value in environment.items()}
    if stdin is not None:
        extra["BENCH_STDIN"] = str(stdin)
    writer = feed and subprocess.Popen([*map(str, feed)], stdout=subprocess.PIPE)
    try:
        result = subprocess.run(
            [sys.executable, "-c", WATCH, str(kept), *map(str, command)],
            env=os.environ | extra,
            stdin=writer.stdout if writer else None,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
        text = ""
        if output is None:
            with open(kept, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
    finally:
        if writer:
            writer.stdout.close()
            writer.wait()
        if output is None and os.path.exists(kept):
            os.unlink(kept)
    return Run(*json.loads(result.stdout), text)


def sketchrnn(*arguments, **kept):
    """Run the command line afresh."""
    return run(sys.executable, "-m", "sketchrnn_cli", *arguments, **kept)
