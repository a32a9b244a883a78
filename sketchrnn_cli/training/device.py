"""In which arithmetic a model is trained: float32, or bfloat16 where the processor is faster in it.

bfloat16 is for the recurrent products alone, nine tenths of the arithmetic. Weights, gates, cells,
the loss, gradients that are added up, Adam and validation stay in float32; a trained model is
float32 either way.
"""

from __future__ import annotations

from typing import Any

import torch

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model.config import ModelConfig

LARGE_PRODUCT = 256  # decoder units from which bfloat16 pays: below, products are not what costs


def bfloat16_there(device: torch.device) -> bool:
    """Whether this device multiplies bfloat16 faster than float32, in its own instructions."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def weights_type(precision: str) -> torch.dtype:
    """Type of weights, gates and losses."""
    return torch.float64 if precision == "float64" else torch.float32


def products_type(precision: str, device: torch.device, model: ModelConfig) -> torch.dtype:
    """Type of the recurrent products of training.

    Args:
        precision: one of ``config.PRECISIONS``; ``auto`` is bfloat16 where that is faster.
        device: to train on.
        model: sizes of the network.

    Raises:
        BadConfig: bfloat16 was asked for and is not there.
    """
    if precision == "auto":
        large = model.decoder_size >= LARGE_PRODUCT
        return torch.bfloat16 if large and bfloat16_there(device) else torch.float32
    if precision == "bfloat16" and not bfloat16_there(device):
        what = {"cuda": "GPU", "cpu": "processor"}.get(device.type, device.type)
        raise BadConfig(
            f"--precision bfloat16: this {what} has no bfloat16 arithmetic; give float32 or auto"
        )
    return {"bfloat16": torch.bfloat16, "float64": torch.float64}.get(precision, torch.float32)
