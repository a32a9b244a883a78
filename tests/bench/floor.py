"""The least a training step can cost: its own matrix products at their own shapes.

Counted are all products of a batch of the base model forwards and backwards: at every step h W_h
and its gradient wrt h with the rows that are alive, no padding; and over all rows at once those of
x and the gradients of all weights, of the conditioning vector, and of the output layer. Each goes
the fastest way that torch has to it here, found by trying: what a step takes beyond this floor is
gates, copies, the loss, the optimiser and Python.

Symbols: N sketches, P points of all of them, R rows (P + N), n rows of a step, H decoder size, E
encoder size of a direction, C conditioning vector, M mixtures.
"""

from __future__ import annotations

import time

import torch

LEAST, MOST = 3, 9  # tries of a way


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
