"""Recurrent layers over packed rows: the only loop over steps, for every cell and any device.

The states of a batch lie in one buffer, region after region: region 0 holds the state before the
first step, region t + 1 those after step t. So the first rows of region t are what step t reads,
nothing is copied from one step to the next, and the states after all steps are one view. A row
holds the state, x, 1 and zeros side by side: a step is one product per layer, and so is the
gradient of its weights. The rows of sequences that have ended have a gradient of zero.

What a cell does between its products is a pair of ``gates``. Layers that run side by side (the two
directions of the encoder) share every operation but their products, as G groups of rows.

Symbols: G layers side by side, N sequences, T steps, R rows (all steps of all sequences), n rows
of a step, I inputs, S state size (H hidden units, and Y of a hyper cell's small network).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.onednn import PADDED_TO, ROWS_PADDED_TO, padded, planned
from sketchrnn_cli.model.packing import Packing, Workspace, copied


@dataclass(frozen=True, slots=True)
class Run:
    """One forward and backward pass of layers of one size over a packed batch."""

    packing: Packing
    workspace: Workspace
    xs: tuple[Tensor, ...]  # of each layer (R, I); they get no gradient
    compute: torch.dtype  # of the products; gates, cells and sums are in the weights' own
    mask: Tensor | None  # (G R, H) bool, False where dropped; a step's groups one after the other
    keep: float  # keep probability of recurrent dropout


class Gates:
    """Base of the gate pairs: the states of a batch and their gradients.

    A gate pair adds its products and its arithmetic: ``forward(t)`` writes the state after step t,
    ``backward(t)`` turns the gradients wrt the state after step t into those wrt the state before.
    """

    def __init__(self, run: Run, start: Tensor | None, sizes: Sequence[int], like: Tensor) -> None:
        """Lay out the buffers.

        Args:
            run: the batch.
            start: (N, 2S) state before the first step, c and h of every size in turn, or None:
                zeros; for G = 1 only.
            sizes: parts of S: H, and Y.
            like: of the type of the weights.
        """
        packing, self.run, self.like = run.packing, run, like
        self.sizes, self.n_groups, self.has_start = list(sizes), len(run.xs), start is not None
        self.batch_sizes = packing.batch_sizes
        n, n_inputs = packing.n_sequences, run.xs[0].shape[1]
        self.n_state = n_state = sum(sizes)
        self.n_padded = padded(n + packing.n_rows, ROWS_PADDED_TO)
        self.width = padded(n_state + n_inputs + 1, PADDED_TO)
        self.narrow = run.compute is not like.dtype
        self.firsts = (0, *(n + first for first in packing.starts[:-1]))  # (T + 1,) of regions
        read, self.ended, self.ends = self._row_numbers()
        self.inputs = self.take("inputs", self.width, narrow=True)
        self.inputs[:, n + packing.n_rows :] = 0
        self.inputs[:, :, n_state:] = 0
        self.inputs[:, :, n_state + n_inputs] = 1
        for g, x in enumerate(run.xs):
            part = self.inputs[g, :, n_state : n_state + n_inputs]
            part.index_copy_(0, read, x.to(run.compute))
        # states in full precision: the same memory, where the products are in it too
        self.states = self.take("states", n_state) if self.narrow else self.inputs
        self.cells = [self.take(f"cells {k}", size) for k, size in enumerate(sizes)]
        parts = [None] * (2 * len(sizes)) if start is None else self.parts(start)
        at = 0
        for size, cell, c, h in zip(sizes, self.cells, parts[::2], parts[1::2], strict=True):
            cell[:, :n] = 0 if c is None else c
            self.inputs[:, :n, at : at + size] = 0 if h is None else h
            at += size
        self.state_steps = self.regions(self.states[:, :, :n_state])
        self.cell_steps = [self.regions(cell) for cell in self.cells]
        self.narrow_steps = self.regions(self.inputs[:, :, :n_state]) if self.narrow else None

    def take(self, name: str, columns: int, *, narrow: bool = False) -> Tensor:
        """A buffer (G, rows of all regions, columns), in the type of the products if narrow."""
        like = self.like.new_empty(0, dtype=self.run.compute) if narrow else self.like
        return self.run.workspace.take(name, (self.n_groups, self.n_padded, columns), like)

    def take_gradients(self, name: str, columns: int) -> Tensor:
        """A buffer for gradients of products, zero where no step writes."""
        result = self.take(name, columns, narrow=True)
        result.index_fill_(1, self.ended, 0)
        result[:, self.firsts[-1] :] = 0
        return result

    def take_steps(self, name: str, columns: int) -> tuple[Tensor, list[Tensor]]:
        """A buffer of the rows (G R, columns) alone, and views (G, n, columns) of every step."""
        shape = (self.n_groups * self.run.packing.n_rows, columns)
        rows = self.run.workspace.take(name, shape, self.like)
        return rows, self.run.packing.steps(rows, self.n_groups)

    def regions(self, buffer: Tensor) -> Sequence[Tensor]:
        """(T + 1) views (G, n, columns) of the rows of every region."""
        n = self.batch_sizes[0]
        return split_with_sizes(buffer[:, : n + self.run.packing.n_rows], (n, *self.batch_sizes), 1)

    def steps(self, buffer: Tensor) -> Sequence[Tensor]:
        """(T) views (G, n, columns) of the rows that every step reads."""
        sizes, before = [], self.batch_sizes[0]
        for n in self.batch_sizes:
            sizes += [n, before - n]
            before = n
        rows = buffer[:, : self.batch_sizes[0] + self.run.packing.n_rows]
        return split_with_sizes(rows, [*sizes, before], 1)[:-1:2]

    def candidate_factors(self, scale: float) -> Sequence[Tensor]:
        """(T) factors (G, n, H), or scalars, of the candidates of every step.

        They are a scale over the keep probability, and 0 where a candidate is dropped.
        """
        mask = self.run.mask
        if mask is None:
            return [self.like.new_full((), scale)] * len(self.batch_sizes)
        factors, steps = self.take_steps("factors", mask.shape[1])
        factors.copy_(mask).mul_(scale / self.run.keep)
        return steps

    def taken(self, t: int) -> slice:
        """Rows to multiply at step t, some of them of no interest, see ``onednn.planned``."""
        first = self.firsts[t]
        return slice(first, first + planned(self.batch_sizes[t], self.batch_sizes[0]))

    def parts(self, state: Tensor) -> Sequence[Tensor]:
        """C and h of every size, of a whole state (N, 2S)."""
        return split_with_sizes(state, [size for size in self.sizes for _ in range(2)], 1)

    def keep_narrow(self, t: int) -> None:
        """Have the state after step t in the type of the products too."""
        if self.narrow_steps is not None:
            self.narrow_steps[t + 1].copy_(self.state_steps[t + 1])

    def results(self) -> tuple[Tensor, Tensor]:
        """H of every row (G, R, H), and after the last step of every sequence (G, N, H)."""
        n = self.batch_sizes[0]
        rows = self.states[:, n : n + self.run.packing.n_rows, : self.sizes[0]]
        return rows.data, rows.index_select(1, self.ends)

    def begin_backward(self, grad_last: Tensor | None) -> None:
        """Gradients wrt the last states: of h as asked for, of all else zero."""
        shape = (self.n_groups, self.batch_sizes[0])
        self.grad_state = self.like.new_zeros(*shape, self.n_state)
        self.grad_cells = [self.like.new_zeros(*shape, size) for size in self.sizes]
        if grad_last is not None:
            self.grad_state[:, :, : self.sizes[0]] = grad_last

    def grad_start(self) -> Tensor | None:
        """(N, 2S), after all steps."""
        if not self.has_start:
            return None
        states = split_with_sizes(self.grad_state[0], self.sizes, 1)
        pairs = zip(self.grad_cells, states, strict=True)
        return torch.cat([part for c, h in pairs for part in (c[0], h)], dim=1)

    def saved(self) -> Sequence[Tensor]:
        """Buffers that the backward pass reads."""
        raise NotImplementedError

    def forward(self, t: int) -> None:
        """Step t."""
        raise NotImplementedError

    def backward(self, t: int) -> None:
        """Back through step t."""
        raise NotImplementedError

    def gradients(self) -> tuple[Tensor | None, Sequence[Tensor]]:
        """After all steps those of what is added to the products, and of the weights."""
        raise NotImplementedError

    def _row_numbers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the buffers that steps read (R,), those that none reads, and the ends among R."""
        packing = self.run.packing
        n, sizes = packing.n_sequences, np.asarray(packing.batch_sizes)
        before = np.concatenate([[n], sizes[:-1]])
        rows = np.arange(packing.n_rows) + np.repeat(n - before, sizes)
        ended = np.ones(n + packing.n_rows, bool)
        ended[rows] = False
        lengths = len(sizes) - np.searchsorted(sizes[::-1], np.arange(n), side="right")
        ends = np.asarray(packing.starts)[lengths - 1] + np.arange(n)
        numbers = copied([rows, np.flatnonzero(ended), ends], self.like.device)
        return numbers[0], numbers[1], numbers[2]


