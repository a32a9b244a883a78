"""Drawing and encoding with the numpy engine, beside its own product and a peer.

python tests/bench/sampling.py one      # one sketch, in a program of its own
python tests/bench/sampling.py few      # nine drawings of the built-in model
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time

import numpy as np
from ceilings import Ceilings
from measuring import Row, median_seconds, run

MEAN = 45  # points of a sketch
STEPS = 200


def network(preset="base", mean=None, **sizes):
    """Random weights of these sizes; sketches of this mean length, or ones that never end."""
    from sketchrnn_cli.model.checkpoint import Checkpoint, shapes
    from sketchrnn_cli.model.config import PRESETS, ModelConfig

    config = ModelConfig(**PRESETS[preset], **sizes)
    rng = np.random.default_rng(0)
    weights = {
        name: (0.03 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes(config).items()
    }
    weights["decoder.out_w"][:, :3] = 0  # the pen depends on chance alone
    tau = 0.5 + 0.5 * 0.4  # what the logits are divided by
    ends = -30.0 if mean is None else tau * math.log(2 / (mean - 1))  # of three states
    weights["decoder.out_b"][:3] = 0, 0, ends
    return Checkpoint(config=config, weights=weights, scale_factor=30.0, words=("cat",))


def draw(engine, n, max_points=250):
    from sketchrnn_cli.inference import request
    from sketchrnn_cli.inference.settings import Settings

    return list(
        request.draw(engine, request.unconditional(n), Settings(seed=1, max_points=max_points))
    )


def step_seconds(n, cell):
    """Seconds of a step of n sketches that never end, drawn by a cell of the base size."""
    from sketchrnn_cli.inference.engine import Engine

    engine = Engine(network(cell=cell, encoder=False))
    draw(engine, n, 20)
    return median_seconds(lambda: draw(engine, n, STEPS), 5) / STEPS


def few():
    """Seconds of processor time of nine drawings of the built-in model, by word; and their mean."""
    from sketchrnn_cli import pretrained
    from sketchrnn_cli.inference import request
    from sketchrnn_cli.inference.engine import Engine
    from sketchrnn_cli.model.load import open_model

    checkpoint = open_model(pretrained.FILE)
    found = {}
    for word in ("cat", "cat", *checkpoint.words[::15]):  # the first one warms up
        begun = time.process_time()
        prompt = request.parse(checkpoint, word, "", strict=True)
        asked = request.from_prompt(checkpoint, prompt, count=9)
        list(request.draw(Engine(checkpoint), asked))
        found[word] = time.process_time() - begun
    return found


def one():
    """Milliseconds a step of one sketch, and of nothing but the product h W."""
    from sketchrnn_cli.inference.engine import Engine

    checkpoint = network()
    engine = Engine(checkpoint)
    draw(engine, 1, STEPS)
    seconds = median_seconds(lambda: draw(engine, 1, STEPS), 15)
    h = np.random.default_rng(0).random((1, 512), np.float32)
    w = checkpoint.weights["decoder.cell.w_h"]

    def products():
        for _ in range(STEPS):
            h @ w

    return {
        "milliseconds": 1e3 * seconds / STEPS,
        "product": 1e3 * median_seconds(products) / STEPS,
    }


def rows():
    import peer

    from sketchrnn_cli.inference.engine import Engine, to_model
    from sketchrnn_cli.sketches.sketch import to_stroke3

    found = (
        json.loads(run(sys.executable, peer.__file__, "sampling").output)
        if not peer.missing()
        else {}
    )
    for threads, note in ((1, "one thread, as the command does"), (2, "two threads")):
        each = json.loads(run(sys.executable, __file__, "one", OPENBLAS_NUM_THREADS=threads).output)
        ratio = f"{each['milliseconds'] / each['product']:.1f} times h W"
        if found:
            ratio += f", {each['milliseconds'] / found['milliseconds']:.2f} of the peer"
        yield Row(f"one sketch, {note}", f"{each['milliseconds']:.3f} ms a step", ratio)
    if found:
        yield Row("peer, labml-nn, one sketch", f"{found['milliseconds']:.3f} ms a step")
    else:
        yield Row("peer, labml-nn", "not measured", peer.missing())

    seconds = json.loads(run(sys.executable, __file__, "few", OPENBLAS_NUM_THREADS=1).output)
    mean = statistics.mean(seconds.values())
    what = f"9 drawings, 4 candidates each, mean of {len(seconds)} words of the built-in model"
    each = f"cat {seconds['cat']:.2f} s, slowest {max(seconds.values()):.2f} s"
    yield Row(what, f"{mean:.2f} s of processor time", each)

    ceilings = Ceilings("numpy")
    fixed, ending = Engine(network()), Engine(network(mean=MEAN))
    sketches = draw(ending, 1000)
    for what, engine, limit in (
        (f"1,000 sketches, all of {MEAN} points", fixed, MEAN),
        ("1,000 sketches that end by chance", ending, 250),
    ):
        seconds = median_seconds(lambda: draw(engine, 1000, limit), 3)  # noqa: B023
        ceilings.measure()
        mean = MEAN if engine is fixed else np.mean([s.n_points for s in sketches])
        flop = 1000 * (mean + 1) * 2 * 512 * (2048 + 123)
        yield Row(
            f"{what}, mean {mean:.1f}",
            f"{1000 / seconds:,.0f} sketches/s",
            f"{flop / seconds / 1e9 / ceilings['numpy']:.0%} of numpy's product "
            f"({ceilings['numpy']:.0f} GFLOP/s)",
        )
    moves = [to_model(to_stroke3(sketch), 30.0) for sketch in sketches if sketch.n_points]
    points = np.mean([len(m) for m in moves])
    seconds = median_seconds(lambda: fixed.encode(moves), 3)
    ceilings.measure()
    flop = len(moves) * points * 2 * 2 * 256 * 1024
    yield Row(
        f"encode, {len(moves):,} drawings of {points:.1f} points",
        f"{len(moves) / seconds:,.0f} drawings/s",
        f"{flop / seconds / 1e9 / ceilings['numpy']:.0%} of numpy's product",
    )


if __name__ == "__main__":
    print(json.dumps(few() if sys.argv[1:] == ["few"] else one()))
