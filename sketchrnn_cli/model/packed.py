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
from torch import Tensor, split_with_sizes


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

    Gates of a row: i, f, o = sigmoid and j = tanh of ``constant + [h, x] w``; then
    c' = f c + i (mask j) and h' = o tanh(c'). Source: Ha & Eck 2017, appendix; dropout without
    memory loss: Semeniuta et al. 2016 (arXiv 1603.05118), equation 10.

    h and x of a row lie side by side, so that a step is one product, and so is the gradient of
    all weights. Views of every step are made at once: making them one by one costs as much as
    the arithmetic of a short step.
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
        (n_rows, n_inputs), n_hidden = x.shape, w_h.shape[0]
        width = -(-(n_hidden + n_inputs) // 8) * 8  # aligned
        w_t = w_h.new_zeros(4 * n_hidden, width)  # so both directions' products read rows
        w_t[:, :n_hidden], w_t[:, n_hidden : n_hidden + n_inputs] = w_h.t(), w_x.t()
        weights = w_t.t()
        inputs = workspace.take("inputs", (n_rows, width), w_h)  # h before each row, x, zeros
        inputs[:, n_hidden : n_hidden + n_inputs] = x
        inputs[:, n_hidden + n_inputs :] = 0
        inputs[: len(h0), :n_hidden] = h0
        gates = workspace.take("gates", (n_rows, 4 * n_hidden), w_h)
        cells = workspace.take("cells", (n_rows, n_hidden), w_h)  # c after each row
        tanh_cells = workspace.take("tanh_cells", (n_rows, n_hidden), w_h)
        hidden = workspace.take("hidden", (n_rows, n_hidden), w_h)
        last = torch.empty_like(h0)
        sizes = packing.batch_sizes
        masks = split_with_sizes(mask, sizes) if mask is not None else [None] * len(sizes)
        steps = zip(
            sizes,
            (*sizes[1:], 0),
            split_with_sizes(inputs, sizes),
            (*split_with_sizes(inputs[:, :n_hidden], sizes)[1:], None),
            split_with_sizes(gates, sizes),
            split_with_sizes(gates[:, : 3 * n_hidden], sizes),
            *(split_with_sizes(column, sizes) for column in gates.tensor_split(4, dim=1)),
            split_with_sizes(cells, sizes),
            split_with_sizes(tanh_cells, sizes),
            split_with_sizes(hidden, sizes),
            masks,
            strict=True,
        )
        c = c0
        for n, n_next, row, next_h, gate, sigmoids, i, f, o, j, c_next, tanh_c, h, dropped in steps:
            torch.addmm(constant[:n], row, weights, out=gate)
            sigmoids.sigmoid_()
            j.tanh_()
            torch.mul(f, c[:n], out=c_next)
            c_next.addcmul_(i, j if dropped is None else j * dropped)
            torch.tanh(c_next, out=tanh_c)
            torch.mul(o, tanh_c, out=h)
            if next_h is not None:
                next_h.copy_(h[:n_next])
            if n_next < n:
                last[n_next:n] = h[n_next:]
            c = c_next
        ctx.save_for_backward(inputs, w_t, gates, cells, tanh_cells, hidden, c0, mask)
        ctx.packing, ctx.workspace, ctx.n_inputs = packing, workspace, n_inputs
        return hidden, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the gradient of all weights is one product at the end."""
        grad_hidden, grad_last = grads
        inputs, w_t, gates, cells, tanh_cells, _, c0, mask = ctx.saved_tensors
        sizes, n_inputs = ctx.packing.batch_sizes, ctx.n_inputs
        n_hidden = cells.shape[1]
        w_h_t = w_t[:, :n_hidden]
        grad_gates = ctx.workspace.take("grad_gates", tuple(gates.shape), gates)  # (R, 4H)
        grad_constant = gates.new_zeros(len(c0), 4 * n_hidden)
        grad_h = gates.new_zeros(len(c0), n_hidden)
        grad_c = torch.zeros_like(grad_h)
        none = [None] * len(sizes)
        kept = zip(
            sizes,
            (*sizes[1:], 0),
            split_with_sizes(gates[:, : 3 * n_hidden], sizes),
            *(split_with_sizes(column, sizes) for column in gates.tensor_split(4, dim=1)),
            (c0, *split_with_sizes(cells, sizes)[:-1]),
            split_with_sizes(tanh_cells, sizes),
            none if mask is None else split_with_sizes(mask, sizes),
            none if grad_hidden is None else split_with_sizes(grad_hidden, sizes),
            strict=True,
        )
        made = zip(
            split_with_sizes(grad_gates, sizes),
            split_with_sizes(grad_gates[:, : 3 * n_hidden], sizes),
            *(split_with_sizes(column, sizes) for column in grad_gates.tensor_split(4, dim=1)),
            strict=True,
        )
        for (
            (n, n_next, sigmoids, i, f, o, j, c_before, tanh_c, dropped, given),
            (grad_gate, grad_sigmoids, di, df, do, dj),
        ) in reversed(list(zip(kept, made, strict=True))):
            dh, dc = grad_h[:n], grad_c[:n]
            if grad_last is not None and n > n_next:
                grad_h[n_next:n] += grad_last[n_next:n]
            if given is not None:
                dh += given
            # h' = o tanh(c')
            torch.mul(dh, tanh_c, out=do)
            dc += torch.ops.aten.tanh_backward(dh * o, tanh_c)
            # c' = f c + i (mask j)
            through = dc if dropped is None else dc * dropped
            torch.mul(through, i, out=dj)
            torch.mul(through, j, out=di)
            torch.mul(dc, c_before[:n], out=df)
            dc *= f
            # through the sigmoids and the tanh
            torch.ops.aten.sigmoid_backward(grad_sigmoids, sigmoids, grad_input=grad_sigmoids)
            torch.ops.aten.tanh_backward(dj, j, grad_input=dj)
            grad_constant[:n] += grad_gate
            torch.mm(grad_gate, w_h_t, out=dh)
        grad_weights = inputs.t() @ grad_gates  # (width, 4H)
        grad_w_h, grad_w_x, _ = split_with_sizes(
            grad_weights, (n_hidden, n_inputs, w_t.shape[1] - n_hidden - n_inputs)
        )
        return None, grad_w_x, grad_constant, grad_w_h, grad_h, grad_c, None, None, None
