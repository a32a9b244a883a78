"""Requests: what is given of each drawing, and what is refused."""

import dataclasses

import networks
import numpy as np
import pytest

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import prompt, request
from sketchrnn_cli.inference.conditioning import random_numbers
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.interpolation import lerp, slerp
from sketchrnn_cli.inference.request import Request
from sketchrnn_cli.inference.settings import COUNT, FRAMES, Settings
from sketchrnn_cli.sketches.formats.latents import Latents
from sketchrnn_cli.sketches.sketch import from_polylines

WORDS = ("cat", "dog", "pig", "owl")
HALF = from_polylines([[[0, 0], [50, 10], [60, 60]]], "cat")


def model(*, fitted=True, **kept):
    """A network of four words; fitted: with a latent prior off the origin."""
    made = networks.tiny(**{"n_words": 4, "words": WORDS, **kept})
    if not fitted:
        return made
    rng = np.random.default_rng(0)
    prior = {
        "latent.share": np.full(4, 0.25, "f4"),
        "latent.weight": np.array([[0.4, 0.6]] * 4, "f4"),
        "latent.mean": rng.normal(size=(4, 2, 8)).astype("f4") + 2,
        "latent.scale": np.stack([0.3 * np.eye(8, dtype="f4")] * 4),
    }
    return dataclasses.replace(made, weights={**made.weights, **prior})


def asked(text, **options):
    checkpoint = model()
    return request.from_prompt(checkpoint, prompt.parse(text, WORDS), **options)


def test_frames_between_latents_have_the_words_and_labels_of_frames_between_items():
    z = np.random.default_rng(0).normal(size=(4, 8)).astype("f4")
    checkpoint = model()
    for n_frames in (1, 2, 3, 4, 5):
        by_prompt = asked("cat -> dog -> pig -> owl", frames=n_frames)
        by_latents = request.from_latents(checkpoint, Latents(z, words=WORDS), frames=n_frames)
        assert by_latents.words == by_prompt.words
        np.testing.assert_allclose(by_latents.labels, by_prompt.labels, atol=1e-6)
    two = request.from_latents(checkpoint, Latents(z, words=WORDS), frames=2)
    assert two.words == ["cat", "dog", "dog", "pig", "pig", "owl", "owl"]
    np.testing.assert_allclose(two.z[::2], z, atol=1e-6)
    np.testing.assert_allclose(two.z[1], slerp(z[0], z[1], 0.5), atol=1e-6)


def test_items_come_in_order_each_as_often_as_counted():
    two = asked("two cats, dog:3 + pig:1")
    assert two.words == ["cat", "cat", "dog:0.75 + pig:0.25"]
    wanted = [[1, 0, 0, 0, 0]] * 2 + [[0, 0.75, 0.25, 0, 0]]
    assert two.labels.tolist() == wanted
    assert list(two.numbers) == [0, 1, 2]
    assert asked("cat").n == COUNT
    assert asked("cat", count=3).n == 3
    assert asked("cat, dog").n == 2
    assert asked("cat, two dogs", count=4).n == 6
    assert list(asked("cat, dog", first=7).numbers) == [7, 8]


def test_frames_share_the_random_numbers_of_one_drawing():
    both = asked("2 cat -> dog", frames=2, first=5)
    assert list(both.numbers) == [5, 5, 5, 6, 6, 6]
    assert asked("cat -> dog").n == FRAMES + 1
    latents = Latents(np.zeros((2, 8), "f4"))
    several = request.from_latents(model(), latents, frames=2, count=2, first=3)
    assert list(several.numbers) == [3, 4] * 3
    single = request.from_latents(model(), latents, count=2, first=3)
    assert list(single.numbers) == [3, 4, 5, 6]
    assert single.words is None


def test_completions_carry_word_and_prefix_so_many_times():
    made = request.from_prefixes(model(), [HALF, HALF], count=2, first=4)
    assert made.n == 4
    assert made.words == ["cat"] * 4
    assert [len(prefix) for prefix in made.prefixes] == [HALF.n_points] * 4
    assert list(made.numbers) == [4, 5, 6, 7]


