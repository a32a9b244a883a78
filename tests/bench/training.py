"""Training beside the machine's products, and beside a peer on the same drawings."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
from ceilings import Ceilings
from measuring import Row, run

FLOP_A_POINT = 10e6  # training arithmetic of the base model, forward and backward
MEAN = 45  # points; the length that rates are compared at
LONG = 200  # drawings, the longest there are
ROUNDS, STEPS = 3, 16
WARM_UP = 48  # steps, in which the products of nearly all sizes are planned


def mean_points(corpus):
    indices = corpus.indices("train")
    return float(np.mean(corpus.offsets[indices + 1] - corpus.offsets[indices]))


def subset(corpus, chosen, path):
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from synthetic import pack

    from sketchrnn_cli.sketches.corpus import Corpus

    pack((corpus.sketch(int(i)) for i in chosen), path, split=(98, 1, 1))
    return Corpus.open(path)


def of_mean(lengths, mean, seed=0):
    """A random choice of drawings whose mean length is this: tilted by exp(-rate * length)."""
    low, high = -1.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        weights = np.exp(-rate * (lengths - lengths.mean()) / lengths.std())
        low, high = (rate, high) if (weights @ lengths) / weights.sum() > mean else (low, rate)
    return np.flatnonzero(
        np.random.default_rng(seed).random(len(lengths)) < weights / weights.max()
    )


def trainer(corpus, folder, batch_size, precision, **sizes):
    import torch

    from sketchrnn_cli.model.config import ModelConfig
    from sketchrnn_cli.training.config import TrainingConfig
    from sketchrnn_cli.training.trainer import Trainer

    config = TrainingConfig(batch_size=batch_size, precision=precision)
    return Trainer(Path(folder), corpus, ModelConfig(**sizes), config, device=torch.device("cpu"))


def precisions():
    """Those that this processor multiplies in."""
    import torch

    from sketchrnn_cli.training.device import has_bfloat16

    both = has_bfloat16(torch.device("cpu"))
    return ("float32", "bfloat16") if both else ("float32",)


def points_a_second(each, ceilings):
    """Of trainers and products in turn, so that what else runs falls on all: the best rounds.

    Batches differ in length, so their points are counted, as they are before augmentation.
    """
    from sketchrnn_cli.training import batches

    gather, n_points = batches.gather, []

    def counted(*arguments, **named):
        sketches = gather(*arguments, **named)
        n_points.append(int(sketches.lengths.sum()))
        return sketches

    best = dict.fromkeys(each, 0.0)
    batches.gather = counted
    try:
        for training in each.values():
            for _ in range(WARM_UP):
                training.take_step()
        for _ in range(ROUNDS):
            for key, training in each.items():
                training.take_step()
                n_points.clear()
                started = time.perf_counter()
                for _ in range(STEPS):
                    training.take_step()
                best[key] = max(best[key], sum(n_points) / (time.perf_counter() - started))
            ceilings.measure()
    finally:
        batches.gather = gather
    return best


def rows(packed, folder):
    import floor

    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training.config import TrainingConfig

    corpus = Corpus.open(packed)
    lengths = np.diff(corpus.offsets)
    usual = subset(corpus, of_mean(lengths, MEAN), folder / "usual.npz")
    long = subset(corpus, np.argsort(lengths)[-LONG:], folder / "long.npz")
    usual_batch = TrainingConfig().batch_size
    sets = ((usual, 100), (usual, usual_batch), (corpus, 100), (long, 100))
    keys = [(*each, precision) for each in sets for precision in precisions()]
    wanted = ("torch.mm", "oneDNN", "numpy", *precisions()[1:])
    ceilings = Ceilings(*wanted)
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in keys]
        each = {key: trainer(key[0], name, *key[1:]) for key, name in zip(keys, names, strict=True)}
        points = points_a_second(each, ceilings)
        del each
    for name, rate in ceilings.best.items():
        yield Row(f"large product, {name}", f"{rate:.0f} GFLOP/s")
    for (data, batch_size, precision), rate in points.items():
        useful = rate * FLOP_A_POINT / 1e9
        if precision == "float32":
            ratio = f"{useful / ceilings['torch.mm']:.0%} of torch.mm, "
            ratio += f"{useful / ceilings.float32:.0%} of the best product"
        else:
            ratio = f"{useful / ceilings['bfloat16']:.0%} of the bfloat16 product"
        yield Row(
            f"base, batch {batch_size}, {precision}, {mean_points(data):.1f} points",
            f"{rate / mean_points(data):.0f} drawings/s",
            ratio,
        )
    for precision in precisions():
        short, rate = points[usual, 100, precision], points[long, 100, precision]
        yield Row(
            f"points per second, {mean_points(long):.0f} and {MEAN} points, {precision}",
            f"{rate:,.0f} and {short:,.0f}",
            f"{rate / short:.2f}: 1 is in proportion",
        )
    for precision in precisions():
        seen = run(sys.executable, __file__, usual.path, 30, precision)
        yield Row(
            f"30 steps at batch 100, {precision}: peak memory",
            f"{seen.peak:.0f} MB",
            f"{seen.anonymous:.0f} MB without mapped files",
        )
    yield from beside_peer((usual, corpus), points)
    yield from floor.rows(usual, (1, 2))


def beside_peer(sets, points):
    import peer

    for data in sets:
        seen = run(sys.executable, peer.__file__, data.path)
        found = json.loads(seen.output)
        mean = mean_points(data)
        faster = [
            f"{p} here is {points[data, 100, p] / mean / found['rate']:.1f} times as fast"
            for p in precisions()
        ]
        yield Row(
            f"peer, {found['name']}, batch 100, {mean:.1f} points padded to {found['longest']}",
            f"{found['rate']:.1f} drawings/s, {seen.peak:.0f} MB",
            ", ".join(faster),
        )


def main():
    """In a program of its own: so many steps, for their memory."""
    from sketchrnn_cli.sketches.corpus import Corpus

    packed, steps, precision = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        training = trainer(Corpus.open(packed), folder, 100, precision)
        started = time.perf_counter()
        for _ in islice(iter(training.take_step, None), int(steps)):
            pass
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
