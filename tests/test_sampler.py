"""What is drawn: reproducible, distributed as the paper says, and scored exactly."""

import collections
import dataclasses
import itertools
import math
import tracemalloc

import networks
import numpy as np
import pytest
import reference
from networks import draw

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import conditioning as plan
from sketchrnn_cli.inference import ranking, request, sampler
from sketchrnn_cli.inference.conditioning import random_numbers
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.inference.sampler import Chooser
from sketchrnn_cli.inference.score import log_likelihood
from sketchrnn_cli.inference.settings import GUIDANCE, Settings
from sketchrnn_cli.inference.torch_engine import TorchEngine
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

WARM = Settings(temperature=1.0, max_points=40)


@pytest.fixture(scope="module", params=[True, False], ids=["conditional", "decoder-only"])
def engine(request):
    return Engine(networks.tiny(encoder=request.param))


def assert_same(one, other, atol=0.02):
    assert len(one.strokes) == len(other.strokes)
    for a, b in zip(one.strokes, other.strokes, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)
    assert one.extras["finished"] == other.extras["finished"]
    assert one.extras["log_likelihood"] == pytest.approx(other.extras["log_likelihood"], abs=1e-2)


def test_sketch_k_is_the_same_alone_and_among_any_others(engine):
    many = list(draw(engine, 50, settings=WARM))
    for batch_size in (1, 3, 7, 64):
        for a, b in zip(many, draw(engine, 50, settings=WARM, batch_size=batch_size), strict=True):
            assert_same(a, b)
    for k in (0, 13, 49):
        (alone,) = draw(engine, 1, settings=WARM, numbers=[k])
        assert_same(many[k], alone)


def test_the_same_seed_draws_the_same_and_others_differ(engine):
    first = list(draw(engine, 5, settings=WARM))
    for a, b in zip(first, draw(engine, 5, settings=WARM), strict=True):
        assert_same(a, b, atol=0)
    other = draw(engine, 5, settings=Settings(temperature=1.0, max_points=40, seed=1))
    ways = [[s.points().tobytes() for s in sketches] for sketches in (first, other)]
    assert len(set(ways[0] + ways[1])) == 10


def drawn_moves(sketch, scale_factor):
    """Model units, with both pen states of the last move: a drawing shows no difference."""
    moves = to_model(to_stroke3(sketch), scale_factor)
    other = moves.copy()
    other[-1, 2] = 0
    return moves, other


def test_log_likelihood_is_that_of_the_drawing_by_the_slow_reference(engine):
    """The drawing is rounded to two decimals, so nats agree to a few hundredths."""
    checkpoint = engine.checkpoint
    weights = networks.exact(checkpoint)
    z = None
    if checkpoint.config.encoder:
        z = np.random.default_rng(1).normal(size=(6, 8)).astype("f4")
    seen = set()
    for k, sketch in enumerate(draw(engine, 6, settings=WARM, z=z)):
        latent = None if z is None else z[k].astype(np.float64)
        possible = []
        for moves in drawn_moves(sketch, checkpoint.scale_factor):
            nats = reference.sketch_nats(weights, moves.astype(np.float64), latent)
            if not sketch.extras["finished"]:
                nats -= reference.pen_nats(reference.decode(weights, moves, latent)[-1], 2)
            possible.append(abs(sketch.extras["log_likelihood"] + nats))
        seen.add(sketch.extras["finished"])
        assert min(possible) < 0.05
    assert True in seen


def test_a_drawing_is_cut_at_max_points_and_says_so(engine):
    cut = [list(draw(engine, 40, settings=Settings(temperature=1, max_points=m))) for m in (5, 40)]
    short, long = cut
    assert max(s.n_points for s in short) == 5
    assert {s.extras["finished"] for s in short} == {True, False}
    for a, b in zip(short, long, strict=True):
        np.testing.assert_allclose(a.points(), b.points()[:5], atol=0.02)
        assert bool(a.extras["finished"]) == (bool(b.extras["finished"]) and b.n_points <= 5)


