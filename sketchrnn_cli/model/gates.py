"""The arithmetic of every cell between its products: a forward and backward pair per cell.

Two tricks make a step cheap. tanh(a) = 2 sigmoid(2a) - 1, and a sigmoid takes a third of the time
of a tanh: the candidate's weights (after a norm: its gain and bias) are doubled once, so that all
four gates are one sigmoid, and the LSTM keeps its cell doubled, C = 2c. And nothing is allocated
for what the backward pass reads: results go into buffers of the ``Workspace``. On CUDA the
functions of a step are put together by torch.compile, see ``fused``.

Symbols: G layers side by side, N sequences, R rows (all steps of all sequences), n rows of a step,
I inputs, H hidden units, Y hidden units of a hyper cell's small network, D numbers per embedding.
"""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.onednn import StepWeights, weight_gradient
from sketchrnn_cli.model.recurrence import Gates, Run

aten = torch.ops.aten
EPSILON = 1e-3  # of layer normalisation, inside the root


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


def laid_out(run: Run, width: int, *parts: Tensor) -> Tensor:
    """Weights (O, width) of the rows of ``Gates.inputs``: of the state, of x, of 1; then zeros."""
    stacked = torch.cat([part if part.dim() == 2 else part[None] for part in parts])
    result = stacked.new_zeros(stacked.shape[1], width)
    result[:, : len(stacked)] = stacked.t()
    return result.to(run.compute)


