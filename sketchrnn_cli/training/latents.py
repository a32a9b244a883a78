"""The latent prior of a model in training: one Gaussian per label, in a second.

Training with a KL floor leaves the posteriors narrower than N(0, I), so a latent drawn from
N(0, I) decodes to scraps. A model should be sampled from the mixture of all posteriors: here one
Gaussian per label, each with its own mean, all with the covariance within labels. At the end of a
run ``inference.latent_prior`` fits several per label.

Symbols: N sketches, Z latent size, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from sketchrnn_cli.model.checkpoint import Weights
from sketchrnn_cli.model.network import Encoder
from sketchrnn_cli.training import batches

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

BATCH = 100
WIDEST = 20.0  # log of a variance; that of a network which diverges has no bound


@torch.no_grad()
def fit(
    encoder: Encoder,
    corpus: Corpus,
    indices: npt.NDArray[np.int64],
    *,
    device: torch.device,
) -> Weights:
    """Fit a Gaussian per label to the posteriors of these drawings.

    Returns:
        ``latent.*`` of a checkpoint, with one component per label and the same scale for all.
    """
    mus, variances = [], []
    for first in range(0, len(indices), BATCH):
        sketches = batches.gather(
            corpus, indices[first : first + BATCH], scale_factor=corpus.scale_factor
        )
        batch = batches.pack(sketches, device=device, dtype=encoder.mu_w.dtype)
        mu, presig = encoder(batch)
        place = np.argsort(batch.numbers)  # from longest first to the order given
        mus.append(mu.cpu().numpy().astype(np.float64)[place])
        variances.append(np.exp(presig.cpu().numpy().astype(np.float64).clip(max=WIDEST))[place])
    mu_all, within = np.concatenate(mus), np.concatenate(variances).mean(0)
    words = corpus.word_ids[indices]
    counts = np.bincount(words, minlength=len(corpus.words))
    means = np.tile(mu_all.mean(0), (len(counts), 1))  # of a label without drawings here
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
    """The Cholesky factor, or one of nearly this matrix: rounding may leave none."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        slack = 1e-6 * covariance.diagonal().max()
        return np.linalg.cholesky(covariance + slack * np.eye(len(covariance)))
