"""Speed of the whole path beside the machine's own ceiling, a large matrix product.

    python tests/bench/speed.py [DRAWINGS.ndjson ...]

Without an argument it draws its own doodles. Prints a table of figures and ratios; nothing here
is a test, and nothing is judged.
"""

from __future__ import annotations

import gzip
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FLOP_A_POINT = 10e6  # training arithmetic of the base model, forward and backward


def median_seconds(work, n=5):
    times = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def ceiling_torch():
    import torch

    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return 2 * 2048**3 / median_seconds(lambda: a @ b, 9) / 1e9


def ceiling_numpy():
    rng = np.random.default_rng(0)
    a, b = (rng.random((2048, 2048), np.float32) for _ in range(2))
    return 2 * 2048**3 / median_seconds(lambda: a @ b, 9) / 1e9


def child(*arguments):
    """Seconds and peak memory (MB) of one run of a command."""
    code = (
        "import resource, subprocess, sys, time; t = time.perf_counter();"
        "p = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE);"
        "s = time.perf_counter() - t;"
        "m = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024;"
        "print(s, m) if not p.returncode else sys.exit(p.stderr.decode())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory = map(float, result.stdout.split())
    return seconds, memory


def command(*arguments):
    return sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)


def training(packed, rows):
    import torch

    from sketchrnn_cli.model.config import ModelConfig
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training.config import TrainingConfig
    from sketchrnn_cli.training.loop import Trainer

    ceiling = ceiling_torch()
    corpus = Corpus.open(packed)
    indices = corpus.indices("train")
    points = float(np.mean(corpus.offsets[indices + 1] - corpus.offsets[indices]))
    rows.append(("large product, torch float32", f"{ceiling:.0f} GFLOP/s", ""))
    for batch_size in (100, TrainingConfig().batch_size):
        config = TrainingConfig(batch_size=batch_size)
        with tempfile.TemporaryDirectory() as run:
            trainer = Trainer(Path(run), corpus, ModelConfig(), config, device=torch.device("cpu"))
            for _ in range(3):
                trainer.take_step()
            seconds = median_seconds(trainer.take_step, 15)
        useful = batch_size * points * FLOP_A_POINT / seconds / 1e9
        rows.append(
            (
                f"training, base, batch {batch_size}, mean {points:.1f} points",
                f"{batch_size / seconds:.0f} drawings/s",
                f"{useful / ceiling:.0%} of the product",
            )
        )


def sampling(rows):
    from sketchrnn_cli.inference import sampler
    from sketchrnn_cli.inference.engine import Engine
    from sketchrnn_cli.model.checkpoint import Checkpoint, shapes
    from sketchrnn_cli.model.config import ModelConfig

    config = ModelConfig()
    rng = np.random.default_rng(0)
    weights = {
        name: (0.03 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes(config).items()
    }
    weights["decoder.out_b"][2] = -30  # never ends: every sketch has the same length
    engine = Engine(Checkpoint(config=config, weights=weights, scale_factor=30.0))
    ceiling = ceiling_numpy()
    rows.append(("large product, numpy float32", f"{ceiling:.0f} GFLOP/s", ""))
    steps = 200

    def settings(max_points):
        return sampler.Settings(seed=1, max_points=max_points)

    one = median_seconds(lambda: list(sampler.draw(engine, 1, settings=settings(steps))), 9)
    h, w = rng.random((1, 512), np.float32), weights["decoder.cell.w_h"]

    def products():
        for _ in range(steps):
            h @ w

    floor = median_seconds(products, 9)
    rows.append(
        ("sampling one sketch", f"{1e3 * one / steps:.3f} ms a step", f"{one / floor:.1f} x h @ W")
    )
    many = median_seconds(lambda: list(sampler.draw(engine, 1000, settings=settings(45))), 3)
    flop = 1000 * 45 * 2 * 512 * (2048 + 123)
    rows.append(
        (
            "sampling 1,000 sketches of 45 points",
            f"{1000 / many:.0f} sketches/s",
            f"{flop / many / 1e9 / ceiling:.0%} of the product",
        )
    )


def preparing(sources, folder, rows):
    """Time `preprocess` on ndjson and npz; returns the packed set."""
    from sketchrnn_cli.sketches.formats import read_sketches

    sources = [str(source) for source in sources]
    n = sum(1 for source in sources for _ in read_sketches(source))
    npz, packed = folder / "drawings.npz", folder / "packed.npz"
    child(*command("preprocess", *sources, "-o", npz, "--format", "sketch-rnn", "--quiet"))
    bare, _ = child(*command("--help"))
    for name, given in (("simplified ndjson", sources), ("sketch-rnn npz", [npz])):
        seconds, memory = child(
            *command("preprocess", *given, "-o", packed, "--overwrite", "--quiet")
        )
        rows.append(
            (
                f"preprocess, {name}, {n:,} drawings",
                f"{n / (seconds - bare):,.0f} drawings/s",
                f"{memory:.0f} MB at most",
            )
        )
    seconds, _ = child(*command("preprocess", *sources, "-o", packed, "--overwrite", "--quiet"))
    return packed


def starting(packed, folder, rows):
    torch_import, _ = child(sys.executable, "-c", "import torch")
    help_, _ = child(*command("--help"))
    rows.append(("import torch", f"{torch_import:.2f} s", ""))
    rows.append(("sketchrnn --help", f"{help_:.2f} s", f"{help_ / torch_import:.2f} of torch"))
    run = folder / "run"
    _, memory = child(
        *command("train", packed, "-o", run, "--steps", 30, "--preset", "base", "--quiet")
    )
    rows.append(("train, base, 30 steps: peak memory", f"{memory:.0f} MB", ""))
    seconds, _ = child(*command("sample", "--model", run, "-n", 1, "-o", folder / "x.svg"))
    rows.append(("sample -n 1, whole command", f"{seconds:.2f} s", f"{seconds / torch_import:.2f}"))


def main():
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = sys.argv[1:]
        if not sources:
            from sketchrnn_cli.sketches import doodles
            from sketchrnn_cli.sketches.formats import ndjson

            path = folder / "doodles.ndjson.gz"
            with gzip.open(path, "wb", compresslevel=1) as stream:
                for sketch in itertools.islice(doodles.generate(1000, seed=0), None):
                    stream.write(ndjson.to_line(sketch))
            sources = [path]
        packed = preparing(sources, folder, rows)
        training(packed, rows)
        sampling(rows)
        starting(packed, folder, rows)
    width = max(len(row[0]) for row in rows)
    for what, figure, ratio in rows:
        print(f"{what:{width}}  {figure:>22}  {ratio}")


if __name__ == "__main__":
    main()
