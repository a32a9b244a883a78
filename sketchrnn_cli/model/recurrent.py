"""Recurrent cells as layers over packed rows.

A cell knows its weights, how they begin, and which kernel runs it on which device.

Letters: N sequences, R rows, I inputs (5 of pen moves, the rest constant), H hidden units, Y hidden
units of a hyper cell's small network, S numbers of a state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn, split_with_sizes

from sketchrnn_cli.model import device_sequence
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.hyper_sequence import EMBEDDINGS, SCALES, HyperSequence, HyperWeights
from sketchrnn_cli.model.layer_norm_sequence import LayerNormSequence
from sketchrnn_cli.model.lstm_sequence import LSTMSequence
from sketchrnn_cli.model.packing import Packing, Workspace
from sketchrnn_cli.model.step import step

BY_HAND = ("cpu",)  # devices on which a kernel more costs nothing
SMALL_SCALE = 0.1  # what a hyper cell's products are scaled by at first


def glorot(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform in +-sqrt(6 / (fan in + fan out)), TensorFlow's default, also for a vector."""
    limit = math.sqrt(6 / (shape[0] + shape[-1]))
    return (2 * torch.rand(*shape, generator=generator) - 1) * limit


def orthogonal_gates(n_hidden: int, *, generator: torch.Generator) -> Tensor:
    """One orthogonal (H, H) matrix a gate, side by side: (H, 4H)."""
    gates = [
        nn.init.orthogonal_(torch.empty(n_hidden, n_hidden), generator=generator) for _ in range(4)
    ]
    return torch.cat(gates, dim=1)


