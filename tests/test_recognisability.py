"""The benchmark of recognisability: that its measures measure what they say."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
from networks import tiny

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.sketch import from_polylines

FOLDER = Path(__file__).parent / "bench" / "recognisability"
sys.path.append(str(FOLDER))  # a program, not a package

import drawn  # noqa: E402
import ink as inks  # noqa: E402
import judges  # noqa: E402
import measures  # noqa: E402

SHAPES = ("ring", "steps", "cross")


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shape(word, rng):
    """A drawing whose word is plain to see, anywhere and of any size."""
    turn = np.linspace(0, 2 * np.pi, 20) + rng.random()
    lines = {
        "ring": [np.column_stack([np.cos(turn), np.sin(turn)])],
        "steps": [np.repeat(np.arange(7), 2)[np.add.outer(np.arange(12), [0, 1])] / 3 - 1],
        "cross": [[[-1, -1], [1, 1]], [[1, -1], [-1, 1]]],
    }[word]
    size, place = rng.uniform(30, 120, 2), rng.uniform(0, 100, 2)
    return from_polylines(
        [size * (line + rng.normal(0, 0.05, np.shape(line))) + place for line in lines], word
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """120 drawings of three words."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("shapes") / "shapes.npz"
    drawings = (shape(word, rng) for _ in range(40) for word in SHAPES)
    synthetic.pack(drawings, path, split=(60, 10, 30))
    return Corpus.open(path)


@pytest.fixture(scope="module")
def judging(corpus):
    return judges.taught(corpus, seed=0, epochs=dict.fromkeys(judges.NAMES, 16), batch_size=16)


