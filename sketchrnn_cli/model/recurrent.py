"""Recurrent cells as layers over packed rows.

Letters: N sequences, R rows, I inputs, H hidden units.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sketchrnn_cli.model.packed import LSTMSequence, Packing, Workspace


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
        n_sketches: int,
        constant: Tensor | None = None,
        state: tuple[Tensor, Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run over a packed batch.

        Args:
            x: (R, 5) pen moves.
            packing: layout of the rows.
            n_sketches: N.
            constant: (N, I - 5) what a sketch's decoder hears at every step.
            state: h and c before the first step, each (N, H); zeros if None.
            mask: (R, H) dropout mask divided by the probability of keeping.

        Returns:
            h of every row (R, H), and after the last step of every sketch (N, H).
        """
        per_sketch = self.b.expand(n_sketches, -1)  # (N, 4H)
        if self.w_const is not None and constant is not None:
            per_sketch = per_sketch + constant @ self.w_const
        if state is None:
            zeros = torch.zeros(n_sketches, self.n_hidden, dtype=x.dtype, device=x.device)
            state = (zeros, zeros)
        rows: tuple[Tensor, Tensor] = LSTMSequence.apply(  # type: ignore[no-untyped-call]
            x, self.w_x, per_sketch, self.w_h, *state, mask, packing, self.workspace
        )
        return rows
