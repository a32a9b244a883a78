"""In which arithmetic and threads a model is trained: float32, or bfloat16 where that is faster.

bfloat16 is for the recurrent products alone, nine tenths of the arithmetic. Weights, gates, cells,
the loss, sums of gradients, Adam and validation stay in float32; a trained model is float32 either
way. Nothing is float64 on a device unless precision = "float64": mps has none.
"""

from __future__ import annotations

from typing import Any

import torch

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.training.config import TrainingConfig

LARGE_DECODER = 256  # units from which bfloat16 pays: below, products are not what costs
SHARED_PRODUCT = 20e6  # operations of a step's product from which two threads are faster


def set_threads(
    threads: int | None, model: ModelConfig, config: TrainingConfig, *, world: int = 1
) -> None:
    """Use so many CPU threads; None: all, but one where a product is too small to share.

    Threads that share small products spend their time waiting for one another, and where other
    programs run too they take many times as long.
    """
    if threads is None:
        product = 2 * config.batch_size / world * model.decoder_size * 4 * model.decoder_size
        threads = 1 if product < SHARED_PRODUCT else torch.get_num_threads()
    torch.set_num_threads(threads)


def has_bfloat16(device: torch.device) -> bool:
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
        BadConfig: bfloat16 is asked for and not there.
    """
    if precision == "auto":
        large = model.decoder_size >= LARGE_DECODER
        return torch.bfloat16 if large and has_bfloat16(device) else torch.float32
    if precision == "bfloat16" and not has_bfloat16(device):
        what = {"cuda": "GPU", "cpu": "processor"}.get(device.type, device.type)
        raise BadConfig(
            f"--precision bfloat16: this {what} has no bfloat16 arithmetic; give float32 or auto"
        )
    return {"bfloat16": torch.bfloat16, "float64": torch.float64}.get(precision, torch.float32)
