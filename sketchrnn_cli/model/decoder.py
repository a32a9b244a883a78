"""From a latent to a drawing, move by move.

Letters: N sketches, R rows, H hidden units, Z latent size, M mixtures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.packed import Packing
from sketchrnn_cli.model.recurrent import LSTM, glorot


class Decoder(nn.Module):
    """Predicts every move from the moves before it and z.

    Source: Ha & Eck 2017, section 3.2; initialisation: magenta model.py.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        h, n_out = config.decoder_size, 3 + 6 * config.n_mixtures
        self.cell = LSTM(5 + config.constant_size, h, generator=generator)
        self.out_w = nn.Parameter(glorot(h, n_out, generator=generator))
        self.out_b = nn.Parameter(glorot(n_out, generator=generator))
        if config.encoder:
            start = 0.001 * torch.randn(config.latent_size, 2 * h, generator=generator)
            self.start_w = nn.Parameter(start)
            self.start_b = nn.Parameter(torch.zeros(2 * h))

    def rows(
        self,
        inputs: Tensor,
        packing: Packing,
        z: Tensor | None,
        *,
        mask: Tensor | None = None,
        keep: float = 1.0,
        compute: torch.dtype | None = None,
    ) -> Tensor:
        """Hidden state before every move of every sketch and its end.

        Args:
            inputs: (R, 5) stroke-5 rows, packed: the start token, then all moves.
            packing: layout of the rows.
            z: (N, Z), or None for a decoder-only model.
            mask: (R, H) bool, False where recurrent dropout strikes.
            keep: probability of keeping.
            compute: type of the recurrent products; None: that of the weights.

        Returns:
            (R, H); row t speaks of move t + 1.
        """
        state: tuple[Tensor | None, Tensor | None] = (None, None)
        if z is not None:
            c, h = (z @ self.start_w + self.start_b).tanh().chunk(2, dim=1)  # each (N, H)
            state = (h, c)
        y: Tensor = self.cell(
            inputs,
            packing,
            compute=compute or inputs.dtype,
            constant=z,
            state=state,
            mask=mask,
            keep=keep,
        )
        return y

    def forward(self, inputs: Tensor, packing: Packing, z: Tensor | None) -> Tensor:
        """Raw outputs (R, 3 + 6M) for the same rows, see ``mixture.mixture_of``."""
        return torch.addmm(self.out_b, self.rows(inputs, packing, z), self.out_w)
