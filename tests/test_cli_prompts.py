"""`sketchrnn sample PROMPT`: words of the model at the terminal."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import datafiles
import networks
import numpy as np
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.formats import latents

WORDS = ("cat", "ice cream", "pig")
SHORT = ["--max-points", "15"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models that are told words, with and without encoder; of one word; and told none."""
    folder = tmp_path_factory.mktemp("models")
    classic = networks.tiny(words=WORDS)
    for name, model in {
        "told": networks.of_words(),
        "bare": networks.of_words(encoder=False),
        "one": networks.tiny(words=("owl",)),
        "classic": classic,
        "nameless": dataclasses.replace(classic, words=()),
    }.items():
        checkpoint.save(folder / f"{name}.safetensors", model)
    names = ("told", "bare", "one", "classic", "nameless")
    return SimpleNamespace(**{name: str(folder / f"{name}.safetensors") for name in names})


def run(*arguments, stdin=b""):
    return CliRunner().invoke(app, ["sample", *map(str, arguments)], input=stdin)


def drawings(*arguments, stdin=b""):
    result = run(*arguments, *SHORT, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def words(*arguments):
    return [record["word"] for record in drawings(*arguments)]


def one_line(result, *says):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for text in says:
        assert text in result.stderr


@pytest.mark.parametrize("kind", ["told", "bare"])
@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        (["cat"], {"cat": 9}),
        (["Three", "CATS"], {"cat": 3}),
        (["cat", "-n", 4], {"cat": 4}),
        (["draw me an Ice-Cream, please"], {"ice cream": 9}),
        (["cat, ice cream and pig"], {"cat": 1, "ice cream": 1, "pig": 1}),
        (["2 pigs and a cat", "-n", 5], {"pig": 2, "cat": 5}),
        (["cat:0.7 + pig:0.3", "-n", 2], {"cat:0.7 + pig:0.3": 2}),
    ],
)
def test_a_prompt_says_what_and_how_many(models, kind, prompt, wanted):
    assert Counter(words(*prompt, "--model", getattr(models, kind))) == wanted


def test_a_drawing_of_a_word_is_that_of_the_sampler(models):
    found = drawings("pig", "-n", 2, "--model", models.told, "--seed", 5)
    settings = Settings(seed=5, max_points=15)
    wanted = networks.draw(Engine(networks.of_words()), 2, settings=settings, words=["pig"] * 2)
    for record, sketch in zip(found, wanted, strict=True):
        xs = [x for stroke in record["drawing"] for x in stroke[0]]
        np.testing.assert_allclose(xs, sketch.points()[:, 0], atol=0.01)


@pytest.mark.parametrize("kind", ["told", "bare"])
def test_a_way_goes_from_one_word_to_the_next(models, kind):
    model = getattr(models, kind)
    found = drawings("cat -> pig -> cat", "--frames", 4, "--model", model)
    assert [record["word"] for record in found] == [*["cat"] * 2, *["pig"] * 4, *["cat"] * 3]
    assert len({record["number"] for record in found}) == 1
    (cat,) = drawings("cat", "-n", 1, "--model", model)
    (pig,) = drawings("pig", "-n", 1, "--model", model)
    assert [found[k]["drawing"] for k in (0, 4, 8)] == [
        cat["drawing"], pig["drawing"], cat["drawing"]
    ]  # fmt: skip
    assert len(drawings("cat -> pig", "--model", model)) == 13
    twice = drawings("2 cat -> pig", "--frames", 3, "--model", model)
    assert [record["number"] for record in twice] == [0] * 4 + [1] * 4


def test_a_sheet_of_a_prompt_and_one_of_its_drawings_alone(models):
    sheet = drawings("cat", "-n", 6, "--model", models.told)
    (alone,) = drawings("cat", "-n", 1, "--first", 4, "--model", models.told)
    assert alone == sheet[4]


def test_without_a_prompt_each_drawing_says_what_it_is(models):
    assert set(words("-n", 40, "--model", models.told)) == set(WORDS)
    assert set(words("-n", 40, "--model", models.bare)) == set(WORDS)
    plain = drawings("-n", 3, "--model", models.told, "--no-word")
    assert all("word" not in record for record in plain)


def test_the_most_likely_latent_leaves_no_choice_but_the_moves(models):
    first = drawings("cat", "-n", 3, "--model", models.told, "--most-likely", "--greedy")
    assert len({json.dumps(record["drawing"]) for record in first}) == 1
    other = drawings("pig", "-n", 1, "--model", models.told, "--most-likely", "--greedy")
    assert other[0]["drawing"] != first[0]["drawing"]


