"""Mixtures fitted to posteriors, on posteriors made up for it."""

import dataclasses

import networks
import numpy as np
import pytest

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.inference import latent_prior as latent_mixture
from sketchrnn_cli.inference.engine import Engine


def posteriors(rng, n, z=4):
    """Of two words: the first in two heaps, the second in one."""
    word = np.arange(n) % 3 // 2  # two of three are of the first
    heap = np.where(rng.random(n) < 0.25, 6.0, -2.0)
    mu = rng.normal(size=(n, z)) * [1, 0.5, 0.1, 0.1]
    mu[:, 0] += np.where(word == 0, heap, 0)
    mu[:, 1] += np.where(word == 1, 9, 0)
    sigma = np.tile([0.1, 0.5, 1.0, 0.3], (n, 1))
    return mu.astype(np.float32), sigma.astype(np.float32), word


@pytest.mark.slow
def test_a_mixture_has_the_means_the_shares_and_the_variances_of_the_posteriors():
    mu, sigma, words = posteriors(np.random.default_rng(0), 1200)
    fitted = latent_mixture.fit(mu, sigma, words, 2)
    assert fitted["latent.share"].tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-6)
    assert fitted["latent.weight"].sum(1).tolist() == pytest.approx([1, 1])
    weight, mean = fitted["latent.weight"][0], fitted["latent.mean"][0]
    right = mean[:, 0] > 2
    assert weight[right].sum() == pytest.approx(0.25, abs=0.04)
    assert (weight[right] @ mean[right, 0]) / weight[right].sum() == pytest.approx(6, abs=0.3)
    scale = fitted["latent.scale"][1]
    np.testing.assert_array_equal(scale, np.tril(scale))
    # the variance of what is drawn is that of the means plus that of each posterior
    around = fitted["latent.mean"][1] - mu[words == 1].mean(0)
    spread = scale @ scale.T + (fitted["latent.weight"][1] * around.T) @ around
    wanted = mu[words == 1].var(0) + sigma[0] ** 2
    np.testing.assert_allclose(np.diag(spread), wanted, rtol=0.15)


def test_log_density_is_that_of_the_textbook():
    mu, sigma, words = posteriors(np.random.default_rng(1), 300)
    fitted = latent_mixture.fit(mu, sigma, words, 2)
    found = latent_mixture.log_density(fitted, 0, mu[:5])
    covariance = (fitted["latent.scale"][0] @ fitted["latent.scale"][0].T).astype(np.float64)
    for z, log_density in zip(mu[:5].astype(np.float64), found, strict=True):
        total = 0.0
        for weight, mean in zip(fitted["latent.weight"][0], fitted["latent.mean"][0], strict=True):
            away = z - mean
            power = -0.5 * away @ np.linalg.inv(covariance) @ away
            total += weight * np.exp(power) / np.sqrt(np.linalg.det(2 * np.pi * covariance))
        assert log_density == pytest.approx(np.log(total), abs=1e-4)


def test_the_mixture_of_its_word_explains_new_latents_better_than_n_0_i():
    rng = np.random.default_rng(2)
    fitted = latent_mixture.fit(*posteriors(rng, 600), 2)
    mu, sigma, words = posteriors(rng, 200)
    z = (mu + sigma * rng.normal(size=mu.shape)).astype(np.float32)
    for word in (0, 1):
        of_word = z[words == word]
        ours = latent_mixture.log_density(fitted, word, of_word).mean()
        other = latent_mixture.log_density(fitted, 1 - word, of_word).mean()
        normal = -0.5 * ((of_word**2).sum(1) + 4 * np.log(2 * np.pi)).mean()
        assert ours > normal + 1
        assert ours > other + 1


def test_the_same_seed_fits_the_same():
    given = posteriors(np.random.default_rng(3), 200)
    first, again, other = (latent_mixture.fit(*given, 2, seed=seed) for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert (first["latent.scale"] != other["latent.scale"]).any()


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_few_drawings_and_words_without_any_are_enough(n):
    rng = np.random.default_rng(n)
    mu = rng.normal(size=(n, 6)).astype(np.float32)
    sigma = np.full((n, 6), 0.5, np.float32)
    fitted = latent_mixture.fit(mu, sigma, np.ones(n, np.int64), 3)
    assert fitted["latent.share"].tolist() == [0, 1, 0]
    assert all(np.isfinite(array).all() for array in fitted.values())
    assert (np.diagonal(fitted["latent.scale"], axis1=1, axis2=2) > 0.1).all()
    with pytest.raises(BadFile, match="no drawings to fit"):
        latent_mixture.fit(mu[:0], sigma[:0], np.ones(0, np.int64), 3)


def test_a_model_is_fitted_by_what_its_encoder_makes_of_drawings(monkeypatch):
    model = networks.tiny(words=("ant", "bee"))
    rng = np.random.default_rng(4)
    moves = [networks.random_moves(rng, 12) for _ in range(60)]
    drawings = [(k % 2, 20 * m * [1, 1, 0.05]) for k, m in enumerate(moves)]
    fitted = latent_mixture.fit_model(Engine(model), drawings)
    mu, sigma = Engine(model).encode(moves)
    wanted = latent_mixture.fit(mu, sigma, np.arange(60) % 2, 2)
    for name, array in wanted.items():
        np.testing.assert_allclose(fitted.weights[name], array, atol=1e-4)
    assert dataclasses.replace(fitted, weights={}) == dataclasses.replace(model, weights={})
    monkeypatch.setattr(latent_mixture, "AT_MOST", 10)
    monkeypatch.setattr(latent_mixture, "CHUNK", 7)
    fewer = latent_mixture.fit_model(Engine(model), drawings)
    wanted = latent_mixture.fit(mu[:20], sigma[:20], np.arange(20) % 2, 2)
    np.testing.assert_allclose(fewer.weights["latent.mean"], wanted["latent.mean"], atol=1e-4)
    with pytest.raises(BadCheckpoint, match="decoder-only"):
        latent_mixture.fit_model(Engine(networks.tiny(encoder=False)), [(0, moves[0])])