@pytest.mark.parametrize("best_of", [1, 3])
@pytest.mark.parametrize("batch_size", [0, 1, 4, 1000])
def test_all_candidates_are_counted_as_they_end(engine, batch_size, best_of):
    counted = []
    settings = Settings(temperature=1.0, max_points=12, best_of=best_of, seed=6)
    stream = request.draw(
        engine, request.Request(n=7), settings, batch_size=batch_size, ended=counted.append
    )
    sketches = list(stream)
    assert sum(counted) == 7 * best_of
    assert min(counted) >= 1
    assert [sketch.extras["number"] for sketch in sketches] == list(range(7))
    assert {(s.extras["seed"], s.extras["temperature"]) for s in sketches} == {(6, 1.0)}
    for a, b in zip(sketches, draw(engine, 7, settings=settings), strict=True):
        assert_same(a, b)


def test_no_drawing_is_empty():
    checkpoint = networks.tiny(encoder=False)
    checkpoint.weights["decoder.out_b"][2] = 20  # would rather end than begin
    sketches = list(draw(Engine(checkpoint), 20, settings=WARM))
    assert all(s.n_points == 1 and s.extras["finished"] for s in sketches)


def test_sketches_are_in_data_units_with_two_decimals_and_the_word():
    checkpoint = networks.tiny(encoder=False)
    double = networks.tiny(encoder=False, scale_factor=40.0, words=("cat", "dog"))
    one = next(draw(Engine(checkpoint), 1, settings=WARM))
    two = next(draw(Engine(double), 1, settings=WARM))
    np.testing.assert_allclose(2 * one.points(), two.points(), atol=0.03)
    assert (one.word, two.word) == ("blob", None)
    np.testing.assert_array_equal(one.points(), one.points().round(2))
    assert {"seed", "number", "temperature", "log_likelihood", "finished"} == set(one.extras)


def test_greedy_takes_no_chance_and_cold_comes_close_to_it(engine):
    z = np.ones((3, 8), "f4") if engine.checkpoint.config.encoder else None
    greedy = list(draw(engine, 3, settings=Settings(greedy=True, max_points=20), z=z))
    assert_same(greedy[0], greedy[1])
    assert greedy[0].extras["temperature"] == 0.0
    again = Settings(greedy=True, max_points=20, seed=9)
    other = next(draw(engine, 1, settings=again, z=None if z is None else z[:1]))
    assert_same(greedy[0], other)
    cold = Settings(temperature=0.01, pen_temperature=0.01, max_points=4)
    for sketch in draw(engine, 3, settings=cold, z=z):
        n = min(4, greedy[0].n_points)
        np.testing.assert_allclose(sketch.points()[:n], greedy[0].points()[:n], atol=40)


@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_moves_follow_the_tempered_mixture(tau):
    """Means and covariances of 200,000 draws from one prediction, against equation 8."""
    m, n = 3, 200_000
    rng = np.random.default_rng(2)
    raw = rng.normal(size=3 + 6 * m).astype(np.float32)
    settings = Settings(temperature=tau, pen_temperature=0.7)
    gumbel = -np.log(rng.exponential(size=(n, 3 + m))).astype("f4")
    normal = (math.sqrt(tau) * rng.normal(size=(n, 2))).astype("f4")
    moves, pen = Chooser(settings, m).choose(np.tile(raw, (n, 1)), gumbel, normal, first=None)

    pens = np.exp(raw[:3] / 0.7) / np.exp(raw[:3] / 0.7).sum()
    np.testing.assert_allclose(np.bincount(pen, minlength=3) / n, pens, atol=0.005)
    pi, mx, my, sx, sy, rho = np.split(raw[3:].astype(np.float64), 6)
    pi = np.exp(pi / tau) / np.exp(pi / tau).sum()
    sx, sy, rho = np.exp(sx) * math.sqrt(tau), np.exp(sy) * math.sqrt(tau), np.tanh(rho)
    mean = np.array([pi @ mx, pi @ my])
    second = np.array(
        [
            [pi @ (mx * mx + sx * sx), pi @ (mx * my + rho * sx * sy)],
            [pi @ (mx * my + rho * sx * sy), pi @ (my * my + sy * sy)],
        ]
    )
    scale = np.abs(second).max()
    np.testing.assert_allclose(moves.mean(0), mean, atol=0.01 * math.sqrt(scale))
    np.testing.assert_allclose(moves.T @ moves / n, second, atol=0.02 * scale)


