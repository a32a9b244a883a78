"""Likelihoods and losses against slow loops written from the definitions."""

import math

import networks
import numpy as np
import pytest
import reference
from scipy import special

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.inference import engine, mixture, score
from sketchrnn_cli.inference.conditioning import condition, label_rows, random_numbers
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.model import sketch_rnn_js
from sketchrnn_cli.sketches.preparation import Preparation
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

MAGENTA = {"magenta_l_r", "magenta_l_r_masked", "nats_per_sketch", "nats_per_point"}
KEYS = {
    *("magenta_l_kl", "kl_nats_per_sketch", "dequantised_nats_per_sketch"),
    *("split", "n_max", "n_sketches", "scale_factor", "split_hash"),
}


class Drawings:
    """A packed set of random drawings, in data units."""

    def __init__(self, lengths, scale=20.0):
        rng = np.random.default_rng(1)
        self.all = [networks.random_moves(rng, n) for n in lengths]
        for moves in self.all:
            moves[:, :2] *= scale
        self.n_max = max(lengths)
        self.preparation = Preparation(fit=False, simplified=False)

    def indices(self, split):
        return np.arange(1, len(self.all)) if split == "test" else np.arange(0)

    def moves_of(self, index):
        return self.all[index]

    def word_of(self, index):
        return ("ant", "bee")[index % 2]

    def split_hash(self, split):
        return f"hash of {split}"


@pytest.mark.parametrize("encoder", [True, False], ids=["conditional", "decoder-only"])
def test_log_likelihood_equals_the_slow_reference(encoder):
    checkpoint = networks.tiny(encoder=encoder)
    rng = np.random.default_rng(2)
    moves = [networks.random_moves(rng, n) for n in (5, 1, 17)]
    z = rng.normal(size=(3, 8)).astype("f4") if encoder else None
    nats = score.log_likelihood(Engine(checkpoint), moves, z)
    for k, sketch in enumerate(moves):
        latent = None if z is None else z[k].astype(np.float64)
        wanted = reference.sketch_nats(
            networks.exact(checkpoint), sketch.astype(np.float64), latent
        )
        assert nats[k] == pytest.approx(-wanted, abs=1e-4)


def test_the_density_of_the_mixture_integrates_to_one():
    raw = np.random.default_rng(3).normal(size=3 + 6 * 4)
    axis = np.linspace(-25, 25, 500)
    x, y = np.meshgrid(axis, axis)
    grid = np.column_stack([x.ravel(), y.ravel()])
    raws = np.broadcast_to(raw, (len(grid), len(raw)))
    total = np.exp(mixture.log_move(raws, grid)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-3)


def test_extreme_outputs_have_finite_likelihoods():
    """A move 10,000 sigmas away, correlations that round to 1, mixtures of weight zero."""
    raw = np.zeros((3, 3 + 6 * 2))
    raw[0, 7:11] = -9
    raw[1, 13:15] = 40, -40
    raw[2, 3:5] = 800, -800
    nats = mixture.log_likelihood(raw, np.ones((3, 2)), np.zeros(3, np.intp))
    assert np.isfinite(nats).all()


def slow_losses(checkpoint, moves, z, n_max):
    """Exact nats, magenta's L_R sum and the masked one, row by row in float64."""
    weights = networks.exact(checkpoint)
    nats = reference.sketch_nats(weights, moves, z)
    # The reference feeds moves; padding rows are end rows, so feed stroke-5 by hand.
    rows = [np.array([0.0, 0, 1, 0, 0]), *reference.stroke5(moves)]
    rows += [np.array([0.0, 0, 0, 0, 1])] * (n_max + 1 - len(rows))
    h = np.zeros(checkpoint.config.decoder_size)
    c = h
    w_x = weights["decoder.cell.w_x"]
    if z is not None:
        start = np.tanh(z @ weights["decoder.start_w"] + weights["decoder.start_b"])
        c, h = np.split(start, 2)
        w_x = np.concatenate([w_x, weights["decoder.cell.w_const"]])
    full = masked = 0.0
    for t in range(n_max):
        x = rows[t] if z is None else np.concatenate([rows[t], z])
        h, c = reference.lstm_step(
            x, h, c, w_x, weights["decoder.cell.w_h"], weights["decoder.cell.b"]
        )
        output = h @ weights["decoder.out_w"] + weights["decoder.out_b"]
        target = rows[t + 1]
        l_s = (1 - target[4]) * -math.log(reference.density(output, *target[:2]) + 1e-6)
        l_p = reference.pen_nats(output, int(target[2:].argmax()))
        full += l_s + l_p
        masked += l_s + (1 - target[4]) * l_p
    return np.array([nats, full, masked])


