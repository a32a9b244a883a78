"""Train for a very long time and look for what grows. Linux only; hours.

    python tests/bench/endurance.py [--steps 1000000] [--minutes 0] [--sizes tiny]

A run of the tiny preset (or of the least network there is), by the command as a user gives it, on
drawings so short that a step costs little but what every step costs: a million steps is a day of
training on real drawings. Every so often the watcher looks at the program from outside: memory
that is no file, processor time, open files, the run folder. At the end it holds every tenth of
the run against the others, and every line of metrics.jsonl against the one that must stand there.

The time of a step is processor time, because that does not depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LOG_EVERY, VALID_EVERY, SAVE_EVERY = 20, 200, 100
SIZES = {
    "tiny": "",
    "least": """
[model]
encoder_size = 12
latent_size = 6
decoder_size = 24
n_mixtures = 3
word_size = 4
""",
}
TRAINING = f"""
[training]
batch_size = 2
log_every = {LOG_EVERY}
valid_every = {VALID_EVERY}
save_every = {SAVE_EVERY}
valid_sketches = 8
latent_sketches = 8
"""
WARM = 0.1  # of the steps, while caches fill and pools of memory find their size
MOST_GROWTH = 2.0  # MB in 100,000 steps
MOST_SLOWER = 1.15  # a step of the last tenth, over one of the second
CLOCK_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the program at one moment."""

    seconds: float  # since it began
    step: int
    memory: float  # MB, anonymous
    processor: float  # seconds
    files: int  # open
    metrics: int  # bytes of metrics.jsonl
    state: int  # bytes of the saved states
    states: int  # how many
    pictures: int  # bytes of samples/ and loss.png


def write_drawings(path: Path, n: int = 200) -> None:
    """Drawings of one stroke of two to four points, of two words."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for k in range(n):
            x, y = rng.integers(0, 256, (2, rng.integers(2, 5))).tolist()
            print(json.dumps({"word": "ab"[k % 2], "drawing": [[x, y]]}), file=stream)


def last_step(path: Path) -> int:
    """The step of the last whole line of metrics."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 4096))
            lines = stream.read().split(b"\n")[:-1]
    except OSError:
        return 0
    return int(json.loads(lines[-1])["step"]) if lines else 0


def sizes(paths) -> list[int]:
    """Bytes of the files that are (still) there."""
    found = []
    for path in paths:
        try:
            found.append(path.stat().st_size)
        except OSError:
            continue
    return found


def look(pid: int, run: Path, begun: float) -> Look | None:
    """Look at a program and its run folder; None where it is gone."""
    try:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        files = len(os.listdir(f"/proc/{pid}/fd"))
        memory = int(status["RssAnon"].split()[0]) / 1024
    except (OSError, KeyError, IndexError):
        return None
    states = sizes((run / "state").glob("step-*.safetensors"))
    return Look(
        seconds=time.perf_counter() - begun,
        step=last_step(run / "metrics.jsonl"),
        memory=memory,
        processor=(int(times[11]) + int(times[12])) / CLOCK_TICK,
        files=files,
        metrics=sum(sizes([run / "metrics.jsonl"])),
        state=sum(states),
        states=len(states),
        pictures=sum(sizes([run / "loss.png", *(run / "samples").glob("*")])),
    )


def tell_line(seen: Look) -> None:
    print(
        f"{seen.seconds:9.1f} s  step {seen.step:9,}  {seen.memory:7.1f} MB  "
        f"{seen.processor:9.1f} s of processor  {seen.files:3} files  "
        f"{seen.states} states {seen.state / 1e6:.2f} MB  metrics {seen.metrics / 1e6:.2f} MB  "
        f"pictures {seen.pictures / 1e6:.2f} MB",
        flush=True,
    )


def watch(
    folder: Path, *, steps: int, minutes: float, every: float, sizes: str, tell=tell_line
) -> list[Look]:
    """Train in this folder, and look every so many seconds."""
    (folder / "config.toml").write_text(SIZES[sizes] + TRAINING, "utf-8")
    write_drawings(folder / "drawings.ndjson")
    command = [
        sys.executable, "-m", "sketchrnn_cli", "train", str(folder / "drawings.ndjson"),
        "-o", str(folder / "run"), "--preset", "tiny", "--config", str(folder / "config.toml"),
        "--steps", str(steps), "--threads", "1", "--quiet",
    ]  # fmt: skip
    looks: list[Look] = []
    begun = time.perf_counter()
    with (folder / "errors.txt").open("wb") as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            while child.poll() is None:
                seen = look(child.pid, folder / "run", begun)
                if seen and seen.step and (not looks or seen.step > looks[-1].step):
                    looks.append(seen)
                    tell(seen)
                if minutes and time.perf_counter() - begun > 60 * minutes:
                    child.send_signal(signal.SIGTERM)  # saves, and ends with 143
                    minutes = 0
                time.sleep(every)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    said = (folder / "errors.txt").read_text("utf-8").strip()
    assert child.returncode in (0, 143), said
    assert not said, said  # a warning is a rollback, or a picture that failed
    return looks


