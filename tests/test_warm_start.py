"""``train --from``: a run that begins with the weights of a model."""

import json
import re
import shutil

import networks
import numpy as np
import pytest
import synthetic
import torch
from typer.testing import CliRunner

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint, sketch_rnn_js
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.network import SketchRNN
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.sketches.preparation import Preparation
from sketchrnn_cli.training import state, warm_start
from sketchrnn_cli.training.config import read_toml

pytestmark = pytest.mark.usefixtures("without_pictures")
TOLD = {"n_words": 2, "words": ("ant", "ice cream")}
HYPER = {"cell": "hyper"}
FITTED = Preparation(fit=True, simplified=True)
WORDS = ("bee", "Ice_Cream", "ant")


def run_of(model, words, scale_factor, seed=0, **larger):
    """The model of a run on other drawings, before its first step."""
    sizes, conditioned = warm_start.sizes(model, "m", {}, None)
    assert sizes.n_words == 0
    given = {"n_words": len(words)} if conditioned else {}
    sizes, _ = warm_start.sizes(model, "m", given | larger, None)
    network = SketchRNN(sizes)
    ratio = scale_factor / model.scale_factor
    begun = warm_start.weights(model, network.weights(), words, ratio, seed)
    network.load_weights(begun)  # each of its weights, and no other
    return Checkpoint(config=sizes, weights=begun, scale_factor=scale_factor, words=words)


@pytest.mark.parametrize("more", [TOLD, {}, {"encoder": False, **TOLD}, {"encoder": False}])
@pytest.mark.parametrize("cell", ["lstm", "layer-norm", "hyper"])
def test_a_run_begins_as_the_same_function_in_units_of_its_own(cell, more):
    model = networks.tiny(cell=cell, encoder_cell="layer-norm", **more)
    ratio = 31 / model.scale_factor
    run = run_of(model, WORDS, 31.0)
    rng = np.random.default_rng(1)
    old = [networks.random_moves(rng, n) for n in (3, 9, 14)]
    new = [moves / np.float32([ratio, ratio, 1]) for moves in old]
    words = ["ant", "ice cream", "ice cream"] if model.config.n_words else None
    own = ["ant", "Ice_Cream", "Ice_Cream"] if words else None
    z = None
    if model.config.encoder:
        (z, sigma), (again, sigma_again) = Engine(model).encode(old), Engine(run).encode(new)
        np.testing.assert_allclose(again, z, atol=1e-5)
        np.testing.assert_allclose(sigma_again, sigma, rtol=1e-4)
    before = score.log_likelihood(Engine(model), old, z, words=words)
    after = score.log_likelihood(Engine(run), new, z, words=own)
    per_move = 2 * np.log(ratio)  # a density of smaller units
    wanted = before + per_move * np.array([len(moves) for moves in old])
    np.testing.assert_allclose(after, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("more", [TOLD, {}, {"encoder": False, **TOLD}, {"encoder": False}])
def test_a_larger_decoder_begins_as_the_same_function_and_can_learn(more):
    model = networks.tiny(**more)
    run = run_of(model, TOLD["words"], model.scale_factor, decoder_size=30, word_size=9)
    assert len(run.weights["decoder.cell.w_h"]) == 30
    drawings = [networks.random_moves(np.random.default_rng(1), n) for n in (3, 9, 14)]
    words = ["ant", "ice cream", "ant"] if model.config.n_words else None
    z = Engine(model).encode(drawings)[0] if model.config.encoder else None
    before = score.log_likelihood(Engine(model), drawings, z, words=words)
    after = score.log_likelihood(Engine(run), drawings, z, words=words)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)
    added = run.weights["decoder.cell.w_h"][:, [*range(24, 30)]]
    assert (added != 0).any(0).all()  # each added unit reads the others
    assert (run.weights["decoder.cell.w_h"][24:, :24] == 0).all()


def test_known_words_keep_their_rows_and_new_ones_begin_among_them():
    model = networks.tiny(**TOLD)
    old = model.weights["decoder.words"]
    rows = run_of(model, WORDS, 20.0).weights["decoder.words"]
    np.testing.assert_array_equal(rows[[2, 1, 3]], old)  # the null label is the last
    assert np.abs(rows[0] - old[:2].mean(0)).max() < 4 * old[:2].std(0).max()
    again, other = (run_of(model, WORDS, 20.0, seed).weights["decoder.words"] for seed in (0, 1))
    np.testing.assert_array_equal(again, rows)
    assert (other[0] != rows[0]).all()
    np.testing.assert_array_equal(other[1:], rows[1:])
    assert warm_start.new_words(model, WORDS) == ["bee"]


@pytest.mark.parametrize(
    ("more", "asked", "words", "says"),
    [
        ({}, {"cell": "hyper"}, None, "--from m: its cell is lstm, and cannot be hyper"),
        ({}, {"decoder_size": 23}, None, "--from m: its decoder_size is 24, and cannot be 23"),
        (HYPER, {"decoder_size": 25}, None, "--from m: its decoder_size is 24, and cannot be 25"),
        ({}, {"latent_size": 9}, None, "--from m: its latent_size is 8, and cannot be 9"),
        ({}, {"encoder": False}, None, "--from m: it has an encoder"),
        ({"encoder": False}, {"encoder": True}, None, "--from m: it has no encoder"),
        ({}, {}, True, "--from m: its decoder is unconditional"),
        (TOLD, {}, False, "--from m: its decoder is conditioned on words"),
        (TOLD, {"n_words": 0}, None, "--from m: its decoder is conditioned on words"),
        ({}, {"color": 1}, None, "unknown model setting 'color'"),
    ],
)
def test_what_does_not_fit_is_refused(more, asked, words, says):
    with pytest.raises(BadConfig, match=says):
        warm_start.sizes(networks.tiny(**more), "m", asked, words)


