"""The whole network: encoder, latent, decoder.

Symbols: N sketches, P points of all of them, R rows (all points and ends), E hidden units of an
encoder direction, Z latent size, V vocabulary, D label embedding size, H decoder size, M mixtures;
C = Z + D, or either of them where a model has but one: the conditioning vector of a sketch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sketchrnn_cli.model import cells
from sketchrnn_cli.model.cells import Dropout, glorot
from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.loss import OutputNats, kl_nats
from sketchrnn_cli.model.packing import Packing


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Sketches, longest first, laid out step after step. All in model units."""

    inputs: Tensor  # (R, 5) stroke-5: the start token of every sketch, then its moves
    offsets: Tensor  # (R, 2) what each row should predict; zeros at an end
    pen: Tensor  # (R,) int64: 0 down, 1 up, 2 end
    packing: Packing  # of R rows: every move and the end
    moves_packing: Packing  # of the moves alone
    moves: Tensor  # (P, 5) moves of every sketch from first to last
    backwards: Tensor  # (P, 5) from last to first
    numbers: tuple[int, ...]  # which of the sketches given each one is, longest first
    lengths: tuple[int, ...]  # points of each, longest first
    words: Tensor  # (N,) int64, the label of each sketch; V: the null label

    @property
    def n_sketches(self) -> int:
        """N."""
        return self.packing.batch_sizes[0]


@dataclass(frozen=True, slots=True)
class Noise:
    """All randomness of one training step."""

    latent: Tensor | None = None  # (N, Z) standard normal; None: z is mu
    decoder: Tensor | None = None  # (R, H) bool, False where recurrent dropout drops; None: nowhere
    encoder: Tensor | None = None  # (2P, E) the same; of every step forwards, then backwards
    keep: float = 1.0  # keep probability of recurrent dropout
    # factors of inverted dropout: zeros, and one over the keep probability
    inputs: Tensor | None = None  # (R, 5) of the moves that the decoder reads
    cond: Tensor | None = None  # (N, C) of the conditioning vector of every step
    outputs: Tensor | None = None  # (R, H) of the decoder's state on its way to the mixture


NO_NOISE = Noise()


class Losses(NamedTuple):
    """Sums over a batch, in nats."""

    reconstruction: Tensor  # scalar: all moves and ends of all sketches
    kl: Tensor  # (Z,) per latent dimension, over sketches; empty without an encoder