class Recurrence(torch.autograd.Function):
    """Layers of one cell over a packed batch, by the fused kernels of its gates.

    Views of every step are made at once: one by one they cost as much as a short step.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gates: type[Gates],
        run: Run,
        start: Tensor | None,
        added: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            ctx: autograd context.
            gates: the gate pair of the cell.
            run: the batch.
            start: (N, 2S) state before the first step, or None: zeros; for G = 1 only.
            added: what the constant inputs add to the products of every step, (N, columns), or
                None; for G = 1 only.
            *weights: of every layer in turn, as the gate pair lists them.

        Returns:
            h of every row (G, R, H), and after the last step of every sequence (G, N, H). They
            alias the workspace and are valid until the next forward.
        """
        cell = gates(run, start, added, weights)  # type: ignore[arg-type]
        for t in range(len(run.packing.batch_sizes)):
            cell.forward(t)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*weights, *cell.saved())  # refused where one is written to meanwhile
        ctx.cell = cell
        return cell.results()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the gradient of a layer's weights is one product at the end."""
        grad_rows, grad_last = grads
        cell: Gates = ctx.cell
        assert ctx.saved_tensors  # checks their versions
        sizes = cell.batch_sizes
        cell.begin_backward(grad_last)
        grad_h = cell.grad_state[:, :, : cell.sizes[0]]
        asked = None if grad_rows is None else split_with_sizes(grad_rows, sizes, 1)
        for t in reversed(range(len(sizes))):
            if asked is not None:
                grad_h[:, : sizes[t]].add_(asked[t])
            cell.backward(t)
        added, weights = cell.gradients()
        return (None, None, cell.grad_start(), added, *weights)
