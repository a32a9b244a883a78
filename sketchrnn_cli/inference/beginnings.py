"""What the beginning of a drawing says about the latent of the whole.

The encoder has only ever read whole drawings, so it takes a beginning for all there will be. Where
the model knows where the latents of its words lie, it is asked the other way round: latents are
drawn from there, and each counts the more, the more it makes the decoder expect the beginning. That
is importance sampling of p(z | beginning) with p(z) as the proposal, but for TRUST.

Letters: P points, K candidates, Z latent size, W words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.inference import mixture
from sketchrnn_cli.inference.engine import Network, condition, decoder_input

Array = npt.NDArray[np.float32]

CANDIDATES = 128  # K
TRUST = 0.15  # of these nats: the decoder is surer than it should be; see tests/bench/beginnings.py


@dataclass(frozen=True, slots=True)
class Guesses:
    """Latents that a drawing may have, given how it begins."""

    z: Array  # (K, Z)
    nats: npt.NDArray[np.float64]  # (K,) how likely each makes the beginning

    def best(self) -> Array:
        """The likeliest, (Z,)."""
        likeliest: Array = self.z[self.nats.argmax()]
        return likeliest

    def choose(self, u: float) -> Array:
        """One of them by its weight, (Z,), for a number u from [0, 1)."""
        steps = np.cumsum(np.exp(TRUST * (self.nats - self.nats.max())))
        chosen: Array = self.z[int(np.searchsorted(steps / steps[-1], u, side="right"))]
        return chosen


def guess(network: Network, moves: Array, z: Array, labels: Array | None) -> Guesses:
    """Weigh candidates by how well they explain a beginning.

    Args:
        network: of a model with an encoder.
        moves: (P, 3) the beginning, stroke-3 in model units.
        z: (K, Z) drawn from where the latents lie.
        labels: (W + 1,) of its word, as ``condition`` takes them; None: no word.
    """
    n = len(z)
    told = None if labels is None else np.broadcast_to(labels, (n, len(labels)))
    inputs = decoder_input(moves)[:-1]  # the last one asks for what comes after the beginning
    raw = network.unroll([inputs] * n, condition(network.checkpoint, n, z=z, labels=told))
    pen = (moves[:, 2] >= 1).astype(np.intp)
    with np.errstate(all="ignore"):  # a damaged model; what is drawn will say so
        nats = [mixture.log_likelihood(r.astype(np.float64), moves[:, :2], pen).sum() for r in raw]
    return Guesses(z, np.nan_to_num(np.array(nats), nan=-np.inf, neginf=-1e300))
