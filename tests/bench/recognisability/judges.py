"""Two judges that say which word a drawing shows: one reads the pen's way, one sees the picture.

Both are trained on the training split alone. They share neither input nor architecture, so that
a figure both give does not hang on one of them. Letters: N drawings, K points, W words.
"""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise

import ink as inks
import numpy as np
import torch
from torch import nn

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.ink import picture, way

N_STORED = 256  # points along the ink that are kept of a drawing
SIDE = 28  # of the picture, pixels
BATCH = 192
RATE = 4e-3  # highest of the run
EPOCHS = {"strokes": 13, "picture": 8}
NAMES = tuple(EPOCHS)
TOGETHER = "together"


class Residual(nn.Module):
    """Two convolutions around which the input goes, too; half as many places come out."""

    def __init__(self, n_in, n_out, kernel, stride):
        super().__init__()
        edge = tuple(size // 2 for size in kernel)
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, kernel, stride, edge, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, kernel, 1, edge, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.across = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.across(x) + self.body(x))


class Judge(nn.Module):
    """Convolutions over a drawing, means and maxima of what they find, and a word."""

    def __init__(self, name, n_words):
        super().__init__()
        self.name = name
        if name == "strokes":  # a row of points
            sizes, kernel, stride = (64, 96, 160, 256), (1, 3), (1, 2)
            first = nn.Conv2d(8, sizes[0], (1, 7), stride, (0, 3), bias=False)
        else:
            sizes, kernel, stride = (16, 32, 64, 128), (3, 3), (2, 2)
            first = nn.Conv2d(1, sizes[0], kernel, 1, (1, 1), bias=False)
        layers = [first, nn.BatchNorm2d(sizes[0]), nn.ReLU()]
        layers += [Residual(*pair, kernel, stride) for pair in pairwise(sizes)]
        self.body = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.word = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * sizes[-1], n_words))

    @property
    def n_points(self):
        return 96 if self.name == "strokes" else 192

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        found = self.body(x).flatten(2)  # (N, C, places)
        return self.word(torch.cat([found.mean(2), found.amax(2)], 1))

    def read(self, ink):
        """What this judge looks at, of drawings that have its number of points."""
        if self.name == "strokes":
            return torch.from_numpy(way(ink).transpose(0, 2, 1)[:, :, None])  # (N, 8, 1, K)
        return torch.from_numpy(picture(ink.points, SIDE)[:, None])


def balanced(word_ids, n_words, rng):
    """An epoch: every word as often as any other, in random order."""
    n_each = -(-len(word_ids) // n_words)
    parts = []
    for word in range(n_words):
        members = np.flatnonzero(word_ids == word)
        if len(members):
            parts.append(np.resize(rng.permutation(members), n_each))
    return rng.permutation(np.concatenate(parts))


def train(name, ink, word_ids, n_words, *, epochs, seed, batch_size=BATCH, report=None):
    """A judge taught these drawings; the same for the same arguments on one thread."""
    rng = np.random.default_rng([seed, NAMES.index(name)])
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        judge = Judge(name, n_words)
        optimiser = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.02)
        n_steps = epochs * math.ceil(len(balanced(word_ids, n_words, rng)) / batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, n_steps, pct_start=0.2)
        losses = nn.CrossEntropyLoss(label_smoothing=0.1)
        for epoch in range(epochs):
            started, total = time.perf_counter(), 0.0
            order = balanced(word_ids, n_words, rng)
            for first in range(0, len(order), batch_size):
                chosen = order[first : first + batch_size]
                given = judge.read(inks.distorted(ink.of(chosen), judge.n_points, rng))
                loss = losses(judge(given), torch.from_numpy(word_ids[chosen].astype(np.int64)))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                total += loss.item() * len(chosen)
            if report:
                report(name, epoch + 1, total / len(order), time.perf_counter() - started)
    return judge.eval()


def verdicts(judge, ink):
    """(N, W) probabilities of the words."""
    found = [np.zeros((0, judge.word[1].out_features), np.float32)]
    with torch.inference_mode():
        for first in range(0, len(ink.points), 1024):
            part = inks.thinned(ink.of(slice(first, first + 1024)), judge.n_points)
            found.append(judge(judge.read(part)).softmax(1).numpy())
    return np.concatenate(found)


def every_verdict(judging, ink):
    """(N, W) probabilities by judge, and of both together: their mean."""
    found = {name: verdicts(judge, ink) for name, judge in judging.items()}
    return found | {TOGETHER: np.mean(list(found.values()), axis=0)}


def taught(corpus, *, seed, epochs=EPOCHS, batch_size=BATCH, report=None):
    """Both judges, taught the training drawings of a set."""
    chosen = corpus.indices("train")
    ink = inks.of_corpus(corpus, chosen, N_STORED)
    return {
        name: train(
            name,
            ink,
            corpus.word_ids[chosen],
            len(corpus.words),
            epochs=epochs[name],
            seed=seed,
            batch_size=batch_size,
            report=report,
        )
        for name in NAMES
    }


def save(path, judges, corpus):
    """Plain arrays: NAME.WEIGHT, and ``about``, JSON as uint8."""
    about = {"words": corpus.words, "split_hash": corpus.split_hash("train")}
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for name, judge in judges.items():
        for key, value in judge.state_dict().items():
            arrays[f"{name}.{key}"] = value.numpy()
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def load(path, corpus):
    """Judges that were saved.

    Raises:
        BadFile: taught other words or other drawings, so that some may be of the test split.
    """
    with np.load(path) as arrays:
        about = json.loads(arrays["about"].tobytes())
        if about["words"] != list(corpus.words):
            raise BadFile(f"{path}: judges of other words than those of {corpus.path}")
        if about["split_hash"] != corpus.split_hash("train"):
            raise BadFile(f"{path}: judges taught on another training split; delete the file")
        judges = {}
        for name in NAMES:
            judge = Judge(name, len(corpus.words))
            weights = {key: torch.from_numpy(arrays[f"{name}.{key}"]) for key in judge.state_dict()}
            judge.load_state_dict(weights)
            judges[name] = judge.eval()
    return judges
