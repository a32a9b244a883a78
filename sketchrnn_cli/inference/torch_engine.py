"""The steps of ``engine`` through torch, for a GPU. Loaded only where one is asked for.

The interface and the meaning are those of ``engine.Engine``: arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.engine import no_encoder, stroke5
from sketchrnn_cli.model.cells import step
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.device import choose

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

BATCH = 512  # sketches read or unrolled at once


class TorchEngine:
    """Encoder and decoder of one checkpoint, on a device."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self.checkpoint = checkpoint
        self.device = torch.device(choose(device))
        self.weights = {name: self.tensor(array) for name, array in checkpoint.weights.items()}

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        """An array on the device; a copy."""
        return torch.tensor(array, device=self.device)

    @torch.inference_mode()
    def encode(self, moves: Sequence[Array]) -> tuple[Array, Array]:
        """Latents of sketches: mu and sigma, (N, Z) each, from (P, 3) moves, model units."""
        if not self.checkpoint.config.encoder:
            raise no_encoder()
        w, size = self.weights, self.checkpoint.config.encoder_size
        last = torch.empty(len(moves), 2 * size, device=self.device)
        rows = [stroke5(m) for m in moves]
        for batch in _batches([len(m) for m in moves]):
            for k, (direction, order) in enumerate((("fw", 1), ("bw", -1))):
                reader = TorchCell(self, f"encoder.{direction}", len(batch))
                x, n_alive = self._steps([rows[i][::order] for i in batch])
                for t, n in enumerate(n_alive):
                    reader.advance(x[t, :n])
                last[self.tensor(batch), k * size : (k + 1) * size] = reader.state[1]
        mu = last @ w["encoder.mu_w"] + w["encoder.mu_b"]
        presig = last @ w["encoder.presig_w"] + w["encoder.presig_b"]
        return mu.cpu().numpy(), (presig / 2).exp().cpu().numpy()

    @torch.inference_mode()
    def unroll(self, inputs: Sequence[Array], constant: Array | None) -> list[Array]:
        """Raw outputs (T, 3 + 6M) after every one of (T, 5) given inputs, for each sketch."""
        w, size = self.weights, self.checkpoint.config.decoder_size
        lengths = [len(rows) for rows in inputs]
        result: list[Array] = [np.empty((0, len(w["decoder.out_b"])), np.float32)] * len(inputs)
        for batch in _batches(lengths):
            decoding = self.memory(len(batch))
            decoding.start(np.arange(len(batch)), None if constant is None else constant[batch])
            x, n_alive = self._steps([inputs[i] for i in batch])
            hidden = torch.zeros(len(x), len(batch), size, device=self.device)
            for t, n in enumerate(n_alive):
                hidden[t, :n] = decoding.advance(x[t, :n])
            raw = (hidden @ w["decoder.out_w"] + w["decoder.out_b"]).cpu().numpy()
            for k, i in enumerate(batch):
                result[i] = raw[: lengths[i], k]
        return result

    def memory(self, capacity: int) -> TorchCell:
        """Room for so many sketches being drawn at once."""
        return TorchCell(self, "decoder.cell", capacity)

    def _steps(self, rows: Sequence[Array]) -> tuple[Tensor, list[int]]:
        """Rows by step, (T, N, 5), longest sketch first, and how many still have one at each."""
        lengths = np.array([len(r) for r in rows])
        steps = np.zeros((lengths.max(initial=0), len(rows), 5), np.float32)
        for k, r in enumerate(rows):
            steps[: len(r), k] = r
        alive = (lengths[:, None] > np.arange(len(steps))).sum(0)
        return self.tensor(steps), cast("list[int]", alive.tolist())


class TorchCell:
    """A cell of a ``TorchEngine`` and its states: the live ones are the first rows.

    That of the decoder draws sketches, as ``engine.Decoding`` does.
    """

    def __init__(self, engine: TorchEngine, prefix: str, capacity: int) -> None:
        config = engine.checkpoint.config
        self.engine = engine
        self.kind = config.cell if prefix.startswith("decoder") else config.encoder_cell
        start = prefix + "."
        self.w = {k[len(start) :]: v for k, v in engine.weights.items() if k.startswith(start)}
        sizes = [len(self.w["w_h"])] * 2
        if self.kind == "hyper":
            sizes += [len(self.w["small_w_h"])] * 2
        self.state = tuple(torch.zeros(capacity, k, device=engine.device) for k in sizes)
        self.from_cond = [
            torch.zeros(capacity, self.w[weights].shape[1], device=engine.device)
            if name in self.w
            else None
            for weights, name in (("w_x", "w_const"), ("small_w_x", "small_w_const"))
        ]

    def advance(self, moves: Tensor) -> Tensor:
        """Feed one stroke-5 row (n, 5) to each of the first n; gives h, (n, H)."""
        n = len(moves)
        large, small = (None if part is None else part[:n] for part in self.from_cond)
        before = tuple(part[:n] for part in self.state)
        after = step(self.kind, self.w, moves, before, (large, small))
        for part, new in zip(before, after, strict=True):
            part.copy_(new)
        return before[1]

    @torch.inference_mode()
    def start(self, rows: Rows, constant: Array | None) -> None:
        """Let new sketches begin in these rows, from (n, C) or from zeros."""
        engine, w, at = self.engine, self.engine.weights, self.engine.tensor(rows)
        if not engine.checkpoint.config.constant_size:
            for part in self.state:
                part[at] = 0
            return
        if constant is None:
            raise BadConfig("this model draws from latents or words, and none were given")
        cond = engine.tensor(constant)
        start = torch.tanh(cond @ w["decoder.start_w"] + w["decoder.start_b"])
        parts = split_with_sizes(start, [part.shape[1] for part in self.state], 1)
        for part, new in zip(self.state, parts, strict=True):
            part[at] = new
        for constant_part, name in zip(self.from_cond, ("w_const", "small_w_const"), strict=True):
            if constant_part is not None:
                constant_part[at] = cond @ self.w[name]

    @torch.inference_mode()
    def step(self, moves: Array) -> Array:
        """Feed one stroke-5 row (n, 5) to each of the first n; gives raw outputs (n, 3 + 6M)."""
        w = self.engine.weights
        h = self.advance(self.engine.tensor(moves))
        return cast(Array, (h @ w["decoder.out_w"] + w["decoder.out_b"]).cpu().numpy())

    @torch.inference_mode()
    def move(self, source: Rows, target: Rows) -> None:
        """Put the sketches of some rows in the place of others."""
        a, b = self.engine.tensor(source), self.engine.tensor(target)
        for part in (*self.state, *self.from_cond):
            if part is not None:
                part[b] = part[a]


def _batches(lengths: Sequence[int]) -> list[Rows]:
    """Indices of sketches that run together: of like length, longest first."""
    order = np.argsort(-np.asarray(lengths, np.intp), kind="stable")
    return [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
