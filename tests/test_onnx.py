"""``export -o x.onnx``: what onnxruntime computes is what the engine does."""

import dataclasses
import json
import re
from pathlib import Path

import networks
import numpy as np
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference import latent_prior
from sketchrnn_cli.inference.conditioning import condition
from sketchrnn_cli.inference.engine import Engine, stroke5
from sketchrnn_cli.model import checkpoint, onnx_files
from sketchrnn_cli.model.config import CELLS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
FORMATS = Path(__file__).parents[1] / "docs" / "formats.md"


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    assert result.exit_code == code, result.stderr + str(result.exception)
    return result


def sessions(model):
    """A session of each file, after ONNX's own check."""
    files = onnx_files.files_of(model)
    for data in files.values():
        onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    return {part: onnxruntime.InferenceSession(data) for part, data in files.items()}


def raw_of(outputs, n):
    """The outputs of a step as the engine has them, and the state."""
    pen, mixture, mean, std, rho, state = outputs
    flat = (np.swapaxes(each, 1, 2).reshape(n, -1) for each in (mean, np.log(std)))
    return np.concatenate([pen, mixture, *flat, np.arctanh(rho)], axis=1), state


@pytest.mark.parametrize("n_words", [0, 2])
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_decoder_steps_are_those_of_the_engine(cell, encoder, n_words):
    model = networks.tiny(
        cell=cell, encoder=encoder, n_words=n_words, words=("cat", "pig")[: n_words or 1]
    )
    rng, n = np.random.default_rng(1), 8  # more than go row by row
    z = rng.normal(size=(n, 8)).astype("f4") if encoder else None
    labels = np.tile(np.float32([1.2, 0.3, -0.5]), (n, 1)) if n_words else None
    decoding = Engine(model).memory(n)
    decoding.start(np.arange(n), condition(model, n, z=z, labels=labels))
    given = {k: v for k, v in (("z", z), ("labels", labels)) if v is not None}
    step = sessions(model)[""]
    assert [each.name for each in step.get_inputs()] == ["move", "state", "first", *given]
    state = np.full((n, step.get_inputs()[1].shape[1]), 9, "f4")  # not read with `first`
    for t in range(12):
        move = rng.normal(size=(n, 5)).astype("f4")
        fed = {"move": move, "state": state, "first": np.array(t == 0), **given}
        raw, state = raw_of(step.run(None, fed), n)
        np.testing.assert_allclose(raw, decoding.step(move), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_latents_are_those_of_the_engine(cell):
    model = networks.tiny(encoder_cell=cell)
    rng, lengths = np.random.default_rng(2), [3, 11, 1, 7]
    moves = [networks.random_moves(rng, n) for n in lengths]
    padded = np.full((4, 11, 5), 7, "f4")
    for row, sketch in zip(padded, moves, strict=True):
        row[: len(sketch)] = stroke5(sketch)
    found = sessions(model)[".encoder"].run(None, {"moves": padded, "lengths": np.array(lengths)})
    for ours, theirs in zip(Engine(model).encode(moves), found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)


def test_the_prior_is_that_of_sample():
    model, rng = networks.of_words(), np.random.default_rng(4)
    word, uniform = np.array([0, 2, 1, 1]), np.float32([0.1, 0.29, 0.31, 0.99])
    normal = rng.normal(size=(4, 8)).astype("f4")
    fed = {"word": word, "uniform": uniform, "normal": normal}
    [z] = sessions(model)[".prior"].run(None, fed)
    for k in range(4):
        one = latent_prior.sample(model.weights, {int(word[k]): 1.0}, normal[k], float(uniform[k]))
        np.testing.assert_allclose(z[k], one, rtol=0, atol=1e-5)


def test_browser_models_of_old_take_tanh_of_their_latents():
    model = networks.tiny(training={"tanh_z": True})
    z, move = np.full((1, 8), 2, "f4"), np.float32([[0, 0, 1, 0, 0]])
    decoding = Engine(model).memory(1)
    decoding.start(np.arange(1), condition(model, 1, z=z))
    step = sessions(model)[""]
    state = np.zeros((1, step.get_inputs()[1].shape[1]), "f4")
    fed = {"move": move, "state": state, "first": np.array(True), "z": z}
    np.testing.assert_allclose(raw_of(step.run(None, fed), 1)[0], decoding.step(move), atol=1e-5)


def test_files_say_what_the_model_is_and_are_the_same_again(tmp_path):
    model = networks.of_words()
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, model)
    result = run("--model", path, "-o", tmp_path / "x.onnx", "--json")
    names = [f"x{part}.onnx" for part in ("", ".encoder", ".prior")]
    assert sorted(each.name for each in tmp_path.glob("x*")) == sorted(names)
    found = json.loads(result.stdout)
    sizes = {found["file"]: found["bytes"], **found["others"]}
    assert sizes == {str(tmp_path / each): (tmp_path / each).stat().st_size for each in names}
    turned = dict(reversed(list(model.weights.items())))
    again = onnx_files.files_of(dataclasses.replace(model, weights=turned))
    for name, data in again.items():
        assert data == (tmp_path / f"x{name}.onnx").read_bytes()
        facts = {
            each.key: json.loads(each.value) for each in onnx.load_from_string(data).metadata_props
        }
        assert facts["words"] == ["cat", "ice cream", "pig"]
        assert facts["scale_factor"] == 20.0
        assert facts["config"]["cell"] == "lstm"
        assert facts["preparation"] == networks.FITTED


def test_all_files_are_written_or_none(tmp_path):
    (tmp_path / "x.prior.onnx").write_text("mine")
    result = run("-o", tmp_path / "x.onnx", code=1)
    assert result.stderr.count("\n") == 1
    assert "x.prior.onnx: exists; give --overwrite" in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["x.prior.onnx"]
    run("-o", tmp_path / "x.onnx", "--overwrite")
    assert len(list(tmp_path.iterdir())) == 3


def test_several_files_do_not_go_into_a_pipe():
    assert "name one, as in -o model.onnx" in run("-o", "-", "--format", "onnx", code=1).stderr


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    find = onnx_files.importlib.util.find_spec
    monkeypatch.setattr(
        onnx_files.importlib.util, "find_spec", lambda name: None if name == "onnx" else find(name)
    )
    result = run("-o", tmp_path / "x.onnx", code=1)
    assert "pip install 'sketchrnn[onnx]'" in result.stderr
    assert (result.stderr.count("\n"), list(tmp_path.iterdir())) == (1, [])


def test_the_example_of_the_docs_draws(tmp_path, monkeypatch):
    run("-o", tmp_path / "owl.onnx")
    monkeypatch.chdir(tmp_path)
    section = FORMATS.read_text("utf-8").split("## ONNX")[1]
    names = {}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    assert 5 < len(names["points"]) < 199
    assert 20 < np.ptp(names["points"], axis=0).max() < 1000