@pytest.mark.parametrize("encoder", [True, False], ids=["conditional", "decoder-only"])
def test_evaluate_equals_the_definitions(encoder):
    checkpoint = networks.tiny(encoder=encoder, scale_factor=25.0)
    drawings = Drawings((25, 3, 12, 1, 9))  # the longest is not in the split
    found = score.evaluate(Engine(checkpoint), drawings, "test", seed=4)
    more = {f"{key}_at_mean" for key in MAGENTA} if encoder else set()
    assert found.keys() == KEYS | MAGENTA | more
    assert found["split"] == "test"
    weights = networks.exact(checkpoint)
    sums = {"": np.zeros(3), "_at_mean": np.zeros(3)}
    kl, n_points = 0.0, 0
    for index in (1, 2, 3, 4):
        moves = drawings.all[index].astype(np.float64)
        moves[:, :2] = np.clip(moves[:, :2], -1000, 1000) / 25.0
        n_points += len(moves)
        z = {"": None, "_at_mean": None}
        if encoder:
            mu, presig = reference.encode(weights, moves)
            kl += -0.5 * (1 + presig - mu**2 - np.exp(presig)).sum()
            noise = random_numbers(4, index).standard_normal(8)
            z = {"": mu + np.exp(presig / 2) * noise, "_at_mean": mu}
        for key, latent in z.items():
            sums[key] += slow_losses(checkpoint, moves, latent, 25)
    keys = ("", "_at_mean") if encoder else ("",)
    for key in keys:
        nats, full, masked = sums[key]
        assert found[f"nats_per_sketch{key}"] == pytest.approx(nats / 4, rel=1e-5)
        assert found[f"nats_per_point{key}"] == pytest.approx(nats / n_points, rel=1e-5)
        assert found[f"magenta_l_r{key}"] == pytest.approx(full / (4 * 25), rel=1e-5)
        assert found[f"magenta_l_r_masked{key}"] == pytest.approx(masked / (4 * 25), rel=1e-5)
    assert ("nats_per_sketch_at_mean" in found) == encoder
    assert found["kl_nats_per_sketch"] == pytest.approx(kl / 4, rel=1e-5)
    assert found["magenta_l_kl"] == pytest.approx(kl / (4 * 8), rel=1e-5)
    assert (found["n_max"], found["n_sketches"], found["scale_factor"]) == (25, 4, 25.0)
    assert found["split_hash"] == "hash of test"


def test_a_sketch_as_long_as_n_max_has_no_end_in_magentas_loss():
    checkpoint = networks.tiny(encoder=False)
    drawings = Drawings((1, 6))
    found = score.evaluate(Engine(checkpoint), drawings, "test")
    assert drawings.n_max == 6
    assert found["magenta_l_r"] == pytest.approx(found["magenta_l_r_masked"])


def test_evaluate_does_not_depend_on_chunks_and_follows_the_seed(monkeypatch):
    engine, drawings = Engine(networks.tiny()), Drawings((4, 3, 12, 1, 9))
    whole = score.evaluate(engine, drawings, "test")
    monkeypatch.setattr(score, "CHUNK", 2)
    for key, value in score.evaluate(engine, drawings, "test").items():
        assert value == (
            pytest.approx(whole[key], rel=1e-5) if type(value) is float else whole[key]
        )
    other = score.evaluate(engine, drawings, "test", seed=1)
    assert other["nats_per_sketch"] != whole["nats_per_sketch"]
    assert other["nats_per_sketch_at_mean"] == pytest.approx(whole["nats_per_sketch_at_mean"])


