"""What the cells cost beside the plain LSTM: training, and sampling one sketch and many."""

from __future__ import annotations

import tempfile
import time

import sampling
import training
from measuring import Row

BATCH, STEPS, ROUNDS = 100, 12, 3
MANY = 200  # sketches


def rows(packed):
    from sketchrnn_cli.model.config import CELLS
    from sketchrnn_cli.sketches.corpus import Corpus

    corpus = Corpus.open(packed)
    for precision in training.precisions():
        seconds = _steps(corpus, precision)
        for cell in CELLS:
            yield Row(
                f"training, {cell} decoder and encoder, {precision}",
                f"{1000 * seconds[cell]:.0f} ms a step",
                f"{seconds[cell] / seconds['lstm']:.2f} times lstm",
            )
    for n in (1, MANY):
        each = {cell: sampling.step_seconds(n, cell) for cell in CELLS}
        for cell, took in each.items():
            yield Row(
                f"drawing {n} at once, {cell} decoder",
                f"{1000 * took:.3f} ms a step",
                f"{took / each['lstm']:.2f} times lstm",
            )


def _steps(corpus, precision):
    """Seconds of a step of each cell, the same batches in turn: the best rounds."""
    from contextlib import ExitStack

    from sketchrnn_cli.model.config import CELLS

    best = dict.fromkeys(CELLS, float("inf"))
    with ExitStack() as stack:
        trainers = {
            cell: training.trainer(
                corpus,
                stack.enter_context(tempfile.TemporaryDirectory()),
                BATCH,
                precision,
                cell=cell,
                encoder_cell=cell,
            )
            for cell in CELLS
        }
        for _ in range(ROUNDS):
            for cell, trainer in trainers.items():
                trainer.progress.step = 0  # the same drawings every time
                trainer.take_step()
                started = time.perf_counter()
                for _ in range(STEPS):
                    trainer.take_step()
                best[cell] = min(best[cell], (time.perf_counter() - started) / STEPS)
    return best
