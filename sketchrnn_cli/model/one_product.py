"""Gates whose products are one per layer and step: of h, x and 1.

Symbols: G layers side by side, N sequences, n rows of a step, I inputs, O outputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.onednn import StepWeights, weight_gradient
from sketchrnn_cli.model.recurrence import Gates, Run


def laid_out(run: Run, width: int, *parts: Tensor, doubled: bool = False) -> Tensor:
    """Weights (O, width) of the rows of ``Gates.inputs``: of the state, of x, of 1; then zeros.

    Args:
        run: for the type of the products.
        width: of the rows.
        parts: (inputs, O) or (O,) each.
        doubled: whether columns j of O are doubled.
    """
    stacked = parts[0].new_zeros(width, parts[0].shape[-1], dtype=run.compute)
    sizes = [len(part) if part.dim() == 2 else 1 for part in parts]
    for rows, part in zip(split_with_sizes(stacked[: sum(sizes)], sizes), parts, strict=True):
        rows.copy_(part)
    if doubled:
        double_candidate(stacked)
    return stacked.t().contiguous()


def double_candidate(columns: Tensor) -> None:
    """Double j of columns i, f, o, j in place."""
    columns[..., 3 * (columns.shape[-1] // 4) :] *= 2


def with_doubled_candidate(columns: Tensor) -> Tensor:
    """A copy of columns i, f, o, j with those of j doubled."""
    result = columns.clone()
    double_candidate(result)
    return result


class OneProductGates(Gates):
    """Gates of one product per layer and step: of h, x and 1."""

    def lay_out(
        self,
        layers: Sequence[Sequence[Tensor]],
        added: Tensor | None,
        *,
        doubled: bool = False,
    ) -> None:
        """Take of every layer the weights of h, x and, where they count, 1; columns (4H).

        Args:
            layers: the weights as they are.
            added: what is added to the products, as it is.
            doubled: whether columns j of all of them are doubled.
        """
        self.w_hs, self.doubled = [layer[0] for layer in layers], doubled
        self.products = StepWeights(
            [laid_out(self.run, self.width, *layer, doubled=doubled) for layer in layers]
        )
        if added is not None and doubled:
            added = with_doubled_candidate(added)
        self.added = None if added is None else added.to(self.run.compute)
        self.grad_added: Tensor | None = None

    def totals(self, t: int) -> list[Tensor]:
        """Products of a step, (n, 4H) of every layer."""
        n, rows = self.batch_sizes[t], self.inputs[:, self.taken(t)]
        added = None if self.added is None else self.added[: rows.shape[1]]
        products = self.products(rows, added)
        return list(products) if rows.shape[1] == n else [product[:n] for product in products]

    def begin_backward(self, grad_last: Tensor | None) -> None:
        """See ``Gates``."""
        super().begin_backward(grad_last)
        w_hs = [w_h.to(self.run.compute).contiguous() for w_h in self.w_hs]
        if self.doubled:
            w_hs = [with_doubled_candidate(w_h) for w_h in w_hs]
        self.back_products = StepWeights(w_hs)
        if self.added is not None:
            self.grad_added = torch.zeros_like(self.added, dtype=self.like.dtype)

    def through_products(self, t: int, grads: Tensor, dh: Tensor) -> None:
        """From a step's gradients of the products, in their buffer, to that of h before it."""
        products = self.back_products(grads[:, self.taken(t)])
        for part, product in zip(dh, products, strict=True):
            part.copy_(product[: len(part)])

    def weight_gradients(self, grads: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of every layer those of w_x (I, 4H), w_h (H, 4H) and b (4H,)."""
        n_inputs = self.run.xs[0].shape[1]
        sizes = [self.n_state, n_inputs, 1, self.width - self.n_state - n_inputs - 1]
        result = []
        for inputs, grad in zip(self.inputs, grads, strict=True):
            w = weight_gradient(inputs, grad, self.like.dtype)  # (W, 4H)
            if self.doubled:
                double_candidate(w)
            w_h, w_x, b, _ = split_with_sizes(w, sizes)
            result.append((w_x, w_h, b[0]))
        return result
