"""Recurrent cells as layers over packed rows.

Letters: N sequences, R rows, I inputs, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sketchrnn_cli.model import device_sequence
from sketchrnn_cli.model.lstm_sequence import LSTMSequence
from sketchrnn_cli.model.packed import Packing, Workspace

BY_HAND = ("cpu",)  # devices on which a kernel more costs nothing


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


class LSTM(nn.Module):
    """LSTM with recurrent dropout on the candidate gate.

    Gate columns i, f, o, j. Initialisation: magenta rnn.py, LSTMCell: Glorot for the input,
    orthogonal per gate for the state, forget bias 1.
    """

    def __init__(self, n_inputs: int, n_hidden: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.n_hidden = n_hidden
        w_x = glorot(n_inputs, 4 * n_hidden, generator=generator)
        self.w_x = nn.Parameter(w_x[:5].clone())  # pen moves
        self.w_const = nn.Parameter(w_x[5:].clone()) if n_inputs > 5 else None  # z, at every step
        self.w_h = nn.Parameter(orthogonal_gates(n_hidden, generator=generator))
        bias = torch.zeros(4 * n_hidden)
        bias[n_hidden : 2 * n_hidden] = 1
        self.b = nn.Parameter(bias)
        self.workspace = Workspace()

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        *,
        compute: torch.dtype,
        constant: Tensor | None = None,
        state: tuple[Tensor | None, Tensor | None] = (None, None),
        mask: Tensor | None = None,
        keep: float = 1.0,
    ) -> Tensor:
        """Run over a packed batch.

        Args:
            x: (R, 5) pen moves.
            packing: layout of the rows.
            compute: type of the products.
            constant: (N, I - 5) what a sketch's decoder hears at every step.
            state: h and c before the first step, each (N, H); zeros if None.
            mask: (R, H) bool, False where recurrent dropout strikes.
            keep: probability of keeping.

        Returns:
            h of every row (R, H).
        """
        rows, _ = _run(
            (self,),
            (x,),
            packing,
            compute=compute,
            constant=constant,
            state=state,
            mask=mask,
            keep=keep,
            keep_rows=True,
        )
        return rows


def last_states(
    layers: Sequence[LSTM],
    xs: Sequence[Tensor],
    packing: Packing,
    *,
    compute: torch.dtype,
    mask: Tensor | None = None,
    keep: float = 1.0,
) -> Tensor:
    """Run G layers of one size side by side, each over rows of its own.

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
    _, last = _run(
        layers,
        xs,
        packing,
        compute=compute,
        constant=None,
        state=(None, None),
        mask=mask,
        keep=keep,
        keep_rows=False,
    )
    return last


def _run(
    layers: Sequence[LSTM],
    xs: Sequence[Tensor],
    packing: Packing,
    *,
    compute: torch.dtype,
    constant: Tensor | None,
    state: tuple[Tensor | None, Tensor | None],
    mask: Tensor | None,
    keep: float,
    keep_rows: bool,
) -> tuple[Tensor, Tensor]:
    """Layers side by side, in the way of their device.

    Returns:
        h of every row (R, H) of a single layer, of use if kept, and h after the last step of
        every sketch (G, N, H).
    """
    first = layers[0]
    w_const = first.w_const if constant is not None else None
    rows: Tensor
    last: Tensor
    if xs[0].device.type in BY_HAND:
        per_sketch = None
        if constant is not None and w_const is not None:
            per_sketch = constant @ w_const  # (N, 4H)
        flat = [
            part
            for layer, x in zip(layers, xs, strict=True)
            for part in (x, layer.w_x, layer.w_h, layer.b)
        ]
        rows, last = LSTMSequence.apply(  # type: ignore[no-untyped-call]
            *(packing, first.workspace, compute, keep_rows, mask, keep, per_sketch, *state), *flat
        )
        return rows, last
    given = None
    if constant is not None and w_const is not None:
        given = device_sequence.Constant(constant, w_const)
    rows, last = device_sequence.run(
        [
            device_sequence.Layer(x, layer.w_x, layer.w_h, layer.b)
            for layer, x in zip(layers, xs, strict=True)
        ],
        packing,
        compute=compute,
        constant=given,
        h0=state[0],
        c0=state[1],
        mask=mask,
        keep=keep,
    )
    return rows[0], last
