"""How well a model foresees the rest of a drawing from its beginning.

    python tests/bench/partial.py PACKED.npz [--model RUN] [--drawings 200] [--share 0.4]

Takes drawings of the test split, shows the model the first part of each, and prints the exact nats
a point of what follows (more is better), by where the latent comes from. Nothing is judged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from sketchrnn_cli import pretrained
from sketchrnn_cli.inference import mixture
from sketchrnn_cli.inference.conditioning import TEMPERING, Conditioning, condition, label_rows
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.corpus import Corpus


def nats(engine, moves, z, labels):
    """Of every prediction, (K, P + 1)."""
    told = None if labels is None else np.repeat(labels[None], len(z), axis=0)
    outputs = engine.forward(
        [moves] * len(z), condition(engine.checkpoint, len(z), z=z, labels=told)
    )
    targets = np.concatenate([moves[:, :2], [[0, 0]]])
    pens = np.append((moves[:, 2] >= 1).astype(int), mixture.END)
    return np.stack([mixture.log_likelihood(o.astype(float), targets, pens) for o in outputs])


def mean_of(log_weight, each):
    """Log of the mean of exp(each), by weight."""
    return np.logaddexp.reduce(log_weight + each) - np.logaddexp.reduce(log_weight)


def ways(engine, moves, cut, labels, rng):
    """Nats of the rest after ``cut`` moves, by where the latent comes from."""
    scaled = to_model(moves, engine.checkpoint.scale_factor)
    mu, _ = engine.encode([scaled])
    yield (
        "the whole drawing, encoded (what nobody has)",
        nats(engine, scaled, mu, labels)[0, cut:].sum(),
    )
    mu, sigma = engine.encode([scaled[:cut]])
    z = mu + sigma * rng.standard_normal((32, mu.shape[1])).astype(np.float32)
    each = nats(engine, scaled, z, labels)[:, cut:].sum(1)
    yield "the beginning, encoded", mean_of(np.zeros(len(z)), each)
    plan = Conditioning(
        network=engine,
        settings=Settings(),
        prefixes=[moves[:cut]],
        labels=None if labels is None else labels[None],
    )
    guesses = plan.posterior(moves[:cut], labels)
    each = nats(engine, scaled, guesses.z, labels)[:, cut:].sum(1)
    for n in (8, 32, len(guesses.z)):
        for trust in (0, TEMPERING, 1):
            name = f"{n} candidates, by {trust:g} of the nats of the beginning"
            yield name, mean_of(trust * guesses.nats[:n], each[:n])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("--model", default=pretrained.FILE)
    parser.add_argument("--drawings", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.4)
    options = parser.parse_args()
    engine = Engine(checkpoint.load(options.model))
    corpus = Corpus.open(options.packed)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(corpus.indices("test"))
    results, n_points = {}, 0
    for index in chosen:
        moves, word = corpus.moves_of(int(index)), corpus.word_of(int(index))
        cut = int(len(moves) * options.share)
        if len(moves) < 8 or word not in engine.checkpoint.words:
            continue
        rows = label_rows(engine.checkpoint, [word])
        n_points += len(moves) - cut
        for way, total in ways(engine, moves, cut, None if rows is None else rows[0], rng):
            results.setdefault(way, []).append(total)
        if len(results[way]) == options.drawings:
            break
    print(f"{len(results[way])} drawings, {options.share:.0%} of each given")
    for way, totals in results.items():
        print(f"  {way:50} {sum(totals) / n_points:7.3f} nats per point")


if __name__ == "__main__":
    main()