def test_random_numbers_of_the_live_are_gumbel_and_normal():
    live = sampler._Live(400, Settings(temperature=0.25), 5)
    live.n = 400
    live.generators = [random_numbers(3, k) for k in range(400)]
    gumbel, normal = live.random()
    assert gumbel.shape == (400, 8)
    gumbel, normal = live.gumbel, live.normal
    assert gumbel.mean() == pytest.approx(np.euler_gamma, abs=0.02)
    assert gumbel.var() == pytest.approx(math.pi**2 / 6, abs=0.05)
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(0.5, abs=0.01)


def test_random_numbers_depend_on_seed_number_and_candidate():
    draws = {
        random_numbers(*key).random()
        for key in itertools.product((0, 1, 2**64 - 2, 2**64 - 1), (0, 1), (0, 1))
    }
    assert len(draws) == 16
    draws = {random_numbers(5, 7, 2, choice=k).random() for k in range(4)}
    assert len(draws) == 4
    stream = np.random.Philox(key=np.array([5, 7], "u8"), counter=[0, 0, 1, 2])
    assert random_numbers(5, 7, 2, choice=1).random() == np.random.Generator(stream).random()


def test_a_beginning_is_kept_and_gone_on_from(engine):
    prefixes = [to_stroke3(s) for s in draw(engine, 12, settings=Settings(max_points=6))]
    ends = list(draw(engine, 12, settings=WARM, prefixes=prefixes, batch_size=5))
    for prefix, sketch in zip(prefixes, ends, strict=True):
        kept = to_stroke3(sketch)[: len(prefix)]
        np.testing.assert_allclose(kept, prefix, atol=0.02)
    assert sum(s.n_points > len(p) for s, p in zip(ends, prefixes, strict=True)) > 3
    again = draw(engine, 12, settings=WARM, prefixes=prefixes)
    for a, b in zip(ends, again, strict=True):
        assert_same(a, b)


def test_small_moves_after_a_large_one_add_up_and_no_zero_is_negative():
    engine = Engine(networks.tiny(encoder=False))
    prefix = np.full((190, 3), [0.0102, 0.0, 0.0], "f4")
    prefix[:10] = 1000, 0, 0
    prefix[0, 1] = -1e-4
    (sketch,) = draw(engine, 1, settings=Settings(max_points=190), prefixes=[prefix])
    found = sketch.points()
    np.testing.assert_allclose(found[9:, 0], 10000 + 0.0102 * np.arange(181), atol=0.01)
    assert not np.signbit(found[:, 1]).any()


@pytest.mark.parametrize("n_given", [9, 10])
def test_what_is_cut_beside_many_others_is_scored_in_full(n_given):
    """More predictions are kept than there is room for, at the step that cuts a few sketches."""
    checkpoint = networks.tiny(encoder=False)
    checkpoint.weights["decoder.out_b"][2] = 1  # half of them end after what is given
    engine, settings = Engine(checkpoint), Settings(max_points=n_given)
    moves = np.full((n_given, 3), [3, 1, 0], "f4")
    prefixes = [moves[: 1 if k == 0 else n_given] for k in range(121)]
    together = draw(engine, 121, settings=settings, prefixes=prefixes, batch_size=120)
    alone = draw(engine, 121, settings=settings, prefixes=prefixes, batch_size=1)
    pairs = list(zip(together, alone, strict=True))
    for one, other in pairs:
        assert_same(one, other)
    assert 20 < sum(not one.extras["finished"] for one, _ in pairs) < 100


def test_a_beginning_that_is_too_long_is_a_fault(engine):
    prefixes = [np.zeros((9, 3), "f4")]
    with pytest.raises(BadConfig, match="9 points, and max_points is 8"):
        draw(engine, 1, settings=Settings(max_points=8), prefixes=prefixes)


