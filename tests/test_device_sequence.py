"""What a GPU runs, on the CPU: the same numbers, and nothing that waits for the device."""

import dataclasses
import logging

import numpy as np
import pytest
import synthetic
import torch
from test_model import CPU, SMALL, packed, random_layers, random_sketches
from torch.utils._python_dispatch import TorchDispatchMode

from sketchrnn_cli.model import device_sequence, recurrent
from sketchrnn_cli.model.device_sequence import Constant, Layer
from sketchrnn_cli.model.lstm_sequence import LSTMSequence
from sketchrnn_cli.model.packing import Packing, Workspace
from sketchrnn_cli.model.sketch_rnn import SketchRNN
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.training import batches, loop, noise
from sketchrnn_cli.training.batches import share
from sketchrnn_cli.training.config import TrainingConfig

# the sequence


def gradients(results, parameters):
    """Of a sum in which every number of the results has a weight of its own."""
    torch.manual_seed(9)
    return torch.autograd.grad(
        sum((r * torch.randn(r.shape, dtype=r.dtype)).sum() for r in results), parameters
    )


def mask_of(groups, n_rows, dropped):
    return torch.rand(groups * n_rows, 3) < 0.7 if dropped else None


def close(ours, theirs, tolerance=1e-12):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("lengths", [[5, 4, 4, 2, 1], [3, 3], [4]])
def test_a_layer_with_a_state_and_a_constant_is_that_of_the_cpu(dropped, lengths):
    torch.manual_seed(0)
    packing, n, n_rows = Packing.of_lengths(lengths), len(lengths), sum(lengths)
    mask = mask_of(1, n_rows, dropped)
    z, w, h0, c0 = (torch.randn(s, dtype=torch.float64) for s in ((n, 2), (2, 12), (n, 3), (n, 3)))
    x, *weights = random_layers(1, n_rows, 3)
    parameters = [p.requires_grad_() for p in (z, w, h0, c0, *weights)]
    head = packing, Workspace(), torch.float64, True, mask, 0.8
    theirs = LSTMSequence.apply(*head, z @ w, h0, c0, x, *weights)
    wanted = gradients(theirs, parameters)
    rows, last = device_sequence.run(
        [Layer(x, *weights)],
        packing,
        compute=torch.float64,
        constant=Constant(z, w),
        h0=h0,
        c0=c0,
        mask=mask,
        keep=0.8,
    )
    close((rows[0], last), theirs)
    close(gradients((rows[0], last), parameters), wanted)


@pytest.mark.parametrize("dropped", [False, True])
def test_layers_side_by_side_are_those_of_the_cpu(dropped):
    torch.manual_seed(1)
    packing = Packing.of_lengths([5, 3, 3, 1])
    mask = mask_of(2, 12, dropped)
    layers = random_layers(2, 12, 3)
    parameters = [p.requires_grad_() for k, p in enumerate(layers) if k % 4]
    head = packing, Workspace(), torch.float64, False, mask, 0.7
    _, theirs = LSTMSequence.apply(*head, None, None, None, *layers)
    wanted = gradients([theirs], parameters)
    _, ours = device_sequence.run(
        [Layer(*layers[:4]), Layer(*layers[4:])],
        packing,
        compute=torch.float64,
        constant=None,
        h0=None,
        c0=None,
        mask=mask,
        keep=0.7,
    )
    close([ours], [theirs])
    close(gradients([ours], parameters), wanted)


@pytest.mark.parametrize("encoder", [False, True])
@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_the_network_trains_alike_in_the_way_of_a_gpu(monkeypatch, encoder, compute):
    config = dataclasses.replace(SMALL, encoder=encoder, dropout=0.25)
    batch = packed(random_sketches(np.random.default_rng(4)))
    drawn = noise.draw(batch, config, seed=5, dropout=True, device=CPU)
    network = SketchRNN(config)

    def trained():
        losses = network(batch, drawn, compute=compute)
        total = losses.reconstruction + losses.kl.sum()
        return [total, *torch.autograd.grad(total, list(network.parameters()))]

    theirs = trained()
    monkeypatch.setattr(recurrent, "BY_HAND", ())
    ours = trained()
    tolerance = 1e-4 if compute is torch.float32 else 0.02
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).norm() <= tolerance * b.norm()


