"""Where the latents of each word lie: a mixture of Gaussians a word, fitted to its posteriors.

Training with a KL floor leaves the posteriors of real drawings elsewhere than N(0, I), and those
of each word in a place of their own, so a latent drawn from N(0, I) decodes to scraps. What to
draw from is the mixture of all posteriors of a word, their means and their variances: a hundred
numbers a drawing, and too many drawings to keep. A few Gaussians stand for it, of one covariance
a word: with that, a word of a few hundred drawings has a covariance of all latent dimensions.

Symbols: N drawings, Z latent size, W words, K components.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.inference.engine import Network, to_model
from sketchrnn_cli.model.checkpoint import Checkpoint, Weights

Array = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Track = Callable[[Iterable[int]], Iterator[int]]

COMPONENTS = (1, 2, 4, 8)  # candidates for K; what scores best on held-out drawings stays
SAMPLES = 4  # of each posterior, at least
SAMPLES_A_DIMENSION = 10  # of all posteriors of a word together, at least
HELD_OUT = 5  # every so-manieth drawing
ENOUGH = 20  # drawings of a word from which there is something to choose K by
AT_MOST = 2000  # drawings of a word
CHUNK = 256  # drawings read at once


def fit(
    mu: Array,
    sigma: Array,
    words: Integers,
    n_words: int,
    *,
    seed: int = 0,
    track: Track = iter,
) -> Weights:
    """Fit a mixture a word to posteriors.

    Args:
        mu: (N, Z) means.
        sigma: (N, Z) standard deviations.
        words: (N,) in [0, W), which word each drawing is of.
        n_words: W.
        seed: of the samples and of the search.
        track: passes on the labels that are fitted one after the other, and may show how far it is.

    Returns:
        ``latent.share``, ``latent.weight``, ``latent.mean`` and ``latent.scale`` of a checkpoint. A
        word without drawings has the mixture of all drawings, and share 0.

    Raises:
        BadFile: no drawings at all.
    """
    from threadpoolctl import threadpool_limits

    if not len(mu):
        raise BadFile("no drawings to fit latents to")
    counts = np.bincount(words, minlength=n_words)
    fitted: list[tuple[Any, Any, Any]] = []
    with threadpool_limits(1):  # products are small: threads would wait for one another
        for word in track(range(n_words)):
            chosen = words == word if counts[word] else np.ones(len(words), bool)
            fitted.append(_fit_word(mu[chosen], sigma[chosen], seed=[seed, word]))
    k = max(len(weight) for weight, _, _ in fitted)
    z = mu.shape[1]
    weights, means = np.zeros((n_words, k), np.float32), np.zeros((n_words, k, z), np.float32)
    for word, (weight, mean, _) in enumerate(fitted):
        weights[word, : len(weight)], means[word, : len(mean)] = weight, mean
    return {
        "latent.share": (counts / counts.sum()).astype(np.float32),
        "latent.weight": weights,
        "latent.mean": means,
        "latent.scale": np.stack([scale for _, _, scale in fitted]).astype(np.float32),
    }


def fit_model(
    network: Network,
    drawings: Iterable[tuple[int, Array]],
    *,
    seed: int = 0,
    track: Track = iter,
) -> Checkpoint:
    """The model of a network with latents fitted to these drawings, at most 2,000 a word.

    Args:
        network: with an encoder.
        drawings: of each the number of its word among those of the model, and its moves (P, 3),
            data units, prepared like those of training.
        seed: see ``fit``.
        track: see ``fit``.

    Raises:
        BadFile: no drawings.
        BadCheckpoint: a decoder-only model.
    """
    checkpoint = network.checkpoint
    n_words = max(len(checkpoint.words), 1)
    counts = [0] * n_words
    words: list[int] = []
    parts: list[tuple[Array, Array]] = []
    waiting: list[Array] = []
    for word, moves in drawings:
        if counts[word] == AT_MOST:
            continue
        counts[word] += 1
        words.append(word)
        waiting.append(to_model(moves, checkpoint.scale_factor))
        if len(waiting) == CHUNK:
            parts.append(network.encode(waiting))
            waiting = []
    parts.append(network.encode(waiting))
    mu, sigma = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    fitted = fit(mu, sigma, np.asarray(words, np.int64), n_words, seed=seed, track=track)
    return replace(checkpoint, weights={**checkpoint.weights, **fitted})


def is_fitted(weights: Weights) -> bool:
    """Whether a model has a latent prior."""
    return "latent.share" in weights


def chosen(shares: npt.ArrayLike, u: float) -> int:
    """The number of one of several, each as often as its share says, for u from [0, 1)."""
    steps = np.cumsum(shares, dtype=np.float64)
    return int(np.searchsorted(steps / steps[-1], u, side="right"))


def sample(weights: Weights, parts: dict[int, float], normal: Array, u: float | None) -> Array:
    """A latent (Z,) of a mixture of labels, from standard normal numbers (Z,).

    It is the weighted mean of the latents of its labels from the same numbers, so that it moves
    evenly with the shares.

    Args:
        weights: of the model.
        parts: share of each label, by its index; these sum to 1.
        normal: (Z,).
        u: from [0, 1), chooses the component; None: the heaviest one.
    """
    result = np.zeros_like(normal)
    for k, share in parts.items():
        weight = weights["latent.weight"][k]
        component = int(weight.argmax()) if u is None else chosen(weight, u)
        mean = weights["latent.mean"][k, component]
        result += np.float32(share) * (mean + weights["latent.scale"][k] @ normal)
    return result


def log_density(weights: Weights, word: int, z: Array) -> npt.NDArray[np.float64]:
    """Log density of latents (N, Z) under the mixture of a word, (N,) nats."""
    weight, means = weights["latent.weight"][word], weights["latent.mean"][word]
    scale = weights["latent.scale"][word].astype(np.float64)
    log_scale = np.log(np.diag(scale)).sum() + 0.5 * len(scale) * math.log(2 * math.pi)
    each = []
    for share, mean in zip(weight, means, strict=True):
        if share > 0:
            away = np.linalg.solve(scale, (z.astype(np.float64) - mean).T)  # (Z, N)
            each.append(math.log(share) - 0.5 * (away**2).sum(0) - log_scale)
    return cast("npt.NDArray[np.float64]", np.logaddexp.reduce(each, axis=0))


def _fit_word(mu: Array, sigma: Array, *, seed: list[int]) -> tuple[Any, Any, Any]:
    """Weights (K,), means (K, Z) and one lower triangular scale (Z, Z)."""
    n, z = mu.shape
    rng = np.random.default_rng(seed)
    n_samples = max(SAMPLES, -(-SAMPLES_A_DIMENSION * z // n))
    samples = mu + sigma * rng.standard_normal((n_samples, n, z))  # (S, N, Z)
    k = 1
    if n >= ENOUGH:
        held = np.arange(n) % HELD_OUT == 0
        shown, hidden = samples[:, ~held].reshape(-1, z), samples[:, held].reshape(-1, z)
        scores = {
            k: _mixture(shown, k, seed[0]).score(hidden) for k in COMPONENTS if k * HELD_OUT <= n
        }
        k = max(scores, key=lambda k: scores[k])
    best = _mixture(samples.reshape(-1, z), k, seed[0])
    return best.weights_, best.means_, np.linalg.cholesky(best.covariances_)


def _mixture(samples: npt.NDArray[np.floating[Any]], k: int, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning  # a second: not for sampling
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(k, covariance_type="tied", random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as far as it got is good enough
        return mixture.fit(samples)
