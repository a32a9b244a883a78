"""The recogniser: which word a drawing shows. Letters: N drawings, V words."""

import dataclasses
import json

import networks
import numpy as np
import pytest
import synthetic
import torch
import trainers

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.model import checkpoint, single_word
from sketchrnn_cli.model import recogniser as sizes
from sketchrnn_cli.sketches import ink as inks
from sketchrnn_cli.sketches.sketch import to_stroke3
from sketchrnn_cli.training import recogniser as fitting

WORDS = ("circle", "star", "zigzag")


def model(**changes):
    return networks.with_recogniser(networks.tiny(n_words=3, words=WORDS, **changes))


def drawings(n, seed=0):
    rng = np.random.default_rng(seed)
    return [networks.random_moves(rng, k) for k in rng.integers(1, 40, n)]


def test_numpy_gives_what_torch_gives():
    torch.manual_seed(0)
    network = fitting.Network(3)
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2)
    network.eval()
    moves = drawings(40)
    lengths = np.array([len(m) for m in moves])
    ink = inks.along(np.concatenate(moves), lengths, sizes.N_POINTS)
    given = map(torch.from_numpy, inks.inputs(ink, sizes.SIDE))
    with torch.no_grad():
        wanted = network(*given)[0].softmax(1).numpy()
    found = Recogniser(WORDS, network.folded()).shares(moves)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.ptp(wanted[:, 0]) > 1e-3  # drawings differ


def test_strokes_and_picture_say_by_themselves_what_is_drawn():
    torch.manual_seed(0)
    network = fitting.Network(3).eval()
    generator = torch.Generator().manual_seed(1)
    ways = torch.rand((2, 5, sizes.N_POINTS // 2, 8), generator=generator)
    pictures = torch.rand((2, 5, sizes.SIDE, sizes.SIDE), generator=generator)
    with torch.no_grad():
        both, by_strokes, by_picture = network(ways[0], pictures[0])
        _, same_strokes, other_picture = network(ways[0], pictures[1])
        _, other_strokes, same_picture = network(ways[1], pictures[0])
    torch.testing.assert_close(by_strokes + by_picture - network.words.bias, both)
    assert torch.equal(by_strokes, same_strokes)
    assert torch.equal(by_picture, same_picture)
    assert not torch.allclose(by_strokes, other_strokes)
    assert not torch.allclose(by_picture, other_picture)


def test_place_and_size_do_not_matter():
    recogniser = Recogniser.of(model())
    moves = drawings(20)
    others = [m * [30, 30, 1] for m in moves]
    for m in others:
        m[0, :2] += 500
    shares = recogniser.shares(moves)
    np.testing.assert_allclose(recogniser.shares(others), shares, atol=1e-4)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert np.ptp(shares[:, 0]) > 0.1  # drawings differ


def test_shares_do_not_depend_on_what_is_beside():
    recogniser = Recogniser.of(model())
    moves = [*drawings(300), np.zeros((0, 3), np.float32)]
    shares = recogniser.shares(moves)
    for k in (0, 255, 256, 300):
        np.testing.assert_allclose(recogniser.shares([moves[k]])[0], shares[k], atol=1e-5)
    assert recogniser.shares([]).shape == (0, 3)


def test_top_are_the_largest_shares():
    recogniser = Recogniser.of(model())
    moves = drawings(5)
    shares = recogniser.shares(moves)
    for row, best in zip(shares, recogniser.top(moves, n=2), strict=True):
        assert [share for _, share in best] == sorted(row.tolist())[::-1][:2]
        assert best[0][0] == WORDS[row.argmax()]


def test_a_checkpoint_keeps_its_recogniser(tmp_path):
    stored, plain = model(), networks.tiny(n_words=3, words=WORDS)
    checkpoint.save(tmp_path / "a.safetensors", stored)
    checkpoint.save(tmp_path / "b.safetensors", plain)
    again = checkpoint.load(tmp_path / "a.safetensors")
    for name, array in stored.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    size = [(tmp_path / f"{name}.safetensors").stat().st_size for name in "ab"]
    assert size[0] - size[1] < 1e6
    assert Recogniser.of(again).words == WORDS
    assert Recogniser.of(plain) is None
    assert Recogniser.of(single_word.of(stored, "star")) is None
    for name, version in (("a", "3"), ("b", "2")):
        head = (tmp_path / f"{name}.safetensors").read_bytes()
        header = json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])
        assert header["__metadata__"]["format_version"] == version