def test_what_is_compiled_is_compiled_for_any_number_of_rows(monkeypatch):
    """A compiler that only counts: for a step, the first, a single row, and those without h."""
    torch._dynamo.reset()
    count = 0

    def counting(graph, inputs):
        nonlocal count
        count += 1
        return graph.forward

    kernels = device_sequence._compiled(CPU, torch.float32, counting)
    assert kernels is not None
    assert count == 2
    monkeypatch.setattr(device_sequence, "_kernels", lambda *device: kernels)
    for seed, n_hidden in enumerate((3, 8, 5)):
        rng = np.random.default_rng(seed)
        config = dataclasses.replace(SMALL, encoder_size=n_hidden, decoder_size=2 * n_hidden + 1)
        batch = packed(random_sketches(rng, lengths=rng.integers(1, 12, 7)))
        drawn = noise.draw(batch, config, seed=5, dropout=True, device=CPU)
        network = SketchRNN(config)
        monkeypatch.setattr(recurrent, "BY_HAND", ("cpu",))
        theirs = network(batch, drawn)
        monkeypatch.setattr(recurrent, "BY_HAND", ())
        ours = network(batch, drawn)
        close(ours, theirs, 1e-3)
        (ours.reconstruction + ours.kl.sum()).backward()
    assert count <= 9


def test_what_cannot_be_compiled_runs_as_it_stands(caplog):
    torch._dynamo.reset()

    def broken(graph, inputs):
        raise RuntimeError("no compiler here")

    caplog.set_level(logging.CRITICAL, logger="torch._dynamo")
    assert device_sequence._compiled(CPU, torch.float32, broken) is None
    assert device_sequence._kernels("cpu", torch.float32) is device_sequence.EAGER


# noise


def noise_of(batch, seed=3, keep=0.75, config=SMALL):
    return noise._draw_on_device(batch, config, seed, (keep, 1.0, 1.0), CPU, torch.float32)


def test_the_hash_is_the_published_one():
    def lowbias32(x):
        x ^= x >> 16
        x = x * 0x7FEB352D % 2**32
        x ^= x >> 15
        x = x * 0x846CA68B % 2**32
        return x ^ x >> 16

    values = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    ours = noise.mixed(torch.from_numpy(values.view(np.int32))).numpy().view(np.uint32)
    assert ours.tolist() == [lowbias32(int(value)) for value in values]


def test_noise_on_a_device_has_its_share_and_its_shape():
    config = dataclasses.replace(SMALL, decoder_size=401, encoder_size=300, latent_size=500)
    batch = packed(random_sketches(np.random.default_rng(1), lengths=(20,) * 40))
    noise = noise_of(batch, config=config)
    assert (noise.decoder.shape, noise.encoder.shape) == ((840, 401), (1600, 300))
    for mask in (noise.decoder, noise.encoder):
        assert mask.dtype is torch.bool
        assert mask.is_contiguous()
        kept = mask.double()
        assert kept.mean().item() == pytest.approx(0.75, abs=0.003)
        for dim in (0, 1):  # no row and no column stands out
            expected = (0.75 * 0.25 / mask.shape[dim]) ** 0.5
            assert kept.mean(dim).std().item() == pytest.approx(expected, rel=0.25)
        for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])):  # nor do neighbours
            assert ((a - 0.75) * (b - 0.75)).mean().item() == pytest.approx(0, abs=0.002)
    assert noise.latent.mean().item() == pytest.approx(0, abs=0.03)
    assert noise.latent.std().item() == pytest.approx(1, abs=0.02)
    assert noise.latent.pow(4).mean().item() == pytest.approx(3, abs=0.2)
    ahead, back = noise.encoder.view(20, 2, 40, 300).unbind(1)
    assert (ahead != back).double().mean().item() == pytest.approx(2 * 0.75 * 0.25, abs=0.01)


def test_noise_on_a_device_goes_by_the_seed():
    batch = packed(random_sketches(np.random.default_rng(1)))
    for seeds, same in (((3, 3), True), ((3, 4), False), ((3, 3 + 2**40), False)):
        first, second = (noise_of(batch, seed) for seed in seeds)
        for a, b in zip(dataclasses.astuple(first)[:3], dataclasses.astuple(second), strict=False):
            assert torch.equal(a, b) == same


def test_without_dropout_there_is_latent_noise_alone():
    noise = noise_of(packed(random_sketches(np.random.default_rng(1))), keep=1.0)
    assert noise.decoder is None
    assert noise.encoder is None
    assert noise.latent is not None
    alone = noise_of(packed(random_sketches(np.random.default_rng(1))), config=DECODER_ONLY)
    assert alone.latent is None
    assert alone.encoder is None
    assert alone.decoder is not None


