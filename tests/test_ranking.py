"""Which candidate of a drawing is kept."""

import dataclasses

import networks
import numpy as np
import pytest
from networks import draw

from sketchrnn_cli.inference import ranking, request, sampler
from sketchrnn_cli.inference.conditioning import label_rows
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.prompt import parse
from sketchrnn_cli.inference.ranking import usual_candidates
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.inference.settings import BEST_OF, ROUNDS, Settings
from sketchrnn_cli.sketches.sketch import to_stroke3

WORDS = ("ant", "bee", "cow")
PLAIN = networks.tiny(n_words=3, words=WORDS)
STORED = networks.with_recogniser(PLAIN)
ENGINE = Engine(STORED)
RECOGNISER = Recogniser.of(STORED)
WARM = Settings(temperature=1.0, best_of=1)


def share(sketch, word=None):
    (shares,) = RECOGNISER.shares([to_stroke3(sketch)])
    return shares[WORDS.index(word or sketch.word)]


def same(a, b):
    np.testing.assert_allclose(a.points(), b.points(), atol=0.02)
    return True


def test_the_best_of_four_is_kept():
    words = ["ant", "bee", "cow", "bee"]
    best = list(draw(ENGINE, 4, settings=dataclasses.replace(WARM, best_of=4), words=words))
    plain = list(draw(ENGINE, 4, settings=WARM, words=words))
    gains = [share(b) - share(a) for a, b in zip(plain, best, strict=True)]
    assert min(gains) > -1e-4  # the first candidate is the plain drawing
    assert max(gains) > 0.01
    assert [sketch.word for sketch in best] == words


def test_by_default_there_are_more_rounds_while_none_surely_shows_its_word():
    words = ["ant", "bee", "cow"] * 30  # more than are chosen at a time
    usual = list(draw(ENGINE, 90, settings=dataclasses.replace(WARM, best_of=None), words=words))
    four = list(draw(ENGINE, 90, settings=dataclasses.replace(WARM, best_of=4), words=words))
    most = dataclasses.replace(WARM, best_of=4 * ROUNDS)
    every = list(draw(ENGINE, 90, settings=most, words=words))
    shows = [share(sketch) >= ranking.SURE for sketch in four]
    assert 0 < sum(shows) < 90
    for k in np.flatnonzero(shows):
        same(usual[k], four[k])
    others = [k for k, first in enumerate(shows) if not first]
    assert all(share(usual[k]) >= share(four[k]) - 1e-4 for k in others)
    assert all(share(usual[k]) <= share(every[k]) + 1e-4 for k in others)
    assert any(share(usual[k]) > share(four[k]) + 0.01 for k in others)
    assert [sketch.extras["number"] for sketch in usual] == list(range(90))


def test_a_model_without_a_recogniser_draws_once():
    usual = dataclasses.replace(WARM, best_of=None)
    for a, b in zip(
        draw(Engine(PLAIN), 3, settings=usual), draw(Engine(PLAIN), 3, settings=WARM), strict=True
    ):
        same(a, b)


def test_a_cut_candidate_comes_last():
    settings = dataclasses.replace(WARM, max_points=22)
    cut = [
        not s.extras["finished"] for s in draw(ENGINE, 20, settings=settings, words=["ant"] * 20)
    ]
    best = draw(ENGINE, 20, settings=dataclasses.replace(settings, best_of=8), words=["ant"] * 20)
    assert any(cut)
    assert all(sketch.extras["finished"] for sketch in best)


def test_a_mixture_is_ranked_by_its_shares():
    labels = np.array([[0.7, 0.3, 0, 0]], "f4")
    settings = dataclasses.replace(WARM, best_of=6)
    (best,) = draw(ENGINE, 1, settings=settings, words=["ant + bee"], labels=labels)

    def score(sketch):
        return 0.7 * np.log(share(sketch, "ant")) + 0.3 * np.log(share(sketch, "bee"))

    plain = Engine(PLAIN)  # the same candidates, ranked by their likelihood
    (other,) = draw(plain, 1, settings=settings, words=["ant + bee"], labels=labels)
    assert score(best) > score(other)


def test_sampled_labels_are_known_and_ranked():
    usual = list(draw(ENGINE, 6, settings=dataclasses.replace(WARM, best_of=4)))
    plain = list(draw(ENGINE, 6, settings=WARM))
    assert [s.word for s in usual] == [s.word for s in plain]
    assert sum(share(s) for s in usual) > sum(share(s) for s in plain)


@pytest.mark.parametrize(
    "prompt", ["ant", "ant, 2 bees", "ant:0.7 + bee:0.3", "ant -> bee", "ant -> bee -> cow"]
)
def test_all_of_a_prompt_is_ranked(prompt):
    asked = request.from_prompt(STORED, parse(prompt, WORDS, strict=True))
    assert usual_candidates(STORED, asked) == BEST_OF
    assert usual_candidates(PLAIN, asked) == 1


def interpolation(**more):
    """Three interpolations of five frames each, and their requests."""
    asked = request.from_prompt(STORED, parse("ant -> bee", WORDS, strict=True), count=3, frames=4)
    assert (asked.n, list(asked.numbers)) == (15, sorted([0, 1, 2] * 5))
    return list(request.draw(ENGINE, asked, dataclasses.replace(WARM, **more))), asked


def test_frames_keep_the_same_candidate_the_best_of_them_together():
    candidates = 4
    ranked, asked = interpolation(best_of=candidates)
    each = dataclasses.replace(WARM, best_of=candidates)
    conditioning = request._conditioning(ENGINE, asked, each)
    every = list(sampler._draw(conditioning, 15 * candidates, 64, None))
    found = np.array([RECOGNISER.shares([to_stroke3(sketch)])[0] for sketch in every])
    found, labels = found.reshape(15, candidates, 3), asked.labels[:, None, :3]
    sure = (found * (labels > 0)).sum(2) >= ranking.SURE
    logs = (np.log(found) * labels).sum(2)
    for track in range(3):
        frames = range(5 * track, 5 * track + 5)
        n_sure, total = sure[frames].sum(0), logs[frames].sum(0)
        chosen = max(range(candidates), key=lambda k: (n_sure[k], total[k]))  # noqa: B023
        for frame in frames:
            same(ranked[frame], every[frame * candidates + chosen])
    plain, _ = interpolation()
    assert [s.n_points for s in ranked] != [s.n_points for s in plain]


def test_too_many_frames_are_drawn_once(monkeypatch):
    monkeypatch.setattr(ranking, "MOST_TOGETHER", 59)
    _, asked = interpolation()
    assert usual_candidates(STORED, asked) == 1
    monkeypatch.setattr(ranking, "MOST_TOGETHER", 60)
    assert usual_candidates(STORED, asked) == BEST_OF


def test_only_what_has_a_word_is_ranked():
    rows, moves = np.zeros((2, 8), "f4"), [np.ones((3, 3), "f4")] * 2
    asked = request.Request
    for given, wanted in (
        (asked(n=2), BEST_OF),
        (asked(n=2, prefixes=moves, words=["ant", "bee"]), BEST_OF),
        (asked(n=2, prefixes=moves, words=["ant", None]), 1),
        (asked(n=2, prefixes=moves), 1),
        (asked(n=2, labels=label_rows(STORED, [None, None])), 1),
        (asked(n=2, z=rows, words=["ant", "bee"]), 1),
    ):
        assert usual_candidates(STORED, given) == wanted