def test_ignored_words_are_named_on_stderr_and_strict_refuses_them(models):
    result = run("a happy cat", "-n", 1, "--model", models.told, *SHORT)
    assert result.exit_code == 0
    assert "ignored: happy" in result.stderr
    assert json.loads(result.stdout)["word"] == "cat"
    one_line(run("a happy cat", "--strict", "--model", models.told), "happy", "--list-words")


def test_an_unknown_noun_is_drawn_as_the_nearest_word_and_strict_refuses_it(models):
    result = run("a kitten, dachshunds", "-n", 1, "--model", models.told, *SHORT)
    assert result.exit_code == 0
    assert "dachshunds: drawn as cat" in result.stderr  # this model has no dog
    assert [json.loads(line)["word"] for line in result.stdout.splitlines()] == ["cat", "cat"]
    one_line(run("dachshund", "--strict", "--model", models.told), "dachshund", "nearest: cat")
    one_line(run("zeal, fervor", "--model", models.told), "zeal", "--list-words")


def test_the_words_of_a_model_are_listed(models):
    result = run("--list-words", "--model", models.told)
    assert (result.exit_code, result.stdout) == (0, "cat\nice cream\npig\n")
    result = run("--list-words", "--json", "--model", models.one)
    assert json.loads(result.stdout) == {"words": ["owl"]}


def test_a_model_of_one_word_knows_it(models):
    assert words("two owls", "--model", models.one) == ["owl"] * 2
    one_line(run("cat", "--model", models.one), "cat", "owl")


def test_latents_and_beginnings_are_told_the_word(models, tmp_path):
    z = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    with (tmp_path / "z.npz").open("wb") as stream:
        datafiles.write_latents(stream, latents.Latents(z, None, ("cat", None)))
    model = ["--model", models.told]
    own = drawings("--latents", tmp_path / "z.npz", *model)
    assert [record.get("word") for record in own] == ["cat", None]
    pigs = drawings("pig", "--latents", tmp_path / "z.npz", *model)
    assert [record["word"] for record in pigs] == ["pig"] * 2
    assert all(a["drawing"] != b["drawing"] for a, b in zip(own, pigs, strict=True))
    way = drawings("--latents", tmp_path / "z.npz", "--frames", 4, *model)
    assert [record.get("word") for record in way] == ["cat"] * 2 + [None] * 3
    assert [way[k]["drawing"] for k in (0, 4)] != [way[k]["drawing"] for k in (4, 0)]

    begun = {"word": "cat", "drawing": [[[10, 60, 120], [20, 90, 30]]]}
    line = json.dumps(begun).encode()
    (cat,) = drawings("--complete", "-", *model, stdin=line)
    assert cat["word"] == "cat"
    (pig,) = drawings("pig", "--complete", "-", *model, stdin=line)
    assert pig["word"] == "pig"
    assert pig["drawing"][0] == cat["drawing"][0]
    assert pig["drawing"] != cat["drawing"]
    assert len(drawings("three pigs", "--complete", "-", *model, stdin=line)) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["zebra", "--model", "told"], '"zebra"'),
        (["icecreme", "--model", "told"], "ice cream"),
        (["", "--model", "told"], "empty"),
        (["cat", "--model", "classic"], "is unconditional"),
        (["cat", "--model", "nameless"], "knows no words"),
        (["cat", "--model", "told", "--no-word"], "--no-word"),
        (["--no-word", "--model", "one"], "unconditional anyway"),
        (["cat", "--frames", 3, "--model", "told"], "--frames"),
        (["cat, pig", "--latents", "-", "--model", "told"], "one word at most"),
        (["cat -> pig", "--complete", "-", "--model", "told"], "one word at most"),
        (["cat", "--prior", "--most-likely", "--model", "told"], "--most-likely"),
        (["999 cat -> pig", "--frames", 10**6, "--model", "told"], "more than 1,000,000"),
        (["\x1b[31mzebra\x00", "--model", "told"], "zebra"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(models, arguments, says):
    given = [getattr(models, str(a), a) for a in arguments]
    result = run(*given)
    one_line(result, says)
    assert "\x1b" not in result.stderr


def test_a_model_in_the_place_of_the_prompt_is_told_where_to_go(models):
    one_line(run(models.told, "--model", models.told), "a model goes after --model")


def test_ignored_words_are_in_the_answer(models, tmp_path):
    out = tmp_path / "cat.svg"
    result = run("a happy cat", "-o", out, "--json", "--model", models.told, *SHORT)
    assert json.loads(result.stdout)["ignored"] == ["happy"]


@pytest.mark.slow
def test_a_prompt_needs_no_torch(models):
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from sketchrnn_cli.cli.app import app\n"
        f"result = CliRunner().invoke(app, ['sample', 'two cats', '--model', {models.told!r}])\n"
        "assert result.exit_code == 0, result.output\n"
        "assert result.stdout.count('\\n') == 2\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
