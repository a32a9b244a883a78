"""On which device a model is trained and used: one rule. ``auto`` is cuda, then cpu.

Torch loads only where another device than the CPU may be meant: importing it takes seconds.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from sketchrnn_cli.errors import BadConfig

DEVICES = ("auto", "cpu", "cuda", "mps")


def check(name: str) -> None:
    """Refuse an unknown name, before any work.

    Raises:
        BadConfig: the name.
    """
    if name not in DEVICES:
        raise BadConfig(f"--device {name}: known are {', '.join(DEVICES)}")


def choose(name: str) -> str:
    """Name of the device to compute on: cpu, cuda or mps.

    Raises:
        BadConfig: an unknown name, or one that this machine does not have.
    """
    check(name)
    if name == "cpu" or (name == "auto" and not has_gpu()):
        return "cpu"
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    available["mps"] = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if available["cuda"] else "cpu"
    if not available[name]:
        found = ", ".join(device for device, here in available.items() if here)
        raise BadConfig(f"--device {name}: not on this machine, which has: {found}")
    return name


def has_gpu() -> bool:
    """Whether a driver finds a GPU that torch may call cuda; takes milliseconds."""
    if Path("/dev/kfd").exists():  # of AMD
        return True
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    n = ctypes.c_int()
    found: bool = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(n)) == 0
    return found and n.value > 0