DECODER_ONLY = dataclasses.replace(SMALL, encoder=False)


def by_sketch(batch, noise):
    """Latent noise and masks of every sketch, under its number."""
    n, moves = batch.n_sketches, batch.moves_packing
    pairs = list(zip(moves.starts, moves.batch_sizes, strict=False))
    return {
        number: (
            noise.latent[rank],
            noise.decoder[[start + rank for start in batch.packing.starts[: length + 1]]],
            noise.encoder[[2 * start + rank for start, _ in pairs[:length]]],
            noise.encoder[[2 * start + alive + rank for start, alive in pairs[:length]]],
        )
        for rank, (number, length) in enumerate(zip(batch.numbers, batch.lengths, strict=True))
        if rank < n
    }


def test_noise_on_a_device_does_not_depend_on_the_dealing():
    rng = np.random.default_rng(7)
    sketches = random_sketches(rng, lengths=rng.integers(1, 12, 9))
    flat = np.concatenate(sketches)
    lengths = np.array([len(s) for s in sketches])
    words = np.arange(9) % 2
    whole = batches.FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, np.arange(9), words)
    batch = batches.pack(whole, device=CPU)
    wanted = by_sketch(batch, noise_of(batch))
    found = {}
    for rank in range(2):
        part = batches.pack(share(whole, rank, 2), device=CPU)
        found |= by_sketch(part, noise_of(part))
    assert found.keys() == wanted.keys()
    for number, parts in wanted.items():
        for a, b in zip(parts, found[number], strict=True):
            assert torch.equal(a, b)


# no waiting


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawings") / "drawings.npz"
    building.build_sketches(synthetic.generate(12, seed=1), path, split=(50, 50, 0))
    return corpora.Corpus.open(path)


class Watch(TorchDispatchMode):
    """Refuses what waits for the device, and counts the copies to it."""

    def __init__(self, device):
        super().__init__()
        self.device, self.copies, self.calls = device, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        given = [a for a in torch.utils._pytree.tree_leaves((args, kwargs or {}))]
        there = [a for a in given if isinstance(a, torch.Tensor)]
        on_device = any(a.device.type == self.device.type for a in there)
        waits = ("_local_scalar_dense", "item", "nonzero", "masked_select", "equal", "is_nonzero")
        if on_device and name in (*waits, "unique", "_unique2"):
            raise AssertionError(f"{name} waits for the device")
        indices = [a for a in there[1:] if a.dtype in (torch.bool, torch.uint8)]
        if on_device and name.startswith("index") and indices:
            raise AssertionError("picking by a mask waits for the device")
        result = func(*args, **(kwargs or {}))
        results = torch.utils._pytree.tree_leaves(result)
        out = {a.device.type for a in results if isinstance(a, torch.Tensor)}
        self.calls += on_device
        if on_device and "cpu" in out:
            raise AssertionError(f"{name} fetches from the device")
        from_host = any(a.device.type == "cpu" and a.dim() for a in there)
        if self.device.type in out and from_host:
            non_blocking = (kwargs or {}).get("non_blocking") or name == "lstm"
            assert non_blocking, f"{name} copies to the device and waits"
            self.copies += 1
        return result


META = torch.device("meta")


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.tolist(),
        lambda x: x.to("cpu"),
        lambda x: x + torch.tensor([1.0, 2.0]).to(META),
    ],
)
def test_the_watch_sees_what_waits(waiting):
    with Watch(META), pytest.raises((AssertionError, NotImplementedError, RuntimeError)):
        waiting(torch.ones(2, device=META))


@pytest.mark.parametrize("encoder", [False, True])
def test_a_step_never_waits_for_the_device(tmp_path, small_corpus, encoder):
    """On torch's device without numbers, where asking for one is an error."""
    model = dataclasses.replace(SMALL, encoder=encoder, dropout=0.25)
    trainer = loop.Trainer(
        tmp_path, small_corpus, model, TrainingConfig(batch_size=6, steps=9), device=CPU
    )
    trainer.device = META
    trainer.network.to(META)
    trainer.average = [p.detach().clone() for p in trainer.network.parameters()]
    trainer.optimizer = torch.optim.SGD(trainer.network.parameters())  # Adam is not fused there
    for _ in range(2):
        with Watch(META) as watch:
            losses = trainer.take_step()
        assert losses.device.type == "meta"
        assert watch.calls > 100
        assert watch.copies == 2 + encoder  # the batch, keys of its noise, whose z a row hears
