"""The peer: labml-nn's Sketch RNN, its own classes and its own training step.

    python tests/bench/peer.py PACKED
    python tests/bench/peer.py sampling

Prints one JSON object. The frame it usually runs in (labml) is not needed and is left out. Where
labml-nn is not installed, training is that of the same network in plain torch, see ``plain_peer``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import types
from importlib.machinery import ModuleSpec

import numpy as np

BATCH, WARM, STEPS = 100, 1, 5
MOST = 4000  # drawings: it holds all of them padded, in memory
INSTALL = "pip install --no-deps labml-nn"


def missing():
    """What to type to have it, or nothing."""
    if importlib.util.find_spec("labml_nn") is None:
        return INSTALL
    return ""


def load():
    """Its module, with empty things in place of the frame."""

    class Anything(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    names = (
        "labml", "labml.lab", "labml.experiment", "labml.tracker", "labml.monit",
        "labml_nn.helpers", "labml_nn.helpers.device", "labml_nn.helpers.optimizer",
        "labml_nn.helpers.trainer", "matplotlib", "matplotlib.pyplot",
    )  # fmt: skip
    before = {name: sys.modules.get(name) for name in names}
    for name in names:
        sys.modules[name] = Anything(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None)
    if importlib.util.find_spec("einops") is None:
        einops = Anything("einops")
        einops.rearrange = lambda hidden, pattern: hidden.transpose(0, 1).flatten(1)
        sys.modules["einops"] = einops  # the one use it makes of it: 'fb b h -> b (fb h)'
    from labml_nn import sketch_rnn

    for name, module in before.items():
        sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    return sketch_rnn


def stepper(packed):
    """A function that takes a training step on the next batch, the longest drawing, its name."""
    import plain_peer
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from sketchrnn_cli.sketches.corpus import Corpus

    torch.manual_seed(0)
    corpus = Corpus.open(packed)
    train = corpus.indices("train")
    lengths = corpus.offsets[train + 1] - corpus.offsets[train]
    some = np.random.default_rng(0).choice(len(train), min(MOST, len(train)), replace=False)
    some[0] = lengths.argmax()  # it pads to the longest of the set
    drawings = [corpus.moves_of(int(i)) for i in train[some]]
    if missing():
        data, mask = plain_peer.padded(drawings)
        loader = DataLoader(TensorDataset(data, mask), BATCH, shuffle=True, drop_last=True)
        step, longest, name = plain_peer.training_step(), data.shape[1] - 2, plain_peer.NAME
    else:
        peer = load()
        data = peer.StrokesDataset(drawings, 250)
        loader = DataLoader(data, BATCH, shuffle=True, drop_last=True)
        step, longest, name = training_step(peer), data.data.shape[1] - 2, "labml-nn"

    def batches():
        while True:
            yield from loader

    following = batches()
    return lambda: step(next(following)), longest, name


def training_step(peer):
    """Configs.step of labml-nn, without its prints."""
    import torch

    encoder, decoder = peer.EncoderRNN(128, 256), peer.DecoderRNN(128, 512, 20)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    reconstruction, divergence = peer.ReconstructionLoss(), peer.KLDivLoss()

    def step(batch):
        data, mask = (part.transpose(0, 1) for part in batch)
        z, mu, sigma_hat = encoder(data)
        z_stack = z.unsqueeze(0).expand(data.shape[0] - 1, -1, -1)
        distribution, pen, _ = decoder(torch.cat([data[:-1], z_stack], 2), z, None)
        loss = reconstruction(mask, data[1:], distribution, pen)
        loss = loss + 0.5 * divergence(sigma_hat, mu)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()

    return step


def train(packed):
    """Drawings per second of the best step: every batch costs the same."""
    step, longest, name = stepper(packed)
    seconds = []
    for _ in range(WARM + STEPS):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return {"rate": BATCH / min(seconds[WARM:]), "longest": longest, "name": name}


def sample(steps=100):
    """Milliseconds a step of drawing one sketch, its own way."""
    import torch

    peer = load()
    torch.manual_seed(0)
    decoder = peer.DecoderRNN(128, 512, 20)
    z, stroke = torch.randn(1, 128), torch.tensor([0.0, 0, 1, 0, 0])
    state = None
    with torch.no_grad():
        for k in range(steps + 10):
            if k == 10:
                started = time.perf_counter()
            data = torch.cat([stroke.view(1, 1, -1), z.unsqueeze(0)], 2)
            distribution, pen, state = decoder(data, z, state)
            stroke = peer.Sampler._sample_step(distribution, pen, 0.4)
    return {"milliseconds": 1e3 * (time.perf_counter() - started) / steps}


def main():
    print(json.dumps(sample() if sys.argv[1:] == ["sampling"] else train(sys.argv[1])))


if __name__ == "__main__":
    main()