def test_a_model_unit_is_compared_where_drawings_were_fitted_to_a_box():
    model = networks.tiny(preparation={**FITTED.to_dict(), "box": 510.0})  # scale factor 20
    assert warm_start.ratio(model, 30.0, FITTED) == pytest.approx(3)
    assert warm_start.ratio(model, 30.0, Preparation(fit=False, simplified=False)) == 1
    assert warm_start.ratio(networks.tiny(), 30.0, FITTED) == 1


def test_dropout_may_be_another():
    sizes, _ = warm_start.sizes(networks.tiny(), "m", {"dropout": 0.3, "decoder_size": 24}, None)
    assert sizes.dropout == 0.3


# the command


def train(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "two.ndjson"
    lines = [ndjson.to_line(synthetic.draw(w, 0, k)) for w in ("star", "house") for k in range(30)]
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture(scope="module")
def begun(tmp_path_factory, drawings):
    folder = tmp_path_factory.mktemp("runs")
    model = networks.tiny(n_words=2, words=("Star", "bee"), preparation=FITTED.to_dict())
    checkpoint.save(folder / "m.safetensors", model, numbers="int8")
    options = ("--from", folder / "m.safetensors", "-o", folder / "run", "--batch-size", 8)
    result = train(drawings, *options, "--steps", 2)
    assert result.exit_code == 0, result.stderr
    return checkpoint.load(folder / "m.safetensors"), folder, result


def test_a_run_begins_with_the_weights_of_a_model_and_so_does_their_average(begun):
    model, folder, result = begun
    assert "words that are new to it: house" in result.stderr
    settings = read_toml(folder / "run" / "config.toml")
    assert settings["data"]["from"] == str((folder / "m.safetensors").resolve())
    assert (settings["model"]["decoder_size"], settings["model"]["n_words"]) == (24, 2)
    assert settings["training"]["kl_weight_start"] == settings["training"]["kl_weight"]
    run = checkpoint.load(folder / "run")
    assert run.words == ("house", "star")
    first = state._read(folder / "run" / "state" / "step-000000000.safetensors")
    ratio = run.scale_factor / model.scale_factor
    wanted = warm_start.weights(model, SketchRNN(run.config).weights(), run.words, ratio, 0)
    for name, array in wanted.items():
        for kind in ("model", "average"):
            np.testing.assert_array_equal(first.arrays[f"{kind}.{name}"], array)
    assert not np.array_equal(run.weights["decoder.out_w"], wanted["decoder.out_w"])


def test_a_report_of_a_run_names_the_model_that_it_began_with(begun):
    report = CliRunner().invoke(app, ["inspect", str(begun[1] / "run")]).stdout
    assert re.search(r"^ *from +.*m\.safetensors", report, re.MULTILINE), report


@pytest.mark.slow
def test_a_run_killed_before_its_first_state_still_begins_there(begun, tmp_path):
    _, folder, _ = begun
    old = shutil.copytree(folder / "run", tmp_path / "run")
    for path in (*old.glob("state/step-*"), old / "metrics.jsonl", old / "model.safetensors"):
        path.unlink(missing_ok=True)
    result = train("-o", old, "--resume")
    assert result.exit_code == 0, result.stderr
    for name, array in checkpoint.load(folder / "run").weights.items():
        np.testing.assert_array_equal(checkpoint.load(old).weights[name], array)


def test_a_run_that_is_started_from_is_not_overwritten(begun, drawings):
    run = begun[1] / "run"
    for base in (run, run / "model.safetensors"):
        result = train(drawings, "--from", base, "-o", run, "--overwrite")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "is in the run that would be overwritten" in result.stderr
    assert (run / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "built-in", "--cell", "hyper"), "its cell is lstm, and cannot be hyper"),
        (("--from", "built-in", "--no-words"), "its decoder is conditioned on words"),
        (("--from", "bird.gen.json", "--encoder"), "--from bird.gen.json: it has no encoder"),
        (("--from", "none"), "none: no such checkpoint"),
        (("--from", "built-in", "--preset", "tiny"), "--from does not go with --preset"),
    ],
)
def test_a_model_that_does_not_fit_takes_one_line(drawings, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    bird = networks.tiny(encoder=False, n_mixtures=20)
    (tmp_path / "bird.gen.json").write_bytes(sketch_rnn_js.file_of(bird)[0])
    result = train(drawings, "-o", "run", *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert says in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_browser_model_whose_latents_pass_a_tanh_is_refused(tmp_path):
    data = sketch_rnn_js.file_of(networks.tiny(n_mixtures=20))[0]
    whole = json.loads(data)
    whole[0]["version"] = 5
    (tmp_path / "old.vae.json").write_text(json.dumps(whole))
    with pytest.raises(BadConfig, match="its latents pass a tanh"):
        warm_start.opened(str(tmp_path / "old.vae.json"))


def test_the_built_in_model_can_be_started_from():
    model = warm_start.opened(warm_start.BUILT_IN)
    assert model.words == checkpoint.load(pretrained.FILE).words
    assert warm_start.source(warm_start.BUILT_IN) == "built-in"
    run = run_of(model, ("cat", "octopus"), 40.0)
    assert torch.isfinite(torch.from_numpy(run.weights["decoder.words"])).all()
