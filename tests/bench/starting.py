"""From a cold shell, beside the import of torch."""

from __future__ import annotations

import statistics
import sys

import sampling
from measuring import Row, run, sketchrnn

TIMES = 5


def rows(ndjson, folder):
    from sketchrnn_cli.model import checkpoint

    checkpoint.save(folder / "cold.safetensors", sampling.network(mean=sampling.MEAN))
    model = ("--model", folder / "cold.safetensors")
    single = folder / "single.ndjson"
    with ndjson.open("rb") as stream:
        single.write_bytes(stream.readline())
    commands = {
        "import torch": lambda: run(sys.executable, "-c", "import torch"),
        "import numpy": lambda: run(sys.executable, "-c", "import numpy"),
        "sketchrnn --help": lambda: sketchrnn("--help"),
        "sketchrnn sample -n 1": lambda: sketchrnn("sample", *model, "-n", 1),
        "sketchrnn sample -o sheet.svg": lambda: sketchrnn(
            "sample", *model, "-o", folder / "x.svg", "--quiet"
        ),
        "sketchrnn encode of one drawing": lambda: sketchrnn("encode", single, *model),
    }
    seconds = {name: [] for name in commands}
    for _ in range(TIMES):  # in turn, so that noise falls on all of them
        for name, command in commands.items():
            seconds[name].append(command().seconds)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, each in medians.items():
        yield Row(name, f"{each:.2f} s", f"{each / medians['import torch']:.2f} of importing torch")