def test_one_label_can_stand_for_all():
    checkpoint = model()
    made = request.unconditional(2)
    [item] = prompt.parse("dog + pig", WORDS).items
    labelled = request.with_label(checkpoint, made, item)
    assert labelled.words == ["dog:0.5 + pig:0.5"] * 2
    assert labelled.labels.tolist() == [[0, 0.5, 0.5, 0, 0]] * 2
    assert request.with_label(checkpoint, made, None).labels.tolist() == [[0, 0, 0, 0, 1]] * 2
    assert request.only_item(prompt.parse("dog", WORDS)) == prompt.Item((("dog", 1.0),), None)
    assert request.only_item(prompt.parse("dog -> pig", WORDS)) is None
    assert request.only_item(prompt.parse("dog, pig", WORDS)) is None


@pytest.mark.parametrize("kind", ["fitted", "prior", "given"])
def test_a_grid_is_linear_within_a_latent_prior_and_spherical_about_the_origin(kind):
    checkpoint = model()
    settings = Settings(seed=3, prior=kind == "prior")
    corners = request.from_prompt(checkpoint, prompt.parse("cat, dog, pig, owl", WORDS))
    if kind == "given":
        z = np.random.default_rng(1).normal(size=(4, 8)).astype("f4")
        corners = dataclasses.replace(corners, z=z)
    network = Engine(checkpoint)
    grid, after = request.grid(network, corners, settings, 3, 5)
    explicit, _ = request.with_latents(network, corners, settings)
    a, b, c, d = explicit.z
    if kind == "given":
        np.testing.assert_array_equal(explicit.z, z)
    blend = lerp if kind == "fitted" else slerp
    np.testing.assert_allclose(grid.z[[0, 4, 10, 14]], explicit.z, atol=1e-5)
    np.testing.assert_allclose(grid.z[2], blend(a, b, 0.5), atol=1e-5)
    np.testing.assert_allclose(grid.z[5], blend(a, c, 0.5), atol=1e-5)
    middle = blend(blend(a, b, 0.25), blend(c, d, 0.25), 0.5)
    np.testing.assert_allclose(grid.z[6], middle, atol=1e-5)
    other = slerp if kind == "fitted" else lerp
    assert np.abs(grid.z[2] - other(a, b, 0.5)).max() > 1e-2
    assert grid.words[:5] == ["cat", "cat", "dog", "dog", "dog"]
    assert grid.words[5:10] == ["pig", "pig", "owl", "owl", "owl"]
    assert list(grid.numbers) == [0] * 15
    assert (after.prior, after.guidance) == (False, 1.0 if kind == "given" else 2.0)


def test_latents_made_explicit_draw_the_same():
    network = Engine(model())
    for settings in (Settings(seed=5), Settings(seed=5, prior=True), Settings(most_likely=True)):
        settings = dataclasses.replace(settings, max_points=20)
        plain = request.unconditional(4, first=2)
        explicit, after = request.with_latents(network, plain, settings)
        for a, b in zip(
            request.draw(network, plain, settings),
            request.draw(network, explicit, after),
            strict=True,
        ):
            assert a.word == b.word
            np.testing.assert_allclose(a.points(), b.points(), atol=0.02)


def test_several_temperatures_share_sampled_latents_only():
    fitted, bare = model(), model(fitted=False)
    rows = request.at_temperatures(fitted, Settings(), [0.2, 1])
    assert [(row.temperature, row.latent_temperature) for row in rows] == [
        (0.2, Settings().temperature ** 2),
        (1, Settings().temperature ** 2),
    ]
    assert request.at_temperatures(fitted, Settings(), [0.2]) == [Settings(temperature=0.2)]
    for checkpoint, settings in (
        (bare, Settings()),
        (fitted, Settings(prior=True)),
        (fitted, Settings(most_likely=True)),
    ):
        for row in request.at_temperatures(checkpoint, settings, [0.2, 1]):
            assert row.latent_temperature is None


