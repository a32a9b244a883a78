"""What a sketch is conditioned on: labels, latents, and the posterior of a prefix."""

import dataclasses

import networks
import numpy as np
import pytest
from networks import draw

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import mixture
from sketchrnn_cli.inference.conditioning import (
    TEMPERING,
    Conditioning,
    PrefixPosterior,
    check_latents,
    condition,
    label_rows,
    prefix_posterior,
    random_numbers,
)
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.sketches.sketch import to_stroke3

FAR = 3.0  # between the two places where latents lie


def two_heaps(**kept):
    """A network whose latents lie in two narrow heaps of equal weight, and the heaps' means."""
    model = networks.tiny(words=("ant", "bee"), **kept)
    size = model.config.latent_size
    mean = np.random.default_rng(4).normal(size=(1, 2, size)) * FAR
    fitted = {
        "latent.share": np.array([0.5, 0.5], np.float32),
        "latent.weight": np.array([[0.5, 0.5]] * 2, np.float32),
        "latent.mean": np.repeat(mean, 2, axis=0).astype(np.float32),
        "latent.scale": np.repeat(np.eye(size, dtype=np.float32)[None] * 1e-4, 2, axis=0),
    }
    return dataclasses.replace(model, weights=model.weights | fitted), fitted["latent.mean"][0]


def begun(engine, z, n_points):
    (sketch,) = draw(
        engine, 1, settings=Settings(greedy=True, max_points=n_points), z=z[None].astype("f4")
    )
    return to_stroke3(sketch)


def expected(engine, prefix, z, word):
    """How likely latents make a beginning, nats each, move by move."""
    moves = to_model(prefix, engine.checkpoint.scale_factor)
    result = []
    for latent in z:
        state = condition(
            engine.checkpoint, 1, z=latent[None], labels=label_rows(engine.checkpoint, [word])
        )
        (raw,) = engine.forward([moves], state)
        pens = (moves[:, 2] >= 1).astype(int)
        rows, each = raw.astype("f8"), range(len(moves))
        parts = [mixture.log_likelihood(rows[[t]], moves[[t], :2], pens[[t]]) for t in each]
        result.append(float(np.sum(parts)))
    return np.array(result)