def test_the_prefix_decides_the_latent_by_the_encoder():
    engine = Engine(networks.tiny())
    prefixes = [to_stroke3(s) for s in draw(engine, 2, settings=Settings(max_points=8))]
    mu, _ = engine.encode([to_model(p, 20.0) for p in prefixes])
    greedy = Settings(greedy=True, max_points=20)
    read = list(draw(engine, 2, settings=greedy, prefixes=prefixes))
    told = list(draw(engine, 2, settings=greedy, prefixes=prefixes, z=mu))
    for a, b in zip(read, told, strict=True):
        assert_same(a, b)


def test_best_of_keeps_the_candidate_of_the_highest_rank(engine):
    def rank(sketch):
        return ranking.rank(sketch, engine.checkpoint.scale_factor)

    settings = Settings(temperature=1.0, max_points=25)  # some are cut
    first = list(draw(engine, 10, settings=settings))
    best = list(draw(engine, 10, settings=dataclasses.replace(settings, best_of=8)))
    assert len(best) == 10
    assert all(rank(b) >= rank(a) for a, b in zip(first, best, strict=True))
    assert sum(rank(b) > rank(a) for a, b in zip(first, best, strict=True)) > 5
    assert all(sketch.extras["finished"] for sketch in best)
    assert not all(sketch.extras["finished"] for sketch in first)
    (alone,) = draw(engine, 1, settings=dataclasses.replace(settings, best_of=8), numbers=[4])
    assert_same(best[4], alone)


def ranked(lines, nats, finished=True, scale=20.0):
    strokes = tuple(np.array(line, "f4") for line in lines)
    return ranking.rank(
        Sketch(strokes, None, {"log_likelihood": nats, "finished": finished}), scale
    )


def test_the_rank_is_log_likelihood_on_a_grid_per_length_of_ink():
    square = [[[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]]]
    assert ranked(square, 3.0) == (True, pytest.approx((3 - 5 * 2 * np.log(32)) / 8))
    twice = [(2 * np.array(line)).tolist() for line in square]
    assert ranked(twice, 3.0, scale=40.0) == pytest.approx(ranked(square, 3.0))  # no unit


def test_a_cut_candidate_and_a_cluster_of_dots_rank_last():
    square = [[[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]]]
    dots = [[[20 + k, 20], [21 + k, 20]] for k in range(10)]
    assert ranked(square, -5.0) > ranked(square, 500.0, finished=False)
    assert ranked(square, 0.0) > ranked(square, -1.0)
    assert ranked(square, -10.0) > ranked(square + dots, -10.0 + 2.5 * 20)  # likelier per move
    assert ranked(square, -10.0) > ranked([[[0, 0]]], 2.0)


def test_equal_numbers_and_latents_draw_the_same():
    engine = Engine(networks.tiny())
    z = np.ones((2, 8), "f4")
    one, other = draw(engine, 2, settings=WARM, z=z, numbers=[3, 3])
    assert_same(one, other)


def test_torch_draws_what_numpy_draws(engine):
    torch_engine = TorchEngine(engine.checkpoint, "cpu")
    pairs = zip(draw(engine, 20, settings=WARM), draw(torch_engine, 20, settings=WARM), strict=True)
    for a, b in pairs:
        assert_same(a, b)


