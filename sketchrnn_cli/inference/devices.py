"""Which engine computes: numpy on the CPU, torch on a device."""

from __future__ import annotations

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.engine import Engine, Network
from sketchrnn_cli.model.checkpoint import Checkpoint

DEVICES = ("auto", "cpu", "cuda", "mps")


def check(device: str) -> None:
    """Refuse a device that nobody knows, before any work.

    Raises:
        BadConfig: the name.
    """
    if device not in DEVICES:
        raise BadConfig(f"--device {device}: known are {', '.join(DEVICES)}")


def open_engine(checkpoint: Checkpoint, device: str = "auto") -> Network:
    """The network in use.

    ``auto`` is the CPU: a few drawings are done there before torch is even imported. Thousands
    go faster on a GPU that is asked for.

    Raises:
        BadConfig: an unknown device, or one that this machine has not.
    """
    check(device)
    if device in ("auto", "cpu"):
        return Engine(checkpoint)
    from sketchrnn_cli.inference.torch_engine import TorchEngine  # torch loads here

    return TorchEngine(checkpoint, device)
