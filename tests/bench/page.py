"""Speed of the drawing page in headless Chromium, with the built-in model.

    python tests/bench/page.py

Prints how many steps the network takes in a frame of a screen (1/60 s), and how long a person waits
for six suggestions. Nothing is judged. Needs Chromium and `playwright`.
"""

from __future__ import annotations

import shutil
import statistics
import time

from measuring import Row

from sketchrnn_cli import pretrained
from sketchrnn_cli.drawing.page import encoded, listed, source
from sketchrnn_cli.inference import engine
from sketchrnn_cli.inference.page_model import page_model
from sketchrnn_cli.model import checkpoint

FRAME = 1000 / 60  # ms
STEPS = 400
MEASURE = """([model, weights, n, steps]) => {
  globalThis.decoder ??= new Decoder(model, unpack(model, weights));
  const shares = new Float64Array(model.n_words + 1);
  shares[3] = 1;
  const constant = decoder.constant(new Float64Array(model.latent_size), shares);
  const states = Array.from({ length: n }, () => decoder.start(constant));
  const chance = new Random(1), heat = { temperature: 0.4, penTemperature: 0.7 };
  const draw = (raws) => raws.map((raw) => choose(raw, model.n_mixtures, chance, heat, true));
  let moves = states.map(() => null);
  for (let t = 0; t < 50; t++) moves = draw(decoder.step(states, moves));
  const from = performance.now();
  for (let t = 0; t < steps; t++) moves = draw(decoder.step(states, moves));
  return (performance.now() - from) / steps;
}"""
SUGGEST = """([n_points, word]) => {
  const move = (_, k) => [9 * Math.cos(k), 9 * Math.sin(k), 0];
  const prefix = Array.from({ length: n_points }, move);
  const heat = { temperature: 0.4, maxPoints: 250, oneStroke: false };
  const ask = { prefix, word, n: 6, seed: 1, ...heat };
  const recogniser = new Recogniser(decoder.arrays), from = performance.now();
  let first = 0;
  for (const message of suggest(decoder, ask, recogniser))
    if (!first && message && message.moves) first = performance.now() - from;
  return [first, performance.now() - from];
}"""


def engine_step(model):
    """Milliseconds of a step of one sketch in the numpy engine."""
    import numpy as np

    decoding = engine.Engine(model).memory(1)
    constant = np.zeros((1, model.config.constant_size), np.float32)
    decoding.start(np.arange(1), constant)
    move = np.array([[0, 0, 1, 0, 0]], np.float32)
    for _ in range(50):
        decoding.step(move)
    begun = time.perf_counter()
    for _ in range(STEPS):
        decoding.step(move)
    return (time.perf_counter() - begun) / STEPS * 1000


def rows():
    from playwright.sync_api import sync_playwright

    model = checkpoint.load(pretrained.FILE)
    facts, arrays = page_model(model, name="it")
    facts, weights = {**facts, "arrays": listed(arrays)}, encoded(arrays)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.add_script_tag(content=source("NETWORK"))
        numpy_ms = statistics.median(engine_step(model) for _ in range(5))
        for n in (1, 4, 6):
            each = [page.evaluate(MEASURE, [facts, weights, n, STEPS]) for _ in range(5)]
            ms = statistics.median(each)
            yield Row(
                f"a step of {n} sketches", f"{ms:.2f} ms, {FRAME / ms:.1f} steps a frame",
                f"{ms / n / numpy_ms:.1f} times numpy's step a sketch" if n == 1 else "",
            )  # fmt: skip
        for n_points, word in ((10, 3), (40, 3), (10, None), (40, None), (200, None)):
            found = [page.evaluate(SUGGEST, [n_points, word]) for _ in range(3)]
            first, last = (statistics.median(times) for times in zip(*found, strict=True))
            yield Row(
                f"six after {n_points} points, {'any word' if word is None else 'one word'}",
                f"first move after {first / 1000:.2f} s, all after {last / 1000:.2f} s", "",
            )  # fmt: skip
        browser.close()


if __name__ == "__main__":
    for row in rows():
        print(f"{row.what:40}  {row.figure:50}  {row.ratio}", flush=True)
