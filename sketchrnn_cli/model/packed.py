"""Recurrent layers over packed rows: no step is computed on padding.

A batch of N sequences, longest first, is laid out step after step: the rows of step t are the
sequences still alive then, always the first ``batch_sizes[t]`` of them. So every step is one
product over contiguous rows, a sequence that has ended costs nothing more, and the gradient of
every weight is a single product over all rows at the end.

Letters: N sequences, R rows (all steps of all sequences), I inputs, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packing:
    """Which rows of a packed batch belong to which step."""

    batch_sizes: tuple[int, ...]  # sequences alive at each step, never increasing
    starts: tuple[int, ...]  # first row of each step, and R at the end

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


class Workspace:
    """Memory that is used again at every training step.

    Fresh pages cost a training step a quarter of its time, so the large buffers of a sequence are
    kept. Only one forward pass at a time may be waiting for its backward pass: autograd notices
    (by the version of the saved tensors) and refuses where that is not so.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised tensor over the memory kept under this name."""
        size = math.prod(shape)
        kept = self._buffers.get(name)
        if (
            kept is None
            or kept.numel() < size
            or kept.dtype != like.dtype
            or kept.device != like.device
        ):
            kept = torch.empty(size + size // 4, dtype=like.dtype, device=like.device)
            self._buffers[name] = kept
        return kept[:size].view(shape)


class LSTMSequence(torch.autograd.Function):
    """An LSTM over packed rows with recurrent dropout on the candidate gate.

    Gates of a row: i, f, o = sigmoid and j = tanh of ``x w_x + constant + h w_h``; then
    c' = f c + i (mask j) and h' = o tanh(c'). Source: Ha & Eck 2017, appendix; dropout without
    memory loss: Semeniuta et al. 2016 (arXiv 1603.05118), equation 10.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_x: Tensor,
        constant: Tensor,
        w_h: Tensor,
        h0: Tensor,
        c0: Tensor,
        mask: Tensor | None,
        packing: Packing,
        workspace: Workspace,
    ) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            ctx: autograd context.
            x: (R, I), pen moves. They get no gradient.
            w_x: (I, 4H).
            constant: (N, 4H) what each sequence adds at every step: z, word and bias.
            w_h: (H, 4H).
            h0: (N, H).
            c0: (N, H).
            mask: (R, H) dropout mask divided by the probability of keeping, or None.
            packing: layout of the rows.
            workspace: memory of this layer.

        Returns:
            h of every row (R, H), and h after the last step of every sequence (N, H).
        """
        n_rows, n_hidden = len(x), w_h.shape[0]
        gates = workspace.take("gates", (n_rows, 4 * n_hidden), w_h)
        cells = workspace.take("cells", (n_rows, n_hidden), w_h)  # c after each row
        tanh_cells = workspace.take("tanh_cells", (n_rows, n_hidden), w_h)
        hidden = workspace.take("hidden", (n_rows, n_hidden), w_h)
        last = torch.empty_like(h0)
        torch.mm(x, w_x, out=gates)
        h, c = h0, c0
        before = packing.batch_sizes[0]
        for n, start in zip(packing.batch_sizes, packing.starts, strict=False):
            if n < before:
                last[n:before] = h[n:]
                h, c, before = h[:n], c[:n], n
            rows = slice(start, start + n)
            gate = gates[rows]
            gate += constant[:n]
            gate.addmm_(h, w_h)
            gate[:, : 3 * n_hidden].sigmoid_()
            i, f, o, j = gate.tensor_split(4, dim=1)  # each (n, H)
            j.tanh_()
            c_next = torch.mul(f, c, out=cells[rows])
            if mask is None:
                c_next.addcmul_(i, j)
            else:
                c_next.addcmul_(i, j * mask[rows])
            tanh_c = torch.tanh(c_next, out=tanh_cells[rows])
            h = torch.mul(o, tanh_c, out=hidden[rows])
            c = c_next
        last[:before] = h
        ctx.save_for_backward(x, gates, cells, tanh_cells, hidden, w_h, h0, c0, mask)
        ctx.packing, ctx.workspace = packing, workspace
        return hidden, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the weights' gradient is one product at the end."""
        grad_hidden, grad_last = grads
        x, gates, cells, tanh_cells, hidden, w_h, h0, c0, mask = ctx.saved_tensors
        packing: Packing = ctx.packing
        workspace: Workspace = ctx.workspace
        n_hidden = w_h.shape[0]
        w_h_t = w_h.t()
        grad_gates = workspace.take("grad_gates", tuple(gates.shape), gates)  # (R, 4H)
        grad_constant = gates.new_zeros(len(h0), 4 * n_hidden)
        grad_h = gates.new_zeros(len(h0), n_hidden)
        grad_c = torch.zeros_like(grad_h)
        after = 0
        for step in range(len(packing.batch_sizes) - 1, -1, -1):
            n, start = packing.batch_sizes[step], packing.starts[step]
            rows = slice(start, start + n)
            gate, tanh_c = gates[rows], tanh_cells[rows]
            if grad_last is not None and n > after:
                grad_h[after:n] += grad_last[after:n]
            after = n
            dh, dc = grad_h[:n], grad_c[:n]
            if grad_hidden is not None:
                dh += grad_hidden[rows]
            i, f, o, j = gate.tensor_split(4, dim=1)
            di, df, do, dj = grad_gates[rows].tensor_split(4, dim=1)
            c_before = c0[:n] if step == 0 else cells[packing.starts[step - 1] :][:n]
            # h' = o tanh(c')
            do.copy_(dh).mul_(tanh_c)
            dc.addcmul_(dh * o, 1 - tanh_c * tanh_c)
            # c' = f c + i (mask j)
            torch.mul(dc, i, out=dj)
            torch.mul(dc, j, out=di)
            if mask is not None:
                dj.mul_(mask[rows])
                di.mul_(mask[rows])
            torch.mul(dc, c_before, out=df)
            dc.mul_(f)
            # sigmoid' = s (1 - s), tanh' = 1 - t^2
            sigmoids = gate[:, : 3 * n_hidden]
            grad_gates[rows, : 3 * n_hidden].mul_(sigmoids).mul_(1 - sigmoids)
            dj.mul_(1 - j * j)
            dgate = grad_gates[rows]
            grad_constant[:n] += dgate
            torch.mm(dgate, w_h_t, out=grad_h[:n])
        # every row met the h of the row before it: h0 at step 0
        n_first = packing.starts[1]
        grad_w_h = h0.t() @ grad_gates[:n_first]
        if len(packing.batch_sizes) > 1:
            h_before = workspace.take("h_before", (len(x) - n_first, n_hidden), hidden)
            torch.cat(
                [
                    hidden[start : start + n]
                    for start, n in zip(packing.starts, packing.batch_sizes[1:], strict=False)
                ],
                out=h_before,
            )
            grad_w_h.addmm_(h_before.t(), grad_gates[n_first:])
        grad_w_x = x.t() @ grad_gates
        return None, grad_w_x, grad_constant, grad_w_h, grad_h, grad_c, None, None, None