def test_no_more_than_so_many_wait_for_a_drawing_that_takes_long(monkeypatch):
    """The first has 150 moves to go, the others a few: they queue up behind it."""
    checkpoint = networks.tiny(encoder=False)
    checkpoint.weights["decoder.out_b"][2] = 2  # most end at once
    engine = Engine(checkpoint)
    real, begun = random_numbers, []

    def watched(seed, number, candidate=0, *, choice=0):
        begun.append(number)
        return real(seed, number, candidate, choice=choice)

    monkeypatch.setattr(plan, "random_numbers", watched)
    prefixes = [np.zeros((150 if k == 0 else 1, 3), "f4") for k in range(100)]
    settings = Settings(max_points=200)
    ahead = []
    for waiting in (10, 1000):
        monkeypatch.setattr(sampler, "WAITING", waiting)
        begun.clear()
        stream = draw(engine, 100, settings=settings, prefixes=prefixes, batch_size=4)
        first = next(stream)
        ahead.append(len(begun) - 1)
        others = [sketch.n_points for sketch in stream]
        assert first.n_points >= 150 > 5 * np.mean(others)
        assert begun == list(range(100))
    assert ahead[0] <= 10 + 4 < ahead[1]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_drawings():
    engine = Engine(networks.tiny(encoder=False, decoder_size=8))
    list(draw(engine, 1))  # what is imported on first use is not counted
    peaks = []
    for keep in (0, None):  # the twin that keeps all shows that the measure can tell
        tracemalloc.start()
        stream = draw(engine, 2000, settings=Settings(max_points=10), batch_size=32)
        kept = collections.deque(stream, maxlen=keep)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        del kept
    assert 3 * peaks[0] < peaks[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"pen_temperature": 3.0},
        {"max_points": 0},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_settings_out_of_range_are_faults(wrong):
    with pytest.raises(BadConfig, match=next(iter(wrong))):
        Settings(**wrong)


def test_latents_that_do_not_fit_are_a_fault_before_anything_is_drawn():
    z = np.zeros((2, 8), "f4")
    with pytest.raises(BadCheckpoint, match="decoder-only"):
        draw(Engine(networks.tiny(encoder=False)), 2, z=z)
    with pytest.raises(BadConfig, match="wide"):
        draw(Engine(networks.tiny()), 2, z=z[:, :5])
    with pytest.raises(BadConfig, match="for 3 drawings"):
        draw(Engine(networks.tiny()), 3, z=z)


def test_a_damaged_model_is_a_fault_and_draws_no_nan():
    checkpoint = networks.tiny(encoder=False)
    checkpoint.weights["decoder.out_b"][3 + 3 * 5 : 3 + 5 * 5] = 200  # log sigma
    with pytest.raises(BadCheckpoint, match="not finite"):
        list(draw(Engine(checkpoint), 3, settings=WARM))


def test_scores_of_the_sampler_equal_those_of_score(engine):
    z = np.zeros((9, 8), "f4") if engine.checkpoint.config.encoder else None
    sketches = [s for s in draw(engine, 9, settings=WARM, z=z) if s.extras["finished"]]
    assert sketches
    both = [
        log_likelihood(engine, moves, None if z is None else z[: len(moves)])
        for moves in zip(*(drawn_moves(s, 20.0) for s in sketches), strict=True)
    ]
    wanted = [s.extras["log_likelihood"] for s in sketches]
    assert np.abs(np.array(both) - wanted).min(0).max() < 0.05


def test_latents_come_from_where_the_words_lie_unless_the_prior_is_asked_for():
    model = networks.tiny(words=("ant", "bee", "cow"))
    size = model.config.latent_size
    rng = np.random.default_rng(3)
    fitted = {
        "latent.share": np.array([0.2, 0, 0.8], np.float32),
        "latent.weight": np.array([[0.3, 0.7]] * 3, np.float32),
        "latent.mean": rng.normal(size=(3, 2, size)).astype(np.float32),
        "latent.scale": np.tril(rng.normal(size=(3, size, size))).astype(np.float32),
    }
    engine = Engine(dataclasses.replace(model, weights=model.weights | fitted))
    settings = Settings(temperature=0.5, seed=2, max_points=12, latent_temperature=1)
    n = 60
    normal = np.stack(
        [random_numbers(2, k).standard_normal(size, dtype=np.float32) for k in range(n)]
    )
    by_word = list(draw(engine, n, settings=settings))
    plain = dataclasses.replace(settings, latent_temperature=None)
    draws = [random_numbers(2, k, choice=1).random() for k in range(n)]
    chosen = [0 if number < 0.2 else 2 for number in draws]
    counts = np.bincount(chosen, minlength=3)
    assert counts[1] == 0
    assert 4 <= counts[0] <= 22
    second = [random_numbers(2, k, choice=2).random() >= 0.3 for k in range(n)]
    assert 30 < sum(second) < 55
    z = fitted["latent.mean"][chosen, np.array(second, int)]
    z = z + np.einsum("nij,nj->ni", fitted["latent.scale"][chosen], normal)
    for a, b in zip(by_word, draw(engine, n, settings=plain, z=z), strict=True):
        np.testing.assert_allclose(a.points(), b.points(), atol=0.02)
    sampled = draw(engine, n, settings=dataclasses.replace(plain, prior=True))
    for a, b in zip(sampled, draw(engine, n, settings=plain, z=normal), strict=True):
        np.testing.assert_allclose(a.points(), b.points(), atol=0.02)