@pytest.mark.parametrize("n_words", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_a_drawing_goes_on_from_the_latent_that_explains_how_it_began(n_words, seed):
    model, means = two_heaps(n_words=n_words)
    engine = Engine(model)
    prefix = networks.random_moves(np.random.default_rng(seed), 60) * np.array([40, 40, 1], "f4")
    nats = expected(engine, prefix, means, "ant" if n_words else None)
    heap = int(nats.argmax())
    assert abs(nats[0] - nats[1]) > 0.5
    settings = Settings(greedy=True, max_points=80)
    words = ["ant"] * 6 if n_words else None
    found = draw(engine, 6, settings=settings, prefixes=[prefix] * 6, words=words)
    z = np.repeat(means[heap][None], 6, axis=0)
    wanted = draw(engine, 6, settings=settings, prefixes=[prefix] * 6, words=words, z=z)
    for a, b in zip(found, wanted, strict=True):
        assert a.n_points == b.n_points
        np.testing.assert_allclose(a.points(), b.points(), atol=1)


def test_candidates_are_weighed_by_the_likelihood_of_the_beginning():
    engine = Engine(networks.tiny(n_words=3, words=("ant", "bee", "cow")))
    rng = np.random.default_rng(0)
    moves = networks.random_moves(rng, 9)
    z = rng.normal(size=(5, engine.checkpoint.config.latent_size)).astype("f4")
    labels = np.array([0, 1, 0, 0], "f4")
    found = prefix_posterior(engine, moves, z, labels)
    wanted = expected(engine, moves * np.array([20, 20, 1], "f4"), z, "bee")
    np.testing.assert_allclose(found.nats, wanted, rtol=1e-4)
    assert np.ptp(wanted) > 0.1
    assert (found.best() == z[wanted.argmax()]).all()


def test_a_latent_is_chosen_as_often_as_it_weighs():
    z = np.arange(3, dtype=np.float32)[:, None]
    guesses = PrefixPosterior(z, np.log([0.2, 0.5, 0.3]) / TEMPERING - 1e4)
    grid = (np.arange(1000) + 0.5) / 1000
    counts = np.bincount([int(guesses.choose(u)[0]) for u in grid])
    assert counts.tolist() == [200, 500, 300]


def test_an_impossible_beginning_is_gone_on_from_all_the_same():
    model, _ = two_heaps()
    prefix = np.array([[1000, 1000, 0], [-1000, 1000, 0]] * 4, "f4")
    (sketch,) = draw(Engine(model), 1, settings=Settings(max_points=20), prefixes=[prefix])
    assert sketch.n_points >= 8


def test_a_beginning_and_what_is_drawn_beside_it_do_not_matter_to_each_other():
    model, means = two_heaps()
    engine = Engine(model)
    first, second = (begun(engine, mean, 8) for mean in means)
    settings = Settings(seed=5, max_points=20)
    together = list(draw(engine, 2, settings=settings, prefixes=[first, second]))
    (alone,) = draw(engine, 1, settings=settings, prefixes=[second], numbers=[1])
    assert [s.tolist() for s in together[1].strokes] == [s.tolist() for s in alone.strokes]


def test_the_prior_asks_the_encoder():
    model, _ = two_heaps()
    engine = Engine(model)
    prefix = begun(engine, np.zeros(8), 8)
    settings = Settings(greedy=True, prior=True, max_points=20)
    (found,) = draw(engine, 1, settings=settings, prefixes=[prefix])
    mu, _ = engine.encode([to_model(prefix, 20.0)])
    plain = dataclasses.replace(settings, prior=False)
    (wanted,) = draw(engine, 1, settings=plain, prefixes=[prefix], z=mu)
    assert [s.tolist() for s in found.strokes] == [s.tolist() for s in wanted.strokes]


def test_prefix_likelihoods_count_tempered():
    posterior = PrefixPosterior(np.arange(2, dtype=np.float32)[:, None], np.array([-40.0, -30.0]))
    share = 1 / (1 + np.exp(-0.15 * 10))  # of the second
    assert [posterior.choose(u)[0] for u in (0.99 - share, 1.01 - share)] == [0, 1]


def test_latents_of_completions_are_as_wide_as_those_of_drawings():
    model, _ = two_heaps()
    network = Engine(model)
    for tau in (0.1, 0.4, 1.0):
        settings = Settings(temperature=tau)
        prefixes = [np.ones((2, 3), np.float32)]
        assert Conditioning(network=network, settings=settings, prefixes=prefixes).latent_tau == 1
        assert Conditioning(network=network, settings=settings).latent_tau == tau**2
        given = Settings(temperature=tau, latent_temperature=0.3)
        for each in (None, prefixes):
            assert Conditioning(network=network, settings=given, prefixes=each).latent_tau == 0.3


@pytest.mark.parametrize("latent_tau", [None, 0.25])
def test_candidates_of_a_prefix_come_from_the_latent_prior(latent_tau):
    model, means = two_heaps()
    spread = 0.5
    model.weights["latent.scale"][:] = spread * np.eye(8)
    settings = Settings(temperature=0.2, latent_temperature=latent_tau, seed=3)
    prefix = np.ones((2, 3), np.float32)
    sampled = Conditioning(network=Engine(model), settings=settings, prefixes=[prefix])
    z = sampled.posterior(prefix, None).z
    heap = np.array([np.abs(row - means).sum(1).argmin() for row in z])
    assert 40 < heap.sum() < 88
    wanted = spread * (latent_tau or 1) ** 0.5
    assert (z - means[heap]).std() == pytest.approx(wanted, rel=0.1)
    normal = random_numbers(3, 0, choice=3).standard_normal(z.shape, np.float32)
    np.testing.assert_allclose(z - means[heap], wanted * normal, atol=1e-5)


@pytest.mark.parametrize(("bias", "shares"), [(40.0, (1, 0)), (-40.0, (0, 1)), (None, None)])
def test_a_prefix_without_a_word_is_of_those_that_it_looks_like(bias, shares):
    model, means = two_heaps(n_words=2)
    model.weights["latent.mean"] = np.repeat(means[:, None], 2, axis=1)  # a heap for each word
    if bias is not None:
        model = networks.with_recogniser(model)
        model.weights["recogniser.words_b"] = np.array([bias, -bias], np.float32)
        model.weights["recogniser.words_w"] *= 0
    prefix = np.ones((3, 3), np.float32)
    sampled = Conditioning(network=Engine(model), settings=Settings(seed=3), prefixes=[prefix])
    null = np.array([0, 0, 1], np.float32)
    for given in (None, null):
        z = sampled.posterior(prefix, given).z
        of_ant = np.mean([np.abs(row - means).sum(1).argmin() == 0 for row in z])
        assert 0.3 < of_ant < 0.7 if shares is None else of_ant == shares[0]
    bee = np.array([0, 1, 0], np.float32)
    z = sampled.posterior(prefix, bee).z
    assert all(np.abs(row - means).sum(1).argmin() == 1 for row in z)


def test_a_word_as_the_model_spells_it_comes_before_one_that_folds_alike():
    words = ("t shirt", "T-Shirt", "cat")
    model = networks.tiny(n_words=3, words=words)
    rows = label_rows(model, ["T-Shirt", "t shirt", "t_shirt", "Cat", "dog", None])
    assert rows.argmax(1).tolist() == [1, 0, 0, 2, 3, 3]
    assert rows.sum(1).tolist() == [1] * 6


def test_labels_are_sampled_where_nothing_is_given():
    network = Engine(networks.tiny(n_words=2, words=("ant", "bee"), training={"counts": [1, 3]}))
    settings = Settings(seed=1, best_of=2)
    sampled = Conditioning(network=network, settings=settings)
    assert sampled.samples_labels
    labels = [sampled.sampled_label(k) for k in range(400)]
    assert labels[::2] == labels[1::2]  # the candidates of a drawing have one label
    assert 130 < sum(labels[::2]) < 170
    assert [sampled.word(k) for k in range(4)] == [("ant", "bee")[k] for k in labels[:4]]
    for given in ({"mu": np.zeros((1, 8), "f4")}, {"prefixes": [0]}, {"labels": np.zeros((1, 3))}):
        assert not Conditioning(network=network, settings=settings, **given).samples_labels


WORDS = ("ant", "bee", "cow")


def conditional(**kept):
    return networks.tiny(n_words=3, words=WORDS, **kept)


def test_latents_and_the_embedding_of_labels_stand_side_by_side():
    model, z = conditional(), np.random.default_rng(0).normal(size=(2, 8)).astype("f4")
    table = model.weights["decoder.words"]
    labels = np.array([[0, 1, 0, 0], [0.5, 0, 0.25, 0.25]], "f4")
    wanted = np.concatenate([z, labels @ table], axis=1)
    np.testing.assert_array_equal(condition(model, 2, z=z, labels=labels), wanted)
    wanted = np.concatenate([z, table[[3, 3]]], axis=1)  # the null label
    np.testing.assert_allclose(condition(model, 2, z=z), wanted, rtol=1e-6)
    without = conditional(encoder=False)
    table = without.weights["decoder.words"]
    np.testing.assert_allclose(condition(without, 3), table[[3, 3, 3]], rtol=1e-6)
    assert condition(networks.tiny(encoder=False), 3) is None
    np.testing.assert_array_equal(condition(networks.tiny(), 2, z=z), z)


@pytest.mark.parametrize(
    ("z", "error", "says"),
    [
        (None, BadConfig, "^this model draws from latents, and none were given$"),
        (np.zeros((2, 7)), BadConfig, "^the latents are 7 numbers wide, and this model's 8$"),
        (np.zeros(8), BadConfig, r"^the latents are of shape \(8,\) numbers wide, and this"),
        (np.zeros((2, 2, 8)), BadConfig, r"^the latents are of shape \(2, 2, 8\) numbers"),
    ],
)
def test_latents_that_do_not_fit_the_model_are_one_line(z, error, says):
    with pytest.raises(error, match=says):
        condition(networks.tiny(), 2, z=z)


def test_latents_of_a_decoder_alone_are_one_line_and_old_browser_models_want_their_tanh():
    with pytest.raises(BadCheckpoint, match="^the model is decoder-only"):
        condition(networks.tiny(encoder=False), 1, z=np.zeros((1, 8), "f4"))
    z = np.linspace(-2, 2, 8, dtype="f4")[None]
    np.testing.assert_array_equal(check_latents(networks.tiny(), z), z)
    old = networks.tiny(training={"tanh_z": True})
    np.testing.assert_allclose(check_latents(old, z), np.tanh(z), rtol=1e-6)
    assert label_rows(networks.tiny(), ["blob"]) is None


@pytest.mark.parametrize("best_of", [1, 3])
def test_what_is_given_is_given_to_every_candidate_of_its_sketch(best_of):
    rng, network = np.random.default_rng(1), Engine(conditional())
    mu, sigma = rng.normal(size=(2, 2, 8)).astype("f4")
    labels = np.array([[1, 0, 0, 0], [0, 0.75, 0.25, 0]], "f4")
    prefixes = [networks.random_moves(rng, n) for n in (3, 5)]
    settings = Settings(best_of=best_of, seed=4, guidance=3.0)
    given = Conditioning(
        network=network, settings=settings, mu=mu, sigma=sigma, labels=labels,
        words=("ant", None), numbers=(7, 5),
    )  # fmt: skip
    indices = range(1, 2 * best_of)
    of = [index // best_of for index in indices]
    assert [given.word(index) for index in indices] == [("ant", None)[k] for k in of]
    assert [given.number(index) for index in indices] == [(7, 5)[k] for k in of]
    for index, k in zip(indices, of, strict=True):
        np.testing.assert_array_equal(given.word_shares(index), labels[k, :3])
    generators = [given.random(index) for index in indices]
    noise = np.array(
        [
            random_numbers(4, (7, 5)[k], index % best_of).standard_normal(8, np.float32)
            for index, k in zip(indices, of, strict=True)
        ]
    )
    guided = 3 * labels
    guided[:, 3] -= 2
    wanted = condition(network.checkpoint, len(of), z=mu[of] + sigma[of] * noise, labels=guided[of])
    np.testing.assert_allclose(given.cond(indices, generators), wanted, rtol=1e-5)
    exact = dataclasses.replace(
        given, sigma=None, settings=dataclasses.replace(settings, guidance=1)
    )
    wanted = condition(network.checkpoint, len(of), z=mu[of], labels=labels[of])
    generators = [given.random(index) for index in indices]
    np.testing.assert_array_equal(exact.cond(indices, generators), wanted)
    begun = Conditioning(network=network, settings=settings, prefixes=prefixes)
    for rows, k in zip(begun.prefix_rows(indices), of, strict=True):
        np.testing.assert_allclose(rows[:, :2], prefixes[k][:, :2] / 20, rtol=1e-6)
        assert rows[:, 2:].argmax(1).tolist() == prefixes[k][:, 2].astype(int).tolist()
    assert given.prefix_rows(indices) == []


def test_without_a_latent_prior_and_where_it_is_asked_for_latents_are_plain_normal():
    model, _ = two_heaps()
    asked = [
        Conditioning(network=Engine(networks.tiny()), settings=Settings(seed=2)),
        Conditioning(network=Engine(model), settings=Settings(seed=2, prior=True)),
    ]
    wanted = [random_numbers(2, k).standard_normal(8, np.float32) for k in range(3)]
    for each in asked:
        generators = [each.random(k) for k in range(3)]
        np.testing.assert_array_equal(each.latents(range(3), generators, None), wanted)
    alone = Conditioning(network=Engine(networks.tiny(encoder=False)), settings=Settings())
    assert alone.latents(range(1), [alone.random(0)], None) is None


def test_guidance_is_for_what_is_sampled_unless_it_is_given():
    network, labels = Engine(conditional()), np.array([[0, 1, 0, 0], [0, 0, 0, 1]], "f4")
    twice = [[0, 2, 0, -1], [0, 0, 0, 1]]
    free = Conditioning(network=network, settings=Settings())
    assert free.guided(None) is None
    assert free.guided(labels).tolist() == twice
    mu, prefix = np.zeros((2, 8), "f4"), np.ones((2, 3), "f4")
    for given in ({"mu": mu}, {"prefixes": [prefix]}):
        bound = dataclasses.replace(free, **given)
        assert bound.guided(labels).tolist() == labels.tolist()
        asked = dataclasses.replace(bound, settings=Settings(guidance=2.0))
        assert asked.guided(labels).tolist() == twice
    assert labels.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_the_word_of_a_drawing_is_the_only_one_or_none():
    one = Conditioning(network=Engine(networks.tiny()), settings=Settings())
    assert one.word(0) == "blob"
    assert one.word_shares(0) is None
    assert dataclasses.replace(one, labels=np.ones((1, 2), "f4")).word(0) is None
    several = Conditioning(network=Engine(networks.tiny(words=WORDS)), settings=Settings())
    assert several.word(0) is None
    free = Conditioning(network=Engine(conditional()), settings=Settings(seed=3, best_of=2))
    for index in range(6):
        shares = free.word_shares(index)
        assert (shares.sum(), WORDS[shares.argmax()]) == (1, free.word(index))


def test_a_latent_that_leads_to_no_numbers_explains_nothing():
    z = np.zeros((3, 8), "f4")
    z[0] = np.nan
    found = prefix_posterior(Engine(conditional()), np.ones((2, 3), "f4"), z, None)
    assert np.isfinite(found.nats).tolist() == [False, True, True]
    assert found.best().tolist() == z[1].tolist()
    for u in (0.0, 0.4, 0.999):
        assert found.choose(u).tolist() == z[1].tolist()