def faults_of_metrics(run: Path) -> tuple[int, list[str]]:
    """Lines of metrics.jsonl, and every one that is not the one that must stand there."""
    step, wanted, number, faults = 0, [], 0, []
    with (run / "metrics.jsonl").open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not wanted:
                step += LOG_EVERY
                wanted = [(step, "train"), (step, "valid")][: 1 + (step % VALID_EVERY == 0)]
            record = json.loads(line)
            if (found := (record["step"], record["split"])) != wanted.pop(0):
                faults.append(f"line {number}: step {found[0]} of {found[1]}")
    return number, faults


def tenths(looks: list[Look], pick) -> list[float]:
    """The mean growth of something per step, in every tenth of the steps."""
    steps = np.array([each.step for each in looks], float)
    values = np.array([pick(each) for each in looks], float)
    at = np.linspace(steps[0], steps[-1], 11)
    return (np.diff(np.interp(at, steps, values)) / np.diff(at)).tolist()


def slope(looks: list[Look], pick) -> float:
    """Growth in 100,000 steps, of a straight line through what was seen after warming up."""
    from_here = looks[0].step + WARM * (looks[-1].step - looks[0].step)
    late = [each for each in looks if each.step >= from_here]
    steps = np.array([each.step for each in late], float)
    return float(np.polyfit(steps, [pick(each) for each in late], 1)[0] * 1e5)


def report(looks: list[Look], run: Path) -> tuple[list[str], list[str]]:
    """Lines of a table, and what is wrong."""
    lines, faults = faults_of_metrics(run)
    first, last = looks[0], looks[-1]
    step_time = [1000 * each for each in tenths(looks, lambda seen: seen.processor)]
    growth = slope(looks, lambda seen: seen.memory)
    memory = [each.memory for each in looks]
    table = [
        f"steps                       {first.step:,} to {last.step:,} in {last.seconds / 60:.0f} "
        f"minutes, {len(looks)} looks",
        f"memory, MB                  {first.memory:.1f} first, {last.memory:.1f} last, "
        f"{min(memory):.1f} to {max(memory):.1f}; {growth:+.2f} in 100,000 steps",
        "a step, ms of processor     "
        + " ".join(f"{each:.2f}" for each in step_time)
        + " (tenths of the run)",
        f"open files                  {first.files} first, {last.files} last, "
        f"{max(each.files for each in looks)} at most",
        f"saved states                {max(each.states for each in looks)} at most, "
        f"{max(each.state for each in looks) / 1e6:.2f} MB",
        f"metrics.jsonl               {lines:,} lines, {last.metrics / 1e6:.2f} MB, "
        f"{len(faults)} out of place",
        f"pictures                    {last.pictures / 1e6:.2f} MB",
    ]
    if growth > MOST_GROWTH:
        faults.append(f"memory grows by {growth:.2f} MB in 100,000 steps")
    if step_time[-1] > MOST_SLOWER * step_time[1]:
        faults.append(f"a step takes {step_time[-1] / step_time[1]:.2f} times as long at the end")
    warm = [each.files for each in looks if each.step >= WARM * last.step]
    if last.files > warm[0] + 1:  # fonts are opened once, with the first picture
        faults.append(f"open files grow from {warm[0]} to {last.files}")
    if max(each.states for each in looks) > 3:  # the third while the first is not yet dropped
        faults.append("saved states pile up")
    return table, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0, help="end after so many; 0: never")
    parser.add_argument("--every", type=float, default=20, help="seconds between looks")
    parser.add_argument("--sizes", choices=SIZES, default="tiny", help="of the network")
    parser.add_argument("--folder", type=Path, help="where the run stays; default: it is removed")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("memory and processor time are read from /proc, which only Linux has")
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        looks = watch(
            folder, steps=options.steps, minutes=options.minutes, every=options.every,
            sizes=options.sizes,
        )  # fmt: skip
        table, faults = report(looks, folder / "run")
    print("\n".join(["", *table, *(faults[:20] or ["nothing grows, nothing is out of place"])]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