def worded(**kept):
    """A network that is told three words, and knows where their latents lie."""
    model = networks.tiny(n_words=3, words=("ant", "bee", "cow"), **kept)
    size = model.config.latent_size
    rng = np.random.default_rng(3)
    fitted = {
        "latent.share": np.array([0.2, 0, 0.8], np.float32),
        "latent.weight": np.array([[0.3, 0.7], [1, 0], [0.9, 0.1]], np.float32),
        "latent.mean": rng.normal(size=(3, 2, size)).astype(np.float32),
        "latent.scale": np.tril(rng.normal(size=(3, size, size))).astype(np.float32),
    }
    weights = model.weights | (fitted if model.config.encoder else {})
    return dataclasses.replace(model, weights=weights)


def lines(sketches):
    return [[stroke.tolist() for stroke in sketch.strokes] for sketch in sketches]


@pytest.mark.parametrize("encoder", [True, False])
def test_a_word_asked_for_is_told_and_is_on_the_drawing(encoder):
    engine = Engine(worded(encoder=encoder))
    settings = Settings(seed=1, max_points=12)
    words = ["ant", "bee", None, "dragon"] * 2
    drawn = list(draw(engine, 8, settings=settings, words=words))
    assert [sketch.word for sketch in drawn] == words
    rows = np.eye(4, dtype=np.float32)[[0, 1, 3, 3] * 2]
    assert lines(drawn) == lines(draw(engine, 8, settings=settings, labels=rows))
    others = list(draw(engine, 8, settings=settings, words=["cow"] * 8))
    assert all(a != b for a, b in zip(lines(drawn), lines(others), strict=True))


@pytest.mark.parametrize("encoder", [True, False])
def test_without_a_wish_each_word_comes_as_often_as_there_are_drawings_of_it(encoder):
    training = {} if encoder else {"counts": [20, 0, 80]}
    engine = Engine(worded(encoder=encoder, training=training))
    drawn = list(draw(engine, 200, settings=Settings(max_points=3)))
    counts = collections.Counter(sketch.word for sketch in drawn)
    assert counts.keys() == {"ant", "cow"}
    assert 25 <= counts["ant"] <= 57
    settings = Settings(max_points=3)
    again = draw(engine, 200, settings=settings, words=[sketch.word for sketch in drawn])
    assert lines(drawn) == lines(again)


@pytest.mark.parametrize("counts", [None, [1, 2], [0, 0, 0], [1, -1, 3], ["1", 2, 3], [1e300] * 3])
def test_words_that_nobody_counted_are_all_alike(counts):
    engine = Engine(worded(encoder=False, training={"counts": counts}))
    drawn = draw(engine, 300, settings=Settings(max_points=3))
    found = collections.Counter(sketch.word for sketch in drawn)
    assert all(70 <= found[word] <= 130 for word in ("ant", "bee", "cow"))


def test_between_two_words_latents_lie_between_theirs():
    model = worded()
    weights = model.weights
    settings = Settings(seed=4, max_points=20, latent_temperature=1, guidance=1)
    labels = np.array([[1 - t, 0, t, 0] for t in np.linspace(0, 1, 5)], np.float32)
    drawn = list(draw(Engine(model), 5, settings=settings, labels=labels, numbers=[7] * 5))
    normal = random_numbers(4, 7).standard_normal(8, dtype=np.float32)
    u = random_numbers(4, 7, choice=2).random()
    ends = [
        weights["latent.mean"][word, int(u >= weights["latent.weight"][word, 0])]
        + weights["latent.scale"][word] @ normal
        for word in (0, 2)
    ]
    z = np.stack([(1 - t) * ends[0] + t * ends[1] for t in np.linspace(0, 1, 5)]).astype("f4")
    plain = dataclasses.replace(settings, latent_temperature=None)
    again = draw(Engine(model), 5, settings=plain, labels=labels, z=z, numbers=[7] * 5)
    for a, b in zip(drawn, again, strict=True):
        np.testing.assert_allclose(a.points(), b.points(), atol=0.02)


