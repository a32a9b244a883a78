"""The LSTM of the paper over packed rows, forwards and backwards by hand.

Two tricks make a step cheap. tanh(a) = 2 sigmoid(2a) - 1, and a sigmoid takes a quarter of the time
of a tanh here: the candidate's weights are doubled once, so that all four gates are one sigmoid,
and the cell is kept doubled, C = 2c. And layers that run side by side (the two directions of the
encoder) share every operation but their products, as G groups of rows a step.

Letters: G layers side by side, N sequences, R rows (all steps of all sequences), n rows of a
step, I inputs, H hidden units, W = H + I + 1 rounded up.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.onednn import (
    PADDED_TO,
    ROWS_PADDED_TO,
    StepWeights,
    padded,
    planned,
    weight_gradient,
)
from sketchrnn_cli.model.packing import Packing, Workspace


def _laid_out(w_x: Tensor, w_h: Tensor, b: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """(4H, W): for every gate unit its weights of h, x and 1, the candidate's doubled."""
    n_hidden, n_inputs = w_h.shape[0], w_x.shape[0]
    result = w_h.new_zeros(4 * n_hidden, width)
    result[:, :n_hidden] = w_h.t()
    result[:, n_hidden : n_hidden + n_inputs] = w_x.t()
    result[:, n_hidden + n_inputs] = b
    result[3 * n_hidden :] *= 2
    return result.to(dtype)


def _scaled(mask: Tensor, factor: float, like: Tensor) -> Tensor:
    """The mask (uint8, 0 or 1) times a factor."""
    return mask.to(like.dtype).mul_(factor)


def _candidate(s: Tensor, mask: Tensor | None) -> Tensor:
    """2 mask j of the sigmoid that stands for the candidate j = 2s - 1; mask is times 4."""
    result = s - 0.5
    return result.mul_(4 if mask is None else mask)