class Cell(nn.Module):
    """A recurrent cell with recurrent dropout on the candidate gate.

    Gate columns i, f, o, j. Initialisation: magenta rnn.py: Glorot for the input, orthogonal per
    gate for the state, forget bias 1.
    """

    name: str

    def __init__(self, n_inputs: int, n_hidden: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.n_hidden = n_hidden
        w_x = glorot(n_inputs, 4 * n_hidden, generator=generator)
        self.w_x = nn.Parameter(w_x[:5].clone())  # pen moves
        self.w_const = nn.Parameter(w_x[5:].clone()) if n_inputs > 5 else None  # z, at every step
        self.w_h = nn.Parameter(orthogonal_gates(n_hidden, generator=generator))
        self.b = nn.Parameter(_forget_bias(n_hidden))
        self.workspace = Workspace()

    @property
    def state_sizes(self) -> list[int]:
        """Parts of a state: c and h, and what else there is."""
        return [self.n_hidden, self.n_hidden]

    def heard(self, constant: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """What a sketch's constant inputs (N, I - 5) give at every step: (N, 4H) and (N, 4Y)."""
        if constant is None or self.w_const is None:
            return None, None
        return constant @ self.w_const, None

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None = None,
        start: Tensor | None = None,
        mask: Tensor | None = None,
        keep: float = 1.0,
    ) -> Tensor:
        """Run over a packed batch.

        Args:
            x: (R, 5) pen moves.
            packing: layout of the rows.
            compute: type of the products.
            constant: (N, I - 5) what a sketch's decoder hears at every step.
            start: (N, S) state before the first step: c, h and what else; zeros if None.
            mask: (R, H) bool, False where recurrent dropout strikes.
            keep: probability of keeping.

        Returns:
            h of every row (R, H).
        """
        parts = [None] * 4 if start is None else split_with_sizes(start, self.state_sizes, 1)
        if x.device.type in BY_HAND:
            return self.by_hand(
                x, packing, compute=compute, constant=constant, start=parts, mask=mask, keep=keep
            )
        return self.on_device(
            x, packing, compute=compute, constant=constant, start=parts, mask=mask, keep=keep
        )

    def by_hand(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """``forward`` by a kernel of our own; start in its parts."""
        raise NotImplementedError

    def on_device(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """``forward`` step by step, as autograd knows it."""
        n = packing.batch_sizes[0]
        weights = dict(self.named_parameters())
        state = tuple(
            x.new_zeros(n, size) if part is None else part
            for size, part in zip(self.state_sizes, start, strict=False)
        )
        heard = self.heard(constant)
        rows = []
        masks = packing.steps(mask) if mask is not None else [None] * len(packing.batch_sizes)
        for row, m in zip(split_with_sizes(x, packing.batch_sizes), masks, strict=True):
            alive = len(row)
            state = step(
                self.name,
                weights,
                row,
                tuple(part[:alive] for part in state),
                (_first(heard[0], alive), _first(heard[1], alive)),
                None if m is None else m[0].to(x.dtype) / keep,
                compute=compute,
            )
            rows.append(state[1])
        return torch.cat(rows)

    @classmethod
    def last_states(
        cls,
        layers: Sequence[Cell],
        xs: Sequence[Tensor],
        packing: Packing,
        *,
        compute: torch.dtype,
        mask: Tensor | None = None,
        keep: float = 1.0,
    ) -> Tensor:
        """Run G layers of one size, each over rows of its own.

        Args:
            layers: G layers without constant inputs.
            xs: (R, 5) for each.
            packing: layout of the rows, the same for all.
            compute: type of the products.
            mask: (G R, H) bool, False where recurrent dropout strikes; a step's G groups one after
                the other.
            keep: probability of keeping.

        Returns:
            (G, N, H) h after the last step of every sketch.
        """
        groups, result = len(layers), []
        for g, (layer, x) in enumerate(zip(layers, xs, strict=True)):
            own = None
            if mask is not None:
                own = torch.cat([part[g] for part in packing.steps(mask, groups)])
            rows = layer(x, packing, compute=compute, mask=own, keep=keep)
            result.append(_ends(rows, packing))
        return torch.stack(result)


class LSTM(Cell):
    """The plain LSTM. Source: magenta rnn.py, LSTMCell."""

    name = "lstm"

    def by_hand(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """See ``lstm_sequence``."""
        rows: Tensor
        head = (packing, self.workspace, compute, True, mask, keep, self.heard(constant)[0])
        rows, _ = LSTMSequence.apply(  # type: ignore[no-untyped-call]
            *head, start[1], start[0], x, self.w_x, self.w_h, self.b
        )
        return rows

    def on_device(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """See ``device_sequence``."""
        given = None
        if constant is not None and self.w_const is not None:
            given = device_sequence.Constant(constant, self.w_const)
        rows, _ = device_sequence.run(
            [device_sequence.Layer(x, self.w_x, self.w_h, self.b)],
            packing,
            compute=compute,
            constant=given,
            h0=start[1],
            c0=start[0],
            mask=mask,
            keep=keep,
        )
        return rows[0]

    @classmethod
    def last_states(
        cls,
        layers: Sequence[Cell],
        xs: Sequence[Tensor],
        packing: Packing,
        *,
        compute: torch.dtype,
        mask: Tensor | None = None,
        keep: float = 1.0,
    ) -> Tensor:
        """Side by side."""
        last: Tensor
        if xs[0].device.type in BY_HAND:
            flat = [
                part
                for layer, x in zip(layers, xs, strict=True)
                for part in (x, layer.w_x, layer.w_h, layer.b)
            ]
            _, last = LSTMSequence.apply(  # type: ignore[no-untyped-call]
                *(packing, layers[0].workspace, compute, False, mask, keep, None, None, None), *flat
            )
            return last
        _, last = device_sequence.run(
            [
                device_sequence.Layer(x, layer.w_x, layer.w_h, layer.b)
                for layer, x in zip(layers, xs, strict=True)
            ],
            packing,
            compute=compute,
            constant=None,
            h0=None,
            c0=None,
            mask=mask,
            keep=keep,
        )
        return last


class LayerNormLSTM(Cell):
    """The LSTM with normalised gates and cell. Source: magenta rnn.py, LayerNormLSTMCell."""

    name = "layer-norm"

    def __init__(self, n_inputs: int, n_hidden: int, *, generator: torch.Generator) -> None:
        super().__init__(n_inputs, n_hidden, generator=generator)
        self.gain = nn.Parameter(torch.ones(4 * n_hidden))
        self.cell_gain = nn.Parameter(torch.ones(n_hidden))
        self.cell_b = nn.Parameter(torch.zeros(n_hidden))

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return x, self.w_x, self.w_h, self.gain, self.b, self.cell_gain, self.cell_b

    def by_hand(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """See ``layer_norm_sequence``."""
        rows: Tensor
        head = (packing, self.workspace, compute, True, mask, keep, self.heard(constant)[0])
        rows, _ = LayerNormSequence.apply(  # type: ignore[no-untyped-call]
            *head, start[1], start[0], *self._parts(x)
        )
        return rows

    @classmethod
    def last_states(
        cls,
        layers: Sequence[Cell],
        xs: Sequence[Tensor],
        packing: Packing,
        *,
        compute: torch.dtype,
        mask: Tensor | None = None,
        keep: float = 1.0,
    ) -> Tensor:
        """Side by side, by hand."""
        if xs[0].device.type not in BY_HAND:
            return super().last_states(layers, xs, packing, compute=compute, mask=mask, keep=keep)
        flat = [
            part
            for layer, x in zip(layers, xs, strict=True)
            if isinstance(layer, LayerNormLSTM)
            for part in layer._parts(x)
        ]
        last: Tensor
        _, last = LayerNormSequence.apply(  # type: ignore[no-untyped-call]
            *(packing, layers[0].workspace, compute, False, mask, keep, None, None, None), *flat
        )
        return last


class HyperLSTM(Cell):
    """An LSTM whose products a small one scales. Source: magenta rnn.py, HyperLSTMCell.

    Both are normalised, and dropout strikes the large one alone, as there by default.
    """

    name = "hyper"

    def __init__(
        self,
        n_inputs: int,
        n_hidden: int,
        n_small: int,
        n_embedding: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(n_inputs, n_hidden, generator=generator)
        self.n_small = n_small
        self.sum_b = nn.Parameter(torch.zeros(4 * n_hidden))
        self.gain = nn.Parameter(torch.ones(4 * n_hidden))
        self.cell_gain = nn.Parameter(torch.ones(n_hidden))
        self.cell_b = nn.Parameter(torch.zeros(n_hidden))
        # the small one reads the inputs of the large one, and then its h
        w = glorot(n_inputs + n_hidden, 4 * n_small, generator=generator)
        self.small_w_x = nn.Parameter(w[:5].clone())
        self.small_w_const = nn.Parameter(w[5:n_inputs].clone()) if n_inputs > 5 else None
        self.small_w_y = nn.Parameter(w[n_inputs:].clone())
        self.small_w_h = nn.Parameter(orthogonal_gates(n_small, generator=generator))
        self.small_gain = nn.Parameter(torch.ones(4 * n_small))
        self.small_b = nn.Parameter(_forget_bias(n_small))
        self.small_cell_gain = nn.Parameter(torch.ones(n_small))
        self.small_cell_b = nn.Parameter(torch.zeros(n_small))
        # embeddings that scale begin as ones, and what they make of them as SMALL_SCALE; those
        # that shift begin near zero, and shift by nothing
        embed = torch.zeros(n_small, EMBEDDINGS * n_embedding)
        shifting = (n_small, (EMBEDDINGS - SCALES) * n_embedding)
        embed[:, SCALES * n_embedding :] = 0.01 * torch.randn(shifting, generator=generator)
        self.embed_w = nn.Parameter(embed)
        self.embed_b = nn.Parameter(torch.ones(SCALES * n_embedding))
        scale = torch.zeros(EMBEDDINGS, n_embedding, n_hidden)
        scale[:SCALES] = SMALL_SCALE / n_embedding
        self.scale_w = nn.Parameter(scale)

    @property
    def state_sizes(self) -> list[int]:
        """c, h, and those of the small network."""
        return [self.n_hidden, self.n_hidden, self.n_small, self.n_small]

    def heard(self, constant: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Both networks hear it."""
        large, _ = super().heard(constant)
        if constant is None or self.small_w_const is None:
            return large, None
        return large, constant @ self.small_w_const

    def by_hand(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None,
        start: Sequence[Tensor | None],
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        """See ``hyper_sequence``."""
        rows: Tensor
        weights = HyperWeights(*(getattr(self, name) for name in HyperWeights._fields))
        head = (packing, self.workspace, compute, mask, keep, x, *self.heard(constant), *start)
        rows, _ = HyperSequence.apply(*head, *weights)  # type: ignore[no-untyped-call]
        return rows


def make(
    cell: str, config: ModelConfig, n_inputs: int, n_hidden: int, *, generator: torch.Generator
) -> Cell:
    """A cell by its name, see ``config.CELLS``."""
    if cell == "hyper":
        small = (config.hyper_size, config.hyper_embedding)
        return HyperLSTM(n_inputs, n_hidden, *small, generator=generator)
    kinds = {"lstm": LSTM, "layer-norm": LayerNormLSTM}
    return kinds[cell](n_inputs, n_hidden, generator=generator)


def _forget_bias(n_hidden: int) -> Tensor:
    bias = torch.zeros(4 * n_hidden)
    bias[n_hidden : 2 * n_hidden] = 1
    return bias


def _first(part: Tensor | None, n: int) -> Tensor | None:
    return None if part is None else part[:n]


def _ends(rows: Tensor, packing: Packing) -> Tensor:
    """The last row of every sequence, (N, columns)."""
    sizes = packing.batch_sizes
    ends = [
        first + row
        for n, n_next, first in zip(
            reversed(sizes),
            (0, *reversed(sizes[1:])),
            reversed(packing.starts[:-1]),
            strict=True,
        )
        for row in range(n_next, n)
    ]
    return rows[ends]
