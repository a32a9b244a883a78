"""Packed batches: no step is computed on padding.

A batch of N sequences, longest first, is laid out step after step: the rows of step t are the
sequences still alive then, always the first ``batch_sizes[t]`` of them. So every step is one
product over contiguous rows, a sequence that has ended costs nothing more, and the gradient of
every weight is a single product over all rows at the end.

Symbols: N sequences, T steps, R rows (all steps of all sequences), G layers side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, split_with_sizes

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packing:
    """Which rows of a packed batch belong to which step."""

    batch_sizes: tuple[int, ...]  # (T,) sequences alive at each step, never increasing
    starts: tuple[int, ...]  # (T + 1,) first row of each step, and R at the end

    @classmethod
    def of_lengths(cls, lengths: Sequence[int]) -> Packing:
        """Packing of sequences of these lengths, each at least 1, longest first."""
        sizes: list[int] = []
        alive = len(lengths)
        for step in range(lengths[0] if lengths else 0):
            while lengths[alive - 1] <= step:
                alive -= 1
            sizes.append(alive)
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + size)
        return cls(tuple(sizes), tuple(starts))

    @property
    def n_sequences(self) -> int:
        """N."""
        return self.batch_sizes[0]

    @property
    def n_rows(self) -> int:
        """R."""
        return self.starts[-1]

    def steps(self, rows: Tensor, groups: int = 1) -> list[Tensor]:
        """Views (G, n, columns) of the rows (G R, columns) of every step.

        Args:
            rows: of G layers, a step's groups one after the other.
            groups: G.
        """
        sizes = [groups * size for size in self.batch_sizes]
        columns = rows.shape[1]
        return [step.view(groups, -1, columns) for step in split_with_sizes(rows, sizes)]


class Workspace:
    """Buffers reused by every step. Results alias them and are valid until the next forward.

    Fresh pages cost a training step a quarter of its time, so the large buffers of a sequence are
    kept. Only one forward pass at a time may be waiting for its backward pass: autograd notices
    (by the version of the saved tensors) and refuses where that is not so.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised tensor over the buffer of this name."""
        size = math.prod(shape)
        kept = self._buffers.get(name)
        if (
            kept is None
            or kept.numel() < size
            or kept.dtype != like.dtype
            or kept.device != like.device
        ):
            # room for longer batches: on a CPU pages that are never written take no memory
            room = 4 * size if like.device.type == "cpu" else size + size // 4
            self._buffers.pop(name, None)
            kept = torch.empty(room, dtype=like.dtype, device=like.device)
            self._buffers[name] = kept
        return kept[:size].view(shape)


def copied(arrays: Sequence[npt.NDArray[Any]], device: torch.device) -> list[Tensor]:
    """The arrays on a device, in one copy that nobody waits for; on a CPU the same memory."""
    if device.type == "cpu":
        return [torch.from_numpy(array) for array in arrays]
    sizes = [-(-array.nbytes // 16) * 16 for array in arrays]  # every part begins aligned
    host = torch.empty(sum(sizes), dtype=torch.uint8, pin_memory=device.type == "cuda")
    for part, array in zip(split_with_sizes(host, sizes), arrays, strict=True):
        part.numpy()[: array.nbytes] = array.reshape(-1).view(np.uint8)
    there = host.to(device, non_blocking=True)
    return [
        part[: array.nbytes].view(torch.from_numpy(array[:0]).dtype).view(array.shape)
        for part, array in zip(split_with_sizes(there, sizes), arrays, strict=True)
    ]


def steps_and_ranks(packing: Packing) -> tuple[Integers, Integers]:
    """Of every row its step and its sequence, the longest being 0; (R,) each."""
    sizes = np.asarray(packing.batch_sizes)
    steps = np.repeat(np.arange(len(sizes)), sizes)
    return steps, np.arange(len(steps)) - np.repeat(np.asarray(packing.starts[:-1]), sizes)
