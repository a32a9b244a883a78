"""Which engine computes: numpy on the CPU, torch on a device."""

from __future__ import annotations

from sketchrnn_cli.inference.engine import Engine, Network
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.device import check, choose

__all__ = ["check", "open_engine"]


def open_engine(checkpoint: Checkpoint, device: str = "auto") -> Network:
    """The network in use, on a device as ``train`` chooses it.

    Raises:
        BadConfig: an unknown device, or one that this machine does not have.
    """
    chosen = choose(device)
    if chosen == "cpu":
        return Engine(checkpoint)
    from sketchrnn_cli.inference.torch_engine import TorchEngine  # torch loads here

    return TorchEngine(checkpoint, chosen)
