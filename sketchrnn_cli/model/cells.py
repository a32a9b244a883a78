"""Recurrent cells: their weights, how they are initialised, and one step as the papers write it.

Symbols: N sequences, R rows, n rows of a step, I inputs (5 of pen moves, the rest constant over
time), H hidden units, Y hidden units of a hyper cell's small network, D numbers per embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.gates import EPSILON, LayerNormGates, LSTMGates
from sketchrnn_cli.model.hyper_gates import N_EMBEDDINGS, N_SCALES, HyperGates, HyperWeights
from sketchrnn_cli.model.packing import Packing, Workspace
from sketchrnn_cli.model.recurrence import Gates, Recurrence, Run

SMALL_SCALE = 0.1  # what a hyper cell's products are scaled by at first


class Dropout(NamedTuple):
    """Recurrent dropout of the candidate gate."""

    mask: Tensor | None  # (R, H) bool, False where dropped; None: nothing is
    keep: float  # keep probability; what is kept is divided by it


NO_DROPOUT = Dropout(None, 1.0)


def glorot(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform in +-sqrt(6 / (fan in + fan out)), TensorFlow's default, also for a vector."""
    limit = math.sqrt(6 / (shape[0] + shape[-1]))
    return (2 * torch.rand(*shape, generator=generator) - 1) * limit


def orthogonal_gates(n_hidden: int, *, generator: torch.Generator) -> Tensor:
    """One orthogonal (H, H) matrix per gate, side by side: (H, 4H)."""
    gates = [
        nn.init.orthogonal_(torch.empty(n_hidden, n_hidden), generator=generator) for _ in range(4)
    ]
    return torch.cat(gates, dim=1)


def forget_bias(n_hidden: int) -> Tensor:
    """(4H,): 1 for the forget gate, else 0."""
    bias = torch.zeros(4 * n_hidden)
    bias[n_hidden : 2 * n_hidden] = 1
    return bias


class Cell(nn.Module):
    """A recurrent cell with recurrent dropout on the candidate gate.

    Gate columns i, f, o, j. Initialisation: magenta rnn.py: Glorot for the input, orthogonal per
    gate for the state, forget bias 1.
    """

    name: str
    gates: type[Gates]
    weight_names: tuple[str, ...]  # of the weights that the gates take, in their order
    side_by_side = True  # whether the gates take several layers at once

    def __init__(self, n_inputs: int, n_hidden: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.n_hidden = n_hidden
        w_x = glorot(n_inputs, 4 * n_hidden, generator=generator)
        self.w_x = nn.Parameter(w_x[:5].clone())  # pen moves
        self.w_const = nn.Parameter(w_x[5:].clone()) if n_inputs > 5 else None
        self.w_h = nn.Parameter(orthogonal_gates(n_hidden, generator=generator))
        self.b = nn.Parameter(forget_bias(n_hidden))
        self.workspace = Workspace()

    def constant_products(self, cond: Tensor | None) -> Tensor | None:
        """What a conditioning vector (N, I - 5) adds to the products of every step: (N, 4H)."""
        return None if cond is None or self.w_const is None else cond @ self.w_const

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        cond: Tensor | None = None,
        start: Tensor | None = None,
        dropout: Dropout = NO_DROPOUT,
    ) -> Tensor:
        """Run over a packed batch.

        Args:
            x: (R, 5) pen moves.
            packing: layout of the rows.
            compute: type of the products.
            cond: (N, I - 5) conditioning vector, constant over time.
            start: (N, S) state before the first step: c, h and, of a hyper cell, those of its small
                network; zeros if None.
            dropout: recurrent dropout.

        Returns:
            h of every row (R, H). It aliases the workspace: valid until the next forward.
        """
        added = self.constant_products(cond)
        return _run([self], [x], packing, compute, dropout, start, added)[0][0]


