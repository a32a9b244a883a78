"""Files of every version of the program that there was load forever; see golden/older/make.py."""

import json
import shutil
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from safetensors.numpy import load as to_arrays
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.training import loop, state
from sketchrnn_cli.training.config import TrainingConfig, read_toml

OLDER = Path(__file__).parent / "golden" / "older"
RUNS = sorted(path.parent.name for path in OLDER.glob("*/config.toml"))
MODELS = sorted(str(path.relative_to(OLDER)) for path in OLDER.glob("*/*.safetensors"))
CORPUS = Path("state", "corpus.npz")


def expected(name):
    return json.loads((OLDER / name / "expected.json").read_text("utf-8"))


def test_there_are_files_of_every_version():
    versions = set()
    for name in MODELS:
        data = (OLDER / name).read_bytes()
        size = int.from_bytes(data[:8], "little")
        versions.add(int(json.loads(data[8 : 8 + size])["__metadata__"]["format_version"]))
    assert versions == set(range(1, checkpoint.FORMAT_VERSION + 1))
    assert len(RUNS) == 8
    assert len(MODELS) == 11


@pytest.mark.parametrize("name", MODELS)
def test_an_older_model_gives_the_likelihoods_it_gave(name):
    wanted, model = expected(Path(name).parent.name), checkpoint.load(OLDER / name)
    assert list(model.words) == wanted["words"]
    assert (model.scale_factor, model.n_max) == (wanted["scale_factor"], wanted["n_max"])
    corpus = Corpus.open(OLDER / "v1-train" / CORPUS)  # all have the same drawings
    scale = [model.scale_factor, model.scale_factor, 1]
    moves = [(corpus.moves_of(i) / scale).astype("f4") for i in range(4)]
    z = None
    if model.config.encoder:
        z = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    words = [corpus.word_of(i) for i in range(4)] if model.config.n_words else None
    nats = score.log_likelihood(Engine(model), moves, z, words=words)
    half = name.endswith("half.safetensors")
    np.testing.assert_allclose(nats, wanted["nats"], rtol=3e-3 if half else 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_an_older_model_draws(name):
    sketches = list(networks.draw(Engine(checkpoint.load(OLDER / name)), 3, settings=Settings()))
    assert len(sketches) == 3


@pytest.mark.parametrize("name", RUNS)
def test_an_older_packed_set_has_its_drawings(name):
    corpus, wanted = Corpus.open(OLDER / name / CORPUS), expected(name)
    corpus.check()
    assert [len(corpus.moves_of(i)) for i in range(len(corpus))] == wanted["points"]
    assert corpus.split_hash("train") == wanted["train"]


@pytest.mark.parametrize("name", RUNS)
def test_an_older_state_goes_on(name, tmp_path):
    run = shutil.copytree(OLDER / name, tmp_path / "run")
    wanted, settings = expected(name), read_toml(run / "config.toml")
    trainer = loop.Trainer(
        run,
        Corpus.open(run / CORPUS),
        ModelConfig.from_dict(settings["model"]),
        TrainingConfig.from_dict({**settings["training"], "steps": 9}),
        device=torch.device("cpu"),
    )
    saved, passed_over = state.load_newest(run, trainer.error_of)
    assert passed_over == []
    progress = saved.progress
    assert (progress.step, progress.best_loss) == (wanted["step"], wanted["best_loss"])
    for key, value in wanted["sums"].items():
        assert saved.arrays[key].sum(dtype=float) == pytest.approx(value, rel=1e-9), key
    trainer.restore(saved)
    events = list(loop.events(trainer))
    assert events[-1] == loop.Finished(9, "steps")
    assert not [event for event in events if isinstance(event, loop.ModelRepaired)]
    again, _ = state.load_newest(run, trainer.error_of)
    assert again.progress.step == 9
    assert again.run_id == trainer.run_id


@pytest.mark.slow
def test_the_first_run_goes_on_by_the_command(tmp_path):
    run = shutil.copytree(OLDER / "v1-train", tmp_path / "run")
    arguments = ["train", "-o", str(run), "--resume", "--steps", "8", "--quiet"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    found = [record["step"] for record in steps if record["split"] == "train"]
    assert found == [2, 4, 6, 8]
    # the file that it leaves is one of today, with latents
    assert "latent.weight" in to_arrays((run / "model.safetensors").read_bytes())


# from a later version


def with_metadata(data, **changed):
    """A safetensors file with other words in its metadata."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"].update(changed)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def test_a_model_of_a_newer_version_is_refused_with_advice(tmp_path):
    path = tmp_path / "model.safetensors"
    data = (OLDER / "v2" / "model.safetensors").read_bytes()
    path.write_bytes(with_metadata(data, format_version=str(checkpoint.FORMAT_VERSION + 1)))
    with pytest.raises(BadCheckpoint, match=r"format version 4, .* up to 3; update sketchrnn"):
        checkpoint.load(path)


def test_a_state_of_a_newer_version_is_refused_and_not_passed_over(tmp_path):
    arrays = {"model.w": np.ones(3, "f4")}
    for step in (1, 2):
        newest = state.save(tmp_path, state.Progress(step=step), arrays)
    newest.write_bytes(with_metadata(newest.read_bytes(), format_version="3"))
    with pytest.raises(state.NewerState, match=r"format version 3, .* up to 2; update sketchrnn"):
        state.load_newest(tmp_path)
    newest.write_bytes(with_metadata(newest.read_bytes(), format_version="x"))
    assert state.load_newest(tmp_path)[0].progress.step == 1


def test_a_packed_set_of_a_newer_version_is_refused_with_advice(tmp_path):
    with np.load(OLDER / "v2" / CORPUS) as arrays:
        members = {name: arrays[name] for name in arrays.files}
    about = json.loads(members["about"].tobytes()) | {"version": 2}
    members["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(tmp_path / "newer.npz", **members)
    with pytest.raises(BadFile, match=r"version 2, .* up to 1; update sketchrnn"):
        Corpus.open(tmp_path / "newer.npz")
