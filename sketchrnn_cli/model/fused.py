"""Steps put together by torch.compile, where there is a compiler."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def fused(
    function: Callable[..., None], *, on: str = "cuda", backend: Any = "inductor"
) -> Callable[..., None]:
    """The same function, put together by torch.compile where its first tensor lies on a device.

    Where that cannot be, for want of a compiler, it runs as it stands.
    """
    chosen: list[Callable[..., None]] = []

    @functools.wraps(function)
    def call(first: Tensor, *rest: Any) -> None:
        if first.device.type != on:
            return function(first, *rest)
        if not chosen:
            there = on != "cuda" or importlib.util.find_spec("triton") is not None
            compiled = torch.compile(function, dynamic=True, backend=backend)
            chosen.append(compiled if there else function)
        try:
            return chosen[0](first, *rest)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            if chosen[0] is function or not _of_the_compiler(error):
                raise
            chosen[0] = function
            return function(first, *rest)

    return call


def _of_the_compiler(error: Exception) -> bool:
    """Whether it came before anything was computed."""
    if not isinstance(error, RuntimeError):
        return True
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
