"""``sketchrnn export``, and its browser models in the hands of every other command."""

import json
import re
from pathlib import Path

import networks
import numpy as np
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference.conditioning import condition, label_rows
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.preparation import Preparation

FITTED = Preparation(fit=True, simplified=True).to_dict()
STRANGE = "../../\x1b[31m<b>&\N{RIGHT-TO-LEFT OVERRIDE}../etc/x"


def run(*arguments, stdin=b"", code=0):
    result = CliRunner().invoke(app, list(map(str, arguments)), input=stdin)
    assert result.exit_code == code, result.stderr + str(result.exception)
    return result


def refused(*arguments):
    """The one line that a fault leaves."""
    result = run("export", *arguments, code=1)
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    return result.stderr


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    common = {"n_mixtures": 20, "preparation": FITTED}
    told = {"n_words": 2, "words": ("ice cream", "bee")}
    for name, model in {
        "cat": networks.tiny(words=("cat",), **common),
        "bare": networks.tiny(encoder=False, words=("cat",), **common),
        "told": networks.tiny(**told, **common),
        "bare-told": networks.tiny(encoder=False, **told, **common),
        "several": networks.tiny(encoder=False, words=("cat", "dog"), **common),
        "few": networks.tiny(),
    }.items():
        checkpoint.save(folder / f"{name}.safetensors", model)
    return folder


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Two drawings as Quick, Draw! has them raw: floats, times, in pixels of some screen."""
    path = tmp_path_factory.mktemp("drawings") / "raw.ndjson"
    t = np.linspace(0, 6, 200)
    lines = []
    for size in (90, 900):
        x, y = (size * (1 + f(t)) / 2 + 0.25 for f in (np.cos, np.sin))
        stroke = [x.tolist(), y.tolist(), (100 * t).tolist()]
        lines.append(json.dumps({"word": "cat", "drawing": [stroke]}))
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("model", "kind", "word"),
    [
        ("cat", "vae.json", None),
        ("bare", "gen.json", None),
        ("told", "vae.json", "bee"),
        ("bare-told", "vae.json", "Ice_Creams"),
        ("several", "gen.json", None),
    ],
)
def test_a_browser_model_is_written_and_read(models, tmp_path, model, kind, word):
    out = tmp_path / "new" / f"x.{kind}"
    told = () if word is None else ("--word", word)
    result = run("export", "--model", models / f"{model}.safetensors", "-o", out, "--json", *told)
    facts = json.loads(result.stdout)
    assert facts["format"] == kind
    assert facts["bytes"] == out.stat().st_size
    assert facts["saturated"] == {}
    assert "warning" not in result.stderr
    wanted = {"bee": "bee", "Ice_Creams": "ice cream", None: "cat"}[word]
    assert open_model(out).words[0].startswith(wanted)
    found = json.loads(run("inspect", out, "--json").stdout)
    assert found["config"]["encoder"] == (kind == "vae.json")
    assert found["preparation"] == FITTED


def test_every_command_takes_one_that_only_draws(models, drawings, tmp_path):
    model = tmp_path / "cat.gen.json"
    run("export", "--model", models / "bare.safetensors", "-o", model)
    assert "decoder only" in run("inspect", model).stdout
    drawn = [
        json.loads(line) for line in run("sample", "cat", "-m", model, "-n", 3).stdout.splitlines()
    ]
    assert [d["word"] for d in drawn] == ["cat"] * 3
    scored = run("sample", "-m", model, "-n", 2, "--score", "-o", tmp_path / "x.svg")
    assert scored.stderr.count("nats") == 2
    done = run("sample", "-m", model, "--complete", drawings, "-n", 2)
    assert done.stdout.count("\n") == 4
    ranked = json.loads(run("inspect", drawings, "--model", model, "--score", "--json").stdout)[
        "scores"
    ]
    assert max(entry["n_points"] for entry in ranked) < 60  # simplified, as its drawings were
    losses = json.loads(
        run("inspect", model, "--evaluate", drawings, "--split", "train", "--json").stdout
    )
    assert losses["nats_per_sketch"] > 0
    for arguments in (
        ("encode", drawings, "-m", model),
        ("sample", "-m", model, "--latents", drawings),
    ):
        assert "decoder-only" in run(*arguments, code=1).stderr


def test_every_command_takes_one_with_an_encoder(models, drawings, tmp_path):
    model, original = tmp_path / "cat.vae.json", models / "cat.safetensors"
    run("export", "--model", original, "-o", model)
    z, same = tmp_path / "z.ndjson", tmp_path / "same.ndjson"
    run("encode", drawings, "-m", model, "-o", z)
    run("encode", drawings, "-m", original, "-o", same)
    found, wanted = (
        np.array([json.loads(line)["z"] for line in p.read_text().splitlines()]) for p in (z, same)
    )
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert np.ptp(found, axis=0).max() < 0.05  # the same circle, large and small
    way = run("sample", "-m", model, "--latents", z, "--frames", 4).stdout
    assert way.count("\n") == 5
    assert run("sample", "cat", "-m", model, "--complete", drawings).stdout.count("\n") == 2
    facts = run("inspect", model, "--evaluate", drawings, "--split", "train", "--score", "--json")
    assert json.loads(facts.stdout)["magenta_l_kl"] > 0


def test_google_says_nothing_of_its_drawings_so_they_are_fitted_to_its_scale(
    models, drawings, tmp_path
):
    model, fitted = tmp_path / "cat.gen.json", tmp_path / "fitted.npz"
    run("export", "--model", models / "bare.safetensors", "-o", model)
    parts = json.loads(model.read_text())
    del parts[0]["preparation"]
    parts[0]["scale_factor"] = 60
    model.write_text(json.dumps(parts))
    assert open_model(model).preparation["box"] == 510
    assert "fitted to a 510 box" in run("inspect", model).stdout
    begun = drawings.read_text().splitlines()[1]
    done = json.loads(run("sample", "-m", model, "--complete", "-", stdin=begun).stdout)["drawing"]
    assert max(done[0][0]) - min(done[0][0]) == pytest.approx(510, abs=2)
    result = run("inspect", drawings, "--model", model, "--score", "--json")
    ranked = json.loads(result.stdout)["scores"]
    run("preprocess", drawings, "-o", fitted, "--split", "100,0,0")
    packed = run("inspect", model, "--evaluate", fitted, "--split", "train", "--score", "--json")
    for one, other in zip(ranked, json.loads(packed.stdout)["scores"], strict=False):
        assert one["log_likelihood"] == pytest.approx(other["log_likelihood"], abs=0.1)


def test_the_word_counts_as_much_as_guidance_says(models, tmp_path):
    source = ("--model", models / "told.safetensors", "--word", "bee")
    biases = []
    for guidance in (0, 1, 2):
        out = tmp_path / f"{guidance}.vae.json"
        run("export", *source, "--guidance", guidance, "-o", out)
        biases.append(open_model(out).weights["decoder.cell.b"])
    np.testing.assert_allclose(biases[2] - biases[1], biases[1] - biases[0], atol=1e-3)
    assert np.abs(biases[2] - biases[1]).max() > 0.1
    run("export", *source, "-o", tmp_path / "plain.vae.json")
    assert (tmp_path / "plain.vae.json").read_bytes() == (tmp_path / "1.vae.json").read_bytes()


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("cat", ("-o", "x.gen.json"), "has an encoder, and a .gen.json .*: write .vae.json"),
        ("bare", ("-o", "x.vae.json"), "has no encoder, and a .vae.json .*: write .gen.json"),
        ("bare-told", ("-o", "x.gen.json", "--word", "bee"), "states of their own.* .vae.json"),
        ("told", ("-o", "x.vae.json"), "has 2 words, .* give --word, as in --word 'ice cream'"),
        ("told", ("-o", "x.vae.json", "--word", "bea"), '"bea" means nothing .*: bee'),
        ("told", ("-o", "x.vae.json", "--word", "bee, bee"), "name one word"),
        ("told", ("-o", "x.vae.json", "--word", "bee -> ice cream"), "name one word"),
        ("several", ("-o", "x.gen.json", "--word", "cat"), "--word: .* is unconditional"),
        ("few", ("-o", "x.vae.json"), "few.safetensors: it has 5 mixtures, .* exactly 20"),
        ("cat", ("-o", "x.json"), "unknown format 'json'; known are .*gen.json"),
        ("cat", ("-o", "x.safetensors", "--word", "cat"), "--word does not go with"),
        ("told", ("-o", "x.vae.json", "--guidance", "2"), "--guidance needs --word"),
        ("cat", ("-o", "x.vae.json", "--half"), "--half does not go with this format"),
        ("cat", ("-o", "x.html", "--int8"), "--int8 does not go with this format"),
        ("cat", ("-o", "x.safetensors", "--int8", "--half"), "--int8 does not go with --half"),
        ("cat", ("-o", "-"), "standard output: no format"),
        ("cat", ("-o", "-", "--format", "vae.json", "--json"), "both go to standard output"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_by_name(
    models, tmp_path, monkeypatch, model, arguments, message
):
    monkeypatch.chdir(tmp_path)
    line = refused("--model", models / f"{model}.safetensors", *arguments)
    assert re.search(message, line), line
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_are_a_warning_even_when_quiet(tmp_path):
    model = networks.tiny(encoder=False, n_mixtures=20)
    model.weights["decoder.out_b"][:2] = 11, -12
    checkpoint.save(tmp_path / "m.safetensors", model)
    result = run("export", "-m", tmp_path / "m.safetensors", "-o", tmp_path / "x.gen.json", "-q")
    assert result.stderr.startswith("warning: weights beyond 10")
    assert result.stderr.endswith("cut off: 2 of decoder.out_b\n")


def test_an_existing_file_stays_unless_told_otherwise(models, tmp_path):
    out = tmp_path / "x.gen.json"
    out.write_text("mine")
    source = ("--model", models / "bare.safetensors", "-o", out)
    assert "exists; give --overwrite" in refused(*source)
    assert out.read_text() == "mine"
    run("export", *source, "--overwrite")
    assert list(tmp_path.iterdir()) == [out]
    assert open_model(out).words == ("cat",)


@pytest.mark.parametrize("kind", ["gen.json", "npz", "safetensors"])
def test_a_pipe_gets_what_a_file_gets(models, tmp_path, kind):
    source = ("--model", models / "bare.safetensors")
    run("export", *source, "-o", tmp_path / f"x.{kind}")
    piped = run("export", *source, "-o", "-", "--format", kind)
    assert piped.stdout_bytes == (tmp_path / f"x.{kind}").read_bytes()


def test_an_npz_holds_plain_arrays_and_the_rest_as_json(models, tmp_path):
    run("export", "--model", models / "told.safetensors", "-o", tmp_path / "x.npz")
    model = checkpoint.load(models / "told.safetensors")
    with np.load(tmp_path / "x.npz") as file:  # pickles are refused by default
        assert set(file.files) == {*model.weights, "metadata"}
        for name, array in model.weights.items():
            np.testing.assert_array_equal(file[name], array)
        metadata = json.loads(str(file["metadata"]))
    assert metadata["words"] == ["ice cream", "bee"]
    assert (metadata["scale_factor"], metadata["config"]["n_mixtures"]) == (20.0, 20)


def test_a_model_of_int8_is_a_model(models, tmp_path):
    out = tmp_path / "x.safetensors"
    told = json.loads(
        run("export", "-m", models / "told.safetensors", "--int8", "-o", out, "--json").stdout
    )
    assert (told["int8"], told["half"], told["bytes"]) == (True, False, out.stat().st_size)
    assert out.stat().st_size < 0.55 * (models / "told.safetensors").stat().st_size
    lines = run("sample", "bee", "-m", out, "-n", 2).stdout
    assert [json.loads(line)["word"] for line in lines.splitlines()] == ["bee", "bee"]
    run("encode", "-", "-m", out, stdin=lines.encode())
    run("inspect", "-", "-m", out, "--score", stdin=lines.encode())
    assert json.loads(run("inspect", out, "--json").stdout)["words"] == ["ice cream", "bee"]
    for kind in ("safetensors", "npz", "html"):
        run("export", "-m", out, "-o", tmp_path / f"y.{kind}")
    assert '"dtype":"float16"' in (tmp_path / "y.html").read_text("utf-8")
    back = checkpoint.load(tmp_path / "y.safetensors").weights
    assert all((back[k] == v).all() for k, v in checkpoint.load(out).weights.items())
    run("export", "-m", out, "-o", tmp_path / "y.vae.json", "--word", "bee")
    run("export", "-m", tmp_path / "y.vae.json", "--int8", "-o", tmp_path / "z.safetensors")
    assert checkpoint.load(tmp_path / "z.safetensors").words == ("bee",)


def test_a_name_with_a_path_and_controls_in_it_is_shown_and_nothing_else(
    models, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = Path("x.gen.json")
    run("export", "--model", models / "bare.safetensors", "-o", model)
    parts = json.loads(model.read_text())
    parts[0]["name"] = STRANGE
    model.write_text(json.dumps(parts))
    shown = [
        run("inspect", model),
        run("sample", "--list-words", "-m", model),
        run("sample", "-m", model, "-n", 1),
        run("sample", "-m", model, "-n", 1, "-o", "x.svg"),
        run("sample", "zebra", "-m", model, code=1),
        run("export", "-m", model, "-o", "y.gen.json"),
    ]
    for result in shown:
        assert "\x1b" not in result.stdout + result.stderr
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in result.stderr
    assert "<b>" not in Path("x.svg").read_text()
    assert {p.name for p in tmp_path.iterdir()} == {"x.gen.json", "x.svg", "y.gen.json"}
    assert json.loads(Path("y.gen.json").read_text())[0]["name"] == STRANGE


def test_a_page_holds_the_model_and_says_whose_drawings_it_learned_from(models, tmp_path):
    out = tmp_path / "draw.html"
    run("export", "--model", models / "told.safetensors", "-o", out)
    page = out.read_text("utf-8")
    facts = json.loads(re.search(r'id="model">(.*?)</script>', page)[1])
    assert facts["words"] == ["ice cream", "bee"]
    assert (facts["name"], facts["notice"]) == ("told.safetensors", "")
    assert {array["dtype"] for array in facts["arrays"]} >= {"float32"}
    half = run("export", "-m", models / "told.safetensors", "--half", "--format", "html", "-o", "-")
    assert '"dtype":"float32"' not in re.sub(r'"name":"[a-z_.]*scale"[^}]*', "", half.stdout)
    built_in = run("export", "-o", tmp_path / "own.html", "--json")
    assert json.loads(built_in.stdout)["bytes"] < 8e6
    assert "Quick, Draw! by Google, CC BY 4.0" in (tmp_path / "own.html").read_text("utf-8")
    assert "--word does not go with" in refused("--word", "cat", "-o", tmp_path / "x.html")
    assert "exists; give --overwrite" in refused("-o", out)


def test_a_page_of_a_browser_model_has_its_box(tmp_path, models):
    browser = tmp_path / "cat.gen.json"
    run("export", "--model", models / "bare.safetensors", "-o", browser)
    parts = json.loads(browser.read_text())
    del parts[0]["preparation"]
    parts[0]["scale_factor"] = 60
    browser.write_text(json.dumps(parts))
    run("export", "--model", browser, "-o", tmp_path / "cat.html")
    page = (tmp_path / "cat.html").read_text("utf-8")
    facts = json.loads(re.search(r'id="model">(.*?)</script>', page)[1])
    assert (facts["extent"], facts["absolute"], facts["scale_factor"]) == (510, False, 60)
    assert facts["words"] == ["cat"]


@pytest.mark.slow
def test_a_model_of_two_words_without_encoder_becomes_a_browser_model_of_one(tmp_path):
    """Trained, exported and read again: word by word the same distribution of every move."""
    lines = []
    for k in range(40):
        for word, tip in (("ant", 10 + k), ("bee", 200 - k)):
            stroke = [[0, 60, 120, 255], [100, tip, 90 + k, 30]]
            lines.append(json.dumps({"word": word, "drawing": [stroke, [[5, 9], [8, k]]]}))
    (tmp_path / "two.ndjson").write_text("\n".join(lines))
    (tmp_path / "c.toml").write_text("[model]\nn_mixtures = 20\n")
    steps = ("--preset", "tiny", "--no-encoder", "--steps", 30, "--quiet")
    config = ("--config", tmp_path / "c.toml")
    run("train", tmp_path / "two.ndjson", "-o", tmp_path / "run", *steps, *config)
    model = checkpoint.load(tmp_path / "run")
    assert model.config.n_words == 2
    rng = np.random.default_rng(0)
    moves = [networks.random_moves(rng, 12)]
    found = []
    for word in ("ant", "bee"):
        out = tmp_path / f"{word}.gen.json"
        run("export", "--model", tmp_path / "run", "--word", word, "-o", out)
        again = open_model(out)
        assert again.words == (word,)
        labels = label_rows(model, [word])
        wanted = Engine(model).forward(moves, condition(model, 1, labels=labels))
        found.append(Engine(again).forward(moves, None)[0])
        np.testing.assert_allclose(found[-1], wanted[0], atol=5e-3)  # quantised
    assert np.abs(found[0] - found[1]).max() > 0.02
