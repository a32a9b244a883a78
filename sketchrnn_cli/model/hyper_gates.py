"""Gates of the HyperLSTM.

A small layer-norm LSTM reads x and h of the large one at every step, and its state scales the
large one's products, unit by unit: total = scale_x (x w_x) + scale_h (h w_h) + shift + sum_b, each
scale and shift a product of D numbers per gate with the small one's state. Then ``NormGates``.

Source: Ha et al. 2016 (arXiv 1609.09106), appendix A.2.3; magenta rnn.py, HyperLSTMCell.

Symbols: N sequences, R rows (all steps of all sequences), n rows of a step, I inputs, H hidden
units, Y hidden units of the small LSTM, D numbers per embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.gates import Normalised, NormGates
from sketchrnn_cli.model.one_product import laid_out
from sketchrnn_cli.model.onednn import StepWeights, weight_gradient
from sketchrnn_cli.model.recurrence import Gates, Run

N_SCALES = 8  # embeddings that scale: four gates of x, four of h; then come four that shift
N_EMBEDDINGS = 12


class HyperWeights(NamedTuple):
    """All weights of a layer; columns of the gates i, f, o, j."""

    w_x: Tensor  # (I, 4H)
    w_h: Tensor  # (H, 4H)
    sum_b: Tensor  # (4H,) added before the gates are normalised
    gain: Tensor  # (4H,) this and the next three: see ``NormGates``
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


class HyperGates(Gates):
    """A HyperLSTM with recurrent dropout on the candidate gate of the large one; G = 1."""

    def __init__(
        self, run: Run, start: Tensor | None, added: Tensor | None, weights: Sequence[Tensor]
    ) -> None:
        """Of the only layer ``HyperWeights``; added: (N, 4H + 4Y), of the large, then the small."""
        self.w = w = HyperWeights(*weights)
        n_hidden, n_small, n_embedding = len(w.w_h), len(w.small_w_h), w.scale_w.shape[1]
        super().__init__(run, start, (n_hidden, n_small), w.w_h)
        small = laid_out(run, self.width, w.small_w_y, w.small_w_h, w.small_w_x)
        self.small_products = StepWeights([small])
        self.products = StepWeights([w.w_h.to(run.compute).t().contiguous()])
        self.norms, self.small_norms = NormGates([w[3:7]]), NormGates([w[10:14]])
        self.factors, self.small_factor = self.candidate_factors(2), self.like.new_full((), 2.0)
        self.before_steps, self.small_before_steps = (self.steps(cell) for cell in self.cells)
        self.embed_bias = w.embed_bias
        self.added = self.small_added = None
        if added is not None:
            self.added = added[:, : 4 * n_hidden].contiguous()
            self.small_added = added[:, 4 * n_hidden :].to(run.compute).contiguous()
        self.buffers, self.views = [], {}
        for name, columns in (
            ("gates", 4 * n_hidden),
            ("cell", n_hidden),
            ("small gates", 4 * n_small),
            ("small cell", n_small),
            ("embedded", N_EMBEDDINGS * n_embedding),
            ("recurrent", 4 * n_hidden),
        ):
            buffer, self.views[name] = self.take_steps(name, columns)
            self.buffers.append(buffer)
        self.x_steps = split_with_sizes(run.xs[0], self.batch_sizes)
        self.kept: list[tuple[Normalised, Normalised]] = []
        n = self.batch_sizes[0]
        self.scales, self.grad_scales = (
            self.like.new_empty(N_EMBEDDINGS * n * n_hidden) for _ in range(2)
        )

    def saved(self) -> Sequence[Tensor]:
        """See ``Gates``."""
        return self.inputs, self.states, *self.cells, *self.buffers

    def forward(self, t: int) -> None:
        """See ``Gates``."""
        n, n_hidden, views, dtype = self.batch_sizes[t], self.sizes[0], self.views, self.like.dtype
        rows = self.inputs[:, self.taken(t)]
        added = None if self.small_added is None else self.small_added[: rows.shape[1]]
        y = self.state_steps[t + 1][:, :, n_hidden:]
        small = self.small_norms.forward(
            self.small_products(rows, added)[0][None, :n].to(dtype),
            self.small_before_steps[t],
            self.small_factor,
            gates=views["small gates"][t],
            cell=views["small cell"][t],
            c=self.cell_steps[1][t + 1],
            h=y,
        )
        torch.addmm(self.embed_bias, y[0], self.w.embed_w, out=views["embedded"][t][0])
        scale, read = self._scale_and_read(t)
        recurrent = views["recurrent"][t][0]
        recurrent.copy_(self.products(rows[:, :, :n_hidden])[0][:n])
        total = self.like.new_empty(n, 4 * n_hidden)
        by_gate = _by_gate(total)
        torch.add(scale[N_SCALES:], self.w.sum_b.view(4, 1, n_hidden), out=by_gate)
        by_gate.addcmul_(scale[:4], _by_gate(read))
        by_gate.addcmul_(scale[4:N_SCALES], _by_gate(recurrent))
        large = self.norms.forward(
            total[None],
            self.before_steps[t],
            self.factors[t],
            gates=views["gates"][t],
            cell=views["cell"][t],
            c=self.cell_steps[0][t + 1],
            h=self.state_steps[t + 1][:, :, :n_hidden],
        )
        self.kept.append((large, small))
        self.keep_narrow(t)

    def begin_backward(self, grad_last: Tensor | None) -> None:
        """See ``Gates``."""
        super().begin_backward(grad_last)
        w, compute = self.w, self.run.compute
        self.back_products = StepWeights([w.w_h.to(compute).contiguous()])
        self.back_small = StepWeights([torch.cat([w.small_w_y, w.small_w_h]).to(compute)])
        self.grads = self.take_gradients("grads", w.w_h.shape[1])
        self.small_grads = self.take_gradients("small grads", w.small_w_h.shape[1])
        self.grad_steps, self.small_grad_steps = (
            self.steps(self.grads),
            self.steps(self.small_grads),
        )
        shape = (self.run.packing.n_rows, w.embed_w.shape[1])
        self.grad_embedded = self.run.workspace.take("grad embedded", shape, self.like)
        self.grad_embedded_steps = split_with_sizes(self.grad_embedded, self.batch_sizes)
        n_added = w.w_h.shape[1] + w.small_w_h.shape[1]
        self.grad_added = None
        if self.added is not None:
            self.grad_added = self.like.new_zeros(self.batch_sizes[0], n_added)
        self.grad_w_x, self.grad_sum_b, self.grad_scale_w = (
            torch.zeros_like(part) for part in (w.w_x, w.sum_b, w.scale_w)
        )

    def backward(self, t: int) -> None:
        """See ``Gates``."""
        n, n_hidden = self.batch_sizes[t], self.sizes[0]
        state = self.grad_state[0, :n]
        dh, dy = state[:, :n_hidden], state[:, n_hidden:]
        large, small = self.kept[t]
        grad = self.norms.backward(
            dh[None],
            self.grad_cells[0][:, :n],
            self.before_steps[t],
            self.factors[t],
            large,
        )[0]
        dy += self._through_scales(t, grad)
        small_grad = self.small_norms.backward(
            dy[None],
            self.grad_cells[1][:, :n],
            self.small_before_steps[t],
            self.small_factor,
            small,
        )[0]
        if self.grad_added is not None:
            self.grad_added[:n, : 4 * n_hidden] += grad
            self.grad_added[:n, 4 * n_hidden :] += small_grad
        self.small_grad_steps[t][0] = small_grad
        taken = self.taken(t)
        state.copy_(self.back_small(self.small_grads[:, taken])[0][:n])
        dh += self.back_products(self.grads[:, taken])[0][:n]

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """See ``Gates``."""
        w, n, n_hidden = self.w, self.batch_sizes[0], self.sizes[0]
        n_inputs, n_rows = len(w.w_x), self.run.packing.n_rows
        dtype = self.like.dtype
        grad_w_h = weight_gradient(self.inputs[0, :, :n_hidden], self.grads[0], dtype)
        sizes = [*self.sizes, n_inputs, self.width - self.n_state - n_inputs]
        small = weight_gradient(self.inputs[0], self.small_grads[0], dtype)
        small_w_y, small_w_h, small_w_x, _ = split_with_sizes(small, sizes)
        ys = self.states[0, n : n + n_rows, n_hidden : self.n_state]
        weights = (
            *(self.grad_w_x, grad_w_h, self.grad_sum_b),
            *self.norms.gradients()[0],
            *(small_w_x, small_w_y, small_w_h),
            *self.small_norms.gradients()[0],
            ys.t() @ self.grad_embedded,
            self.grad_embedded[:, : len(w.embed_b)].sum(0),
            self.grad_scale_w,
        )
        return self.grad_added, HyperWeights._make(weights)

    def _scale_and_read(self, t: int) -> tuple[Tensor, Tensor]:
        """Scales and shifts of a step (12, n, H), and what x and the constant inputs give."""
        n, x, w_x = self.batch_sizes[t], self.x_steps[t], self.w.w_x
        scale = self.scales[: N_EMBEDDINGS * n * self.sizes[0]].view(N_EMBEDDINGS, n, -1)
        torch.bmm(_by_embedding(self.views["embedded"][t][0]), self.w.scale_w, out=scale)
        return scale, x @ w_x if self.added is None else torch.addmm(self.added[:n], x, w_x)

    def _through_scales(self, t: int, grad: Tensor) -> Tensor:
        """Back from the sum of the products to what made it.

        Args:
            t: the step.
            grad: (n, 4H) gradient of the sum; becomes that of x w_x and the constant inputs.

        Returns:
            (n, Y) gradient of the small state.
        """
        scale, read = self._scale_and_read(t)
        grad_scale = self.grad_scales[: scale.numel()].view(scale.shape)
        by_embedding = _by_embedding(self.views["embedded"][t][0])
        self.grad_sum_b += grad.sum(0)
        by_gate = _by_gate(grad)
        torch.mul(by_gate, _by_gate(read), out=grad_scale[:4])
        torch.mul(by_gate, _by_gate(self.views["recurrent"][t][0]), out=grad_scale[4:N_SCALES])
        grad_scale[N_SCALES:] = by_gate
        _by_gate(self.grad_steps[t][0]).copy_(by_gate * scale[4:N_SCALES])
        by_gate *= scale[:4]
        self.grad_w_x.addmm_(self.x_steps[t].t(), grad)
        self.grad_scale_w.baddbmm_(by_embedding.transpose(1, 2), grad_scale)
        grad_embedded = self.grad_embedded_steps[t]
        out = _by_embedding(grad_embedded)
        torch.bmm(grad_scale, self.w.scale_w.transpose(1, 2), out=out)
        return grad_embedded @ self.w.embed_w.t()


def _by_gate(rows: Tensor) -> Tensor:
    """(4, n, H) of (n, 4H), the same memory."""
    return rows.view(len(rows), 4, -1).transpose(0, 1)


def _by_embedding(rows: Tensor) -> Tensor:
    """(12, n, D) of (n, 12 D), the same memory."""
    return rows.view(len(rows), N_EMBEDDINGS, -1).transpose(0, 1)
