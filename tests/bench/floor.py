"""The least a training step can cost: its own matrix products at their own shapes.

Counted are all products of a batch of the base model forwards and backwards: at every step h W_h
and its gradient wrt h with the rows that are alive, no padding; and over all rows at once those of
x and the gradients of all weights, of the conditioning vector, and of the output layer. Each goes
the fastest way that torch has to it here, found by trying: what a step takes beyond this floor is
gates, copies, the loss, the optimiser and Python.

Symbols: N sketches, P points of all of them, R rows (P + N), n rows of a step, H decoder size, E
encoder size of a direction, C conditioning vector, M mixtures.

    python tests/bench/floor.py PACKED [THREADS ...]

Whole steps, the floor and steps of the peer, in turns: medians, and of one thread processor time.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

LEAST, MOST = 2, 4  # tries of a way
STEPS, TRIED = 2, 16  # steps that are compared, of so many those nearest to the mean length
ROUNDS = 5


class Product:
    """Rows (n, I) times weights (I, O), for many n, the faster of two ways for each n."""

    def __init__(self, n_inputs, n_outputs, dtype):
        self.rows = torch.randn(1, n_inputs).to(dtype)
        self.weights = torch.randn(n_inputs, n_outputs).to(dtype)
        self.ways = [lambda rows: torch.mm(rows, self.weights)]
        try:
            laid_out = torch.ops.mkldnn._reorder_linear_weight(self.weights.t().contiguous())
            self.ways.append(
                lambda rows: torch.ops.mkldnn._linear_pointwise(
                    rows, laid_out, None, "none", [], ""
                )
            )
            self.ways[-1](self.rows)
        except (AttributeError, RuntimeError):
            del self.ways[1:]
        self.fastest = {}

    def work(self, n):
        """What multiplies n rows the faster way."""
        rows = self.rows.expand(n, -1).contiguous()
        if n not in self.fastest:
            self.fastest[n] = fastest([lambda way=way: way(rows) for way in self.ways])
        way = self.ways[self.fastest[n]]
        return lambda: way(rows)


class Gradient:
    """Gradient of weights (I, O) from all rows: inputs (R, I) transposed times (R, O)."""

    def __init__(self, n_inputs, n_outputs, dtype):
        self.n_inputs, self.n_outputs, self.dtype = n_inputs, n_outputs, dtype

    def work(self, n):
        """What multiplies with n rows the fastest way."""
        a, b = (torch.randn(n, size).to(self.dtype) for size in (self.n_inputs, self.n_outputs))
        ways = [lambda: torch.mm(a.t(), b), lambda: torch.mm(b.t(), a)]
        try:
            linear = torch.ops.mkldnn._linear_pointwise
            ways.append(lambda: linear(a.t(), b.t(), None, "none", [], ""))
            ways[-1]()
        except (AttributeError, RuntimeError):
            del ways[2:]
        return ways[fastest(ways)]


def fastest(ways):
    """The number of the way that takes least."""
    if len(ways) == 1:
        return 0
    best = [float("inf")] * len(ways)
    for way in ways:
        way()  # plans it
    for k in range(MOST):
        for number, way in enumerate(ways):
            started = time.process_time()
            way()
            best[number] = min(best[number], time.process_time() - started)
        if k >= LEAST and max(best) > 1.5 * min(best):
            break
    return best.index(min(best))


class Floor:
    """The products of batches of a model with LSTM cells, in one type."""

    def __init__(self, config, dtype):
        h, e, c = config.decoder_size, config.encoder_size, config.constant_size
        n_out = 3 + 6 * config.n_mixtures
        single = torch.float32
        # every step's: forwards and backwards
        self.decoder = Product(h, 4 * h, dtype), Product(4 * h, h, dtype)
        self.encoder = Product(e, 4 * e, dtype), Product(4 * e, e, dtype)
        # of all rows at once; what the trainer keeps in float32 is so here
        self.of_rows = (
            *(Product(5, 4 * h, dtype), Gradient(5 + h + 1, 4 * h, dtype)),
            *(Product(h, n_out, single), Product(n_out, h, single), Gradient(h, n_out, single)),
        )
        self.of_points = Product(5, 4 * e, dtype), Gradient(5 + e + 1, 4 * e, dtype)
        pairs = ((2 * e, config.latent_size),) * 2 + ((c, 2 * h), (c, 4 * h))
        self.of_sketches = [
            product
            for i, o in pairs
            for product in (Product(i, o, single), Product(o, i, single), Gradient(i, o, single))
        ]

    def work(self, batch):
        """All products of a batch, one after the other: functions to call."""
        ahead, back = self.decoder
        works = [product.work(n) for n in batch.packing.batch_sizes for product in (ahead, back)]
        for n in batch.moves_packing.batch_sizes:
            for product in self.encoder:
                works += [product.work(n)] * 2  # both directions
        works += [product.work(batch.packing.n_rows) for product in self.of_rows]
        works += [product.work(batch.moves_packing.n_rows) for product in self.of_points] * 2
        return works + [product.work(batch.n_sketches) for product in self.of_sketches]


def flop(config, batch):
    """Operations of those products."""
    h, e, c = config.decoder_size, config.encoder_size, config.constant_size
    n_out = 3 + 6 * config.n_mixtures
    of_row = 3 * h * 4 * h + 2 * 5 * 4 * h + 4 * h + 3 * h * n_out
    of_point = 2 * (3 * e * 4 * e + 2 * 5 * 4 * e + 4 * e)
    of_sketch = 3 * (2 * 2 * e * config.latent_size + c * 6 * h)
    rows, points = batch.packing.n_rows, batch.moves_packing.n_rows
    return 2 * (rows * of_row + points * of_point + batch.n_sketches * of_sketch)


def seconds_of(works, threads):
    """Median seconds of each, in turns, after one round that plans the products."""
    clock = time.process_time if threads == 1 else time.perf_counter
    taken = {name: [] for name in works}
    for k in range(1 + ROUNDS):
        for name, work in works.items():
            started = clock()
            work()
            if k:
                taken[name].append(clock() - started)
    return {name: statistics.median(each) for name, each in taken.items()}


def of_steps(corpus, folder, batch_size, precision):
    """Work to compare: of ``STEPS`` steps each and its floor; and the mean GFLOP of a step."""
    import training

    from sketchrnn_cli.training import batches

    trainer = training.trainer(corpus, folder, batch_size, precision)
    config = trainer.network.config
    floor = Floor(config, trainer.compute)

    def step(number):
        trainer.progress.step = number
        trainer.take_step()

    def sketches(number):
        return batches.training_sketches(corpus, trainer.train_indices, trainer.config, number)

    def distance(number):
        return abs(len(sketches(number).offsets) / batch_size - training.mean_points(corpus))

    works, total = {}, 0.0
    for number in sorted(range(TRIED), key=distance)[:STEPS]:
        batch = batches.pack(sketches(number), device=torch.device("cpu"))
        products = floor.work(batch)
        works["step", number] = lambda number=number: step(number)
        works["floor", number] = lambda products=products: [work() for work in products]
        total += flop(config, batch) / STEPS / 1e9
    return works, total


def large(dtype):
    """The large product, and its GFLOP."""
    from ceilings import FLOP, SIZE

    a, b = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    ways = [lambda: torch.mm(a, b)]
    with contextlib.suppress(AttributeError, RuntimeError):
        laid_out = torch.ops.mkldnn._reorder_linear_weight(b)
        ways.append(lambda: torch.ops.mkldnn._linear_pointwise(a, laid_out, None, "none", [], ""))
        ways[-1]()
    return ways[fastest(ways)], FLOP / 1e9


def rows(corpus, threads):
    """Rows of the table, for so many threads each."""
    import peer
    import training
    from measuring import Row

    before = torch.get_num_threads()
    for n in threads:
        torch.set_num_threads(n)
        for precision in training.precisions():
            for batch_size in (32, 100):
                with tempfile.TemporaryDirectory() as folder:
                    works, gflop = of_steps(corpus, Path(folder), batch_size, precision)
                large_work, large_gflop = large(getattr(torch, precision))
                works["large"] = large_work
                if batch_size == peer.BATCH:
                    works["peer"], longest, who = peer.stepper(corpus.path)
                taken = seconds_of(works, n)
                step, least = (
                    sum(took for name, took in taken.items() if name[0] == kind) / STEPS
                    for kind in ("step", "floor")
                )
                what = f"batch {batch_size}, {precision}, {n} thread{'s' * (n > 1)}"
                rate, most = gflop / least, large_gflop / taken["large"]
                yield Row(
                    f"a step, {what}",
                    f"{1e3 * step:.0f} ms",
                    f"{step / least:.2f} times its own products ({1e3 * least:.0f} ms), which "
                    f"are at {rate / most:.0%} of the large one ({most:.0f} GFLOP/s)",
                )
                if "peer" in taken:
                    yield Row(
                        f"a step of {who}, padded to {longest}, {what}",
                        f"{1e3 * taken['peer']:.0f} ms",
                        f"{taken['peer'] / step:.1f} times a step here",
                    )
    torch.set_num_threads(before)


def main():
    from sketchrnn_cli.sketches.corpus import Corpus

    packed, *threads = sys.argv[1:]
    for row in rows(Corpus.open(packed), [int(n) for n in threads] or [1]):
        print(f"{row.what:64}  {row.figure:10}  {row.ratio}", flush=True)


if __name__ == "__main__":
    main()
