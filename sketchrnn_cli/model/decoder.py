"""From a latent to a drawing, move by move.

Letters: N sketches, R rows, H hidden units, Z latent size, W words, D numbers a word, M mixtures.
C = Z + D, or either of them where a model has but one: what stays the same for a sketch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sketchrnn_cli.model import recurrent
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.packing import Packing
from sketchrnn_cli.model.recurrent import glorot


class Decoder(nn.Module):
    """Predicts every move from the moves before it, z, and the word.

    The numbers that stand for a word are learned, and heard where z is: in the start state and at
    every step. One row more stands for no word, so that a model is unconditional too. A model
    without encoder starts from zeros, told words or not: there is no room for another start in the
    form that browsers read.

    Source: Ha & Eck 2017, section 3.2; initialisation: magenta model.py.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        h, n_out = config.decoder_size, 3 + 6 * config.n_mixtures
        self.cell = recurrent.make(
            config.cell, config, 5 + config.constant_size, h, generator=generator
        )
        self.out_w = nn.Parameter(glorot(h, n_out, generator=generator))
        self.out_b = nn.Parameter(glorot(n_out, generator=generator))
        if config.constant_size:
            learned = config.encoder
            shape = (config.constant_size, config.start_size)
            start = 0.001 * learned * torch.randn(shape, generator=generator)
            self.start_w = nn.Parameter(start, requires_grad=learned)
            self.start_b = nn.Parameter(torch.zeros(config.start_size), requires_grad=learned)
        self.words = None
        if config.n_words:
            rows = torch.randn(config.n_words + 1, config.word_size, generator=generator)
            self.words = nn.Parameter(rows)  # the last one: no word

    def constant(self, z: Tensor | None, words: Tensor) -> Tensor | None:
        """What stays the same for every sketch.

        Args:
            z: (N, Z), or None for a model without encoder.
            words: (N,) int64, number of each sketch's word; W: none. Of no interest to a model
                that is told none.

        Returns:
            (N, C): z, then what stands for the word; None where C is 0.
        """
        if self.words is None:
            return z
        told = functional.embedding(words, self.words)  # (N, D)
        return told if z is None else torch.cat([z, told], dim=1)

    def rows(
        self,
        inputs: Tensor,
        packing: Packing,
        constant: Tensor | None,
        *,
        heard: Tensor | None = None,
        mask: Tensor | None = None,
        keep: float = 1.0,
        compute: torch.dtype | None = None,
    ) -> Tensor:
        """Hidden state before every move of every sketch and its end.

        Args:
            inputs: (R, 5) stroke-5 rows, packed: the start token, then all moves.
            packing: layout of the rows.
            constant: (N, C), or None for a model that has none.
            heard: (N, C) the same as it is heard at every step, where dropout strikes it; None: no
                other than in the start state.
            mask: (R, H) bool, False where recurrent dropout strikes.
            keep: probability of keeping.
            compute: type of the recurrent products; None: that of the weights.

        Returns:
            (R, H); row t speaks of move t + 1.
        """
        start = None
        if constant is not None:
            start = (constant @ self.start_w + self.start_b).tanh()  # (N, S)
        y: Tensor = self.cell(
            inputs,
            packing,
            compute=compute or inputs.dtype,
            constant=constant if heard is None else heard,
            start=start,
            mask=mask,
            keep=keep,
        )
        return y

    def forward(self, inputs: Tensor, packing: Packing, constant: Tensor | None) -> Tensor:
        """Raw outputs (R, 3 + 6M) for the same rows, see ``mixture.mixture_of``."""
        return torch.addmm(self.out_b, self.rows(inputs, packing, constant), self.out_w)
