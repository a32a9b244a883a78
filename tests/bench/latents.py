"""Where latents lie: what held-out drawings cost under the mixture of their word and under others.

    python tests/bench/latents.py WORDS.npz [--model RUN] [--split test]

A drawing costs its reconstruction and the divergence of its posterior from where latents are drawn
from: the negative evidence lower bound under that prior. The divergence is estimated from samples
of every posterior, the same for all priors. The last columns are of words told to the decoder:
how much less a drawing costs when it is given the right word, and how often the right word costs
least.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import Row

from sketchrnn_cli import pretrained
from sketchrnn_cli.inference import latent_prior as latent_mixture
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.corpus import Corpus

SAMPLES = 8  # of each posterior


def divergence(z, mu, sigma, log_prior):
    """Mean over samples of log q(z) - log p(z); z: (S, N, Z), log_prior: (S, N)."""
    log_q = -0.5 * (((z - mu) / sigma) ** 2 + np.log(2 * np.pi)) - np.log(sigma)
    return (log_q.sum(-1) - log_prior).mean(0)


def moments(share, mean, covariance):
    """Mean and covariance of a mixture: share (K,), mean (K, Z), covariance (K, Z, Z)."""
    middle = share @ mean
    around = mean - middle
    return middle, np.einsum("k,kij->ij", share, covariance) + (share * around.T) @ around


def gaussians(moments_of_each):
    """Latents of words with one component each, as a checkpoint has them."""
    means, covariances = zip(*moments_of_each, strict=True)
    return {
        "latent.weight": np.ones((len(means), 1)),
        "latent.mean": np.stack(means)[:, None],
        "latent.scale": np.linalg.cholesky(np.stack(covariances)),
    }


def one_gaussian_a_word(weights):
    """The Gaussian of each word with the moments of its mixture."""
    scales = weights["latent.scale"].astype(np.float64)
    return gaussians(
        moments(weight, mean, np.repeat((scale @ scale.T)[None], len(weight), axis=0))
        for weight, mean, scale in zip(
            weights["latent.weight"], weights["latent.mean"], scales, strict=True
        )
    )


def one_gaussian(weights):
    """The Gaussian of all words with the moments of all mixtures."""
    each = one_gaussian_a_word(weights)
    scale = each["latent.scale"]
    covariances = scale @ scale.transpose(0, 2, 1)
    return gaussians([moments(weights["latent.share"], each["latent.mean"][:, 0], covariances)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--model", default=str(pretrained.FILE))
    parser.add_argument("--split", default="test")
    parser.add_argument("--classify", type=int, default=200, help="drawings told every word")
    given = parser.parse_args()
    network = Engine(checkpoint.load(given.model))
    model, corpus = network.checkpoint, Corpus.open(given.data)
    place = {word: k for k, word in enumerate(model.words)}
    indices = [i for i in corpus.indices(given.split).tolist() if corpus.word_of(i) in place]
    moves = [to_model(corpus.moves_of(i), model.scale_factor) for i in indices]
    words = np.array([place[corpus.word_of(i)] for i in indices])
    mu, sigma = network.encode(moves)
    rng = np.random.default_rng(0)
    z = mu + sigma * rng.standard_normal((SAMPLES, *mu.shape))

    weights = model.weights
    priors = {"N(0, I)": lambda z, word: -0.5 * (z**2 + np.log(2 * np.pi)).sum(-1)}
    if "latent.weight" in weights:
        each, every = one_gaussian_a_word(weights), one_gaussian(weights)
        priors["one Gaussian for all words"] = lambda z, _: latent_mixture.log_density(every, 0, z)
        priors["one Gaussian of its word"] = lambda z, word: latent_mixture.log_density(
            each, word, z
        )
        priors["the mixture of its word"] = lambda z, word: latent_mixture.log_density(
            weights, word, z
        )
    costs = {}
    for name, log_density in priors.items():
        log_prior = np.empty(z.shape[:2])
        for word in np.unique(words):
            of_word = words == word
            flat = z[:, of_word].reshape(-1, z.shape[-1])
            log_prior[:, of_word] = log_density(flat, word).reshape(SAMPLES, -1)
        costs[name] = divergence(z, mu, sigma, log_prior)
    labels = [model.words[word] for word in words]
    nats = -score.log_likelihood(network, moves, z[0].astype(np.float32), words=labels)
    rows = [Row(f"{len(moves):,} drawings, reconstruction (z sampled)", f"{nats.mean():.2f} nats")]
    for name, cost in costs.items():
        total = (nats + cost).mean()
        rows.append(Row(f"latents under {name}", f"{cost.mean():.2f} nats", f"{total:.2f} in all"))
    if model.config.n_words:
        rows += told(network, moves, words, mu, rng, given.classify)
    for row in rows:
        print(f"{row.what:52}  {row.figure:14}  {row.ratio}")


def told(network, moves, words, mu, rng, n):
    """What the right word, no word and every other word cost; z is the mean of the posterior."""
    model = network.checkpoint
    right = [model.words[word] for word in words]
    costs = {
        name: -score.log_likelihood(network, moves, mu, words=labels).mean()
        for name, labels in (("the right word", right), ("no word", [None] * len(moves)))
    }
    for name, cost in costs.items():
        yield Row(f"told {name}", f"{cost:.2f} nats")
    chosen = rng.choice(len(moves), min(n, len(moves)), replace=False)
    some, z = [moves[k] for k in chosen], mu[chosen]
    every = [
        -score.log_likelihood(network, some, z, words=[word] * len(some)) for word in model.words
    ]
    found = np.argmin(every, axis=0) == words[chosen]
    yield Row(f"{len(some)} drawings told every word", f"{found.mean():.1%}", "cost least: its own")


if __name__ == "__main__":
    main()
