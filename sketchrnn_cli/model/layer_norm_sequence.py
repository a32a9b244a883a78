"""The layer-norm LSTM over packed rows, forwards and backwards by hand.

``lstm_sequence`` with ``normalised`` between the products, and no other bias. h and x of a row
lie side by side, so that a step is one product a layer, and so is the gradient of its weights.

Letters: G layers side by side, N sequences, R rows (all steps of all sequences), n rows of a
step, I inputs, H hidden units, W = H + I rounded up.
"""

from __future__ import annotations

from typing import Any

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

PARTS = 7  # tensors of a layer


class LayerNormSequence(torch.autograd.Function):
    """LSTMs with normalised gates and cells, and recurrent dropout on the candidate gate.

    Source: magenta rnn.py, LayerNormLSTMCell; see ``normalised``.
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
            *layers: of every layer x (R, I), w_x (I, 4H), w_h (H, 4H), gain and b (4H,),
                cell_gain and cell_b (H,). x gets no gradient.

        Returns:
            h of every row (R, H), empty unless kept, and h after the last step of every sequence
            (G, N, H).
        """
        xs, w_xs, w_hs = layers[::PARTS], layers[1::PARTS], layers[2::PARTS]
        groups, like = len(xs), w_hs[0]
        (n_rows, n_inputs), n_hidden = xs[0].shape, like.shape[0]
        sizes = packing.batch_sizes
        n = sizes[0]
        width = padded(n_hidden + n_inputs, PADDED_TO)
        n_padded = padded(n_rows, ROWS_PADDED_TO)
        norms = Norms(*(layers[k::PARTS] for k in range(3, PARTS)))
        inputs = workspace.take(
            "inputs", (groups, n_padded, width), like.new_empty(0, dtype=compute)
        )
        inputs[:, n_rows:] = 0
        inputs[:, :, n_hidden + n_inputs :] = 0
        inputs[:, :n, :n_hidden] = 0 if h0 is None else h0
        products = []
        for g, (x, w_x, w_h) in enumerate(zip(xs, w_xs, w_hs, strict=True)):
            laid_out = w_h.new_zeros(4 * n_hidden, width)
            laid_out[:, :n_hidden] = w_h.t()
            laid_out[:, n_hidden : n_hidden + n_inputs] = w_x.t()
            products.append(StepWeights(laid_out.to(compute)))
            inputs[g, :n_rows, n_hidden : n_hidden + n_inputs] = x
        added = None if constant is None else constant.to(compute)
        gates = workspace.take("gates", (groups * n_rows, 4 * n_hidden), like)
        cell = workspace.take("cell", (groups * n_rows, n_hidden), like)
        cells = workspace.take("cells", (groups * n_rows, n_hidden), like)
        hidden = workspace.take("hidden", (n_rows, n_hidden if keep_rows else 0), like)
        last = like.new_empty(groups, n, n_hidden)
        total = like.new_empty(groups, n, 4 * n_hidden)
        start = like.new_zeros(groups, n, n_hidden) if c0 is None else c0[None].clone()
        before, kept = start, []
        masks = None if mask is None else mask.view(torch.uint8)
        nothing = [None] * len(sizes)
        for n, n_next, first, next_h, step_gates, step_cell, c, m, h_rows in zip(
            sizes,
            (*sizes[1:], 0),
            packing.starts[:-1],
            (*split_with_sizes(inputs[:, :n_rows, :n_hidden], sizes, 1)[1:], None),
            packing.steps(gates, groups),
            packing.steps(cell, groups),
            packing.steps(cells, groups),
            nothing if masks is None else packing.steps(masks, groups),
            split_with_sizes(hidden, sizes) if keep_rows else nothing,
            strict=True,
        ):
            taken = planned(n, sizes[0])
            for g in range(groups):
                rows = inputs[g, first : first + taken]
                product = products[g](rows, None if added is None else added[: len(rows)])
                total[g, :n] = product[:n]
            h, normal = norms.forwards(
                total[:, :n],
                before[:, :n],
                scaled(m, keep, like),
                gates=step_gates,
                cell=step_cell,
                c=c,
            )
            kept.append(normal)
            if h_rows is not None:
                h_rows.copy_(h[0])
            if next_h is not None:
                next_h.copy_(h[:, :n_next])
            if n_next < n:
                last[:, n_next:n] = h[:, n_next:]
            before = c
        inverses = [part for step in kept for part in (step.inverse, step.cell_inverse)]
        ctx.save_for_backward(
            *(start, masks, constant, gates, cell, cells, hidden, inputs), *layers, *inverses
        )
        ctx.packing, ctx.workspace, ctx.groups, ctx.keep = packing, workspace, groups, keep
        ctx.has_state = h0 is not None, c0 is not None
        return hidden, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the gradient of a layer's weights is one product at the end."""
        grad_hidden, grad_last = grads
        packing, groups = ctx.packing, ctx.groups
        start, masks, constant, gates, cell, cells, hidden, inputs, *rest = ctx.saved_tensors
        layers, inverses = rest[: PARTS * groups], rest[PARTS * groups :]
        w_hs = layers[2::PARTS]
        norms = Norms(*(layers[k::PARTS] for k in range(3, PARTS)))
        sizes, n_hidden, n_inputs = packing.batch_sizes, cells.shape[1], layers[0].shape[1]
        n, n_rows = sizes[0], packing.starts[-1]
        products = [StepWeights(w_h.to(inputs.dtype).contiguous()) for w_h in w_hs]
        grad_rows = ctx.workspace.take("grads", (groups, inputs.shape[1], 4 * n_hidden), inputs[:0])
        grad_rows[:, n_rows:] = 0
        grad_constant = None if constant is None else torch.zeros_like(constant)
        grad_h = cells.new_zeros(groups, n, n_hidden)
        grad_c = torch.zeros_like(grad_h)
        nothing = [None] * len(sizes)
        if not hidden.shape[1]:
            grad_hidden = None
        c_steps = packing.steps(cells, groups)
        steps = zip(
            sizes,
            (*sizes[1:], 0),
            packing.starts[:-1],
            (start, *c_steps[:-1]),
            zip(
                packing.steps(gates, groups),
                packing.steps(cell, groups),
                inverses[::2],
                inverses[1::2],
                strict=True,
            ),
            split_with_sizes(grad_rows[:, :n_rows], sizes, 1),
            nothing if masks is None else packing.steps(masks, groups),
            nothing if grad_hidden is None else split_with_sizes(grad_hidden, sizes),
            strict=True,
        )
        for n, n_next, first, before, kept, grad_of_step, m, given in reversed(list(steps)):
            dh, dc = grad_h[:, :n], grad_c[:, :n]
            if grad_last is not None and n > n_next:
                grad_h[:, n_next:n] += grad_last[:, n_next:n]
            if given is not None:
                dh += given
            grad = norms.backwards(
                dh, dc, before[:, :n], scaled(m, ctx.keep, cells), Normalised(*kept)
            )
            if grad_constant is not None:
                grad_constant[:n] += grad[0]
            grad_of_step.copy_(grad)
            for g in range(groups):
                rows = grad_rows[g, first : first + planned(n, sizes[0])]
                dh[g].copy_(products[g](rows)[:n])
        result: list[Tensor | None] = []
        for g, of_norms in enumerate(norms.gradients()):
            w = weight_gradient(inputs[g], grad_rows[g]).to(cells.dtype)  # (W, 4H)
            result += [None, w[n_hidden:][:n_inputs], w[:n_hidden], *of_norms]
        has_h0, has_c0 = ctx.has_state
        return (
            *(None, None, None, None, None, None),
            grad_constant,
            grad_h[0] if has_h0 else None,
            grad_c[0] if has_c0 else None,
            *result,
        )