def test_int8_keeps_what_a_recogniser_says(tmp_path):
    stored = model()
    checkpoint.save(tmp_path / "a.safetensors", stored)
    checkpoint.save(tmp_path / "b.safetensors", stored, numbers="int8")
    size = [(tmp_path / f"{name}.safetensors").stat().st_size for name in "ab"]
    assert size[1] < 0.6 * size[0]
    moves = drawings(50)
    again = Recogniser.of(checkpoint.load(tmp_path / "b.safetensors")).shares(moves)
    wanted = Recogniser.of(stored).shares(moves)
    assert 0 < np.abs(again - wanted).max() < 0.1 * np.ptp(wanted)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("recogniser.words_w", lambda a: a[:, :2], r"\(288, 2\), and should be \(288, 3\)"),
        ("recogniser.words_w", lambda a: None, "no weight recogniser.words_w"),
        ("recogniser.strokes1_w", lambda a: a * np.nan, "not finite"),
        ("recogniser.strokes1_w", lambda a: a + 7e4, "holds 7"),
        ("recogniser.strokes9_w", lambda a: np.zeros(3, "f4"), "unknown weight"),
    ],
)
def test_a_recogniser_that_does_not_fit_is_refused(name, change, says):
    stored = model()
    weights = {**stored.weights, name: change(stored.weights.get(name))}
    broken = {key: array for key, array in weights.items() if array is not None}
    with pytest.raises(BadCheckpoint, match=says):
        checkpoint.file_of(dataclasses.replace(stored, weights=broken))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return trainers.corpus_in(tmp_path_factory.mktemp("data"))


@pytest.mark.slow
def test_fitting_teaches_the_words(corpus):
    weights = fitting.fit(corpus, corpus.indices("train"), 2_500, seed=1)
    moves = [
        (word, to_stroke3(synthetic.draw(word, 99, k))) for word in corpus.words for k in (0, 1)
    ]
    recogniser = Recogniser(corpus.words, weights)
    best = recogniser.top([m for _, m in moves], n=1)
    right = sum(found[0][0] == word for found, (word, _) in zip(best, moves, strict=True))
    assert right >= 0.9 * len(moves)


@pytest.mark.slow
def test_fitting_is_the_same_for_the_same_seed(corpus):
    chosen = corpus.indices("train")
    state = torch.random.get_rng_state()
    once, again, other = (fitting.fit(corpus, chosen, 200, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, array in once.items():
        np.testing.assert_array_equal(array, again[name])
    assert any((array != other[name]).any() for name, array in once.items())


def test_a_short_run_has_no_recogniser_and_a_long_one_does_not_take_long():
    assert fitting.n_seen(140_000, 2, 4_000) == 0
    assert fitting.n_seen(140_000, 2, 10_000) == 10_000
    assert fitting.n_seen(140_000, 345, 10_000) == 0
    assert fitting.n_seen(1_000, 2, 10**9) == 25_000
    assert fitting.n_seen(10**9, 345, 10**9) == fitting.SEEN


def test_every_word_is_shown_as_often():
    words = np.repeat([0, 1, 2], [3, 50, 10]).astype(np.int32)
    order = fitting._balanced(words, 60, np.random.default_rng(0))
    for part in (order, order[:30], order[30:]):
        assert np.bincount(words[part]).tolist() == [len(part) // 3] * 3
    assert len(set(order[words[order] == 1].tolist())) == 20  # none twice while others wait