def program():
    """The module that is run, under another name than the test run's own ``__main__``."""
    spec = importlib.util.spec_from_file_location("recognisability", FOLDER / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one(lines, n_points):
    return inks.of_sketches([from_polylines(lines)], n_points)


def slowly(one, other):
    """The chamfer distance of two drawings, point by point."""
    every = [[np.hypot(*(a.astype("f8") - b)) for b in other] for a in one]
    there, back = np.min(every, axis=1), np.min(every, axis=0)
    return (there.mean() + back.mean()) / 2


# Ink


def test_points_are_at_even_distances_whatever_points_the_drawing_has():
    few = one([[[10, 10], [10, 110], [60, 110]]], 300).points[0]
    many = [[10, y] for y in range(10, 110, 3)] + [[x, 110] for x in range(10, 61)]
    np.testing.assert_allclose(few, one([many], 300).points[0], atol=1e-5)
    steps = np.hypot(*np.diff(few, axis=0).T)
    corner = np.argmin(np.hypot(*(few - [-0.25, 0.5]).T))
    np.testing.assert_allclose(
        np.delete(steps[10:], slice(corner - 12, corner - 7)), steps[100], atol=1e-5
    )


def test_place_and_size_are_gone_and_proportions_are_not():
    line = np.array([[0, 0], [40, 0], [40, 20]])
    ink = one([line], 50).points
    np.testing.assert_allclose(ink, one([7.5 * line + [300, -20]], 50).points, atol=1e-5)
    low, high = ink[0].min(axis=0), ink[0].max(axis=0)
    np.testing.assert_allclose([low, high], [[-0.5, -0.25], [0.5, 0.25]], atol=0.02)


def test_a_dot_is_seen_and_no_point_lies_where_the_pen_was_lifted():
    ink = one([[[0, 0], [0, 100]], [[50, 50]], [[100, 0], [100, 100]]], 96)
    assert set(ink.strokes[0].tolist()) == {0, 1, 2}
    x = ink.points[0, :, 0]
    assert np.isclose(x, [[-0.5], [0], [0.5]], atol=1e-6).any(axis=0).all()
    assert 1 <= np.isclose(x, 0, atol=1e-6).sum() <= 4


def test_drawings_do_not_depend_on_what_is_beside_them():
    rng = np.random.default_rng(1)
    sketches = [shape(word, rng) for word in SHAPES] + [from_polylines([])]
    together = inks.of_sketches(sketches, 40)
    for k, sketch in enumerate(sketches):
        alone = inks.of_sketches([sketch], 40)
        np.testing.assert_allclose(together.points[k], alone.points[0], atol=1e-6)
        np.testing.assert_array_equal(together.strokes[k], alone.strokes[0])
    assert inks.of_sketches([], 40).points.shape == (0, 40, 2)


def test_a_set_gives_the_ink_of_its_sketches(corpus):
    chosen = corpus.indices("train")[[5, 1, 9]]
    found = inks.of_corpus(corpus, chosen, 64)
    again = inks.of_sketches([corpus.sketch(i) for i in chosen], 64)
    np.testing.assert_allclose(found.points, again.points, atol=1e-5)
    np.testing.assert_array_equal(found.strokes, again.strokes)


def test_distorted_drawings_fill_the_box_and_sometimes_lack_a_small_stroke(corpus):
    cross = one([[[0, 0], [90, 90]], [[90, 0], [0, 90]], [[40, 5], [50, 5]]], 256)
    many = cross.of(np.zeros(300, int))
    found = inks.distorted(many, 96, np.random.default_rng(0))
    extent = np.ptp(found.points, axis=1).max(axis=1)
    np.testing.assert_allclose(extent, 1, atol=1e-5)
    lacking = np.mean([2 not in strokes for strokes in found.strokes])
    assert 0.05 < lacking < 0.2  # one stroke of three, in a third
    assert all({0, 1} <= set(strokes) for strokes in found.strokes.tolist())  # half the ink each
    again = inks.distorted(many, 96, np.random.default_rng(0))
    np.testing.assert_array_equal(found.points, again.points)


# Measures


def test_distances_are_those_of_a_slow_loop(monkeypatch):
    rng = np.random.default_rng(0)
    one = rng.uniform(-0.5, 0.5, (3, 20, 2)).astype("f4")
    other = rng.uniform(-0.5, 0.5, (7, 20, 2)).astype("f4")
    expected = [[slowly(a, b) for b in other] for a in one]
    np.testing.assert_allclose(measures.distances(one, other), expected, atol=1e-5)
    monkeypatch.setattr(measures, "AT_ONCE", 900)  # two at a time
    np.testing.assert_allclose(measures.distances(one, other), expected, atol=1e-5)
    np.testing.assert_allclose(measures.distances(other, one).T, expected, atol=1e-5)


def test_distances_know_neither_order_nor_direction_of_strokes():
    lines = [np.array([[0, 0], [50, 100], [100, 0]]), np.array([[20, 40], [80, 40]])]
    there = one(lines, 96).points
    back = one([line[::-1] for line in lines[::-1]], 96).points
    other = one([lines[0], [[0, 90], [0, 10]]], 96).points
    assert measures.distances(there, back)[0, 0] < 0.015  # half a step apart, at most
    assert measures.distances(there, other)[0, 0] > 0.05


def test_spread_is_the_mean_of_pairs_and_not_of_a_drawing_with_itself():
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.5, 0.5, (4, 16, 2)).astype("f4")
    pairs = [slowly(points[i], points[j]) for i in range(4) for j in range(i)]
    assert measures.spread(points) == pytest.approx(np.mean(pairs), abs=1e-5)
    assert measures.spread(points[[0, 0, 0]]) == pytest.approx(0, abs=1e-3)
    assert np.isnan(measures.spread(points[:1]))


def test_copies_are_nearer_to_the_training_drawings_than_others_are():
    rng = np.random.default_rng(3)
    training, test, more = rng.uniform(-0.5, 0.5, (3, 60, 24, 2)).astype("f4")
    beside = measures.nearest(test, training)
    copied = measures.nearest(training[:20], training)
    assert copied.max() < 1e-3
    assert measures.nearer_than(copied, beside) == 1
    assert measures.nearer_than(measures.nearest(more, training), beside) < 0.2
    assert measures.nearer_than(beside, beside) == pytest.approx(0.05)
    assert np.isinf(measures.nearest(test[:2], training[:0])).all()