def with_doubled_candidate(columns: Tensor) -> Tensor:
    """A copy of columns i, f, o, j with those of j doubled."""
    result = columns.clone()
    result[..., 3 * (columns.shape[-1] // 4) :] *= 2
    return result


class OneProductGates(Gates):
    """Gates of one product per layer and step: of h, x and 1."""

    def lay_out(self, layers: Sequence[Sequence[Tensor]], added: Tensor | None) -> None:
        """Take of every layer the weights of h, x and, where they count, 1; columns (4H)."""
        self.w_hs = [layer[0] for layer in layers]
        self.products = StepWeights([laid_out(self.run, self.width, *layer) for layer in layers])
        self.added = None if added is None else added.to(self.run.compute)
        self.grad_added: Tensor | None = None

    def totals(self, t: int) -> list[Tensor]:
        """Products of a step, (n, 4H) of every layer."""
        rows = self.inputs[:, self.taken(t)]
        added = None if self.added is None else self.added[: rows.shape[1]]
        return [product[: self.batch_sizes[t]] for product in self.products(rows, added)]

    def begin_backward(self, grad_last: Tensor | None) -> None:
        """See ``Gates``."""
        super().begin_backward(grad_last)
        w_hs = [w_h.to(self.run.compute).contiguous() for w_h in self.w_hs]
        self.back_products = StepWeights(w_hs)
        if self.added is not None:
            self.grad_added = torch.zeros_like(self.added, dtype=self.like.dtype)

    def through_products(self, t: int, grads: Tensor, grad: Tensor) -> None:
        """From a step's gradient of the products, in its buffer, to that of h before it."""
        n = self.batch_sizes[t]
        if self.grad_added is not None:
            self.grad_added[:n] += grad[0]
        rows = grads[:, self.taken(t)]
        for dh, product in zip(self.grad_state, self.back_products(rows), strict=True):
            dh[:n] = product[:n]

    def weight_gradients(self, grads: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of every layer those of w_x (I, 4H), w_h (H, 4H) and b (4H,)."""
        n_inputs = self.run.xs[0].shape[1]
        sizes = [self.n_state, n_inputs, 1, self.width - self.n_state - n_inputs - 1]
        result = []
        for inputs, grad in zip(self.inputs, grads, strict=True):
            w = weight_gradient(inputs, grad).to(self.like.dtype)  # (W, 4H)
            w_h, w_x, b, _ = split_with_sizes(w, sizes)
            result.append((w_x, w_h, b[0]))
        return result


# the LSTM


def lstm_forward(
    before: Tensor,
    products: Sequence[Tensor],
    mask: Tensor | None,
    keep: float,
    gates: Tensor,
    c: Tensor,
    h: Tensor,
) -> None:
    """From the products of a step to its state.

    Args:
        before: (G, n, H) doubled cell before the step.
        products: of every layer (n, 4H).
        mask: (G, n, H) uint8, 0 where the candidate is dropped, or None.
        keep: keep probability.
        gates: (G, n, 4H) buffer: the gates, or in fewer bits their products.
        c: (G, n, H) buffer: doubled cell after the step.
        h: (G, n, H) buffer.
    """
    result = gates if gates.dtype == c.dtype else torch.empty_like(gates, dtype=c.dtype)
    for product, gate, kept in zip(products, result, gates, strict=True):
        if gates.dtype != c.dtype:
            kept.copy_(product)
        torch.sigmoid(product.to(c.dtype), out=gate)
    i, f, o, s = result.chunk(4, dim=2)
    torch.mul(f, before, out=c)
    c.addcmul_(i, candidate(s, mask, 4, keep))
    torch.mul(o, c.sigmoid().mul_(2).sub_(1), out=h)


def lstm_backward(
    dh: Tensor,
    dc: Tensor,
    before: Tensor,
    mask: Tensor | None,
    keep: float,
    gates: Tensor,
    c: Tensor,
) -> None:
    """From the gradients of a step's state to that of its products.

    Args:
        dh: (G, n, H) gradient of h after the step.
        dc: (G, n, H) gradient of the doubled cell after the step; becomes that before it.
        before: as ``lstm_forward`` had it; so mask, keep and c.
        mask: the same.
        keep: the same.
        gates: of ``lstm_forward``; becomes the gradient of the products.
        c: the same.
    """
    narrow = gates.dtype != c.dtype
    gate = gates.to(c.dtype).sigmoid_() if narrow else gates
    grad = torch.empty_like(gate)
    i, f, o, s = gate.chunk(4, dim=2)
    di, df, do, dj = grad.chunk(4, dim=2)
    t = c.sigmoid().mul_(2).sub_(1)
    torch.mul(dh, t, out=do)  # h' = o tanh(C' / 2)
    dc.add_(aten.tanh_backward(dh * o, t), alpha=0.5)
    torch.mul(dc, candidate(s, mask, 4, keep), out=di)  # C' = f C + i (2 mask j)
    torch.mul(dc, before, out=df)
    torch.mul(dc, i, out=dj)
    dj *= 4 / keep
    if mask is not None:
        dj *= mask
    dc *= f
    aten.sigmoid_backward(grad, gate, grad_input=gate)
    if narrow:
        gates.copy_(gate)


def candidate(s: Tensor, mask: Tensor | None, factor: float, keep: float) -> Tensor:
    """``factor / 2`` times mask / keep times j, of the sigmoid s of the candidate j = 2s - 1."""
    result = (s - 0.5).mul_(factor / keep)
    return result if mask is None else result.mul_(mask)


_lstm_forward, _lstm_backward = fused(lstm_forward), fused(lstm_backward)


class LSTMGates(OneProductGates):
    """LSTMs with recurrent dropout on the candidate gate.

    Gates of a row: i, f, o = sigmoid and j = tanh of ``added + x w_x + h w_h + b``; then
    c' = f c + i (mask j) and h' = o tanh(c'). Source: Ha & Eck 2017, appendix; dropout without
    memory loss: Semeniuta et al. 2016 (arXiv 1603.05118), equation 10.
    """

    def __init__(
        self, run: Run, start: Tensor | None, added: Tensor | None, weights: Sequence[Tensor]
    ) -> None:
        """Of every layer w_x (I, 4H), w_h (H, 4H) and b (4H,)."""
        n_hidden = len(weights[1])
        super().__init__(run, start, (n_hidden,), weights[1])
        self.cells[0][:, : self.batch_sizes[0]] *= 2
        doubled = [with_doubled_candidate(part) for part in weights]
        layers = list(zip(doubled[1::3], doubled[::3], doubled[2::3], strict=True))
        self.lay_out(layers, None if added is None else with_doubled_candidate(added))
        self.gates = self.take_gradients("gates", 4 * n_hidden)
        self.gate_steps = self.steps(self.gates)

    def saved(self) -> Sequence[Tensor]:
        """See ``Gates``."""
        return self.inputs, self.states, self.gates, *self.cells

    def forward(self, t: int) -> None:
        """See ``Gates``."""
        before, after = self.cell_steps[0][t][:, : self.batch_sizes[t]], self.cell_steps[0][t + 1]
        state, gates = self.state_steps[t + 1], self.gate_steps[t]
        _lstm_forward(before, self.totals(t), self.masks[t], self.keep, gates, after, state)
        self.keep_narrow(t)

    def backward(self, t: int) -> None:
        """See ``Gates``; the gradients of the gates take their place."""
        n, gates = self.batch_sizes[t], self.gate_steps[t]
        dh, dc = self.grad_state[:, :n], self.grad_cells[0][:, :n]
        before, after = self.cell_steps[0][t][:, :n], self.cell_steps[0][t + 1]
        _lstm_backward(dh, dc, before, self.masks[t], self.keep, gates, after)
        self.through_products(t, self.gates, gates)

    def grad_start(self) -> Tensor | None:
        """See ``Gates``."""
        self.grad_cells[0] *= 2
        return super().grad_start()

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """See ``Gates``."""
        layers = self.weight_gradients(self.gates)
        weights = [with_doubled_candidate(part) for layer in layers for part in layer]
        added = self.grad_added
        return None if added is None else with_doubled_candidate(added), weights


# cells with layer normalisation


class Normalised(NamedTuple):
    """Activations of a step saved for the backward pass."""

    gates: Tensor  # (G, n, 4H) before gain and bias
    cell: Tensor  # (G, n, H) the same
    inverse: Tensor  # (4 G n, 1) one over the deviation of every gate
    cell_inverse: Tensor  # (G n, 1)


class NormGates:
    """Forward and backward of layer-normalised LSTM gates.

    The sum of the products is made mean 0 and deviation 1 over the units of every gate, times a
    gain, plus a bias; and so is the cell before its tanh. Source: Ba et al. 2016 (arXiv
    1607.06450); epsilon inside the root and one bias per gate: magenta rnn.py, LayerNormLSTMCell
    and layer_norm_all. The forget bias of 1 is inside ``b``.
    """

    def __init__(self, norms: Sequence[Sequence[Tensor]], keep: float) -> None:
        """Of every layer gain and b (4H,), cell_gain and cell_b (H,)."""
        gains, bs, self.cell_gain, cell_b = (
            torch.stack(parts)[:, None] for parts in zip(*norms, strict=True)
        )
        self.keep, self.n_hidden = keep, cell_b.shape[2]
        self.twice_cell_gain, self.twice_cell_b = 2 * self.cell_gain, 2 * cell_b  # (G, 1, H)
        self.gain, self.b = with_doubled_candidate(gains), with_doubled_candidate(bs)
        self._sums = [torch.zeros_like(part[:, 0]) for part in (gains, bs, cell_b, cell_b)]

    def forward(
        self,
        total: Tensor,
        before: Tensor,
        mask: Tensor | None,
        *,
        gates: Tensor,
        cell: Tensor,
        c: Tensor,
        h: Tensor,
    ) -> Normalised:
        """One step.

        Args:
            total: (G, n, 4H) sum of the products; columns i, f, o, j.
            before: (G, n, H) c before the step.
            mask: (G, n, H) bool, False where the candidate is dropped, or None.
            gates: (G, n, 4H) buffer for the backward pass.
            cell: (G, n, H) the same.
            c: (G, n, H) buffer: c after the step.
            h: (G, n, H) buffer.
        """
        inverse = _normalise(total, self.n_hidden, gates)
        i, f, o, s = torch.addcmul(self.b, self.gain, gates).sigmoid_().chunk(4, dim=2)
        torch.mul(f, before, out=c)
        c.addcmul_(i, candidate(s, mask, 2, self.keep))
        cell_inverse = _normalise(c, self.n_hidden, cell)
        torch.mul(o, self._tanh_of(cell), out=h)
        return Normalised(gates, cell, inverse, cell_inverse)

    def backward(
        self, dh: Tensor, dc: Tensor, before: Tensor, mask: Tensor | None, saved: Normalised
    ) -> Tensor:
        """Back through a step.

        Args:
            dh: (G, n, H) gradient of h after the step.
            dc: (G, n, H) gradient of c after the step; becomes that of c before it.
            before: (G, n, H) c before the step.
            mask: as ``forward`` had it.
            saved: of ``forward``.

        Returns:
            (G, n, 4H) gradient of the sum of the products, a new tensor.
        """
        sigmoids = torch.addcmul(self.b, self.gain, saved.gates).sigmoid_()
        i, f, o, s = sigmoids.chunk(4, dim=2)
        t = self._tanh_of(saved.cell)
        grad = torch.empty_like(sigmoids)
        di, df, do, ds = grad.chunk(4, dim=2)
        torch.mul(dh, t, out=do)
        d_cell = aten.tanh_backward(dh * o, t)
        of_gain, of_b, of_cell_gain, of_cell_b = self._sums
        of_cell_b += d_cell.sum(1)
        of_cell_gain += (d_cell * saved.cell).sum(1)
        dc += _through(d_cell.mul_(self.cell_gain), saved.cell, saved.cell_inverse)
        torch.mul(dc, candidate(s, mask, 2, self.keep), out=di)
        torch.mul(dc, before, out=df)
        torch.mul(dc, i, out=ds)
        ds *= 2 / self.keep
        if mask is not None:
            ds *= mask
        dc *= f
        aten.sigmoid_backward(grad, sigmoids, grad_input=sigmoids)
        of_b += sigmoids.sum(1)
        of_gain += torch.mul(sigmoids, saved.gates, out=grad).sum(1)
        return _through(sigmoids.mul_(self.gain), saved.gates, saved.inverse)

    def gradients(self) -> list[tuple[Tensor, ...]]:
        """Of every layer those of gain, b, cell_gain and cell_b, after all steps."""
        gains, bs, cell_gains, cell_bs = self._sums
        parts = (with_doubled_candidate(gains), with_doubled_candidate(bs), cell_gains, cell_bs)
        return list(zip(*parts, strict=True))

    def _tanh_of(self, cell: Tensor) -> Tensor:
        twice = torch.addcmul(self.twice_cell_b, self.twice_cell_gain, cell)
        return twice.sigmoid_().mul_(2).sub_(1)


def _normalise(values: Tensor, n_hidden: int, result: Tensor) -> Tensor:
    """Write every H values normalised into a buffer; returns one over their deviations."""
    rows = values.reshape(-1, n_hidden)
    found, _, inverse = torch.native_layer_norm(rows, (n_hidden,), None, None, EPSILON)
    result.copy_(found.view(values.shape))
    return inverse


def _through(grad: Tensor, normal: Tensor, inverse: Tensor) -> Tensor:
    """Gradient wrt what was normalised, from that wrt the result."""
    n_hidden = normal.numel() // len(inverse)
    rows = normal.reshape(-1, n_hidden)
    # normalised already: mean 0 and deviation 1
    zeros, ones = torch.zeros_like(inverse), torch.ones_like(inverse)
    result: Tensor = aten.native_layer_norm_backward(
        grad.reshape(rows.shape), rows, [n_hidden], zeros, ones, None, None, [True, False, False]
    )[0]
    return result.mul_(inverse).view(grad.shape)


class LayerNormGates(OneProductGates):
    """LSTMs with normalised gates and cells, and recurrent dropout on the candidate gate."""

    def __init__(
        self, run: Run, start: Tensor | None, added: Tensor | None, weights: Sequence[Tensor]
    ) -> None:
        """Of every layer w_x (I, 4H), w_h (H, 4H), gain and b (4H,), cell_gain and cell_b (H,)."""
        n_hidden = len(weights[1])
        super().__init__(run, start, (n_hidden,), weights[1])
        self.lay_out(list(zip(weights[1::6], weights[::6], strict=True)), added)
        norms = [weights[k + 2 : k + 6] for k in range(0, len(weights), 6)]
        self.norms = NormGates(norms, self.keep)
        self.gates, self.gate_steps = self.take_steps("gates", 4 * n_hidden)
        self.cell, self.normal_steps = self.take_steps("cell", n_hidden)
        self.kept: list[Normalised] = []

    def saved(self) -> Sequence[Tensor]:
        """See ``Gates``."""
        return self.inputs, self.states, self.gates, self.cell, *self.cells

    def forward(self, t: int) -> None:
        """See ``Gates``."""
        totals = self.totals(t)
        total = totals[0][None] if len(totals) == 1 else torch.stack(totals)
        saved = self.norms.forward(
            total.to(self.like.dtype),
            self.cell_steps[0][t][:, : self.batch_sizes[t]],
            self.masks[t],
            gates=self.gate_steps[t],
            cell=self.normal_steps[t],
            c=self.cell_steps[0][t + 1],
            h=self.state_steps[t + 1],
        )
        self.kept.append(saved)
        self.keep_narrow(t)

    def begin_backward(self, grad_last: Tensor | None) -> None:
        """See ``Gates``."""
        super().begin_backward(grad_last)
        self.grads = self.take_gradients("grads", 4 * self.n_state)
        self.grad_steps = self.steps(self.grads)

    def backward(self, t: int) -> None:
        """See ``Gates``."""
        n = self.batch_sizes[t]
        dh, dc, before = self.grad_state[:, :n], self.grad_cells[0][:, :n], self.cell_steps[0][t]
        grad = self.norms.backward(dh, dc, before[:, :n], self.masks[t], self.kept[t])
        self.grad_steps[t].copy_(grad)
        self.through_products(t, self.grads, grad)

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """See ``Gates``."""
        weights: list[Tensor] = []
        layers = zip(self.weight_gradients(self.grads), self.norms.gradients(), strict=True)
        for (w_x, w_h, _), norms in layers:
            weights += [w_x, w_h, *norms]
        return self.grad_added, weights
