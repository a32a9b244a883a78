"""Every cell from training to the command line, and dropout of what a decoder reads and says."""

import dataclasses
import json
import os
import subprocess
import sys

import networks
import numpy as np
import pytest
import synthetic
import torch
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference.conditioning import condition
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.torch_engine import TorchEngine
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import CELLS, ModelConfig
from sketchrnn_cli.model.network import Noise, SketchRNN
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import config as settings
from sketchrnn_cli.training import noise as noises
from sketchrnn_cli.training.batches import FlatSketches, pack

pytestmark = pytest.mark.usefixtures("without_pictures")
CPU = torch.device("cpu")
SIZES = """
[model]
encoder_size = 12
latent_size = 6
decoder_size = 20
n_mixtures = 20
hyper_size = 8
hyper_embedding = 3
"""


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(app, list(map(str, arguments)), input=stdin)
    assert result.exit_code == code, result.stderr + str(result.exception)
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(40)]
    (folder / "stars.ndjson").write_bytes(b"".join(lines))
    (folder / "sizes.toml").write_text(SIZES)
    return folder


def trained(place, name, *more):
    target = place / name
    quick = ("--config", place / "sizes.toml", "--steps", 4, "--batch-size", 8, "-q")
    run("train", place / "stars.ndjson", "-o", target, *quick, *more)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS[1:])
def test_a_cell_trains_resumes_samples_encodes_and_is_judged(place, cell):
    target = trained(place, cell, "--cell", cell)
    config = checkpoint.load(target).config
    assert (config.cell, config.encoder_cell, config.decoder_size) == (cell, cell, 20)
    again = trained(place, f"{cell}-cut", "--cell", cell, "--steps", 2)
    run("train", "-o", again, "--resume", "--steps", 4, "-q")
    whole, cut = (checkpoint.load(path).weights for path in (target, again))
    assert all((whole[name] == cut[name]).all() for name in whole)
    drawn = run("sample", "--model", target, "-n", 3, "--max-points", 20).stdout
    assert len(drawn.splitlines()) == 3
    read = run("encode", place / "stars.ndjson", "--model", target).stdout.splitlines()
    assert len(json.loads(read[0])["z"]) == 6
    packed = target / "state" / "corpus.npz"
    facts = json.loads(run("inspect", target, "--evaluate", packed, "--json").stdout)
    assert np.isfinite(facts["nats_per_sketch"])
    assert cell in run("inspect", target).stdout


@pytest.mark.slow
def test_the_encoder_may_have_another_cell(place):
    target = trained(place, "mixed", "--cell", "lstm", "--encoder-cell", "layer-norm")
    config = checkpoint.load(target).config
    assert (config.cell, config.encoder_cell) == ("lstm", "layer-norm")
    refused = run("export", "--model", target, "-o", place / "x.vae.json", code=1)
    assert "its cell is layer-norm" in refused.stderr
    refused = run("train", "-o", target, "--resume", "--cell", "hyper", "-q", code=1)
    assert "was begun with cell = lstm" in refused.stderr


@pytest.mark.parametrize("kind", ["gen.json", "html"])
def test_what_runs_in_a_browser_is_a_plain_lstm(tmp_path, kind):
    model = networks.tiny(encoder=False, cell="layer-norm", n_mixtures=20)
    checkpoint.save(tmp_path / "m.safetensors", model)
    target = tmp_path / f"x.{kind}"
    refused = run("export", "--model", tmp_path / "m.safetensors", "-o", target, code=1)
    assert refused.stderr.count("\n") == 1
    assert "its cell is layer-norm" in refused.stderr
    assert not target.exists()
    for kept in ("npz", "safetensors"):
        out = tmp_path / f"again.{kept}"
        run("export", "--model", tmp_path / "m.safetensors", "-o", out, "-q")
    assert checkpoint.load(tmp_path / "again.safetensors").config.cell == "layer-norm"


def test_a_cell_by_a_wrong_name_is_told_the_right_ones(place):
    refused = run("train", place / "stars.ndjson", "-o", place / "no", "--cell", "gru", code=2)
    assert "--cell gru: must be one of lstm, layer-norm, hyper" in refused.stderr
    assert not (place / "no").exists()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "magenta"])
