"""The network in training: one step, validation, the model that comes of it."""

import dataclasses

import numpy as np
import pytest
import reference
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from trainers import CPU, QUICK, SMALL, corpus_in, resumed, trainer_of

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.training import latents, loop
from sketchrnn_cli.training.config import (
    TrainingConfig,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


def test_decay_pulls_matrices_alone(tmp_path, corpus):
    weights = []
    for decay in (0.0, 0.5):
        config = dataclasses.replace(QUICK, learning_rate=0.01, weight_decay=decay)
        trainer = trainer_of(tmp_path / f"run-{decay}", corpus, config)
        before = trainer.network.weights()
        trainer.take_step()
        weights.append(trainer.network.weights())
    for name, kept in weights[0].items():
        pulled = kept - 0.01 * 0.5 * before[name] * (kept.ndim > 1)
        np.testing.assert_allclose(weights[1][name], pulled, atol=1e-7, err_msg=name)


def test_a_floor_of_each_dimension_frees_those_below_alone(tmp_path, corpus):
    losses = []
    for floor_of in ("mean", "each"):
        config = dataclasses.replace(
            QUICK, kl_floor=0.05, kl_floor_of=floor_of, kl_weight=0.5, kl_weight_start=0.5
        )
        trainer = trainer_of(tmp_path / floor_of, corpus, config)
        with torch.no_grad():
            trainer.network.encoder.mu_b[0] = 3.0  # one dimension far above the floor
        losses.append(trainer.take_step().tolist())
    (mean, l_r, l_kl), (each, _, _) = losses
    assert mean == pytest.approx(l_r + 0.5 * l_kl, rel=1e-5)
    others = (6 * l_kl - 4.5) / 5  # of the five below
    assert others < 0.05
    assert each == pytest.approx(l_r + 0.5 * (4.5 + 5 * 0.05) / 6, rel=1e-3)


def test_validation_is_the_exact_loss_of_the_slow_reference(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus, model=dataclasses.replace(SMALL, encoder=False))
    metrics = trainer.validate()
    weights = {n: v.astype(np.float64) for n, v in trainer.network.weights().items()}
    nats = []
    for index in corpus.indices("valid"):
        moves = corpus.moves_of(index).astype(np.float64)
        moves[:, :2] /= corpus.scale_factor
        nats.append(reference.sketch_nats(weights, moves))
    assert metrics.l_r == pytest.approx(np.mean(nats) / corpus.n_max, rel=1e-4)
    assert metrics.l_kl == 0
    assert metrics.split == "valid"


def test_validation_floors_what_training_floors(tmp_path, corpus):
    metrics = {}
    for floor_of in ("mean", "each"):
        config = TrainingConfig(kl_floor=0.2, kl_floor_of=floor_of, kl_weight=1.0)
        trainer = trainer_of(tmp_path / floor_of, corpus, config)
        with torch.no_grad():  # dimensions on both sides of the floor
            trainer.network.encoder.mu_b.copy_(torch.linspace(0, 2, SMALL.latent_size))
            trainer.average = [p.detach().clone() for p in trainer.network.parameters()]
        metrics[floor_of] = trainer.validate()
    mean, each = metrics["mean"], metrics["each"]
    assert mean.l_kl == each.l_kl > 0.2
    assert mean.loss == pytest.approx(mean.l_r + mean.l_kl, rel=1e-6)
    assert each.loss > mean.loss + 0.01  # of dimensions below the floor 0.2 nats each


@pytest.mark.slow
def test_a_model_that_is_told_words_learns_which_is_which(tmp_path, corpus):
    model = dataclasses.replace(SMALL, n_words=len(corpus.words), encoder=False)
    config = TrainingConfig(batch_size=16, steps=150, valid_every=150, save_every=150)
    trainer = trainer_of(tmp_path / "run", corpus, config, model)
    for _ in loop.events(trainer):
        pass
    network = Engine(checkpoint.load(tmp_path / "run"))
    indices = corpus.indices("train")
    moves = [to_model(corpus.moves_of(i), corpus.scale_factor) for i in indices]
    words = [corpus.word_of(i) for i in indices]
    turned = [corpus.words[(corpus.words.index(w) + 1) % len(corpus.words)] for w in words]
    right, none, wrong = (
        score.log_likelihood(network, moves, None, words=told).mean()
        for told in (words, None, turned)
    )
    assert right > none + 1
    assert none > wrong


@pytest.mark.slow
def test_latents_are_fitted_to_the_posteriors_of_the_training_drawings(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights that spread the drawings
        for parameter in trainer.network.encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.5)
    weights = {n: v.astype(np.float64) for n, v in trainer.network.weights().items()}
    rng, indices = np.random.default_rng(0), corpus.indices("train")
    words = corpus.word_ids[indices]
    z = np.empty((len(indices), 400, 6))
    for k, index in enumerate(indices):
        moves = corpus.moves_of(index).astype(np.float64)
        moves[:, :2] /= corpus.scale_factor
        mu, presig = reference.encode(weights, moves)
        z[k] = mu + np.exp(presig / 2) * rng.normal(size=(400, len(mu)))
    fitted = latents.fit(trainer.network.encoder, corpus, indices, device=CPU)
    size = z.std((0, 1)).max()
    within = z.copy()
    for word in range(len(corpus.words)):
        mean = z[words == word].mean((0, 1))
        np.testing.assert_allclose(fitted["latent.mean"][word, 0], mean, atol=0.05 * size)
        assert fitted["latent.share"][word] == pytest.approx((words == word).mean())
        within[words == word] -= mean
    assert fitted["latent.weight"].tolist() == [[1]] * len(corpus.words)
    for scale in fitted["latent.scale"]:
        np.testing.assert_array_equal(scale, np.tril(scale))
        np.testing.assert_array_equal(scale, fitted["latent.scale"][0])
    covariance = scale @ scale.T
    np.testing.assert_allclose(covariance, np.cov(within.reshape(-1, 6).T), atol=0.05 * size**2)
    for _ in loop.events(trainer):
        pass
    saved = checkpoint.load(tmp_path / "run").weights
    assert saved["latent.scale"].shape == (len(corpus.words), 6, 6)
    assert "latent.scale" not in trainer.network.weights()


def test_a_state_of_another_model_is_refused(tmp_path, corpus):
    trainer_of(tmp_path / "run", corpus).save()
    other = dataclasses.replace(SMALL, decoder_size=25)
    with pytest.raises(BadConfig, match="other sizes"):
        resumed(tmp_path / "run", corpus, model=other)


def test_validation_is_the_same_at_every_step(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    first = trainer.validate()
    trainer.progress.step = 7
    again = trainer.validate()
    assert (first.loss, first.l_r, first.l_kl) == (again.loss, again.l_r, again.l_kl)
    other = trainer_of(tmp_path / "other", corpus, dataclasses.replace(QUICK, seed=1))
    other.network.load_weights(trainer.network.weights())
    other.average = [parameter.detach().clone() for parameter in other.network.parameters()]
    assert other.validate().l_r != first.l_r  # there is noise, and it is that of the seed


class NoFloat64(TorchDispatchMode):
    """A device that has no float64, as mps."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = result if isinstance(result, (list, tuple)) else [result]
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                raise TypeError(f"{function} makes float64")
        return result


def test_a_device_without_float64_is_seen():
    with NoFloat64(), pytest.raises(TypeError, match="makes float64"):
        torch.ones(3).double()


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [True, False])
def test_nothing_is_float64_on_a_device(tmp_path, corpus, encoder):
    model = dataclasses.replace(SMALL, encoder=encoder)
    with NoFloat64():
        list(loop.events(trainer_of(tmp_path / "run", corpus, model=model)))
        again, _ = resumed(tmp_path / "run", corpus, dataclasses.replace(QUICK, steps=12), model)
        list(loop.events(again))
