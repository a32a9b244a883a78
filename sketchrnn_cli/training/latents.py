"""Where the drawings of a set lie in the latent space.

Training with a KL floor leaves the posteriors narrower than N(0, I), so a latent drawn from
N(0, I) decodes to scraps. What a model should be sampled from is the mixture of all posteriors:
here one Gaussian a word, each with its own mean, all with the covariance within words.

Letters: N sketches, Z latent size, W words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.encoder import Encoder
from sketchrnn_cli.training import batches

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

BATCH = 100
WIDEST = 20.0  # log of a variance; of a network that runs wild, it has no end


@torch.no_grad()
def fit(
    encoder: Encoder,
    corpus: Corpus,
    indices: npt.NDArray[np.int64],
    *,
    device: torch.device,
) -> Weights:
    """Fit a Gaussian a word to the posteriors of these drawings.

    Returns:
        ``latent.*`` of a checkpoint, with one component a word and the same scale for all.
    """
    mus, variances = [], []
    for first in range(0, len(indices), BATCH):
        sketches = batches.gather(
            corpus, indices[first : first + BATCH], scale_factor=corpus.scale_factor
        )
        batch = batches.pack(sketches, device=device, dtype=encoder.mu_w.dtype)
        mu, presig = encoder(batch.moves, batch.backwards, batch.moves_packing)
        place = np.argsort(batch.numbers)  # from longest first to the order given
        mus.append(mu.double().cpu().numpy()[place])
        variances.append(presig.clamp(max=WIDEST).exp().double().cpu().numpy()[place])
    mu_all, within = np.concatenate(mus), np.concatenate(variances).mean(0)
    words = corpus.word_ids[indices]
    counts = np.bincount(words, minlength=len(corpus.words))
    means = np.tile(mu_all.mean(0), (len(counts), 1))  # of a word without drawings here
    for word in np.flatnonzero(counts):
        means[word] = mu_all[words == word].mean(0)
    around = mu_all - means[words]
    covariance = around.T @ around / len(mu_all) + np.diag(within)
    scale = _root(covariance).astype(np.float32)
    return {
        "latent.share": (counts / counts.sum()).astype(np.float32),
        "latent.weight": np.ones((len(counts), 1), np.float32),
        "latent.mean": means[:, None].astype(np.float32),
        "latent.scale": np.repeat(scale[None], len(counts), axis=0),
    }


def _root(covariance: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Its Cholesky factor, or nearly: of latents far apart on a line, rounding leaves none."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        slack = 1e-6 * covariance.diagonal().max()
        return np.linalg.cholesky(covariance + slack * np.eye(len(covariance)))