def test_hits_and_mistakes_are_counted_by_what_was_asked():
    asked = np.array([0, 0, 0, 0, 1, 1, 3])
    told = np.array([0, 2, 2, 1, 1, 1, 0])
    verdicts = np.eye(4)[told]
    np.testing.assert_allclose(measures.hits(verdicts, asked), [0.25, 1, np.nan, 0])
    other, share = measures.mistakes(verdicts, asked)
    assert other.tolist() == [2, -1, -1, 0]
    np.testing.assert_allclose(share, [0.5, 0, 0, 1])


# Judges


def test_a_picture_has_the_ink_where_the_drawing_has_it():
    points = one([[[0, 0], [100, 0]], [[0, 100], [0, 100]]], 192).points
    paper = judges.picture(points, 28)[0]
    assert paper.shape == (28, 28)
    assert (paper[2, 3:24] + paper[1, 3:24]).min() > 0.9  # a line along the top
    assert paper[24:27, :4].max() > 0.5  # a dot at the lower left
    assert paper[5:23].max() == 0
    assert paper[:, [0, -1]].max() == 0


def test_a_point_between_pixels_is_shared_among_them():
    paper = judges.picture(np.array([[[0.11, -0.23]]]), 28)[0]
    rows, columns = np.indices(paper.shape)
    assert paper.sum() == pytest.approx(1)
    assert (paper * columns).sum() == pytest.approx(1.5 + 24 * 0.61, abs=1e-5)
    assert (paper * rows).sum() == pytest.approx(1.5 + 24 * 0.27, abs=1e-5)


def test_every_word_is_shown_as_often():
    word_ids = np.array([0] * 50 + [1] * 5 + [2] * 20)
    order = judges.balanced(word_ids, 3, np.random.default_rng(0))
    assert np.bincount(word_ids[order]).tolist() == [25, 25, 25]
    assert np.bincount(order[word_ids[order] == 1])[50:].tolist() == [5] * 5
    assert len(set(order[word_ids[order] == 0])) == 25


def test_judges_learn_words_and_know_them_in_drawings_they_have_not_seen(corpus, judging):
    rng = np.random.default_rng(9)
    asked = np.arange(60) % 3
    ink = inks.of_sketches([shape(SHAPES[k], rng) for k in asked], judges.N_STORED)
    for judge in judging.values():
        verdicts = judges.verdicts(judge, ink)
        np.testing.assert_allclose(verdicts.sum(axis=1), 1, atol=1e-5)
        told = np.array([corpus.words[k] for k in verdicts.argmax(axis=1)])
        assert np.mean(told == np.array(SHAPES)[asked]) > 0.9, judge.name


def test_judges_come_out_the_same(corpus):
    import torch

    epochs = dict.fromkeys(judges.NAMES, 1)
    first = judges.taught(corpus, seed=3, epochs=epochs)
    torch.rand(1)  # what others draw is of no influence, and they are not influenced
    state = torch.get_rng_state()
    again = judges.taught(corpus, seed=3, epochs=epochs)
    for name in judges.NAMES:
        for one, other in zip(
            first[name].state_dict().values(), again[name].state_dict().values(), strict=True
        ):
            assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_judges_are_kept_as_plain_arrays_for_the_set_that_taught_them(corpus, judging, tmp_path):
    path = tmp_path / "judge.npz"
    judges.save(path, judging, corpus)
    with np.load(path) as arrays:  # refuses pickles
        assert all(arrays[name].dtype.kind in "fiu" for name in arrays.files)
    ink = inks.of_corpus(corpus, corpus.indices("test"), judges.N_STORED)
    for name, judge in judges.load(path, corpus).items():
        found, expected = judges.verdicts(judge, ink), judges.verdicts(judging[name], ink)
        np.testing.assert_array_equal(found, expected)

    rng = np.random.default_rng(5)
    for words, fault in ((SHAPES, "another training split"), (SHAPES[:2], "other words")):
        other = tmp_path / f"{len(words)}.npz"
        synthetic.pack((shape(word, rng) for _ in range(20) for word in words), other)
        with pytest.raises(BadFile, match=fault):
            judges.load(path, Corpus.open(other))


