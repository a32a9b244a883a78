"""A training step on a device: nothing waits for it."""

import dataclasses

import pytest
import synthetic
import torch
from packed_batches import CPU, SMALL
from torch.utils._python_dispatch import TorchDispatchMode

from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.training import loop
from sketchrnn_cli.training.config import TrainingConfig


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawings") / "drawings.npz"
    synthetic.pack(synthetic.generate(12, seed=1), path, split=(50, 50, 0))
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


@pytest.mark.slow
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
        assert watch.copies == 3 + encoder  # the batch, keys of its noise, rows of every recurrence
