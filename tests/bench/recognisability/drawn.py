"""The drawings that are judged: real ones, the model's reconstructions of them, and its samples.

Letters: N drawings.
"""

from __future__ import annotations

from typing import NamedTuple

import ink as inks
import numpy as np
from judges import N_STORED

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.engine import to_model
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.sketches.sketch import Sketch

REBUILT = 0.2  # temperature of reconstructions


class Drawn(NamedTuple):
    """Drawings of one kind."""

    name: str
    ink: inks.Ink  # N_STORED points of each
    word_ids: np.ndarray  # (N,), into the words of the set
    finished: np.ndarray | None = None  # (N,) bool, ended before the point limit; None: real ones
    temperature: float | None = None  # of samples

    def of_word(self, word_id, n_points, at_most=None):
        """Points of the first drawings of a word, (n, n_points, 2)."""
        chosen = np.flatnonzero(self.word_ids == word_id)[:at_most]
        return inks.thinned(self.ink.of(chosen), n_points).points


def known(corpus, network):
    """Numbers of the words of the set that the model knows, too.

    Raises:
        BadConfig: none of them.
    """
    there = [k for k, word in enumerate(corpus.words) if word in network.checkpoint.words]
    if not there:
        raise BadConfig(f"{corpus.path}: the model knows none of its {len(corpus.words)} words")
    return np.array(there)


def real(corpus, split, word_ids):
    """Drawings of a split, of these words.

    Raises:
        BadConfig: there are none.
    """
    chosen = corpus.indices(split)
    chosen = chosen[np.isin(corpus.word_ids[chosen], word_ids)]
    if not len(chosen):
        raise BadConfig(f"{corpus.path}: no drawings to judge by in its {split} split")
    ink = inks.of_corpus(corpus, chosen, N_STORED)
    return Drawn(f"real ({split})", ink, corpus.word_ids[chosen].astype(np.int64))


def rebuilt(corpus, network, word_ids, *, seed):
    """Reconstructions of the test drawings: z is the mean of what the encoder makes of them."""
    chosen = corpus.indices("test")
    chosen = chosen[np.isin(corpus.word_ids[chosen], word_ids)]
    scale = network.checkpoint.scale_factor
    mu, _ = network.encode([to_model(corpus.moves_of(i), scale) for i in chosen])
    settings = Settings(temperature=REBUILT, seed=seed)
    words = [corpus.words[k] for k in corpus.word_ids[chosen]]
    sketches = request.draw(network, request.Request(n=len(chosen), z=mu, words=words), settings)
    return _drawn("rebuilt", sketches, corpus.word_ids[chosen].astype(np.int64))


def samples(corpus, network, word_ids, n, settings):
    """n samples of each of these words."""
    asked = np.repeat(word_ids, n)
    words = [corpus.words[k] for k in asked]
    sketches = request.draw(network, request.Request(n=len(asked), words=words), settings)
    return _drawn(f"{settings.temperature:g}", sketches, asked, settings.temperature)


def sheet(corpus, network, word_ids, n, *, seed):
    """A PNG of n samples of each word at the default temperature, a row a word."""
    from sketchrnn_cli.drawing import raster
    from sketchrnn_cli.drawing.style import Style

    words = [corpus.words[k] for k in np.repeat(word_ids, n)]
    settings = Settings(seed=seed)
    sketches = request.draw(network, request.Request(n=len(words), words=words), settings)
    captioned = (Sketch(s.strokes, word) for s, word in zip(sketches, words, strict=True))
    return raster.to_png(captioned, Style(columns=n, size=120))


def _drawn(name, sketches, word_ids, temperature=None):
    kept = list(sketches)
    finished = np.array([bool(sketch.extras["finished"]) for sketch in kept])
    return Drawn(name, inks.of_sketches(kept, N_STORED), word_ids, finished, temperature)
