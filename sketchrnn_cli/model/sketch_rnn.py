"""The whole network: encoder, latent, decoder.

Letters: N sketches, R rows, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.decoder import Decoder
from sketchrnn_cli.model.encoder import Encoder
from sketchrnn_cli.model.loss import OutputNats, kl_nats
from sketchrnn_cli.model.packed import Packing


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Sketches, longest first, laid out step after step. All in model units."""

    inputs: Tensor  # (R, 5) stroke-5: the start token of every sketch, then its moves
    offsets: Tensor  # (R, 2) what each row should predict; zeros at an end
    pen: Tensor  # (R,) int64: 0 down, 1 up, 2 end
    packing: Packing  # of R rows: every move and the end
    moves_packing: Packing  # of the moves alone
    backwards: Tensor  # (R - N, 5) moves of every sketch from last to first
    numbers: tuple[int, ...]  # which of the sketches given each one is, longest first
    lengths: tuple[int, ...]  # points of each, longest first
    words: Tensor  # (N,) int64, the word that the decoder is told; W: none

    @property
    def n_sketches(self) -> int:
        """N."""
        return self.packing.batch_sizes[0]

    @property
    def moves(self) -> Tensor:
        """(R - N, 5) moves from first to last: the inputs without the start tokens."""
        return self.inputs[self.n_sketches :]


@dataclass(frozen=True, slots=True)
class Noise:
    """All randomness of one training step."""

    latent: Tensor | None  # (N, Z) standard normal
    decoder: Tensor | None  # (R, H) bool, False where recurrent dropout strikes
    encoder: Tensor | None  # (2 (R - N), E) the same; of every step forwards, then backwards
    keep: float  # probability of keeping


SILENCE = Noise(None, None, None, 1.0)


class Losses(NamedTuple):
    """Sums over a batch, in nats."""

    reconstruction: Tensor  # scalar: all moves and ends of all sketches
    kl: Tensor  # (Z,) a latent dimension, over sketches; empty without an encoder


class SketchRNN(nn.Module):
    """Sketch-RNN (Ha & Eck 2017), conditional or decoder only."""

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        self.encoder = Encoder(config, generator=generator) if config.encoder else None
        self.decoder = Decoder(config, generator=generator)

    def forward(
        self, batch: PackedBatch, noise: Noise = SILENCE, *, compute: torch.dtype | None = None
    ) -> Losses:
        """Exact losses of a batch.

        Args:
            batch: of N sketches.
            noise: without it z is mu and nothing is dropped.
            compute: type of the recurrent products; None: that of the weights.
        """
        if self.encoder is None:
            z, kl = None, batch.inputs.new_zeros(0)
        else:
            mu, presig = self.encoder(
                batch.moves,
                batch.backwards,
                batch.moves_packing,
                mask=noise.encoder,
                keep=noise.keep,
                compute=compute,
            )
            kl = kl_nats(mu, presig).sum(0)  # (Z,)
            z = mu if noise.latent is None else mu + (presig / 2).exp() * noise.latent
        y = self.decoder.rows(
            batch.inputs,
            batch.packing,
            self.decoder.constant(z, batch.words),
            mask=noise.decoder,
            keep=noise.keep,
            compute=compute,
        )
        nats: Tensor = OutputNats.apply(  # type: ignore[no-untyped-call]
            y,
            self.decoder.out_w,
            self.decoder.out_b,
            batch.offsets,
            batch.pen,
            torch.is_grad_enabled(),
        )
        return Losses(nats, kl)

    def weights(self) -> Weights:
        """A copy of all weights by name, for a checkpoint."""
        return {
            name: value.detach().float().cpu().numpy().copy()
            for name, value in self.named_parameters()
        }

    def load_weights(self, weights: Weights) -> None:
        """Inverse of ``weights``; names and shapes must match exactly, ``latent.*`` is no part."""
        tensors = {
            name: torch.from_numpy(value)
            for name, value in weights.items()
            if not name.startswith("latent.")
        }
        self.load_state_dict(tensors)
