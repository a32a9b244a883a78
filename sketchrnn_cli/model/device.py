"""On which device a model is trained and used: one rule. ``auto`` is cuda, then cpu.

Torch loads only where another device than the CPU may be meant: importing it takes seconds.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from sketchrnn_cli.errors import BadConfig

DEVICES = ("auto", "cpu", "cuda", "mps")
DRIVERS = (
    "/proc/driver/nvidia/version",
    "/dev/dxg",  # of Windows, in its Linux
    "/dev/kfd",  # of AMD
    os.path.expandvars(r"%SystemRoot%\System32\nvcuda.dll"),
)


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
        BadConfig: an unknown name, or one that this machine does not have; PyTorch is missing.
    """
    check(name)
    if name == "cpu" or (name == "auto" and not (has_gpu() and has_torch())):
        return "cpu"
    need_torch(f"--device {name}")
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    available["mps"] = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if available["cuda"] else "cpu"
    if not available[name]:
        found = ", ".join(device for device, here in available.items() if here)
        raise BadConfig(f"--device {name}: not on this machine, which has: {found}")
    return name


def has_torch() -> bool:
    """Whether PyTorch can be imported, without importing it."""
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False


def need_torch(what: str) -> None:
    """Say what to install where PyTorch is missing.

    Raises:
        BadConfig: it is.
    """
    if not has_torch():
        raise BadConfig(
            f"{what} needs PyTorch, which is not installed: pip install torch; without a GPU "
            "pip install torch --index-url https://download.pytorch.org/whl/cpu"
        )


def has_gpu() -> bool:
    """Whether a driver is here whose GPUs torch may call cuda; torch itself knows for certain.

    It looks for files alone: loading the driver would run it in every command.
    """
    return any(Path(path).exists() for path in DRIVERS)