LATENTS = {"z": np.zeros((1, 8), "f4")}
PREFIX = {"prefixes": [np.ones((2, 3), "f4")]}


@pytest.mark.parametrize(
    ("checkpoint", "given", "settings", "says"),
    [
        (model(), LATENTS, {"prior": True}, "prior has no effect: latents are given"),
        (model(), LATENTS, {"most_likely": True}, "most_likely has no effect"),
        (model(), LATENTS, {"latent_temperature": 0.0}, "latent_temperature has no effect"),
        (model(fitted=False), {}, {"most_likely": True}, "no latent prior"),
        (model(fitted=False), {}, {"latent_temperature": 1.0}, "no latent prior"),
        (model(fitted=False, encoder=False), {}, {"prior": True}, "decoder-only"),
        (model(fitted=False, n_words=0), {}, {"guidance": 2.0}, "unconditional"),
        (model(), PREFIX, {"max_points": 1}, "partial drawing 0: 2 points"),
    ],
)  # fmt: skip
def test_a_setting_without_effect_is_refused(checkpoint, given, settings, says):
    with pytest.raises(BadConfig, match=says):
        request.draw(Engine(checkpoint), Request(n=1, **given), Settings(**settings))


def test_settings_with_an_effect_are_taken():
    for given, settings in (
        ({}, {"most_likely": True, "guidance": 3.0}),
        (PREFIX, {"most_likely": True, "latent_temperature": 0.5}),
        (LATENTS, {"guidance": 3.0}),
    ):
        settings = Settings(max_points=4, **settings)
        assert len(list(request.draw(Engine(model()), Request(n=1, **given), settings))) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: request.unconditional(2**63),
        lambda: request.unconditional(1, first=2**64),
        lambda: request.unconditional(1, first=2**53),
        lambda: asked("cat", first=2**64),
        lambda: asked("cat", count=2**63),
        lambda: asked("cat -> dog", frames=2**63),
        lambda: asked("cat", frames=3),
        lambda: request.from_latents(model(), Latents(LATENTS["z"]), count=2**63),
        lambda: request.from_latents(model(), Latents(np.zeros((1, 7), "f4"))),
        lambda: request.from_prefixes(model(), [HALF], count=2**63),
        lambda: Request(n=2, words=["cat"]),
        lambda: Request(n=-1),
        lambda: Settings(best_of=2**63),
        lambda: Settings(best_of=0),
        lambda: Settings(seed=2**63),
        lambda: Settings(prior=True, most_likely=True),
        lambda: Settings(prior=True, latent_temperature=1.0),
        lambda: Settings(greedy=True, pen_temperature=1.0),
    ],
)
def test_what_cannot_be_is_one_line(make):
    with pytest.raises(BadConfig) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_largest_numbers_draw():
    last = 2**53 - 1
    (sketch,) = request.draw(
        Engine(model()), request.unconditional(1, first=last), Settings(max_points=3)
    )
    assert sketch.extras["number"] == last
    assert random_numbers(2**63 - 1, last).random() != random_numbers(0, last).random()


def test_a_model_without_words_or_labels_has_no_prompt():
    with pytest.raises(BadCheckpoint, match="x: knows no words"):
        request.parse(networks.tiny(words=()), "cat", "x", strict=False)
    with pytest.raises(BadCheckpoint, match="x: is unconditional"):
        request.parse(networks.tiny(words=("cat", "dog")), "cat", "x", strict=False)
    assert request.parse(networks.tiny(words=("cat",)), "cat", "x", strict=False).items
    with pytest.raises(BadConfig, match="happy"):
        request.parse(model(), "happy cat", "x", strict=True)
    with pytest.raises(BadCheckpoint, match="decoder-only"):
        request.from_latents(model(fitted=False, encoder=False), Latents(LATENTS["z"]))
