"""The whole network: encoder, latent, decoder.

Letters: N sketches, P points of all of them, R rows, Z latent size.
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
    words: Tensor  # (N,) int64, the word that the decoder is told; W: none

    @property
    def n_sketches(self) -> int:
        """N."""
        return self.packing.batch_sizes[0]


@dataclass(frozen=True, slots=True)
class Noise:
    """All randomness of one training step."""

    latent: Tensor | None  # (N, Z) standard normal
    decoder: Tensor | None  # (R, H) bool, False where recurrent dropout strikes
    encoder: Tensor | None  # (2P, E) the same; of every step forwards, then backwards
    keep: float  # probability of keeping
    # what dropout multiplies with: zeros, and one over the share that is kept
    inputs: Tensor | None = None  # (R, 5) the moves that the decoder reads
    heard: Tensor | None = None  # (N, C) what it hears at every step, the same all along a sketch
    outputs: Tensor | None = None  # (R, H) its state on the way to the mixture


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
        self,
        batch: PackedBatch,
        noise: Noise = SILENCE,
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
        constant = self.decoder.constant(z, batch.words)
        heard = constant
        if constant is not None and noise.heard is not None:
            heard = constant * noise.heard
        y = self.decoder.rows(
            batch.inputs if noise.inputs is None else batch.inputs * noise.inputs,
            batch.packing,
            constant,
            heard=heard,
            mask=noise.decoder,
            keep=noise.keep,
            compute=compute,
        )
        if noise.outputs is not None:
            y = y * noise.outputs
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
        """Inverse of ``weights``; names and shapes must match exactly, ``latent.*`` is no part."""
        tensors = {
            name: torch.from_numpy(value)
            for name, value in weights.items()
            if not name.startswith("latent.")
        }
        self.load_state_dict(tensors)