def test_a_split_that_is_empty_is_a_fault():
    engine, drawings = Engine(networks.tiny()), Drawings((4, 3))
    says = "^no drawings in the valid split: nothing to evaluate$"
    with pytest.raises(BadConfig, match=says):
        score.evaluate(engine, drawings, "valid")


@pytest.mark.slow
def test_golden_weights_like_their_own_drawings_best(shared_data):
    """Google's three decoders each find their own drawings likelier than the others do."""
    from networks import draw

    from sketchrnn_cli.inference.engine import to_model
    from sketchrnn_cli.inference.settings import Settings
    from sketchrnn_cli.sketches.sketch import to_stroke3

    engines = [
        Engine(sketch_rnn_js.load(shared_data / "sketch-rnn-js" / f"{word}.gen.json"))
        for word in ("bird", "bicycle", "bear")
    ]
    for k, artist in enumerate(engines):
        drawn = [to_stroke3(s) for s in draw(artist, 6, settings=Settings(seed=k))]
        nats = []
        for critic in engines:
            moves = [to_model(m, artist.checkpoint.scale_factor) for m in drawn]
            nats.append(score.log_likelihood(critic, moves, None).sum())
        assert int(np.argmax(nats)) == k


@pytest.mark.slow
def test_importance_weighting_tightens_the_bound_towards_the_likelihood():
    checkpoint = networks.tiny(latent_size=2, n_words=2, words=("ant", "bee"))
    # a decoder that depends on its latent, and posteriors that are off
    checkpoint.weights["decoder.start_w"][:2] *= 3
    drawings, network = Drawings([9, 4, 12, 6]), Engine(checkpoint)
    bounds = [score.importance_weighted(network, drawings, "test", k, seed=1) for k in (1, 16, 400)]
    assert bounds[0] > bounds[1] > bounds[2]
    # by brute force: -log of the mean of p(x | z) over latents of the prior
    rng, truth = np.random.default_rng(0), 0.0
    for index in drawings.indices("test"):
        moves = drawings.moves_of(index) / [20, 20, 1]
        n = 4000
        found = score.log_likelihood(
            network,
            [moves.astype(np.float32)] * n,
            rng.normal(size=(n, 2)).astype(np.float32),
            words=[drawings.word_of(index)] * n,
        )
        truth -= np.log(np.mean(np.exp(found - found.max()))) + found.max()
    assert bounds[2] == pytest.approx(truth / 3, abs=0.25)
    both = score.evaluate(network, drawings, "test", seed=1)
    one = both["nats_per_sketch"] + both["kl_nats_per_sketch"]
    assert bounds[0] == pytest.approx(one, abs=4)  # one latent each: noisy, but the same bound


def test_one_latent_weighs_reconstruction_prior_and_posterior():
    checkpoint = networks.tiny(latent_size=3, n_words=2, words=("ant", "bee"))
    drawings, network = Drawings([9, 4, 12, 6]), Engine(checkpoint)
    total = 0.0
    for index in drawings.indices("test"):
        moves = to_model(drawings.moves_of(index), 20)
        mu, sigma = (part.astype(float) for part in network.encode([moves]))
        noise = random_numbers(7, int(index)).standard_normal(3)
        z = mu + sigma * noise
        word = [drawings.word_of(index)]
        total += score.log_likelihood(network, [moves], z.astype("f4"), words=word)[0]
        prior, posterior = np.zeros(3), np.zeros(3)
        for k in range(3):
            prior[k] = -0.5 * z[0, k] ** 2 - 0.5 * math.log(2 * math.pi)
            away = (z[0, k] - mu[0, k]) / sigma[0, k]
            posterior[k] = -0.5 * away**2 - math.log(sigma[0, k]) - 0.5 * math.log(2 * math.pi)
        total += prior.sum() - posterior.sum()
    found = score.importance_weighted(network, drawings, "test", 1, seed=7)
    assert found == pytest.approx(-total / 3, abs=1e-3)