class LSTMSequence(torch.autograd.Function):
    """LSTMs over packed rows with recurrent dropout on the candidate gate.

    Gates of a row: i, f, o = sigmoid and j = tanh of ``constant + x w_x + h w_h + b``; then
    c' = f c + i (mask j) and h' = o tanh(c'). Source: Ha & Eck 2017, appendix; dropout without
    memory loss: Semeniuta et al. 2016 (arXiv 1603.05118), equation 10.

    h, x and 1 of a row lie side by side, so that a step is one product a layer, and so is the
    gradient of all its weights. Products are taken in the type ``compute`` (float32 or bfloat16
    for float32 weights); gates, cells and all that is added up stay in the weights' own type.
    Views of every step are made at once: one by one they cost as much as a short step.
    """

    @staticmethod
    def forward(
        ctx: Any,
        packing: Packing,
        workspace: Workspace,
        compute: torch.dtype,
        keep_rows: bool,
        mask: Tensor | None,
        keep: float,
        constant: Tensor | None,
        h0: Tensor | None,
        c0: Tensor | None,
        *layers: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            ctx: autograd context.
            packing: layout of the rows.
            workspace: memory of these layers.
            compute: type of the products.
            keep_rows: return h of every row too; for G = 1 only.
            mask: (G R, H) bool, False where the candidate is dropped, a step's G groups one after
                the other; or None: nothing is.
            keep: probability of keeping, by which the rest is divided.
            constant: (N, 4H) what each sequence adds at every step, or None; for G = 1 only.
            h0: (N, H) or None: zeros; for G = 1 only.
            c0: (N, H) or None: zeros; for G = 1 only.
            *layers: of every layer x (R, I), w_x (I, 4H), w_h (H, 4H), b (4H,). x gets no
                gradient.

        Returns:
            h of every row (R, H), empty unless kept, and h after the last step of every sequence
            (G, N, H).
        """
        xs, w_xs, w_hs, bs = layers[::4], layers[1::4], layers[2::4], layers[3::4]
        groups, like = len(xs), w_hs[0]
        (n_rows, n_inputs), n_hidden = xs[0].shape, like.shape[0]
        sizes = packing.batch_sizes
        n = sizes[0]
        width = padded(n_hidden + n_inputs + 1, PADDED_TO)
        n_padded = padded(n_rows, ROWS_PADDED_TO)

        def take(name: str, columns: int, like: Tensor = like) -> Tensor:
            return workspace.take(name, (groups, n_padded, columns), like)

        products = []
        inputs = take("inputs", width, like.new_empty(0, dtype=compute))  # h before, x, 1, zeros
        inputs[:, n_rows:] = 0
        inputs[:, :, n_hidden + n_inputs] = 1
        inputs[:, :, n_hidden + n_inputs + 1 :] = 0
        inputs[:, :n, :n_hidden] = 0 if h0 is None else h0
        for g, (x, w_x, w_h, b) in enumerate(zip(xs, w_xs, w_hs, bs, strict=True)):
            products.append(StepWeights(_laid_out(w_x, w_h, b, width, compute)))
            inputs[g, :n_rows, n_hidden : n_hidden + n_inputs] = x
        added = None
        if constant is not None:
            added = constant.clone()
            added[:, 3 * n_hidden :] *= 2
            added = added.to(compute)
        # what the backward pass needs of the gates: themselves, or in fewer bits their products
        kept_gates = take("gates", 4 * n_hidden, inputs)
        kept_gates[:, n_rows:] = 0
        in_place = compute is like.dtype
        room = like.new_empty(0 if in_place else groups * n * 4 * n_hidden)
        cells = take("cells", n_hidden)  # C after each row
        hidden = workspace.take("hidden", (n_rows, n_hidden if keep_rows else 0), like)
        last = like.new_empty(groups, n, n_hidden)
        minus_1 = like.new_tensor(-1.0)
        masks = None if mask is None else mask.view(torch.uint8)
        doubled = like.new_zeros(groups, n, n_hidden) if c0 is None else 2 * c0[None]
        before = doubled
        nothing = [None] * len(sizes)
        for n, n_next, first, next_h, kept, c, m, h_rows in zip(
            sizes,
            (*sizes[1:], 0),
            packing.starts[:-1],
            (*split_with_sizes(inputs[:, :n_rows, :n_hidden], sizes, 1)[1:], None),
            split_with_sizes(kept_gates[:, :n_rows], sizes, 1),
            split_with_sizes(cells[:, :n_rows], sizes, 1),
            nothing if masks is None else packing.steps(masks, groups),
            split_with_sizes(hidden, sizes) if keep_rows else nothing,
            strict=True,
        ):
            gate = kept if in_place else room[: groups * n * 4 * n_hidden].view(kept.shape)
            taken = planned(n, len(doubled[0]))
            for g in range(groups):
                rows = inputs[g, first : first + taken]
                product = products[g](rows, None if added is None else added[: len(rows)])[:n]
                if not in_place:
                    kept[g].copy_(product)
                torch.sigmoid(product.to(like.dtype), out=gate[g])
            i, f, o, s = gate.chunk(4, dim=2)
            j = _candidate(s, None if m is None else _scaled(m, 4 / keep, like))
            torch.mul(f, before[:, :n], out=c)
            c.addcmul_(i, j)
            t = torch.add(minus_1, c.sigmoid(), alpha=2)
            h = o * t if h_rows is None else torch.mul(o, t, out=h_rows[None])
            if next_h is not None:
                next_h.copy_(h[:, :n_next])
            if n_next < n:
                last[:, n_next:n] = h[:, n_next:]
            before = c
        ctx.save_for_backward(doubled, masks, constant, kept_gates, cells, hidden, inputs, *w_hs)
        ctx.packing, ctx.n_inputs, ctx.keep = packing, n_inputs, keep
        ctx.has_state = h0 is not None, c0 is not None
        return hidden, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the gradient of a layer's weights is one product at the end.

        The gradients of the gates take the place of the gates.
        """
        grad_hidden, grad_last = grads
        packing, n_inputs = ctx.packing, ctx.n_inputs
        doubled, masks, constant, kept_gates, cells, hidden, inputs, *w_hs = ctx.saved_tensors
        sizes, groups, n_hidden = packing.batch_sizes, len(w_hs), cells.shape[2]
        n, in_place = sizes[0], kept_gates.dtype is cells.dtype
        products = []
        for w_h in w_hs:
            w_t = w_h.clone()
            w_t[:, 3 * n_hidden :] *= 2
            products.append(StepWeights(w_t.to(inputs.dtype)))
        room = cells.new_empty(groups * n * 4 * n_hidden)
        grad_constant = None if constant is None else torch.zeros_like(constant)
        grad_h = cells.new_zeros(groups, n, n_hidden)
        grad_c = torch.zeros_like(grad_h)  # of C
        minus_1 = cells.new_tensor(-1.0)
        nothing = [None] * len(sizes)
        if not hidden.shape[1]:
            grad_hidden = None
        n_rows = packing.starts[-1]
        c_steps = split_with_sizes(cells[:, :n_rows], sizes, 1)
        steps = zip(
            sizes,
            (*sizes[1:], 0),
            packing.starts[:-1],
            split_with_sizes(kept_gates[:, :n_rows], sizes, 1),
            (doubled, *c_steps[:-1]),
            c_steps,
            nothing if masks is None else packing.steps(masks, groups),
            nothing if grad_hidden is None else split_with_sizes(grad_hidden, sizes),
            strict=True,
        )
        for n, n_next, first, kept, before, c, m, given in reversed(list(steps)):
            dh, dc = grad_h[:, :n], grad_c[:, :n]
            if grad_last is not None and n > n_next:
                grad_h[:, n_next:n] += grad_last[:, n_next:n]
            if given is not None:
                dh += given
            gate = kept if in_place else kept.to(cells.dtype).sigmoid_()
            grad = room[: groups * n * 4 * n_hidden].view(gate.shape)
            i, f, o, s = gate.chunk(4, dim=2)
            di, df, do, dj = grad.chunk(4, dim=2)
            scaled = None if m is None else _scaled(m, 4 / ctx.keep, cells)
            t = torch.add(minus_1, c.sigmoid(), alpha=2)
            # h' = o tanh(C' / 2)
            torch.mul(dh, t, out=do)
            dc.add_(torch.ops.aten.tanh_backward(dh * o, t), alpha=0.5)
            # C' = f C + i (2 mask j)
            torch.mul(dc, _candidate(s, scaled), out=di)
            torch.mul(dc, before[:, :n], out=df)
            torch.mul(dc, i, out=dj)
            dj *= 4 if scaled is None else scaled
            dc *= f
            grad = torch.ops.aten.sigmoid_backward(grad, gate, grad_input=gate)
            if grad_constant is not None:
                grad_constant[:n] += grad[0]
            if not in_place:
                kept.copy_(grad)
            for g in range(groups):
                rows = kept_gates[g, first : first + planned(n, len(doubled[0]))]
                dh[g].copy_(products[g](rows)[:n])
        layers: list[Tensor | None] = []
        for g in range(groups):
            w = weight_gradient(inputs[g], kept_gates[g]).to(cells.dtype)  # (W, 4H)
            w[:, 3 * n_hidden :] *= 2
            layers += [None, w[n_hidden:][:n_inputs], w[:n_hidden], w[n_hidden + n_inputs]]
        if grad_constant is not None:
            grad_constant[:, 3 * n_hidden :] *= 2
        has_h0, has_c0 = ctx.has_state
        return (
            *(None, None, None, None, None, None),
            grad_constant,
            grad_h[0] if has_h0 else None,
            2 * grad_c[0] if has_c0 else None,
            *layers,
        )
