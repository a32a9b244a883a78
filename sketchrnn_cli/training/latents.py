"""Where the drawings of a set lie in the latent space.

Training with a KL floor leaves the posteriors narrower than N(0, I), so a latent drawn from
N(0, I) decodes to scraps. What a model should be sampled from is the mixture of all posteriors;
here its mean and covariance, as one Gaussian.

Letters: N sketches, Z latent size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.encoder import Encoder
from sketchrnn_cli.training import batches

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

BATCH = 100


@torch.no_grad()
def fit(
    encoder: Encoder,
    corpus: Corpus,
    indices: npt.NDArray[np.int64],
    *,
    device: torch.device,
) -> Weights:
    """Fit a Gaussian to the posteriors of these drawings.

    Returns:
        ``latent.mean`` (Z,) and ``latent.scale`` (Z, Z), lower triangular: z = mean + scale e
        with e from N(0, I) has the mean and the covariance of all posteriors together.
    """
    mus, variances = [], []
    for first in range(0, len(indices), BATCH):
        sketches = batches.gather(
            corpus, indices[first : first + BATCH], scale_factor=corpus.scale_factor
        )
        batch = batches.pack(sketches, device=device)
        mu, presig = encoder(batch.moves, batch.backwards, batch.moves_packing)
        mus.append(mu.double().cpu().numpy())
        variances.append(presig.exp().double().cpu().numpy())
    mu_all, within = np.concatenate(mus), np.concatenate(variances).mean(0)
    around = mu_all - mu_all.mean(0)
    covariance = around.T @ around / len(mu_all) + np.diag(within)
    return {
        "latent.mean": mu_all.mean(0).astype(np.float32),
        "latent.scale": np.linalg.cholesky(covariance).astype(np.float32),
    }
