"""What is slow to show: memory and starting times as everything grows. Minutes."""

from __future__ import annotations

import drawings
import preparing
import sampling
from measuring import Row, run, sketchrnn

COUNTS = {"tiny": (1_000, 20_000, 100_000), "base": (1_000, 100_000)}
LARGE = 2_000_000  # drawings of a packed set
TRAIN_STEPS = 30


def rows(ndjson, packed, folder, raws=()):
    yield from sampling_rows(folder)
    yield from training_rows(ndjson, packed, folder)
    yield from preparing.memory_rows(ndjson, packed, folder, raws)


def sampling_rows(folder):
    from sketchrnn_cli.model import checkpoint

    for preset, counts in COUNTS.items():
        model = folder / f"{preset}.safetensors"
        checkpoint.save(model, sampling.network(preset, sampling.MEAN))
        out = folder / "sampled.ndjson"
        for n in counts:
            seen = sketchrnn("sample", "--model", model, "-n", n, output=out)
            written = drawings.count(out)
            assert written == n, f"{written} lines for {n}"
            yield Row(
                f"sample -n {n:,}, {preset}",
                f"{seen.peak:.0f} MB at most",
                f"first line after {seen.first:.1f} s of {seen.seconds:.1f}",
            )


def training_rows(ndjson, packed, folder):
    """`train` on a set as given, and on one of two million drawings."""
    import sys

    seconds = run(sys.executable, "-c", "import torch").seconds
    large = folder / "large.npz"
    copies = -(-LARGE // drawings.count(ndjson))
    seen = sketchrnn("preprocess", *[ndjson] * copies, "-o", large, "--quiet")
    n = copies * drawings.count(ndjson)
    yield Row(
        f"preprocess of {n:,} drawings",
        f"{n / seen.seconds:,.0f} drawings/s",
        f"{seen.peak:.0f} MB",
    )
    for name, path in (("as given", packed), (f"{n:,} drawings", large)):
        for steps in (1, TRAIN_STEPS):
            where = folder / f"run-{name}-{steps}"
            seen = run(
                sys.executable, "-c", FIRST_STEP, path, where, steps, PYTHONWARNINGS="ignore"
            )
            started, anonymous, mapped = map(float, seen.output.split())
            yield Row(
                f"train on {name}, {steps} steps",
                f"{started:.1f} s to the first step ({started - seconds:.1f} without import torch)",
                f"{anonymous:.0f} MB, {mapped:.0f} MB of mapped files, at the end of training",
            )
    large.unlink()


# The command with a clock in it: when the first step is done, and the memory when all are.
FIRST_STEP = """
import sys, time
started = time.perf_counter()
from sketchrnn_cli.cli.train import train
from sketchrnn_cli.training import loop
take_step, wanted = loop.Trainer.take_step, int(sys.argv[3])
times = []
def timed(self):
    result = take_step(self)
    times.append(time.perf_counter() - started)
    if len(times) == wanted:
        with open("/proc/self/status") as status:
            found = dict(line.split(":", 1) for line in status)
        print(times[0], *(int(found[k].split()[0]) / 1024 for k in ("RssAnon", "RssFile")))
        sys.stdout.flush()
        import os
        os._exit(0)
    return result
loop.Trainer.take_step = timed
from pathlib import Path
train([sys.argv[1]], out=Path(sys.argv[2]), batch_size=100, quiet=True)
"""
