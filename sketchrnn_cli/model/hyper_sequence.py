"""The HyperLSTM over packed rows, forwards and backwards by hand.

A small layer-norm LSTM reads x and h of the large one at every step, and what it says scales the
large one's products, unit by unit: total = scale_x (x w_x) + scale_h (h w_h) + shift + sum_b, each
scale and shift a product of D numbers a gate with the small one's state. Then ``normalised``.

Source: Ha et al. 2016 (arXiv 1609.09106), appendix A.2.3; magenta rnn.py, HyperLSTMCell.

Letters: N sequences, R rows (all steps of all sequences), n rows of a step, I inputs, H hidden
units, Y hidden units of the small LSTM, D numbers an embedding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.normalised import Normalised, Norms, scaled
from sketchrnn_cli.model.onednn import (
    PADDED_TO,
    ROWS_PADDED_TO,
    StepWeights,
    padded,
    planned,
    weight_gradient,
)
from sketchrnn_cli.model.packing import Packing, Workspace

SCALES = 8  # embeddings that scale: four gates of x, four of h; then come four that shift
EMBEDDINGS = 12


class HyperWeights(NamedTuple):
    """All weights of a layer; columns of the gates i, f, o, j."""

    w_x: Tensor  # (I, 4H)
    w_h: Tensor  # (H, 4H)
    sum_b: Tensor  # (4H,) added before the gates are normalised
    gain: Tensor  # (4H,) this and the next three: see ``normalised``
    b: Tensor  # (4H,)
    cell_gain: Tensor  # (H,)
    cell_b: Tensor  # (H,)
    small_w_x: Tensor  # (I, 4Y)
    small_w_y: Tensor  # (H, 4Y) of the large one's h
    small_w_h: Tensor  # (Y, 4Y)
    small_gain: Tensor  # (4Y,)
    small_b: Tensor  # (4Y,)
    small_cell_gain: Tensor  # (Y,)
    small_cell_b: Tensor  # (Y,)
    embed_w: Tensor  # (Y, 12 D) from the small state to embeddings
    embed_b: Tensor  # (8 D,) of those that scale
    scale_w: Tensor  # (12, D, H) from embeddings to scales and shifts

    @property
    def embed_bias(self) -> Tensor:
        """(12 D,): embeddings that shift have none."""
        n_shifts = self.embed_w.shape[1] - len(self.embed_b)
        return torch.cat([self.embed_b, self.embed_b.new_zeros(n_shifts)])


class HyperStart(NamedTuple):
    """State before the first step."""

    c: Tensor  # (N, H)
    h: Tensor  # (N, H)
    small_c: Tensor  # (N, Y)
    small_h: Tensor  # (N, Y)


class HyperSequence(torch.autograd.Function):
    """A HyperLSTM with recurrent dropout on the candidate gate of the large one."""

    @staticmethod
    def forward(
        ctx: Any,
        packing: Packing,
        workspace: Workspace,
        compute: torch.dtype,
        mask: Tensor | None,
        keep: float,
        x: Tensor,
        constant: Tensor | None,
        small_constant: Tensor | None,
        c0: Tensor | None,
        h0: Tensor | None,
        small_c0: Tensor | None,
        small_h0: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            ctx: autograd context.
            packing: layout of the rows.
            workspace: memory of this layer.
            compute: type of the recurrent products.
            mask: (R, H) bool, False where the candidate is dropped; or None: nothing is.
            keep: probability of keeping, by which the rest is divided.
            x: (R, I), gets no gradient.
            constant: (N, 4H) what each sequence adds to x w_x at every step, or None.
            small_constant: (N, 4Y) the same for the small one.
            c0: state before the first step, as ``HyperStart``; all of it or None: zeros.
            h0: the same.
            small_c0: the same.
            small_h0: the same.
            *weights: ``HyperWeights``.

        Returns:
            h of every row (R, H), and h after the last step of every sequence (N, H).
        """
        w = HyperWeights(*weights)
        like, (n_rows, n_inputs) = w.w_h, x.shape
        n_hidden, n_small, n_embedded = len(w.w_h), len(w.small_w_h), w.scale_w.shape[1]
        sizes = packing.batch_sizes
        n, n_padded = sizes[0], padded(n_rows, ROWS_PADDED_TO)
        width = padded(n_hidden + n_small + n_inputs, PADDED_TO)
        narrow = like.new_empty(0, dtype=compute)

        # h before each row; and h, the small one's h, x side by side
        hs = workspace.take("h", (n_padded, n_hidden), narrow)
        inputs = workspace.take("inputs", (n_padded, width), narrow)
        hs[n_rows:] = 0
        inputs[n_rows:] = 0
        inputs[:, n_hidden + n_small + n_inputs :] = 0
        inputs[:n_rows, n_hidden + n_small : n_hidden + n_small + n_inputs] = x
        hs[:n] = inputs[:n, :n_hidden] = 0 if h0 is None else h0
        inputs[:n, n_hidden : n_hidden + n_small] = 0 if small_h0 is None else small_h0
        small = like.new_zeros(4 * n_small, width)
        small[:, : n_hidden + n_small + n_inputs] = torch.cat(
            [w.small_w_y, w.small_w_h, w.small_w_x]
        ).t()
        of_h, of_inputs = StepWeights(_turned(w.w_h, compute)), StepWeights(small.to(compute))
        norms = Norms(*([part] for part in w[3:7]))
        small_norms = Norms(*([part] for part in w[10:14]))
        embed_b = w.embed_bias
        added = None if small_constant is None else small_constant.to(compute)

        def take(name: str, columns: int) -> list[Tensor]:
            rows = workspace.take(name, (n_rows, columns), like)
            return [rows, *packing.steps(rows)]

        hidden, *h_steps = take("hidden", n_hidden)
        gates, *gate_steps = take("gates", 4 * n_hidden)
        cell, *cell_steps = take("cell", n_hidden)
        cells, *c_steps = take("cells", n_hidden)
        small_gates, *small_gate_steps = take("small gates", 4 * n_small)
        small_cell, *small_cell_steps = take("small cell", n_small)
        small_cells, *small_c_steps = take("small cells", n_small)
        ys = workspace.take("small h", (n_padded, n_small), like)
        ys[n_rows:] = 0
        embedded, *embedded_steps = take("embedded", EMBEDDINGS * n_embedded)
        recurrent, *recurrent_steps = take("recurrent", 4 * n_hidden)
        x_steps = split_with_sizes(x, sizes)
        masks = None if mask is None else mask.view(torch.uint8)
        mask_steps = [None] * len(sizes) if masks is None else packing.steps(masks)
        last = like.new_empty(n, n_hidden)
        scales = like.new_empty(EMBEDDINGS * n * n_hidden)
        start = like.new_zeros(1, n, n_hidden) if c0 is None else c0[None].clone()
        small_start = like.new_zeros(1, n, n_small) if small_c0 is None else small_c0[None].clone()
        before, small_before, kept = start, small_start, []
        for t, (n, n_next) in enumerate(zip(sizes, (*sizes[1:], 0), strict=True)):
            first = packing.starts[t]
            rows = slice(first, first + planned(n, sizes[0]))
            total = of_inputs(inputs[rows], None if added is None else added[: len(inputs[rows])])
            y, small_normal = small_norms.forwards(
                total[None, :n].to(like.dtype),
                small_before[:, :n],
                None,
                gates=small_gate_steps[t],
                cell=small_cell_steps[t],
                c=small_c_steps[t],
            )
            ys[first : first + n] = y[0]
            torch.addmm(embed_b, y[0], w.embed_w, out=embedded_steps[t][0])
            scale = scales[: EMBEDDINGS * n * n_hidden].view(EMBEDDINGS, n, n_hidden)
            torch.bmm(_by_embedding(embedded_steps[t][0]), w.scale_w, out=scale)
            recurrent_steps[t][0].copy_(of_h(hs[rows])[:n])
            read = _read(x_steps[t], w.w_x, constant)
            sums = like.new_empty(n, 4 * n_hidden)
            by_gate = _by_gate(sums)
            torch.add(scale[SCALES:], w.sum_b.view(4, 1, n_hidden), out=by_gate)
            by_gate.addcmul_(scale[:4], _by_gate(read))
            by_gate.addcmul_(scale[4:SCALES], _by_gate(recurrent_steps[t][0]))
            h, normal = norms.forwards(
                sums[None],
                before[:, :n],
                scaled(mask_steps[t], keep, like),
                gates=gate_steps[t],
                cell=cell_steps[t],
                c=c_steps[t],
            )
            kept.append((normal, small_normal))
            h_steps[t].copy_(h)
            if n_next:
                following = slice(first + n, first + n + n_next)
                hs[following] = h[0, :n_next]
                inputs[following, :n_hidden] = h[0, :n_next]
                inputs[following, n_hidden : n_hidden + n_small] = y[0, :n_next]
            if n_next < n:
                last[n_next:n] = h[0, n_next:]
            before, small_before = c_steps[t], small_c_steps[t]
        inverses = [
            part for pair in kept for one in pair for part in (one.inverse, one.cell_inverse)
        ]
        ctx.save_for_backward(
            *(x, constant, small_constant, masks, start, small_start, hs, inputs, ys),
            *(gates, cell, cells, small_gates, small_cell, small_cells, embedded, recurrent),
            *weights,
            *inverses,
        )
        ctx.packing, ctx.workspace, ctx.keep = packing, workspace, keep
        ctx.has_state = h0 is not None
        return hidden, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; gradients of large weights are one product at the end."""
        grad_hidden, grad_last = grads
        packing, saved = ctx.packing, ctx.saved_tensors
        x, constant, small_constant, masks, start, small_start, hs, inputs, ys = saved[:9]
        steps = [packing.steps(rows) for rows in saved[9:17]]
        gates, cell, cells, small_gates, small_cell, small_cells, embedded, recurrent = steps
        n_weights = len(HyperWeights._fields)
        w = HyperWeights(*saved[17 : 17 + n_weights])
        inverses = saved[17 + n_weights :]
        sizes, like, compute = packing.batch_sizes, w.w_h, inputs.dtype
        n_hidden, n_small, n_embedded = len(w.w_h), len(w.small_w_h), w.scale_w.shape[1]
        n, n_rows, n_padded = sizes[0], packing.starts[-1], len(inputs)
        norms = Norms(*([part] for part in w[3:7]))
        small_norms = Norms(*([part] for part in w[10:14]))
        to_h = StepWeights(w.w_h.to(compute).contiguous())
        to_inputs = StepWeights(torch.cat([w.small_w_y, w.small_w_h]).to(compute))

        def take(name: str, columns: int, dtype: torch.dtype) -> Tensor:
            rows: Tensor = ctx.workspace.take(
                name, (n_padded, columns), like.new_empty(0, dtype=dtype)
            )
            rows[n_rows:] = 0
            return rows

        of_recurrent = take("grad recurrent", 4 * n_hidden, compute)
        of_small = take("grad small", 4 * n_small, compute)
        of_embedded = take("grad embedded", EMBEDDINGS * n_embedded, like.dtype)
        grad_constant = None if constant is None else torch.zeros_like(constant)
        grad_small_constant = None if small_constant is None else torch.zeros_like(small_constant)
        grad_w_x, grad_sum_b, grad_scale_w = (
            torch.zeros_like(part) for part in (w.w_x, w.sum_b, w.scale_w)
        )
        grad_h, grad_c = (like.new_zeros(1, n, n_hidden) for _ in range(2))
        grad_y, grad_small_c = (like.new_zeros(1, n, n_small) for _ in range(2))
        x_steps = split_with_sizes(x, sizes)
        mask_steps = [None] * len(sizes) if masks is None else packing.steps(masks)
        scales, of_scales = (like.new_empty(EMBEDDINGS * n * n_hidden) for _ in range(2))
        for t in reversed(range(len(sizes))):
            n, n_next, first = sizes[t], (*sizes[1:], 0)[t], packing.starts[t]
            here = slice(first, first + n)
            rows = slice(first, first + planned(n, sizes[0]))
            if grad_last is not None and n > n_next:
                grad_h[0, n_next:n] += grad_last[n_next:n]
            dh, dc, dy, d_small_c = (part[:, :n] for part in (grad_h, grad_c, grad_y, grad_small_c))
            if grad_hidden is not None:
                dh += grad_hidden[here]
            inverse, cell_inverse, small_inverse, small_cell_inverse = inverses[4 * t : 4 * t + 4]
            # as forwards: scales and shifts, and what the large one read
            shape = (EMBEDDINGS, n, n_hidden)
            scale = scales[: EMBEDDINGS * n * n_hidden].view(shape)
            of_scale = of_scales[: EMBEDDINGS * n * n_hidden].view(shape)
            by_embedding = _by_embedding(embedded[t][0])
            torch.bmm(by_embedding, w.scale_w, out=scale)
            read = _read(x_steps[t], w.w_x, constant)

            grad = norms.backwards(
                dh,
                dc,
                (cells[t - 1] if t else start)[:, :n],
                scaled(mask_steps[t], ctx.keep, like),
                Normalised(gates[t], cell[t], inverse, cell_inverse),
            )[0]
            grad_sum_b += grad.sum(0)
            by_gate = _by_gate(grad)
            torch.mul(by_gate, _by_gate(read), out=of_scale[:4])
            torch.mul(by_gate, _by_gate(recurrent[t][0]), out=of_scale[4:SCALES])
            of_scale[SCALES:] = by_gate
            _by_gate(of_recurrent[here]).copy_(by_gate * scale[4:SCALES])
            by_gate *= scale[:4]  # now of what was read
            grad_w_x.addmm_(x_steps[t].t(), grad)
            if grad_constant is not None:
                grad_constant[:n] += grad
            grad_scale_w.baddbmm_(by_embedding.transpose(1, 2), of_scale)
            torch.bmm(of_scale, w.scale_w.transpose(1, 2), out=_by_embedding(of_embedded[here]))
            dy[0].addmm_(of_embedded[here], w.embed_w.t())
            grad = small_norms.backwards(
                dy,
                d_small_c,
                (small_cells[t - 1] if t else small_start)[:, :n],
                None,
                Normalised(small_gates[t], small_cell[t], small_inverse, small_cell_inverse),
            )[0]
            if grad_small_constant is not None:
                grad_small_constant[:n] += grad
            of_small[here] = grad
            back = to_inputs(of_small[rows])[:n]
            dh[0].copy_(to_h(of_recurrent[rows])[:n]).add_(back[:, :n_hidden])
            dy[0].copy_(back[:, n_hidden:])
        grad_w_h = weight_gradient(hs, of_recurrent).to(like.dtype)
        small_w_y, small_w_h, small_w_x, _ = split_with_sizes(
            weight_gradient(inputs, of_small).to(like.dtype),
            [n_hidden, n_small, x.shape[1], inputs.shape[1] - n_hidden - n_small - x.shape[1]],
        )
        weights = HyperWeights(
            *(grad_w_x, grad_w_h, grad_sum_b),
            *norms.gradients()[0],
            *(small_w_x, small_w_y, small_w_h),
            *small_norms.gradients()[0],
            ys.t() @ of_embedded,
            of_embedded[:, : SCALES * n_embedded].sum(0),
            grad_scale_w,
        )
        state: tuple[Tensor | None, ...] = (None, None, None, None)
        if ctx.has_state:
            state = (grad_c[0], grad_h[0], grad_small_c[0], grad_y[0])
        return (
            *(None, None, None, None, None, None),
            *(grad_constant, grad_small_constant),
            *state,
            *weights,
        )


def _turned(weights: Tensor, dtype: torch.dtype) -> Tensor:
    return weights.t().to(dtype).contiguous()


def _read(x: Tensor, w_x: Tensor, constant: Tensor | None) -> Tensor:
    """(n, 4H) what x and the constant of each sequence give."""
    return x @ w_x if constant is None else torch.addmm(constant[: len(x)], x, w_x)


def _by_gate(rows: Tensor) -> Tensor:
    """(4, n, H) of (n, 4H), the same memory."""
    return rows.view(len(rows), 4, -1).transpose(0, 1)


def _by_embedding(rows: Tensor) -> Tensor:
    """(12, n, D) of (n, 12 D), the same memory."""
    return rows.view(len(rows), EMBEDDINGS, -1).transpose(0, 1)