# The whole


def test_samples_are_of_the_word_asked_for_and_the_same_again(corpus):
    network = Engine(tiny(words=("cross", "ring", "moon")))
    known = drawn.known(corpus, network)
    assert [corpus.words[k] for k in known] == ["cross", "ring"]
    found, again, other = (
        drawn.samples(corpus, network, known, 4, Settings(temperature=0.7, seed=seed))
        for seed in (1, 1, 2)
    )
    assert [corpus.words[k] for k in found.word_ids] == ["cross"] * 4 + ["ring"] * 4
    np.testing.assert_array_equal(found.ink.points, again.ink.points)
    assert not np.array_equal(found.ink.points, other.ink.points)
    assert found.of_word(known[1], 96, 3).shape == (3, 96, 2)
    with pytest.raises(BadConfig, match="knows none of its 3 words"):
        drawn.known(corpus, Engine(tiny(words=("moon",))))


def test_real_drawings_are_those_of_the_split(corpus):
    ring = corpus.words.index("ring")
    found = drawn.real(corpus, "test", np.array([ring]))
    moves = [corpus.moves_of(i) for i in corpus.indices("test") if corpus.word_ids[i] == ring]
    expected = inks.along(np.concatenate(moves), [len(rows) for rows in moves], judges.N_STORED)
    np.testing.assert_allclose(found.ink.points, expected.points, atol=1e-5)
    assert found.finished is None
    with pytest.raises(BadConfig, match="no drawings to judge by in its test split"):
        drawn.real(corpus, "test", np.array([], int))


def test_the_command_prints_tables_and_writes_figures_and_a_sheet(
    corpus, judging, tmp_path, capsys, monkeypatch
):
    model, judge = tmp_path / "model.safetensors", tmp_path / "judge.npz"
    checkpoint.save(model, tiny(words=("cross", "ring")))
    judges.save(judge, judging, corpus)
    figures = []
    for name in ("a", "b"):
        options = ["--model", model, "--judge", judge, "-n", 5, "--temps", "0.4,1.0"]
        outputs = ["--json", tmp_path / f"{name}.json", "--sheet", tmp_path / f"{name}.png"]
        command = ["recognisability", corpus.path, *options, *outputs]
        monkeypatch.setattr(sys, "argv", [str(part) for part in command])
        program().main()
        figures.append((tmp_path / f"{name}.json").read_bytes())
        figures.append((tmp_path / f"{name}.png").read_bytes())
    assert figures[0] == figures[2]
    assert figures[1] == figures[3]
    printed = capsys.readouterr().out
    assert "1 words of" in printed
    assert "distance to the nearest training drawing" in printed
    found = json.loads(figures[0])
    assert found["words"] == ["cross", "ring"]
    assert list(found["recognised"]) == ["real (test)", "rebuilt", "0.4", "1"]
    for name in judges.NAMES:
        assert found["recognised"]["real (test)"][name]["mean"] == 1
        assert found["recognised"]["0.4"][name]["mean"] < 1  # scribbles
    assert set(found["distances"]["spread"]) == {"real (test)", "0.4", "1"}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["no.npz"], r"^error: .*no\.npz: no such file"),
        (["no.npz", "--temps", "0.4,9"], r"^error: temperature must be from 0\.01 to 2"),
    ],
)
def test_a_fault_is_one_line_before_any_work(options, fault, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recognisability", *options])
    with pytest.raises(SystemExit, match=fault):
        program().main()