class Encoder(nn.Module):
    """From a drawing to a latent distribution, reading it forwards and backwards to its real end.

    Source: Ha & Eck 2017, equations 1 and 2; initialisation: magenta model.py.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        cell, size = config.encoder_cell, config.encoder_size
        self.fw = cells.make(cell, config, 5, size, generator=generator)
        self.bw = cells.make(cell, config, 5, size, generator=generator)
        shape = (2 * size, config.latent_size)
        self.mu_w = nn.Parameter(0.001 * torch.randn(shape, generator=generator))
        self.mu_b = nn.Parameter(torch.zeros(config.latent_size))
        self.presig_w = nn.Parameter(0.001 * torch.randn(shape, generator=generator))
        self.presig_b = nn.Parameter(torch.zeros(config.latent_size))

    def forward(
        self, batch: PackedBatch, noise: Noise = NO_NOISE, *, compute: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        """Posterior of z for every sketch: mu and presig (log sigma^2), each (N, Z)."""
        last = cells.last_states(
            (self.fw, self.bw),
            (batch.moves, batch.backwards),
            batch.moves_packing,
            compute=compute or batch.moves.dtype,
            dropout=Dropout(noise.encoder, noise.keep),
        )  # (2, N, E)
        h = torch.cat([last[0], last[1]], dim=1)  # (N, 2E)
        return h @ self.mu_w + self.mu_b, h @ self.presig_w + self.presig_b


class Decoder(nn.Module):
    """From a latent to a drawing: predicts every move from the moves before it, z, and the label.

    The label embedding is learned, and joins z in the conditioning vector: in the start state and
    at every step. Its last row is the null label, so that a model is unconditional too. A model
    without encoder starts from zeros, with labels or without: there is no room for another start in
    the form that browsers read.

    Source: Ha & Eck 2017, section 3.2; initialisation: magenta model.py.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        h, n_out = config.decoder_size, 3 + 6 * config.n_mixtures
        n_inputs = 5 + config.constant_size
        self.cell = cells.make(config.cell, config, n_inputs, h, generator=generator)
        self.out_w = nn.Parameter(glorot(h, n_out, generator=generator))
        self.out_b = nn.Parameter(glorot(n_out, generator=generator))
        if config.constant_size:
            learned = config.encoder
            shape = (config.constant_size, config.start_size)
            start = 0.001 * learned * torch.randn(shape, generator=generator)
            self.start_w = nn.Parameter(start, requires_grad=learned)
            self.start_b = nn.Parameter(torch.zeros(config.start_size), requires_grad=learned)
        self.words = None  # under this name it is stored, see ``checkpoint``
        if config.n_words:
            rows = torch.randn(config.n_words + 1, config.word_size, generator=generator)
            self.words = nn.Parameter(rows)

    @property
    def label_embedding(self) -> Tensor | None:
        """(V + 1, D), the null label last; None for an unconditional model."""
        return self.words

    def conditioning(self, z: Tensor | None, words: Tensor) -> Tensor | None:
        """Conditioning vector of every sketch.

        Args:
            z: (N, Z), or None for a model without encoder.
            words: (N,) int64, the label of each sketch; V: the null label. Of no interest to an
                unconditional model.

        Returns:
            (N, C): z, then the label embedding; None where C is 0.
        """
        if self.label_embedding is None:
            return z
        label = functional.embedding(words, self.label_embedding)  # (N, D)
        return label if z is None else torch.cat([z, label], dim=1)

    def states(
        self,
        inputs: Tensor,
        packing: Packing,
        cond: Tensor | None,
        noise: Noise = NO_NOISE,
        *,
        compute: torch.dtype | None = None,
    ) -> Tensor:
        """Hidden state before every move of every sketch and its end.

        Args:
            inputs: (R, 5) stroke-5 rows, packed: the start token, then all moves.
            packing: layout of the rows.
            cond: (N, C), or None for a model that has none.
            noise: dropout of the inputs, of the conditioning vector, of the recurrence and of the
                result.
            compute: type of the recurrent products; None: that of the weights.

        Returns:
            (R, H); row t predicts move t + 1. Valid until the next forward.
        """
        start = None
        if cond is not None:
            start = (cond @ self.start_w + self.start_b).tanh()  # (N, S)
            cond = cond if noise.cond is None else cond * noise.cond
        y: Tensor = self.cell(
            inputs if noise.inputs is None else inputs * noise.inputs,
            packing,
            compute=compute or inputs.dtype,
            cond=cond,
            start=start,
            dropout=Dropout(noise.decoder, noise.keep),
        )
        return y if noise.outputs is None else y * noise.outputs

    def forward(self, inputs: Tensor, packing: Packing, cond: Tensor | None) -> Tensor:
        """Raw outputs (R, 3 + 6M) for the same rows, see ``loss.mixture_of``."""
        return torch.addmm(self.out_b, self.states(inputs, packing, cond), self.out_w)


class SketchRNN(nn.Module):
    """Sketch-RNN (Ha & Eck 2017), conditional or decoder only."""

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        self.encoder = Encoder(config, generator=generator) if config.encoder else None
        self.decoder = Decoder(config, generator=generator)

    def forward(
        self,
        batch: PackedBatch,
        noise: Noise = NO_NOISE,
        *,
        compute: torch.dtype | None = None,
        epsilon: float = 0.0,
    ) -> Losses:
        """Losses of a batch, exact without an epsilon.

        Args:
            batch: of N sketches.
            noise: without it z is mu and nothing is dropped.
            compute: type of the recurrent products; None: that of the weights.
            epsilon: added to the density inside its logarithm.
        """
        z, kl = None, batch.inputs.new_zeros(0)
        if self.encoder is not None:
            mu, presig = self.encoder(batch, noise, compute=compute)  # each (N, Z)
            kl = kl_nats(mu, presig).sum(0)  # (Z,)
            z = mu if noise.latent is None else mu + (presig / 2).exp() * noise.latent
        cond = self.decoder.conditioning(z, batch.words)  # (N, C)
        y = self.decoder.states(batch.inputs, batch.packing, cond, noise, compute=compute)
        nats: Tensor = OutputNats.apply(  # type: ignore[no-untyped-call]
            y,
            self.decoder.out_w,
            self.decoder.out_b,
            batch.offsets,
            batch.pen,
            torch.is_grad_enabled(),
            epsilon,
        )
        return Losses(nats, kl)

    def weights(self) -> Weights:
        """A copy of all weights by name, for a checkpoint."""
        return {
            name: value.detach().float().cpu().numpy().copy()
            for name, value in self.named_parameters()
        }

    def load_weights(self, weights: Weights) -> None:
        """Inverse of ``weights``; names and shapes must match, but for those of no network."""
        tensors = {
            name: torch.from_numpy(value)
            for name, value in weights.items()
            if not name.startswith(("latent.", "recogniser."))
        }
        self.load_state_dict(tensors)
