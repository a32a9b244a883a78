"""The arithmetic of every cell between its products: a forward and backward pair per cell.

Three tricks make a step cheap. tanh(a) = 2 sigmoid(2a) - 1, and a sigmoid takes a third of the time
of a tanh: the candidate's weights (after a norm: its gain and bias) are doubled once, so that all
four gates are one sigmoid, and the LSTM keeps its cell doubled, C = 2c. Nothing is allocated for
what the backward pass reads: results go into buffers of the ``Workspace``. And no operation has
operands of two types, Python's numbers included: torch converts one of them first, which for few
rows takes longer than the operation. On CUDA the functions of a step are put together by
torch.compile, see ``fused``.

Symbols: G layers side by side, N sequences, R rows (all steps of all sequences), n rows of a step,
I inputs, H hidden units, Y hidden units of a hyper cell's small network, D numbers per embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sketchrnn_cli.model.fused import fused
from sketchrnn_cli.model.one_product import (
    OneProductGates,
    double_candidate,
    with_doubled_candidate,
)
from sketchrnn_cli.model.recurrence import Run

aten = torch.ops.aten
EPSILON = 1e-3  # of layer normalisation, inside the root


class Constants(NamedTuple):
    """Numbers of the arithmetic in the type of the gates."""

    minus_one: Tensor  # scalar
    half: Tensor  # scalar

    @classmethod
    def of(cls, like: Tensor) -> Constants:
        """In this type, on this device."""
        return cls(like.new_full((), -1.0), like.new_full((), 0.5))

    def tanh_of_half(self, a: Tensor) -> Tensor:
        """Tanh of a / 2."""
        return torch.add(self.minus_one, a.sigmoid(), alpha=2)


# the LSTM


def lstm_forward(
    before: Tensor,
    products: Sequence[Tensor],
    factor: Tensor,
    constants: Constants,
    gates: Tensor,
    c: Tensor,
    h: Tensor,
) -> None:
    """From the products of a step to its state.

    Args:
        before: (G, n, H) doubled cell before the step.
        products: of every layer (n, 4H).
        factor: (G, n, H) or scalar, 4 over the keep probability, 0 where the candidate is dropped.
        constants: in the type of c.
        gates: (G, n, 4H) buffer: the gates, or in fewer bits their products.
        c: (G, n, H) buffer: doubled cell after the step.
        h: (G, n, H) buffer.
    """
    result = gates
    if gates.dtype != c.dtype:
        result = torch.empty_like(gates, dtype=c.dtype)
        for product, gate, kept in zip(products, result, gates, strict=True):
            kept.copy_(product)
            gate.copy_(product)
        result.sigmoid_()
    else:
        for product, gate in zip(products, gates, strict=True):
            torch.sigmoid(product, out=gate)
    i, f, o, s = result.chunk(4, dim=2)
    torch.mul(f, before, out=c)
    c.addcmul_(i, candidate(s, factor, constants))
    torch.mul(o, constants.tanh_of_half(c), out=h)


def lstm_backward(
    dh: Tensor,
    dc: Tensor,
    before: Tensor,
    factor: Tensor,
    constants: Constants,
    gates: Tensor,
    c: Tensor,
    grad_added: Tensor | None,
) -> None:
    """From the gradients of a step's state to that of its products.

    Args:
        dh: (G, n, H) gradient of h after the step.
        dc: (G, n, H) gradient of the doubled cell after the step; becomes that before it.
        before: as ``lstm_forward`` had it; so factor, constants and c.
        factor: the same.
        constants: the same.
        gates: of ``lstm_forward``; becomes the gradient of the products.
        c: the same.
        grad_added: (n, 4H) that the gradient of the products is added to, or None; for G = 1 only.
    """
    narrow = gates.dtype != c.dtype
    gate = gates.to(c.dtype).sigmoid_() if narrow else gates
    grad = torch.empty_like(gate)
    i, f, o, s = gate.chunk(4, dim=2)
    di, df, do, ds = grad.chunk(4, dim=2)
    t = constants.tanh_of_half(c)
    torch.mul(dh, t, out=do)  # h' = o tanh(C' / 2)
    dc.add_(aten.tanh_backward(dh * o, t), alpha=0.5)
    torch.mul(dc, before, out=df)  # C' = f C + i (s - 1/2) factor
    through_candidate(dc * factor, i, s, constants, di, ds)
    dc *= f
    result = grad if narrow else gates
    aten.sigmoid_backward(grad, gate, grad_input=result)
    if grad_added is not None:
        grad_added += result[0]
    if narrow:
        gates.copy_(grad)


def candidate(s: Tensor, factor: Tensor, constants: Constants) -> Tensor:
    """``factor / 2`` times j, of the sigmoid s of the candidate j = 2s - 1."""
    return torch.sub(s, constants.half).mul_(factor)


def through_candidate(
    kept: Tensor, i: Tensor, s: Tensor, constants: Constants, di: Tensor, ds: Tensor
) -> None:
    """From the gradient of i times ``candidate``, times its factor, into those of i and of s."""
    torch.sub(s, constants.half, out=di)
    di *= kept
    torch.mul(kept, i, out=ds)


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
        layers = list(zip(weights[1::3], weights[::3], weights[2::3], strict=True))
        self.lay_out(layers, added, doubled=True)
        self.gates = self.take_gradients("gates", 4 * n_hidden)
        self.gate_steps, self.before_steps = self.steps(self.gates), self.steps(self.cells[0])
        self.factors, self.constants = self.candidate_factors(4), Constants.of(self.like)

    def saved(self) -> Sequence[Tensor]:
        """See ``Gates``."""
        return self.inputs, self.states, self.gates, *self.cells

    def forward(self, t: int) -> None:
        """See ``Gates``."""
        _lstm_forward(
            self.before_steps[t],
            self.totals(t),
            self.factors[t],
            self.constants,
            self.gate_steps[t],
            self.cell_steps[0][t + 1],
            self.state_steps[t + 1],
        )
        self.keep_narrow(t)

    def backward(self, t: int) -> None:
        """See ``Gates``; the gradients of the gates take their place."""
        n = self.batch_sizes[t]
        dh, dc = self.grad_state[:, :n], self.grad_cells[0][:, :n]
        _lstm_backward(
            dh,
            dc,
            self.before_steps[t],
            self.factors[t],
            self.constants,
            self.gate_steps[t],
            self.cell_steps[0][t + 1],
            None if self.grad_added is None else self.grad_added[:n],
        )
        self.through_products(t, self.gates, dh)

    def grad_start(self) -> Tensor | None:
        """See ``Gates``."""
        self.grad_cells[0] *= 2
        return super().grad_start()

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """See ``Gates``."""
        weights = [part for layer in self.weight_gradients(self.gates) for part in layer]
        if self.grad_added is not None:
            double_candidate(self.grad_added)
        return self.grad_added, weights


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

    def __init__(self, norms: Sequence[Sequence[Tensor]]) -> None:
        """Of every layer gain and b (4H,), cell_gain and cell_b (H,)."""
        gains, bs, self.cell_gain, cell_b = (
            torch.stack(parts)[:, None] for parts in zip(*norms, strict=True)
        )
        self.n_hidden, self.constants = cell_b.shape[2], Constants.of(cell_b)
        self.twice_cell_gain, self.twice_cell_b = 2 * self.cell_gain, 2 * cell_b  # (G, 1, H)
        self.gain, self.b = with_doubled_candidate(gains), with_doubled_candidate(bs)
        self._sums = [torch.zeros_like(part[:, 0]) for part in (gains, bs, cell_b, cell_b)]

    def forward(
        self,
        total: Tensor,
        before: Tensor,
        factor: Tensor,
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
            factor: (G, n, H) or scalar, 2 over the keep probability, 0 where the candidate is
                dropped.
            gates: (G, n, 4H) buffer for the backward pass.
            cell: (G, n, H) the same.
            c: (G, n, H) buffer: c after the step.
            h: (G, n, H) buffer.
        """
        inverse = _normalise(total, self.n_hidden, gates)
        i, f, o, s = torch.addcmul(self.b, self.gain, gates).sigmoid_().chunk(4, dim=2)
        torch.mul(f, before, out=c)
        c.addcmul_(i, candidate(s, factor, self.constants))
        cell_inverse = _normalise(c, self.n_hidden, cell)
        torch.mul(o, self._tanh_of(cell), out=h)
        return Normalised(gates, cell, inverse, cell_inverse)

    def backward(
        self, dh: Tensor, dc: Tensor, before: Tensor, factor: Tensor, saved: Normalised
    ) -> Tensor:
        """Back through a step.

        Args:
            dh: (G, n, H) gradient of h after the step.
            dc: (G, n, H) gradient of c after the step; becomes that of c before it.
            before: (G, n, H) c before the step.
            factor: as ``forward`` had it.
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
        torch.mul(dc, before, out=df)
        through_candidate(dc * factor, i, s, self.constants, di, ds)
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
        return self.constants.tanh_of_half(twice)


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
        self.norms, self.factors = NormGates(norms), self.candidate_factors(2)
        self.before_steps = self.steps(self.cells[0])
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
            self.before_steps[t],
            self.factors[t],
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
        dh, dc = self.grad_state[:, :n], self.grad_cells[0][:, :n]
        grad = self.norms.backward(dh, dc, self.before_steps[t], self.factors[t], self.kept[t])
        self.grad_steps[t].copy_(grad)
        if self.grad_added is not None:
            self.grad_added[:n].add_(grad[0])
        self.through_products(t, self.grads, dh)

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """See ``Gates``."""
        weights: list[Tensor] = []
        layers = zip(self.weight_gradients(self.grads), self.norms.gradients(), strict=True)
        for (w_x, w_h, _), norms in layers:
            weights += [w_x, w_h, *norms]
        return self.grad_added, weights