def test_without_latents_the_bound_is_exact():
    network, drawings = Engine(networks.tiny(encoder=False)), Drawings([9, 4, 12])
    found = score.importance_weighted(network, drawings, "test", 7)
    wanted = score.evaluate(network, drawings, "test")["nats_per_sketch"]
    assert found == pytest.approx(wanted, rel=1e-6)


def raw_outputs(rng, n, m, *, log_std, r):
    raw = rng.normal(size=(n, 3 + 6 * m))
    raw[:, 3 + m : 3 + 3 * m] *= 0.05
    raw[:, 3 + 3 * m : 3 + 5 * m] = log_std
    raw[:, 3 + 5 * m :] *= r
    return raw


def mass_in_square(place, std, rho, width):
    """Probability of a square about a place, off the mean of a normal distribution."""
    low, high = (place - width / 2) / std, (place + width / 2) / std
    x = np.linspace(np.clip(low[0], -12, 12), np.clip(high[0], -12, 12), 40_001)
    across = math.sqrt(1 - rho * rho)
    given_x = special.ndtr((high[1] - rho * x) / across) - special.ndtr((low[1] - rho * x) / across)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * given_x
    return (density[1:] + density[:-1]).sum() / 2 * (x[1] - x[0])


@pytest.mark.parametrize("log_std", [-6.0, -4.0, -3.0, -2.0, 0.0])
@pytest.mark.parametrize("r", [0.0, 1.0])
def test_a_density_is_averaged_over_its_pixel(log_std, r):
    rng, width = np.random.default_rng(0), 0.1
    raw = raw_outputs(rng, 20, 3, log_std=log_std, r=r)
    moves = rng.normal(size=(20, 2)) * 0.05
    found = mixture.log_move_in_pixel(raw, moves, width)
    errors = []
    for k in range(20):
        pi = np.exp(mixture.log_softmax(raw[k, 3:6]))
        mass = sum(
            share * mass_in_square(moves[k] - mean, math.exp(log_std), math.tanh(each), width)
            for share, mean, each in zip(pi, raw[k, 6:12].reshape(2, 3).T, raw[k, 18:], strict=True)
        )
        if mass > 1e-8:  # further out the slow quadrature sees nothing
            errors.append(found[k] - (math.log(mass) - 2 * math.log(width)))
    assert len(errors) > 10
    assert np.abs(errors).max() < (5e-3 if log_std == 0 else 1e-3)


def test_a_gaussian_within_its_pixel_gains_nothing_from_being_thinner():
    moves = np.zeros((1, 2))
    for log_std in (-8.0, -12.0, -20.0):
        raw = np.zeros((1, 9))
        raw[:, 6:8] = log_std
        assert mixture.log_move_in_pixel(raw, moves, 0.1)[0] == pytest.approx(-2 * math.log(0.1))
        assert mixture.log_move(raw, moves)[0] > 14
    far = np.full((1, 2), 1e3)
    assert np.isfinite(mixture.log_move_in_pixel(np.zeros((1, 9)), far, 0.1)).all()


def test_dequantised_nats_add_the_pen_and_the_end_once():
    checkpoint = networks.tiny(encoder=False)
    drawings, network = Drawings([5, 7, 3]), Engine(checkpoint)
    found = score.evaluate(network, drawings, "test")["dequantised_nats_per_sketch"]
    total = 0.0
    for index in drawings.indices("test"):
        moves = to_model(drawings.moves_of(index), 20)
        (raw,) = (each.astype(float) for each in network.forward([moves], None))
        pen = np.append((moves[:, 2] >= 1).astype(int), mixture.END)
        total -= mixture.log_pen(raw, pen).sum()
        total -= mixture.log_move_in_pixel(raw[:-1], moves[:, :2], 1 / 20).sum()
    assert found == pytest.approx(total / 2, rel=1e-5)