def test_a_preset_brings_its_settings_and_flags_win(place, preset):
    target = trained(place, preset, "--preset", preset, "--learning-rate", 0.003)
    config = (target / "config.toml").read_text()
    wanted = settings.PRESETS[preset] | {"batch_size": 8, "learning_rate": 0.003}
    for name, value in wanted.items():
        assert f"{name} = {json.dumps(value)}\n" in config
    cells = {"paper": ("hyper", "layer-norm"), "magenta": ("lstm", "lstm")}[preset]
    found = checkpoint.load(target).config
    assert (found.cell, found.encoder_cell, found.n_words) == (*cells, 0)


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_the_engine_of_a_device_is_that_of_the_processor(cell, encoder):
    model = networks.tiny(
        cell=cell, encoder_cell=cell, encoder=encoder, n_words=2, words=("ant", "bee")
    )
    rng = np.random.default_rng(0)
    sketches = [networks.random_moves(rng, n) for n in (9, 1, 14)]
    here, there = Engine(model), TorchEngine(model, "cpu")
    z = None
    if encoder:
        (z, sigma), other = here.encode(sketches), there.encode(sketches)
        np.testing.assert_allclose(other[0], z, atol=1e-5)
        np.testing.assert_allclose(other[1], sigma, atol=1e-5)
    constant = condition(model, 3, z=z)
    rows = [np.zeros((n, 5), np.float32) + rng.normal(size=(n, 5)) for n in (4, 7, 2)]
    rows = [row.astype(np.float32) for row in rows]
    for a, b in zip(here.unroll(rows, constant), there.unroll(rows, constant), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sketch_keeps_its_state_when_it_moves_to_another_row(cell):
    model = networks.tiny(cell=cell, n_words=2, words=("ant", "bee"))
    engine, rng = Engine(model), np.random.default_rng(0)
    constant = rng.normal(size=(4, 14)).astype(np.float32)
    moves = rng.normal(size=(4, 5)).astype(np.float32)
    stays, moved = engine.memory(4), engine.memory(4)
    for decoding in (stays, moved):
        decoding.start(np.arange(4), constant)
        decoding.step(moves)
    wanted = stays.step(moves).copy()
    moved.move(np.array([3]), np.array([1]))
    found = moved.step(moves[[0, 3, 2]])
    np.testing.assert_allclose(found, wanted[[0, 3, 2]], atol=1e-6)


def batch_of(rng, lengths, words=None):
    flat = rng.normal(size=(sum(lengths), 3)).astype(np.float32)
    return pack(
        FlatSketches(
            flat[:, :2],
            flat[:, 2] > 1,
            np.array(lengths),
            np.arange(len(lengths)),
            np.zeros(len(lengths), int) if words is None else np.array(words),
        ),
        device=CPU,
    )


def test_input_and_output_dropout_strike_their_share_and_nothing_else():
    config = ModelConfig(
        encoder_size=8, latent_size=300, decoder_size=256, n_words=2, word_size=100,
        dropout=0, input_dropout=0.25, output_dropout=0.5,
    )  # fmt: skip
    batch = batch_of(np.random.default_rng(0), [40, 30, 30, 2])
    noise = noises.draw(batch, config, 3, dropout=True, device=CPU)
    assert (noise.decoder, noise.encoder, noise.keep) == (None, None, 1.0)
    for factors, shape, keep in (
        (noise.inputs, (106, 5), 0.75),
        (noise.cond, (4, 400), 0.75),
        (noise.outputs, (106, 256), 0.5),
    ):
        assert factors.shape == shape
        assert set(np.round(factors.unique().tolist(), 6)) == {0.0, round(1 / keep, 6)}
        assert (factors > 0).float().mean().item() == pytest.approx(keep, abs=0.06)
    quiet = noises.draw(batch, config, 3, dropout=False, device=CPU)
    assert (quiet.inputs, quiet.cond, quiet.outputs) == (None, None, None)
    # a sketch's noise is its own, whatever comes with it
    alone = dataclasses.replace(config, output_dropout=0.0)
    torch.testing.assert_close(
        noises.draw(batch, alone, 3, dropout=True, device=CPU).inputs, noise.inputs
    )


def test_dropped_inputs_and_outputs_are_those_of_a_network_that_never_saw_them():
    config = ModelConfig(encoder_size=4, latent_size=3, decoder_size=6, n_mixtures=2)
    network, batch = SketchRNN(config, seed=1), batch_of(np.random.default_rng(1), [7, 4])
    n_rows = len(batch.inputs)
    inputs, outputs = torch.ones(n_rows, 5), torch.ones(n_rows, 6)
    inputs[:, 1], outputs[:, 2] = 0, 0
    seen = torch.ones(2, 3)
    seen[:, 0] = 0
    found = network(batch, Noise(None, None, None, 1.0, inputs, seen, outputs))
    with torch.no_grad():
        network.decoder.cell.w_x[1] = 0
        network.decoder.cell.w_const[0] = 0
        network.decoder.out_w[2] = 0
    torch.testing.assert_close(found.reconstruction, network(batch).reconstruction)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a pipe of a shell")
def test_sampling_a_cell_never_loads_torch(tmp_path):
    model = networks.tiny(cell="hyper", encoder=False)
    checkpoint.save(tmp_path / "m.safetensors", model)
    code = (
        "import sys; from sketchrnn_cli.cli.app import main\n"
        f"sys.argv = ['sketchrnn', 'sample', '--model', {str(tmp_path / 'm.safetensors')!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
