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

    def forward(
        self, inputs: Tensor, packing: Packing, z: Tensor | None, mask: Tensor | None = None
    ) -> Tensor:
        """Raw outputs for every move of every sketch and its end.

        Args:
            inputs: (R, 5) stroke-5 rows, packed: the start token, then all moves.
            packing: layout of the rows.
            z: (N, Z), or None for a decoder-only model.
            mask: (R, H) recurrent dropout.

        Returns:
            (R, 3 + 6M), see ``mixture.mixture_of``; row t speaks of move t + 1.
        """
        state = None
        if z is not None:
            c, h = (z @ self.start_w + self.start_b).tanh().chunk(2, dim=1)  # each (N, H)
            state = (h.contiguous(), c.contiguous())
        y, _ = self.cell(
            inputs,
            packing,
            n_sketches=packing.batch_sizes[0],
            constant=z,
            state=state,
            mask=mask,
        )  # (R, H)
        return torch.addmm(self.out_b, y, self.out_w)