def likelihood(network, sketch):
    """Nats of one drawing given its mean latent and its word, a prediction."""
    moves = to_model(to_stroke3(sketch), network.checkpoint.scale_factor)
    z = network.encode([moves])[0] if network.checkpoint.config.encoder else None
    labels = label_rows(network.checkpoint, [sketch.word])
    inputs = engine.decoder_input(moves)
    constant = condition(network.checkpoint, 1, z=z, labels=labels)
    (raw,) = network.unroll([inputs], constant)
    return score.of_predictions(raw, inputs).sum() / (len(moves) + 1)


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("listed", [2, 256])
@pytest.mark.parametrize("n_shown", [0, 1, 2, 5, 6, 7, 8, 30])
def test_the_least_likely_a_prediction_come_first(monkeypatch, encoder, listed, n_shown):
    monkeypatch.setattr(score, "LISTED", listed)
    network = Engine(networks.tiny(encoder=encoder, n_words=2, words=("ant", "bee")))
    rng, words = np.random.default_rng(7), ("ant", "bee", None, "cow")
    sketches = [
        Sketch((rng.normal(size=(3 + 5 * k % 11, 2)).cumsum(0).astype("f4") * 20,), words[k % 4])
        for k in range(7)
    ]
    wanted = sorted((likelihood(network, each), 10 + k) for k, each in enumerate(sketches))
    scores, shown = score.worst_first(network, enumerate(sketches, 10), n_shown)
    assert [each["index"] for each in scores] == [index for _, index in wanted]
    for (nats, index), each in zip(wanted, scores, strict=True):
        sketch = sketches[index - 10]
        assert each == {
            "index": index,
            "word": sketch.word,
            "n_points": sketch.n_points,
            "log_likelihood": pytest.approx(nats * (sketch.n_points + 1), rel=1e-4),
            "per_prediction": pytest.approx(nats, rel=1e-4),
        }
    order = wanted if n_shown >= 7 else wanted[: n_shown - n_shown // 2]
    order = order if n_shown >= 7 else order + wanted[7 - n_shown // 2 :]
    pairs = [(sketches[index - 10], nats) for nats, index in order]
    assert [each.word for each in shown] == [
        f"{s.word or ''} {nats:.2f}".strip() for s, nats in pairs
    ]
    assert [each.strokes for each in shown] == [s.strokes for s, _ in pairs]
    assert all(each.extras == {} for each in shown)


def test_drawings_alike_are_listed_by_their_number():
    network = Engine(networks.tiny(encoder=False))
    sketch = Sketch((np.ones((4, 2), "f4"),), "ant")
    scores, _ = score.worst_first(network, [(k, sketch) for k in (5, 3, 9, 1)], 2)
    assert [each["index"] for each in scores] == [1, 3, 5, 9]
    with pytest.raises(BadFile, match="^no drawings to score$"):
        score.worst_first(network, [], 2)


def test_so_many_drawings_and_points_are_scored_at_once(monkeypatch):
    monkeypatch.setattr(score, "LISTED", 4)
    monkeypatch.setattr(score, "LISTED_POINTS", 10)
    sizes = (2, 2, 2, 2, 2, 5, 5, 3, 12, 9, 1, 1)
    stream = iter([(k, Sketch((np.ones((n, 2), "f4"),))) for k, n in enumerate(sizes)])
    batches = iter(lambda: [index for index, _ in score._chunk(stream)], [])
    assert list(batches) == [[0, 1, 2, 3], [4, 5, 6], [7, 8], [9, 10], [11]]


def test_more_drawings_than_are_scored_at_once_have_the_scores_of_each_alone(monkeypatch):
    engine = Engine(networks.tiny(n_words=2, words=("ant", "bee")))
    rng = np.random.default_rng(3)
    moves = [networks.random_moves(rng, n) for n in (3, 9, 4, 7, 5)]
    z = rng.normal(size=(5, 8)).astype(np.float32)
    words = ["ant", "bee", "bee", None, "ant"]
    each = [
        score.log_likelihood(engine, [m], z[k : k + 1], words=[words[k]])[0]
        for k, m in enumerate(moves)
    ]
    monkeypatch.setattr(score, "CHUNK", 2)
    found = score.log_likelihood(engine, moves, z, words=words)
    np.testing.assert_allclose(found, each, rtol=1e-5)