def last_states(
    layers: Sequence[Cell],
    xs: Sequence[Tensor],
    packing: Packing,
    *,
    compute: torch.dtype,
    dropout: Dropout = NO_DROPOUT,
) -> Tensor:
    """Run G layers of one kind and size, each over rows of its own.

    Args:
        layers: G layers without constant inputs.
        xs: (R, 5) for each.
        packing: layout of the rows, the same for all.
        compute: type of the products.
        dropout: with a mask (G R, H), a step's G groups one after the other.

    Returns:
        (G, N, H) h after the last step of every sequence.
    """
    if layers[0].side_by_side:
        return _run(layers, xs, packing, compute, dropout)[1]
    result = []
    for g, (layer, x) in enumerate(zip(layers, xs, strict=True)):
        own = dropout
        if dropout.mask is not None:
            steps = packing.steps(dropout.mask, len(layers))
            own = Dropout(torch.cat([step[g] for step in steps]), dropout.keep)
        result.append(_run([layer], [x], packing, compute, own)[1][0])
    return torch.stack(result)


def _run(
    layers: Sequence[Cell],
    xs: Sequence[Tensor],
    packing: Packing,
    compute: torch.dtype,
    dropout: Dropout,
    start: Tensor | None = None,
    added: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """See ``Recurrence.forward``."""
    first = layers[0]
    run = Run(packing, first.workspace, tuple(xs), compute, dropout.mask, dropout.keep)
    weights = [getattr(layer, name) for layer in layers for name in layer.weight_names]
    result: tuple[Tensor, Tensor] = Recurrence.apply(  # type: ignore[no-untyped-call]
        first.gates, run, start, added, *weights
    )
    return result


class LSTM(Cell):
    """The plain LSTM. Source: magenta rnn.py, LSTMCell."""

    name, gates, weight_names = "lstm", LSTMGates, ("w_x", "w_h", "b")


class LayerNormLSTM(Cell):
    """The LSTM with normalised gates and cell. Source: magenta rnn.py, LayerNormLSTMCell."""

    name, gates = "layer-norm", LayerNormGates
    weight_names = ("w_x", "w_h", "gain", "b", "cell_gain", "cell_b")

    def __init__(self, n_inputs: int, n_hidden: int, *, generator: torch.Generator) -> None:
        super().__init__(n_inputs, n_hidden, generator=generator)
        self.gain = nn.Parameter(torch.ones(4 * n_hidden))
        self.cell_gain = nn.Parameter(torch.ones(n_hidden))
        self.cell_b = nn.Parameter(torch.zeros(n_hidden))


class HyperLSTM(Cell):
    """An LSTM whose products a small one scales. Source: magenta rnn.py, HyperLSTMCell.

    Both are normalised, and dropout is of the large one alone, as there by default.
    """

    name, gates, weight_names = "hyper", HyperGates, HyperWeights._fields
    side_by_side = False

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
        self.small_b = nn.Parameter(forget_bias(n_small))
        self.small_cell_gain = nn.Parameter(torch.ones(n_small))
        self.small_cell_b = nn.Parameter(torch.zeros(n_small))
        # embeddings that scale are ones at first, and what they give is SMALL_SCALE; those that
        # shift are nearly zero, and shift by nothing
        embed = torch.zeros(n_small, N_EMBEDDINGS * n_embedding)
        shifting = (n_small, (N_EMBEDDINGS - N_SCALES) * n_embedding)
        embed[:, N_SCALES * n_embedding :] = 0.01 * torch.randn(shifting, generator=generator)
        self.embed_w = nn.Parameter(embed)
        self.embed_b = nn.Parameter(torch.ones(N_SCALES * n_embedding))
        scale = torch.zeros(N_EMBEDDINGS, n_embedding, n_hidden)
        scale[:N_SCALES] = SMALL_SCALE / n_embedding
        self.scale_w = nn.Parameter(scale)

    def constant_products(self, cond: Tensor | None) -> Tensor | None:
        """Of both networks: (N, 4H + 4Y)."""
        large = super().constant_products(cond)
        if large is None or cond is None or self.small_w_const is None:
            return None
        return torch.cat([large, cond @ self.small_w_const], dim=1)


def make(
    cell: str, config: ModelConfig, n_inputs: int, n_hidden: int, *, generator: torch.Generator
) -> Cell:
    """A cell by its name, see ``config.CELLS``."""
    if cell == "hyper":
        small = (config.hyper_size, config.hyper_embedding)
        return HyperLSTM(n_inputs, n_hidden, *small, generator=generator)
    kinds: dict[str, type[Cell]] = {"lstm": LSTM, "layer-norm": LayerNormLSTM}
    return kinds[cell](n_inputs, n_hidden, generator=generator)


State = tuple[Tensor, ...]  # c and h (n, H); of a hyper cell also those of its small network (n, Y)


def step(
    cell: str,
    w: Mapping[str, Tensor],
    x: Tensor,
    state: State,
    constants: tuple[Tensor | None, Tensor | None] = (None, None),
    mask: Tensor | None = None,
) -> State:
    """Reference step: of sampling on a device, and oracle of the kernel tests.

    Args:
        cell: one of ``config.CELLS``.
        w: weights of the cell by name, see ``checkpoint``.
        x: (n, I).
        state: before the step.
        constants: what the conditioning vector of each row adds to the products: (n, 4H), (n, 4Y).
        mask: (n, H) factors of the candidate gate; None: nothing is dropped.

    Returns:
        The state after the step.
    """
    c, h, *small = state
    read, recurrent = _plus(x @ w["w_x"], constants[0]), h @ w["w_h"]
    if cell == "lstm":
        return _step_gates(read + recurrent + w["b"], c, mask, None)
    norms = {name: w[name] for name in ("gain", "b", "cell_gain", "cell_b")}
    if cell == "layer-norm":
        return _step_gates(read + recurrent, c, mask, norms)
    small_c, small_h = small
    total = x @ w["small_w_x"] + h @ w["small_w_y"] + small_h @ w["small_w_h"]
    small_norms = {name: w[f"small_{name}"] for name in norms}
    small_c, small_h = _step_gates(_plus(total, constants[1]), small_c, None, small_norms)
    embedded = small_h @ w["embed_w"]  # (n, 12 D)
    n_scales = len(w["embed_b"])
    embedded = torch.cat([embedded[:, :n_scales] + w["embed_b"], embedded[:, n_scales:]], dim=1)
    embedded = embedded.view(len(x), N_EMBEDDINGS, -1)  # (n, 12, D)
    scale = torch.einsum("nkd,kdh->nkh", embedded, w["scale_w"]).flatten(1)  # (n, 12 H)
    scale_x, scale_h, shift = scale.chunk(3, dim=1)
    total = scale_x * read + scale_h * recurrent + shift + w["sum_b"]
    return *_step_gates(total, c, mask, norms), small_c, small_h


def _plus(value: Tensor, constant: Tensor | None) -> Tensor:
    return value if constant is None else value + constant


def _step_gates(
    total: Tensor, c: Tensor, mask: Tensor | None, norms: Mapping[str, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """C and h after a step, from the sum of its products (n, 4H)."""
    if norms is not None:
        gates = layer_norm(total.view(len(total), 4, -1), c.shape[1:], eps=EPSILON)
        total = gates.flatten(1) * norms["gain"] + norms["b"]
    i, f, o, j = total.chunk(4, dim=1)
    candidate = j.tanh() if mask is None else j.tanh() * mask
    c = f.sigmoid() * c + i.sigmoid() * candidate
    out = c
    if norms is not None:
        out = layer_norm(c, c.shape[1:], eps=EPSILON) * norms["cell_gain"] + norms["cell_b"]
    return c, o.sigmoid() * out.tanh()