def test_the_most_likely_latent_is_the_mean_of_the_heaviest_component():
    model = worded()
    settings = Settings(seed=4, max_points=20, most_likely=True, guidance=1)
    words = ["ant", "bee"] * 5
    drawn = list(draw(Engine(model), 10, settings=settings, words=words))
    z = model.weights["latent.mean"][[0, 1] * 5, [1, 0] * 5]
    plain = dataclasses.replace(settings, most_likely=False)
    again = list(draw(Engine(model), 10, settings=plain, words=words, z=z))
    assert lines(drawn) == lines(again)


def test_latents_are_as_warm_as_asked_and_by_default_colder_than_the_moves():
    model = worded()
    cold, warm = (
        dataclasses.replace(
            model, weights=model.weights | {"latent.scale": f * model.weights["latent.scale"]}
        )
        for f in (np.float32(0), np.float32(0.5))
    )
    for other, latent_temperature in ((cold, 0.0), (warm, 0.25), (warm, None)):
        given = {"temperature": 0.5, "seed": 6, "max_points": 20}
        found = draw(
            Engine(model),
            5,
            settings=Settings(**given, latent_temperature=latent_temperature),
            words=["ant"] * 5,
        )
        wanted = draw(
            Engine(other), 5, settings=Settings(**given, latent_temperature=1), words=["ant"] * 5
        )
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a.points(), b.points(), atol=0.02)


@pytest.mark.parametrize("encoder", [True, False])
def test_guidance_leads_away_from_no_word(encoder):
    model = worded(encoder=encoder)
    table = model.weights["decoder.words"]
    further = table[3] + 1.5 * (table - table[3])
    exaggerated = dataclasses.replace(model, weights=model.weights | {"decoder.words": further})
    plain = Settings(seed=3, max_points=20, guidance=1)
    guided = Settings(seed=3, max_points=20, guidance=1.5)
    words = ["ant", None, "cow", "bee"]
    found = list(draw(Engine(model), 4, settings=guided, words=words))
    wanted = list(draw(Engine(exaggerated), 4, settings=plain, words=words))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.points(), b.points(), atol=0.02)
    unguided = list(draw(Engine(model), 4, settings=plain, words=words))
    assert [a == b for a, b in zip(lines(found), lines(unguided), strict=True)] == [
        False, True, False, False
    ]  # fmt: skip


def test_by_default_guidance_is_for_drawings_of_the_models_own():
    model = worded()
    z = np.random.default_rng(5).normal(size=(2, 8)).astype("f4")
    prefixes = [np.array([[5, 5, 0], [3, 0, 1]], "f4")] * 2
    usual = Settings(seed=3, max_points=20)
    for guidance, given in ((GUIDANCE, {}), (1, {"z": z}), (1, {"prefixes": prefixes})):
        asked = dataclasses.replace(usual, guidance=guidance)
        found, wanted = (
            lines(draw(Engine(model), 2, settings=s, words=["ant", "cow"], **given))
            for s in (usual, asked)
        )
        assert found == wanted


@pytest.mark.parametrize("bad", [{"guidance": 5}, {"guidance": -1}, {"latent_temperature": 5}])
def test_settings_out_of_range_are_a_fault(bad):
    (name,) = bad
    with pytest.raises(BadConfig, match=f"{name} must be from 0 to"):
        Settings(**bad)


def test_labels_of_another_width_are_a_fault():
    with pytest.raises(BadConfig, match="labels of shape"):
        draw(Engine(worded()), 1, labels=np.ones((1, 3), np.float32))
    with pytest.raises(BadConfig, match="labels"):
        draw(Engine(networks.tiny()), 1, labels=np.ones((1, 3), np.float32))
