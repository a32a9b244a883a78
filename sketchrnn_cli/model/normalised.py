"""The arithmetic of an LSTM with layer normalisation between two products, both ways by hand.

A normalised sequence is: the sum of what the products give, made mean 0 and deviation 1 over the
units of every gate, times a gain, plus a bias; and the same for the cell before its tanh. Source:
Ba et al. 2016 (arXiv 1607.06450); eps inside the root and one bias a gate: magenta rnn.py,
LayerNormLSTMCell and layer_norm_all. The forget bias of 1 is inside ``b``.

As in ``lstm_sequence``, tanh(a) = 2 sigmoid(2a) - 1: gain and bias of the candidate and of the
cell are doubled once, and all four gates are one sigmoid.

Letters: G layers side by side, n rows of a step, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-3


class Normalised(NamedTuple):
    """What the way back needs of a step."""

    gates: Tensor  # (G, n, 4H) before gain and bias
    cell: Tensor  # (G, n, H) the same
    inverse: Tensor  # (4 G n, 1) one over the deviation of every gate
    cell_inverse: Tensor  # (G n, 1)


class Norms:
    """Gains and biases of G layers, and the gradients of them."""

    def __init__(
        self,
        gains: Sequence[Tensor],
        bs: Sequence[Tensor],
        cell_gains: Sequence[Tensor],
        cell_bs: Sequence[Tensor],
    ) -> None:
        """Of every layer gain and b (4H,), cell_gain and cell_b (H,)."""
        self.cell_gain = torch.stack(list(cell_gains))[:, None]  # (G, 1, H)
        self.n_hidden = self.cell_gain.shape[2]
        self.twice_cell_gain, self.twice_cell_b = (
            2 * self.cell_gain,
            2 * torch.stack(list(cell_bs))[:, None],
        )
        self.gain, self.b = (torch.stack(list(parts))[:, None] for parts in (gains, bs))
        for part in (self.gain, self.b):  # (G, 1, 4H)
            part[:, :, 3 * self.n_hidden :] *= 2
        self._sums = [
            torch.zeros_like(part[:, 0])
            for part in (self.gain, self.b, self.cell_gain, self.cell_gain)
        ]

    def forwards(
        self,
        total: Tensor,
        before: Tensor,
        mask: Tensor | None,
        *,
        gates: Tensor,
        cell: Tensor,
        c: Tensor,
    ) -> tuple[Tensor, Normalised]:
        """One step.

        Args:
            total: (G, n, 4H) what the products give; columns i, f, o, j.
            before: (G, n, H) c before the step.
            mask: (G, n, H) what the candidate is multiplied with, doubled; None: nothing.
            gates: (G, n, 4H) room for what the way back needs.
            cell: (G, n, H) the same.
            c: (G, n, H) room for c after the step.

        Returns:
            h after the step (G, n, H), and what ``backwards`` takes.
        """
        width = (self.n_hidden,)
        found, _, inverse = torch.native_layer_norm(
            total.reshape(-1, *width), width, None, None, EPSILON
        )
        gates.copy_(found.view(total.shape))
        i, f, o, s = torch.addcmul(self.b, self.gain, gates).sigmoid_().chunk(4, dim=2)
        torch.mul(f, before, out=c)
        c.addcmul_(i, _candidate(s, mask))
        found, _, cell_inverse = torch.native_layer_norm(
            c.reshape(-1, *width), width, None, None, EPSILON
        )
        cell.copy_(found.view(c.shape))
        return o * self._tanh_of(cell), Normalised(gates, cell, inverse, cell_inverse)

    def backwards(
        self, dh: Tensor, dc: Tensor, before: Tensor, mask: Tensor | None, kept: Normalised
    ) -> Tensor:
        """Back through a step.

        Args:
            dh: (G, n, H) gradient of h after the step.
            dc: (G, n, H) gradient of c after the step; becomes that of c before it.
            before: (G, n, H) c before the step.
            mask: as ``forwards`` had it.
            kept: of ``forwards``.

        Returns:
            (G, n, 4H) gradient of the sum of the products, a new tensor.
        """
        sigmoids = torch.addcmul(self.b, self.gain, kept.gates).sigmoid_()
        i, f, o, s = sigmoids.chunk(4, dim=2)
        t = self._tanh_of(kept.cell)
        grad = torch.empty_like(sigmoids)
        di, df, do, ds = grad.chunk(4, dim=2)
        torch.mul(dh, t, out=do)
        d_cell = torch.ops.aten.tanh_backward(dh * o, t)
        of_gain, of_b, of_cell_gain, of_cell_b = self._sums
        of_cell_b += d_cell.sum(1)
        of_cell_gain += (d_cell * kept.cell).sum(1)
        dc += _through(d_cell.mul_(self.cell_gain), kept.cell, kept.cell_inverse)
        torch.mul(dc, _candidate(s, mask), out=di)
        torch.mul(dc, before, out=df)
        torch.mul(dc, i, out=ds)
        ds *= 2 if mask is None else mask
        dc *= f
        torch.ops.aten.sigmoid_backward(grad, sigmoids, grad_input=sigmoids)
        of_b += sigmoids.sum(1)
        of_gain += torch.mul(sigmoids, kept.gates, out=grad).sum(1)
        return _through(sigmoids.mul_(self.gain), kept.gates, kept.inverse)

    def gradients(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Of every layer those of gain, b, cell_gain and cell_b, after all steps."""
        for part in self._sums[:2]:
            part[:, 3 * self.n_hidden :] *= 2
        gains, bs, cell_gains, cell_bs = self._sums
        return list(zip(gains, bs, cell_gains, cell_bs, strict=True))

    def _tanh_of(self, cell: Tensor) -> Tensor:
        twice = torch.addcmul(self.twice_cell_b, self.twice_cell_gain, cell)
        return twice.sigmoid_().mul_(2).sub_(1)


def scaled(mask: Tensor | None, keep: float, like: Tensor) -> Tensor | None:
    """A mask (uint8, 0 or 1) as ``Norms`` takes it."""
    return None if mask is None else mask.to(like.dtype).mul_(2 / keep)


def _candidate(s: Tensor, mask: Tensor | None) -> Tensor:
    """Mask times j of the sigmoid that stands for the candidate j = 2s - 1."""
    result = s - 0.5
    return result.mul_(2 if mask is None else mask)


def _through(grad: Tensor, normal: Tensor, inverse: Tensor) -> Tensor:
    """The gradient of what was normalised, from that of the result."""
    n_hidden = normal.numel() // len(inverse)
    rows = normal.reshape(-1, n_hidden)
    # what stands here was normalised already: mean 0 and deviation 1
    zeros, ones = torch.zeros_like(inverse), torch.ones_like(inverse)
    result: Tensor = torch.ops.aten.native_layer_norm_backward(
        grad.reshape(rows.shape), rows, [n_hidden], zeros, ones, None, None, [True, False, False]
    )[0]
    return result.mul_(inverse).view(grad.shape)
