"""From a drawing to a latent distribution.

Letters: N sketches, R rows (pen moves of all of them), E hidden units a direction, Z latent size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sketchrnn_cli.model import recurrent
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.packing import Packing


class Encoder(nn.Module):
    """Reads a drawing forwards and backwards, each to its real end.

    Source: Ha & Eck 2017, equations 1 and 2; initialisation: magenta model.py.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        cell, size = config.encoder_cell, config.encoder_size
        self.fw = recurrent.make(cell, config, 5, size, generator=generator)
        self.bw = recurrent.make(cell, config, 5, size, generator=generator)
        shape = (2 * config.encoder_size, config.latent_size)
        self.mu_w = nn.Parameter(0.001 * torch.randn(shape, generator=generator))
        self.mu_b = nn.Parameter(torch.zeros(config.latent_size))
        self.presig_w = nn.Parameter(0.001 * torch.randn(shape, generator=generator))
        self.presig_b = nn.Parameter(torch.zeros(config.latent_size))

    def forward(
        self,
        moves: Tensor,
        backwards: Tensor,
        packing: Packing,
        *,
        mask: Tensor | None = None,
        keep: float = 1.0,
        compute: torch.dtype | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Posterior of z for every sketch.

        Args:
            moves: (R, 5) stroke-5 rows, packed, without start token and end row.
            backwards: (R, 5) the same, every sketch from its last move to its first.
            packing: layout of the rows.
            mask: (2R, E) bool, False where recurrent dropout strikes; of every step first the
                rows forwards, then those backwards.
            keep: probability of keeping.
            compute: type of the recurrent products; None: that of the weights.

        Returns:
            mu and presig (log sigma^2), each (N, Z).
        """
        last = self.fw.last_states(
            (self.fw, self.bw),
            (moves, backwards),
            packing,
            compute=compute or moves.dtype,
            mask=mask,
            keep=keep,
        )
        h = torch.cat([last[0], last[1]], dim=1)  # (N, 2E)
        return h @ self.mu_w + self.mu_b, h @ self.presig_w + self.presig_b
